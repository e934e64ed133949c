"""The same strategy in this program, vectorbt, backtesting.py and a plain loop: same trades, same equity to the cent.

A MACD crossing (12, 26, 9) on 15m bars of the shipped sample. Here it goes the whole way: stored minutes, analysis, classical
signal, trade control, account. Each of the others makes its bars with pandas and its MACD by itself.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.interval import format_time, parse_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import Direction, RemainingQuantity, RotationalGaussian1, TradeConfiguration
from atm.simulators import backtest
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from benchmarks import _peers as peers

ASSETS = Path(__file__).parent.parent.parent / "assets"
FIRST, START, END = (parse_time(day) for day in ("2023-08-01", "2023-08-11", "2023-11-01"))
CASH, VALUE, FEE = 100_000.0, 5_000.0, 0.0005
SYMBOLS = ("FILUSDT", "NEARUSDT")


def ours(symbol: str, direction: Direction) -> peers.Account:
    """The sign of the MACD histogram as the cycle of PIP, all of a fixed amount on its side."""
    everything = RotationalGaussian1(alpha=100, beta0=100, beta1=100, gamma=10)
    spec = SimulationSpec(
        "crossing",
        format_time(START),
        format_time(END),
        {"USDT": AssetSetup(CASH, allocation_ratio=1.0)},
        (PositionSetup(symbol, "macd", "follow", max_allocated=VALUE),),
        (
            AnalysisConfiguration.of_one(
                "macd",
                mmacd_short=MultiMACD(windows=(12, 26), signal=9, multiplier=1),
                # a filter so narrow that it is the newest value, and no threshold: the cycle is the sign of the histogram
                pip=ClassicalSignal(window=2, sigma=0.01, enter_threshold=0.0, leave_threshold=0.0),
            ),
        ),
        (
            TradeConfiguration(
                "follow",
                direction=direction,
                method=RemainingQuantity(rebalance_band=1.0, long=everything, short=everything),
            ),
        ),
        CostModel(taker_fee=FEE, slippage=0.0, half_spread=0.0, funding_rate=0.0),
    )
    whole = {"market_step_size": "1", "min_quantity": "1", "min_notional": "0", "max_market_quantity": "1000000"}
    instruments = [msgspec.structs.replace(each, **whole) for each in load_instruments(ASSETS)]
    store = MarketStore(ASSETS / "sample")
    result = backtest.run(spec, store, instruments, analysis_start_ms={symbol: FIRST})
    return peers.of_fills(result.trades, result.summary.final_equity)


def bars_of(symbol: str) -> pd.DataFrame:
    minutes = MarketStore(ASSETS / "sample").read(symbol, FIRST, END)
    assert len(minutes) == (END - FIRST) // 60_000
    return peers.coarse(minutes.open_time, minutes.values[:4], 15)


def pandas_macd(close: pd.Series) -> np.ndarray:
    line = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    return (line - line.ewm(span=9, adjust=False).mean()).to_numpy()


def vectorbt_macd(close: pd.Series) -> np.ndarray:
    import vectorbt as vbt

    return vbt.MACD.run(close, 12, 26, 9, macd_ewm=True, signal_ewm=True).hist.to_numpy()


def looped_macd(close: pd.Series) -> np.ndarray:
    fast = slow = close.iloc[0]
    signal, found = 0.0, []
    for price in close:
        fast += (price - fast) * 2 / 13
        slow += (price - slow) * 2 / 27
        signal += (fast - slow - signal) * 2 / 10
        found.append(fast - slow - signal)
    return np.array(found)


Peer = tuple[Callable[..., peers.Account], Callable[[pd.Series], np.ndarray]]
PEERS: dict[str, Peer] = {
    "a plain loop": (peers.by_hand, looped_macd),
    "vectorbt": (peers.by_vectorbt, vectorbt_macd),
    "backtesting": (peers.by_backtesting, pandas_macd),
}


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.filterwarnings("ignore")
def test_the_same_strategy_makes_the_same_trades_elsewhere(name: str, symbol: str, direction: Direction) -> None:
    if " " not in name and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed; it is among the packages of requirements-dev.txt")
    run, macd = PEERS[name]
    bars = bars_of(symbol)
    side = np.sign(macd(bars["Close"]))
    # one bar more, at which nobody decides: backtesting.py never asks for a decision at its first bar
    traded = bars[bars.index >= pd.Timestamp(START, unit="ms") - pd.Timedelta(minutes=15)]
    side = peers.allowed(side[-len(traded) :], direction is not Direction.SHORT, direction is not Direction.LONG)
    side[0] = 0.0
    wanted = peers.fixed_value(side, traded["Close"].to_numpy(), VALUE)
    theirs = run(traded, wanted, CASH, FEE)
    mine = ours(symbol, direction)
    assert len(theirs.trips) > 200
    assert peers.differences(mine, theirs) == []
