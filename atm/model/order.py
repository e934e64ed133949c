"""Orders as values: the vocabulary of Binance USDⓈ-M Futures."""

from __future__ import annotations

from enum import Enum

import msgspec


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class OrderType(Enum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(Enum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class OrderStatus(Enum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class MarginType(Enum):
    ISOLATED = "ISOLATED"
    CROSSED = "CROSSED"


class OrderTicket(msgspec.Struct, frozen=True):
    """An order to be sent. `quantity` and `price` are decimal strings on step and tick."""

    symbol: str
    side: Side
    type: OrderType
    quantity: str
    client_order_id: str
    price: str | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False


class OrderReport(msgspec.Struct, frozen=True):
    """What the exchange says of an order. Times in Unix ms UTC; prices and quantities as decimal strings."""

    symbol: str
    order_id: int
    client_order_id: str
    status: OrderStatus
    side: Side
    type: OrderType
    original_quantity: str
    executed_quantity: str
    average_price: str
    reduce_only: bool
    update_ms: int
