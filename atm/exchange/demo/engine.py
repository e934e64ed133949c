"""Orders and fills of all accounts on the replayed markets. Time is an argument; events go to `emit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atm.exchange.demo import conditional_documents, documents, order_documents
from atm.exchange.demo.account import (
    KEPT,
    MAKER_FEE,
    TAKER_FEE,
    Account,
    ExchangeState,
    Income,
    Margins,
    Order,
    Trade,
    booked,
    margins,
    movable,
    order_margin,
)
from atm.exchange.demo.book import book_at
from atm.exchange.demo.checks import check_limits, check_margin, check_reduction
from atm.exchange.demo.conditional import Conditional
from atm.exchange.demo.market import Market
from atm.exchange.demo.matching import Matching, matched, price_from_book
from atm.exchange.demo.order_form import Parameters, read_order
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import Rules, check_filters
from atm.exchange.demo.states import CONDITIONAL_STATES, ORDER_STATES, moved
from atm.ledger.fill import commission
from atm.ledger.margin import bracket_table
from atm.ledger.settings import ALLOWED, NOT_OFFERED, leverage_change, mode_change
from atm.model.interval import DAY_MS

SELF_TRADE, IOC_REST, IOC_SELF_TRADE, NOTHING_TO_REDUCE, LIQUIDATED, MARKET_REST = 1, 2, 3, 4, 5, 9
"""Why an order ended, as user events name it."""
MARKET_BUY_RESERVE = 0.0005
"""A market order to buy must be affordable at a price that much higher (spec: exchange §3.5)."""
UNFILLED_KEPT_MS, KEPT_MS = 3 * DAY_MS, 90 * DAY_MS
Emit = Callable[[Account, documents.Document], None]


class Engine:
    """Orders of all accounts. `emit(account, event)` gets the events of the user stream, `publish(event)` those that everybody
    may see (liquidations); `changed` is set whenever something happened that must survive a restart, and reset by whoever
    stores it."""

    def __init__(
        self, markets: Mapping[str, Market], rules: Mapping[str, Rules], state: ExchangeState, emit: Emit,
        publish: Callable[[documents.Document], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.markets, self.rules, self.state = markets, rules, state
        self.brackets = {symbol: bracket_table(market.instrument.brackets) for symbol, market in markets.items()}
        self.emit, self.publish = emit, publish
        self.changed = True

    def market(self, symbol: str | None) -> Market:
        """The market of a symbol that a request names."""
        if not symbol:
            raise ExchangeRefusal(-1102, "symbol")
        if symbol not in self.markets:
            raise ExchangeRefusal(-1121)
        return self.markets[symbol]

    def margins(self, account: Account, now_ms: int) -> Margins:
        """Margins of an account now."""
        return margins(account, lambda symbol: self.markets[symbol].mark(now_ms), self.brackets)

    # --- placing ----------------------------------------------------------------------------------------------

    def place(self, account: Account, given: Parameters, now_ms: int) -> Order:
        """Check as the exchange does, then fill or rest. Raises ExchangeRefusal; then nothing was changed."""
        return self.enter(account, self._read(given, now_ms), now_ms)

    def check(self, account: Account, given: Parameters, now_ms: int) -> None:
        """All checks of an order that is not placed (order/test). Raises ExchangeRefusal."""
        self.verified(account, self._read(given, now_ms), now_ms)

    def _read(self, given: Parameters, now_ms: int) -> Order:
        market = self.market(given.get("symbol"))
        if not market.is_listed(now_ms):
            raise ExchangeRefusal(-4140)
        order = read_order(given, market.symbol, now_ms)
        order.price = order.price or self.price_from_book(market, order.price_match, order.sign, now_ms)
        return order

    def price_from_book(self, market: Market, match: str, sign: int, now_ms: int) -> str:
        """The price that a price match names now. Raises ExchangeRefusal."""
        return price_from_book(match, sign, market, book_at(market, now_ms))

    def enter(self, account: Account, order: Order, now_ms: int) -> Order:
        """Check an order and let it into the book, where it fills or rests. Raises ExchangeRefusal; then nothing was changed."""
        return self.admit(account, order, self.verified(account, order, now_ms), now_ms)

    def admit(self, account: Account, order: Order, matching: Matching, now_ms: int) -> Order:
        """Let an order that has passed its checks into the book."""
        order.order_id = order.order_id or self.state.take_id()
        order.client_order_id = order.client_order_id or f"demo-{order.order_id}"
        account.open_orders[order.order_id] = order
        self.changed = True
        self.report(account, order, "NEW", None, now_ms)
        self.take(account, order, matching, now_ms)
        return order

    def verified(self, account: Account, order: Order, now_ms: int, too_small: int = -4164) -> Matching:
        """What an order would take from the book now, if all checks let it pass. Raises ExchangeRefusal."""
        if self.markets[order.symbol].halted_ms is not None:
            raise ExchangeRefusal(-4140)
        mark = self.markets[order.symbol].mark(now_ms)
        check_filters(order, self.rules[order.symbol], mark, too_small)
        check_limits(account, order, self.rules[order.symbol].max_orders)
        check_reduction(account, order)
        matching = self._matched(account, order, mark, now_ms)
        price = matching.average or float(order.price)
        if order.type == "MARKET" and order.sign > 0:
            price *= 1 + MARKET_BUY_RESERVE
        available = self.margins(account, now_ms).available
        check_margin(account, order, price, mark, self.brackets[order.symbol], available)
        if order.type == "MARKET" and not matching.fills and not matching.taker_expires:
            raise ExchangeRefusal(-4131)
        if order.time_in_force == "FOK" and matching.quantity < order.rest - 1e-9:
            raise ExchangeRefusal(-5021)
        if order.time_in_force == "GTX" and matching.fills:
            raise ExchangeRefusal(-5022)
        return matching

    def _matched(self, account: Account, order: Order, mark: float, now_ms: int) -> Matching:
        """What is taken at once. A market order walks at most marketTakeBound away from the mark price."""
        market = self.markets[order.symbol]
        if order.type == "LIMIT":
            limit = float(order.price)
        else:
            limit = mark * (1 + order.sign * self.rules[order.symbol].bound)
        return matched(account, order, market, book_at(market, now_ms), limit)

    def take(self, account: Account, order: Order, matching: Matching, now_ms: int) -> None:
        """Carry out what an open order takes at once; what may not rest expires."""
        for maker in matching.makers:
            self.end(account, maker, "EXPIRED_IN_MATCH", now_ms, SELF_TRADE)
        for price, quantity in matching.fills:
            self.fill(account, order, price, quantity, False, now_ms)
        if order.order_id not in account.open_orders:
            return
        is_immediate = order.time_in_force in ("IOC", "FOK")
        if matching.taker_expires:
            self.end(account, order, "EXPIRED_IN_MATCH", now_ms, IOC_SELF_TRADE if is_immediate else SELF_TRADE)
        elif order.type == "MARKET" or is_immediate:
            self.end(account, order, "EXPIRED", now_ms, MARKET_REST if order.type == "MARKET" else IOC_REST)

    # --- finding and ending -----------------------------------------------------------------------------------

    def find(self, account: Account, given: Parameters, now_ms: int, open_only: bool = False) -> Order:
        """The newest order that a request names by orderId or origClientOrderId. Raises ExchangeRefusal(-2013)."""
        symbol = self.market(given.get("symbol")).symbol
        number, name = given.get("orderId"), given.get("origClientOrderId")
        if not number and not name:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise ExchangeRefusal(-1102, text=text)
        known = list(reversed(account.open_orders.values()))
        if not open_only:
            known += [order for order in reversed(account.old_orders) if is_remembered(order, now_ms)]
        for order in known:
            if order.symbol == symbol and (str(order.order_id) == number if number else order.client_order_id == name):
                return order
        raise ExchangeRefusal(-2013)

    def cancel(self, account: Account, given: Parameters, now_ms: int) -> Order:
        """Cancel an open order. Raises ExchangeRefusal(-2011)."""
        try:
            order = self.find(account, given, now_ms, open_only=True)
        except ExchangeRefusal as refusal:
            raise (ExchangeRefusal(-2011) if refusal.code == -2013 else refusal) from None
        self.end(account, order, "CANCELED", now_ms)
        return order

    def cancel_all(self, account: Account, symbol: str, now_ms: int, status: str = "CANCELED", expiry: int = 0) -> None:
        """End all open orders of a symbol."""
        for order in [held for held in account.open_orders.values() if held.symbol == symbol]:
            self.end(account, order, status, now_ms, expiry)

    def end(self, account: Account, order: Order, status: str, now_ms: int, expiry: int = 0) -> None:
        """An order ends without (further) fill."""
        order.status = moved(ORDER_STATES, order.status, status)
        order.update_ms, order.expiry = now_ms, expiry
        self.archive(account, order)
        self.report(account, order, "EXPIRED" if status == "EXPIRED_IN_MATCH" else status, None, now_ms)
        self._finish(account, order, now_ms)

    def archive(self, account: Account, order: Order) -> None:
        """An order that has ended leaves the open ones."""
        account.open_orders.pop(order.order_id, None)
        account.old_orders.append(order)
        del account.old_orders[:-KEPT]
        self.changed = True

    def report(self, account: Account, order: Order, kind: str, fill: Trade | None, now_ms: int) -> None:
        """Tell the user stream of an order."""
        self.emit(account, order_documents.order_event(account, order, kind, fill, now_ms, self.markets[order.symbol]))

    # --- conditional orders -----------------------------------------------------------------------------------

    def move_conditional(self, account: Account, conditional: Conditional, status: str, now_ms: int) -> None:
        """Take a conditional order to another state and tell the user stream; one that is done leaves the open ones."""
        conditional.status = moved(CONDITIONAL_STATES, conditional.status, status)
        conditional.update_ms = now_ms
        if not CONDITIONAL_STATES[status]:
            account.conditionals.pop(conditional.algo_id, None)
            account.old_conditionals.append(conditional)
            del account.old_conditionals[:-KEPT]
        self.changed = True
        self.report_conditional(account, conditional, now_ms)

    def report_conditional(self, account: Account, conditional: Conditional, now_ms: int) -> None:
        """Tell the user stream of a conditional order."""
        self.emit(account, conditional_documents.event(conditional, now_ms))

    def _finish(self, account: Account, order: Order, now_ms: int) -> None:
        """The conditional order that an ended order came from is done."""
        conditional = account.conditionals.get(order.algo_id)
        if conditional is not None and conditional.status == "TRIGGERED":
            conditional.average, conditional.executed = order.average, order.executed
            self.move_conditional(account, conditional, "FINISHED", now_ms)

    # --- filling ----------------------------------------------------------------------------------------------

    def fill(self, account: Account, order: Order, price: float, quantity: float, maker: bool, now_ms: int) -> None:
        """Fill part of an open order; a reduce-only order at most what is held. Does nothing to an order that has ended."""
        if order.order_id not in account.open_orders:
            return
        held = account.position(order.symbol).amount
        if order.reduce_only:
            quantity = min(quantity, max(0.0, -held * order.sign))
        if quantity <= 0:
            self.end(account, order, "EXPIRED", now_ms, NOTHING_TO_REDUCE)
            return
        fee = booked(commission(quantity, price, MAKER_FEE if maker else TAKER_FEE))
        profit = account.apply(order.symbol, order.sign * quantity, price, fee, now_ms)
        fill = Trade(
            self.state.take_id(), order.order_id, order.symbol, order.side, price, quantity, profit, fee, maker, now_ms
        )  # fmt: skip
        self.book_trade(account, fill)
        order.executed = round(order.executed + quantity, 9)
        order.quote += quantity * price
        order.update_ms = now_ms
        order.status = moved(ORDER_STATES, order.status, "FILLED" if order.rest <= 0 else "PARTIALLY_FILLED")
        mark = self.markets[order.symbol].mark(now_ms)
        self.emit(account, order_documents.trade_lite(order, fill, self.markets[order.symbol]))
        self.emit(account, documents.account_event(account, "ORDER", 0.0, now_ms, order.symbol, mark))
        if order.rest <= 0:
            self.archive(account, order)
        self.report(account, order, "TRADE", fill, now_ms)
        if order.rest <= 0:
            self._finish(account, order, now_ms)
        self.fit_reductions(account, order.symbol, now_ms, order.order_id)

    def fit_reductions(self, account: Account, symbol: str, now_ms: int, first_id: int = 0) -> None:
        """After a change of a position: reduce-only orders, the one that fills now and then the oldest first, keep what is
        left to reduce, later ones are shrunk or expire; conditional orders that close what is no longer there expire."""
        held, market = account.position(symbol).amount, self.markets[symbol]
        left = abs(held)
        reducing = [each for each in account.open_orders.values() if each.symbol == symbol and each.reduce_only]
        for order in sorted(reducing, key=lambda each: each.order_id != first_id):
            if held * order.sign >= 0 or left <= 0:
                self.end(account, order, "EXPIRED", now_ms, NOTHING_TO_REDUCE)
                continue
            if order.rest > left:
                order.quantity = market.quantity_text(order.executed + left)
            left = round(left - order.rest, 9)
        for conditional in account.waiting():
            if conditional.symbol == symbol and conditional.close_position and held * conditional.sign >= 0:
                self.move_conditional(account, conditional, "EXPIRED", now_ms)

    def book_trade(self, account: Account, fill: Trade) -> None:
        """Keep a fill and what it earned and cost."""
        account.trades.append(fill)
        del account.trades[:-KEPT]
        info = str(fill.trade_id)
        if fill.profit:
            self.earn(account, fill.symbol, "REALIZED_PNL", fill.profit, info, fill.time_ms)
        if fill.commission:
            self.earn(account, fill.symbol, "COMMISSION", -fill.commission, info, fill.time_ms)
        self.changed = True

    def earn(self, account: Account, symbol: str, kind: str, amount: float, info: str, now_ms: int) -> None:
        """Keep an income record."""
        account.earn(Income(self.state.take_id(), symbol, kind, amount, info, now_ms))

    # --- settings ---------------------------------------------------------------------------------------------

    def set_leverage(self, account: Account, symbol: str, leverage: int, now_ms: int) -> None:
        """Change the leverage of a symbol. Raises ExchangeRefusal."""
        position, mark = account.position(symbol), 0.0
        if symbol in account.busy_symbols:
            mark = self.markets[symbol].mark(now_ms)
        held = abs(position.amount) * mark
        exposed = held + order_margin(account, symbol, mark) * position.leverage
        refused = leverage_change(
            self.brackets[symbol], held, exposed, position.isolated, float(position.leverage), float(leverage),
            self.margins(account, now_ms).available,
        )  # fmt: skip
        if refused != ALLOWED:
            raise ExchangeRefusal(refused, *((leverage,) if refused == NOT_OFFERED else ()))
        position.leverage = leverage
        self.changed = True
        self.emit(account, documents.leverage_event(symbol, leverage, now_ms))

    def set_margin_type(self, account: Account, symbol: str, isolated: bool, now_ms: int) -> None:
        """Change the margin mode of a symbol. Raises ExchangeRefusal."""
        position = account.position(symbol)
        has_orders = any(order.symbol == symbol for order in account.open_orders.values())
        refused = mode_change(position.isolated, isolated, has_orders, position.amount != 0.0)
        if refused != ALLOWED:
            raise ExchangeRefusal(refused)
        position.isolated = isolated
        self.changed = True
        self.emit(account, documents.account_event(account, "MARGIN_TYPE_CHANGE", 0.0, now_ms, symbol, 0.0))

    def move_margin(self, account: Account, symbol: str, amount: float, adding: bool, now_ms: int) -> None:
        """Add margin to an isolated position, or take some back. Raises ExchangeRefusal."""
        position, mark = account.position(symbol), self.markets[symbol].mark(now_ms)
        if not amount > 0:
            raise ExchangeRefusal(-4055)
        if not position.isolated:
            raise ExchangeRefusal(-4049)
        if not position.amount:
            raise ExchangeRefusal(-4054)
        most = movable(account, symbol, mark, self.brackets[symbol], self.margins(account, now_ms))
        if amount > most[0 if adding else 1]:
            raise ExchangeRefusal(-4050 if adding else -4051)
        account.move_margin(symbol, amount if adding else -amount, now_ms)
        self.changed = True
        self.emit(account, documents.account_event(account, "MARGIN_TRANSFER", 0.0, now_ms, symbol, mark))


def is_remembered(order: Order, now_ms: int) -> bool:
    """Whether an ended order can still be queried: 90 days, without any fill 3 days after it was made."""
    unfilled = order.status in ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH") and not order.executed
    return now_ms - order.time_ms <= (UNFILLED_KEPT_MS if unfilled else KEPT_MS)
