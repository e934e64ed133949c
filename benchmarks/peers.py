"""The part of a backtest that vectorbt and backtesting.py can express as well, in the same run: equal trades first, then time.

A crossing of two averages on five synthetic years of 15m bars, long and short. This program walks the one-minute path inside
each bar and keeps a margin account; the others walk the 15m bars alone. Their signals are given to them: only the
simulation is timed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import time
import warnings
from collections.abc import Callable

import numpy as np

from atm.app.bench import BenchRow
from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.trading.engine import AccountEngine
from atm.trading.layout import Input
from atm.trading.minute_grid import MinuteGrid
from benchmarks import _peers as peers
from benchmarks.backtest import BRACKETS, cycle, market

CASH, VALUE, FEE = 100_000.0, 5_000.0, 0.0005
FAST, SLOW = 20, 100


def engine() -> AccountEngine:
    """All of a fixed amount on the side of the cycle, in whole units, with a fee and nothing else."""
    everything = RotationalGaussian1(alpha=100, beta0=100, beta1=100, gamma=10)
    return AccountEngine(
        {"USDT": AssetSetup(CASH, 1.0)},
        [PositionSetup("X", "a", "t", max_allocated=VALUE)],
        [AnalysisConfiguration.of_one("a", pip=ClassicalSignal())],
        [TradeConfiguration("t", method=RemainingQuantity(rebalance_band=1.0, long=everything, short=everything))],
        [Instrument("X", "X", "USDT", "TRADING", 2, 0, "0.01", "1", "1", "1", "1000000", "0", "0.01", 0, BRACKETS)],
        CostModel(taker_fee=FEE, slippage=0.0, half_spread=0.0, funding_rate=0.0),
    )


def crossing(closes: np.ndarray) -> np.ndarray:
    """1 where the fast average is above the slow one, −1 where it is below, 0 before there are both."""
    sums = np.concatenate(([0.0], np.cumsum(closes)))
    side = np.zeros(len(closes))
    fast = (sums[SLOW:] - sums[SLOW - FAST : -FAST]) / FAST
    slow = (sums[SLOW:] - sums[:-SLOW]) / SLOW
    side[SLOW - 1 :] = np.where(fast > slow, 1.0, -1.0)
    return side


def decisions(grid: MinuteGrid, side: np.ndarray) -> MinuteGrid:
    """The same minutes, on which the crossing is what the classical signal says."""
    rows = np.zeros_like(grid.rows)
    for column in (Input.OPEN, Input.CLOSE):
        rows[:, column] = grid.rows[:, column]
    cycle(rows, side, np.diff(side, prepend=0.0) != 0.0)
    return grid._replace(rows=rows)


def timed(function: Callable[[], peers.Account], rounds: int) -> tuple[float, peers.Account]:
    """(seconds of the fastest round, what came out); what they print and warn of is not wanted."""
    seconds = math.inf
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for _ in range(rounds):
            begun = time.perf_counter()
            found = function()
            seconds = min(seconds, time.perf_counter() - begun)
    return seconds, found


def ours(grid: MinuteGrid) -> peers.Account:
    fills, equity = engine().run(grid)
    return peers.of_fills(fills, float(equity[-1]))


def rows() -> list[BenchRow]:
    grid = market()
    minutes = len(grid.opens) // 15 * 15
    prices = np.stack([column[:minutes, 0] for column in grid[1:5]])
    bars = peers.coarse(MINUTE_MS * np.arange(minutes), prices, 15)
    side = crossing(bars["Close"].to_numpy())
    wanted = peers.fixed_value(side, bars["Close"].to_numpy(), VALUE)
    mine = decisions(grid, side)
    seconds, account = timed(lambda: ours(mine), 4)
    name = f"crossing of averages, 5 years, {len(account.trips):,} trips"
    found = []
    for peer, run, rounds in (("vectorbt", peers.by_vectorbt, 3), ("backtesting", peers.by_backtesting, 1)):
        if importlib.util.find_spec(peer) is None:
            found.append(BenchRow(name, seconds, "s", f"{peer} is not installed", math.nan, math.nan, None, True))
            continue
        theirs_s, theirs = timed(lambda run=run: run(bars, wanted, CASH, FEE), rounds)
        differ = peers.differences(account, theirs)
        said = f"{peer}, same trips, 15m bars" if not differ else f"{peer}: {differ[0]}"
        found.append(BenchRow(name, seconds, "s", said, theirs_s, seconds / theirs_s, None, not differ))
    return found
