"""Changing price and quantity of a resting order (spec: exchange §3.2, "Amend")."""

from __future__ import annotations

import msgspec

from atm.exchange.demo.account import KEPT, Account, Amendment, Order
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.order_form import PRICE_MATCHES, Parameters, flag
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import decimal


def amend(engine: Engine, account: Account, given: Parameters, now_ms: int) -> Order:
    """Give a resting order another price and quantity; it loses its place in the queue. Its quantity brought down to what is
    executed, or a post-only order that would take, is cancelled. Raises ExchangeRefusal; then the order is unchanged."""
    order = engine.find(account, given, now_ms, open_only=True)
    changed = _read(engine, order, given, now_ms)
    if decimal(changed.quantity, "quantity") <= decimal(f"{order.executed:.9f}", "quantity") and order.executed:
        engine.end(account, order, "CANCELED", now_ms)
        return order
    others = {number: held for number, held in account.open_orders.items() if held is not order}
    before, account.open_orders = account.open_orders, others
    try:
        matching = engine.verified(account, changed, now_ms, too_small=-5029)
    except ExchangeRefusal as refusal:
        account.open_orders = before
        if refusal.code != -5022:
            raise
        engine.end(account, order, "CANCELED", now_ms)
        return order
    _apply(engine, account, order, changed, now_ms)
    engine.take(account, order, matching, now_ms)
    return order


def _read(engine: Engine, order: Order, given: Parameters, now_ms: int) -> Order:
    """The order as it is wanted. Raises ExchangeRefusal."""
    for name in ("side", "quantity"):
        if not given.get(name):
            raise ExchangeRefusal(-1102, name)
    if given["side"] != order.side:
        raise ExchangeRefusal(-1117)
    if order.type != "LIMIT":
        raise ExchangeRefusal(-5025)
    match, price = given.get("priceMatch") or "NONE", given.get("price") or ""
    if match != "NONE":
        if match not in PRICE_MATCHES:
            raise ExchangeRefusal(-5037)
        if price:
            raise ExchangeRefusal(-1106, "price")
        price = engine.price_from_book(engine.markets[order.symbol], match, order.sign, now_ms)
    if not price:
        raise ExchangeRefusal(-1102, "price")
    modify_id = given.get("modifyId") or "0"
    if not modify_id.isdecimal() or len(modify_id) > 18:
        raise ExchangeRefusal(-1130, "modifyId")
    reduce_only = flag(given, "reduceOnly", -4062) if given.get("reduceOnly") else order.reduce_only
    before, after = (order.price, order.quantity), (price, given["quantity"])
    if [decimal(text, "price") for text in before] == [decimal(text, "price") for text in after]:
        raise ExchangeRefusal(-5027)
    if order.amended >= engine.rules[order.symbol].max_amendments:
        raise ExchangeRefusal(-5026)
    return msgspec.structs.replace(
        order, price=price, quantity=given["quantity"], price_match=match, prevention="NONE", reduce_only=reduce_only,
        modify_id=int(modify_id),
    )  # fmt: skip


def _apply(engine: Engine, account: Account, order: Order, changed: Order, now_ms: int) -> None:
    entry = Amendment(
        engine.state.take_id(), order.order_id, order.client_order_id, order.symbol, (order.price, changed.price),
        (order.quantity, changed.quantity), order.amended + 1, changed.modify_id, now_ms,
    )  # fmt: skip
    for name in ("price", "quantity", "price_match", "prevention", "reduce_only", "modify_id"):
        setattr(order, name, getattr(changed, name))
    order.amended, order.update_ms = entry.count, now_ms
    account.open_orders[order.order_id] = order
    account.amendments.append(entry)
    del account.amendments[:-KEPT]
    engine.changed = True
    engine.report(account, order, "AMENDMENT", None, now_ms)
