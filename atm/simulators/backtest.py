"""A backtest: check, load, analyse, run the account engine over the minutes, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisTable
from atm.model.account import SlippageModel, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bars
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, format_time
from atm.model.simulation import SimulationPhase, SimulationSpec, SimulationSummary
from atm.model.statistics import SimulationDetails
from atm.simulators.replay import Replay
from atm.simulators.specification import time_range
from atm.simulators.summary import Outcome, conclude
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine

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

    def part(self, i: int, n: int) -> Course:
        """The same for the preparation of position i of n, of which it is told the shares."""
        return Course(lambda share: self.progress(PREPARED * (i + share) / n), self.cancelled, self.phase)

    def go_on_at(self, share: float) -> None:
        self.go_on()
        self.progress(share)

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
    scratch: Path | None = None,
) -> BacktestResult:
    """Run `spec` on the bars of `store`. Raises `Invalid` for what cannot be simulated, `Cancelled` when told to stop.

    Analyses begin their look-back before the start (or at `analysis_start_ms` of the symbol), as far as bars are stored;
    nothing is traded before the start. Results of analyses are taken from `cache`, and kept there. `progress` hears the share
    that is done, `phase` what begins; `cancelled` is asked between two positions and two slices, and may wait. Minutes that are too many
    for the memory lie in a temporary file in `scratch` meanwhile (None: the system's place for such files).
    """
    begun = time.perf_counter()
    course = Course(progress or (lambda _: None), cancelled or (lambda: False), phase or (lambda _: None))
    start, end = time_range(spec)
    engine = AccountEngine(spec.assets, spec.positions, spec.analysis, spec.trade, instruments, spec.costs)
    for symbol in engine.symbols:
        check_data(store, symbol, start, end)
    with closing(
        load_replay(spec, engine, store, (start, end), analysis_start_ms, cache or NO_CACHE, scratch, course)
    ) as replay:
        course.phase(SimulationPhase.SIMULATING)
        trades, equity = replay.run(engine, course.simulated, course.cancelled)
        course.go_on()
        course.phase(SimulationPhase.EVALUATING)
        equity_time = start + MINUTE_MS * np.arange(1, len(equity) + 1, dtype=np.int64)
        wall = time.perf_counter() - begun
        paths, unrecorded = replay.paths(engine), engine.unrecorded_fills
        paid = engine.fees_paid(), engine.funding_paid()
        outcome = Outcome(trades, equity, paths, *paid, wall, unrecorded, engine.assumed)
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


def load_replay(
    spec: SimulationSpec,
    engine: AccountEngine,
    store: MarketStore,
    span: tuple[int, int],
    analysis_start_ms: Mapping[str, int] | None,
    cache: AnalysisCache,
    scratch: Path | None = None,
    course: Course | None = None,
) -> Replay:
    """Minutes and decision rows of all positions, `span` being (start, end) in Unix ms; the rest as for `run`."""
    course = course or Course(lambda _: None, lambda: False, lambda _: None)
    wants_books = spec.costs.slippage_model is SlippageModel.BOOK
    replay = Replay(engine.symbols, *span, scratch, wants_books)
    configurations = {configuration.code: configuration for configuration in spec.analysis}
    for i, position in enumerate(engine.setup.positions):
        course.go_on()
        configuration = configurations[position.analysis]
        first = None if analysis_start_ms is None else analysis_start_ms[position.symbol]
        wanted = engine.columns(position.symbol, configuration.decision)
        part = course.part(i, len(engine.symbols))
        # what it needs of memory is given back before the next position takes as much
        replay.take(i, *_analysed(configuration, position.symbol, store, span, first, cache, wanted, part))
        replay.take_marks(i, store.marks(position.symbol, *span))
        if wants_books:
            replay.take_book(i, store.book(position.symbol, *span))
        part.progress(1.0)
    return replay


def _analysed(
    configuration: AnalysisConfiguration,
    symbol: str,
    store: MarketStore,
    span: tuple[int, int],
    analysis_start_ms: int | None,
    cache: AnalysisCache,
    columns: tuple[str, ...],
    course: Course,
) -> tuple[Bars, AnalysisTable]:
    """(bars of a symbol from before the range to its end, these columns of its analysis)."""
    start, end = span
    pipeline = AnalysisPipeline(configuration)
    first = start - pipeline.look_back_minutes * MINUTE_MS if analysis_start_ms is None else analysis_start_ms
    course.phase(SimulationPhase.READING)
    bars = store.read(symbol, min(first, start), end, pipeline.reads_flow)
    course.phase(SimulationPhase.ANALYSING)
    return bars, cache.table(configuration, bars.between(first, end), analysis_start_ms, columns, course.go_on_at)
