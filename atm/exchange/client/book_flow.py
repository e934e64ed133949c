"""The order flow of one symbol's minutes from its books, each at its event time. Pure.

A book holds until the next one, at most `HOLDS_MS` and not beyond a break of its connection; that is the time in which a book
is known. What is told of a minute are means over this time. `close` fixes a minute when its bar is published: books that
arrive later for it change nothing any more (spec: analysis D39), so that everybody has the same values.
"""

from __future__ import annotations

import struct

from atm.model.flow import BookMeasures, Flow
from atm.model.interval import MINUTE_MS

HOLDS_MS = MINUTE_MS
KEPT_MINUTES = 60
"""So many minutes are kept for whoever lost them when it was restarted, and for bars that are late."""

_SINGLE = struct.Struct("4f")
"""Spread and depth are rounded before anybody sees them: half of each would be noise that no file compresses."""


class MinuteSums:
    """Measures of one minute's books, each times the milliseconds for which it held, and those milliseconds."""

    __slots__ = ("ask_depth", "bid_depth", "imbalance", "known_ms", "reach", "spread")

    def __init__(self) -> None:
        self.known_ms = 0
        self.imbalance = self.spread = self.bid_depth = self.ask_depth = self.reach = 0.0

    def add(self, book: BookMeasures, held_ms: int) -> None:
        """Count a book for so long."""
        imbalance, spread, bid_depth, ask_depth, reach = book
        self.known_ms += held_ms
        self.imbalance += imbalance * held_ms
        self.spread += spread * held_ms
        self.bid_depth += bid_depth * held_ms
        self.ask_depth += ask_depth * held_ms
        self.reach += reach * held_ms

    def flow(self) -> Flow:
        """The means; only of a minute in which a book was known."""
        known_ms = self.known_ms
        imbalance = min(1.0, max(-1.0, self.imbalance / known_ms))
        book = (self.spread / known_ms, self.bid_depth / known_ms, self.ask_depth / known_ms, self.reach / known_ms)
        return Flow(imbalance, known_ms / MINUTE_MS, *_SINGLE.unpack(_SINGLE.pack(*book)))


class BookFlow:
    """See the module. Of one symbol; holds at most `KEPT_MINUTES` open and as many closed minutes."""

    __slots__ = ("_book", "_closed", "_counted_ms", "_sums", "_time_ms")

    def __init__(self) -> None:
        self._time_ms = 0
        self._book: BookMeasures | None = None
        self._counted_ms = 0
        self._sums: dict[int, MinuteSums] = {}
        self._closed: dict[int, Flow | None] = {}

    def book(self, time_ms: int, book: BookMeasures | None) -> None:
        """A book (None: one that says nothing) holds from its event time on."""
        if self._book is not None:
            self._count(self._book, time_ms)
        elif time_ms < self._counted_ms:
            # the exchange was set back while the connection was broken: what it tells again counts once
            self._sums = {minute: sums for minute, sums in self._sums.items() if minute + MINUTE_MS <= time_ms}
            self._counted_ms = time_ms
        self._time_ms = time_ms
        self._book = book

    def interrupt(self) -> None:
        """The connection was lost or is a new one: nothing is known from the last book on."""
        self._book = None

    def close(self, minute_ms: int) -> Flow | None:
        """The flow of a minute that is over, the same at every call; None when no book was known in it."""
        if minute_ms in self._closed:
            return self._closed[minute_ms]
        if self._book is not None:
            self._count(self._book, minute_ms + MINUTE_MS)
        sums = self._sums.pop(minute_ms, None)
        flow = None if sums is None else sums.flow()
        self._closed[minute_ms] = flow
        if len(self._closed) > KEPT_MINUTES:
            del self._closed[next(iter(self._closed))]
        return flow

    def closed(self, minute_ms: int) -> Flow | None:
        """The flow of a minute as it was closed, if it was and is still kept."""
        return self._closed.get(minute_ms)

    def _count(self, book: BookMeasures, end_ms: int) -> None:
        """Count the last book up to a moment, in every minute that this touches."""
        at_ms = max(self._time_ms, self._counted_ms)
        until_ms = min(end_ms, self._time_ms + HOLDS_MS)
        while at_ms < until_ms:
            minute_ms = at_ms - at_ms % MINUTE_MS
            next_ms = min(until_ms, minute_ms + MINUTE_MS)
            if minute_ms not in self._closed:
                sums = self._sums.get(minute_ms)
                if sums is None:
                    sums = self._sums[minute_ms] = MinuteSums()
                sums.add(book, next_ms - at_ms)
            at_ms = self._counted_ms = next_ms
        if len(self._sums) > KEPT_MINUTES:
            del self._sums[next(iter(self._sums))]
