"""Matching, margin, liquidation and funding of the demo exchange's account. Time is an argument; events go to `emit`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from atm.exchange.demo import documents
from atm.exchange.demo.account import KEPT, MAKER_FEE, TAKER_FEE, Account, Margins, Order, Trade, margins, order_margin
from atm.exchange.demo.market import FUNDING_RATE, Market, next_funding_ms
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.ledger.fill import funding_payment, liquidation_remainder
from atm.ledger.margin import bracket_table, liquidation_price, maintenance_margin, max_notional

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_CONDITIONAL = frozenset(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"))
Parameters = Mapping[str, str]


class Engine:
    """The one account on all markets. `filters[symbol]`: the filters of exchangeInfo by type."""

    def __init__(
        self,
        markets: Mapping[str, Market],
        filters: Mapping[str, Mapping[str, Mapping[str, Any]]],
        account: Account,
        emit: Callable[[documents.Document], None],
    ) -> None:
        self.markets = markets
        self.account = account
        self.brackets = {symbol: bracket_table(market.instrument.brackets) for symbol, market in markets.items()}
        self.changed = True
        self._filters = filters
        self._emit = emit
        self._compile()

    def _compile(self) -> None:
        """Have every kernel compiled before the first request: on a fresh installation that takes seconds."""
        trial, table = Account(), next(iter(self.brackets.values()))
        trial.apply("", 1.0, 1.0, 0.0, 0)
        trial.apply("", -1.0, 1.0, 0.0, 0)
        maintenance_margin(table, 1.0)
        max_notional(table, 1.0)
        liquidation_price(table, 1.0, 1.0, 1.0)
        funding_payment(1.0, 1.0, FUNDING_RATE)
        liquidation_remainder(1.0, -1.0, 1.0)

    def market(self, symbol: str | None) -> Market:
        """The market of a symbol that a request names."""
        if not symbol:
            raise ExchangeRefusal(-1102, "symbol")
        if symbol not in self.markets:
            raise ExchangeRefusal(-1121)
        return self.markets[symbol]

    def margins(self, now_ms: int) -> Margins:
        """Margins of the account now."""
        return margins(self.account, lambda symbol: self.markets[symbol].price(now_ms), self.brackets)

    # --- orders -----------------------------------------------------------------------------------------------

    def place(self, given: Parameters, now_ms: int) -> Order:
        """Check as the exchange does, then fill or rest. Raises ExchangeRefusal."""
        market = self.market(given.get("symbol"))
        order = self._read_order(given, market, now_ms)
        last = market.price(now_ms)
        best = last + order.sign * market.tick
        self._check_filters(order, market, last)
        if any(held.client_order_id == order.client_order_id for held in self.account.open_orders.values()):
            raise ExchangeRefusal(-4116)
        takes = order.type == "MARKET" or (float(order.price) - best) * order.sign >= -market.tick / 2
        if order.time_in_force == "FOK" and not takes:
            raise ExchangeRefusal(-5021)
        if order.time_in_force == "GTX" and takes:
            raise ExchangeRefusal(-5022)
        self._check_margin(order, best if takes else float(order.price), last, now_ms)
        order.order_id = self.account.take_id()
        self.account.open_orders[order.order_id] = order
        self.changed = True
        self._report(order, "NEW", None, now_ms)
        if takes:
            self._fill(order, best, False, now_ms)
        elif order.time_in_force == "IOC":
            self._end(order, "EXPIRED", now_ms)
        return order

    def _read_order(self, given: Parameters, market: Market, now_ms: int) -> Order:
        for name in ("side", "type", "quantity"):
            if not given.get(name):
                raise ExchangeRefusal(-1102, name)
        if given["side"] not in ("BUY", "SELL"):
            raise ExchangeRefusal(-1117)
        kind = given["type"]
        if kind in _CONDITIONAL:
            raise ExchangeRefusal(-4120)
        if kind not in ("MARKET", "LIMIT"):
            raise ExchangeRefusal(-1116)
        if given.get("positionSide", "BOTH") != "BOTH":
            raise ExchangeRefusal(-4061)
        if kind == "MARKET" and "price" in given:
            raise ExchangeRefusal(-1106, "price")
        if kind == "LIMIT":
            for name in ("price", "timeInForce"):
                if not given.get(name):
                    raise ExchangeRefusal(-1102, name)
            if given["timeInForce"] not in ("GTC", "IOC", "FOK", "GTX"):
                raise ExchangeRefusal(-1115)
        name = given.get("newClientOrderId") or f"demo-{self.account.next_id}"
        if not _CLIENT_ID.fullmatch(name):
            raise ExchangeRefusal(-4015)
        return Order(
            order_id=0,
            client_order_id=name,
            symbol=market.symbol,
            side=given["side"],
            type=kind,
            time_in_force=given["timeInForce"] if kind == "LIMIT" else "GTC",
            quantity=given["quantity"],
            price=given["price"] if kind == "LIMIT" else "0",
            reduce_only=given.get("reduceOnly", "false").lower() == "true",
            time_ms=now_ms,
            update_ms=now_ms,
        )

    def _check_filters(self, order: Order, market: Market, last: float) -> None:
        filters, instrument = self._filters[market.symbol], market.instrument
        quantity, price = _decimal(order.quantity, "quantity"), _decimal(order.price, "price")
        if _places(quantity) > instrument.quantity_precision or _places(price) > instrument.price_precision:
            raise ExchangeRefusal(-1111)
        lot = filters["MARKET_LOT_SIZE" if order.type == "MARKET" else "LOT_SIZE"]
        if quantity <= 0:
            raise ExchangeRefusal(-4003)
        if quantity < Decimal(lot["minQty"]):
            raise ExchangeRefusal(-4004)
        if quantity > Decimal(lot["maxQty"]):
            raise ExchangeRefusal(-4005)
        if quantity % Decimal(lot["stepSize"]):
            raise ExchangeRefusal(-4023)
        if order.type == "LIMIT":
            if price <= 0 or price % Decimal(instrument.tick_size):
                raise ExchangeRefusal(-4014)
            band = filters["PERCENT_PRICE"]
            highest, lowest = last * float(band["multiplierUp"]), last * float(band["multiplierDown"])
            if order.side == "BUY" and float(price) > highest:
                raise ExchangeRefusal(-4016, market.price_text(highest))
            if order.side == "SELL" and float(price) < lowest:
                raise ExchangeRefusal(-4024, market.price_text(lowest))
        worth = float(quantity) * (float(price) if order.type == "LIMIT" else last)
        if not order.reduce_only and worth < float(instrument.min_notional):
            raise ExchangeRefusal(-4164, instrument.min_notional)

    def _check_margin(self, order: Order, price: float, last: float, now_ms: int) -> None:
        account, position = self.account, self.account.position(order.symbol)
        limit = int(self._filters[order.symbol].get("MAX_NUM_ORDERS", {}).get("limit", 200))
        if sum(held.symbol == order.symbol for held in account.open_orders.values()) >= limit:
            raise ExchangeRefusal(-2025)
        if order.reduce_only:
            if position.amount * order.sign >= 0:
                raise ExchangeRefusal(-2022)
            return
        before = order_margin(account, order.symbol, last)
        pending = sum(
            held.rest * float(held.price)
            for held in account.open_orders.values()
            if held.symbol == order.symbol and held.side == order.side and not held.reduce_only
        )
        worth = order.rest * price
        held_worth = position.amount * last
        after = abs(held_worth + order.sign * (pending + worth))
        if after > abs(held_worth) and after > max_notional(self.brackets[order.symbol], float(position.leverage)):
            raise ExchangeRefusal(-2027)
        more = max(0.0, (after - abs(held_worth)) / position.leverage - before)
        reduces = position.amount * order.sign < 0 and order.rest <= abs(position.amount)
        if not reduces and more + worth * TAKER_FEE > self.margins(now_ms).available:
            raise ExchangeRefusal(-2019)

    def find(self, given: Parameters, open_only: bool = False) -> Order:
        """The newest order that a request names by orderId or origClientOrderId. Raises ExchangeRefusal(-2013)."""
        symbol = self.market(given.get("symbol")).symbol
        number, name = given.get("orderId"), given.get("origClientOrderId")
        if not number and not name:
            raise ExchangeRefusal(-1102, "orderId")
        known = [*self.account.open_orders.values()]
        if not open_only:
            known += reversed(self.account.old_orders)
        for order in known:
            if order.symbol == symbol and (str(order.order_id) == number if number else order.client_order_id == name):
                return order
        raise ExchangeRefusal(-2013)

    def cancel(self, given: Parameters, now_ms: int) -> Order:
        """Cancel an open order. Raises ExchangeRefusal(-2011)."""
        try:
            order = self.find(given, open_only=True)
        except ExchangeRefusal as refusal:
            raise (ExchangeRefusal(-2011) if refusal.code == -2013 else refusal) from None
        self._end(order, "CANCELED", now_ms)
        return order

    def cancel_all(self, symbol: str, now_ms: int, status: str = "CANCELED") -> None:
        """Cancel all open orders of a symbol."""
        for order in [held for held in self.account.open_orders.values() if held.symbol == symbol]:
            self._end(order, status, now_ms)

    def _end(self, order: Order, status: str, now_ms: int) -> None:
        order.status, order.update_ms = status, now_ms
        self._archive(order)
        self._report(order, status, None, now_ms)

    def _archive(self, order: Order) -> None:
        self.account.open_orders.pop(order.order_id, None)
        self.account.old_orders.append(order)
        del self.account.old_orders[:-KEPT]
        self.changed = True

    def _report(self, order: Order, kind: str, fill: Trade | None, now_ms: int) -> None:
        self._emit(documents.order_event(order, kind, fill, now_ms, self.markets[order.symbol]))

    def _fill(self, order: Order, price: float, maker: bool, now_ms: int) -> None:
        """Fill the whole rest; a reduce-only order at most what is held, the remainder expires."""
        account = self.account
        held = account.position(order.symbol).amount
        quantity = min(order.rest, max(0.0, -held * order.sign)) if order.reduce_only else order.rest
        if quantity <= 0:
            self._end(order, "EXPIRED", now_ms)
            return
        commission = quantity * price * (MAKER_FEE if maker else TAKER_FEE)
        profit = account.apply(order.symbol, order.sign * quantity, price, commission, now_ms)
        fill = Trade(
            account.take_id(),
            order.order_id,
            order.symbol,
            order.side,
            price,
            quantity,
            profit,
            commission,
            maker,
            now_ms,
        )
        account.trades.append(fill)
        del account.trades[:-KEPT]
        order.executed = round(order.executed + quantity, 9)
        order.quote += quantity * price
        order.update_ms = now_ms
        order.status = "FILLED" if order.rest <= 0 else "PARTIALLY_FILLED"
        self._emit(documents.account_event(account, order.symbol, "ORDER", 0.0, price, now_ms))
        self._report(order, "TRADE", fill, now_ms)
        if order.rest <= 0:
            self._archive(order)
        else:
            self._end(order, "EXPIRED", now_ms)

    # --- time -------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int, prices: Mapping[str, tuple[float, ...]]) -> None:
        """The market has moved to `now_ms` over these prices: resting orders, liquidation, funding."""
        account = self.account
        for order in list(account.open_orders.values()):
            through = (price for price in prices[order.symbol] if (float(order.price) - price) * order.sign > 0)
            if next(through, None) is not None and order.order_id in account.open_orders:
                self._fill(order, float(order.price), True, now_ms)
        if account.settled_ms == 0:
            account.settled_ms = now_ms
        while (stamp := next_funding_ms(account.settled_ms)) <= now_ms:
            self._settle_funding(stamp)
            account.settled_ms = stamp
            self.changed = True
        if any(position.amount for position in account.positions.values()):
            self._liquidate(now_ms, prices)

    def _settle_funding(self, stamp_ms: int) -> None:
        for symbol, position in self.account.positions.items():
            if not position.amount:
                continue
            mark = self.markets[symbol].price(stamp_ms)
            paid = float(funding_payment(position.amount, mark, FUNDING_RATE))
            if position.isolated:
                position.isolated_wallet -= paid
            else:
                self.account.wallet -= paid
            self._emit(documents.account_event(self.account, symbol, "FUNDING_FEE", -paid, mark, stamp_ms))

    def _liquidate(self, now_ms: int, prices: Mapping[str, tuple[float, ...]]) -> None:
        crossed: list[str] = []
        for symbol, position in self.account.positions.items():
            if not position.amount:
                continue
            if not position.isolated:
                crossed.append(symbol)
                continue
            mark = prices[symbol][-1]
            needed = float(maintenance_margin(self.brackets[symbol], abs(position.amount) * mark))
            if position.isolated_wallet + position.profit(mark) <= needed:
                self._take_over(symbol, mark, now_ms)
        if crossed:
            sums = margins(self.account, lambda symbol: prices[symbol][-1], self.brackets)
            if self.account.wallet + sums.cross_profit <= sums.cross_maintenance:
                for symbol in crossed:
                    self._take_over(symbol, prices[symbol][-1], now_ms)

    def _take_over(self, symbol: str, mark: float, now_ms: int) -> None:
        """The liquidation engine closes a position: an isolated one costs its whole margin, a crossed one profit and fee."""
        account, position, market = self.account, self.account.position(symbol), self.markets[symbol]
        self.cancel_all(symbol, now_ms, "EXPIRED")
        quantity, profit = abs(position.amount), position.profit(mark)
        fee = quantity * mark * float(market.instrument.liquidation_fee)
        wallet = position.isolated_wallet if position.isolated else max(0.0, account.wallet)
        fee, lost = (float(value) for value in liquidation_remainder(wallet, profit, fee))
        side = "SELL" if position.amount > 0 else "BUY"
        order_id = account.take_id()
        text = market.quantity_text(quantity)
        order = Order(
            order_id, f"autoclose-{now_ms}{order_id}", symbol, side, "LIMIT", "IOC", text, market.price_text(mark), True,
            now_ms, now_ms, "FILLED", quantity, quantity * mark,
        )  # fmt: skip
        if not position.isolated:
            account.wallet = max(0.0, account.wallet + profit - fee)
        position.amount = position.entry = position.isolated_wallet = 0.0
        position.update_ms = account.update_ms = now_ms
        loss = -lost if position.isolated else profit
        fill = Trade(account.take_id(), order_id, symbol, side, mark, quantity, loss, fee, False, now_ms)
        account.trades.append(fill)
        self._archive(order)
        self._emit(documents.account_event(account, symbol, "ORDER", 0.0, mark, now_ms))
        self._report(order, "TRADE", fill, now_ms)

    # --- settings ---------------------------------------------------------------------------------------------

    def set_leverage(self, symbol: str, leverage: int, now_ms: int) -> None:
        """Change the leverage of a symbol. Raises ExchangeRefusal."""
        table, position = self.brackets[symbol], self.account.position(symbol)
        if not 1 <= leverage <= int(table[0, 4]):
            raise ExchangeRefusal(-4028, leverage)
        if position.amount and leverage < position.leverage and position.isolated:
            raise ExchangeRefusal(-4161)
        before, position.leverage = position.leverage, leverage
        held = abs(position.amount) * self.markets[symbol].price(now_ms)
        refused = -2027 if held > max_notional(table, float(leverage)) else 0
        if not refused and leverage < before and held and self.margins(now_ms).available <= 0:
            refused = -2028
        if refused:
            position.leverage = before
            raise ExchangeRefusal(refused)
        self.changed = True

    def set_margin_type(self, symbol: str, isolated: bool) -> None:
        """Change the margin mode of a symbol. Raises ExchangeRefusal."""
        position = self.account.position(symbol)
        if position.isolated == isolated:
            raise ExchangeRefusal(-4046)
        if any(order.symbol == symbol for order in self.account.open_orders.values()):
            raise ExchangeRefusal(-4047)
        if position.amount:
            raise ExchangeRefusal(-4048)
        position.isolated = isolated
        self.changed = True


def _decimal(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ExchangeRefusal(-1102, name) from None
    if not value.is_finite():
        raise ExchangeRefusal(-1102, name)
    return value


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
