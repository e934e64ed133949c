"""A method that decides at every minute, through the backtest: the decisions that a plain loop over the minutes predicts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from atm.analyzers import installed
from atm.analyzers.cache import AnalysisCache
from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import UserIndicators
from atm.model.account import AssetSetup, CostModel, PositionSetup, TradeReason
from atm.model.analysis_configuration import AnalysisConfiguration, MovingAverageLine
from atm.model.errors import Invalid
from atm.model.interval import DAY_MS, MINUTE_MS, Interval, parse_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import TradeConfiguration, UserMethod
from atm.simulators import backtest, trial
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments

ASSETS = Path(__file__).parents[2] / "assets"
BEGIN = parse_time("2023-08-03")
METHOD = """
import msgspec
import numpy as np
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    band: float = 0.002031  # no sum of ticks

@kernel
def decide(params, memory, row, position, out):
    distance = position[Held.CLOSE] / row[0] - 1.0
    if distance > params[0]:
        out[Answer.TARGET] = 1.0
    elif distance < -0.000131 and position[Held.ELAPSED] < 1.0:
        out[Answer.TARGET] = 0.0

def register(registry):
    registry.register(TradeMethod(
        name="ABOVE", parameters=Line, columns=lambda _: ("SMA.1.value",),
        pack=lambda line: np.array([line.band], np.float64), decide=decide, every_minute=True))
"""
SPEC = SimulationSpec(
    "above",
    "2023-08-03",
    "2023-08-10",
    {"USDT": AssetSetup(10_000, 0.5)},
    (PositionSetup("FILUSDT", "average", "above"),),
    (AnalysisConfiguration.of_one("average", interval=Interval.M5, sma=(MovingAverageLine(3),)),),
    (TradeConfiguration("above", method=UserMethod("ABOVE", rebalance_band=1.0)),),
    CostModel(taker_fee=0.0, slippage=0.0, funding_rate=0.0),
)


@pytest.fixture(autouse=True)
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "above.py").write_text(METHOD)
    users = UserIndicators([tmp_path / "strategies"], None, lambda _path: Verdict(True))
    users.refresh()
    monkeypatch.setattr(installed, "_users", users)


def store() -> MarketStore:
    return MarketStore(ASSETS / "sample")


def predicted(days: int) -> list[tuple[int, TradeReason, float]]:
    """(time, reason, price) of every fill, from the minutes alone."""
    history = 30
    bars = store().read("FILUSDT", BEGIN - history * MINUTE_MS, BEGIN + days * DAY_MS)
    opens, closes = bars.values[0], bars.values[3]
    fills, held = [], False
    for t in range(history, len(closes) - 1):
        minute = t % 5
        ended = [closes[t - minute - 1 - 5 * back] for back in (0, 1)]  # the last two whole bars
        distance = closes[t] / ((closes[t] + sum(ended)) / 3) - 1
        at = BEGIN + (t + 1 - history) * MINUTE_MS
        if distance > 0.002031 and not held:
            fills.append((at, TradeReason.ENTRY, opens[t + 1]))
            held = True
        elif distance < -0.000131 and minute != 4 and held:
            fills.append((at, TradeReason.CLEAR, opens[t + 1]))
            held = False
    return fills


def test_the_trades_are_those_of_a_loop_over_the_minutes(tmp_path: Path) -> None:
    cache = AnalysisCache(tmp_path / "cache", 10_000_000)
    told: list[float] = []
    instruments = load_instruments(ASSETS)
    result = backtest.run(SPEC, store(), instruments, told.append, cache=cache)
    fills = [(trade.time_ms, trade.reason, trade.price) for trade in result.trades]
    assert fills == predicted(7) and len(fills) > 30
    assert told == sorted(told) and told[0] < backtest.PREPARED and told[-1] == 1.0
    again = backtest.run(SPEC, store(), instruments, cache=cache)
    assert again.trades == result.trades
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert trial.Trial(SPEC, store(), instruments, cache).run({}).figures.trades == len(fills)


def test_what_comes_later_leaves_earlier_trades_as_they_were() -> None:
    instruments = load_instruments(ASSETS)
    whole = backtest.run(SPEC, store(), instruments).trades
    for end in ("2023-08-05 10:02", "2023-08-07 23:59"):
        part = backtest.run(msgspec.structs.replace(SPEC, end=end), store(), instruments).trades
        assert part == [trade for trade in whole if trade.time_ms < parse_time(end)]


def test_it_can_be_stopped_while_the_rows_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atm.analyzers.cache.PIECE_MINUTES", 1_000)
    told: list[float] = []
    with pytest.raises(backtest.Cancelled):
        backtest.run(SPEC, store(), load_instruments(ASSETS), told.append, lambda: len(told) == 3)
    assert told == sorted(told) and 0 < told[-1] < backtest.PREPARED / 2


def test_a_trial_holds_only_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_ROWS", 10_000)
    with pytest.raises(Invalid, match="minutes: 10080 is not allowed; allowed: up to 10,000 minutes of positions"):
        trial.Trial(SPEC, store(), load_instruments(ASSETS), backtest.NO_CACHE)
