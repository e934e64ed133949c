"""The Account History page driven as a person drives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from atm.gui.pages.account_history import TABS, AccountHistoryPage
from atm.gui.read_model import ReadModel
from atm.gui.results import AccountRecords, SimulationResult
from atm.gui.stored import Stored
from atm.gui.texts import Texts
from atm.gui.ui import PageName
from atm.ipc.messages import (
    TRADE,
    AccountReviewed,
    Done,
    Failed,
    ReconcileIncome,
    Reply,
    Request,
    ReviewAccount,
    TradeLogged,
)
from atm.ipc.shared_array import SharedArrays
from atm.model.account import AccountKind, TradeReason
from atm.model.account_review import ReviewCheck
from atm.model.errors import Unavailable
from atm.model.income import IncomeCause
from atm.model.interval import MINUTE_MS
from atm.model.order import Side
from atm.model.simulation import SimulationSummary
from tests.gui.filled import MARKET_MS, SYMBOLS, FilledResults, account, filled_model, trades
from tests.gui.pilot import Pilot, bare_context
from tests.gui.result.ran import by_code

CHECKS = (
    ReviewCheck("fills", "", 60, 60),
    ReviewCheck("wallet", "USDT", 10_211.9, 10_211.9),
    ReviewCheck("equity", "", 10_284.35, 10_284.35),
)


class Reviewer:
    """Answers as the simulation manager does: with the result of an example, whoever is asked about."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.arrays = SharedArrays("test", "reviewer")
        self.checks = CHECKS
        self.failure: Failed | None = None
        self.silent = False

    def ask(self, _to: str, request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
        if not isinstance(request, ReviewAccount):
            return  # the parity tab asks for its own
        self.requests.append(request)
        if self.silent:
            return
        if self.failure is not None:
            on_reply(self.failure)
            return
        spec, result = by_code()["RQPM FILUSDT"]
        curve = np.stack((result.equity_time[::60].astype(np.float64), result.equity[::60]))
        spec = msgspec.structs.replace(spec, code=request.name)
        details = result.details.pack()
        on_reply(AccountReviewed(spec, result.summary, details, self.arrays.share(curve), self.checks))


class Broken(FilledResults):
    def account_records(self, name: str) -> AccountRecords:
        raise Unavailable("the database is locked")


class Exporting(FilledResults):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, str, int]] = []

    def export_account(
        self, result: SimulationResult, summary: SimulationSummary | None, kind: str, texts: Texts
    ) -> Path:
        self.written.append((result.spec.code, kind, len(result.trades)))
        return super().export_account(result, summary, kind, texts)


def opened(results: FilledResults | None = None, model: ReadModel | None = None) -> tuple[Pilot, Reviewer]:
    pilot = Pilot(model or filled_model(), results, (1600, 1200))
    reviewer = Reviewer()
    pilot.ui.ask = reviewer.ask
    return pilot, reviewer


def page_of(pilot: Pilot) -> AccountHistoryPage:
    page = pilot.shell.pages[PageName.HISTORY]
    assert isinstance(page, AccountHistoryPage)
    return page


@pytest.fixture
def context() -> Iterator[None]:
    with bare_context():
        yield


pytestmark = pytest.mark.usefixtures("context")


def test_without_an_account_the_page_leads_to_where_one_is_made() -> None:
    pilot, reviewer = opened(model=ReadModel())
    pilot.show(PageName.HISTORY)
    pilot.click("history.to_accounts")
    assert pilot.ui.page is PageName.ACCOUNTS
    assert not reviewer.requests


def test_every_tab_draws_and_the_account_is_reviewed_once() -> None:
    pilot, reviewer = opened()
    pilot.show(PageName.HISTORY)
    for tab in TABS:
        pilot.click(f"history.tab.{tab}")
        pilot.frames(3)
        assert page_of(pilot).tab == tab
    assert [request.name for request in reviewer.requests if isinstance(request, ReviewAccount)] == ["paper-1"]
    reviewer.arrays.close()


def test_balance_and_trades_are_there_before_the_review_and_when_it_fails() -> None:
    pilot, reviewer = opened()
    reviewer.failure = Failed("Refused", "the account paper-1 has not begun")
    pilot.show(PageName.HISTORY)
    page = page_of(pilot)
    assert page.review.error == "the account paper-1 has not begun"
    pilot.click("history.tab.trades")
    assert len(page.trades.found.rows) == 60
    pilot.click("history.tab.reports")
    reviewer.failure = None
    pilot.ui.now_ms += 60_000
    pilot.click("history.again")
    assert page.review.review is not None
    reviewer.arrays.close()


def test_a_store_that_cannot_be_read_says_why_and_is_read_again() -> None:
    pilot, _ = opened(Broken())
    pilot.show(PageName.HISTORY)
    assert pilot.sees("history.retry")
    pilot.ui.results = FilledResults()
    pilot.click("history.retry")
    pilot.frames(2)
    assert not pilot.sees("history.retry")


def test_trades_are_filtered_by_side_reason_symbol_and_time() -> None:
    pilot, reviewer = opened()
    reviewer.silent = True
    pilot.show(PageName.HISTORY)
    pilot.click("history.tab.trades")
    found = page_of(pilot).trades
    assert found.found.total == 60
    pilot.click("history.side.BUY")
    assert {trade.side for trade in found.found.rows} == {Side.SELL}
    assert found.found.kinds[Side.BUY] == 30
    pilot.click("history.reason.STOP_CLOSE")
    assert TradeReason.STOP_CLOSE not in {trade.reason for trade in found.found.rows}
    pilot.choose("history.symbol", SYMBOLS[0])
    assert {trade.symbol for trade in found.found.rows} == {SYMBOLS[0]}
    pilot.type("history.from", "2023-09-02 00:00")
    assert found.found.in_time == 36
    pilot.type("history.to", "2023-09-01 00:00")
    assert found.found.in_time == 36
    pilot.click("history.clear")
    assert len(found.found.rows) == 60


def test_a_new_trade_appears_at_once_and_asks_for_a_new_review_in_time() -> None:
    pilot, reviewer = opened()
    pilot.show(PageName.HISTORY)
    pilot.click("history.tab.trades")
    page = page_of(pilot)
    newest = msgspec.structs.replace(trades(1)[0], index=60, time_ms=MARKET_MS - MARKET_MS % MINUTE_MS)
    pilot.ui.model.apply(TradeLogged("paper-1", newest))
    pilot.frames(2)
    assert page.trades.found.rows[0].index == 60
    assert len(reviewer.requests) == 1
    pilot.ui.now_ms += 11_000
    pilot.frames(2)
    assert len(reviewer.requests) == 2
    reviewer.arrays.close()


def test_the_curve_goes_on_with_the_account() -> None:
    pilot, reviewer = opened()
    reviewer.silent = True
    pilot.show(PageName.HISTORY)
    shown = page_of(pilot)._shown
    assert shown is not None
    before = len(shown.curve.time)
    pilot.ui.model.apply(account(equity=9_000.0, market_ms=MARKET_MS + 2 * MINUTE_MS))
    pilot.frames(2)
    shown = page_of(pilot)._shown
    assert shown is not None
    assert len(shown.curve.time) == before + 1
    assert shown.curve.equity[-1] == 9_000.0
    begin, end = page_of(pilot).overview.sight
    assert end >= shown.curve.time[-1]
    assert begin <= shown.curve.time[0]


def test_a_trade_leads_to_the_chart() -> None:
    pilot, reviewer = opened()
    reviewer.silent = True
    pilot.show(PageName.HISTORY)
    pilot.click("history.tab.trades")
    pilot.click("history.trades.row.59")
    pilot.click("history.chart")
    page = page_of(pilot)
    assert page.tab == "chart"
    assert page.chart.symbol == trades(60)[59].symbol


def test_records_that_differ_are_said_in_the_head() -> None:
    pilot, reviewer = opened()
    reviewer.checks = (*CHECKS, ReviewCheck("fees", "USDT", 10.0, 9.5))
    pilot.show(PageName.HISTORY)
    assert pilot.sees("history.badge")
    pilot.click("history.tab.records")
    pilot.frames(2)
    reviewer.arrays.close()


def test_the_records_are_exported_with_what_there_is() -> None:
    results = Exporting()
    pilot, reviewer = opened(results)
    reviewer.failure = Failed("Unavailable", "nobody answers")
    pilot.show(PageName.HISTORY)
    assert not pilot.sees("export.html")
    pilot.click("export.csv")
    assert results.written == [("paper-1", "csv", 60)]


class Later:
    """A reader thread that works when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, function: Callable[[], None], /) -> None:
        self.waiting.append(function)

    def work(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each()


def test_no_frame_unpacks_a_review_and_what_was_shown_stays_meanwhile() -> None:
    pilot, _ = opened()
    reader = Later()
    pilot.ui.stored = Stored(reader)
    pilot.show(PageName.HISTORY)
    reader.work()
    pilot.frames(2)
    page = page_of(pilot)
    assert page.review.review is not None and page._shown is None, "the course is not made by a frame"
    reader.work()
    pilot.frames(1)
    first = page._shown
    assert first is not None and first.measured
    pilot.ui.model.apply(account(market_ms=MARKET_MS + 2 * MINUTE_MS))
    pilot.frames(2)
    assert page._shown is first
    reader.work()
    pilot.frames(1)
    assert page._shown is not first


def actual_model() -> ReadModel:
    model = filled_model()
    view = model.accounts["paper-1"]
    view.setup = msgspec.structs.replace(view.setup, kind=AccountKind.ACTUAL)
    view.snapshot = msgspec.structs.replace(view.snapshot, kind=AccountKind.ACTUAL)
    return model


def test_income_shows_sums_and_differences_and_is_read_when_it_is_asked_for() -> None:
    asked: list[tuple[str, Request]] = []
    answers: list[Callable[[Reply], None]] = []
    pilot, reviewer = opened(model=actual_model())
    pilot.show(PageName.HISTORY)

    def ask(to: str, request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
        asked.append((to, request))
        answers.append(on_reply)

    pilot.ui.ask = ask
    pilot.click("history.tab.income")
    tab = page_of(pilot).income
    assert len(tab._lines) == 5
    assert [(each.kind, each.asset) for each in tab._sums] == [
        ("COMMISSION", "BNB"), ("COMMISSION", "USDT"), ("FUNDING_FEE", "USDT"), ("REALIZED_PNL", "USDT"),
        ("TRANSFER", "USDT"),
    ]  # fmt: skip
    pilot.click("income.way.day")
    assert len({each.day_ms for each in tab._sums}) > 15
    pilot.click("income.all")
    assert [each.cause for each in tab._lines] == [IncomeCause.MISSING_RECORD, IncomeCause.UNKNOWN_FILL]
    pilot.click("income.reconcile")
    assert asked[-1] == (TRADE, ReconcileIncome("paper-1")) and tab.asking
    answers[-1](Failed("Unavailable", "the account paper-1 is not connected"))
    pilot.frames(2)
    assert (tab.asking, tab.error) == (False, "the account paper-1 is not connected")
    pilot.click("income.anew")
    pilot.click("income.anew.confirm.confirm")
    assert asked[-1] == (TRADE, ReconcileIncome("paper-1", anew=True))
    answers[-1](Done())
    pilot.frames(2)
    pilot.click("export.csv")
    assert pilot.sees("export.copy")
    reviewer.arrays.close()


def test_a_virtual_account_has_no_income() -> None:
    pilot, reviewer = opened()
    pilot.show(PageName.HISTORY)
    pilot.click("history.tab.income")
    assert not pilot.sees("income.badge")
    reviewer.arrays.close()


@pytest.mark.parametrize("unread", [0, 1])
def test_sums_of_an_actual_account_are_those_of_all_its_fills_or_unknown(unread: int) -> None:
    class Newest(FilledResults):
        def account_records(self, name: str) -> AccountRecords:
            found = super().account_records(name)
            return dataclasses.replace(found, total=found.total + unread)

    pilot, reviewer = opened(Newest())
    view = pilot.ui.model.accounts["paper-1"]
    view.setup = msgspec.structs.replace(view.setup, kind=AccountKind.ACTUAL)
    view.snapshot = msgspec.structs.replace(view.snapshot, kind=AccountKind.ACTUAL)
    pilot.show(PageName.HISTORY)
    pilot.frames(2)
    realized, fees, _ = page_of(pilot)._booked(view)
    if unread:
        assert (realized, fees) == (None, None)
    else:
        assert realized == pytest.approx(sum(trade.profit for trade in trades(60)), abs=1e-9)
        assert fees == pytest.approx(sum(trade.fee for trade in trades(60)), abs=1e-9)
    reviewer.arrays.close()
