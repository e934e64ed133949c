"""Bars of the Market page, made from the stored minutes and then minute by minute live."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from atm.gui.chart import CandleChart
from atm.model.bars import N_COLUMNS, Bar, Bars, Source
from atm.model.interval import DAY_MS, MINUTE_MS, Interval

_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_SHOWN = 5
_FIRST_ROOM = 1_024
_MONDAY_MS = 4 * DAY_MS


@dataclass(frozen=True, slots=True)
class Day:
    """change: fraction since 24 hours ago; high, low: prices; volume in the base asset."""

    change: float
    high: float
    low: float
    volume: float


def open_times(interval: Interval, minutes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Open time of the interval bar that contains each minute."""
    if interval is Interval.MONTH:
        return minutes.astype("datetime64[ms]").astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)
    offset = _MONDAY_MS if interval is Interval.W1 else 0
    return (minutes - offset) // interval.nominal_ms * interval.nominal_ms + offset


class MarketFeed:
    """The series of one chart. Made on the reader thread, then used by the page alone.

    Columns of the interval bars lie in arrays with room behind; the last one may still be running. hole_ms: first minute of the
    newest hole between what was stored and what came live, 0 = none: it was not stored yet when the bars were read.
    """

    def __init__(self, minutes: Bars, interval: Interval) -> None:
        self.interval = interval
        present = ~np.isnan(minutes.close)
        time, values = minutes.open_time[present], minutes.values[:_SHOWN, present]
        opens = open_times(interval, time)
        first = np.flatnonzero(np.diff(opens, prepend=-1)) if len(opens) else np.empty(0, np.int64)
        self._count = len(first)
        self._time = np.empty(self._count + _FIRST_ROOM, np.int64)
        self._values = np.empty((_SHOWN, self._count + _FIRST_ROOM))
        self._next_ms = 0
        self.hole_ms = 0
        self._settled = np.full(_SHOWN, np.nan)
        if self._count:
            self._next_ms = int(time[-1]) + MINUTE_MS
            self._fill(opens, values, first)

    def _fill(self, opens: NDArray[np.int64], values: NDArray[np.float64], first: NDArray[np.int64]) -> None:
        n = self._count
        last = np.append(first[1:], len(opens)) - 1
        self._time[:n] = opens[first]
        self._values[_OPEN, :n] = values[_OPEN, first]
        self._values[_HIGH, :n] = np.maximum.reduceat(values[_HIGH], first)
        self._values[_LOW, :n] = np.minimum.reduceat(values[_LOW], first)
        self._values[_CLOSE, :n] = values[_CLOSE, last]
        self._values[_VOLUME, :n] = np.add.reduceat(values[_VOLUME], first)
        self._settled[:] = self._values[:, n - 1]

    def __len__(self) -> int:
        """Interval bars, the running one included."""
        return self._count

    @property
    def range(self) -> tuple[int, int]:
        """From the first bar's open time to the minute after the newest closed one; (0, 0) without bars."""
        return (int(self._time[0]), self._next_ms) if self._count else (0, 0)

    def bars(self) -> Bars:
        """The bars, for the chart (open, high, low, close, volume; the rest 0)."""
        values = np.zeros((N_COLUMNS, self._count))
        values[:_SHOWN] = self._values[:, : self._count]
        source = np.full(self._count, int(Source.STREAM), np.uint8)
        return Bars(self.interval, self._time[: self._count].copy(), values, source)

    def follow(self, closed: deque[Bar] | None, running: Bar | None, chart: CandleChart) -> None:
        """Take in the closed minutes that are new, then the running one, and put what changed on the chart."""
        fresh = list(takewhile(lambda bar: bar.open_time >= self._next_ms, reversed(closed or ())))
        if fresh and 0 < self._next_ms < fresh[-1].open_time:
            self.hole_ms = self._next_ms
        for bar in reversed(fresh):
            self._fold(bar, chart)
            self._settled[:] = self._values[:, self._count - 1]
            self._next_ms = bar.open_time + MINUTE_MS
        if running is not None and running.open_time >= self._next_ms:
            self._fold(running, chart)

    def _fold(self, minute: Bar, chart: CandleChart) -> None:
        """The newest bar becomes what its closed minutes and `minute` make it, or `minute` begins a new one."""
        opens = self.interval.open_time(minute.open_time)
        values = np.array([minute.open, minute.high, minute.low, minute.close, minute.volume])
        if self._count == 0 or opens > self._time[self._count - 1]:
            self._make_room()
            self._time[self._count] = opens
            self._count += 1
            self._settled[:] = np.nan
        elif not np.isnan(self._settled[_CLOSE]):
            values[_OPEN] = self._settled[_OPEN]
            values[_HIGH] = max(values[_HIGH], self._settled[_HIGH])
            values[_LOW] = min(values[_LOW], self._settled[_LOW])
            values[_VOLUME] += self._settled[_VOLUME]
        self._values[:, self._count - 1] = values
        opening, high, low, closing, volume = (float(value) for value in values)
        chart.put(Bar(opens, opening, high, low, closing, volume, 0.0, 0.0, 0.0, 0.0))

    def _make_room(self) -> None:
        if self._count >= len(self._time):
            self._time = np.concatenate([self._time, np.empty_like(self._time)])
            self._values = np.concatenate([self._values, np.empty_like(self._values)], axis=1)

    def day(self) -> Day | None:
        """The last 24 hours up to the newest bar; None without bars."""
        n = len(self)
        if n == 0:
            return None
        first = int(np.searchsorted(self._time[:n], self._time[n - 1] + self.interval.nominal_ms - DAY_MS))
        first = min(first, n - 1)
        opening, closing = self._values[_OPEN, first], self._values[_CLOSE, n - 1]
        inside = self._values[:, first:n]
        high, low, volume = inside[_HIGH].max(), inside[_LOW].min(), inside[_VOLUME].sum()
        return Day(float(closing / opening - 1), float(high), float(low), float(volume))
