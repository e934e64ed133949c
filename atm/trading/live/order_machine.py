"""The life of an order as a pure state machine: `advance(order, fact) -> order`.

What the exchange says may come late, twice, in any order, or not at all. So states are ranked and an order only ever moves up:
the state is the highest that any fact has proved, the executed quantity the largest, the fills the union by trade id. Such a
join does not depend on the order or the number of the facts. The rank puts *proof of existence* above *conclusion of absence*:
an order that was believed lost and turns up after all is known again (spec: runtime §8.5, exchange §5.4 F40–F58).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from atm.model.live_order import NOTHING, LiveOrder, OrderFill, OrderState
from atm.model.order_facts import (
    CancelAsked,
    Declined,
    Dropped,
    Filled,
    Intended,
    Lost,
    NotFound,
    NotPlaced,
    OrderFact,
    Reported,
    Sent,
)

SEND_PATIENCE_MS = 3_000
"""A request that has not gone out by then is dropped by whoever sends it."""
RECEIVE_WINDOW_MS = 5_000
"""The exchange refuses a request that arrives later than this after it was signed (its default)."""
FINAL_AFTER_MS = SEND_PATIENCE_MS + RECEIVE_WINDOW_MS + 1_000
"""From then on after `sent_ms` a query that finds nothing counts: the request cannot arrive any more."""
BETWEEN_ABSENCES_MS = 1_000
ABSENCES_NEEDED = 2
FORGOTTEN_AFTER_MS = 3 * 86_400_000
"""The exchange forgets orders that ended without a fill after that time (exchange §3.2)."""

_RANK = {
    OrderState.NEW: 0,
    OrderState.SENT: 1,
    OrderState.UNKNOWN: 2,
    OrderState.ABANDONED: 3,
    OrderState.REJECTED: 3,
    OrderState.NOT_PLACED: 3,
    OrderState.ACKNOWLEDGED: 4,
    OrderState.PARTIALLY_FILLED: 5,
    OrderState.CANCELED: 6,
    OrderState.EXPIRED: 6,
    OrderState.FILLED: 7,
}


class ImpossibleStep(RuntimeError):
    """Something that this program itself did does not fit what it knew of the order: a mistake in the program."""

    def __init__(self, order: LiveOrder, fact: OrderFact) -> None:
        super().__init__(f"{type(fact).__name__} does not fit the order {order}")


def advance(order: LiveOrder, fact: OrderFact) -> LiveOrder:
    """The order with the fact known; the very same object if it says nothing new. Raises ImpossibleStep."""
    match fact:
        case Reported():
            return _reported(order, fact)
        case Filled():
            return _filled(order, fact)
        case Declined():
            return _raised(order, OrderState.REJECTED, code=fact.code, reason=fact.reason, heard_ms=fact.time_ms)
        case Lost():
            return _raised(order, OrderState.UNKNOWN)
        case NotFound():
            return _not_found(order, fact)
        case NotPlaced():
            return _raised(order, OrderState.NOT_PLACED)
        case Sent() if order.state is OrderState.NEW:
            return replace(order, state=OrderState.SENT, sent_ms=fact.time_ms)
        case Dropped() if order.state is OrderState.NEW:
            return replace(order, state=OrderState.ABANDONED, reason=fact.reason)
        case CancelAsked() if order.exists or order.is_unresolved:
            return order if order.is_final else replace(order, cancel_asked_ms=fact.time_ms)
        case Intended() if order.intent == fact.intent:
            return order
    raise ImpossibleStep(order, fact)


def is_absent(order: LiveOrder) -> bool:
    """Whether queries alone say that it does not exist; before it is NOT_PLACED, a snapshot must agree."""
    return order.state is OrderState.UNKNOWN and order.absences >= ABSENCES_NEEDED


def _raised(order: LiveOrder, state: OrderState, **known: object) -> LiveOrder:
    return replace(order, state=state, **known) if _RANK[state] > _RANK[order.state] else order


def _reported(order: LiveOrder, fact: Reported) -> LiveOrder:
    changed = replace(
        order,
        executed=max(order.executed, fact.executed),
        order_id=order.order_id or fact.order_id,
        algo_id=order.algo_id or fact.algo_id,
        heard_ms=max(order.heard_ms, fact.time_ms),
    )
    changed = _risen(_raised(changed, fact.state, reason=fact.reason or order.reason))
    return order if _same_but_heard(order, changed) else changed


def _filled(order: LiveOrder, fact: Filled) -> LiveOrder:
    fills = _with_fill(order.fills, fact.fill)
    changed = replace(
        order,
        fills=fills,
        executed=max(order.executed, total(fills)),
        order_id=order.order_id or fact.order_id,
        heard_ms=max(order.heard_ms, fact.fill.time_ms),
    )
    changed = _risen(changed)
    return order if _same_but_heard(order, changed) else changed


def _with_fill(fills: tuple[OrderFill, ...], fill: OrderFill) -> tuple[OrderFill, ...]:
    """Each trade once, in the order of their numbers; one that knows the commission replaces one that does not."""
    known = {each.trade_id: each for each in fills}
    if fill.trade_id not in known or (known[fill.trade_id].commission is None and fill.commission is not None):
        known[fill.trade_id] = fill
    return tuple(known[number] for number in sorted(known))


def _risen(order: LiveOrder) -> LiveOrder:
    """The state that the executed quantity alone proves."""
    if order.executed > NOTHING:
        is_whole = NOTHING < order.intent.quantity <= order.executed
        return _raised(order, OrderState.FILLED if is_whole else OrderState.PARTIALLY_FILLED)
    return order


def _same_but_heard(before: LiveOrder, after: LiveOrder) -> bool:
    """Whether nothing was learnt but that the exchange still knows it."""
    return replace(after, heard_ms=before.heard_ms) == before


def _not_found(order: LiveOrder, fact: NotFound) -> LiveOrder:
    if order.exists and not order.is_final and fact.asked_ms - max(order.heard_ms, order.sent_ms) > FORGOTTEN_AFTER_MS:
        return replace(order, state=OrderState.EXPIRED, reason="the exchange does not know it any more")
    if order.state is not OrderState.UNKNOWN or fact.asked_ms < order.sent_ms + FINAL_AFTER_MS:
        return order
    if order.absences == 0:
        return replace(order, absences=1, absent_ms=fact.asked_ms)
    if order.absences < ABSENCES_NEEDED and fact.asked_ms >= order.absent_ms + BETWEEN_ABSENCES_MS:
        return replace(order, absences=order.absences + 1)
    return order


def total(fills: Iterable[OrderFill]) -> Decimal:
    """Quantity of some fills."""
    return sum((fill.quantity for fill in fills), NOTHING)
