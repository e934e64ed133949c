"""What the core of live trading asks of an exchange, and what comes back. The shell carries a request out once and answers it
once, in any order.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from atm.model.account_facts import LiveFact, Snapshot, TradeSeen
from atm.model.live_order import OrderIntent


class PlaceOrder(msgspec.Struct, frozen=True, tag=True):
    """Send an order, but not after `send_before_ms`; what has not gone out by then is FailureKind.NOT_DONE."""

    intent: OrderIntent
    send_before_ms: int


class CancelOrder(msgspec.Struct, frozen=True, tag=True):
    symbol: str
    client_id: str
    conditional: bool


class QueryOrder(msgspec.Struct, frozen=True, tag=True):
    """Ask for an order by its client id."""

    symbol: str
    client_id: str
    conditional: bool


class QueryTrades(msgspec.Struct, frozen=True, tag=True):
    """Fills of one order."""

    symbol: str
    order_id: int


class FindOrder(msgspec.Struct, frozen=True, tag=True):
    """Ask for an order by the exchange's number, to learn whose it is."""

    symbol: str
    order_id: int


class SetLeverage(msgspec.Struct, frozen=True, tag=True):
    symbol: str
    leverage: int


class SetMarginMode(msgspec.Struct, frozen=True, tag=True):
    symbol: str
    isolated: bool


class CountDown(msgspec.Struct, frozen=True, tag=True):
    """Have the plain orders of a symbol cancelled after so long, unless it is asked for again before; 0 = not any more."""

    symbol: str
    length_ms: int


class TakeSnapshot(msgspec.Struct, frozen=True, tag=True):
    """The whole account; of `trades_of` symbols the fills since `since_ms` as well."""

    trades_of: tuple[str, ...] = ()
    since_ms: int = 0


LiveRequest = (
    PlaceOrder
    | CancelOrder
    | QueryOrder
    | QueryTrades
    | FindOrder
    | SetLeverage
    | SetMarginMode
    | CountDown
    | TakeSnapshot
)


class FailureKind(Enum):
    """UNKNOWN: may have been carried out; REFUSED: the exchange said no; NOT_FOUND: what was asked for does not exist there;
    NOT_DONE: not carried out, may be tried later."""

    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"
    NOT_FOUND = "NOT_FOUND"
    NOT_DONE = "NOT_DONE"


class Failure(msgspec.Struct, frozen=True):
    """code: the exchange's, 0 without; retry_after_ms: how long to wait at least."""

    kind: FailureKind
    code: int = 0
    reason: str = ""
    retry_after_ms: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What became of a request: facts, or a failure. asked_ms: when it was sent; trades: of QueryTrades."""

    number: int
    asked_ms: int
    facts: tuple[LiveFact, ...] = ()
    trades: tuple[TradeSeen, ...] = ()
    snapshot: Snapshot | None = None
    failure: Failure | None = None
