"""Stream frames as structs, decoding only what is used (spec: exchange §2.3).

Frames come in combined mode: {"stream": name, "data": payload}. Unknown fields are skipped without being built; an
event type that is not known here is no error.
"""

from __future__ import annotations

import msgspec

Level = tuple[float, float]


class Kline(msgspec.Struct, gc=False, rename={"open_time": "t", "closed": "x", "quote_volume": "q", "trades": "n",
                                              "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
                                              "taker_buy_volume": "V", "taker_buy_quote_volume": "Q"}):  # fmt: skip
    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_volume: float
    taker_buy_quote_volume: float
    closed: bool


class KlineEvent(
    msgspec.Struct, gc=False, tag_field="e", tag="kline", rename={"time_ms": "E", "symbol": "s", "kline": "k"}
):
    time_ms: int
    symbol: str
    kline: Kline


class TradeEvent(msgspec.Struct, gc=False, tag_field="e", tag="aggTrade",
                 rename={"symbol": "s", "trade_id": "a", "price": "p", "quantity": "q", "time_ms": "T",
                         "buyer_is_maker": "m"}):  # fmt: skip
    symbol: str
    trade_id: int
    price: float
    quantity: float
    time_ms: int
    buyer_is_maker: bool


class MarkEvent(msgspec.Struct, gc=False, tag_field="e", tag="markPriceUpdate",
                rename={"time_ms": "E", "symbol": "s", "mark_price": "p", "index_price": "i", "funding_rate": "r",
                        "next_funding_ms": "T"}):  # fmt: skip
    """funding_rate is an empty string for delivery contracts."""

    time_ms: int
    symbol: str
    mark_price: float
    index_price: float
    funding_rate: str = "0"
    next_funding_ms: int = 0


class BookEvent(msgspec.Struct, gc=False, tag_field="e", tag="depthUpdate",
                rename={"time_ms": "E", "symbol": "s", "update_id": "u", "bids": "b", "asks": "a"}):  # fmt: skip
    """The complete best levels (a partial-depth stream), best first."""

    time_ms: int
    symbol: str
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class ForceOrder(msgspec.Struct, gc=False,
                 rename={"symbol": "s", "side": "S", "price": "ap", "quantity": "z", "time_ms": "T"}):  # fmt: skip
    """price: the average of its fills; quantity: filled."""

    symbol: str
    side: str
    price: float
    quantity: float
    time_ms: int


class ForceOrderEvent(msgspec.Struct, gc=False, tag_field="e", tag="forceOrder", rename={"order": "o"}):
    """A liquidation: the largest of its symbol in a second (spec: exchange §2.3)."""

    order: ForceOrder


class ContractEvent(msgspec.Struct, gc=False, tag_field="e", tag="contractInfo", rename={"symbol": "s"}):
    """Something about a contract has changed: listing, settlement, brackets. What it is, is read by REST."""

    symbol: str


Payload = KlineEvent | TradeEvent | MarkEvent | BookEvent | ForceOrderEvent | ContractEvent


class Frame(msgspec.Struct, gc=False):
    """data None: the answer to a control message."""

    stream: str = ""
    data: Payload | None = None


class LooseFrame(msgspec.Struct, gc=False):
    """What can be read of a frame whose payload is not one of ours."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class Control(msgspec.Struct, omit_defaults=True):
    """A control message to the server. At most 10 a second may be sent (§2.1)."""

    method: str
    params: tuple[str, ...]
    id: int


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)
"""What msgspec raises of bytes that are no JSON; bad UTF-8 inside of a string escapes its own family."""
FRAMES = msgspec.json.Decoder(Frame, strict=False)
LOOSE_FRAMES = msgspec.json.Decoder(LooseFrame)
