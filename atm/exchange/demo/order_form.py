"""From the parameters of a request to an order or a conditional order: what must be sent, what may not, and which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from atm.exchange.demo.account import Order
from atm.exchange.demo.conditional import CONDITIONAL_TYPES, TRAILING, Conditional
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.rules import Rules, check_precision, check_price, check_quantity, decimal

Parameters = Mapping[str, str]
PRICE_MATCHES = {
    "OPPONENT": (True, 1), "OPPONENT_5": (True, 5), "QUEUE": (False, 1), "QUEUE_5": (False, 5), "QUEUE_10": (False, 10),
    "QUEUE_20": (False, 20),
}  # fmt: skip
"""(whether the other side of the book, which of its levels) of a price that is taken from the book."""
LEAST_LIFE_MS, LATEST_MS = 600_000, 253_402_300_799_000
LEAST_CALLBACK, MOST_CALLBACK = Decimal("0.1"), Decimal(20)
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
_CONDITIONAL_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD", "GTE_GTC")
_RESPONSES = ("ACK", "RESULT")
_PREVENTIONS = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")


def read_order(given: Parameters, symbol: str, now_ms: int) -> Order:
    """The order that a request describes, without number; without client id if none was sent; with price "" if it is to be
    matched to the book. Raises ExchangeRefusal."""
    _need(given, "side", "type")
    _check_side(given)
    kind = given["type"]
    if kind in CONDITIONAL_TYPES:
        raise ExchangeRefusal(-4120)
    if kind not in ("MARKET", "LIMIT"):
        raise ExchangeRefusal(-1116)
    _check_position_side(given)
    _check_response(given)
    if flag(given, "closePosition", -4136, kind, True):
        raise ExchangeRefusal(-4136, kind, "true")
    name = client_id(given, "newClientOrderId")
    reduce_only = flag(given, "reduceOnly", -4062)
    price, in_force = _terms(given, kind)
    return Order(
        order_id=0, client_order_id=name, symbol=symbol, side=given["side"], type=kind, time_in_force=in_force,
        quantity=given["quantity"], price=price, reduce_only=reduce_only, time_ms=now_ms, update_ms=now_ms,
        good_till_ms=_good_till(given, in_force, now_ms), price_match=given.get("priceMatch") or "NONE",
        prevention=_prevention(given),
    )  # fmt: skip


def _terms(given: Parameters, kind: str) -> tuple[str, str]:
    """(price, time in force) of a type of order. Raises ExchangeRefusal for what is missing or too much."""
    _need(given, "quantity")
    if kind == "MARKET":
        if "price" in given:
            raise ExchangeRefusal(-1106, "price")
        if "timeInForce" in given:
            raise ExchangeRefusal(-1114)
        if _price_match(given) != "NONE":
            raise ExchangeRefusal(-5038)
        return "0", "GTC"
    _need(given, "timeInForce")
    price = _limit_price(given)
    if given["timeInForce"] not in _IN_FORCE:
        raise ExchangeRefusal(-1115)
    return price, given["timeInForce"]


def _limit_price(given: Parameters) -> str:
    """The price, "" if it is to be matched to the book. Raises ExchangeRefusal."""
    if _price_match(given) == "NONE":
        _need(given, "price")
        return given["price"]
    if given.get("price"):
        raise ExchangeRefusal(-1106, "price")
    return ""


def read_conditional(given: Parameters, symbol: str, rules: Rules, now_ms: int) -> Conditional:
    """The conditional order that a request describes, without number; its own filters are checked, those of the order that it
    will become at the trigger only. Raises ExchangeRefusal."""
    _need(given, "algoType", "side", "type")
    if given["algoType"] != "CONDITIONAL":
        raise ExchangeRefusal(-1130, "algoType")
    _check_side(given)
    kind = given["type"]
    if kind not in CONDITIONAL_TYPES:
        raise ExchangeRefusal(-1116)
    _check_position_side(given)
    _check_response(given)
    working = given.get("workingType") or "CONTRACT_PRICE"
    if working not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise ExchangeRefusal(-4031, working)
    in_force = given.get("timeInForce") or "GTC"
    if in_force not in _CONDITIONAL_IN_FORCE:
        raise ExchangeRefusal(-1115)
    closing = flag(given, "closePosition", -4136, kind, True)
    reduce_only = flag(given, "reduceOnly", -4062)
    _check_closing(given, kind, closing)
    made = Conditional(
        algo_id=0, client_algo_id=client_id(given, "clientAlgoId"), symbol=symbol, side=given["side"], type=kind,
        time_in_force=in_force, quantity=given.get("quantity") or "0", price=_conditional_price(given, kind),
        trigger_price=_trigger(given, kind), activate_price=_activation(given, kind), callback_rate=_callback(given, kind),
        working_type=working, price_match=_price_match(given), prevention=_prevention(given),
        reduce_only=reduce_only, close_position=closing, price_protect=flag(given, "priceProtect", -1130, "priceProtect"),
        good_till_ms=_good_till(given, in_force, now_ms), time_ms=now_ms, update_ms=now_ms,
    )  # fmt: skip
    _check_numbers(made, rules)
    return made


def _check_closing(given: Parameters, kind: str, closing: bool) -> None:
    if not closing:
        _need(given, "quantity")
        return
    if kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise ExchangeRefusal(-4136, kind, "true")
    if given.get("quantity"):
        raise ExchangeRefusal(-4137)
    if given.get("reduceOnly"):
        raise ExchangeRefusal(-1106, "reduceOnly")


def _conditional_price(given: Parameters, kind: str) -> str:
    if kind in ("STOP", "TAKE_PROFIT"):
        return _limit_price(given)
    if _price_match(given) != "NONE":
        raise ExchangeRefusal(-5038)
    if given.get("price"):
        raise ExchangeRefusal(-1106, "price")
    return "0"


def _trigger(given: Parameters, kind: str) -> str:
    if kind == TRAILING:
        return "0"
    _need(given, "triggerPrice")
    return given["triggerPrice"]


def _activation(given: Parameters, kind: str) -> str:
    return (given.get("activatePrice") or "") if kind == TRAILING else ""


def _callback(given: Parameters, kind: str) -> str:
    if kind != TRAILING:
        return ""
    _need(given, "callbackRate")
    rate = decimal(given["callbackRate"], "callbackRate")
    if not LEAST_CALLBACK <= rate <= MOST_CALLBACK:
        raise ExchangeRefusal(-1130, "callbackRate")
    return given["callbackRate"]


def _check_numbers(made: Conditional, rules: Rules) -> None:
    quantity, prices = decimal(made.quantity, "quantity"), []
    for text, name in ((made.trigger_price, "triggerPrice"), (made.activate_price, "activatePrice")):
        if text and not (made.is_trailing and name == "triggerPrice"):
            prices.append(decimal(text, name))
    limit = decimal(made.price or "0", "price")
    check_precision(rules, quantity, limit, *prices)
    for price in prices:
        check_price(price, rules.price, -4006, -4007)
    if made.order_type == "LIMIT" and made.price:
        check_price(limit, rules.price)
    if not made.close_position:
        check_quantity(quantity, rules.quantity if made.order_type == "LIMIT" else rules.market_quantity)


# --- single parameters ----------------------------------------------------------------------------------------------------


def flag(given: Parameters, name: str, code: int, *details: object) -> bool:
    """A parameter that is "true" or "false" (not sent: false). Raises ExchangeRefusal with the code for anything else."""
    text = given.get(name, "false").lower()
    if text not in ("true", "false"):
        raise ExchangeRefusal(code, *details)
    return text == "true"


def client_id(given: Parameters, name: str) -> str:
    """A client's own name for an order, "" if none was sent. Raises ExchangeRefusal."""
    text = given.get(name, "")
    if text and not _CLIENT_ID.fullmatch(text):
        raise ExchangeRefusal(-4015)
    return text


def _need(given: Parameters, *names: str) -> None:
    for name in names:
        if not given.get(name):
            raise ExchangeRefusal(-1102, name)


def _check_side(given: Parameters) -> None:
    if given["side"] not in ("BUY", "SELL"):
        raise ExchangeRefusal(-1117)


def _check_position_side(given: Parameters) -> None:
    side = given.get("positionSide") or "BOTH"
    if side not in ("BOTH", "LONG", "SHORT"):
        raise ExchangeRefusal(-4060)
    if side != "BOTH":
        raise ExchangeRefusal(-4061)


def _check_response(given: Parameters) -> None:
    if given.get("newOrderRespType", "ACK") not in _RESPONSES:
        raise ExchangeRefusal(-1136)


def _price_match(given: Parameters) -> str:
    match = given.get("priceMatch") or "NONE"
    if match != "NONE" and match not in PRICE_MATCHES:
        raise ExchangeRefusal(-5037)
    return match


def _prevention(given: Parameters) -> str:
    mode = given.get("selfTradePreventionMode") or "EXPIRE_MAKER"
    if mode not in _PREVENTIONS:
        raise ExchangeRefusal(-5039)
    return mode


def _good_till(given: Parameters, in_force: str, now_ms: int) -> int:
    """goodTillDate in whole seconds, 0 for an order without one. Raises ExchangeRefusal."""
    text = given.get("goodTillDate") or ""
    if in_force != "GTD":
        if text and text != "0":
            raise ExchangeRefusal(-1106, "goodTillDate")
        return 0
    _need(given, "goodTillDate")
    if not text.isdecimal() or not now_ms + LEAST_LIFE_MS < int(text) < LATEST_MS:
        raise ExchangeRefusal(-5040)
    return int(text) // 1000 * 1000
