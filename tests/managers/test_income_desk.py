"""Income of an actual account: read, stored once, compared, told of; alone on a bus, and through both managers with the demo exchange."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from atm.exchange.client.demo_control import control
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    TRADE,
    AccountIncome,
    Done,
    LiveHeard,
    ReadAccountIncome,
    ReconcileIncome,
    Reply,
)
from atm.managers.income_channel import IncomeChannel
from atm.managers.income_desk import IncomeDesk
from atm.model.account import AccountKind, AccountSetup, TradeReason, TradeRecord
from atm.model.account_facts import WalletSeen
from atm.model.demo_state import DemoCommand, DemoDeposit
from atm.model.errors import Unavailable
from atm.model.income import IncomeCause, IncomeRecord, ReadPage
from atm.model.interval import DAY_MS, HOUR_MS
from atm.model.journal import Transferred
from atm.model.order import Side
from atm.storage.database import Database
from atm.trading.live.income_check import OwnRecords, check
from tests.managers.test_live_desk import Managers, managers  # noqa: F401

D = Decimal
NAME = "first"
T = 20_000 * DAY_MS + 4 * HOUR_MS


class Stage:
    """The desk, and an exchange that answers what it is told to."""

    def __init__(self, home: Path, **options: int) -> None:
        self.seconds = 0.0
        self.bus = LocalBus(lambda: self.seconds)
        self.database = Database(f"sqlite:///{home / 'a.sqlite3'}")
        self.database.accounts.put(AccountSetup(NAME, AccountKind.ACTUAL))
        self.booked: list[IncomeRecord] = []
        self.balance = D(1_000)
        self.refuses = self.is_lost = False
        self.asked: list[object] = []
        self.told: list[Transferred] = []
        self.notices: list[dict[str, str]] = []
        exchange = self.bus.assistant(BINANCE_API)
        exchange.answer(ReadAccountIncome, self._answer)
        self.heard = exchange.publish
        self.desk = IncomeDesk(self.bus.assistant(TRADE), self.database, self, self._notify, **options)
        self.user = self.bus.assistant("gui")

    @property
    def now_ms(self) -> int:
        return T + int(self.seconds * 1_000)

    def names(self) -> tuple[str, ...]:
        return (NAME,)

    def transferred(self, name: str, told: Iterable[Transferred]) -> bool:
        self.told += () if self.is_lost else told
        return not self.is_lost

    def _notify(self, severity: object, text: str, subject: str, **parameters: str) -> None:
        self.notices.append({"text": text, **parameters})

    def _answer(self, request: ReadAccountIncome) -> Reply:
        self.asked.append(request.question)
        if self.refuses:
            raise Unavailable("no connection")
        if isinstance(request.question, ReadPage):
            asked = request.question
            found = [each for each in self.booked if asked.start_ms <= each.time_ms <= asked.end_ms]
            return AccountIncome(records=tuple(found))
        return AccountIncome(wallets={"USDT": self.balance})

    def book(self, number: int, kind: str, amount: str, trade_id: int = 0) -> None:
        symbol = "" if kind == "TRANSFER" else "XUSDT"
        self.booked.append(IncomeRecord(number, kind, symbol, "USDT", D(amount), self.now_ms, trade_id))
        self.balance += D(amount)

    def run(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += 1.0
            self.bus.pump()

    @property
    def readings(self) -> int:
        return sum(isinstance(each, ReadPage) for each in self.asked)


@pytest.fixture
def stage(home: Path) -> Stage:
    return Stage(home)


def test_income_is_read_at_activation_after_events_after_stamps_and_when_asked_for(stage: Stage) -> None:
    stage.run(5)
    assert stage.readings == 1
    stage.heard(LiveHeard(NAME, (WalletSeen("USDT", D(1), 1, "ORDER", D(0)),)), key=NAME)
    stage.run(60)
    assert stage.readings == 1, "fills come all the time and are no reason"
    stage.heard(LiveHeard(NAME, (WalletSeen("USDT", D(1), 1, "FUNDING_FEE", D(0)),)), key=NAME)
    stage.run(60)
    assert stage.readings == 2
    replies: list[Reply] = []
    stage.user.request_async(TRADE, ReconcileIncome(NAME), replies.append)
    stage.run(5)
    assert stage.readings == 3 and isinstance(replies[0], Done)
    stage.run(4 * HOUR_MS / 1_000)
    assert stage.readings == 4, "08:01"


def test_transfers_are_told_to_the_account_and_an_unexplained_difference_once_to_the_user(stage: Stage) -> None:
    stage.run(5)
    stage.book(1, "TRANSFER", "250")
    stage.book(2, "COMMISSION", "-0.5", trade_id=7)
    stage.heard(LiveHeard(NAME, (WalletSeen("USDT", D(1), 1, "DEPOSIT", D(250)),)), key=NAME)
    stage.run(60)
    assert stage.told == [Transferred("USDT", D(250), stage.booked[0].time_ms, 1)]
    assert not stage.notices, "the log may still get the fill"
    for _ in range(2):
        stage.run(8 * HOUR_MS / 1_000)
        assert [(each["text"], each["kind"], each["amount"]) for each in stage.notices] == [
            ("notice.income_differs", "COMMISSION", "-0.5")
        ]
    assert stage.database.income.count(NAME) == 2


def test_transfers_that_the_journal_does_not_take_are_told_again_however_old_they_are_by_then(stage: Stage) -> None:
    stage.run(5)
    stage.book(1, "TRANSFER", "-250")
    stage.run(2 * HOUR_MS / 1_000)
    stage.is_lost = True
    stage.user.request_async(TRADE, ReconcileIncome(NAME), lambda _: None)
    stage.run(5)
    stage.is_lost = False
    stage.run(60)
    assert stage.told == [Transferred("USDT", D(-250), T + 5_000, 1)]


def test_funding_of_what_was_bought_before_the_trades_that_are_compared_is_no_difference(home: Path) -> None:
    def bought(number: int, symbol: str) -> TradeRecord:
        return TradeRecord(
            number, T + number * HOUR_MS, 0, symbol, Side.BUY, TradeReason.ENTRY, 1.0, 10.0, 0.0, 0.1, 1.0 + number, 10.0, 0.0,
            trade_id=number,
        )  # fmt: skip

    stage = Stage(home, most_trades=2)
    trades = [bought(0, "XUSDT"), *(bought(number, "YUSDT") for number in (1, 2, 3))]
    stage.database.accounts.save_progress(NAME, b"", T, trades, [])
    stage.run(5)
    stage.run(4 * HOUR_MS / 1_000)
    stage.booked = [
        IncomeRecord(1, "COMMISSION", "YUSDT", "USDT", D("-0.1"), T + 1 * HOUR_MS, 1),
        IncomeRecord(2, "COMMISSION", "YUSDT", "USDT", D("-0.1"), T + 3 * HOUR_MS, 3),
        IncomeRecord(3, "FUNDING_FEE", "XUSDT", "USDT", D("-0.02"), T + 4 * HOUR_MS),
    ]
    stage.balance -= D("0.22")
    stage.run(600)
    assert not stage.notices


def test_a_wallet_that_nothing_explains_is_told_after_it_was_seen_three_times(stage: Stage) -> None:
    stage.run(5)
    stage.balance -= D(3)
    stage.heard(LiveHeard(NAME, (WalletSeen("USDT", D(1), 1, "ADJUSTMENT", D(0)),)), key=NAME)
    stage.run(15)
    assert not stage.notices
    stage.run(60)
    (notice,) = stage.notices
    assert (notice["kind"], notice["amount"]) == ("WALLET", "-3")


def test_a_balance_that_stays_unexplained_is_taken_as_it_is_when_the_user_wants_it(stage: Stage) -> None:
    stage.run(5)
    stage.balance -= D(3)
    for _ in range(3):
        stage.user.request_async(TRADE, ReconcileIncome(NAME), lambda _: None)
        stage.run(5)
    state = stage.database.income.state(NAME)
    assert (state.wallets, state.expected) == ({"USDT": D(997)}, {"USDT": D(1_000)})
    stage.user.request_async(TRADE, ReconcileIncome(NAME, anew=True), lambda _: None)
    stage.run(5)
    stage.book(1, "COMMISSION", "-0.5", trade_id=7)
    stage.user.request_async(TRADE, ReconcileIncome(NAME), lambda _: None)
    stage.run(5)
    state = stage.database.income.state(NAME)
    assert state.wallets == state.expected == {"USDT": D("996.5")}


def test_no_answer_is_tried_again_and_whoever_asked_is_told(stage: Stage) -> None:
    stage.refuses = True
    replies: list[Reply] = []
    stage.user.request_async(TRADE, ReconcileIncome(NAME), replies.append)
    stage.run(5)
    assert getattr(replies[0], "message", "") == "no connection"
    stage.refuses = False
    stage.run(60)
    assert stage.readings == 1
    assert stage.database.income.state(NAME).checked_ms


async def test_through_both_managers_income_and_wallet_are_the_exchanges(managers: Managers) -> None:  # noqa: F811
    url = str(managers.accounts._engine.url)
    database = Database(url)
    IncomeChannel(managers.exchange._assistant, managers.exchange, managers._spawn)
    IncomeDesk(managers.desk._assistant, database, managers.desk, managers._notify)
    await managers.until(lambda: managers.desk.facts("first") is not None)
    managers.aim("100")
    await managers.until(lambda: managers.quantity() == 100.0)
    await control(managers.addresses.rest, DemoCommand(deposit=DemoDeposit("first", 123.456)))
    managers.aim("-40")
    await managers.until(lambda: managers.quantity() == -40.0)
    replies: list[Reply] = []
    user = managers.bus.assistant("gui")
    await managers.until(lambda: len(managers.logged) >= 3)
    user.request_async(TRADE, ReconcileIncome("first"), replies.append)
    await managers.until(lambda: bool(replies))
    assert isinstance(replies[0], Done)
    await managers.until(lambda: database.income.state("first").doubts == 0)
    state, records = database.income.state("first"), database.income.records("first")
    assert state.wallets == state.expected
    found = check(records, OwnRecords(database.accounts.trades("first")[::-1]), state)
    assert found.open == ()
    assert [line.cause for line in found.lines] == [IncomeCause.TRANSFER]
    assert found.agreeing == len(managers.logged)
    paid = sum((each.amount for each in records), D(0))
    assert float(state.wallets["USDT"]) == pytest.approx(10_000 + float(paid), abs=1e-8)
    transfers = managers.desk._live["first"].account.state.transfers
    assert [(each.amount, each.is_heard, each.transaction_id > 0) for each in transfers] == [(D("123.456"), True, True)]
