"""Bars and overlays of the Market page.

Bars are made from the stored minutes and then minute by minute live. Overlays are computed by an analyzer, by the very
pipeline of the automation, and taken in as tables; they reach to the newest minute that the analyzer has seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from atm.gui.chart import CandleChart, Overlay
from atm.gui.results import AnalysedStretch
from atm.gui.theme import Theme
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    IntervalAnalyses,
    MovingAverageLine,
    ParabolicLine,
)
from atm.model.bars import N_COLUMNS, Bar, Bars, Source
from atm.model.interval import DAY_MS, MINUTE_MS, Interval

OVERLAYS = ("SMA", "EMA", "BOL", "PSAR")
_LINES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "SMA": (("SMA 20", "SMA.1.value", False), ("SMA 50", "SMA.2.value", False)),
    "EMA": (("EMA 12", "EMA.1.value", False), ("EMA 26", "EMA.2.value", False)),
    "BOL": (("BOL 20, 2", "BOL.1.upper", False), ("##BOL lower", "BOL.1.lower", False)),
    "PSAR": (("PSAR", "PSAR.1.value", True),),
}
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_SHOWN = 5
_FIRST_ROOM = 1_024
_MONDAY_MS = 4 * DAY_MS


def configuration(interval: Interval, overlays: Iterable[str]) -> AnalysisConfiguration:
    """The overlays' standard parameters on an interval."""
    chosen = set(overlays)
    return AnalysisConfiguration(
        "market-page",
        (
            IntervalAnalyses(
                interval=interval,
                sma=(MovingAverageLine(20), MovingAverageLine(50)) if "SMA" in chosen else (),
                ema=(MovingAverageLine(12), MovingAverageLine(26)) if "EMA" in chosen else (),
                bollinger=(BollingerLine(20, 2.0),) if "BOL" in chosen else (),
                psar=(ParabolicLine(),) if "PSAR" in chosen else (),
            ),
        ),
    )


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

    Columns of the interval bars lie in arrays with room behind; the last one may still be running.
    """

    def __init__(self, minutes: Bars, interval: Interval, overlays: tuple[str, ...]) -> None:
        self.interval = interval
        self.overlays = overlays
        present = ~np.isnan(minutes.close)
        time, values = minutes.open_time[present], minutes.values[:_SHOWN, present]
        opens = open_times(interval, time)
        first = np.flatnonzero(np.diff(opens, prepend=-1)) if len(opens) else np.empty(0, np.int64)
        self._count = len(first)
        self._time = np.empty(self._count + _FIRST_ROOM, np.int64)
        self._values = np.empty((_SHOWN, self._count + _FIRST_ROOM))
        self._next_ms = 0
        self._settled = np.full(_SHOWN, np.nan)
        self._analysed: AnalysedStretch | None = None
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

    def bars(self) -> Bars:
        """The bars, for the chart (open, high, low, close, volume; the rest 0)."""
        values = np.zeros((N_COLUMNS, self._count))
        values[:_SHOWN] = self._values[:, : self._count]
        source = np.full(self._count, int(Source.STREAM), np.uint8)
        return Bars(self.interval, self._time[: self._count].copy(), values, source)

    def follow(self, closed: deque[Bar] | None, running: Bar | None, chart: CandleChart) -> None:
        """Take in the closed minutes that are new, then the running one, and put what changed on the chart."""
        fresh = list(takewhile(lambda bar: bar.open_time >= self._next_ms, reversed(closed or ())))
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

    # --- overlays

    def to_analyse(self) -> tuple[int, int] | None:
        """The range whose rows are wanted: start and end in ms; None when there is nothing new."""
        if not self.overlays or not self._count:
            return None
        done = self._analysed
        if done is None:
            return int(self._time[0]), self._next_ms
        return (
            (int(done.open_time[-1]), self._next_ms) if done.next_ms < self._next_ms and len(done.open_time) else None
        )

    def take_in(self, rows: AnalysedStretch) -> None:
        """Rows of an analyzer: they replace those from their first open time on. None: its store is behind, ask again."""
        done = self._analysed
        if not len(rows.open_time):
            return
        if done is not None:
            kept = int(np.searchsorted(done.open_time, rows.open_time[0]))
            time = np.concatenate([done.open_time[:kept], rows.open_time])
            values = np.concatenate([done.values[:, :kept], rows.values], axis=1)
            rows = AnalysedStretch(rows.columns, time, values, rows.next_ms)
        self._analysed = rows

    def lines(self, theme: Theme) -> list[Overlay]:
        """The overlays as far as they are computed, as views."""
        done = self._analysed
        if done is None:
            return []
        found = []
        color = 0
        for kind in self.overlays:
            for label, column, dots in _LINES[kind]:
                tint = theme.line_color(color - 1 if label.startswith("##") else color)
                found.append(Overlay(label, done.open_time, done.column(column), tint, dots))
                color += not label.startswith("##")
        return found

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
