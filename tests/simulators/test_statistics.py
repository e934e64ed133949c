import numpy as np
import pandas as pd
import pytest

from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side
from atm.simulators import statistics


def fill(time: int, after: float, profit: float, fee: float, symbol: str = "A") -> TradeRecord:
    return TradeRecord(0, time, 0, symbol, Side.BUY, TradeReason.ENTRY, 1, 1, profit, fee, after, 1, 1)


FILLS = [
    fill(0, 2, 0, 1),
    fill(10, 1, 5, 1),
    fill(20, 0, 6, 1),  # + 11 − 3 = 8
    fill(20, -2, 0, 1),
    fill(50, 0, -4, 1),  # − 6
]


def test_round_trips_from_flat_to_flat_net_of_fees() -> None:
    trips = statistics.round_trips(FILLS)
    assert [trip.profit for trip in trips] == [8, -6]
    assert statistics.win_rate(trips) == 0.5
    assert statistics.profit_factor(trips) == pytest.approx(8 / 6)
    assert statistics.exposure(FILLS, 0, 100) == 0.5


def test_drawdown_and_sharpe_agree_with_pandas() -> None:
    g = np.random.default_rng(3)
    equity = 1_000 * np.exp(np.cumsum(g.normal(0, 0.001, 30 * 1440)))
    series = pd.Series(np.concatenate(([1_000.0], equity)))
    assert statistics.max_drawdown(equity, 1_000) == pytest.approx(float((1 - series / series.cummax()).max()))
    daily = pd.Series(np.concatenate(([1_000.0], equity[1439::1440]))).pct_change().dropna()
    assert statistics.sharpe_ratio(equity, 1_000) == pytest.approx(daily.mean() / daily.std() * np.sqrt(365))


def test_nothing_traded_is_not_an_error() -> None:
    assert statistics.win_rate([]) == statistics.profit_factor([]) == statistics.exposure([], 0, 1) == 0
    assert statistics.max_drawdown(np.zeros(0), 100) == 0


def test_a_thinned_curve_keeps_its_extremes_and_its_end() -> None:
    g = np.random.default_rng(1)
    curve = np.cumsum(g.normal(0, 1, 200_000))
    time, kept = statistics.thin(np.arange(200_000), curve, 3_000)
    assert len(kept) <= 3_000
    assert (kept.max(), kept.min(), kept[-1]) == (curve.max(), curve.min(), curve[-1])
    assert (curve[time] == kept).all()


def test_the_hash_tells_trades_apart() -> None:
    assert statistics.trade_hash(FILLS) == statistics.trade_hash(list(FILLS))
    assert statistics.trade_hash(FILLS) != statistics.trade_hash(FILLS[:-1])
