"""The whole of a result: figures that must agree with each other, and results in which hardly anything happened."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.model.account import AssetSetup, PositionSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.interval import parse_time
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import SimulationDetails
from atm.model.trade_configuration import TradeConfiguration, TradeScenario
from atm.simulators.statistics.path import SymbolPath
from atm.simulators.summary import Outcome, conclude
from tests.simulators.statistics.fills import fill

START = parse_time("2023-08-01")
AT = START // 60_000
SPEC = SimulationSpec(
    "s", "2023-08-01", "2023-09-10", {"USDT": AssetSetup(1_000)}, (PositionSetup("A", "a", "t"),),
    (AnalysisConfiguration.of_one("a"),), (TradeConfiguration("t"),),
)  # fmt: skip


def concluded(
    trades: list[TradeRecord], equity: np.ndarray | None = None, days: int = 40, spec: SimulationSpec = SPEC
) -> tuple[SimulationSummary, SimulationDetails]:
    n = days * 1440
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.0005, n)))
    volumes = np.full(n, 1_000, np.float32)
    brackets = np.array([[0.0, 1e9, 0.01, 0.0, 50.0]])
    path = SymbolPath(START, closes, closes, closes, closes, volumes, 3.0, brackets, 0.0, 28_800_000)
    curve = np.full(n, 1_000.0) if equity is None else equity
    return conclude(spec, START, START + n * 60_000, Outcome(trades, curve, {"A": path}, 0.0, 0.0, 0.1))


def numbers(raw: Any) -> list[float]:
    if isinstance(raw, dict):
        return [number for value in raw.values() for number in numbers(value)]
    if isinstance(raw, list | tuple):
        return [number for value in raw for number in numbers(value)]
    return [raw] if isinstance(raw, float) else []


ROUND = [fill(AT + 10, 1, 100, 1, 100), fill(AT + 50, -1, 110, 0, profit=10, reason=TradeReason.CLEAR)]
RUIN = np.concatenate((np.linspace(1_000, 1, 20_000), np.full(40 * 1440 - 20_000, -5.0)))


@pytest.mark.parametrize(
    ("trades", "equity", "days"),
    [
        ([], None, 40),
        ([], None, 1),
        (ROUND[:1], None, 40),
        (ROUND, None, 40),
        (ROUND, np.linspace(1_000, 1_010, 40 * 1440), 40),
        (ROUND, RUIN, 40),
    ],
    ids=["no trade", "a day", "open at the end", "one trip, no variance", "all winning", "ruin"],
)
def test_results_in_which_little_happened_have_defined_finite_figures(
    trades: list[TradeRecord], equity: np.ndarray | None, days: int
) -> None:
    summary, details = concluded(trades, equity, days)
    assert all(math.isfinite(number) for number in numbers(msgspec.to_builtins(summary)))
    assert np.isfinite(details.hourly.values).all()
    assert summary.round_trips == len(details.trips) == len(trades) // 2
    assert summary.statistics is not None
    assert summary.statistics.ruined == (equity is RUIN)
    assert len(details.hourly.open_time) == days * 24
    texts = [finding.text for finding in summary.findings]
    assert ("finding.no_trades" in texts) == (not trades)
    assert ("finding.ruined" in texts) == (equity is RUIN and bool(trades))


def test_nothing_lost_is_not_the_same_as_nothing_gained() -> None:
    summary, _ = concluded(ROUND, np.linspace(1_000, 1_010, 40 * 1440))
    assert summary.statistics is not None
    assert (summary.statistics.profit_factor, summary.statistics.payoff) == (None, None)
    assert summary.profit_factor == 0.0  # the field of earlier versions has no word for it
    assert summary.statistics.long.trips == 1


def test_what_a_configuration_probably_does_not_mean_is_said_first() -> None:
    overlapping = TradeConfiguration("over", method=TradeScenario())
    summary, _ = concluded(ROUND, spec=msgspec.structs.replace(SPEC, trade=(TradeConfiguration("t"), overlapping)))
    assert summary.warnings[0].startswith("over: the first partial stop loss (0.01) is not beyond the last entry")
    assert summary.warnings[1:] == concluded(ROUND)[0].warnings


def test_a_summary_of_an_earlier_version_is_still_read() -> None:
    stored = (
        b'{"code":"s","symbols":["A"],"start":"a","end":"b","bars":1,"missing_bars":0,"trades":2,"round_trips":1,'
        b'"win_rate":1.0,"net_profit":3.0,"total_return":0.03,"fees":0.1,"funding":0.0,"profit_factor":2.0,'
        b'"max_drawdown":0.01,"sharpe":1.0,"exposure":0.5,"final_equity":103.0,"liquidations":0,"wall_seconds":0.1,'
        b'"trade_hash":"h","warnings":["w"]}'
    )
    summary = msgspec.json.decode(stored, type=SimulationSummary)
    assert (summary.statistics, summary.findings, summary.warnings) == (None, (), ("w",))


def test_a_summary_survives_the_way_to_the_store_and_to_other_processes() -> None:
    summary, details = concluded(ROUND, np.linspace(1_000, 1_010, 40 * 1440))
    assert msgspec.json.decode(msgspec.json.encode(summary), type=SimulationSummary) == summary
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(summary), type=SimulationSummary) == summary
    again = SimulationDetails.unpack(details.pack())
    assert again.trips == details.trips
    np.testing.assert_array_equal(again.hourly.values, details.hourly.values)
    np.testing.assert_array_equal(again.hourly.open_time, details.hourly.open_time)
    assert (again.hourly.columns, again.hourly.step_ms) == (details.hourly.columns, 3_600_000)
