"""Limits and halts of an actual account on the Accounts page."""

from __future__ import annotations

import msgspec
import pytest

from atm.gui.ui import PageName
from atm.ipc.messages import ResumeLive, SetLiveRules
from atm.model.account import AccountKind
from atm.model.journal import KILLED, Halted
from atm.model.risk import LiveRules, RiskLimits
from tests.gui.filled import MARKET_MS
from tests.gui.pilot import Pilot


@pytest.fixture
def actual(pilot: Pilot) -> Pilot:
    pilot.ui.model.toasts.clear()  # they lie over the form
    view = pilot.ui.model.accounts["paper-1"]
    halts = (Halted("", KILLED, False, MARKET_MS), Halted("FILUSDT", "max_notional: 9, allowed 5", False, MARKET_MS))
    view.snapshot = msgspec.structs.replace(view.snapshot, kind=AccountKind.ACTUAL, halts=halts)
    view.setup = msgspec.structs.replace(view.setup, kind=AccountKind.ACTUAL)
    pilot.show(PageName.ACCOUNTS)
    return pilot


def test_what_is_halted_is_resumed_after_a_question(actual: Pilot) -> None:
    for scope in ("account", "FILUSDT"):
        actual.click(f"live.resume.{scope}")
        actual.click(f"live.resume.{scope}.confirm.confirm")
    assert [each.request for each in actual.sent] == [ResumeLive("paper-1", ""), ResumeLive("paper-1", "FILUSDT")]


def test_limits_are_edited_and_a_wrong_value_is_not_sent(actual: Pilot) -> None:
    actual.click("accounts.tab.risk")
    actual.click("live.rules")
    actual.scroll("live.rules", 30)
    actual.type("live.rule.limits.daily_loss", "150")
    actual.click("live.save")
    assert actual.sent == []
    actual.type("live.rule.limits.daily_loss", "25")
    actual.type("live.rule.stop_distance", "")
    actual.click("live.save")
    wanted = LiveRules(limits=RiskLimits(daily_loss=0.25), stop_distance=None)
    assert [each.request for each in actual.sent] == [SetLiveRules("paper-1", wanted)]


def test_a_virtual_account_has_no_such_card(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    assert not pilot.sees("accounts.tab.risk")
