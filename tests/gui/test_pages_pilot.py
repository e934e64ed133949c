"""Pages, driven as a user drives them."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import (
    TRADE,
    AccountUpdated,
    ClosedBar,
    Done,
    Failed,
    ForceClear,
    OpenBar,
    PutAccount,
    SetTrading,
    SimulationUpdated,
)
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS
from atm.model.simulation import SimulationState, SimulationStatus
from tests.gui import filled
from tests.gui.pilot import Pilot

GUI_MARKS = {page: f"page.{page.value}" for page in PageName}


@pytest.mark.parametrize("page", list(PageName))
def test_every_page_is_reached_from_the_side_bar_and_draws_full_and_empty(pilot: Pilot, page: PageName) -> None:
    pilot.click(GUI_MARKS[page])
    assert pilot.ui.page is page
    pilot.ui.model = ReadModel()
    pilot.frames(3)


def test_control_and_a_digit_go_to_the_first_nine_pages_and_f11_asks_for_full_screen(pilot: Pilot) -> None:
    for number, page in enumerate(list(PageName)[:9], 1):
        pilot.key(getattr(imgui.Key, f"_{number}"), ctrl=True)
        assert pilot.ui.page is page
    pilot.key(imgui.Key.f11)
    assert pilot.full_screen == 1


def test_escape_leaves_a_confirmation_without_doing_anything(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.clear_all")
    assert pilot.sees("accounts.confirm_all.confirm")
    pilot.key(imgui.Key.escape)
    assert not pilot.sees("accounts.confirm_all.confirm")
    assert pilot.sent == []


def test_a_completed_simulation_leads_to_its_result_with_curve_and_sortable_trades(pilot: Pilot) -> None:
    pilot.show(PageName.SIMULATION)
    pilot.click("simulation.list.row.fil-contrarian")
    pilot.click("simulation.view")
    assert pilot.ui.page is PageName.RESULT
    pilot.frames(2)
    page = pilot.shell.pages[PageName.RESULT]
    assert page.selected == "fil-contrarian"  # type: ignore[attr-defined]
    pilot.click("result.tab.trades")
    table = page.trades._table  # type: ignore[attr-defined]
    pilot.click("result.trades.head.9")
    profits = [filled.trades(60)[index].profit for index in table._order]
    assert profits == sorted(profits)
    pilot.click("result.trades.head.9")
    profits = [filled.trades(60)[index].profit for index in table._order]
    assert profits == sorted(profits, reverse=True)


def test_trading_is_switched_off_by_a_request_and_shown_when_the_account_says_so(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.trading")
    assert pilot.sent[-1].request == SetTrading("paper-1", False)
    assert pilot.sent[-1].to == TRADE
    assert pilot.ui.model.accounts["paper-1"].snapshot.trading
    pilot.click("accounts.trading")
    assert len(pilot.sent) == 1, "no second request while the first is unanswered"


def test_one_position_is_closed_after_a_confirmation_and_a_flat_one_cannot_be(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.positions.row.NEARUSDT")
    pilot.click("accounts.clear")
    assert not pilot.sees("accounts.confirm_clear.confirm")
    pilot.click("accounts.positions.row.AVAXUSDT")
    pilot.click("accounts.clear")
    pilot.click("accounts.confirm_clear.confirm")
    assert pilot.sent[-1].request == ForceClear("paper-1", "AVAXUSDT")


def test_a_virtual_account_is_created(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.new")
    pilot.type("accounts.name", "한글")
    pilot.click("accounts.create")
    assert isinstance(pilot.sent[-1].request, PutAccount)
    pilot.answer(Failed("Invalid", "name: '한글' is not allowed", "name"))
    pilot.type("accounts.name", "paper-2")
    pilot.type("accounts.balance", "0")
    pilot.click("accounts.create")
    failed = pilot.ui.commands.failure("accounts.create")
    assert failed is not None
    assert failed.field == "balance"
    pilot.type("accounts.balance", "500")
    pilot.click("accounts.create")
    request = pilot.sent[-1].request
    assert isinstance(request, PutAccount)
    assert request.setup.name == "paper-2"
    assert request.setup.assets["USDT"].initial_balance == 500
    assert not request.setup.trading
    pilot.ui.model.apply(filled.account("paper-2"))
    pilot.answer(Done())
    assert pilot.shell.pages[PageName.ACCOUNTS].selected == "paper-2"  # type: ignore[attr-defined]


def test_the_chart_follows_the_running_and_the_closed_minute(pilot: Pilot) -> None:
    pilot.ui.preferences.symbol, pilot.ui.preferences.interval = "AVAXUSDT", "1m"
    pilot.show(PageName.MARKET)
    page = pilot.shell.pages[PageName.MARKET]
    chart = page.chart  # type: ignore[attr-defined]
    minute = filled.MARKET_MS // MINUTE_MS * MINUTE_MS
    assert int(chart._pyramid.base.time[-1]) == minute
    closed = Bar(minute, 9.3, 9.5, 9.2, 9.4, 10.0, 94.0, 5.0, 4.0, 40.0)
    running = Bar(minute + MINUTE_MS, 9.4, 9.6, 9.4, 9.55, 3.0, 28.0, 2.0, 1.0, 9.0)
    pilot.ui.model.apply(ClosedBar("AVAXUSDT", closed, 1))
    pilot.ui.model.apply(OpenBar("AVAXUSDT", running))
    pilot.frames(2)
    assert int(chart._pyramid.base.time[-1]) == minute + MINUTE_MS
    assert chart._pyramid.base.values[:, -2].tolist() == [9.3, 9.5, 9.2, 9.4, 10.0]
    assert chart._pyramid.base.values[:, -1].tolist() == [9.4, 9.6, 9.4, 9.55, 3.0]


def test_interval_and_symbol_are_chosen_and_remembered(pilot: Pilot) -> None:
    pilot.show(PageName.MARKET)
    assert pilot.preferences.symbol == "AVAXUSDT"
    pilot.click("market.interval.1h")
    pilot.click("market.symbol")
    pilot.type("market.symbol.search", "near")
    pilot.click("market.symbol.NEARUSDT")
    assert pilot.preferences.symbol == "NEARUSDT"
    assert pilot.preferences.interval == "1h"
    assert pilot.stored_preferences >= 2


def test_the_first_match_is_taken_by_enter(pilot: Pilot) -> None:
    pilot.show(PageName.MARKET)
    pilot.click("market.symbol")
    pilot.type("market.symbol.search", "fil")
    pilot.key(imgui.Key.enter)
    assert pilot.preferences.symbol == "FILUSDT"


def test_settings_are_in_force_at_once(pilot: Pilot) -> None:
    pilot.show(PageName.SETTINGS)
    pilot.click("settings.language.ko")
    assert pilot.ui.t("page.market") == "시장"
    pilot.click("settings.theme.light")
    assert pilot.ui.theme.name == "light"
    pilot.click("settings.direction_colors.blue_orange")
    up, down = pilot.ui.colors.up, pilot.ui.colors.down
    assert up[2] > up[0]
    assert down[0] > down[2]
    pilot.click("settings.scale.1.25")
    assert pilot.ui.px(100) == 125
    assert pilot.stored_preferences == 4


def test_the_bell_opens_the_notices_and_marks_them_read(pilot: Pilot) -> None:
    assert pilot.ui.model.unread == 5
    pilot.click("bell")
    assert pilot.ui.model.unread == 0
    pilot.click("notices.clear")
    assert not pilot.ui.model.notices


def test_what_happens_while_a_page_is_open_is_shown_in_place(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    last = filled.account()
    pilot.ui.model.apply(AccountUpdated(last.snapshot, last.setup, removed=True))
    pilot.frames(2)
    assert pilot.sees("accounts.create"), "without an account the form of a new one is there"
    pilot.show(PageName.RESULT)
    gone = SimulationState("avax-august", SimulationStatus.COMPLETED, 1.0, 0)
    pilot.ui.model.apply(SimulationUpdated(gone, removed=True))
    pilot.frames(2)
    assert pilot.shell.pages[PageName.RESULT].selected == "fil-contrarian"  # type: ignore[attr-defined]
