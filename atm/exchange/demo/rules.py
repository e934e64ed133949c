"""The filters of a symbol, checked in the order in which the exchange does."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from atm.exchange.demo.account import Order
from atm.exchange.demo.refusal import ExchangeRefusal

Parameters = Mapping[str, str]


class Range(msgspec.Struct, frozen=True):
    """Lowest and highest value and step, each 0 where the filter does not hold."""

    lowest: Decimal
    highest: Decimal
    step: Decimal


class Rules(msgspec.Struct, frozen=True):
    """What exchangeInfo says of one symbol. Rates and multipliers are fractions of one. `bound`: how far from the mark price
    a market order may take; `protect`: how far the last price may be from the mark price when a protected stop fires;
    `risk_side`: NONE, BUY, SELL or BOTH, the side on which positions may only be reduced."""

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
    protect: float
    liquidation_fee: float
    max_amendments: int
    risk_side: str

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
            protect=float(entry.get("triggerProtect", "1")),
            liquidation_fee=float(entry["liquidationFee"]),
            max_amendments=int(entry.get("maxMoveOrderLimit", 10_000)),
            risk_side=filters.get("POSITION_RISK_CONTROL", {}).get("positionControlSide", "NONE"),
        )


def _range(lowest: str, highest: str, step: str) -> Range:
    return Range(Decimal(lowest), Decimal(highest), Decimal(step))


def check_filters(order: Order, rules: Rules, mark: float, too_small: int = -4164) -> None:
    """Precision, price, quantity, distance from the mark price, smallest notional (refused with `too_small`) and the control
    of positions at risk. Raises ExchangeRefusal."""
    quantity, price = decimal(order.quantity, "quantity"), decimal(order.price, "price")
    check_precision(rules, quantity, price)
    limited = order.type == "LIMIT"
    if limited:
        check_price(price, rules.price)
    if not order.close_position:
        check_quantity(quantity, rules.quantity if limited else rules.market_quantity)
    if limited:
        highest, lowest = mark * rules.highest, mark * rules.lowest
        if order.side == "BUY" and float(price) > highest:
            raise ExchangeRefusal(-4016, f"{highest:.{rules.price_precision}f}")
        if order.side == "SELL" and float(price) < lowest:
            raise ExchangeRefusal(-4024, f"{lowest:.{rules.price_precision}f}")
    worth = float(quantity) * (float(price) if limited else mark)
    if not order.reduce_only and worth < float(rules.min_notional):
        raise ExchangeRefusal(too_small, rules.min_notional)
    if rules.risk_side in ("BOTH", order.side) and not order.reduce_only:
        raise ExchangeRefusal({"BOTH": -4105, "BUY": -4106, "SELL": -4107}[rules.risk_side])


def check_precision(rules: Rules, quantity: Decimal, *prices: Decimal) -> None:
    """Numbers of decimals. Raises ExchangeRefusal."""
    if _places(quantity) > rules.quantity_precision or any(_places(price) > rules.price_precision for price in prices):
        raise ExchangeRefusal(-1111)


def check_price(price: Decimal, allowed: Range, negative: int = -4001, too_high: int = -4002) -> None:
    """PRICE_FILTER; the codes differ for trigger prices. Raises ExchangeRefusal."""
    if price <= 0:
        raise ExchangeRefusal(negative)
    if allowed.lowest and price < allowed.lowest:
        raise ExchangeRefusal(-4013)
    if allowed.highest and price > allowed.highest:
        raise ExchangeRefusal(too_high)
    if allowed.step and (price - allowed.lowest) % allowed.step:
        raise ExchangeRefusal(-4014)


def check_quantity(quantity: Decimal, allowed: Range) -> None:
    """LOT_SIZE or MARKET_LOT_SIZE. Raises ExchangeRefusal."""
    if quantity <= 0:
        raise ExchangeRefusal(-4003)
    if quantity < allowed.lowest:
        raise ExchangeRefusal(-4004)
    if quantity > allowed.highest:
        raise ExchangeRefusal(-4005)
    if allowed.step and (quantity - allowed.lowest) % allowed.step:
        raise ExchangeRefusal(-4023)


def decimal(text: str, name: str) -> Decimal:
    """A finite decimal number. Raises ExchangeRefusal naming the parameter."""
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
