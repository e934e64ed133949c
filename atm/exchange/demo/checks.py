"""Limits, reduce-only, brackets and margin of an order that is to be entered. Nothing is changed (spec: exchange §3.2, §3.5)."""

from __future__ import annotations

from atm.exchange.demo.account import Account, Order, open_notional, order_margin
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.ledger.margin import Floats, max_notional


def check_limits(account: Account, order: Order, most_orders: int) -> None:
    """Number of open orders of the symbol and a client id that is in use. Raises ExchangeRefusal."""
    same = [held for held in account.open_orders.values() if held.symbol == order.symbol]
    if len(same) >= most_orders:
        raise ExchangeRefusal(-2025)
    if order.client_order_id and any(held.client_order_id == order.client_order_id for held in same):
        raise ExchangeRefusal(-4116)


def check_reduction(account: Account, order: Order) -> None:
    """Whether a reduce-only order has anything left to reduce. Raises ExchangeRefusal."""
    if not order.reduce_only:
        return
    held_amount = account.position(order.symbol).amount
    covered = sum(
        held.rest
        for held in account.open_orders.values()
        if held.symbol == order.symbol and held.reduce_only and held.side == order.side
    )
    # What closes a whole position does so whatever else waits to reduce it.
    covered = 0.0 if order.close_position else covered
    if held_amount * order.sign >= 0 or covered >= abs(held_amount):
        raise ExchangeRefusal(-2022)


def check_margin(account: Account, order: Order, price: float, mark: float, brackets: Floats, available: float) -> None:
    """Leverage bracket, then initial margin and open loss. `price`: assumed for what is still open of the order; `available`:
    balance available for orders. Raises ExchangeRefusal."""
    if order.reduce_only:
        return
    position = account.position(order.symbol)
    pending = open_notional(account, order.symbol, order.side)
    held_worth = position.amount * mark
    after = abs(held_worth + order.sign * (pending + order.rest * price))
    most = max_notional(brackets, float(position.leverage))
    if after > abs(held_worth) and after > most:
        raise ExchangeRefusal(-2027)
    if position.amount * order.sign < 0 and order.rest <= abs(position.amount):
        return
    before = order_margin(account, order.symbol, mark)
    more = max(0.0, (after - abs(held_worth)) / position.leverage - before)
    open_loss = order.rest * max(0.0, order.sign * (price - mark))
    if more + open_loss > available:
        raise ExchangeRefusal(-2019)
