"""The kill switch of the window."""

from __future__ import annotations

import msgspec
from imgui_bundle import imgui

from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import BINANCE_API, TRADE, KillSwitch, NoticeRaised
from atm.model.account import PositionState
from atm.model.notice import Notice, Severity
from tests.gui.pilot import Pilot


def test_it_asks_first_and_then_tells_both_managers(pilot: Pilot) -> None:
    pilot.show(PageName.MARKET)
    pilot.click("kill")
    assert pilot.sent == []
    pilot.click("kill.confirm.confirm")
    assert [(each.to, each.request) for each in pilot.sent] == [(TRADE, KillSwitch()), (BINANCE_API, KillSwitch())]


def test_the_key_asks_on_every_page_and_escape_leaves_everything_as_it_is(pilot: Pilot) -> None:
    for page in (PageName.DASHBOARD, PageName.SETTINGS):
        pilot.show(page)
        pilot.key(imgui.Key.k, ctrl=True)
        assert not pilot.sees("kill.confirm.confirm")
        pilot.key(imgui.Key.k, ctrl=True, shift=True)
        assert pilot.sees("kill.confirm.confirm")
        pilot.key(imgui.Key.escape)
        assert not pilot.sees("kill.confirm.confirm")
    assert pilot.sent == []


def test_it_is_seen_while_something_trades_or_is_held_and_not_without(pilot: Pilot) -> None:
    assert pilot.sees("kill")
    for view in pilot.ui.model.accounts.values():
        view.snapshot = msgspec.structs.replace(view.snapshot, trading=False)
    pilot.frames(2)
    assert pilot.sees("kill")
    pilot.ui.model = ReadModel()
    pilot.frames(2)
    assert not pilot.sees("kill")


def test_after_it_the_bar_says_so_on_every_page_and_leads_to_where_trading_is_resumed(pilot: Pilot) -> None:
    view = pilot.ui.model.accounts["paper-1"]
    pilot.ui.model.apply(NoticeRaised(Notice(5, "trade", Severity.CRITICAL, "notice.killed", {}, "paper-1")))
    pilot.frames(2)
    assert pilot.sees("kill") and not pilot.sees("kill.pressed"), "while something trades the switch itself is there"
    flat = tuple(PositionState(each.symbol) for each in view.snapshot.positions)
    view.snapshot = msgspec.structs.replace(view.snapshot, trading=False, positions=flat)
    pilot.show(PageName.DASHBOARD)
    pilot.click("kill.pressed")
    assert pilot.ui.page is PageName.ACCOUNTS
    assert not pilot.sees("kill")
