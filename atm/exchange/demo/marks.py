"""Index and mark price of one symbol: they move once a second, as pure functions of the recorded minutes.

    course  the straight lines from open to the nearer extreme (15 s), to the other one (45 s) and to the close of each minute
    index = mean of the course now, 20 and 40 s ago
    mark  = index · (1 + funding rate · share of the period that is left until funding)

So a minute has sixty values of each, and its mark price bar is theirs. All minutes are computed by the same element-wise operations,
whether one is asked for or a thousand: a stream and a REST answer never differ in a digit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from atm.exchange.demo.minute import CLOSE_MS, FIRST_EXTREME_MS, SECOND_EXTREME_MS
from atm.exchange.demo.recording import Floats, Recording
from atm.model.bars import Column
from atm.model.interval import MINUTE_MS

FUNDING_PERIOD_MS = 8 * 3_600_000
FUNDING_RATE = 0.0001
SECOND_MS = 1_000
SECONDS = MINUTE_MS // SECOND_MS
_LAGS = (0, 20, 40)
_KEPT_MINUTES = 48
_MOST_AT_ONCE = 5_000

Read = Callable[[Floats, Floats], Floats]
"""Makes one series of index and mark, each (n, 60)."""
Bar4 = tuple[float, float, float, float]
"""Open, high, low, close."""


def next_funding_ms(ms: int) -> int:
    """The first funding stamp after `ms`."""
    return (ms // FUNDING_PERIOD_MS + 1) * FUNDING_PERIOD_MS


def _shares() -> Floats:
    """(4, 60): how much of open, first extreme, second extreme and close is in the course at each second."""
    at = np.arange(SECONDS) * float(SECOND_MS)
    knots = (0.0, float(FIRST_EXTREME_MS), float(SECOND_EXTREME_MS), float(CLOSE_MS))
    return np.array([np.interp(at, knots, unit) for unit in np.eye(len(knots))])


_SHARES = _shares()


class SecondPrices:
    """Index and mark of one minute by second, float each."""

    __slots__ = ("index", "mark", "telling")

    def __init__(self, index: Floats, mark: Floats) -> None:
        self.index: list[float] = index.tolist()
        self.mark: list[float] = mark.tolist()
        self.telling = {0, int(mark.argmax()), int(mark.argmin()), SECONDS - 1}
        """Seconds that tell the minute's open, high, low and close of the mark price."""


class Marks:
    """Of one recording. Moments before its start have the price of its start."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._minutes: dict[int, SecondPrices] = {}

    def index(self, ms: int) -> float:
        """Index price at a moment."""
        return self._at(ms).index[ms % MINUTE_MS // SECOND_MS]

    def mark(self, ms: int) -> float:
        """Mark price at a moment."""
        return self._at(ms).mark[ms % MINUTE_MS // SECOND_MS]

    def telling(self, after_ms: int, to_ms: int, most: int) -> list[int]:
        """Full seconds with after_ms < time <= to_ms: all if they are at most so many, else those that tell the four prices of
        their minutes, and the last one."""
        seconds = range((after_ms // SECOND_MS + 1) * SECOND_MS, to_ms + 1, SECOND_MS)
        if len(seconds) <= most:
            return list(seconds)
        return [ms for ms in seconds if ms == seconds[-1] or ms % MINUTE_MS // SECOND_MS in self._at(ms).telling]

    def bars(self, edges: list[int], now_ms: int, read: Read) -> list[Bar4]:
        """Bars between ascending full minutes, of what `read` makes of index and mark; of what has been up to `now_ms`."""
        found: list[Bar4] = []
        place = 0
        while place < len(edges) - 1:
            stop = place + 1
            while stop < len(edges) - 1 and edges[stop + 1] - edges[place] <= _MOST_AT_ONCE * MINUTE_MS:
                stop += 1
            found += self._bars(edges[place : stop + 1], now_ms, read)
            place = stop
        return found

    def _bars(self, edges: list[int], now_ms: int, read: Read) -> list[Bar4]:
        first = max(0, self._recording.ordinal(edges[0]))
        start_ms = self._recording.start_ms + first * MINUTE_MS
        end_ms = min(edges[-1], now_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        values = read(*self._computed(first, (end_ms - start_ms) // MINUTE_MS)).ravel()
        values = values[: (now_ms - start_ms) // SECOND_MS + 1]
        starts = [max(0, edge - start_ms) // SECOND_MS for edge in edges[:-1]]
        ends = [*(start - 1 for start in starts[1:]), len(values) - 1]
        columns = (
            values[starts],
            np.maximum.reduceat(values, starts),
            np.minimum.reduceat(values, starts),
            values[ends],
        )
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _at(self, ms: int) -> SecondPrices:
        ordinal = max(0, self._recording.ordinal(ms))
        found = self._minutes.get(ordinal)
        if found is None:
            index, mark = self._computed(ordinal, 1)
            found = self._minutes[ordinal] = SecondPrices(index[0], mark[0])
            if len(self._minutes) > _KEPT_MINUTES:
                del self._minutes[next(iter(self._minutes))]
        return found

    def _computed(self, first: int, count: int) -> tuple[Floats, Floats]:
        """Index and mark, each (count, 60), of consecutive minutes."""
        before = min(1, first)
        course = _course(self._recording.values(first - before, count + before))
        if not before:
            course = np.concatenate([np.full(SECONDS, course[0]), course])
        now, earlier, earliest = (course[SECONDS - lag : len(course) - lag] for lag in _LAGS)
        index = ((now + earlier) + earliest) / len(_LAGS)
        start_ms = self._recording.start_ms + first * MINUTE_MS
        at = np.arange(start_ms, start_ms + count * MINUTE_MS, SECOND_MS)
        left = FUNDING_PERIOD_MS - at % FUNDING_PERIOD_MS
        mark = index * (1.0 + FUNDING_RATE * (left / FUNDING_PERIOD_MS))
        return index.reshape(count, SECONDS), mark.reshape(count, SECONDS)


def _course(values: Floats) -> Floats:
    """Price at every second of consecutive minutes (9, n): (60 n,)."""
    opened, high, low, close = (
        values[column][:, None] for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE)
    )
    rises = high - opened <= opened - low
    nearer, other = np.where(rises, high, low), np.where(rises, low, high)
    by_open, by_nearer, by_other, by_close = _SHARES
    course: Floats = (opened * by_open + nearer * by_nearer) + (other * by_other + close * by_close)
    return course.ravel()
