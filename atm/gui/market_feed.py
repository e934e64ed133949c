"""Bars and overlays of the Market page: the analysis pipeline over the stored minutes, then minute by minute live.

The chart shows what the automation would compute: both run the same `AnalysisPipeline`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from atm.analyzers import AnalysisPipeline, AnalysisRowValue
from atm.gui.chart import CandleChart, Overlay
from atm.gui.theme import Theme
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    IntervalAnalyses,
    MovingAverageLine,
    ParabolicLine,
)
from atm.model.bars import N_COLUMNS, Bar, Bars, Source
from atm.model.interval import DAY_MS, Interval

OVERLAYS = ("SMA", "EMA", "BOL", "PSAR")
_LINES: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "SMA": (("SMA 20", "SMA.1.value", False), ("SMA 50", "SMA.2.value", False)),
    "EMA": (("EMA 12", "EMA.1.value", False), ("EMA 26", "EMA.2.value", False)),
    "BOL": (("BOL 20, 2", "BOL.1.upper", False), ("##BOL lower", "BOL.1.lower", False)),
    "PSAR": (("PSAR", "PSAR.1.value", True),),
}
_KLINE = 5
_FIRST_ROOM = 1_024


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


class MarketFeed:
    """The series of one chart. Made on the reader thread, then used by the page alone."""

    def __init__(self, minutes: Bars, interval: Interval, overlays: tuple[str, ...]) -> None:
        self.interval = interval
        self.overlays = overlays
        self._pipeline = AnalysisPipeline(configuration(interval, overlays))
        table = self._pipeline.run(minutes)
        present = ~np.isnan(table.values[3])
        self._count = int(present.sum())
        room = self._count + _FIRST_ROOM
        self._time = np.empty(room, np.int64)
        self._values = np.empty((len(table.columns), room))
        self._time[: self._count] = table.open_time[present]
        self._values[:, : self._count] = table.values[:, present]
        self._columns = table.columns
        self._has_preview = False

    def __len__(self) -> int:
        """Closed bars, and the running one if it is known."""
        return self._count + self._has_preview

    def bars(self) -> Bars:
        """The closed bars, for the chart (open, high, low, close, volume; the rest 0)."""
        values = np.zeros((N_COLUMNS, self._count))
        values[:_KLINE] = self._values[:_KLINE, : self._count]
        source = np.full(self._count, int(Source.STREAM), np.uint8)
        return Bars(self.interval, self._time[: self._count].copy(), values, source)

    def follow(self, closed: deque[Bar] | None, running: Bar | None, chart: CandleChart) -> None:
        """Take in the closed minutes that are new, then the running one, and put what changed on the chart."""
        next_ms = self._pipeline.next_ms
        fresh = list(takewhile(lambda bar: next_ms is None or bar.open_time >= next_ms, reversed(closed or ())))
        if fresh:
            fresh.reverse()
            table = self._pipeline.run(Bars.of(fresh, Source.STREAM))
            for index in range(len(table)):
                self._put(table.row(index), closed=True, chart=chart)
            next_ms = self._pipeline.next_ms
        if running is not None and (next_ms is None or running.open_time >= next_ms):
            self._put(self._pipeline.preview(running), closed=False, chart=chart)

    def _put(self, row: AnalysisRowValue, *, closed: bool, chart: CandleChart) -> None:
        if np.isnan(row.values[3]):
            return
        if self._count + 1 >= len(self._time):
            self._time = np.concatenate([self._time, np.empty_like(self._time)])
            self._values = np.concatenate([self._values, np.empty_like(self._values)], axis=1)
        self._time[self._count] = row.open_time
        self._values[:, self._count] = row.values
        self._count += closed
        self._has_preview = not closed
        opening, high, low, closing, volume = (float(value) for value in row.values[:_KLINE])
        chart.put(Bar(row.open_time, opening, high, low, closing, volume, 0.0, 0.0, 0.0, 0.0))

    def lines(self, theme: Theme) -> list[Overlay]:
        """The overlays up to the running bar, as views."""
        n = len(self)
        found = []
        color = 0
        for kind in self.overlays:
            for label, column, dots in _LINES[kind]:
                values = self._column(column)[:n]
                tint = theme.line_color(color - 1 if label.startswith("##") else color)
                found.append(Overlay(label, self._time[:n], values, tint, dots))
                color += not label.startswith("##")
        return found

    def day(self) -> Day | None:
        """The last 24 hours up to the newest bar; None without bars."""
        n = len(self)
        if n == 0:
            return None
        first = int(np.searchsorted(self._time[:n], self._time[n - 1] + self.interval.nominal_ms - DAY_MS))
        first = min(first, n - 1)
        opening, closing = self._values[0, first], self._values[3, n - 1]
        inside = self._values[:, first:n]
        return Day(float(closing / opening - 1), float(inside[1].max()), float(inside[2].min()), float(inside[4].sum()))

    def _column(self, name: str) -> NDArray[np.float64]:
        position = next(i for i, column in enumerate(self._columns) if column.endswith(name))
        row: NDArray[np.float64] = self._values[position]
        return row
