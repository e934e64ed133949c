"""Fills the holes of minute barriers from the market store: the shell around `MinuteBarrier.bar_hole` and `lag`.

What the store has collected already is read at once; the rest is asked of the data manager first (the sample that is shipped
beneath the demo market has the bars of these minutes as well, but not what stands beside them). A hole that the data manager
refuses is one of the market: its minutes are missing. While it cannot be reached the hole is asked for again, at most
`TRIES` times, and then counts as missing too, which the user is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import DATA, EnsureBars, Failed, Reply
from atm.managers.minute_barrier import BarHole, MinuteBarrier
from atm.model.bars import Bars, TimeRange
from atm.model.errors import ATMError
from atm.model.interval import MINUTE_MS
from atm.model.mark import RecordedMarks
from atm.storage.coverage import missing

log = logging.getLogger(__name__)

TRIES = 12
LONGEST_PAUSE_S = 15.0
ENSURE_TIMEOUT_S = 60.0
LAG_MINUTES = 3
LAG_SECONDS = 5.0
"""A symbol this far behind the others, for this long, is asked for although nothing newer of it has come."""


class BarReader(Protocol):
    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars: ...

    def marks(self, symbol: str, start_ms: int, end_ms: int) -> RecordedMarks: ...

    def own_coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...


@dataclass(slots=True)
class _Lag:
    cursor_ms: int
    since: float


class BarRepairs:
    """`settled` is called with the account's name when minutes were filled in; `given_up` with a hole after the last try."""

    def __init__(
        self,
        assistant: IPCAssistant,
        store: BarReader,
        clock: Callable[[], float],
        settled: Callable[[str], None],
        given_up: Callable[[str, BarHole], None],
    ) -> None:
        self._assistant = assistant
        self._store = store
        self._clock = clock
        self._settled = settled
        self._given_up = given_up
        self._asked: set[tuple[str, str]] = set()
        self._lags: dict[tuple[str, str], _Lag] = {}

    def look(self, account: str, barrier: MinuteBarrier) -> None:
        """Find and fill the holes of an account; one at a time per symbol."""
        for symbol in barrier.symbols:
            if (account, symbol) in self._asked:
                continue
            hole = barrier.bar_hole(symbol) or self._lag(account, symbol, barrier)
            if hole is not None:
                self._asked.add((account, symbol))
                self._fill(account, barrier, hole, 1)

    def _lag(self, account: str, symbol: str, barrier: MinuteBarrier) -> BarHole | None:
        key, hole, now = (account, symbol), barrier.lag(symbol, LAG_MINUTES), self._clock()
        if hole is None:
            self._lags.pop(key, None)
            return None
        lag = self._lags.get(key)
        if lag is None or lag.cursor_ms != hole.start_ms:
            self._lags[key] = _Lag(hole.start_ms, now)
            return None
        return hole if now - lag.since >= LAG_SECONDS else None

    def _fill(self, account: str, barrier: MinuteBarrier, hole: BarHole, attempt: int) -> None:
        """From the store if it has every minute, else by the data manager."""
        try:
            lacking = missing(self._store.own_coverage(hole.symbol), TimeRange(hole.start_ms, hole.end_ms))
            bars = Bars.empty() if lacking else self._read(hole)
        except (ATMError, OSError) as error:
            log.warning("%s of %s cannot be read: %s", hole, account, error)
            bars = Bars.empty()
        if len(bars) * MINUTE_MS == hole.end_ms - hole.start_ms:
            self._settle(account, barrier, hole, bars)
            return
        answered = partial(self._answered, account, barrier, hole, attempt)
        request = EnsureBars(hole.symbol, hole.start_ms, hole.end_ms, own=True)
        self._assistant.request_async(DATA, request, answered, timeout=ENSURE_TIMEOUT_S)

    def _answered(self, account: str, barrier: MinuteBarrier, hole: BarHole, attempt: int, reply: Reply) -> None:
        if isinstance(reply, Failed) and reply.kind not in ("Refused", "Invalid"):
            if attempt < TRIES:
                pause = min(2.0 ** (attempt - 1), LONGEST_PAUSE_S)
                again = partial(self._fill, account, barrier, hole, attempt + 1)
                self._assistant.call_later(pause, again)
                return
            self._given_up(account, hole)
        self._settle(account, barrier, hole, self._read(hole))

    def _read(self, hole: BarHole) -> Bars:
        """What the store has of a hole, marks and rates included: a minute read later is traded as the one that came."""
        span = hole.symbol, hole.start_ms, hole.end_ms
        return self._store.read(*span).with_marks(self._store.marks(*span))

    def _settle(self, account: str, barrier: MinuteBarrier, hole: BarHole, bars: Bars) -> None:
        self._asked.discard((account, hole.symbol))
        barrier.settle_bars(hole, (bars.bar(index) for index in range(len(bars))))
        self._settled(account)
