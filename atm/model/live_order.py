"""Orders of a live account as values: what was intended, and what is known of it.

Quantities and prices are `Decimal`, exactly as the exchange spells them. Times Unix ms UTC on the exchange's clock.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from atm.model.order import Side

NOTHING = Decimal(0)


class OrderState(Enum):
    """What is known of an order. NEW: journalled, not sent. UNKNOWN: sent, whether it exists has to be asked. NOT_PLACED: proved
    never to have existed. ABANDONED: never sent."""

    NEW = "NEW"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ABANDONED = "ABANDONED"
    REJECTED = "REJECTED"
    NOT_PLACED = "NOT_PLACED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FILLED = "FILLED"


class Purpose(Enum):
    """What an order is for. STOP: closes the whole position at its trigger; BRIDGE: a reduce-only stop of the position's
    quantity that rests while a STOP is replaced."""

    OPEN = "O"
    CLOSE = "C"
    STOP = "S"
    BRIDGE = "B"


class OrderIntent(msgspec.Struct, frozen=True):
    """An order that is wanted. It is journalled before it is sent, and its id is made from its place in the journal.

    quantity: 0 for a STOP, which closes whatever is there; price: None for a market order; trigger: of STOP and BRIDGE;
    decision_ms: close of the decision bar; slice: counts the orders of a symbol's decision from 0 on; attempt: counts the
    sendings of a slice from 0 on; cancel_ms: when a resting order is to be cancelled, 0 = when the target changes.
    """

    client_id: str
    symbol: str
    side: Side
    purpose: Purpose
    quantity: Decimal
    decision_ms: int
    slice: int
    attempt: int = 0
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    cancel_ms: int = 0

    @property
    def is_conditional(self) -> bool:
        """Whether it goes to algoOrder and waits for its trigger."""
        return self.purpose in (Purpose.STOP, Purpose.BRIDGE)


class OrderFill(msgspec.Struct, frozen=True):
    """One fill. trade_id: unique within the symbol. The early short message of the stream has no commission (None) and no
    profit. commission in `asset`, positive when paid; profit in quote, before commission."""

    trade_id: int
    quantity: Decimal
    price: Decimal
    time_ms: int
    maker: bool = False
    commission: Decimal | None = None
    asset: str = ""
    profit: Decimal = NOTHING


class LiveOrder(msgspec.Struct, frozen=True):
    """An intent and what is known of it.

    order_id, algo_id: the exchange's numbers, 0 = not known; executed: cumulative, in base asset; fills: those whose details
    are known, each trade id once; sent_ms: last moment before sending; heard_ms: newest word of the exchange;
    absences, absent_ms: how often, and when first, a query that counts found nothing; cancel_asked_ms: 0 = no cancel was sent;
    code, reason: of a refusal or an early end.
    """

    intent: OrderIntent
    state: OrderState = OrderState.NEW
    order_id: int = 0
    algo_id: int = 0
    executed: Decimal = NOTHING
    fills: tuple[OrderFill, ...] = ()
    sent_ms: int = 0
    heard_ms: int = 0
    absences: int = 0
    absent_ms: int = 0
    cancel_asked_ms: int = 0
    code: int = 0
    reason: str = ""

    @property
    def client_id(self) -> str:
        return self.intent.client_id

    @property
    def signed_executed(self) -> Decimal:
        """What it has done to the position."""
        return self.executed * self.intent.side.sign

    @property
    def rest(self) -> Decimal:
        """What it may still fill, 0 once it has ended; of a STOP not known and 0."""
        return NOTHING if self.is_final else max(NOTHING, self.intent.quantity - self.executed)

    @property
    def is_final(self) -> bool:
        """Whether it can do nothing more."""
        return self.state in FINAL

    @property
    def exists(self) -> bool:
        """Whether the exchange has ever known it."""
        return self.state in KNOWN

    @property
    def rests(self) -> bool:
        """Whether it is for certain in the exchange's book."""
        return self.state in (OrderState.ACKNOWLEDGED, OrderState.PARTIALLY_FILLED)

    @property
    def is_unresolved(self) -> bool:
        """Whether it has been sent and it is not known if it exists."""
        return self.state in (OrderState.SENT, OrderState.UNKNOWN)

    @property
    def has_all_fills(self) -> bool:
        """Whether every fill of what it has executed is known with its commission."""
        known = (fill.quantity for fill in self.fills if fill.commission is not None)
        return sum(known, NOTHING) == self.executed

    @property
    def is_complete(self) -> bool:
        """Ended, and every fill of it is known with its commission."""
        return self.is_final and self.has_all_fills


FINAL = frozenset(
    (
        OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.NOT_PLACED,
        OrderState.ABANDONED,
    )
)  # fmt: skip
KNOWN = frozenset(
    (
        OrderState.ACKNOWLEDGED, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED,
    )
)  # fmt: skip
