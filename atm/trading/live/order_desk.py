"""Looking after orders: facts about them, requests about them, and asking until each is known."""

from __future__ import annotations

from collections.abc import Iterable

from atm.model.account_facts import TradeSeen
from atm.model.live_order import LiveOrder, OrderState, Purpose
from atm.model.live_request import (
    Answer,
    CancelOrder,
    Failure,
    FailureKind,
    FindOrder,
    PlaceOrder,
    QueryOrder,
    QueryTrades,
)
from atm.model.order_facts import CancelAsked, Declined, Dropped, Filled, Lost, NotFound, OrderFact
from atm.trading.live.desk import Desk, Flight
from atm.trading.live.journal_fold import is_news
from atm.trading.live.looks import (
    NOTICE_AFTER,
    Look,
    Need,
    first_look,
    looked,
    need,
)

LOST_AFTER_MS = 2_500
"""An order that is not answered by then is asked for; its answer may still come."""


class OrderDesk:
    """`changed`: conditional orders whose executed quantity grew since it was last emptied; `seen_ms`: when a query that found
    the order was sent, by client id, of orders that the journal remembers (one that finds nothing says nothing of an order that
    exists: queries lag)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looks: dict[str, Look] = {}
        self.seen_ms: dict[str, int] = {}
        self.changed: list[LiveOrder] = []

    def adopt_journal(self, now_ms: int) -> None:
        """After a start: what was not sent never will be, what was sent may exist."""
        for order in list(self._desk.state.orders.values()):
            if order.state is OrderState.NEW:
                self._desk.record(Dropped(order.client_id, "the program ended before it was sent", now_ms))
            elif order.state is OrderState.SENT:
                self._desk.record(Lost(order.client_id, now_ms))

    def learn(self, fact: OrderFact) -> bool:
        """Take in a fact; whether it is about an order of the journal."""
        before = self._desk.state.orders.get(fact.client_id)
        if before is None:
            return False
        if is_news(self._desk.state, fact):
            self._desk.record(fact)
            after = self._desk.state.orders.get(fact.client_id)
            if after is not None and after.intent.is_conditional and after.executed > before.executed:
                self.changed.append(after)
        return True

    # --- requests ---------------------------------------------------------------------------------------------

    def place(self, order: LiveOrder, now_ms: int) -> None:
        """Send an order that has been journalled."""
        request = PlaceOrder(order.intent, self._desk.latest_send(now_ms))
        self._desk.ask(request, ("place", order.client_id), now_ms)

    def cancel(self, order: LiveOrder, now_ms: int) -> None:
        """Cancel a resting order."""
        key = ("cancel", order.client_id)
        if self._desk.is_asking(key):
            return
        self._desk.record(CancelAsked(order.client_id, now_ms))
        self._looks.pop(order.client_id, None)
        request = CancelOrder(order.intent.symbol, order.client_id, order.intent.is_conditional)
        self._desk.ask(request, key, now_ms)

    def look_at(self, order: LiveOrder, now_ms: int) -> None:
        """Ask for an order now."""
        request = QueryOrder(order.intent.symbol, order.client_id, order.intent.is_conditional)
        self._desk.ask(request, ("look", order.client_id), now_ms)

    def look_after(self, now_ms: int) -> None:
        """Ask about every order of which something has to be known."""
        unfinished = self._desk.unfinished()
        for client_id in self._looks.keys() - {order.client_id for order in unfinished}:
            del self._looks[client_id]
        self._look_after_all(unfinished, now_ms)

    def look_after_symbol(self, symbol: str, now_ms: int) -> None:
        """The same for the orders of one symbol."""
        self._look_after_all(self._desk.unfinished_of(symbol), now_ms)

    def _look_after_all(self, orders: Iterable[LiveOrder], now_ms: int) -> None:
        for order in orders:
            if order.state is OrderState.SENT and now_ms - order.sent_ms >= LOST_AFTER_MS:
                self.learn(Lost(order.client_id, now_ms))
            self._look_after(self._desk.state.orders[order.client_id], now_ms)

    def _look_after(self, order: LiveOrder, now_ms: int) -> None:
        wanted = need(order)
        if wanted is Need.NOTHING or order.state is OrderState.SENT:
            self._looks.pop(order.client_id, None)
            return
        look = self._looks.get(order.client_id)
        if look is None or look.need is not wanted:
            look = self._looks[order.client_id] = first_look(order, wanted, now_ms)
        if now_ms < look.next_ms or wanted is Need.PROOF:
            return
        if wanted is Need.TRADES:
            self._desk.ask(QueryTrades(order.intent.symbol, order.order_id), ("trades", order.client_id), now_ms)
        elif order.cancel_asked_ms and order.rests and look.tries % 2:
            self.cancel(order, now_ms)
            self._looks[order.client_id] = look
        else:
            self.look_at(order, now_ms)
        looked(look, now_ms)
        if look.tries == NOTICE_AFTER:
            self._desk.note(
                "notice.live_order_unknown", order.intent.symbol, order.client_id, urgent=order.is_unresolved
            )

    # --- answers ----------------------------------------------------------------------------------------------

    def answered(self, flight: Flight, answer: Answer, now_ms: int) -> Failure | None:
        """Take in what became of a request about an order; facts were learnt before. Returns why an order was not accepted."""
        request, failure = flight.request, answer.failure
        match request:
            case PlaceOrder():
                return self._placed(request.intent.client_id, failure, now_ms)
            case QueryOrder():
                if failure is None:
                    self._seen(request.client_id, answer.asked_ms)
                elif failure.kind is FailureKind.NOT_FOUND:
                    self.learn(NotFound(request.client_id, answer.asked_ms))
            case QueryTrades():
                self.trades(answer.trades)
            case CancelOrder() | FindOrder():
                pass
        return None

    def _seen(self, client_id: str, asked_ms: int) -> None:
        for forgotten in self.seen_ms.keys() - self._desk.state.orders.keys():
            del self.seen_ms[forgotten]
        self.seen_ms[client_id] = asked_ms

    def _placed(self, client_id: str, failure: Failure | None, now_ms: int) -> Failure | None:
        if failure is None:
            return None
        if failure.kind is FailureKind.UNKNOWN:
            self.learn(Lost(client_id, now_ms))
            return None
        self.learn(Declined(client_id, failure.code, failure.reason, now_ms))
        order = self._desk.state.orders.get(client_id)
        return failure if order is not None and order.state is OrderState.REJECTED else None

    def trades(self, trades: Iterable[TradeSeen]) -> list[TradeSeen]:
        """Fills from the account's history, to the orders that they belong to; returns those of orders that are not ours as far
        as the journal knows."""
        owners = {
            (order.intent.symbol, order.order_id): order.client_id
            for order in self._desk.state.orders.values()
            if order.order_id
        }
        strangers = []
        for trade in trades:
            owner = owners.get((trade.symbol, trade.order_id))
            if owner is None:
                strangers.append(trade)
            else:
                self.learn(Filled(owner, trade.fill, trade.order_id))
        return strangers

    def unplaced(self, symbol: str, decision_ms: int, purposes: tuple[Purpose, ...]) -> LiveOrder | None:
        """An order of this decision that was proved never to have been placed and has no further attempt yet."""
        orders = self._desk.state.orders.values()
        found = [each for each in orders if each.state is OrderState.NOT_PLACED and each.intent.purpose in purposes]
        found = [each for each in found if (each.intent.symbol, each.intent.decision_ms) == (symbol, decision_ms)]
        if not found:
            return None
        tried = {
            (each.intent.slice, each.intent.attempt)
            for each in orders
            if (each.intent.symbol, each.intent.decision_ms) == (symbol, decision_ms)
        }
        return next((each for each in found if (each.intent.slice, each.intent.attempt + 1) not in tried), None)
