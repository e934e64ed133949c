"""What a backtest replays: the minutes of all positions and the rows that they decide on, handed to the engine in stretches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.table import AnalysisTable
from atm.model.account import TradeRecord
from atm.model.bars import Bars, Column
from atm.model.flow import RecordedBook
from atm.model.interval import MINUTE_MS
from atm.model.mark import MARK_PRICES, RecordedMarks
from atm.model.provenance import source_counts
from atm.simulators.minute_shelf import MinuteShelf
from atm.simulators.statistics.path import SymbolPath
from atm.trading.engine import AccountEngine
from atm.trading.funding import NO_RATES
from atm.trading.layout import Setup
from atm.trading.minute_grid import NO_MARKS, MinuteGrid

Floats = NDArray[np.float64]

_PRICES = (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE)
_VOLUME = len(_PRICES)
_TYPES = (*[np.float64] * len(_PRICES), np.float32)
_BOOK = len(_TYPES)
_BOOK_TYPES = (np.float32,) * 3
_MARK_TYPES = (np.float64,) * MARK_PRICES
STRETCH = 200_000
"""Minutes that are a grid at once: 64 MB of prices with ten positions, and as much of mark prices."""


class Replay:
    """Minutes from `start_ms` to `end_ms` of the positions of an engine, in its order.

    `take` (and then `take_marks`, and `take_book` where there are books) gives it what belongs to a position, each once; then any
    engine with these positions can `run` on it. Prices float64, NaN = missing; volumes float32 in the base asset. folder: where a
    file is made when they are too many for the memory. rates: recorded funding rates of all positions, as in `MinuteGrid`.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        start_ms: int,
        end_ms: int,
        folder: Path | None = None,
        with_books: bool = False,
    ) -> None:
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.symbols = symbols
        self.minutes = (end_ms - start_ms) // MINUTE_MS
        self._with_books = with_books
        self._folder = folder
        self.rates = NO_RATES
        self._marks: MinuteShelf | None = None
        self._marked: set[int] = set()
        self._shelf = MinuteShelf(_TYPES + _BOOK_TYPES * with_books, self.minutes, len(symbols), folder)
        self._tables: list[AnalysisTable | None] = [None] * len(symbols)
        self._closing: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(symbols)
        self._sources: list[dict[str, int]] = [{} for _ in symbols]

    def take(self, position: int, bars: Bars, table: AnalysisTable) -> None:
        """bars: one-minute bars, of which those of the range are kept; table: the columns that the position decides on."""
        inside = bars.between(self.start_ms, self.end_ms)
        place = (inside.open_time - self.start_ms) // MINUTE_MS
        for column, row in enumerate((*_PRICES, Column.VOLUME)):
            values = np.full(self.minutes, np.nan)
            values[place] = inside.column(row)
            self._shelf.put(column, position, values)
        self._sources[position] = source_counts(inside.source, self.minutes)
        rows = table.between(self.start_ms, self.end_ms)
        self._tables[position] = rows
        self._closing[position] = (rows.close_time - self.start_ms) // MINUTE_MS - 1

    def take_book(self, position: int, book: RecordedBook) -> None:
        """Spread and depth of every minute of the range."""
        for column, values in enumerate((book.spread, book.bid_depth, book.ask_depth), _BOOK):
            self._shelf.put(column, position, values)

    def take_marks(self, position: int, recorded: RecordedMarks) -> None:
        """Mark prices and funding rates, those of minutes without a bar left out: they would not be known live either."""
        present = ~np.isnan(self._shelf.whole(len(_PRICES) - 1, position))
        place = (recorded.rate_time - self.start_ms) // MINUTE_MS
        inside = (place >= 0) & (place < self.minutes)
        inside[inside] = present[place[inside]]
        if inside.any():
            fresh = np.column_stack(
                (recorded.rate_time[inside], np.full(inside.sum(), position), recorded.rate[inside])
            )
            rates = np.concatenate((self.rates, fresh))
            self.rates = rates[np.lexsort((rates[:, 1], rates[:, 0]))]
        marks = recorded.dense(self.start_ms, self.end_ms)
        marks[:, ~present] = np.nan
        if np.isnan(marks[0]).all():
            return
        if self._marks is None:
            self._marks = MinuteShelf(_MARK_TYPES, self.minutes, len(self.symbols), self._folder)
        self._marked.add(position)
        for column, values in enumerate(marks):
            self._marks.put(column, position, values)

    def _mark_stretch(self, first: int, last: int) -> Floats:
        """(minutes, positions, 4), without minutes where no mark price was recorded at all."""
        if self._marks is None:
            return NO_MARKS
        found = np.full((last - first, len(self.symbols), MARK_PRICES), np.nan)
        for column in range(MARK_PRICES):
            for position in self._marked:
                found[:, position, column] = self._marks.part(column, position, first, last)
        return found

    def grid(self, engine: AccountEngine, first: int, last: int) -> MinuteGrid:
        """Minutes first … last − 1 as the engine takes them."""
        opens, highs, lows, closes, volumes = (self._shelf.stretch(each, first, last) for each in range(len(_TYPES)))
        books = np.empty((len(_BOOK_TYPES), last - first if self._with_books else 0, len(self.symbols)), np.float32)
        if self._with_books:
            for side in range(len(_BOOK_TYPES)):
                books[side] = self._shelf.stretch(_BOOK + side, first, last)
        row_at = np.full((last - first, len(self.symbols)), -1, np.int64)
        rows, count = [np.zeros((0, engine.row_width))], 0
        for position, (table, closing) in enumerate(zip(self._tables, self._closing, strict=True)):
            if table is None:
                continue
            begin, end = (int(place) for place in np.searchsorted(closing, (first, last)))
            row_at[closing[begin:end] - first, position] = count + np.arange(end - begin)
            rows.append(engine.inputs(self.symbols[position], table.columns, table.values[:, begin:end]))
            count += end - begin
        start = self.start_ms + first * MINUTE_MS
        recorded = self.rates[slice(*np.searchsorted(self.rates[:, 0], (start, start + (last - first) * MINUTE_MS)))]
        marks = self._mark_stretch(first, last)
        return MinuteGrid(
            start, opens, highs, lows, closes, np.concatenate(rows), row_at, volumes, books, recorded, marks
        )

    def run(
        self,
        engine: AccountEngine,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[list[TradeRecord], Floats]:
        """All minutes through a new engine → (fills, equity at each minute's close). Stops early when `cancelled()`.

        The engine's state goes from one stretch to the next, so that it makes no bit of difference how long they are.
        """
        fills: list[TradeRecord] = []
        equity = np.zeros(self.minutes)
        for first in range(0, self.minutes, STRETCH):
            if cancelled is not None and cancelled():
                return fills, equity[:first]
            last = min(first + STRETCH, self.minutes)
            new, equity[first:last] = engine.run(self.grid(engine, first, last))
            fills += new
            if progress is not None:
                progress(last / self.minutes)
        return fills, equity

    def paths(self, engine: AccountEngine) -> Mapping[str, SymbolPath]:
        """What the statistics look at: the minutes of each symbol and the rules that it was traded by. Each look reads them."""
        return _Paths(self, engine)

    def path(self, engine: AccountEngine, symbol: str) -> SymbolPath:
        """The minutes of one symbol and its rules in this engine."""
        setup, i = engine.setup, self.symbols.index(symbol)
        opens, highs, lows, closes, volumes = (self._shelf.whole(column, i) for column in range(len(_TYPES)))
        return SymbolPath(
            start_ms=self.start_ms,
            opens=opens,
            highs=highs,
            lows=lows,
            closes=closes,
            volumes=volumes,
            leverage=float(setup.setups[i, Setup.LEVERAGE]),
            brackets=setup.brackets[setup.first[i] : setup.first[i + 1]],
            funding_rate=float(setup.setups[i, Setup.FUNDING_RATE]),
            funding_ms=int(setup.setups[i, Setup.FUNDING_MS]),
            isolated=bool(setup.setups[i, Setup.ISOLATED]),
            rates=self.rates[self.rates[:, 1] == i][:, [0, 2]],
            marks=self._whole_marks(i),
            sources=self._sources[i],
        )

    def _whole_marks(self, position: int) -> tuple[Floats, ...] | None:
        if self._marks is None or position not in self._marked:
            return None
        return tuple(self._marks.whole(column, position) for column in range(MARK_PRICES))

    def close(self) -> None:
        """Give the temporary files back, if there are any."""
        self._shelf.close()
        if self._marks is not None:
            self._marks.close()


class _Paths(Mapping[str, SymbolPath]):
    """Paths of all symbols, of which only that is in memory which is being looked at."""

    def __init__(self, replay: Replay, engine: AccountEngine) -> None:
        self._replay, self._engine = replay, engine

    def __getitem__(self, symbol: str) -> SymbolPath:
        if symbol not in self._replay.symbols:
            raise KeyError(symbol)
        return self._replay.path(self._engine, symbol)

    def __iter__(self) -> Iterator[str]:
        return iter(self._replay.symbols)

    def __len__(self) -> int:
        return len(self._replay.symbols)
