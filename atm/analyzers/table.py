"""Results of an analysis: a table of closed bars, and one row of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.contract import Floats
from atm.model.errors import Invalid
from atm.model.interval import Interval


@dataclass(frozen=True, slots=True)
class AnalysisRowValue:
    """Results for one interval bar. close_time: the next bar's open time; values float64 (n_columns,), NaN = no value.

    provisional: the bar is still open; nothing may be traded on it.
    """

    open_time: int
    close_time: int
    values: Floats
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """Results for n closed bars of the decision interval, ascending by time.

    A table of every minute has a row for each minute instead, which is known when that minute ends (close_time), with the open
    time of the bar that it is in, and a column more: `atm.model.trade_method.ELAPSED`. Rows of open bars are provisional.

    open_time, close_time int64 (n,), Unix ms UTC, close_time exclusive: the row is known from that moment on.
    values float64 (n_columns, n) in the order of `columns`, NaN = no value.
    """

    interval: Interval
    open_time: NDArray[np.int64]
    close_time: NDArray[np.int64]
    columns: tuple[str, ...]
    values: Floats

    def __len__(self) -> int:
        return len(self.open_time)

    def column(self, name: str) -> Floats:
        """One column by its full name, or without its interval. Raises Invalid when there is none."""
        row: Floats = self.values[index_of(self.columns, name)]
        return row

    def select(self, columns: tuple[str, ...]) -> AnalysisTable:
        """The table with these columns, by their full names. Raises Invalid for one that it lacks."""
        if columns == self.columns:
            return self
        values = self.values[[index_of(self.columns, name) for name in columns]]
        return AnalysisTable(self.interval, self.open_time, self.close_time, columns, values)

    def row(self, index: int) -> AnalysisRowValue:
        return AnalysisRowValue(int(self.open_time[index]), int(self.close_time[index]), self.values[:, index].copy())

    def between(self, start_ms: int, end_ms: int) -> AnalysisTable:
        """Rows with start_ms < close time <= end_ms, as views."""
        first, last = np.searchsorted(self.close_time, (start_ms, end_ms), side="right")
        return self.slice(int(first), int(last))

    def slice(self, start: int, stop: int) -> AnalysisTable:
        """Rows by position, as views."""
        times = self.open_time[start:stop], self.close_time[start:stop]
        return AnalysisTable(self.interval, *times, self.columns, self.values[:, start:stop])


def index_of(columns: tuple[str, ...], name: str) -> int:
    """Position of a column by its full name ("15m.SMA.1.value"), or of the first by its name without the interval.

    The columns of the decision interval are the first ones. Raises Invalid.
    """
    for index, column in enumerate(columns):
        if name in (column, column.split(".", 1)[1]):
            return index
    raise Invalid("column", name, ", ".join(columns))


def concatenate(tables: list[AnalysisTable]) -> AnalysisTable:
    """Tables of one pipeline in time order (at least one), joined."""
    return AnalysisTable(
        tables[0].interval,
        np.concatenate([table.open_time for table in tables]),
        np.concatenate([table.close_time for table in tables]),
        tables[0].columns,
        np.concatenate([table.values for table in tables], axis=1),
    )
