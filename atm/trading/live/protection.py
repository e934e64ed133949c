"""The protective stop of a position, kept in step with it. Pure: `next_step(wanted, stops)` says the one thing to do next.

The exchange allows one closing stop a side (-4130), so a STOP cannot be confirmed beside the one that it replaces. Between them
stands a BRIDGE, a reduce-only stop of the position's quantity, of which there may be several:

    place BRIDGE at the new trigger → confirmed → cancel the old STOP → place the new STOP → confirmed → cancel BRIDGE

At every moment at least one stop rests. A stop of which it is not known whether it exists protects nothing; since a BRIDGE too many
does no harm, the next one does not wait for the answer. What is to be done is read off the stops that there are, not off a memory
of steps, so that it goes on after a crash where it was. A STOP closes whatever is there, so it need not follow the quantity.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from atm.model.live_order import NOTHING, LiveOrder, OrderState, Purpose
from atm.model.order import Side

OVERDUE_MS = 2_000
"""How long the answer to a stop is waited for before another one is placed beside it."""
MOST_DOUBTFUL = 6


class WantedStop(msgspec.Struct, frozen=True):
    """side: of the stop, opposite to the position; quantity: of the position, > 0; bridge_only: the exchange has a closing stop
    that is not ours, so that a BRIDGE has to do."""

    side: Side
    trigger: Decimal
    quantity: Decimal
    bridge_only: bool = False


class PlaceStop(msgspec.Struct, frozen=True):
    purpose: Purpose
    side: Side
    trigger: Decimal
    quantity: Decimal


class CancelStop(msgspec.Struct, frozen=True):
    client_id: str


def is_resting(stop: LiveOrder) -> bool:
    """Whether a stop for certain waits on the exchange: acknowledged, not fired, no cancel under way."""
    return stop.state is OrderState.ACKNOWLEDGED and stop.order_id == 0 and stop.cancel_asked_ms == 0


def is_protected(amount: Decimal, stops: Iterable[LiveOrder]) -> bool:
    """Whether stops rest for the whole position (signed amount). One that has just fired protects as well: it is closing."""
    if not amount:
        return True
    side = Side.SELL if amount > NOTHING else Side.BUY
    covering = [each for each in stops if each.intent.side is side and (is_resting(each) or has_fired(each))]
    if any(each.intent.purpose is Purpose.STOP for each in covering):
        return True
    return sum((each.intent.quantity for each in covering), NOTHING) >= abs(amount)


def has_fired(stop: LiveOrder) -> bool:
    """Whether a stop has become an order that is not yet done."""
    return stop.rests and stop.order_id != 0


def next_step(wanted: WantedStop | None, stops: Iterable[LiveOrder], now_ms: int) -> PlaceStop | CancelStop | None:
    """What to do next about the stops of a symbol that are not final; None: nothing, or wait for an answer."""
    live = [stop for stop in stops if not stop.is_final]
    if wanted is not None and _is_overdue(wanted, live, now_ms):
        return _place(Purpose.BRIDGE, wanted)
    if wanted is None:
        return _cancel_first(live)
    mine = [stop for stop in live if stop.intent.side is wanted.side]
    if any(stop.is_unresolved or stop.cancel_asked_ms or has_fired(stop) for stop in mine):
        return None
    main = next((stop for stop in mine if stop.intent.purpose is Purpose.STOP), None)
    bridge = next((stop for stop in mine if _covers(stop, wanted)), None)
    if wanted.bridge_only:
        return _keep(bridge, live) or (None if bridge else _place(Purpose.BRIDGE, wanted))
    if main is not None and main.intent.trigger == wanted.trigger:
        return _keep(main, live)
    if main is None:
        return _place(Purpose.STOP, wanted)
    return CancelStop(main.client_id) if bridge is not None else _place(Purpose.BRIDGE, wanted)


def _is_overdue(wanted: WantedStop, live: list[LiveOrder], now_ms: int) -> bool:
    """Whether the position rests on nothing but stops that were sent a while ago and never heard of."""
    mine = [stop for stop in live if stop.intent.side is wanted.side]
    if not 0 < len(mine) < MOST_DOUBTFUL or not all(stop.is_unresolved for stop in mine):
        return False
    return now_ms - max(stop.sent_ms for stop in mine) >= OVERDUE_MS


def _covers(stop: LiveOrder, wanted: WantedStop) -> bool:
    is_bridge = stop.intent.purpose is Purpose.BRIDGE and stop.intent.trigger == wanted.trigger
    return is_bridge and stop.intent.quantity >= wanted.quantity


def _place(purpose: Purpose, wanted: WantedStop) -> PlaceStop:
    quantity = wanted.quantity if purpose is Purpose.BRIDGE else NOTHING
    return PlaceStop(purpose, wanted.side, wanted.trigger, quantity)


def _keep(kept: LiveOrder | None, live: list[LiveOrder]) -> CancelStop | None:
    """Cancel the others, once there is one to keep."""
    return None if kept is None else _cancel_first([stop for stop in live if stop is not kept])


def _cancel_first(stops: list[LiveOrder]) -> CancelStop | None:
    """Cancel one that rests; the others are on their way out, or it is not known if they exist."""
    return next((CancelStop(stop.client_id) for stop in stops if is_resting(stop)), None)
