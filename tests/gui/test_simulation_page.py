"""The Simulation page, driven as a user drives it."""

from __future__ import annotations

import msgspec
import pytest
from imgui_bundle import imgui

from atm.gui.pages.simulation import SimulationPage
from atm.gui.ui import PageName
from atm.ipc.messages import (
    SIMULATION,
    AddSimulation,
    AdvanceSimulation,
    CancelSimulation,
    ConfigurationsUpdated,
    Coverage,
    Done,
    Failed,
    PauseSimulation,
    RemoveSimulation,
    RequeueSimulation,
    ResumeSimulation,
    SimulationUpdated,
    SimulatorPool,
)
from atm.model.bars import TimeRange
from atm.model.interval import MINUTE_MS
from atm.model.simulation import SimulationPhase, SimulationSpec, SimulationState, SimulationStatus
from tests.gui import filled
from tests.gui.pilot import Pilot

ROW = "simulation.positions.row"
LISTED = "simulation.list.row"


@pytest.fixture
def shown(pilot: Pilot) -> Pilot:
    pilot.show(PageName.SIMULATION)
    return pilot


def page_of(pilot: Pilot) -> SimulationPage:
    page = pilot.shell.pages[PageName.SIMULATION]
    assert isinstance(page, SimulationPage)
    return page


def sent(pilot: Pilot) -> SimulationSpec:
    command = pilot.sent[-1]
    assert command.to == SIMULATION and isinstance(command.request, AddSimulation)
    return command.request.spec


def hold(key: imgui.Key, down: bool) -> None:
    imgui.get_io().add_key_event(key, down)


def with_key(pilot: Pilot, key: imgui.Key, mark: str) -> None:
    hold(key, True)
    pilot.click(mark)
    hold(key, False)
    pilot.frames(1)


def state(code: str, status: SimulationStatus, **more: object) -> SimulationUpdated:
    made = SimulationState(code, status, 0.3, filled.WALL_MS - 1, start="2023-08-01", end="2023-08-02")
    return SimulationUpdated(msgspec.structs.replace(made, **more))


def test_a_newcomer_is_told_what_is_missing_and_shown_no_error_yet(newcomer: Pilot) -> None:
    newcomer.show(PageName.SIMULATION)
    newcomer.click("simulation.add")
    assert newcomer.sent == []
    for event in (filled.configurations(), Coverage("AVAXUSDT", (TimeRange(filled.START_MS, filled.MARKET_MS),))):
        newcomer.ui.model.apply(event)
    newcomer.frames(3)
    newcomer.click("simulation.add")
    assert [position.symbol for position in sent(newcomer).positions] == ["AVAXUSDT"], "a form ready to be sent"


def test_positions_are_set_up_in_bulk_and_queued(shown: Pilot) -> None:
    shown.type("simulation.code", "my first")
    shown.click("simulation.range.7")
    shown.click(f"{ROW}.AVAXUSDT")
    with_key(shown, imgui.Key.mod_shift, f"{ROW}.NEARUSDT")
    shown.choose("simulation.positions.edit.analysis", "DEMO-15M")
    shown.choose("simulation.positions.edit.trade", "DEMO-RQPM-FAST")
    shown.type("simulation.positions.edit.ratio", "30")
    shown.click("simulation.positions.apply")
    shown.click(f"{ROW}.NEARUSDT")
    shown.type("simulation.positions.edit.priority", "1")
    shown.type("simulation.positions.edit.cap", "250")
    shown.click("simulation.positions.apply")
    shown.type("simulation.balance.USDT", "25,000")
    shown.type("simulation.allocation.USDT", "80")
    shown.click("simulation.add")
    spec = sent(shown)
    assert (spec.code, spec.start, spec.end) == ("my first", "2023-09-07 12:07", "2023-09-14 12:07")
    assert [(p.symbol, p.trade, p.assumed_ratio, p.priority, p.max_allocated) for p in spec.positions] == [
        ("NEARUSDT", "DEMO-RQPM-FAST", 0.3, 1, 250.0),
        ("AVAXUSDT", "DEMO-RQPM-FAST", 0.3, 2, None),
        ("FILUSDT", "DEMO-RQPM-FAST", 0.3, 3, None),
    ]
    assert spec.assets["USDT"].initial_balance == 25_000 and spec.assets["USDT"].allocation_ratio == 0.8
    shown.answer(Done())
    assert page_of(shown).form.draft.code == "", "the next one needs a code of its own; all else stays"
    assert len(page_of(shown).form.draft.configured()) == 3


def test_what_is_wrong_is_said_and_nothing_is_sent(shown: Pilot) -> None:
    shown.type("simulation.start", "yesterday")
    shown.click("simulation.add")
    assert shown.sent == []
    shown.click("simulation.range.all")
    shown.click(f"{ROW}.AVAXUSDT")
    shown.choose("simulation.positions.edit.trade", "-")
    shown.click("simulation.positions.apply")
    shown.click("simulation.add")
    assert shown.sent == [], "without a tradable position nothing is queued"


def test_costs_are_typed_in_percent(shown: Pilot) -> None:
    shown.click("simulation.costs")
    imgui.get_io().display_size = imgui.ImVec2(1600, 1300)
    shown.frames(3)
    shown.type("simulation.costs.taker_fee", "0.04")
    shown.click("simulation.add")
    assert sent(shown).costs.taker_fee == 0.0004


def test_the_refusal_of_the_manager_stands_at_its_field_until_the_next_try(shown: Pilot) -> None:
    shown.type("simulation.code", "taken")
    shown.click("simulation.add")
    shown.answer(Failed("Invalid", "code: 'taken' is not allowed; allowed: another", "code"))
    assert shown.ui.commands.failure("simulation.add") is not None
    shown.type("simulation.code", "free")
    shown.click("simulation.add")
    assert shown.ui.commands.failure("simulation.add") is None
    assert sent(shown).code == "free"


def test_search_kind_and_filter_of_positions(shown: Pilot) -> None:
    shown.type("simulation.positions.search", "ne")
    assert shown.sees(f"{ROW}.NEARUSDT") and not shown.sees(f"{ROW}.AVAXUSDT")
    shown.choose("simulation.positions.kind", "trade")
    assert not shown.sees(f"{ROW}.NEARUSDT")
    shown.type("simulation.positions.search", "rqpm")
    assert shown.sees(f"{ROW}.AVAXUSDT"), "the one that was set up for the newcomer"
    shown.type("simulation.positions.search", "")
    shown.click("simulation.positions.tradable")
    assert shown.sees(f"{ROW}.AVAXUSDT") and not shown.sees(f"{ROW}.FILUSDT")
    shown.click("simulation.positions.all")
    assert page_of(shown).form.positions.marked == {"AVAXUSDT"}
    shown.click("simulation.positions.release")
    assert page_of(shown).form.positions.marked == set()


def test_initialising_is_confirmed_and_taken_back(shown: Pilot) -> None:
    shown.click("simulation.initialise")
    shown.click("simulation.confirm_initialise.cancel")
    assert page_of(shown).form.draft.configured()
    shown.click("simulation.initialise")
    shown.click("simulation.confirm_initialise.confirm")
    assert not page_of(shown).form.draft.configured()
    shown.click("simulation.undo")
    assert page_of(shown).form.draft.configured()


def test_a_selected_simulation_shows_its_set_up_and_the_draft_is_kept(shown: Pilot) -> None:
    shown.type("simulation.code", "kept")
    shown.click(f"{LISTED}.avax-august")
    assert shown.sees("simulation.copy") and not shown.sees("simulation.add")
    assert shown.sees("simulation.setup.row.AVAXUSDT")
    shown.click(f"{LISTED}.avax-august")
    assert shown.sees("simulation.add") and page_of(shown).form.draft.code == "kept"
    shown.click(f"{LISTED}.avax-august")
    shown.click("simulation.back")
    assert shown.sees("simulation.add")


def test_a_copy_goes_into_the_draft_names_what_is_gone_and_is_taken_back(shown: Pilot) -> None:
    shown.type("simulation.code", "mine")
    found = filled.configurations()
    shown.ui.model.apply(ConfigurationsUpdated(found.analysis[1:], found.trade))
    shown.click(f"{LISTED}.avax-august")
    shown.click("simulation.copy")
    assert shown.sees("simulation.add") and shown.sees("simulation.missing.0")
    draft = page_of(shown).form.draft
    assert draft.rows["AVAXUSDT"].analysis == "" and draft.rows["AVAXUSDT"].trade == "DEMO-RQPM-15M"
    assert (draft.start, draft.code) == ("2023-08-01 00:00", ""), "its code is taken"
    shown.click("simulation.undo")
    assert page_of(shown).form.draft.code == "mine" and not shown.sees("simulation.missing.0")


def test_pause_resume_stop_front_and_again(shown: Pilot) -> None:
    shown.click(f"{LISTED}.three symbols")
    shown.click("simulation.pause")
    assert shown.sent[-1].request == PauseSimulation("three symbols")
    shown.answer(Done())
    shown.ui.model.apply(state("three symbols", SimulationStatus.PAUSED, phase=SimulationPhase.ANALYSING))
    shown.frames(2)
    shown.click("simulation.resume")
    assert shown.sent[-1].request == ResumeSimulation("three symbols")
    shown.click("simulation.cancel")
    assert shown.sent[-1].request == CancelSimulation("three symbols")
    shown.click(f"{LISTED}.near-fast")
    shown.click("simulation.advance")
    assert shown.sent[-1].request == AdvanceSimulation("near-fast")
    shown.click(f"{LISTED}.broken")
    shown.click("simulation.requeue")
    assert shown.sent[-1].request == RequeueSimulation("broken")
    before = len(shown.sent)
    for name in ("pause", "cancel", "advance"):
        shown.click(f"simulation.{name}")
    assert len(shown.sent) == before, "a failed one can neither be paused nor stopped nor moved"


def test_several_are_removed_after_one_question(shown: Pilot) -> None:
    shown.click(f"{LISTED}.three symbols")
    with_key(shown, imgui.Key.mod_ctrl, f"{LISTED}.broken")
    shown.click("simulation.remove")
    shown.click("simulation.confirm.cancel")
    assert shown.sent == []
    shown.click("simulation.remove")
    shown.click("simulation.confirm.confirm")
    assert {command.request for command in shown.sent} == {
        RemoveSimulation("three symbols"),
        RemoveSimulation("broken"),
    }
    assert [bool(command.done_text) for command in shown.sent] == [False, True], "one message for both"


def test_several_are_paused_at_once_where_that_can_be(shown: Pilot) -> None:
    shown.click(f"{LISTED}.three symbols")
    for code in ("near-fast", "broken"):
        with_key(shown, imgui.Key.mod_ctrl, f"{LISTED}.{code}")
    shown.click("simulation.pause")
    assert {command.request for command in shown.sent} == {
        PauseSimulation("three symbols"),
        PauseSimulation("near-fast"),
    }


def test_the_list_is_searched_and_sorted(shown: Pilot) -> None:
    shown.type("simulation.search", "FAST")
    assert shown.sees(f"{LISTED}.near-fast") and not shown.sees(f"{LISTED}.avax-august")
    shown.type("simulation.search", "")
    shown.click("simulation.list.head.0")
    table = page_of(shown).list._table
    assert table is not None
    codes = table.shown(page_of(shown).list._rows)
    assert codes == sorted(codes, key=str.casefold)


def test_every_state_and_the_pool_are_drawn_in_both_languages(shown: Pilot) -> None:
    shown.ui.model.apply(SimulatorPool(2, 1, 1, ("near-fast",)))
    for number, status in enumerate(SimulationStatus):
        shown.ui.model.apply(state(f"s{number}", status, rate=1e6, seconds_left=4000.0 * number))
    for language in ("en", "ko"):
        shown.ui.texts.choose(language)
        for number in range(len(SimulationStatus)):
            page_of(shown).list.mark(f"s{number}")
            shown.frames(2)
            assert shown.sees("simulation.remove")


def test_a_gap_is_told_and_does_not_block(shown: Pilot) -> None:
    hole = filled.START_MS + 1440 * MINUTE_MS
    ranges = (TimeRange(filled.START_MS, hole), TimeRange(hole + 60 * MINUTE_MS, filled.MARKET_MS))
    shown.ui.model.apply(Coverage("AVAXUSDT", ranges))
    shown.frames(2)
    assert page_of(shown).form.plan(shown.ui).missing == 60
    shown.click("simulation.add")
    assert sent(shown).positions[0].symbol == "AVAXUSDT"
