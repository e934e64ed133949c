"""Orders and fills of all accounts on the replayed markets. Time is an argument; events go to `emit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atm.exchange.demo import documents
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
    margins,
    movable,
    order_margin,
)
from atm.exchange.demo.book import book_at, price_of
from atm.exchange.demo.market import Market
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import Parameters, Rules, check_filters, read_order
from atm.ledger.fill import commission
from atm.ledger.margin import bracket_table, max_notional
from atm.ledger.settings import ALLOWED, NOT_OFFERED, leverage_change, mode_change

IOC_REST, NOTHING_TO_REDUCE, LIQUIDATED, MARKET_REST = 2, 4, 5, 9
MARKET_BUY_RESERVE = 0.0005
"""A market order to buy must be affordable at a price that much higher (spec: exchange §3.5)."""
Emit = Callable[[Account, documents.Document], None]


class Engine:
    """Orders of all accounts. `emit(account, event)` gets the events of the user stream; `changed` is set whenever
    something happened that must survive a restart, and reset by whoever stores it."""

    def __init__(
        self, markets: Mapping[str, Market], rules: Mapping[str, Rules], state: ExchangeState, emit: Emit
    ) -> None:
        self.markets, self.rules, self.state = markets, rules, state
        self.brackets = {symbol: bracket_table(market.instrument.brackets) for symbol, market in markets.items()}
        self.emit = emit
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
        order, fills = self._checked(account, given, now_ms)
        order.order_id = self.state.take_id()
        order.client_order_id = order.client_order_id or f"demo-{order.order_id}"
        account.open_orders[order.order_id] = order
        self.changed = True
        self.report(account, order, "NEW", None, now_ms)
        for price, quantity in fills:
            self.fill(account, order, price, quantity, False, now_ms)
        if order.order_id in account.open_orders and (order.type == "MARKET" or order.time_in_force in ("IOC", "FOK")):
            self.end(account, order, "EXPIRED", now_ms, MARKET_REST if order.type == "MARKET" else IOC_REST)
        return order

    def check(self, account: Account, given: Parameters, now_ms: int) -> None:
        """All checks of an order that is not placed (order/test). Raises ExchangeRefusal."""
        self._checked(account, given, now_ms)

    def _checked(self, account: Account, given: Parameters, now_ms: int) -> tuple[Order, list[tuple[float, float]]]:
        market = self.market(given.get("symbol"))
        if not market.is_listed(now_ms):
            raise ExchangeRefusal(-4140)
        order = read_order(given, market.symbol, now_ms)
        mark = market.mark(now_ms)
        check_filters(order, self.rules[order.symbol], mark)
        self._check_limits(account, order)
        fills = self._takes(order, mark, now_ms)
        taken = sum(quantity for _, quantity in fills)
        if order.type == "MARKET" and not fills:
            raise ExchangeRefusal(-4131)
        if order.time_in_force == "FOK" and taken < order.rest - 1e-9:
            raise ExchangeRefusal(-5021)
        if order.time_in_force == "GTX" and fills:
            raise ExchangeRefusal(-5022)
        price = sum(price * quantity for price, quantity in fills) / taken if fills else float(order.price)
        if order.type == "MARKET" and order.sign > 0:
            price *= 1 + MARKET_BUY_RESERVE
        if not order.reduce_only:
            self._check_margin(account, order, price, mark, now_ms)
        return order, fills

    def _check_limits(self, account: Account, order: Order) -> None:
        """Number of open orders, duplicate id, reduce-only. Raises ExchangeRefusal."""
        same = [held for held in account.open_orders.values() if held.symbol == order.symbol]
        if len(same) >= self.rules[order.symbol].max_orders:
            raise ExchangeRefusal(-2025)
        if order.client_order_id and any(held.client_order_id == order.client_order_id for held in same):
            raise ExchangeRefusal(-4116)
        if order.reduce_only:
            held_amount = account.position(order.symbol).amount
            covered = sum(held.rest for held in same if held.reduce_only and held.side == order.side)
            if held_amount * order.sign >= 0 or covered >= abs(held_amount):
                raise ExchangeRefusal(-2022)

    def _takes(self, order: Order, mark: float, now_ms: int) -> list[tuple[float, float]]:
        """(price, quantity) that the order takes from the book at once. A market order walks at most marketTakeBound away
        from the mark price."""
        market = self.markets[order.symbol]
        book, scale = book_at(market, now_ms), 10**market.quantity_decimals
        if order.type == "LIMIT":
            limit = float(order.price)
        else:
            limit = mark * (1 + order.sign * self.rules[order.symbol].bound)
        rest, fills = round(order.rest * scale), []
        for ticks, units in book.asks if order.sign > 0 else book.bids:
            price = price_of(market, ticks)
            if rest <= 0 or (price - limit) * order.sign > market.tick * 1e-6:
                break
            fills.append((price, min(rest, units) / scale))
            rest -= units
        return fills

    def _check_margin(self, account: Account, order: Order, price: float, mark: float, now_ms: int) -> None:
        """Leverage bracket, then initial margin and open loss (spec: exchange §3.5). Raises ExchangeRefusal."""
        position = account.position(order.symbol)
        pending = sum(
            held.rest * float(held.price)
            for held in account.open_orders.values()
            if held.symbol == order.symbol and held.side == order.side and not held.reduce_only
        )
        held_worth = position.amount * mark
        after = abs(held_worth + order.sign * (pending + order.rest * price))
        most = max_notional(self.brackets[order.symbol], float(position.leverage))
        if after > abs(held_worth) and after > most:
            raise ExchangeRefusal(-2027)
        if position.amount * order.sign < 0 and order.rest <= abs(position.amount):
            return
        before = order_margin(account, order.symbol, mark)
        more = max(0.0, (after - abs(held_worth)) / position.leverage - before)
        open_loss = order.rest * max(0.0, order.sign * (price - mark))
        if more + open_loss > self.margins(account, now_ms).available:
            raise ExchangeRefusal(-2019)

    # --- finding and ending -----------------------------------------------------------------------------------

    def find(self, account: Account, given: Parameters, open_only: bool = False) -> Order:
        """The newest order that a request names by orderId or origClientOrderId. Raises ExchangeRefusal(-2013)."""
        symbol = self.market(given.get("symbol")).symbol
        number, name = given.get("orderId"), given.get("origClientOrderId")
        if not number and not name:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise ExchangeRefusal(-1102, text=text)
        known = [*account.open_orders.values()]
        if not open_only:
            known += reversed(account.old_orders)
        for order in known:
            if order.symbol == symbol and (str(order.order_id) == number if number else order.client_order_id == name):
                return order
        raise ExchangeRefusal(-2013)

    def cancel(self, account: Account, given: Parameters, now_ms: int) -> Order:
        """Cancel an open order. Raises ExchangeRefusal(-2011)."""
        try:
            order = self.find(account, given, open_only=True)
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
        order.status, order.update_ms, order.expiry = status, now_ms, expiry
        self.archive(account, order)
        self.report(account, order, status, None, now_ms)

    def archive(self, account: Account, order: Order) -> None:
        """An order that has ended leaves the open ones."""
        account.open_orders.pop(order.order_id, None)
        account.old_orders.append(order)
        del account.old_orders[:-KEPT]
        self.changed = True

    def report(self, account: Account, order: Order, kind: str, fill: Trade | None, now_ms: int) -> None:
        """Tell the user stream of an order."""
        self.emit(account, documents.order_event(order, kind, fill, now_ms, self.markets[order.symbol]))

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
        fee = float(commission(quantity, price, MAKER_FEE if maker else TAKER_FEE))
        profit = account.apply(order.symbol, order.sign * quantity, price, fee, now_ms)
        fill = Trade(
            self.state.take_id(), order.order_id, order.symbol, order.side, price, quantity, profit, fee, maker, now_ms
        )  # fmt: skip
        self.book_trade(account, fill)
        order.executed = round(order.executed + quantity, 9)
        order.quote += quantity * price
        order.update_ms = now_ms
        order.status = "FILLED" if order.rest <= 0 else "PARTIALLY_FILLED"
        mark = self.markets[order.symbol].mark(now_ms)
        self.emit(account, documents.trade_lite(order, fill, self.markets[order.symbol]))
        self.emit(account, documents.account_event(account, "ORDER", 0.0, now_ms, order.symbol, mark))
        if order.rest <= 0:
            self.archive(account, order)
        self.report(account, order, "TRADE", fill, now_ms)
        if account.position(order.symbol).amount * order.sign >= 0:
            self._expire_reductions(account, order, now_ms)

    def _expire_reductions(self, account: Account, filled: Order, now_ms: int) -> None:
        """A position that is closed or has turned leaves nothing to the reduce-only orders of that side."""
        for order in list(account.open_orders.values()):
            if order.reduce_only and order.symbol == filled.symbol and order.side == filled.side:
                self.end(account, order, "EXPIRED", now_ms, NOTHING_TO_REDUCE)

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
