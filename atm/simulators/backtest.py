"""A backtest: check, load, analyse, run the account engine over the minutes, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.pipeline import AnalysisPipeline
from atm.model.account import SlippageModel, TradeRecord
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, format_time
from atm.model.simulation import SimulationPhase, SimulationSpec, SimulationSummary
from atm.model.statistics import SimulationDetails
from atm.simulators.specification import time_range
from atm.simulators.statistics.path import SymbolPath
from atm.simulators.summary import Outcome, conclude
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine, MinuteGrid
from atm.trading.layout import Setup

NO_CACHE = AnalysisCache(Path(), 0)
PREPARED = 0.6
"""Share of the work that reading and analysing is taken for; the rest is the simulation."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """equity: margin balance at the close of every minute; equity_time: those closes, Unix ms."""

    summary: SimulationSummary
    trades: list[TradeRecord]
    equity_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    details: SimulationDetails


class Cancelled(Exception):
    """The backtest was asked to stop."""


@dataclass(frozen=True, slots=True)
class Course:
    """Whom a run tells how far it is, and whom it asks whether to go on."""

    progress: Callable[[float], None]
    cancelled: Callable[[], bool]
    phase: Callable[[SimulationPhase], None]

    def go_on(self) -> None:
        if self.cancelled():
            raise Cancelled

    def simulated(self, share: float) -> None:
        self.progress(PREPARED + (1 - PREPARED) * share)


def run(
    spec: SimulationSpec,
    store: MarketStore,
    instruments: Iterable[Instrument],
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    analysis_start_ms: Mapping[str, int] | None = None,
    cache: AnalysisCache | None = None,
    phase: Callable[[SimulationPhase], None] | None = None,
) -> BacktestResult:
    """Run `spec` on the bars of `store`. Raises `Invalid` for what cannot be simulated, `Cancelled` when told to stop.

    Analyses begin their look-back before the start (or at `analysis_start_ms` of the symbol), as far as bars are stored;
    nothing is traded before the start. Results of analyses are taken from `cache`, and kept there. `progress` hears the share
    that is done, `phase` what begins; `cancelled` is asked between two positions and two slices, and may wait.
    """
    begun = time.perf_counter()
    course = Course(progress or (lambda _: None), cancelled or (lambda: False), phase or (lambda _: None))
    start, end = time_range(spec)
    engine = AccountEngine(spec.assets, spec.positions, spec.analysis, spec.trade, instruments, spec.costs)
    for symbol in engine.symbols:
        check_data(store, symbol, start, end)
    grid, volumes = load_grid(spec, engine, store, (start, end), analysis_start_ms, cache or NO_CACHE, course)
    course.phase(SimulationPhase.SIMULATING)
    trades, equity = engine.run(grid, course.simulated, course.cancelled)
    course.go_on()
    course.phase(SimulationPhase.EVALUATING)
    equity_time = start + MINUTE_MS * np.arange(1, len(equity) + 1, dtype=np.int64)
    wall = time.perf_counter() - begun
    paths = symbol_paths(engine, grid, volumes)
    unrecorded = engine.unrecorded_fills
    outcome = Outcome(trades, equity, paths, engine.fees_paid(), engine.funding_paid(), wall, unrecorded)
    summary, details = conclude(spec, start, end, outcome)
    summary = msgspec.structs.replace(summary, methods=engine.method_versions)
    return BacktestResult(summary, trades, equity_time, equity, details)


def check_data(store: MarketStore, symbol: str, start: int, end: int) -> None:
    """Raises `Invalid` for a symbol without bars in the range (Unix ms)."""
    covered = store.coverage(symbol)
    if not covered:
        raise Invalid("positions.symbol", symbol, f"a symbol with stored bars: {', '.join(store.symbols()) or 'none'}")
    if not any(piece.start_ms < end and start < piece.end_ms for piece in covered):
        ranges = ", ".join(f"{format_time(p.start_ms)} to {format_time(p.end_ms)}" for p in covered)
        wanted = f"{format_time(start)} to {format_time(end)}"
        raise Invalid("start", wanted, f"a range in which {symbol} has bars: {ranges}")


def load_grid(
    spec: SimulationSpec,
    engine: AccountEngine,
    store: MarketStore,
    span: tuple[int, int],
    analysis_start_ms: Mapping[str, int] | None,
    cache: AnalysisCache,
    course: Course | None = None,
) -> tuple[MinuteGrid, NDArray[np.float32]]:
    """(minutes of all positions, their volumes in base assets (minutes, positions)), `span` being (start, end) in Unix ms."""
    course = course or Course(lambda _: None, lambda: False, lambda _: None)
    start, end = span
    n, minutes = len(engine.symbols), (end - start) // MINUTE_MS
    prices = np.empty((4, minutes, n))
    volumes = np.empty((minutes, n), np.float32)
    wants_books = spec.costs.slippage_model is SlippageModel.BOOK
    books = np.full((3, minutes if wants_books else 0, n), np.nan, np.float32)
    row_at = np.full((minutes, n), -1, np.int64)
    rows = [np.zeros((0, engine.row_width))]
    configurations = {configuration.code: configuration for configuration in spec.analysis}
    count = 0
    for i, position in enumerate(engine.setup.positions):
        course.go_on()
        course.phase(SimulationPhase.READING)
        configuration = configurations[position.analysis]
        pipeline = AnalysisPipeline(configuration)
        look_back = start - pipeline.look_back_minutes * MINUTE_MS
        first = look_back if analysis_start_ms is None else analysis_start_ms[position.symbol]
        bars = store.read(position.symbol, min(first, start), end, pipeline.reads_flow)
        dense = bars.dense(start, end)
        prices[:, :, i] = dense.values[:4]
        volumes[:, i] = dense.volume
        if wants_books:
            recorded = store.book(position.symbol, start, end)
            books[:, :, i] = recorded.spread, recorded.bid_depth, recorded.ask_depth
        inputs = engine.columns(position.symbol, configuration.decision)
        course.phase(SimulationPhase.ANALYSING)
        origin = None if analysis_start_ms is None else first
        table = cache.table(configuration, bars.between(first, end), origin, inputs)
        inside = table.between(start, end)
        row_at[(inside.close_time - start) // MINUTE_MS - 1, i] = count + np.arange(len(inside))
        rows.append(engine.inputs(position.symbol, inside.columns, inside.values))
        count += len(inside)
        course.progress(PREPARED * (i + 1) / n)
    grid = MinuteGrid(start, prices[0], prices[1], prices[2], prices[3], np.concatenate(rows), row_at, volumes, books)
    return grid, volumes


def symbol_paths(engine: AccountEngine, grid: MinuteGrid, volumes: NDArray[np.float32]) -> dict[str, SymbolPath]:
    """What the statistics look at: the minutes of each symbol and the rules that it was traded by."""
    setup = engine.setup
    return {
        symbol: SymbolPath(
            start_ms=grid.start_ms,
            opens=grid.opens[:, i],
            highs=grid.highs[:, i],
            lows=grid.lows[:, i],
            closes=grid.closes[:, i],
            volumes=volumes[:, i],
            leverage=float(setup.setups[i, Setup.LEVERAGE]),
            brackets=setup.brackets[setup.first[i] : setup.first[i + 1]],
            funding_rate=float(setup.setups[i, Setup.FUNDING_RATE]),
            funding_ms=int(setup.setups[i, Setup.FUNDING_MS]),
            isolated=bool(setup.setups[i, Setup.ISOLATED]),
            rates=grid.rates[grid.rates[:, 1] == i][:, [0, 2]],
        )
        for i, symbol in enumerate(engine.symbols)
    }
