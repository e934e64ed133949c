"""The AutoTrade page, driven as a user drives it."""

from __future__ import annotations

import pytest

from atm.gui.pages.auto_trade import AutoTradePage
from atm.gui.pages.trade_configurations import TradeConfigurations
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
    KnownMethod,
    MethodsUpdated,
    PutTradeConfiguration,
    RemoveConfiguration,
)
from atm.model.parameter import Parameter
from atm.model.trade_configuration import TargetExposure, TradeConfiguration, TradeScenario, UserMethod
from tests.gui import filled
from tests.gui.pilot import Pilot


def page_of(pilot: Pilot) -> TradeConfigurations:
    page = pilot.shell.pages[PageName.AUTO_TRADE]
    assert isinstance(page, AutoTradePage)
    return page.trade


def saved(pilot: Pilot) -> TradeConfiguration:
    request = pilot.sent[-1].request
    assert isinstance(request, PutTradeConfiguration)
    return request.configuration


@pytest.fixture
def shown(pilot: Pilot) -> Pilot:
    pilot.show(PageName.AUTO_TRADE)
    pilot.click("auto.tab.trade")
    return pilot


def test_a_scenario_is_made_from_a_stored_configuration(shown: Pilot) -> None:
    shown.choose("trade.method", "TS")
    shown.click("trade.method.entry.4.remove")
    shown.type("trade.method.entry.3.target", "90")
    shown.type("trade.full_stop_loss_immediate", "8")
    shown.type("trade.full_stop_loss_close", "12.5")
    assert set(page_of(shown).editor.errors) == {"full_stop_loss_close"}
    shown.click("trade.save")
    assert shown.sent == [], "nothing that is wrong is sent"
    shown.type("trade.full_stop_loss_close", "2.5")
    shown.click("trade.save")
    assert shown.sent[-1].to == TRADE
    done = saved(shown)
    assert (done.code, done.leverage) == ("DEMO-RQPM-15M", 2)
    assert (done.full_stop_loss_immediate, done.full_stop_loss_close) == (0.08, 0.025)
    assert isinstance(done.method, TradeScenario)
    assert [(row.deviation, row.target) for row in done.method.entry] == [
        (0, 0.2),
        (0.01, 0.4),
        (0.02, 0.6),
        (0.03, 0.9),
    ]


def test_a_new_one_gets_a_code_and_is_shown_when_it_is_there(shown: Pilot) -> None:
    shown.click("trade.new")
    shown.choose("trade.method", "TEF")
    shown.type("trade.code", "DEMO-RQPM-FAST")
    assert "code" in page_of(shown).editor.errors
    shown.type("trade.code", "swing")
    shown.click("trade.save")
    made = saved(shown)
    assert made == TradeConfiguration("swing", method=TargetExposure())
    shown.answer(Done())
    found = filled.configurations()
    shown.ui.model.apply(ConfigurationsUpdated(found.analysis, (*found.trade, made)))
    shown.frames(2)
    assert page_of(shown).editor.selected == "swing" and not page_of(shown).editor.unsaved


def test_what_the_manager_refuses_stands_at_its_field_until_it_is_changed(shown: Pilot) -> None:
    shown.type("trade.leverage", "50")
    shown.click("trade.save")
    shown.answer(Failed("Invalid", "leverage: 50", "leverage", (FieldProblem("leverage", "50", "at most 20"),)))
    assert "at most 20" in page_of(shown).editor.errors["leverage"]
    shown.type("trade.leverage", "20")
    assert page_of(shown).editor.errors == {}


def test_unsaved_changes_are_asked_about_before_another_page_or_configuration(shown: Pilot) -> None:
    shown.type("trade.leverage", "7")
    shown.click("page.market")
    assert shown.ui.page is PageName.AUTO_TRADE
    shown.click("trade.unsaved.stay")
    shown.click("trade.list.row.DEMO-RQPM-FAST")
    shown.click("trade.unsaved.discard")
    assert page_of(shown).editor.selected == "DEMO-RQPM-FAST"
    shown.click("page.market")
    assert shown.ui.page is PageName.MARKET


def test_copy_export_import_and_delete(shown: Pilot) -> None:
    shown.click("trade.list.row.DEMO-RQPM-FAST")
    shown.click("trade.copy")
    shown.type("trade.copy.text", "twin")
    shown.click("trade.copy.send")
    assert shown.sent[-1].request == CopyConfiguration("trade", "DEMO-RQPM-FAST", "twin")
    shown.answer(Failed("Invalid", "taken", "new_code"))
    shown.click("trade.copy.cancel")
    shown.click("trade.export")
    shown.click("trade.export.send")
    assert shown.sent[-1].request == ExportConfiguration("DEMO-RQPM-FAST", "~/DEMO-RQPM-FAST.toml", "trade")
    shown.answer(Done())
    shown.click("trade.import")
    shown.type("trade.import.text", "/tmp/x.toml")
    shown.click("trade.import.send")
    assert shown.sent[-1].request == ImportConfiguration("/tmp/x.toml", False, "trade")
    shown.answer(Done())
    shown.click("trade.delete")
    shown.click("trade.confirm.confirm")
    assert shown.sent[-1].request == RemoveConfiguration("trade", "DEMO-RQPM-FAST")


def test_one_that_is_used_cannot_be_deleted(shown: Pilot) -> None:
    shown.click("trade.list.row.DEMO-RQPM-15M")
    shown.click("trade.delete")
    assert not shown.sees("trade.confirm.confirm")


def test_a_newcomer_is_told_what_belongs_here(newcomer: Pilot) -> None:
    newcomer.show(PageName.AUTO_TRADE)
    newcomer.click("auto.tab.trade")
    assert newcomer.sees("trade.new") and not newcomer.sees("trade.save")


def test_a_users_method_has_a_form_of_its_own_and_its_arrival_disturbs_nothing(shown: Pilot) -> None:
    shown.type("trade.leverage", "9")
    shown.ui.model.apply(MethodsUpdated((KnownMethod("mine", (Parameter("speed", "whole", 3, least=1),)),)))
    shown.frames(2)
    shown.choose("trade.method", "mine")
    shown.type("trade.method.parameters.speed", "0")
    assert set(page_of(shown).editor.errors) == {"method.parameters.speed"}
    shown.type("trade.method.parameters.speed", "4")
    shown.click("trade.save")
    assert saved(shown).leverage == 9 and saved(shown).method == UserMethod("mine", {"speed": 4})
    stored = saved(shown)
    shown.answer(Done())
    found = filled.configurations()
    shown.ui.model.apply(ConfigurationsUpdated(found.analysis, (stored, found.trade[1])))
    shown.frames(2)
    assert not page_of(shown).editor.unsaved
