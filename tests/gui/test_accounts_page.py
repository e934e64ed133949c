"""The Accounts page of an actual account: orders and their stories, stops, differences, limits, halts, and its set-up."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from atm.gui.accounts.order_story import story_line
from atm.gui.accounts.suspension import suspensions
from atm.gui.pages.accounts import AccountsPage
from atm.gui.read_model import AccountView, ReadModel
from atm.gui.texts import Texts
from atm.gui.ui import PageName
from atm.ipc.messages import (
    ActivationKey,
    ActivationState,
    AnalysisLoad,
    AnalysisReady,
    AnalyzerLoad,
    Done,
    LiveShown,
    NoticeRaised,
    OrderTypesShown,
    PutAccount,
    ResumeLive,
    SetTrading,
)
from atm.model.account import AccountKind
from atm.model.activation import ActivationReason, ActivationStatus
from atm.model.journal import KILLED, Halted
from atm.model.notice import Notice, Severity
from atm.model.order_probe import Probe, ProbeOutcome, ProbeResult
from tests.gui import filled
from tests.gui.filled import ASSETS, MARKET_MS, FilledResults
from tests.gui.pilot import Pilot

replace = msgspec.structs.replace
ORDER = "1h-0s-gt-O0-0"


def make_actual(model: ReadModel, halts: tuple[Halted, ...] = ()) -> None:
    """paper-1 trades on an exchange."""
    view = model.accounts["paper-1"]
    view.snapshot = replace(view.snapshot, kind=AccountKind.ACTUAL, halts=halts)
    view.setup = replace(view.setup, kind=AccountKind.ACTUAL)
    for symbol in filled.SYMBOLS:
        model.apply(AnalysisReady(f"{symbol}/DEMO-15M", symbol, "analyzer-0", "running"))
    loads = tuple(AnalysisLoad(f"{symbol}/DEMO-15M", 20.0, 30.0) for symbol in filled.SYMBOLS)
    model.apply(AnalyzerLoad("analyzer-0", loads))
    model.apply(LiveShown("paper-1", filled.live_view()))


@pytest.fixture
def actual(pilot: Pilot) -> Pilot:
    make_actual(pilot.ui.model)
    pilot.show(PageName.ACCOUNTS)
    return pilot


def keys(model: ReadModel, symbol: str) -> list[str]:
    view = model.accounts["paper-1"]
    position = next(each for each in view.snapshot.positions if each.symbol == symbol)
    return [each.key for each in suspensions(model, view, position)]


def switched(pilot: Pilot, on: bool) -> None:
    view = pilot.ui.model.accounts["paper-1"]
    view.snapshot = replace(view.snapshot, trading=on)
    pilot.frames(2)


def test_an_actual_account_sends_orders_after_a_confirmation_and_stops_at_once(actual: Pilot) -> None:
    switched(actual, on=False)
    actual.click("accounts.trading")
    assert actual.sent == []
    actual.click("accounts.confirm_trading.cancel")
    actual.click("accounts.trading")
    actual.click("accounts.confirm_trading.confirm")
    assert [each.request for each in actual.sent] == [SetTrading("paper-1", True)]
    actual.ui.commands.answered(actual.sent[-1], Done())
    switched(actual, on=True)
    actual.click("accounts.trading")
    assert actual.sent[-1].request == SetTrading("paper-1", False)


def test_a_paper_account_trades_without_a_question(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    switched(pilot, on=False)
    pilot.click("accounts.trading")
    assert [each.request for each in pilot.sent] == [SetTrading("paper-1", True)]


def test_sums_of_a_log_that_was_not_read_whole_are_not_shown(actual: Pilot) -> None:
    page, model = actual.shell.pages[PageName.ACCOUNTS], actual.ui.model
    assert isinstance(page, AccountsPage)
    view = model.accounts["paper-1"]
    asset = view.snapshot.assets[0]
    profit, fees, _ = page._booked(actual.ui, view, asset)
    whole = filled.trades(60)
    assert profit == pytest.approx(sum(each.profit for each in whole), abs=1e-9) and fees is not None
    model.accounts["paper-2"] = view = replace_view(view, "paper-2")
    actual.ui.results.n_trades = 5_000  # type: ignore[attr-defined]
    page.selected = "paper-2"
    actual.frames(3)
    assert page._booked(actual.ui, view, asset) == (None, None, None)


def replace_view(view: AccountView, name: str) -> AccountView:
    return dataclasses.replace(view, snapshot=replace(view.snapshot, name=name), setup=replace(view.setup, name=name))


def test_every_condition_that_keeps_a_position_from_trading_is_named(actual: Pilot) -> None:
    model = actual.ui.model
    assert keys(model, "FILUSDT") == []
    assert keys(model, "AVAXUSDT") == ["why.unprotected"]
    model.apply(AnalysisReady("FILUSDT/DEMO-15M", "FILUSDT", "analyzer-0", "failed", error="ZeroDivisionError"))
    told = replace(
        filled.live_view(), waits={"FILUSDT": "stale_s"}, given_up=("FILUSDT",), not_closed={"FILUSDT": "-1008"}
    )
    model.apply(LiveShown("paper-1", told))
    model.instruments["FILUSDT"] = replace(model.instruments["FILUSDT"], status="SETTLING")
    view = model.accounts["paper-1"]
    stopped = tuple(replace(each, reason="stopped") for each in view.snapshot.positions)
    halts = (Halted("FILUSDT", "max_notional: 9, allowed 5", False, MARKET_MS),)
    view.snapshot = replace(view.snapshot, trading=False, positions=stopped, halts=halts)
    assert keys(model, "FILUSDT") == [
        "why.halted",
        "why.symbol_status",
        "why.analysis_failed",
        "why.not_closed",
        "why.given_up",
        "why.trading_off",
        "why.after_stop",
        "why.limit",
    ]  # fmt: skip
    assert "why.halted" not in keys(model, "NEARUSDT")


def test_an_account_in_hedge_mode_says_so_at_every_position(actual: Pilot) -> None:
    model = actual.ui.model
    model.apply(ActivationKey(b"k"))
    model.apply(ActivationState("paper-1", ActivationStatus.BLOCKED, ActivationReason.HEDGE_MODE, public=b"k"))
    assert keys(model, "NEARUSDT") == ["activation_reason.hedge_mode"]


def test_a_click_on_an_order_tells_its_story(actual: Pilot) -> None:
    actual.click("accounts.tab.orders")
    assert actual.sees(f"orders.row.{ORDER}") and not actual.sees("orders.story")
    actual.click(f"orders.row.{ORDER}")
    assert actual.sees("orders.story")
    actual.click("orders.scope.open")
    assert not actual.sees(f"orders.row.{ORDER}")


@pytest.mark.parametrize(("language", "filled_word"), [("en", "fill"), ("ko", "체결")])
def test_a_story_has_a_line_for_each_entry_of_the_journal(language: str, filled_word: str) -> None:
    texts = Texts(ASSETS / "texts", language)
    lines = [story_line(texts, entry) for entry in FilledResults().order_story("paper-1", ORDER)]
    assert [line.time_ms - MARKET_MS for line in lines] == [0, 0, 90, 90]
    assert lines[2].what == filled_word and "431" in lines[2].details and "0.7 USDT" in lines[2].details


def test_halts_stand_above_everything_and_are_resumed_there(actual: Pilot) -> None:
    make_actual(actual.ui.model, (Halted("", KILLED, False, MARKET_MS),))
    for tab in ("positions", "orders", "risk", "setup"):
        actual.click(f"accounts.tab.{tab}")
        assert actual.sees("live.resume.account")
    actual.click("live.resume.account")
    actual.click("live.resume.account.confirm.confirm")
    assert actual.sent[-1].request == ResumeLive("paper-1", "")


def test_the_kill_switch_of_a_virtual_account_is_shown_until_it_trades_again(pilot: Pilot) -> None:
    model = pilot.ui.model
    model.apply(NoticeRaised(Notice(5, "trade", Severity.CRITICAL, "notice.killed", {"account": "paper-1"}, "paper-1")))
    assert model.killed == {"paper-1": 5}
    model.apply(filled.account())
    assert model.killed == {}


def test_positions_are_changed_under_set_up(actual: Pilot) -> None:
    actual.click("accounts.tab.setup")
    actual.click("setup.save")
    assert actual.sent == [], "nothing has been changed"
    actual.type("setup.positions.2.most", "-4")
    actual.click("setup.save")
    assert actual.sent == [], "a cap below nothing is none"
    actual.type("setup.positions.2.most", "250")
    actual.type("setup.positions.2.ratio", "10")
    actual.click("setup.save")
    (sent,) = actual.sent
    assert isinstance(sent.request, PutAccount)
    changed = sent.request.setup.positions[2]
    assert (changed.symbol, changed.assumed_ratio, changed.max_allocated) == ("NEARUSDT", 0.1, 250.0)
    assert sent.request.setup.positions[:2] == actual.ui.model.accounts["paper-1"].setup.positions[:2]


def test_the_day_of_an_actual_account_begins_with_what_its_journal_says(actual: Pilot) -> None:
    view = actual.ui.model.accounts["paper-1"]
    assert view.equity("USDT") == 9_700.0, "the exchange's, not that of the last minute"
    assert view.today("USDT") == pytest.approx(9_700 - 10_000)


def test_each_set_of_columns_is_drawn(actual: Pilot) -> None:
    for columns in ("trader", "detail"):
        actual.click(f"accounts.columns.{columns}")
        assert actual.sees(f"accounts.positions.{columns}.row.FILUSDT")


def test_order_types_say_that_they_were_not_tried_that_they_hold_or_what_is_wrong(actual: Pilot) -> None:
    model = actual.ui.model
    actual.click("accounts.tab.risk")
    assert actual.sees("probe.title") and model.order_types == {}
    for outcome in ProbeOutcome:
        result = ProbeResult("FILUSDT", Probe.STOP, outcome, "" if outcome is ProbeOutcome.HOLDS else "said so")
        model.apply(OrderTypesShown("paper-1", MARKET_MS, (result,)))
        actual.frames(2)
        assert model.order_types["paper-1"].results == (result,)
        assert actual.sees("probe.title")


def test_many_positions_are_assigned_at_once(pilot: Pilot) -> None:
    pilot.show(PageName.ACCOUNTS)
    pilot.click("accounts.new")
    pilot.type("accounts.name", "many")
    pilot.click("accounts.positions.add_all")
    pilot.choose("accounts.positions.0.analysis", "DEMO-3M")
    pilot.type("accounts.positions.0.most", "900")
    pilot.click("accounts.positions.alike")
    pilot.click("accounts.positions.even")
    pilot.click("accounts.create")
    request = pilot.sent[-1].request
    assert isinstance(request, PutAccount)
    made = request.setup.positions
    assert [each.symbol for each in made] == list(filled.SYMBOLS)
    assert {(each.analysis, each.assumed_ratio, each.max_allocated) for each in made} == {("DEMO-3M", 0.33, 900.0)}
