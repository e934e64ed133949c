"""A virtual clock: what is to happen, in the order of its time. Nothing here waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Scheduler:
    """now_ms jumps from one moment to the next; what is due at the same moment happens in the order in which it was wanted."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, ms: int, happen: Callable[[], None]) -> None:
        """Let something happen at a moment, now if that has passed."""
        self._count += 1
        heapq.heappush(self._due, (max(ms, self.now_ms), self._count, happen))

    def after(self, delay_ms: float, happen: Callable[[], None]) -> None:
        """Let something happen a while from now."""
        self.at(self.now_ms + round(delay_ms), happen)

    def next_ms(self) -> int | None:
        """When the next thing is due, None: nothing is."""
        return self._due[0][0] if self._due else None

    def run_next(self) -> None:
        """Let the next thing happen."""
        self.now_ms, _, happen = heapq.heappop(self._due)
        happen()

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due until then."""
        while self._due and self._due[0][0] <= until_ms:
            self.run_next()
        self.now_ms = until_ms
