"""What a user looks at of an actual account on its exchange: orders, protective stops, differences, distance to the limits."""

from __future__ import annotations

from enum import Enum

import msgspec

from atm.model.live_order import LiveOrder
from atm.model.order import Side


class Protection(Enum):
    """Of a position. RESTS: a stop is in the book where it is wanted; MOVING: one rests while it is being replaced; MISSING: none
    rests although one is wanted; UNWANTED: neither decision nor rules name one, and none rests."""

    RESTS = "RESTS"
    MOVING = "MOVING"
    MISSING = "MISSING"
    UNWANTED = "UNWANTED"


class StopView(msgspec.Struct, frozen=True):
    """The stop of one position. trigger: of the stop that rests, None = none; wanted: where it should be; unprotected_ms: since when
    (exchange's clock) the position has been without one, 0 = it is not."""

    symbol: str
    protection: Protection
    trigger: float | None = None
    wanted: float | None = None
    unprotected_ms: int = 0


class OrderView(msgspec.Struct, frozen=True):
    """An order as a row. quantity 0 closes whatever is there; price None = at market; times Unix ms of the exchange's clock, 0 = not yet;
    mean_price: of its fills as far as they are known."""

    client_id: str
    symbol: str
    side: Side
    purpose: str
    state: str
    is_final: bool
    quantity: float
    executed: float
    price: float | None
    trigger: float | None
    mean_price: float | None
    decision_ms: int
    sent_ms: int
    heard_ms: int
    reduce_only: bool = False
    code: int = 0
    reason: str = ""

    @staticmethod
    def of(order: LiveOrder) -> OrderView:
        intent, known = order.intent, sum(fill.quantity for fill in order.fills)
        worth = sum(fill.quantity * fill.price for fill in order.fills)
        return OrderView(
            intent.client_id, intent.symbol, intent.side, intent.purpose.name, order.state.value, order.is_final,
            float(intent.quantity), float(order.executed), None if intent.price is None else float(intent.price),
            None if intent.trigger is None else float(intent.trigger), float(worth / known) if known else None,
            intent.decision_ms, order.sent_ms, order.heard_ms, intent.reduce_only, order.code, order.reason,
        )  # fmt: skip


class DifferenceView(msgspec.Struct, frozen=True):
    """In what exchange and journal differed. kind: "position", "order_missing", "foreign_order", "orphan_order" or "settings"; ours,
    theirs: what the journal and what the exchange says, as text."""

    kind: str
    symbol: str
    ours: str = ""
    theirs: str = ""


class RiskFigures(msgspec.Struct, frozen=True):
    """What the limits are held against. Money in quote asset, 0 = not known; worth: of all positions at the mark prices; largest: of the
    largest one; orders: sent in the last minute."""

    equity: float = 0.0
    day_equity: float = 0.0
    peak_equity: float = 0.0
    worth: float = 0.0
    largest: float = 0.0
    orders: int = 0

    @property
    def day_loss(self) -> float | None:
        """Share lost of the equity at 00:00 UTC, never below 0."""
        return _lost(self.equity, self.day_equity)

    @property
    def drawdown(self) -> float | None:
        """Share lost of the highest equity, never below 0."""
        return _lost(self.equity, self.peak_equity)

    @property
    def leverage(self) -> float | None:
        """Worth of all positions per equity."""
        return self.worth / self.equity if self.equity > 0 else None


class LiveView(msgspec.Struct, frozen=True):
    """is_ready: compared since the last (re)connection; compared_ms: when last, 0 = never; orders: those under way and the newest that have
    ended, newest first; waits: symbols with an order that waits for a limit, and its name; given_up: symbols whose last decision was given
    up; not_closed: symbols that should have become smaller long ago, and why they have not ("" = not known);
    doubtful: symbols whose position differs from the journal and it is not known yet why."""

    is_ready: bool = False
    compared_ms: int = 0
    orders: tuple[OrderView, ...] = ()
    stops: tuple[StopView, ...] = ()
    differences: tuple[DifferenceView, ...] = ()
    risk: RiskFigures = RiskFigures()
    waits: dict[str, str] = {}
    given_up: tuple[str, ...] = ()
    not_closed: dict[str, str] = {}
    doubtful: tuple[str, ...] = ()


def _lost(equity: float, before: float) -> float | None:
    return max(0.0, 1.0 - equity / before) if equity > 0 and before > 0 else None
