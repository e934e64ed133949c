"""Weeks of one actual account on the demo exchange's core in virtual time: positions held over funding stamps, transfers in between, fees,
resting stops, a process that is killed. In the end the income that was stored and the balances are the exchange's.

Every request is answered at once, so that the time goes into the account and not into a network (`run` is about that).
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from atm.exchange.client import income_calls, live_calls
from atm.exchange.client.failures import Answer as BadAnswer
from atm.exchange.client.failures import classify
from atm.exchange.client.live_calls import Call
from atm.exchange.client.live_facts import user_event
from atm.exchange.demo import administration
from atm.exchange.demo.marks import FUNDING_PERIOD_MS, FUNDING_RATE
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.model.account import AccountSetup, TradeRecord
from atm.model.errors import Invalid
from atm.model.income import FUNDING_FEE, TRANSFERS, IncomeCheck, IncomeRecord, IncomeState, ReadPage
from atm.model.interval import MINUTE_MS
from atm.model.journal import Checkpoint, JournalEntry, Target, Transferred
from atm.model.live_order import NOTHING
from atm.model.live_request import Answer, LiveRequest
from atm.model.risk import LiveSetup, RiskLimits, SymbolSetup
from atm.simulators.orders.exchange import START_MS, SYMBOLS, SimulatedExchange
from atm.simulators.orders.month_strategy import LEVERAGE, MonthStrategy
from atm.storage.database import Database
from atm.storage.orders import decoded, encoded
from atm.trading.actual import Held
from atm.trading.live.desk import Step
from atm.trading.live.income_check import OwnRecords, Settled, check, exact
from atm.trading.live.income_clock import IncomeClock
from atm.trading.live.income_round import IncomeRound
from atm.trading.live.journal_fold import restored
from atm.trading.live.live_account import LiveAccount
from atm.trading.live.trade_log import TradeLog

NAME = "main"
WARM_UP = 2_040
"""Minutes before the first one that is traded on: the analyses need them."""
LEAST_MINUTES = 10
LOOKS_MS = (0, 300, 1_200, 2_500, 6_000)
"""After a decision, when the account is looked at again: its orders follow one another."""
TRANSFER_MINUTES, KILL_MINUTES = 1_900, 4_100
"""Mean times between transfers and between kills."""


class MonthOutcome(msgspec.Struct, frozen=True):
    """What came of it. check: our records against the income; wallet: (exchange's, ours); worst: greatest difference of a wallet, a
    fill's commission or profit, or a funding payment; twice: records that were told again and not stored again."""

    check: IncomeCheck
    wallet: tuple[Decimal, Decimal]
    worst: Decimal
    records: dict[str, int]
    twice: int
    kills: int
    stops: int
    readings: int
    unlike: int


class Month:
    """See the module. minutes: how long; database: where income and trades are stored; seed: of transfers and kills."""

    def __init__(self, assets: Path, database: Database, minutes: int, seed: int = 1) -> None:
        if minutes < LEAST_MINUTES:
            raise Invalid("minutes", minutes, f"at least {LEAST_MINUTES}")
        minutes += WARM_UP
        self._minutes = minutes
        self._draw = random.Random(seed)  # a scenario, no secret
        self._events: deque[dict[str, Any]] = deque()
        self._now_ms = START_MS + WARM_UP * MINUTE_MS
        self.exchange = SimulatedExchange(assets, self._now_ms, self._events.append, minutes + 1)
        self._income = database.income
        database.accounts.put(AccountSetup(NAME))
        self._journal: list[bytes] = []
        self.trades: list[TradeRecord] = []
        self._clock = IncomeClock()
        self._strategy = MonthStrategy(self.exchange.markets, minutes)
        self._stopped: dict[str, int] = {}
        symbols = {symbol: SymbolSetup(LEVERAGE, isolated=symbol == SYMBOLS[0]) for symbol in SYMBOLS}
        self._setup = LiveSetup(symbols, RiskLimits(), stop_distance=0.03)
        self._quote = {symbol: each.quote_asset for symbol, each in self.exchange.instruments.items()}
        self._kills = self._stops = self._readings = self._told = 0
        self._begin()

    # --- the run ----------------------------------------------------------------------------------------------

    def go(self) -> MonthOutcome:
        """Let all minutes pass, close everything, read for the last time, compare."""
        for minute in range(WARM_UP, self._minutes - 2):
            self._pass(START_MS + minute * MINUTE_MS + 1_000)
            if self._draw.random() < 1 / TRANSFER_MINUTES:
                self._transfer()
            if self._draw.random() < 1 / KILL_MINUTES:
                self._kills += 1
                self._begin()
            self._decide(minute)
            if self._clock.is_due(self._now_ms):
                self._read(kill=self._draw.random() < 0.05)
        self._aim([Target(symbol, NOTHING, self._now_ms) for symbol in SYMBOLS])
        self._pass(self._now_ms + MINUTE_MS)
        self._read(kill=False)
        return self._outcome()

    def _pass(self, to_ms: int) -> None:
        """Time goes on; the account is looked at."""
        self._now_ms = max(self._now_ms, to_ms)
        self.exchange.advance(self._now_ms)
        self._hear()
        self._price()
        self._do(self.account.tick(self._now_ms))

    def _begin(self) -> None:
        """The process starts: it knows what its journal says."""
        state = restored([decoded(row) for row in self._journal])
        self.log = TradeLog(state, {trade.symbol: trade for trade in self.trades[-500:]})
        self.account = LiveAccount(NAME, self._setup, self.exchange.instruments, state)
        self._events.clear()
        self._price()
        self._do(self.account.start(self._now_ms))
        self._clock.wanted(self._now_ms)

    def _price(self) -> None:
        for symbol, market in self.exchange.markets.items():
            last, mark = market.price(self._now_ms), market.mark(self._now_ms)
            self.account.priced(symbol, Decimal(str(last)), Decimal(str(mark)), self._now_ms)

    def _transfer(self) -> None:
        amount = round(self._draw.uniform(-400.0, 400.0), 8)
        administration.deposit(self.exchange.engine, NAME, amount, self._now_ms)
        self._hear()
        self._clock.heard(self._now_ms)

    # --- the strategy -----------------------------------------------------------------------------------------

    def _decide(self, minute: int) -> None:
        """What the engine makes of the minute that has just closed, the exchange's positions and wallets."""
        held = {
            symbol: Held(float(book.own), self._entry(symbol), self._stopped.get(symbol, 0))
            for symbol, book in self.account.state.books.items()
        }
        self._stopped.clear()
        wallets = {asset: float(wallet) for asset, wallet in self.account.wallets.items()}
        self._aim(self._strategy.minute(minute - 1, held, wallets))

    def _entry(self, symbol: str) -> float:
        seen = self.account.positions.get(symbol)
        return 0.0 if seen is None else float(seen.entry)

    def _aim(self, targets: Sequence[Target]) -> None:
        for target in targets:
            self._do(self.account.aim(target, self._now_ms))
        begun_ms = self._now_ms
        for look_ms in LOOKS_MS if targets else ():
            self._pass(begun_ms + look_ms)

    # --- the shell --------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        """Journal and log, send, hear; what follows from the answers as well."""
        steps = deque((step,))
        while steps:
            step = steps.popleft()
            self._commit(step.entries)
            for notice in step.notices:
                if notice.stopped:
                    self._stops += 1
                    self._stopped[notice.scope] = notice.stopped
            for number, request in step.requests:
                answer = self._carry_out(number, request)
                steps.append(self.account.answered(answer, self._now_ms))
                steps += self._heard()

    def _commit(self, entries: Sequence[JournalEntry]) -> None:
        for entry in entries:
            if isinstance(entry, Checkpoint):
                self._journal.clear()
            self._journal.append(encoded(entry))
        if entries:
            self.trades += self.log.records(entries, self.account.state, self.account.wallets, self._quote)

    def _carry_out(self, number: int, request: LiveRequest) -> Answer:
        asked_ms, documents = self._now_ms, []
        for call in live_calls.calls(request):
            try:
                documents.append(self._call(call))
            except ExchangeRefusal as refusal:
                error = classify(BadAnswer(refusal.status, refusal.code, refusal.text), call.places).error
                return live_calls.failed(request, number, asked_ms, error)
        return live_calls.answer(request, number, asked_ms, self._now_ms, documents)

    def _call(self, call: Call) -> Any:
        self._now_ms += 2
        return self.exchange.call(call, self._now_ms)

    def _heard(self) -> list[Step]:
        found = []
        while self._events:
            facts = user_event(self._events.popleft())
            if facts:
                found.append(self.account.learned(facts, self._now_ms))
        return found

    def _hear(self) -> None:
        for step in self._heard():
            self._do(step)

    # --- income -----------------------------------------------------------------------------------------------

    def _read(self, *, kill: bool) -> None:
        """One reading; kill: the process dies in the middle of it, and the next one begins anew."""
        self._clock.begun()
        self._readings += 1
        state = self._income.state(NAME)
        reading, told = IncomeRound(state, START_MS, self._now_ms), list[IncomeRecord]()
        while reading.question is not None:
            document = self._call(income_calls.call(reading.question))
            if isinstance(reading.question, ReadPage):
                page = income_calls.records(document)
                fresh, state = self._income.take(NAME, page, state)
                self._told += len(page) - len(fresh)
                told += page
                reading.take_page(page)
                if kill:
                    self._clock.failed(self._now_ms)
                    return
            else:
                reading.take_wallets(income_calls.wallets(document))
        state = reading.concluded(state)
        self._income.take(NAME, (), state)
        moved = [
            Transferred(each.asset, each.amount, each.time_ms, each.transaction_id)
            for each in told
            if each.kind in TRANSFERS
        ]
        self._do(self.account.transferred(moved, self._now_ms))
        self._clock.ended(self._now_ms, proved=reading.proves(state))

    # --- the end ----------------------------------------------------------------------------------------------

    def _outcome(self) -> MonthOutcome:
        records, state = self._income.records(NAME), self._income.state(NAME)
        found = check(records, OwnRecords(self.trades, (), self._settled(state)), state)
        has = exact(self.exchange.account.balance())
        made = state.reckoned().get("USDT", NOTHING)
        told = [(each.kind, each.symbol, each.amount, each.time_ms) for each in records]
        booked = Counter(
            (each.kind, each.symbol, exact(each.amount), each.time_ms) for each in self.exchange.account.incomes
        )
        unlike = sum(((Counter(told) - booked) + (booked - Counter(told))).values())
        differences = [abs(has - made), abs(self._own_wallet(records) - has), *self._funding_differences(records)]
        differences += [abs(line.difference) for line in found.open]
        return MonthOutcome(
            found, (has, made), max(differences), dict(Counter(each.kind for each in records)), self._told, self._kills,
            self._stops, self._readings, unlike,
        )  # fmt: skip

    def _settled(self, state: IncomeState) -> Settled:
        stamps = range(START_MS - START_MS % FUNDING_PERIOD_MS, state.until_ms + 1, FUNDING_PERIOD_MS)
        return {
            (symbol, stamp): (market.mark(stamp), FUNDING_RATE)
            for symbol, market in self.exchange.markets.items()
            for stamp in stamps
            if stamp >= START_MS
        }

    def _own_wallet(self, records: Sequence[IncomeRecord]) -> Decimal:
        """What the trade log makes of the first balance, with what no log can know: funding and transfers."""
        traded = sum((exact(trade.profit) - exact(trade.fee) for trade in self.trades), NOTHING)
        others = sum((each.amount for each in records if each.kind in TRANSFERS or each.kind == FUNDING_FEE), NOTHING)
        return Decimal(10_000) + traded + others

    def _funding_differences(self, records: Sequence[IncomeRecord]) -> list[Decimal]:
        """Payments less −position · mark price · rate, the position by the trade log."""
        own = OwnRecords(self.trades)
        found = []
        for each in records:
            if each.kind == FUNDING_FEE:
                quantity = own.held(each.symbol, each.time_ms) or NOTHING
                mark = exact(self.exchange.markets[each.symbol].mark(each.time_ms))
                found.append(abs(each.amount + quantity * mark * exact(FUNDING_RATE)))
        return found
