"""Klines (bars) as columns.

A `Bars` holds n bars of one symbol and one interval, ascending by open time, as one int64 column of open times
(Unix ms UTC) and one float64 matrix of shape (9, n) whose rows are named by `Column`. Kernels take the matrix as it
is. A missing bar of a dense series has NaN in every row and the source `Source.MISSING`. Beside them may stand the order
flow that was recorded in each minute (`atm.model.flow`) and its mark price and funding rate (`atm.model.mark`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import Invalid
from atm.model.flow import BOOK_ROWS, FLOW_ROWS, Flow
from atm.model.interval import MINUTE_MS, Interval
from atm.model.mark import MARK_PRICES, MARK_ROWS, Mark, RecordedMarks


class Column(IntEnum):
    """Rows of the value matrix. Prices in quote per base; volumes in base or quote asset; trades is a count."""

    OPEN = 0
    HIGH = 1
    LOW = 2
    CLOSE = 3
    VOLUME = 4
    QUOTE_VOLUME = 5
    TRADES = 6
    TAKER_BUY_VOLUME = 7
    TAKER_BUY_QUOTE_VOLUME = 8


N_COLUMNS = len(Column)


class Source(IntEnum):
    """Where a stored minute came from. ABSENT is never stored: the exchange was asked and has no such minute."""

    MISSING = 0
    STREAM = 1
    REST = 2
    ARCHIVE = 3
    SAMPLE = 4
    ABSENT = 5


class Bar(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One bar as a value, for messages. Times in Unix ms UTC. flow, mark: None = not recorded; only of one-minute bars."""

    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: float
    taker_buy_volume: float
    taker_buy_quote_volume: float
    flow: Flow | None = None
    mark: Mark | None = None

    def row(self) -> tuple[float, ...]:
        """The nine values in the order of `Column`."""
        return (
            self.open, self.high, self.low, self.close, self.volume,
            self.quote_volume, self.trades, self.taker_buy_volume, self.taker_buy_quote_volume,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bars:
    """Columns of n bars. `open_time` int64 (n,); `values` float64 (9, n); `source` uint8 (n,).

    `flow` float64 (2, n), rows imbalance and known as of `Flow`, NaN = not recorded; None where nobody asked for it.
    `book` float64 (4, n), rows spread, bid_depth, ask_depth and reach of the same, and `mark` float64 (5, n), rows as of `Mark`: only
    of bars on their way to the store, which gives them back as columns of their own (`RecordedBook`, `RecordedMarks`).
    """

    interval: Interval
    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    source: NDArray[np.uint8]
    flow: NDArray[np.float64] | None = None
    book: NDArray[np.float64] | None = None
    mark: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.open_time)

    def column(self, column: Column) -> NDArray[np.float64]:
        """A view of one row of the matrix, shape (n,)."""
        row: NDArray[np.float64] = self.values[int(column)]
        return row

    @property
    def open(self) -> NDArray[np.float64]:
        return self.column(Column.OPEN)

    @property
    def high(self) -> NDArray[np.float64]:
        return self.column(Column.HIGH)

    @property
    def low(self) -> NDArray[np.float64]:
        return self.column(Column.LOW)

    @property
    def close(self) -> NDArray[np.float64]:
        return self.column(Column.CLOSE)

    @property
    def volume(self) -> NDArray[np.float64]:
        return self.column(Column.VOLUME)

    def slice(self, start: int, stop: int) -> Bars:
        """Bars by position, as views."""
        times, values, source = self.open_time[start:stop], self.values[:, start:stop], self.source[start:stop]
        beside = (None if rows is None else rows[:, start:stop] for rows in (self.flow, self.book, self.mark))
        return Bars(self.interval, times, values, source, *beside)

    def between(self, start_ms: int, end_ms: int) -> Bars:
        """Bars with start_ms <= open time < end_ms, as views."""
        lo, hi = np.searchsorted(self.open_time, (start_ms, end_ms))
        return self.slice(int(lo), int(hi))

    def bar(self, index: int) -> Bar:
        """One bar as a value."""
        flow = None
        if self.flow is not None and not np.isnan(self.flow[0, index]):
            book = () if self.book is None else self.book[:, index].tolist()
            flow = Flow(*self.flow[:, index].tolist(), *book)
        mark = None
        if self.mark is not None and not np.isnan(self.mark[:, index]).all():
            mark = Mark(*self.mark[:, index].tolist())
        bar = Bar(int(self.open_time[index]), *self.values[:, index].tolist())
        return bar if flow is None and mark is None else msgspec.structs.replace(bar, flow=flow, mark=mark)

    def dense(self, start_ms: int, end_ms: int) -> Bars:
        """A gap-free grid of open times start_ms, start_ms + step … < end_ms; missing bars are NaN.

        Only for intervals of fixed length. `start_ms` must lie on the grid.
        """
        step = self.interval.nominal_ms
        if start_ms % step:
            raise Invalid("start_ms", start_ms, f"a multiple of {step} ms")
        grid = np.arange(start_ms, end_ms, step, dtype=np.int64)
        inside = self.between(start_ms, end_ms)
        source = np.zeros(len(grid), np.uint8)
        position = (inside.open_time - start_ms) // step
        source[position] = inside.source

        def spread_out(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            whole = np.full((len(rows), len(grid)), np.nan)
            whole[:, position] = rows
            return whole

        beside = (None if rows is None else spread_out(rows) for rows in (inside.flow, inside.book, inside.mark))
        return Bars(self.interval, grid, spread_out(inside.values), source, *beside)

    def with_marks(self, recorded: RecordedMarks) -> Bars:
        """The same bars with their mark prices and funding rates beside them, as far as these are recorded."""
        rows = np.full((MARK_ROWS, len(self)), np.nan)
        for times, values, first in (
            (recorded.open_time, recorded.values, 0),
            (recorded.rate_time, recorded.rate[None], MARK_PRICES),
        ):
            _, place, taken = np.intersect1d(self.open_time, times, assume_unique=True, return_indices=True)
            rows[first : first + len(values), place] = values[:, taken]
        return replace(self, mark=None if np.isnan(rows).all() else rows)

    @staticmethod
    def empty(interval: Interval = Interval.M1) -> Bars:
        return Bars(interval, np.empty(0, np.int64), np.empty((N_COLUMNS, 0)), np.empty(0, np.uint8))

    @staticmethod
    def of(bars: Iterable[Bar], source: Source, interval: Interval = Interval.M1) -> Bars:
        """Columns from single bars, which must ascend by open time."""
        rows = list(bars)
        if not rows:
            return Bars.empty(interval)
        return Bars(
            interval,
            np.array([bar.open_time for bar in rows], np.int64),
            np.ascontiguousarray(np.array([bar.row() for bar in rows], np.float64).T),
            np.full(len(rows), int(source), np.uint8),
            *_flow_of(rows),
            _marks_of(rows),
        )

    @staticmethod
    def concatenate(parts: Iterable[Bars], interval: Interval = Interval.M1) -> Bars:
        """Parts in time order, joined."""
        whole = list(parts)
        if not whole:
            return Bars.empty(interval)
        return Bars(
            interval,
            np.concatenate([part.open_time for part in whole]),
            np.ascontiguousarray(np.concatenate([part.values for part in whole], axis=1)),
            np.concatenate([part.source for part in whole]),
            _joined([part.flow for part in whole], FLOW_ROWS, [len(part) for part in whole]),
            _joined([part.book for part in whole], BOOK_ROWS, [len(part) for part in whole]),
            _joined([part.mark for part in whole], MARK_ROWS, [len(part) for part in whole]),
        )


def _flow_of(bars: list[Bar]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """The flow and book of bars, None where no bar has any."""
    if all(bar.flow is None for bar in bars):
        return None, None
    none = (np.nan,) * (FLOW_ROWS + BOOK_ROWS)
    rows = [none if bar.flow is None else msgspec.structs.astuple(bar.flow) for bar in bars]
    columns = np.ascontiguousarray(np.array(rows, np.float64).T)
    return columns[:FLOW_ROWS], columns[FLOW_ROWS:]


def _marks_of(bars: list[Bar]) -> NDArray[np.float64] | None:
    """The marks of bars, None where no bar has any."""
    if all(bar.mark is None for bar in bars):
        return None
    none = (np.nan,) * MARK_ROWS
    rows = [none if bar.mark is None else msgspec.structs.astuple(bar.mark) for bar in bars]
    return np.ascontiguousarray(np.array(rows, np.float64).T)


def _joined(parts: list[NDArray[np.float64] | None], rows: int, lengths: list[int]) -> NDArray[np.float64] | None:
    """Parts in time order, NaN for one that is None."""
    if all(part is None for part in parts):
        return None
    whole = [np.full((rows, n), np.nan) if part is None else part for part, n in zip(parts, lengths, strict=True)]
    return np.concatenate(whole, axis=1)


class TimeRange(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A half-open range of open times [start_ms, end_ms)."""

    start_ms: int
    end_ms: int

    @property
    def minutes(self) -> int:
        return max(0, (self.end_ms - self.start_ms) // MINUTE_MS)
