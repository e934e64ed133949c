"""Five synthetic years of one-minute bars in a market store, and a simulation on them. Run as a program it is the process
whose memory is measured: `python -m benchmarks._stored_market FOLDER SYMBOLS` prints {"seconds": …, "peak_mb": …} as JSON.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.warm_up import EVERYTHING
from atm.model.account import AssetSetup, PositionSetup
from atm.model.bars import Bars, Source
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS, Interval, format_time, parse_time
from atm.model.mark import RecordedMarks
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.simulators import backtest
from atm.storage.market_store import MarketStore

START = parse_time("2019-01-01")
MINUTES = 2_629_800
TICK = 1e-4
BRACKETS = (
    LeverageBracket(0, 50_000, 0.01, 0, 50),
    LeverageBracket(50_000, 500_000, 0.025, 750, 20),
    LeverageBracket(500_000, 1e9, 0.05, 13_250, 10),
)


def bars(seed: int = 7, minutes: int = MINUTES) -> Bars:
    """A random walk on the tick grid, its volumes to three decimals, as an exchange has them."""
    g = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(g.normal(0, 0.0006, minutes)))
    opens = np.concatenate((closes[:1], closes[:-1]))
    spread = abs(g.normal(0, 0.0004, minutes))
    values = np.empty((9, minutes))
    values[0], values[3] = opens, closes
    values[1], values[2] = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    values[:4] = np.rint(values[:4] / TICK) / round(1 / TICK)
    values[4] = np.rint(g.exponential(2_000, minutes) * 1_000) / 1_000
    values[5], values[6] = values[4] * closes, np.rint(values[4] / 10)
    values[7:] = values[4:6] / 2
    source = np.full(minutes, int(Source.ARCHIVE), np.uint8)
    return Bars(Interval.M1, START + MINUTE_MS * np.arange(minutes), values, source)


def make_store(root: Path, symbols: int, minutes: int = MINUTES) -> None:
    """A store in which every symbol has the same bars."""
    store = MarketStore(root, read_only=False)
    store.put("S0", bars(minutes=minutes))
    store.close()
    for number in range(1, symbols):
        shutil.copytree(root / "S0", root / f"S{number}")


def add_marks(root: Path, symbols: int, minutes: int = MINUTES) -> None:
    """Mark prices of every minute within 0.1 % of the trades, and a rate every eight hours, for all symbols of a store."""
    made = bars(minutes=minutes)
    prices = np.rint(made.values[:4] * (1 + 0.001 * np.sin(np.arange(minutes) / 500)) / TICK) / round(1 / TICK)
    stamps = made.open_time[::480]
    store = MarketStore(root, read_only=False)
    for number in range(symbols):
        store.put_marks(f"S{number}", RecordedMarks(made.open_time, prices, stamps, np.full(len(stamps), 1e-4)))
    store.close()


def instruments(symbols: int) -> list[Instrument]:
    return [
        Instrument(
            f"S{number}", f"S{number}", "USDT", "TRADING", 4, 1, str(TICK), "0.1", "0.1", "0.1", "1000000", "5", "0.01",
            0, BRACKETS,
        )
        for number in range(symbols)
    ]  # fmt: skip


def specification(symbols: int, minutes: int = MINUTES) -> SimulationSpec:
    """Every symbol by all analyses and PIP on 15m, isolated at leverage 3, both stops, fees, slippage and funding."""
    shape = RotationalGaussian1(0.5, 0.02, 0.06, 0.03, 2)
    follow = TradeConfiguration(
        "follow",
        3,
        full_stop_loss_immediate=0.04,
        full_stop_loss_close=0.025,
        method=RemainingQuantity(long=shape, short=shape),
    )
    positions = tuple(
        PositionSetup(f"S{number}", EVERYTHING.code, "follow", 1 / symbols, number + 1) for number in range(symbols)
    )
    end = format_time(START + minutes * MINUTE_MS)
    assets = {"USDT": AssetSetup(100_000, allocation_ratio=0.02)}
    return SimulationSpec("five years", format_time(START), end, assets, positions, (EVERYTHING,), (follow,))


def simulate(root: Path, symbols: int, cache: Path, minutes: int = MINUTES) -> tuple[float, backtest.BacktestResult]:
    """(seconds from the specification to the whole result, the result)."""
    begun = time.perf_counter()
    result = backtest.run(
        specification(symbols, minutes),
        MarketStore(root),
        instruments(symbols),
        cache=AnalysisCache(cache, 4_000_000_000),
        scratch=root,
    )
    return time.perf_counter() - begun, result


def peak_mb() -> float:
    """Largest resident set of this process so far. On Linux `ru_maxrss` would be that of its parent as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(status.read_text().split("VmHWM:")[1].split()[0]) * 1.024 / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    seconds, result = simulate(folder / "market", count, folder / "cache-of-a-child")
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "fills": result.summary.trades}))
