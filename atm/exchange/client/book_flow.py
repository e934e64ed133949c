"""The order flow of one symbol's minutes from its books, each at its event time. Pure.

A book holds until the next one, at most `HOLDS_MS` and not beyond a break of its connection; that is the time in which a book
is known. The minute's imbalance is the mean over this time. `close` fixes a minute when its bar is published: books that
arrive later for it change nothing any more (spec: analysis D39), so that everybody has the same value.
"""

from __future__ import annotations

from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS

HOLDS_MS = MINUTE_MS
KEPT_MINUTES = 60
"""So many minutes are kept for whoever lost them when it was restarted, and for bars that are late."""


class BookFlow:
    """See the module. Of one symbol; holds at most `KEPT_MINUTES` open and as many closed minutes."""

    __slots__ = ("_closed", "_counted_ms", "_sums", "_time_ms", "_value")

    def __init__(self) -> None:
        self._time_ms: int | None = None
        self._value = 0.0
        self._counted_ms = 0
        self._sums: dict[int, tuple[float, int]] = {}
        self._closed: dict[int, Flow | None] = {}

    def book(self, time_ms: int, imbalance: float) -> None:
        """A book with this imbalance (NaN: one that says nothing) holds from its event time on."""
        if self._time_ms is not None:
            self._count_until(time_ms)
        elif time_ms < self._counted_ms:
            # the exchange was set back while the connection was broken: what it tells again counts once
            self._sums = {minute: sums for minute, sums in self._sums.items() if minute + MINUTE_MS <= time_ms}
            self._counted_ms = time_ms
        self._time_ms = None if imbalance != imbalance else time_ms
        self._value = imbalance

    def interrupt(self) -> None:
        """The connection was lost or is a new one: nothing is known from the last book on."""
        self._time_ms = None

    def close(self, minute_ms: int) -> Flow | None:
        """The flow of a minute that is over, the same at every call; None when no book was known in it."""
        if minute_ms in self._closed:
            return self._closed[minute_ms]
        if self._time_ms is not None:
            self._count_until(minute_ms + MINUTE_MS)
        weighted, known_ms = self._sums.pop(minute_ms, (0.0, 0))
        flow = Flow(min(1.0, max(-1.0, weighted / known_ms)), known_ms / MINUTE_MS) if known_ms else None
        self._closed[minute_ms] = flow
        if len(self._closed) > KEPT_MINUTES:
            del self._closed[next(iter(self._closed))]
        return flow

    def closed(self, minute_ms: int) -> Flow | None:
        """The flow of a minute as it was closed, if it was and is still kept."""
        return self._closed.get(minute_ms)

    def _count_until(self, end_ms: int) -> None:
        """Count the last book up to a moment, in every minute that this touches."""
        assert self._time_ms is not None
        at_ms = max(self._time_ms, self._counted_ms)
        until_ms = min(end_ms, self._time_ms + HOLDS_MS)
        while at_ms < until_ms:
            minute_ms = at_ms - at_ms % MINUTE_MS
            next_ms = min(until_ms, minute_ms + MINUTE_MS)
            if minute_ms not in self._closed:
                weighted, known_ms = self._sums.get(minute_ms, (0.0, 0))
                self._sums[minute_ms] = weighted + self._value * (next_ms - at_ms), known_ms + next_ms - at_ms
            at_ms = self._counted_ms = next_ms
        if len(self._sums) > KEPT_MINUTES:
            del self._sums[next(iter(self._sums))]
