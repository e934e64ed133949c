"""A download or repair: which minutes to ask for next, and what they came to. Pure; one piece is asked for at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from atm.model.bars import TimeRange
from atm.storage.coverage import chunks
from atm.storage.fetch_plan import CHUNK_MINUTES


class Download:
    """`missing`: what is to be fetched. Every piece is handed out once by `next` and reported once by `settled`."""

    def __init__(self, missing: Iterable[TimeRange]) -> None:
        self._ahead = deque(chunks(missing, CHUNK_MINUTES))
        self.total = sum(piece.minutes for piece in self._ahead)
        self.done = 0
        self.absent = 0
        self.under_way: TimeRange | None = None

    def next(self) -> TimeRange | None:
        """The piece to ask for now; None when one is under way or all are done."""
        if self.under_way is None and self._ahead:
            self.under_way = self._ahead.popleft()
            return self.under_way
        return None

    def settled(self, absent: int) -> None:
        """The piece under way has been answered; absent: how many of its minutes the exchange lacks."""
        assert self.under_way is not None
        self.done += self.under_way.minutes
        self.absent += absent
        self.under_way = None

    @property
    def over(self) -> bool:
        return not self._ahead and self.under_way is None
