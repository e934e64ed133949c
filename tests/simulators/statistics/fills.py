"""Fills for the tests of statistics, and what is made of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side
from atm.model.statistics import RoundTrip
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.path import PathFacts, SymbolPath, facts, measured_trips


def fill(
    minute: float,
    quantity: float,
    price: float,
    after: float,
    entry: float = 0.0,
    profit: float = 0.0,
    fee: float = 0.0,
    symbol: str = "A",
    reason: TradeReason = TradeReason.ENTRY,
) -> TradeRecord:
    """quantity signed: > 0 bought."""
    side = Side.BUY if quantity > 0 else Side.SELL
    time_ms = int(minute * 60_000)
    return TradeRecord(0, time_ms, 0, symbol, side, reason, abs(quantity), price, profit, fee, after, entry, 1_000)


def still_path(minutes: int = 3_000) -> SymbolPath:
    """Minutes in which nothing moves, without funding and leverage."""
    prices, volumes = np.full(minutes, 100.0), np.full(minutes, 1_000, np.float32)
    return SymbolPath(0, prices, prices, prices, prices, volumes, 1.0, np.zeros((1, 5)), 0.0, 28_800_000)


def facts_of(
    trades: Sequence[TradeRecord], paths: Mapping[str, SymbolPath], ends: np.ndarray | None = None
) -> dict[str, PathFacts]:
    """What is kept of paths; ends: as for `facts`, or the end of the first minute."""
    fills, ends = FillTable.of(trades), np.array([1]) if ends is None else ends
    return {symbol: facts(path, fills.of_symbol(symbol), ends) for symbol, path in paths.items()}


def trips_of(
    trades: Sequence[TradeRecord], paths: Mapping[str, SymbolPath] | None = None
) -> tuple[list[RoundTrip], float]:
    """`measured_trips` on these paths, or on ones on which nothing moves."""
    paths = {t.symbol: still_path() for t in trades} if paths is None else paths
    return measured_trips(FillTable.of(trades), facts_of(trades, paths))
