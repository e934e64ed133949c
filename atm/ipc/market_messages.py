"""Messages about the whole market, for whoever looks at it. See `atm.ipc.messages`, through which all are imported."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from atm.ipc.message_forms import Delivery, Event, Request


class DayTicker(msgspec.Struct, frozen=True, gc=False):
    """The last 24 hours of a symbol, by the exchange. change: fraction; volume in the base asset, quote_volume in the quote asset."""

    symbol: str
    last: float
    change: float
    high: float
    low: float
    volume: float
    quote_volume: float


class DayTickers(Event, frozen=True):
    """All symbols, as they were asked for. Key: ""."""

    delivery: ClassVar[Delivery] = "latest"
    tickers: tuple[DayTicker, ...]


class OpenInterest(Event, frozen=True):
    """Contracts that are held open, in the base asset. Key: symbol."""

    delivery: ClassVar[Delivery] = "latest"
    symbol: str
    quantity: float
    time_ms: int


class Liquidation(Event, frozen=True):
    """Somebody's position was liquidated. side: of the liquidation order ("SELL": a long position). Key: symbol.

    The exchange tells the largest of a symbol and second only, so these are a sample.
    """

    symbol: str
    time_ms: int
    side: str
    price: float
    quantity: float


class LookAtMarket(Request, frozen=True):
    """To binance_api: tell the 24 hours of all symbols (DayTickers) and the open interest of one (OpenInterest) as they are now. → Done

    The one's 24 hours and open interest are not asked for again while they are younger than 10 s, those of the others while they are
    younger than two minutes. An exchange that has no open interest tells none.
    """

    symbol: str
