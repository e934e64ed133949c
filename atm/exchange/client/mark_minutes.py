"""Mark price bars and settled funding rates of one symbol's minutes, from the mark prices of its stream. Pure.

A minute is *whole* when nothing of it can have been missed: a mark price in its first and in its last second and no silence
between. A silence is long by the market's clock and, unless the connection broke, by ours: a market that is replayed fast sends few
mark prices a minute, in little time. Of a minute that is not whole the exchange is asked (`mark_outlet`).

A funding rate is settled at a full hour; it is the last one told for that stamp before it passed (spec: exchange §2.3, `r` and `T`).

`close` fixes a minute when its bar is published, so that everybody has the same values; `KEPT_MINUTES` are kept for whoever lost them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from atm.exchange.client.book_flow import KEPT_MINUTES
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.mark import Mark

SECOND_MS = 1_000
SILENCE_MS, SILENCE_S = 1_500, 1.5
"""Mark prices come once a second: none was missed if the next one came so soon."""
LAST_RATE_MS = 10_000
"""A rate that was told so long before its stamp, or earlier, may have changed since."""


class Told(NamedTuple):
    """One mark price with its running rate. next_funding_ms 0: a contract without funding."""

    time_ms: int
    price: float
    rate: float
    next_funding_ms: int
    now_s: float


class ClosedMinute(NamedTuple):
    """whole: nothing of mark and rate was missed. mark None: nothing is known."""

    mark: Mark | None
    whole: bool


UNSEEN = ClosedMinute(None, False)


class _Open:
    """The running values of one minute; `before`: the last mark price before it."""

    __slots__ = ("before", "broken", "close", "first_ms", "high", "last_ms", "low", "open")

    def __init__(self, told: Told, before: Told | None) -> None:
        self.open = self.high = self.low = self.close = told.price
        self.first_ms = self.last_ms = told.time_ms
        self.before = before
        self.broken = False

    def add(self, told: Told) -> None:
        """A later mark price of this minute."""
        self.high, self.low = max(self.high, told.price), min(self.low, told.price)
        self.close, self.last_ms = told.price, told.time_ms


class MarkMinutes:
    """See the module. Holds at most `KEPT_MINUTES` open and as many closed minutes."""

    __slots__ = ("_closed", "_interrupted", "_last", "_open")

    def __init__(self) -> None:
        self._last: Told | None = None
        self._interrupted = False
        self._open: dict[int, _Open] = {}
        self._closed: dict[int, ClosedMinute] = {}

    def told(self, told: Told) -> None:
        """The exchange has told a mark price."""
        last, minute_ms = self._last, told.time_ms - told.time_ms % MINUTE_MS
        if (
            last is not None and told.time_ms < last.time_ms
        ):  # the exchange was set back while the connection was broken
            self._open = {known: minute for known, minute in self._open.items() if known < minute_ms}
            last = None
        minute = self._open.get(minute_ms)
        if minute is not None:
            minute.add(told)
        elif minute_ms not in self._closed:
            minute = self._open[minute_ms] = _Open(told, last)
            if len(self._open) > KEPT_MINUTES:
                del self._open[next(iter(self._open))]
        if last is not None and self._breaks(last, told):
            self._break(last.time_ms, told.time_ms)
        self._last, self._interrupted = told, False

    def _breaks(self, last: Told, told: Told) -> bool:
        if told.time_ms - last.time_ms <= SILENCE_MS:
            return False
        return self._interrupted or told.now_s - last.now_s > SILENCE_S

    def _break(self, last_ms: int, told_ms: int) -> None:
        """Mark the minutes of the two mark prices of which a second between them was not told."""
        for at_ms in (last_ms + SECOND_MS, told_ms - SECOND_MS):
            minute = self._open.get(at_ms - at_ms % MINUTE_MS)
            if minute is not None:
                minute.broken = True

    def interrupt(self) -> None:
        """The connection was lost or is a new one."""
        self._interrupted = True

    def close(self, minute_ms: int) -> ClosedMinute:
        """What is known of a minute that is over, the same at every call."""
        if minute_ms not in self._closed:
            minute = self._open.pop(minute_ms, None)
            self._keep(minute_ms, UNSEEN if minute is None else _closed(minute_ms, minute))
        return self._closed[minute_ms]

    def settle(self, minute_ms: int, mark: Mark | None) -> None:
        """What the exchange has answered for a closed minute."""
        self._keep(minute_ms, ClosedMinute(mark, True))

    def closed(self, minute_ms: int) -> ClosedMinute:
        """A minute as it was closed, if it was and is still kept."""
        return self._closed.get(minute_ms, UNSEEN)

    def _keep(self, minute_ms: int, minute: ClosedMinute) -> None:
        self._closed[minute_ms] = minute
        if len(self._closed) > KEPT_MINUTES:
            del self._closed[next(iter(self._closed))]


def _closed(minute_ms: int, minute: _Open) -> ClosedMinute:
    edges = minute.first_ms - minute_ms < SECOND_MS and minute_ms + MINUTE_MS - minute.last_ms <= SECOND_MS
    rate = _rate(minute_ms, minute.before)
    mark = Mark(minute.open, minute.high, minute.low, minute.close, math.nan if rate is None else rate)
    return ClosedMinute(mark, edges and rate is not None and not minute.broken)


def _rate(minute_ms: int, before: Told | None) -> float | None:
    """The rate settled where a minute opens, NaN: none is; None: it is not known whether."""
    if minute_ms % HOUR_MS:
        return math.nan
    if before is None or minute_ms - before.time_ms > LAST_RATE_MS:
        return None
    return before.rate if before.next_funding_ms == minute_ms else math.nan
