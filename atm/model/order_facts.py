"""What becomes known of an order, one struct for each kind of fact. They are what the journal keeps.

Times Unix ms UTC on the exchange's clock.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from atm.model.live_order import OrderFill, OrderIntent, OrderState


class Intended(msgspec.Struct, frozen=True, tag=True):
    """An order is wanted. Committed before anything is sent."""

    intent: OrderIntent
    time_ms: int

    @property
    def client_id(self) -> str:
        return self.intent.client_id


class Sent(msgspec.Struct, frozen=True, tag=True):
    """From now on it may exist. Committed before it is sent."""

    client_id: str
    time_ms: int


class Dropped(msgspec.Struct, frozen=True, tag=True):
    """It will never be sent."""

    client_id: str
    reason: str
    time_ms: int


class Reported(msgspec.Struct, frozen=True, tag=True):
    """The exchange has it: an answer, a query or the user stream. order_id, algo_id: 0 where the source does not say."""

    client_id: str
    state: OrderState
    executed: Decimal
    time_ms: int
    order_id: int = 0
    algo_id: int = 0
    reason: str = ""


class Filled(msgspec.Struct, frozen=True, tag=True):
    """One fill of it."""

    client_id: str
    fill: OrderFill
    order_id: int = 0


class Declined(msgspec.Struct, frozen=True, tag=True):
    """The exchange refused it, which proves that it does not exist."""

    client_id: str
    code: int
    reason: str
    time_ms: int


class Lost(msgspec.Struct, frozen=True, tag=True):
    """Its answer did not come, or says nothing certain."""

    client_id: str
    time_ms: int


class NotFound(msgspec.Struct, frozen=True, tag=True):
    """A query by its client id, sent at `asked_ms`, found nothing."""

    client_id: str
    asked_ms: int


class NotPlaced(msgspec.Struct, frozen=True, tag=True):
    """All conditions of the safe rule hold: it does not exist and cannot come into existence any more."""

    client_id: str
    time_ms: int


class CancelAsked(msgspec.Struct, frozen=True, tag=True):
    """A cancel is about to be sent."""

    client_id: str
    time_ms: int


OrderFact = Intended | Sent | Dropped | Reported | Filled | Declined | Lost | NotFound | NotPlaced | CancelAsked
