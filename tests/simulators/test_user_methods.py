"""A user's indicator and method from the home folder, through configuration and backtest: the trades that a plain loop predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atm.analyzers import installed
from atm.model.account import TradeReason
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Invalid
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from atm.model.program import ProgramContext
from atm.simulators.command import run_backtest
from atm.storage.market_store import MarketStore

ROOT = Path(__file__).parent.parent.parent
BEGIN, DAYS = parse_time("2023-08-03"), 20
QUARTER, BACK, LEVERAGE = 15, 6, 3

INDICATOR = """
import msgspec
import numpy as np
from atm.analyzers import Indicator
from atm.model.kernel import kernel

class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    back: int = 2

@kernel
def advance(params, state, values, start, stop, out):
    size = len(state)
    for i in range(start, stop):
        out[0, i] = values[3, i] / state[0] - 1.0
        for k in range(1, size):
            state[k - 1] = state[k]
        state[size - 1] = values[3, i]

def register(registry):
    registry.register(Indicator[Line](
        name="MOVE", fields=("value",), parameters=Line, pack=lambda line: np.array([line.back], np.float64),
        state=lambda params: np.full(int(params[0]), np.nan), advance=advance,
        warm_up=lambda line: line.back + 1, settle=lambda line: line.back + 1))
"""
METHOD = """
import msgspec
import numpy as np
from atm.model.kernel import kernel
from atm.trading import Answer, TradeMethod

class Agree(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    least: float = 0.01

@kernel
def decide(params, memory, row, position, out):
    short, long = row[0], row[1]
    memory[0] += 1.0
    out[Answer.TARGET] = 0.0
    if short > params[0] and long > 0.0:
        out[Answer.TARGET] = 1.0
    if short < -params[0] and long < 0.0:
        out[Answer.TARGET] = -1.0

def register(registry):
    registry.register(TradeMethod[Agree](
        name="AGREE", parameters=Agree, columns=lambda _: ("MOVE.1.value", "1h.MOVE.1.value"),
        pack=lambda line: np.array([line.least], np.float64), decide=decide, memory=1))
"""
SIMULATION = f"""
code = "agree"
start = "2023-08-03"
end = "2023-08-23"
assets.USDT = {{ initial_balance = 10_000, allocation_ratio = 0.5 }}
positions = [{{ symbol = "FILUSDT", analysis = "moves", trade = "agree" }}]
costs = {{ taker_fee = 0.0, slippage = 0.0, funding_rate = 0.0 }}

[[analysis]]
code = "moves"
decision_interval = "15m"
intervals = [
    {{ interval = "15m", user = {{ MOVE = [{{ back = {BACK} }}] }} }},
    {{ interval = "1h", user = {{ MOVE = [{{ back = 2 }}] }} }},
]

[[trade]]
code = "agree"
leverage = {LEVERAGE}
method = {{ type = "USER", name = "AGREE", parameters = {{ least = 0.008 }}, rebalance_band = 1.0 }}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "strategies").mkdir()
    (folder / "strategies" / "my_indicator.py").write_text(INDICATOR)
    (folder / "strategies" / "my_method.py").write_text(METHOD)
    (folder / "agree.toml").write_text(SIMULATION)
    return folder


@pytest.fixture
def context(home: Path, monkeypatch: pytest.MonkeyPatch) -> ProgramContext:
    monkeypatch.setattr(installed, "_users", installed._users)
    return ProgramContext(home, ROOT / "assets", Endpoint.DEMO, Addresses("", ""), 1, 1, ("FILUSDT",))


def predicted(step: float) -> list[tuple[int, TradeReason, str, float, float]]:
    """(time, reason, side, quantity, price) of every fill, from the minutes alone."""
    begin = BEGIN - DAY_MS
    bars = MarketStore(ROOT / "assets" / "sample").read("FILUSDT", begin, BEGIN + DAYS * DAY_MS)
    opens, closes = bars.values[0], bars.values[3]
    quarters, hours = closes[QUARTER - 1 :: QUARTER], closes[59::60]
    fills: list[tuple[int, TradeReason, str, float, float]] = []
    wallet, held, entry = 10_000.0, 0.0, 0.0
    for i in range(DAY_MS // (QUARTER * MINUTE_MS), len(quarters)):
        closed_ms = begin + (i + 1) * QUARTER * MINUTE_MS
        at = (closed_ms - begin) // MINUTE_MS
        hour = (closed_ms - begin) // HOUR_MS - 1  # the last whole hour
        short, long = quarters[i] / quarters[i - BACK] - 1, hours[hour] / hours[hour - 2] - 1
        wanted = 1.0 if short > 0.008 and long > 0 else -1.0 if short < -0.008 and long < 0 else 0.0
        if at >= len(opens) or wanted == np.sign(held):
            continue
        close, price = float(quarters[i]), float(opens[at])
        balance = wallet + held * (close - entry)  # what account control expects of the close
        if held:
            wallet += held * (price - entry)
            fills.append((closed_ms, TradeReason.CLEAR, "SELL" if held > 0 else "BUY", abs(held), price))
        held = wanted * np.floor(balance * 0.95 * 0.5 * LEVERAGE / close / step + 1e-9) * step
        entry = price
        if held:
            fills.append((closed_ms, TradeReason.ENTRY, "BUY" if held > 0 else "SELL", abs(held), price))
    return fills


def test_users_indicator_reaches_users_method_on_two_intervals(context: ProgramContext, home: Path) -> None:
    result = run_backtest(home / "agree.toml", context).result
    fills = [(f.time_ms, f.reason, f.side.value, f.quantity, f.price) for f in result.trades]
    expected = predicted(0.1)
    assert len(expected) > 60
    assert [fill[:3] for fill in fills] == [fill[:3] for fill in expected]
    np.testing.assert_allclose([fill[3:] for fill in fills], [fill[3:] for fill in expected], rtol=1e-12)
    assert result.summary.methods == {"AGREE": installed.registry().methods["AGREE"].version}


def test_a_column_that_the_analysis_lacks_is_named(context: ProgramContext, home: Path) -> None:
    path = home / "without.toml"
    path.write_text(SIMULATION.replace('interval = "1h", user = { MOVE = [{ back = 2 }] }', 'interval = "1h"'))
    with pytest.raises(
        Invalid, match=r"analysis column of AGREE: '1h\.MOVE\.1\.value' .*did you mean 15m\.MOVE\.1\.value"
    ):
        run_backtest(path, context)


@pytest.mark.parametrize(
    ("name", "start_of_hash"), [("trend", "fb99e29bf6a2"), ("reversion", "07cfaaf1fd98"), ("intervals", "71b1389bf51f")]
)
def test_the_examples_trade_as_they_always_did(context: ProgramContext, name: str, start_of_hash: str) -> None:
    summary = run_backtest(ROOT / "examples" / f"method_{name}.toml", context).result.summary
    assert summary.trade_hash.startswith(start_of_hash)
    assert list(summary.methods) == [name.upper()]


def test_another_version_of_the_file_is_another_result(context: ProgramContext, home: Path) -> None:
    before = run_backtest(home / "agree.toml", context).result.summary
    path = home / "strategies" / "my_method.py"
    path.write_text(path.read_text().replace("out[Answer.TARGET] = -1.0", "out[Answer.TARGET] = -0.5"))
    after = run_backtest(home / "agree.toml", context).result.summary
    assert before.methods != after.methods
    assert before.trade_hash != after.trade_hash
