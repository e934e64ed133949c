"""What the market store knows of a day: the minutes of its symbols as an account gets them, and the rows that its analyses make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import msgspec
import numpy as np

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.pipeline import AnalysisPipeline
from atm.model.account import SlippageModel
from atm.model.bars import Bar, Bars
from atm.model.flow import BOOK_ROWS, LEAST_KNOWN
from atm.model.interval import MINUTE_MS
from atm.model.parity_record import Segment
from atm.simulators.backtest import NO_CACHE
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine, Floats


def engine_of(segment: Segment) -> AccountEngine:
    """The engine that the segment went on with, in its state. Raises `Invalid` where this version cannot make or read it."""
    setup = segment.setup
    engine = AccountEngine(
        setup.assets, setup.positions, segment.analysis, segment.trade, segment.instruments, setup.costs
    )
    engine.load(segment.engine)
    return engine


class DayMarket:
    """See the module. `bars`: by symbol and open time; `rows`: of a segment, by close time and analysis id. Each is read once."""

    def __init__(
        self,
        store: MarketStore,
        begin_ms: int,
        end_ms: int,
        starts: Mapping[str, int],
        cache: AnalysisCache = NO_CACHE,
    ) -> None:
        self._store, self._begin_ms, self._end_ms = store, begin_ms, end_ms
        self._starts, self._cache = starts, cache
        self._bars: dict[tuple[str, bool], dict[int, Bar]] = {}
        self._rows: dict[tuple[str, bytes], dict[int, Floats]] = {}

    def bars(self, symbol: str, with_book: bool = False) -> Mapping[int, Bar]:
        """By open time, marks and rates beside them."""
        key = symbol, with_book
        if key not in self._bars:
            span = symbol, self._begin_ms, self._end_ms
            bars = self._store.read(*span).with_marks(self._store.marks(*span))
            self._bars[key] = _by_time(self._with_book(bars, symbol) if with_book else bars)
        return self._bars[key]

    def past(self, symbol: str, begin_ms: int, end_ms: int) -> Mapping[int, Bar]:
        """Bars of another range."""
        span = symbol, begin_ms, end_ms
        return _by_time(self._store.read(*span).with_marks(self._store.marks(*span)))

    def of(self, segment: Segment) -> Mapping[str, Mapping[int, Bar]]:
        """The bars of all symbols of a segment."""
        with_book = segment.setup.costs.slippage_model is SlippageModel.BOOK
        return {each.symbol: self.bars(each.symbol, with_book) for each in segment.setup.positions}

    def rows(self, segment: Segment, engine: AccountEngine) -> Mapping[int, Mapping[str, Floats]]:
        """Decision inputs by close time and analysis id."""
        found: dict[int, dict[str, Floats]] = {}
        for symbol, analysis in zip(engine.symbols, engine.analyses, strict=True):
            for close_ms, row in self._rows_of(segment, engine, symbol, analysis).items():
                found.setdefault(close_ms, {})[analysis] = row
        return found

    def _rows_of(self, segment: Segment, engine: AccountEngine, symbol: str, analysis: str) -> Mapping[int, Floats]:
        code = analysis.partition("/")[2]
        configuration = next(each for each in segment.analysis if each.code == code)
        columns = engine.columns(symbol, configuration.decision)
        key = analysis, msgspec.json.encode((configuration, columns))
        if key not in self._rows:
            pipeline = AnalysisPipeline(configuration)
            start = self._starts.get(analysis)
            first = self._begin_ms - pipeline.look_back_minutes * MINUTE_MS if start is None else start
            bars = self._store.read(symbol, first, self._end_ms, pipeline.reads_flow)
            table = self._cache.table(configuration, bars, start, columns).between(self._begin_ms, self._end_ms)
            inputs = engine.inputs(symbol, columns, table.values)
            self._rows[key] = dict(zip(table.close_time.tolist(), inputs, strict=True))
        return self._rows[key]

    def _with_book(self, bars: Bars, symbol: str) -> Bars:
        """With what a recorded book says of each minute, as far as an execution reads it."""
        book = self._store.book(symbol, self._begin_ms, self._end_ms)
        rows = np.full((BOOK_ROWS, len(bars)), np.nan)
        place = (bars.open_time - self._begin_ms) // MINUTE_MS
        rows[:3] = book.spread[place], book.bid_depth[place], book.ask_depth[place]
        known = np.where(np.isnan(rows[0]), np.nan, LEAST_KNOWN)
        return dataclasses.replace(bars, flow=np.stack((np.where(np.isnan(known), np.nan, 0.0), known)), book=rows)


def _by_time(bars: Bars) -> dict[int, Bar]:
    return {int(time): bars.bar(index) for index, time in enumerate(bars.open_time.tolist())}
