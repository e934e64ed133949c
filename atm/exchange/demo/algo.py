"""Conditional orders of the accounts: placing, cancelling, and what happens when they fire (spec: exchange §3.3)."""

from __future__ import annotations

from atm.exchange.demo.account import Account, Order
from atm.exchange.demo.conditional import Conditional, fires
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.order_form import Parameters, read_conditional
from atm.exchange.demo.refusal import ExchangeRefusal

MOST_CONDITIONALS = 200
"""Conditional orders of an account that wait, over all symbols."""
_REDUCE_ONLY_REASON = "Reduce Only reject"


def place(engine: Engine, account: Account, given: Parameters, now_ms: int) -> Conditional:
    """Let a conditional order wait for its trigger; no margin is needed for it. Raises ExchangeRefusal."""
    market = engine.market(given.get("symbol"))
    if not market.is_trading(now_ms):
        raise ExchangeRefusal(-4140)
    made = read_conditional(given, market.symbol, engine.rules[market.symbol], now_ms)
    waiting = account.waiting()
    if len(waiting) >= MOST_CONDITIONALS:
        raise ExchangeRefusal(-4045)
    if made.client_algo_id and any(
        held.client_algo_id == made.client_algo_id for held in account.conditionals.values()
    ):
        raise ExchangeRefusal(-4116)
    if made.close_position and any(_closes_alike(made, held) for held in waiting):
        raise ExchangeRefusal(-4130)
    price = market.mark(now_ms) if made.by_mark else market.price(now_ms)
    if made.activate_price and (float(made.activate_price) - price) * made.sign >= 0:
        raise ExchangeRefusal(-4135)
    is_activated = made.is_trailing and not made.activate_price
    if fires(made, price):
        raise ExchangeRefusal(-2021)
    made.algo_id = engine.state.take_id()
    made.client_algo_id = made.client_algo_id or f"demo-{made.algo_id}"
    account.conditionals[made.algo_id] = made
    engine.changed = True
    made.activated = False  # a trailing stop is announced before it is activated
    engine.report_conditional(account, made, now_ms)
    if is_activated:
        made.activated = True
        engine.report_conditional(account, made, now_ms)
    return made


def _closes_alike(one: Conditional, other: Conditional) -> bool:
    """Whether both close the same position in the same way, by a stop or by taking profit."""
    return other.close_position and (one.symbol, one.side, one.type) == (other.symbol, other.side, other.type)


def find(account: Account, given: Parameters, waiting_only: bool = False) -> Conditional:
    """The newest conditional order that a request names by algoId or clientAlgoId. Raises ExchangeRefusal(-2013)."""
    number, name = given.get("algoId"), given.get("clientAlgoId")
    if not number and not name:
        raise ExchangeRefusal(-1102, text="Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
    known = account.waiting()
    if not waiting_only:
        known = [*account.old_conditionals, *account.conditionals.values()]
    for conditional in reversed(known):
        if str(conditional.algo_id) == number if number else conditional.client_algo_id == name:
            return conditional
    raise ExchangeRefusal(-2013)


def cancel(engine: Engine, account: Account, given: Parameters, now_ms: int) -> Conditional:
    """Cancel a waiting conditional order. Raises ExchangeRefusal(-2011)."""
    try:
        conditional = find(account, given, waiting_only=True)
    except ExchangeRefusal as refusal:
        raise (ExchangeRefusal(-2011) if refusal.code == -2013 else refusal) from None
    engine.move_conditional(account, conditional, "CANCELED", now_ms)
    return conditional


def cancel_all(engine: Engine, account: Account, symbol: str, now_ms: int) -> None:
    """Cancel the waiting conditional orders of a symbol."""
    for conditional in account.waiting():
        if conditional.symbol == symbol:
            engine.move_conditional(account, conditional, "CANCELED", now_ms)


def expire(engine: Engine, account: Account, now_ms: int) -> None:
    """End the waiting conditional orders whose date has passed."""
    for conditional in account.waiting():
        if 0 < conditional.good_till_ms <= now_ms:
            engine.move_conditional(account, conditional, "EXPIRED", now_ms)


def watch(engine: Engine, account: Account, symbol: str, last: float, mark: float, now_ms: int) -> None:
    """Show the prices of a moment to the waiting conditional orders of a symbol; those that fire become orders."""
    for conditional in account.waiting():
        if conditional.symbol != symbol or conditional.status != "NEW":
            continue
        was_activated, extreme = conditional.activated, conditional.extreme
        is_fired = fires(conditional, mark if conditional.by_mark else last)
        if conditional.extreme != extreme:
            engine.changed = True
        if conditional.activated and not was_activated:
            engine.report_conditional(account, conditional, now_ms)
        is_held = conditional.price_protect and abs(mark - last) / mark > engine.rules[symbol].protect
        if is_fired and not is_held:
            _fire(engine, account, conditional, now_ms)


def _fire(engine: Engine, account: Account, conditional: Conditional, now_ms: int) -> None:
    """Only now the order meets filters, margin and reduce-only."""
    conditional.trigger_ms = now_ms
    engine.move_conditional(account, conditional, "TRIGGERING", now_ms)
    if conditional.close_position and account.position(conditional.symbol).amount * conditional.sign >= 0:
        engine.move_conditional(account, conditional, "EXPIRED", now_ms)
        return
    try:
        order = _order_of(engine, account, conditional, now_ms)
        matching = engine.verified(account, order, now_ms)
    except ExchangeRefusal as refusal:
        conditional.reason = _REDUCE_ONLY_REASON if refusal.code == -2022 else refusal.text
        engine.move_conditional(account, conditional, "REJECTED", now_ms)
        return
    conditional.order_id = order.order_id = engine.state.take_id()
    engine.move_conditional(account, conditional, "TRIGGERED", now_ms)
    engine.admit(account, order, matching, now_ms)


def _order_of(engine: Engine, account: Account, conditional: Conditional, now_ms: int) -> Order:
    """The order that a conditional order becomes, under the same client id. Raises ExchangeRefusal."""
    market, limited = engine.markets[conditional.symbol], conditional.order_type == "LIMIT"
    price, quantity = conditional.price if limited else "0", conditional.quantity
    if limited and not price:
        price = engine.price_from_book(market, conditional.price_match, conditional.sign, now_ms)
    if conditional.close_position:
        quantity = market.quantity_text(abs(account.position(conditional.symbol).amount))
    in_force = conditional.time_in_force if limited else "GTC"
    return Order(
        order_id=0, client_order_id=conditional.client_algo_id, symbol=conditional.symbol, side=conditional.side,
        type=conditional.order_type, time_in_force="GTC" if in_force == "GTE_GTC" else in_force, quantity=quantity,
        price=price, reduce_only=conditional.reduce_only or conditional.close_position, time_ms=now_ms, update_ms=now_ms,
        close_position=conditional.close_position, good_till_ms=conditional.good_till_ms if limited else 0,
        price_match=conditional.price_match, prevention=conditional.prevention, algo_id=conditional.algo_id,
    )  # fmt: skip
