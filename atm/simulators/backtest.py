"""A backtest: check, load, analyse, run the account engine over the minutes, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisTable
from atm.model.account import TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, format_time
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.trade_configuration import cautions
from atm.simulators import statistics
from atm.simulators.specification import time_range
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine, MinuteGrid
from atm.trading.layout import Input

FEW_TRIPS = 30
NO_CACHE = AnalysisCache(Path(), 0)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """equity: margin balance at the close of every minute; equity_time: those closes, Unix ms."""

    summary: SimulationSummary
    trades: list[TradeRecord]
    equity_time: NDArray[np.int64]
    equity: NDArray[np.float64]


class Cancelled(Exception):
    """The backtest was asked to stop."""


def run(
    spec: SimulationSpec,
    store: MarketStore,
    instruments: Iterable[Instrument],
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    analysis_start_ms: Mapping[str, int] | None = None,
    cache: AnalysisCache | None = None,
) -> BacktestResult:
    """Run `spec` on the bars of `store`. Raises `Invalid` for what cannot be simulated, `Cancelled` when told to stop.

    Analyses begin their look-back before the start (or at `analysis_start_ms` of the symbol), as far as bars are stored;
    nothing is traded before the start. Results of analyses are taken from `cache`, and kept there.
    """
    begun = time.perf_counter()
    start, end = time_range(spec)
    engine = AccountEngine(spec.assets, spec.positions, spec.analysis, spec.trade, instruments, spec.costs)
    for symbol in engine.symbols:
        _check_data(store, symbol, start, end)
    grid, missing = _grid(spec, engine, store, (start, end), analysis_start_ms, cache or NO_CACHE)
    trades, equity = engine.run(grid, progress, cancelled)
    if cancelled is not None and cancelled():
        raise Cancelled
    equity_time = start + MINUTE_MS * np.arange(1, len(equity) + 1, dtype=np.int64)
    wall = time.perf_counter() - begun
    summary = summarise(spec, engine, trades, equity, missing, wall, start, end)
    return BacktestResult(summary, trades, equity_time, equity)


def _check_data(store: MarketStore, symbol: str, start: int, end: int) -> None:
    covered = store.coverage(symbol)
    if not covered:
        raise Invalid("positions.symbol", symbol, f"a symbol with stored bars: {', '.join(store.symbols()) or 'none'}")
    if not any(piece.start_ms < end and start < piece.end_ms for piece in covered):
        ranges = ", ".join(f"{format_time(p.start_ms)} to {format_time(p.end_ms)}" for p in covered)
        wanted = f"{format_time(start)} to {format_time(end)}"
        raise Invalid("start", wanted, f"a range in which {symbol} has bars: {ranges}")


def _grid(
    spec: SimulationSpec,
    engine: AccountEngine,
    store: MarketStore,
    span: tuple[int, int],
    analysis_start_ms: Mapping[str, int] | None,
    cache: AnalysisCache,
) -> tuple[MinuteGrid, int]:
    start, end = span
    n, minutes = len(engine.symbols), (end - start) // MINUTE_MS
    prices = np.empty((4, minutes, n))
    row_at = np.full((minutes, n), -1, np.int64)
    rows = [np.zeros((0, len(Input)))]
    configurations = {configuration.code: configuration for configuration in spec.analysis}
    count = missing = 0
    for i, position in enumerate(engine.setup.positions):
        configuration = configurations[position.analysis]
        look_back = start - _look_back_ms(configuration)
        first = look_back if analysis_start_ms is None else analysis_start_ms[position.symbol]
        bars = store.read(position.symbol, min(first, start), end)
        dense = bars.dense(start, end)
        prices[:, :, i] = dense.values[:4]
        missing += int(np.isnan(dense.close).sum())
        inputs = engine.columns(position.symbol, configuration.decision)
        origin = None if analysis_start_ms is None else first
        table = cache.table(configuration, bars.between(first, end), origin, inputs)
        inside = table.between(start, end)
        row_at[(inside.close_time - start) // MINUTE_MS - 1, i] = count + np.arange(len(inside))
        rows.append(_inputs(engine, inside))
        count += len(inside)
    grid = MinuteGrid(start, prices[0], prices[1], prices[2], prices[3], np.concatenate(rows), row_at)
    return grid, missing


def _look_back_ms(configuration: AnalysisConfiguration) -> int:
    return AnalysisPipeline(configuration).look_back_minutes * MINUTE_MS


def _inputs(engine: AccountEngine, table: AnalysisTable) -> NDArray[np.float64]:
    return engine.inputs(table.columns, table.values)


def summarise(
    spec: SimulationSpec,
    engine: AccountEngine,
    trades: list[TradeRecord],
    equity: NDArray[np.float64],
    missing: int,
    wall: float,
    start: int,
    end: int,
) -> SimulationSummary:
    """All figures of the result; what to be careful about is in `warnings`, in plain sentences."""
    initial = sum(asset.initial_balance for asset in spec.assets.values())
    trips = statistics.round_trips(trades)
    final = float(equity[-1]) if len(equity) else initial
    liquidated = statistics.liquidations(trades)
    warnings = [caution for configuration in spec.trade for caution in cautions(configuration)]
    if missing:
        warnings.append(f"{missing:,} minutes without bars: nothing was decided or filled in them")
    if len(trips) < FEW_TRIPS:
        warnings.append(f"only {len(trips)} round trips: the figures say little about the future")
    if liquidated:
        warnings.append(f"{liquidated} positions were liquidated")
    warnings.append(f"funding was charged at the constant rate of {spec.costs.funding_rate:.4%}: no recorded rates")
    return SimulationSummary(
        code=spec.code,
        symbols=engine.symbols,
        start=format_time(start),
        end=format_time(end),
        bars=len(equity) * len(engine.symbols) - missing,
        missing_bars=missing,
        trades=len(trades),
        round_trips=len(trips),
        win_rate=statistics.win_rate(trips),
        net_profit=final - initial,
        total_return=(final - initial) / initial if initial else 0.0,
        fees=engine.fees_paid(),
        funding=engine.funding_paid(),
        profit_factor=statistics.profit_factor(trips),
        max_drawdown=statistics.max_drawdown(equity, initial),
        sharpe=statistics.sharpe_ratio(equity, initial),
        exposure=statistics.exposure(trades, start, end),
        final_equity=final,
        liquidations=liquidated,
        wall_seconds=wall,
        trade_hash=statistics.trade_hash(trades),
        warnings=tuple(warnings),
    )
