"""The draft of a simulation and what it comes to: bulk edits, priorities, copies, coverage, balances, every problem at once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.simulation_draft import ALLOCATION, Change, Missing, SimulationDraft, settled_in
from atm.gui.simulation_plan import RATE, Known, Plan, measured_rate, plan
from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.bars import TimeRange
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.simulation import SimulationState, SimulationStatus
from tests.gui import filled

FOUND = filled.configurations()
ANALYSES = {configuration.code: configuration for configuration in FOUND.analysis}
TRADES = {configuration.code: configuration for configuration in FOUND.trade}
START, END = parse_time("2023-09-01"), parse_time("2023-09-08")
COVERAGE = {
    "AVAXUSDT": (TimeRange(parse_time("2023-08-01"), parse_time("2023-10-01")),),
    "FILUSDT": (
        TimeRange(parse_time("2023-08-01"), parse_time("2023-09-03")),
        TimeRange(parse_time("2023-09-03") + 90 * MINUTE_MS, parse_time("2023-11-01")),
    ),
    "NEARUSDC": (TimeRange(parse_time("2023-08-01"), parse_time("2023-11-01")),),
    "OLDUSDT": (TimeRange(parse_time("2020-01-01"), parse_time("2020-02-01")),),
    "HOLEUSDT": (),
}
INSTRUMENTS = {symbol: filled.instrument(symbol) for symbol in ("AVAXUSDT", "FILUSDT")}
DONE = SimulationState("taken", SimulationStatus.COMPLETED, 1.0, 1, summary=filled.summary("taken", 1.0))


def draft(*symbols: str) -> SimulationDraft:
    """All symbols, those named with configurations."""
    made = SimulationDraft(start="2023-09-01", end="2023-09-08")
    made.follow(sorted(COVERAGE), {symbol: settled_in(symbol, None) for symbol in COVERAGE})
    made.apply(symbols, Change("DEMO-15M", "DEMO-RQPM-15M"))
    return made


def planned(made: SimulationDraft, simulations: dict[str, SimulationState] | None = None) -> Plan:
    known = Known(ANALYSES, TRADES, COVERAGE, INSTRUMENTS, simulations if simulations is not None else {"taken": DONE})
    return plan(made, known, filled.WALL_MS)


def test_a_complete_draft_becomes_a_specification() -> None:
    made = draft("AVAXUSDT")
    made.apply(["AVAXUSDT"], Change(ratio="50", cap="1,000"))
    spec = planned(made).spec
    assert spec is not None
    assert (spec.code, spec.start, spec.end) == ("sim-2026-03-02-101530", "2023-09-01 00:00", "2023-09-08 00:00")
    assert spec.positions == (PositionSetup("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M", 0.5, 1, 1000.0),)
    assert spec.assets == {"USDT": AssetSetup(10_000.0, 0.5)}
    assert [each.code for each in spec.analysis] == ["DEMO-15M"]
    assert spec.costs == CostModel(), "the form's defaults are the model's"


def test_who_takes_part_and_why_not() -> None:
    made = draft("AVAXUSDT", "FILUSDT", "OLDUSDT", "HOLEUSDT")
    made.apply(["NEARUSDC"], Change(analysis="DEMO-15M"))
    plans = planned(made).positions
    assert {symbol: each.reason for symbol, each in plans.items()} == {
        "AVAXUSDT": "", "FILUSDT": "", "NEARUSDC": "untradable.trade", "OLDUSDT": "untradable.no_overlap",
        "HOLEUSDT": "untradable.not_stored",
    }  # fmt: skip
    assert (plans["AVAXUSDT"].minutes, plans["AVAXUSDT"].missing) == (7 * 1440, 0)
    assert plans["FILUSDT"].missing == 90
    spec = planned(made).spec
    assert spec is not None and [each.symbol for each in spec.positions] == ["AVAXUSDT", "FILUSDT"]


def test_nothing_tradable_is_no_simulation() -> None:
    assert planned(draft()).spec is None
    assert planned(draft("OLDUSDT")).spec is None
    made = draft("AVAXUSDT")
    made.apply(["AVAXUSDT"], Change(trade=""))
    assert planned(made).spec is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "taken"}, "code"),
        ({"code": "a/b"}, "code"),
        ({"code": "x" * 65}, "code"),
        ({"start": "2023-13-01"}, "start"),
        ({"end": ""}, "end"),
        ({"end": "2023-09-01"}, "end"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, str], field: str) -> None:
    made = draft("AVAXUSDT")
    for name, value in change.items():
        setattr(made, name, value)
    found = planned(made)
    assert list(found.problems) == [field] and found.spec is None


def test_all_problems_are_told_at_once() -> None:
    made = draft("AVAXUSDT", "NEARUSDC")
    made.apply(["AVAXUSDT"], Change(ratio="101", cap="0"))
    made.assets["USDT"].balance = "much"
    made.assets["USDC"].allocation = "-1"
    made.costs["taker_fee"] = "1.1"
    made.costs["funding_hours"] = "0"
    found = planned(made)
    assert set(found.problems) == {
        "positions.AVAXUSDT.ratio", "positions.AVAXUSDT.cap", "assets.USDT.balance", "assets.USDC.allocation",
    }  # fmt: skip
    assert set(found.wrong_costs) == {"costs.taker_fee", "costs.funding_hours"}
    made.apply(["AVAXUSDT"], Change(analysis=""))
    assert "positions.AVAXUSDT.ratio" not in planned(made).problems, "a row that takes no part cannot be wrong"


def test_two_assets_each_with_its_balance() -> None:
    made = draft("AVAXUSDT", "NEARUSDC")
    assert "assets.USDC.balance" in planned(made).problems, "USDC begins with nothing"
    made.assets["USDC"].balance = "500"
    spec = planned(made).spec
    assert spec is not None and spec.assets == {"USDC": AssetSetup(500.0), "USDT": AssetSetup(10_000.0)}
    made.apply(["NEARUSDC"], Change(analysis="", trade=""))
    spec = planned(made).spec
    assert spec is not None and list(spec.assets) == ["USDT"], "an asset that nothing trades in is left out"


def test_balances_are_allocated_in_priority_order() -> None:
    made = draft("AVAXUSDT", "FILUSDT")
    made.apply(["AVAXUSDT", "FILUSDT"], Change(ratio="70"))
    made.prioritise("FILUSDT", 1)
    found = planned(made)
    assert found.positions["FILUSDT"].allocated == pytest.approx(10_000 * 0.5 * 0.95 * 0.7)
    assert found.positions["AVAXUSDT"].allocated == pytest.approx(10_000 * 0.5 * 0.95 * 0.3)
    assert found.positions["FILUSDT"].weighted == pytest.approx(1.4), "leverage 2"
    usdt = found.assets["USDT"]
    assert usdt.assumed == pytest.approx(1.4) and usdt.weighted == pytest.approx(2.8)
    assert usdt.allocated == pytest.approx(usdt.allocatable) and usdt.max_allocated is None
    made.apply(["AVAXUSDT", "FILUSDT"], Change(cap="100"))
    capped = planned(made).assets["USDT"]
    assert (capped.allocated, capped.max_allocated) == (200.0, 200.0)


@given(st.lists(st.tuples(st.sampled_from(sorted(COVERAGE)), st.integers(-3, 9)), max_size=12))
def test_priorities_stay_one_to_n_whatever_is_moved(moves: list[tuple[str, int]]) -> None:
    made = draft()
    for symbol, priority in moves:
        made.prioritise(symbol, priority)
        assert sorted(row.priority for row in made.rows.values()) == [1, 2, 3, 4, 5]
        assert made.rows[symbol].priority == min(max(priority, 1), 5)


def test_a_priority_shifts_those_between() -> None:
    made = draft()
    before = sorted(made.rows)
    made.apply([before[3]], Change(priority=2))
    order = sorted(made.rows, key=lambda symbol: made.rows[symbol].priority)
    assert order == [before[0], before[3], before[1], before[2], before[4]]
    made.apply(before[:2], Change(priority=1))
    assert sorted(made.rows, key=lambda symbol: made.rows[symbol].priority) == order, "several rows cannot have one"


def test_a_bulk_edit_touches_only_what_it_names_and_only_the_rows_chosen() -> None:
    made = draft("AVAXUSDT")
    made.apply(["AVAXUSDT", "FILUSDT"], Change(ratio="25"))
    assert made.rows["AVAXUSDT"].analysis == "DEMO-15M" and made.rows["FILUSDT"].analysis == ""
    assert [made.rows[symbol].ratio for symbol in sorted(made.rows)] == ["25", "25", "100", "100", "100"]
    made.initialise()
    assert made.rows == draft().rows


def test_a_copy_goes_back_into_the_draft_as_it_was_and_what_is_gone_is_unset() -> None:
    made = draft("AVAXUSDT", "FILUSDT")
    made.apply(["FILUSDT"], Change(ratio="12.5", cap="300", priority=1))
    made.costs["slippage"] = "0.25"
    made.assets["USDT"].allocation = "80"
    spec = planned(made).spec
    assert spec is not None
    other = draft("NEARUSDC")
    assert other.replicate(spec, ANALYSES, TRADES) == []
    assert other.rows["NEARUSDC"].analysis == "", "what the copied one does not have takes no part"
    other.code = ""
    again = planned(other).spec
    assert again is not None and again == msgspec.structs.replace(spec, code=again.code)
    few = draft()
    missing = few.replicate(spec, {}, TRADES)
    assert missing == [Missing("analysis", "DEMO-15M", ("FILUSDT", "AVAXUSDT"))]
    assert few.rows["FILUSDT"].trade == "DEMO-RQPM-15M" and not few.configured()


def test_a_newcomers_form_is_ready_to_be_sent() -> None:
    made = SimulationDraft(start="2023-09-01", end="2023-09-08")
    made.follow(sorted(COVERAGE), {})
    made.begin(ANALYSES, TRADES, ["AVAXUSDT"])
    assert planned(made).spec is not None
    made.begin(ANALYSES, TRADES, ["FILUSDT"])
    assert [row.symbol for row in made.configured()] == ["AVAXUSDT"], "only while nothing is configured"


def test_time_and_memory_are_those_measured_here() -> None:
    assert measured_rate({}) == RATE
    fast = msgspec.structs.replace(filled.summary("x", 1.0), bars=1_000_000, wall_seconds=0.5)
    states = {"x": SimulationState("x", SimulationStatus.COMPLETED, 1.0, 1, summary=fast)}
    assert measured_rate(states) == 2_000_000
    found = planned(draft("AVAXUSDT"), states)
    assert found.seconds == pytest.approx(7 * 1440 / 2_000_000)
    assert planned(draft("AVAXUSDT", "FILUSDT"), states).size > found.size


def test_the_asset_of_a_symbol() -> None:
    assert (
        settled_in("NEARUSDC", None) == "USDC" and settled_in("X", "USDC") == "USDC" and settled_in("X", None) == "USDT"
    )
    assert ALLOCATION == "50"
