"""What the trade manager does about the income of actual accounts: has it read, stores it, holds it against the program's own records and
tells the user of new differences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    BINANCE_API,
    AccountIncome,
    ActivationState,
    Done,
    Failed,
    LiveHeard,
    LiveMissed,
    ReadAccountIncome,
    ReconcileIncome,
    Reply,
)
from atm.model.account_facts import WalletSeen
from atm.model.activation import ActivationStatus
from atm.model.errors import ATMError, Unavailable
from atm.model.income import TRANSFERS, WALLET, IncomeLine, IncomeRecord, IncomeState, ReadPage
from atm.model.interval import DAY_MS
from atm.model.journal import Transferred
from atm.model.notice import Severity
from atm.storage.database import Database
from atm.trading.live import equity
from atm.trading.live.income_check import CUT_MS, OwnRecords, Settled, check, since_first
from atm.trading.live.income_clock import IncomeClock
from atm.trading.live.income_round import IncomeRound

log = logging.getLogger(__name__)

TICK_S = 1.0
ANSWER_S = 100.0
LOOKED_BACK_MS = 2 * DAY_MS
"""Of what is compared after each reading; the page compares all."""
MOST_TRADES = 5_000
"""Newest ones that are compared after each reading."""
MOST_TOLD = 1_000
Notify = Callable[..., None]
_EVENTS = equity.TRANSFERS | {"FUNDING_FEE", "INSURANCE_CLEAR", "ADJUSTMENT"}


class LiveAccounts(Protocol):
    """Who trades actual accounts."""

    @property
    def now_ms(self) -> int:
        """The exchange's clock, 0 while it is not known."""

    def names(self) -> tuple[str, ...]:
        """Accounts that have been compared with the exchange."""

    def transferred(self, name: str, told: Iterable[Transferred]) -> bool:
        """Money came in or went out; whether that is in the journal."""


class _Reading(msgspec.Struct):
    """One under way. state: as it is stored by now; asked: who waits for it; transfers: of all its pages."""

    round: IncomeRound
    state: IncomeState
    asked: list[Deferred] = []
    transfers: list[IncomeRecord] = []


class IncomeDesk:
    """settled(symbols, start_ms, end_ms): recorded mark prices and rates of funding stamps; notify(severity, text, subject,
    **parameters): tells the user; most_trades: that are compared after a reading."""

    def __init__(
        self,
        assistant: IPCAssistant,
        database: Database,
        live: LiveAccounts,
        notify: Notify,
        settled: Callable[[Iterable[str], int, int], Settled] = lambda _, __, ___: {},
        most_trades: int = MOST_TRADES,
    ) -> None:
        self._assistant, self._database, self._live = assistant, database, live
        self._notify, self._settled, self._most_trades = notify, settled, most_trades
        self._clocks: dict[str, IncomeClock] = {}
        self._readings: dict[str, _Reading] = {}
        self._asked: dict[str, list[Deferred]] = {}
        self._anew: set[str] = set()
        self._told: dict[tuple[object, ...], None] = {}
        assistant.subscribe(LiveHeard, self._on_heard)
        assistant.subscribe(LiveMissed, lambda event: self._clock(event.account).heard(live.now_ms))
        assistant.subscribe(ActivationState, self._on_activation)
        assistant.answer(ReconcileIncome, self._on_reconcile)
        assistant.every(TICK_S, self._tick)

    # --- when -------------------------------------------------------------------------------------------------

    def _clock(self, name: str) -> IncomeClock:
        return self._clocks.setdefault(name, IncomeClock())

    def _on_heard(self, event: LiveHeard) -> None:
        if any(isinstance(fact, WalletSeen) and fact.why in _EVENTS for fact in event.facts):
            self._clock(event.account).heard(self._live.now_ms)

    def _on_activation(self, event: ActivationState) -> None:
        if event.status is ActivationStatus.ACTIVE:
            self._clock(event.account).wanted(self._live.now_ms)

    def _on_reconcile(self, request: ReconcileIncome) -> Deferred:
        if request.account not in self._live.names():
            raise Unavailable(f"the account {request.account} is not connected")
        deferred = Deferred()
        if request.anew:
            self._anew.add(request.account)
        self._asked.setdefault(request.account, []).append(deferred)
        self._clock(request.account).wanted(self._live.now_ms)
        return deferred

    def _tick(self) -> None:
        now_ms, names = self._live.now_ms, self._live.names()
        if not now_ms:
            return
        for name in names:
            if name not in self._readings and self._clock(name).is_due(now_ms):
                self._begin(name, now_ms)
        for name in self._clocks.keys() - set(names) - self._readings.keys():
            del self._clocks[name]

    # --- a reading --------------------------------------------------------------------------------------------

    def _begin(self, name: str, now_ms: int) -> None:
        clock = self._clock(name)
        clock.begun()
        try:
            state = self._database.income.state(name)
            begun_ms = self._database.orders.begun_ms(name) or now_ms
        except ATMError as error:
            self._failed(name, str(error))
            return
        if name in self._anew:
            self._anew.discard(name)
            state = state.anew()
        asked = self._asked.pop(name, [])
        self._readings[name] = _Reading(IncomeRound(state, begun_ms - CUT_MS, now_ms), state, asked)
        self._ask(name)

    def _ask(self, name: str) -> None:
        reading = self._readings[name]
        question = reading.round.question
        if question is None:
            self._conclude(name, reading)
            return

        def answered(reply: Reply) -> None:
            if self._readings.get(name) is reading:
                self._answered(name, reading, reply)

        self._assistant.request_async(BINANCE_API, ReadAccountIncome(name, question), answered, timeout=ANSWER_S)

    def _answered(self, name: str, reading: _Reading, reply: Reply) -> None:
        if not isinstance(reply, AccountIncome):
            self._failed(name, reply.message if isinstance(reply, Failed) else "an unexpected reply")
            return
        try:
            if isinstance(reading.round.question, ReadPage):
                _, reading.state = self._database.income.take(name, reply.records, reading.state)
                reading.transfers += [record for record in reply.records if record.kind in TRANSFERS]
                reading.round.take_page(reply.records)
            else:
                reading.round.take_wallets(reply.wallets)
        except ATMError as error:
            self._failed(name, str(error))
            return
        self._ask(name)

    def _conclude(self, name: str, reading: _Reading) -> None:
        state = reading.round.concluded(reading.state)
        told = [Transferred(each.asset, each.amount, each.time_ms, each.transaction_id) for each in reading.transfers]
        # before the state says that they are known: after a kill in between they are told again, which does no harm
        if told and not self._live.transferred(name, told):
            self._failed(name, "the account is being taken up anew")
            return
        try:
            self._database.income.take(name, (), state)
            self._compare(name, state)
        except ATMError as error:
            self._failed(name, str(error))
            return
        del self._readings[name]
        self._clock(name).ended(self._live.now_ms, proved=reading.round.proves(state))
        for deferred in reading.asked:
            deferred.reply(Done())

    def _failed(self, name: str, reason: str) -> None:
        log.warning("the income of %s could not be read: %s", name, reason)
        reading = self._readings.pop(name, None)
        self._clock(name).failed(self._live.now_ms)
        for deferred in self._asked.pop(name, []) if reading is None else reading.asked:
            deferred.fail(Unavailable(reason))

    # --- differences ------------------------------------------------------------------------------------------

    def _compare(self, name: str, state: IncomeState) -> None:
        """Tell the user of differences that nothing explains and that were not told before."""
        recent = msgspec.structs.replace(state, since_ms=max(state.since_ms, state.until_ms - LOOKED_BACK_MS))
        trades = self._database.accounts.trades(name, self._most_trades)[::-1]
        whole = len(trades) < self._most_trades
        if not whole:
            recent = since_first(recent, trades)
        since_ms = recent.since_ms
        records = self._database.income.records(name, since_ms - CUT_MS)
        symbols = {trade.symbol for trade in trades}
        settled = self._settled(symbols, since_ms, state.until_ms)
        own = OwnRecords(trades, self._database.orders.outside(name), settled, whole=whole)
        fresh = [line for line in check(records, own, recent).open if _key(name, line) not in self._told]
        for line in fresh:
            self._told[_key(name, line)] = None
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        if fresh:
            worst = max(fresh, key=lambda line: abs(line.difference))
            self._notify(
                Severity.WARNING, "notice.income_differs", name, account=name, count=str(len(fresh)),
                kind=worst.kind, amount=f"{worst.difference:f}", asset=worst.asset,
            )  # fmt: skip


def _key(name: str, line: IncomeLine) -> tuple[object, ...]:
    at = 0 if line.kind == WALLET else line.time_ms
    return name, line.kind, line.symbol, line.asset, at, line.trade_id, line.difference
