"""The Currency Analysis page, driven as a user drives it."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest
from imgui_bundle import imgui

from atm.gui.analysis_draft import AnalysisDraft
from atm.gui.pages.analysis_configurations import AnalysisConfigurations
from atm.gui.pages.auto_trade import AutoTradePage
from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import (
    TRADE,
    ConfigurationsUpdated,
    CopyConfiguration,
    Done,
    ExportConfiguration,
    Failed,
    FieldProblem,
    ImportConfiguration,
    IndicatorsUpdated,
    ListIndicators,
    PutAnalysisConfiguration,
    RemoveConfiguration,
    RenameConfiguration,
    RestartAnalysis,
    UserIndicatorList,
)
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine
from atm.model.interval import Interval
from tests.gui import filled
from tests.gui.pilot import Pilot


@pytest.fixture
def page(pilot: Pilot) -> AnalysisConfigurations:
    pilot.show(PageName.AUTO_TRADE)
    pilot.click("auto.tab.analysis")
    return cast(AutoTradePage, pilot.shell.pages[PageName.AUTO_TRADE]).analysis


def draft_of(page: AnalysisConfigurations) -> AnalysisDraft:
    assert page.editor.draft is not None
    return page.editor.draft


def errors(pilot: Pilot, page: AnalysisConfigurations) -> set[str]:
    """The paths at which something wrong is shown."""
    return set(page.editor.errors)


def test_a_configuration_is_made_checked_and_saved_by_one_request(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.new")
    pilot.type("analysis.code", "mine")
    pilot.click("analysis.add.sma")
    pilot.click("analysis.more.sma")
    pilot.type("analysis.sma.0.window", "1")
    pilot.type("analysis.sma.1.window", "many")
    assert errors(pilot, page) == {"intervals[0].sma[0].window", "intervals[0].sma[1].window"}
    pilot.click("analysis.save")
    assert pilot.sent == [], "nothing is sent while something is wrong"
    pilot.type("analysis.sma.0.window", "7")
    pilot.type("analysis.sma.1.window", "7")
    assert errors(pilot, page) == {"intervals[0].sma.2"}, "the trade manager's side: lines must differ"
    pilot.type("analysis.sma.1.window", "21")
    pilot.frames(3)  # the note that has gone moves what is beneath it
    pilot.click("analysis.sma.1.window.up")
    assert errors(pilot, page) == set()
    pilot.click("analysis.save")
    wanted = AnalysisConfiguration("mine", (IntervalAnalyses(sma=(MovingAverageLine(7), MovingAverageLine(22))),))
    assert [(command.to, command.request) for command in pilot.sent] == [(TRADE, PutAnalysisConfiguration(wanted))]
    pilot.answer(Done())
    stored = pilot.ui.model.analysis_configurations
    pilot.ui.model.apply(ConfigurationsUpdated((*stored.values(), wanted), ()))
    pilot.frames(2)
    assert (page.editor.selected, page.editor.creating, page.editor.unsaved) == ("mine", False, False)


def test_a_taken_code_is_refused_before_it_replaces_anything(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.new")
    pilot.type("analysis.code", "DEMO-15M")
    pilot.click("analysis.save")
    assert pilot.sent == []
    assert "code" in page.editor.errors


def test_what_the_trade_manager_refuses_stands_at_its_fields_until_they_change(
    pilot: Pilot, page: AnalysisConfigurations
) -> None:
    pilot.click("analysis.add.ema")
    pilot.click("analysis.save")
    where = "intervals[0].ema[0].window"
    found = (FieldProblem(where, "10", "an even number"), FieldProblem("intervals[0].pip", "x", "another"))
    pilot.answer(Failed("Invalid", "two lines", where, found))
    assert page.editor.errors[where] == "“10” – allowed: an even number"
    assert "intervals[0].pip" in page.editor.errors
    pilot.type("analysis.ema.0.window", "12")
    assert page.editor.errors == {}
    pilot.click("analysis.save")
    pilot.answer(Failed("Refused", "the analysis configuration DEMO-15M is used by open positions"))
    assert page.editor.unsaved, "what was typed stays"


def test_intervals_are_added_chosen_and_removed(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.choose("analysis.add", "1h")
    pilot.click("analysis.add.bollinger")
    pilot.choose("analysis.bollinger.0.average", "EMA")
    pilot.choose("analysis.decision", "1h")
    pilot.choose("analysis.add", "5m")
    pilot.click("analysis.interval.5m")
    pilot.click("analysis.save")
    (command,) = pilot.sent
    assert isinstance(command.request, PutAnalysisConfiguration)
    saved = command.request.configuration
    assert [each.interval for each in saved.intervals] == [Interval.M5, Interval.M15, Interval.H1]
    assert saved.decision_interval is Interval.H1
    assert saved.intervals[2].bollinger[0].average.value == "EMA"
    pilot.click("analysis.interval.1h")
    pilot.click("analysis.remove_interval")
    assert [each.interval for each in draft_of(page).intervals] == ["5m", "15m"]
    assert draft_of(page).decision == "", "the decision interval went with it"


def test_an_analysis_or_one_of_its_lines_is_taken_out(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.add.wma")
    pilot.click("analysis.more.wma")
    pilot.click("analysis.wma.0.remove")
    assert len(draft_of(page).intervals[0].lines["wma"]) == 1
    pilot.click("analysis.drop.wma")
    pilot.click("analysis.drop.mmacd_short")
    assert not {"wma", "mmacd_short"} & set(draft_of(page).intervals[0].lines)


def test_a_users_indicator_has_a_form_and_a_badge(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.add.user.ROC")
    pilot.type("analysis.user.ROC.0.window", "0")
    assert errors(pilot, page) == {"intervals[0].user.ROC[0].window"}
    pilot.frames(3)  # the note at the field moves what is beneath it
    pilot.type("analysis.user.ROC.0.window", "24")
    assert pilot.sees("analysis.badge.user.ROC.passed")
    assert pilot.sees("analysis.badge.pip.passed"), "ours are examined too"
    pilot.click("analysis.save")
    (command,) = pilot.sent
    assert isinstance(command.request, PutAnalysisConfiguration)
    assert command.request.configuration.intervals[0].user == {"ROC": ({"window": 24},)}
    pilot.ui.model.apply(filled.indicators(PIP="the indicator PIP looks ahead"))
    pilot.frames(2)
    assert pilot.sees("analysis.badge.pip.failed")


def test_an_indicator_whose_file_is_gone_is_shown_and_named(pilot: Pilot, page: AnalysisConfigurations) -> None:
    known = filled.indicators()
    left = tuple(each for each in known.indicators if each.name != "ROC")
    gone = AnalysisConfiguration("gone", (IntervalAnalyses(user={"LOST": ({"window": 3},)}),))
    pilot.ui.model.apply(IndicatorsUpdated(left, ()))
    pilot.ui.model.apply(ConfigurationsUpdated((gone,), ()))
    pilot.frames(3)
    assert pilot.sees("analysis.badge.user.LOST.unknown")
    assert pilot.sees("analysis.user.LOST.0.window")
    assert "intervals[0].user.LOST" in page.editor.errors


def test_copies_new_names_and_files_are_asked_for_and_the_dialog_stays_until_it_is_right(
    pilot: Pilot, page: AnalysisConfigurations
) -> None:
    pilot.click("analysis.list.row.DEMO-3M")
    pilot.click("analysis.copy")
    pilot.type("analysis.copy.text", "DEMO-15M")
    pilot.click("analysis.copy.send")
    assert pilot.sent[-1].request == CopyConfiguration("analysis", "DEMO-3M", "DEMO-15M")
    pilot.answer(Failed("Invalid", "new_code: 'DEMO-15M' is not allowed", "new_code"))
    pilot.type("analysis.copy.text", "other")
    pilot.key(imgui.Key.enter)
    assert pilot.sent[-1].request == CopyConfiguration("analysis", "DEMO-3M", "other")
    pilot.answer(Done())
    assert not pilot.sees("analysis.copy.text")
    stored = dict(pilot.ui.model.analysis_configurations)
    other = msgspec.structs.replace(stored["DEMO-3M"], code="other")
    pilot.ui.model.apply(ConfigurationsUpdated((*stored.values(), other), ()))
    pilot.frames(2)
    assert page.editor.selected == "other"
    pilot.click("analysis.rename")
    pilot.type("analysis.rename.text", "named")
    pilot.click("analysis.rename.send")
    assert pilot.sent[-1].request == RenameConfiguration("analysis", "other", "named")
    pilot.answer(Failed("Refused", "no"))
    pilot.click("analysis.rename.cancel")
    pilot.click("analysis.export")
    pilot.click("analysis.export.send")
    assert pilot.sent[-1].request == ExportConfiguration("other", "~/other.toml")


def test_every_line_that_is_wrong_in_an_imported_file_is_shown(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.import")
    pilot.type("analysis.import.text", "/tmp/broken.toml")
    pilot.click("analysis.import.option")
    pilot.click("analysis.import.send")
    assert pilot.sent[-1].request == ImportConfiguration("/tmp/broken.toml", replace=True)
    before = pilot.probe["analysis.import.send"][1]
    pilot.answer(Failed("Invalid", "sma[0].window: 1 …\npip.alpha: 'x' …\nema: …", "sma[0].window"))
    pilot.frames(2)
    grown = pilot.probe["analysis.import.send"][1] - before
    assert grown > 2 * 14, "three lines stand between the field and the buttons"


def test_a_configuration_in_use_cannot_be_deleted_another_only_after_a_question(
    pilot: Pilot, page: AnalysisConfigurations
) -> None:
    pilot.click("analysis.delete")
    assert not pilot.sees("analysis.confirm.confirm"), "three positions use it"
    pilot.click("analysis.list.row.DEMO-3M")
    pilot.click("analysis.delete")
    pilot.click("analysis.confirm.cancel")
    assert pilot.sent == []
    pilot.click("analysis.delete")
    pilot.click("analysis.confirm.confirm")
    assert pilot.sent[-1].request == RemoveConfiguration("analysis", "DEMO-3M")
    pilot.answer(Failed("Refused", "the analysis configuration DEMO-3M is in use (late: FILUSDT)"))
    assert pilot.ui.commands.failure("analysis.delete") is not None


def test_leaving_with_unsaved_changes_asks(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("analysis.add.sma")
    pilot.click("page.accounts")
    assert pilot.ui.page is PageName.AUTO_TRADE
    pilot.click("analysis.unsaved.stay")
    assert page.editor.unsaved
    pilot.click("analysis.list.row.DEMO-3M")
    pilot.click("analysis.unsaved.discard")
    assert page.editor.selected == "DEMO-3M"
    assert not page.editor.unsaved
    pilot.click("analysis.add.sma")
    pilot.click("page.accounts")
    pilot.click("analysis.unsaved.save")
    assert isinstance(pilot.sent[-1].request, PutAnalysisConfiguration)
    assert pilot.ui.page is PageName.AUTO_TRADE, "it waits for the answer"
    pilot.answer(Done())
    assert pilot.ui.page is PageName.ACCOUNTS
    pilot.click("page.market")
    assert pilot.ui.page is PageName.MARKET


def test_the_list_is_searched(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.type("analysis.search", "3m")
    assert pilot.sees("analysis.list.row.DEMO-3M")
    assert not pilot.sees("analysis.list.row.DEMO-15M")


def test_files_are_loaded_again_and_it_is_said_what_became_of_each(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("auto.tab.indicators")
    assert pilot.sees("indicators.file.example_indicator.py.passed")
    assert pilot.sees("indicators.file.broken.py.failed")
    pilot.click("analysis.reload")
    assert pilot.sent[-1].request == ListIndicators()
    assert pilot.sent[-1].timeout_s > 120, "one file may take two minutes"
    pilot.answer(UserIndicatorList(()))
    assert not pilot.ui.commands.pending("analysis.reload")


def test_a_running_analysis_is_begun_again(pilot: Pilot, page: AnalysisConfigurations) -> None:
    pilot.click("auto.tab.analyses")
    pilot.click("analysis.restart")
    assert pilot.sent == [], "none is chosen"
    pilot.click("analysis.running.row.FILUSDT DEMO-15M")
    pilot.click("analysis.restart")
    assert pilot.sent[-1].request == RestartAnalysis("FILUSDT DEMO-15M")


def test_a_newcomer_asks_for_the_indicators_once_and_can_begin(newcomer: Pilot) -> None:
    newcomer.show(PageName.AUTO_TRADE)
    newcomer.click("auto.tab.analysis")
    newcomer.frames(5)
    assert [command.request for command in newcomer.sent] == [ListIndicators()]
    newcomer.click("analysis.new")
    newcomer.click("analysis.add.ema")
    newcomer.click("analysis.save")
    assert isinstance(newcomer.sent[-1].request, PutAnalysisConfiguration)
    newcomer.ui.model = ReadModel()
    newcomer.frames(3)
