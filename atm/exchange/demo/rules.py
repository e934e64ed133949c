"""Reading an order's parameters and checking the filters of its symbol, in the order in which the exchange does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from atm.exchange.demo.account import Order
from atm.exchange.demo.refusal import ExchangeRefusal

Parameters = Mapping[str, str]
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_CONDITIONAL = frozenset(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"))
_IN_FORCE = ("GTC", "IOC", "FOK", "GTX")
_RESPONSES = ("ACK", "RESULT")


class Range(msgspec.Struct, frozen=True):
    """Lowest and highest value and step, each 0 where the filter does not hold."""

    lowest: Decimal
    highest: Decimal
    step: Decimal


class Rules(msgspec.Struct, frozen=True):
    """What exchangeInfo says of one symbol. Rates and multipliers are fractions of one."""

    price: Range
    quantity: Range
    market_quantity: Range
    price_precision: int
    quantity_precision: int
    min_notional: str
    highest: float
    lowest: float
    max_orders: int
    bound: float
    liquidation_fee: float

    @staticmethod
    def of(entry: Mapping[str, Any]) -> Rules:
        """Rules from one symbol of an exchangeInfo answer."""
        filters = {item["filterType"]: item for item in entry["filters"]}
        price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
        market, percent = filters.get("MARKET_LOT_SIZE", lot), filters["PERCENT_PRICE"]
        return Rules(
            price=_range(price["minPrice"], price["maxPrice"], price["tickSize"]),
            quantity=_range(lot["minQty"], lot["maxQty"], lot["stepSize"]),
            market_quantity=_range(market["minQty"], market["maxQty"], market["stepSize"]),
            price_precision=entry["pricePrecision"],
            quantity_precision=entry["quantityPrecision"],
            min_notional=filters["MIN_NOTIONAL"]["notional"],
            highest=float(percent["multiplierUp"]),
            lowest=float(percent["multiplierDown"]),
            max_orders=int(filters.get("MAX_NUM_ORDERS", {}).get("limit", 200)),
            bound=float(entry["marketTakeBound"]),
            liquidation_fee=float(entry["liquidationFee"]),
        )


def _range(lowest: str, highest: str, step: str) -> Range:
    return Range(Decimal(lowest), Decimal(highest), Decimal(step))


def read_order(given: Parameters, symbol: str, now_ms: int) -> Order:
    """The order that a request describes, without number; without client id if none was sent. Raises ExchangeRefusal."""
    for name in ("side", "type"):
        if not given.get(name):
            raise ExchangeRefusal(-1102, name)
    if given["side"] not in ("BUY", "SELL"):
        raise ExchangeRefusal(-1117)
    kind = given["type"]
    if kind in _CONDITIONAL:
        raise ExchangeRefusal(-4120)
    if kind not in ("MARKET", "LIMIT"):
        raise ExchangeRefusal(-1116)
    if given.get("positionSide", "BOTH") not in ("BOTH", "LONG", "SHORT"):
        raise ExchangeRefusal(-4060)
    if given.get("positionSide", "BOTH") != "BOTH":
        raise ExchangeRefusal(-4061)
    if given.get("newOrderRespType", "ACK") not in _RESPONSES:
        raise ExchangeRefusal(-1136)
    name = given.get("newClientOrderId", "")
    if name and not _CLIENT_ID.fullmatch(name):
        raise ExchangeRefusal(-4015)
    reduce_only = given.get("reduceOnly", "false").lower()
    if reduce_only not in ("true", "false"):
        raise ExchangeRefusal(-4062)
    price, in_force = _terms(given, kind)
    return Order(
        order_id=0, client_order_id=name, symbol=symbol, side=given["side"], type=kind, time_in_force=in_force,
        quantity=given["quantity"], price=price, reduce_only=reduce_only == "true", time_ms=now_ms, update_ms=now_ms,
    )  # fmt: skip


def _terms(given: Parameters, kind: str) -> tuple[str, str]:
    """(price, time in force) of a type of order. Raises ExchangeRefusal for what is missing or too much."""
    if not given.get("quantity"):
        raise ExchangeRefusal(-1102, "quantity")
    if kind == "MARKET":
        if "price" in given:
            raise ExchangeRefusal(-1106, "price")
        if "timeInForce" in given:
            raise ExchangeRefusal(-1114)
        return "0", "GTC"
    for name in ("timeInForce", "price"):
        if not given.get(name):
            raise ExchangeRefusal(-1102, name)
    if given["timeInForce"] not in _IN_FORCE:
        raise ExchangeRefusal(-1115)
    return given["price"], given["timeInForce"]


def check_filters(order: Order, rules: Rules, mark: float) -> None:
    """Precision, price, quantity, distance from the mark price and smallest notional. Raises ExchangeRefusal."""
    quantity, price = _decimal(order.quantity, "quantity"), _decimal(order.price, "price")
    if _places(quantity) > rules.quantity_precision or _places(price) > rules.price_precision:
        raise ExchangeRefusal(-1111)
    limited = order.type == "LIMIT"
    if limited:
        _check_price(price, rules.price)
    _check_quantity(quantity, rules.quantity if limited else rules.market_quantity)
    if limited:
        highest, lowest = mark * rules.highest, mark * rules.lowest
        if order.side == "BUY" and float(price) > highest:
            raise ExchangeRefusal(-4016, f"{highest:.{rules.price_precision}f}")
        if order.side == "SELL" and float(price) < lowest:
            raise ExchangeRefusal(-4024, f"{lowest:.{rules.price_precision}f}")
    worth = float(quantity) * (float(price) if limited else mark)
    if not order.reduce_only and worth < float(rules.min_notional):
        raise ExchangeRefusal(-4164, rules.min_notional)


def _check_price(price: Decimal, allowed: Range) -> None:
    if price <= 0:
        raise ExchangeRefusal(-4001)
    if allowed.lowest and price < allowed.lowest:
        raise ExchangeRefusal(-4013)
    if allowed.highest and price > allowed.highest:
        raise ExchangeRefusal(-4002)
    if allowed.step and (price - allowed.lowest) % allowed.step:
        raise ExchangeRefusal(-4014)


def _check_quantity(quantity: Decimal, allowed: Range) -> None:
    if quantity <= 0:
        raise ExchangeRefusal(-4003)
    if quantity < allowed.lowest:
        raise ExchangeRefusal(-4004)
    if quantity > allowed.highest:
        raise ExchangeRefusal(-4005)
    if allowed.step and (quantity - allowed.lowest) % allowed.step:
        raise ExchangeRefusal(-4023)


def _decimal(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ExchangeRefusal(-1102, name) from None
    # A huge exponent is a number as well, but one whose remainder would take for ever.
    if not value.is_finite() or abs(value.adjusted()) > 20:
        raise ExchangeRefusal(-1102, name)
    return value


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
