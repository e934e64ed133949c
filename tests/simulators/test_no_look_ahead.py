"""What comes later changes nothing of what was traded before: for every built-in method and every example.

Each runs on the same market with its future cut off, and with its future minutes in another order.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.analyzers import installed
from atm.analyzers.checker import Verdict
from atm.analyzers.user_indicators import UserIndicators
from atm.model.account import AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.bars import Bars
from atm.model.interval import DAY_MS, MINUTE_MS, Interval, format_time, parse_time
from atm.model.simulation import SimulationSpec
from atm.model.trade_configuration import (
    MmacdDefault,
    MmacdLongDefault,
    RemainingQuantity,
    RotationalGaussian1,
    RotationalGaussian1D,
    RotationalGaussian2,
    SwingDefault,
    SwingSide,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
)
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments

ROOT = Path(__file__).parent.parent.parent
INSTRUMENTS = load_instruments(ROOT / "assets")
BEGIN = parse_time("2023-09-01")
WARM_UP_DAYS, DAYS = 6, 12
CUT = BEGIN + 9 * DAY_MS + 437 * MINUTE_MS
"""Within a bar of every interval."""

WIDE = RotationalGaussian2(sigma=(0.5, 0.05, 0.05, 0.9))
METHODS = {
    "RQPM 1": RemainingQuantity(long=RotationalGaussian1(0.5, 0.02, 0.06, 0.03, 2)),
    "RQPM 1D": RemainingQuantity(
        long=RotationalGaussian1D(0.1, 0.02, 0.06, 0.03, 2), short=RotationalGaussian1D(0.1, 0.02, 0.06, 0.03, 2)
    ),
    "RQPM 2": RemainingQuantity(long=WIDE, short=WIDE),
    "TS": TradeScenario(),
    "MMACDDEFAULT": TargetExposure(MmacdDefault()),
    "MMACDLONGDEFAULT": TargetExposure(MmacdLongDefault()),
    "SPDDEFAULT": TargetExposure(SwingDefault(SwingSide(length=0.1), SwingSide(length=0.1))),
}
ANALYSIS = AnalysisConfiguration.of_one(
    "a",
    interval=Interval.M15,
    mmacd_short=MultiMACD(windows=(5, 10, 20), signal=5, multiplier=1, normaliser=20),
    mmacd_long=MultiMACD(windows=(5, 10, 20), signal=5, multiplier=2, normaliser=20),
    swing_range=0.01,
    pip=ClassicalSignal(alpha=1.0, window=8, sigma=2.5, enter_threshold=0.15),
)


def built_in(name: str) -> SimulationSpec:
    trade = TradeConfiguration("t", 2, full_stop_loss_immediate=0.04, full_stop_loss_close=0.025, method=METHODS[name])
    position = PositionSetup("FILUSDT", "a", "t")
    return SimulationSpec("x", "", "", {"USDT": AssetSetup(10_000)}, (position,), (ANALYSIS,), (trade,))


def store(folder: Path, bars: dict[str, Bars]) -> MarketStore:
    made = MarketStore(folder, read_only=False)
    for symbol, each in bars.items():
        made.append(symbol, each)
    return made


def another_future(bars: Bars) -> Bars:
    """The minutes from the cut on in another order, each at the time of the one whose place it takes."""
    past = int(np.searchsorted(bars.open_time, CUT))
    order = np.concatenate([np.arange(past), past + np.random.default_rng(1).permutation(len(bars) - past)])
    return Bars(bars.interval, bars.open_time, np.ascontiguousarray(bars.values[:, order]), bars.source)


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> tuple[MarketStore, MarketStore]:
    """As it was, and with another future."""
    sample = MarketStore(ROOT / "assets" / "sample")
    begin, end = BEGIN - WARM_UP_DAYS * DAY_MS, BEGIN + DAYS * DAY_MS
    bars = {symbol: sample.read(symbol, begin, end) for symbol in ("FILUSDT", "NEARUSDT")}
    folder = tmp_path_factory.mktemp("markets")
    return store(folder / "as", bars), store(folder / "other", {s: another_future(each) for s, each in bars.items()})


EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.toml"))


@pytest.mark.parametrize("name", [*METHODS, *EXAMPLES])
def test_the_future_changes_nothing_of_the_past(
    markets: tuple[MarketStore, MarketStore], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(installed, "_users", UserIndicators([ROOT / "strategies"], None, lambda _path: Verdict(True)))
    spec = built_in(name) if name in METHODS else read_specification(ROOT / "examples" / f"{name}.toml")
    end = format_time(BEGIN + DAYS * DAY_MS)
    spec = msgspec.structs.replace(spec, start=format_time(BEGIN), end=end)
    whole = backtest.run(spec, markets[0], INSTRUMENTS)
    minutes = (CUT - BEGIN) // MINUTE_MS
    known = [trade for trade in whole.trades if trade.time_ms < CUT]
    assert len(known) > 5
    cut = backtest.run(msgspec.structs.replace(spec, end=format_time(CUT)), markets[0], INSTRUMENTS)
    other = backtest.run(spec, markets[1], INSTRUMENTS)
    assert other.trades != whole.trades
    for again in (cut, other):
        assert [trade for trade in again.trades if trade.time_ms < CUT] == known
        assert again.equity[:minutes].tobytes() == whole.equity[:minutes].tobytes()
