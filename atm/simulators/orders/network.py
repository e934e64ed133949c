"""What lies between a live account and the exchange: time, and everything that can go wrong there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from atm.exchange.client import live_calls
from atm.exchange.client.failures import Answer as BadAnswer
from atm.exchange.client.failures import classify
from atm.exchange.client.live_calls import Call
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.model.errors import ATMError, Throttled, Unavailable, Unknown
from atm.model.live_request import Answer, LiveRequest, PlaceOrder, TakeSnapshot
from atm.simulators.orders.exchange import SimulatedExchange
from atm.simulators.orders.plan import Faults
from atm.simulators.orders.scheduler import Scheduler
from atm.trading.live.order_machine import RECEIVE_WINDOW_MS

LONGEST_LAG_MS = 12_000
LAGS_PER_SHARE = 5
"""Queries are rare, so that an order has to be hidden more often than other faults happen for one to meet it."""
LONGEST_DELAY_MS = 8_000
LONGEST_HOLD_MS = 6_000
LONGEST_POSITION_LAG_MS = 8_000
SLOW_SNAPSHOT_MS = (10_000, 50_000)
LATEST_EVENT_MS = 20_000
UNKNOWN_ERROR = BadAnswer(503, 0, "Unknown error, please check your request or try again later.")
NO_COUNTERPARTY = BadAnswer(400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit")
THROTTLED = BadAnswer(503, -1008, "Request throttled by system-level protection. Please try again.")
Done = Callable[[Answer], None]


class Network:
    """Carries requests to the exchange and events back. `faults()`: those that hold now; `refuses()`: whether the exchange takes no
    order at market now."""

    def __init__(
        self,
        scheduler: Scheduler,
        exchange: SimulatedExchange,
        draw: random.Random,
        faults: Callable[[], Faults],
        refuses: Callable[[], bool],
    ) -> None:
        self._refuses = refuses
        self._scheduler, self._exchange, self._draw, self._faults = scheduler, exchange, draw, faults
        self.happened: dict[str, int] = {}

    def chance(self, name: str) -> bool:
        """Whether a fault happens now; it is counted."""
        share: float = getattr(self._faults(), name)
        happens = share > 0.0 and self._draw.random() < share
        if happens:
            self.happened[name] = self.happened.get(name, 0) + 1
        return happens

    def latency(self) -> float:
        return self._draw.uniform(5.0, 120.0)

    # --- requests ---------------------------------------------------------------------------------------------

    def send(self, number: int, request: LiveRequest, done: Done) -> None:
        """Carry out a request; `done` gets its answer, exactly once."""
        if isinstance(request, TakeSnapshot) and self.chance("snapshot_slow"):
            done = self._slowed(done)
        hold_ms = self._draw.uniform(0.0, LONGEST_HOLD_MS) if self.chance("held_back") else 0.0
        self._scheduler.after(hold_ms, lambda: self._begin(number, request, done))

    def _slowed(self, done: Done) -> Done:
        slow_ms = self._draw.uniform(*SLOW_SNAPSHOT_MS)
        return lambda answer: self._scheduler.after(slow_ms, lambda: done(answer))

    def _begin(self, number: int, request: LiveRequest, done: Done) -> None:
        now_ms = self._scheduler.now_ms
        if isinstance(request, PlaceOrder) and now_ms > request.send_before_ms:
            done(live_calls.failed(request, number, now_ms, Unavailable("it was held back for too long")))
            return
        _Conversation(self, number, request, done).next()

    def arrive(self, call: Call, signed_ms: int) -> Any:
        """What the exchange makes of a call. Raises ATMError."""
        now_ms = self._scheduler.now_ms
        if now_ms - signed_ms > RECEIVE_WINDOW_MS:
            raise Unavailable("outside of the receive window")
        if self.chance("rate_limited"):
            raise Throttled("too many requests", 1.0)
        if self.chance("error_before"):
            raise classify(UNKNOWN_ERROR, call.places).error
        if call.method == "GET" and self._lags(call):
            raise classify(BadAnswer(400, -2013, "Order does not exist."), False).error
        if self._refuses() and call.path == "order" and call.parameters.get("type") == "MARKET":
            self.happened["market_refused"] = self.happened.get("market_refused", 0) + 1
            raise classify(NO_COUNTERPARTY, True).error
        if call.path == "positionRisk" and self.chance("positions_lag"):
            return self._exchange.positions_at(now_ms - round(self._draw.uniform(0.0, LONGEST_POSITION_LAG_MS)))
        try:
            document = self._exchange.call(call, now_ms)
        except ExchangeRefusal as refusal:
            raise classify(BadAnswer(refusal.status, refusal.code, refusal.text), call.places).error from None
        if self.chance("error_after"):
            raise classify(UNKNOWN_ERROR, call.places).error
        if call.places and self.chance("throttled_but_done"):
            raise classify(THROTTLED, True).error
        return document

    def _lags(self, call: Call) -> bool:
        """Whether a query does not see a young order yet. How long an order is hidden is drawn once, from its name."""
        name = call.parameters.get("origClientOrderId") or call.parameters.get("clientAlgoId")
        share = self._faults().query_lags
        if name is None or not share:
            return False
        lag = random.Random(name)
        hidden_ms = lag.uniform(0.0, LONGEST_LAG_MS) if lag.random() < LAGS_PER_SHARE * share else 0.0
        known = [order.time_ms for order in self._exchange.orders() if order.client_order_id == name]
        known += [each.time_ms for each in self._exchange.conditionals() if each.client_algo_id == name]
        hides = bool(known) and self._scheduler.now_ms - known[-1] < hidden_ms
        if hides:
            self.happened["query_lags"] = self.happened.get("query_lags", 0) + 1
        return hides

    @property
    def scheduler(self) -> Scheduler:
        return self._scheduler

    def delay(self, call: Call) -> float:
        """How long a call is on its way."""
        longest_ms = LONGEST_DELAY_MS if call.method != "GET" else LONGEST_DELAY_MS / 2
        return self._draw.uniform(1_000.0, longest_ms) if self.chance("delayed") else self.latency()

    # --- events -----------------------------------------------------------------------------------------------

    def deliver(self, event: dict[str, Any], heard: Callable[[dict[str, Any]], None]) -> None:
        """Bring an event to the account: not at all, once or twice, soon or late, and so in any order."""
        if self.chance("event_lost"):
            return
        if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE" and self.chance("only_short_fill"):
            return
        late = self._draw.uniform(200.0, LATEST_EVENT_MS) if self.chance("event_late") else self.latency()
        self._scheduler.after(late, lambda: heard(event))
        if self.chance("event_twice"):
            self._scheduler.after(late + self._draw.uniform(0.0, LATEST_EVENT_MS), lambda: heard(event))


class _Conversation:
    """The calls of one request, one after the other. What comes after the client's patience comes to nobody."""

    def __init__(self, network: Network, number: int, request: LiveRequest, done: Done) -> None:
        self._network, self._number, self._request, self._done = network, number, request, done
        self._left = list(live_calls.calls(request))
        self._documents: list[Any] = []
        self._asked_ms = network.scheduler.now_ms
        self._tries = 0
        self._turn = 0

    def next(self) -> None:
        """Make the next call, or answer."""
        network = self._network
        if not self._left:
            now_ms = network.scheduler.now_ms
            self._done(live_calls.answer(self._request, self._number, self._asked_ms, now_ms, self._documents))
            return
        call, signed_ms = self._left[0], network.scheduler.now_ms
        self._tries += 1
        self._turn += 1
        turn = self._turn
        network.scheduler.after(call.patience_ms, lambda: self._once(turn, lambda: self._lost(call)))
        if not network.chance("request_lost"):
            network.scheduler.after(network.delay(call), lambda: self._arrived(call, signed_ms, turn))

    def _once(self, turn: int, happen: Callable[[], None]) -> None:
        """Let something happen unless another thing has ended this turn."""
        if turn == self._turn:
            self._turn += 1
            happen()

    def _arrived(self, call: Call, signed_ms: int, turn: int) -> None:
        network = self._network
        try:
            document = network.arrive(call, signed_ms)
        except ATMError as error:
            self._back(turn, lambda error=error: self._failed(call, error))  # type: ignore[misc]
            return
        self._back(turn, lambda: self._answered(document))

    def _back(self, turn: int, deliver: Callable[[], None]) -> None:
        if not self._network.chance("answer_lost"):
            self._network.scheduler.after(self._network.latency(), lambda: self._once(turn, deliver))

    def _answered(self, document: Any) -> None:
        self._documents.append(document)
        self._left.pop(0)
        self._tries = 0
        self.next()

    def _lost(self, call: Call) -> None:
        self._failed(call, Unknown("no answer") if call.places else Unavailable("no answer"))

    def _failed(self, call: Call, error: ATMError) -> None:
        if self._tries < call.tries and isinstance(error, Unavailable):
            self.next()
        else:
            self._done(live_calls.failed(self._request, self._number, self._asked_ms, error))
