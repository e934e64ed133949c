"""The exchange of `week.py` in virtual time: the demo exchange's engine without sockets, and in front of it what the Binance API manager
answers, in the same thread as the trade manager."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from atm.exchange.client import income_calls, live_calls
from atm.exchange.client.failures import Answer as BadAnswer
from atm.exchange.client.failures import classify
from atm.exchange.client.live_calls import Call
from atm.exchange.client.live_facts import read_event
from atm.exchange.demo import passage
from atm.exchange.demo.account import Account, ExchangeState
from atm.exchange.demo.account_answers import AccountAnswers
from atm.exchange.demo.conditional_answers import ConditionalAnswers
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import Market
from atm.exchange.demo.order_answers import OrderAnswers
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked
from atm.exchange.demo.rules import Rules
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    AccountIncome,
    CarriedOut,
    CarryOut,
    CloseLiveAccount,
    Done,
    LastTrade,
    LiveClock,
    LiveHeard,
    LiveMissed,
    MarkPrice,
    OpenLiveAccount,
    OrdersProbed,
    ProbeOrders,
    ReadAccountIncome,
    Reply,
)
from atm.model.errors import ATMError
from atm.model.income import ReadPage
from atm.model.live_request import Answer
from atm.simulators.orders.scheduler import Scheduler

LATENCY_MS = (20.0, 120.0)
"""The model: a request, an answer or an event of the user stream is so long on its way, evenly drawn; events of an account do not
overtake each other, since they come over one connection."""

TICKS_MS = (400, 2_700)
"""After an event that the user stream tells."""


class WeekExchange:
    """accounts: their names, 10,000 USDT each; moved(): the clock has gone on."""

    def __init__(
        self, assistant: IPCAssistant, markets: Mapping[str, Market], rules: Mapping[str, Rules], accounts: Iterable[str],
        scheduler: Scheduler,
    ) -> None:  # fmt: skip
        self._assistant, self._scheduler = assistant, scheduler
        self._draw = random.Random(1)  # a scenario, no secret
        self.markets = dict(markets)
        self.accounts = {name: Account(name=name) for name in accounts}
        state = ExchangeState(scheduler.now_ms, dict(self.accounts), {})
        self.engine = Engine(self.markets, dict(rules), state, lambda account, event: self._emit(account.name, event))
        self._handlers = (
            AccountAnswers(self.engine).handlers
            | OrderAnswers(self.engine).handlers
            | ConditionalAnswers(self.engine).handlers
        )
        self._open: set[str] = set()
        self._heard_ms: dict[str, int] = {}
        assistant.answer(OpenLiveAccount, self._on_open)
        assistant.answer(CloseLiveAccount, lambda _: Done())
        assistant.answer(CarryOut, self._on_carry_out)
        assistant.answer(ReadAccountIncome, self._on_income)
        assistant.answer(ProbeOrders, lambda _: OrdersProbed(()))

    @property
    def is_busy(self) -> bool:
        """Whether anything rests or is held, so that a moment may matter."""
        return any(
            account.open_orders or account.conditionals or any(each.amount for each in account.positions.values())
            for account in self.accounts.values()
        )

    def advance(self) -> None:
        """Let the market run up to now."""
        passage.advance(self.engine, self._scheduler.now_ms)

    def tell(self) -> None:
        """Clock and prices of this moment, up to which the market has run."""
        self.advance()
        now_ms = self._scheduler.now_ms
        self._assistant.publish(LiveClock(now_ms, 1.0))
        for symbol, market in self.markets.items():
            mark, last = market.mark(now_ms), market.price(now_ms)
            self._assistant.publish(MarkPrice(symbol, now_ms, mark, mark, 0.0, 0), key=symbol)
            self._assistant.publish(LastTrade(symbol, now_ms, last, 1.0, False), key=symbol)

    def _later(self, happen: Callable[[], None]) -> None:
        self._scheduler.after(self._draw.uniform(*LATENCY_MS), happen)

    # --- what the Binance API manager does --------------------------------------------------------------------

    def _on_open(self, request: OpenLiveAccount) -> Reply:
        self._open.add(request.account)
        self._assistant.publish(LiveMissed(request.account), key=request.account)
        return Done()

    def _on_carry_out(self, request: CarryOut) -> Deferred:
        deferred, asked_ms = Deferred(), self._scheduler.now_ms

        def arrived() -> None:
            answer = self._answer(request, asked_ms)
            self._later(lambda: deferred.reply(CarriedOut(answer)))

        self._later(arrived)
        return deferred

    def _answer(self, request: CarryOut, asked_ms: int) -> Answer:
        """What all calls of a request come to."""
        try:
            documents = [self._call(request.account, call) for call in live_calls.calls(request.request)]
        except ATMError as error:
            return live_calls.failed(request.request, request.number, asked_ms, error)
        return live_calls.answer(request.request, request.number, asked_ms, self._scheduler.now_ms, documents)

    def _on_income(self, request: ReadAccountIncome) -> Reply:
        document = self._call(request.account, income_calls.call(request.question))
        if isinstance(request.question, ReadPage):
            return AccountIncome(records=income_calls.records(document))
        return AccountIncome(wallets=income_calls.wallets(document))

    def _emit(self, name: str, event: dict[str, Any]) -> None:
        facts = read_event(event)
        if facts and name in self._open:
            comes_ms = self._scheduler.now_ms + round(self._draw.uniform(*LATENCY_MS))
            comes_ms = self._heard_ms[name] = max(comes_ms, self._heard_ms.get(name, 0))
            self._scheduler.at(comes_ms, lambda: self._assistant.publish(LiveHeard(name, facts), key=name))
            for delay_ms in TICKS_MS:  # the trade manager's timers, which the steps of a minute are too long for
                self._scheduler.after(delay_ms, self.advance)

    def _call(self, name: str, call: Call) -> Any:
        """What the exchange makes of a call now. Raises ATMError."""
        self.advance()
        asked = Asked(f"v{call.version}", dict(call.parameters), self._scheduler.now_ms, self.accounts[name])
        try:
            return self._handlers[call.method, f"v{call.version}/{call.path}"](asked)
        except ExchangeRefusal as refusal:
            raise classify(BadAnswer(refusal.status, refusal.code, refusal.text), call.places).error from None
