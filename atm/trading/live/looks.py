"""When the exchange has to be asked about an order, and for what. Pure."""

from __future__ import annotations

from enum import Enum

import msgspec

from atm.model.live_order import LiveOrder
from atm.trading.live.order_machine import is_absent

DELAYS_MS = (500, 1_000, 1_000, 2_000, 5_000, 10_000)
"""Before the first look and between the following ones; the last one holds for all further ones."""
FIRST_AFTER_LOSS_MS = 200
RESTING_MS = 10_000
"""Between looks at a limit order that rests: a fill whose events are lost is a position without a stop until it is seen."""
MOST_LOOKS_FOR_TRADES = 20
SLOW_MS = 600_000
"""Between looks for fills after so many: the exchange's history has a hole, or the fill no commission."""
NOTICE_AFTER = 8
"""Looks without a result after which the user is told; it goes on nevertheless, since nothing else may be done."""


class Need(Enum):
    NOTHING = 0
    ORDER = 1
    TRADES = 2
    PROOF = 3
    """Queries say that it does not exist: a snapshot has to agree."""
    REST = 4
    """It rests, and may be filled at any time."""


class Look(msgspec.Struct):
    """How often an order was asked for, and when it is next."""

    need: Need
    tries: int
    next_ms: int


def need(order: LiveOrder) -> Need:
    """What has to be known of an order that nobody may say by himself."""
    if is_absent(order):
        return Need.PROOF
    if order.is_complete:
        return Need.NOTHING
    if order.is_unresolved:
        return Need.ORDER
    if order.is_final:
        return Need.TRADES if order.order_id else Need.ORDER
    at_once = order.intent.price is None and not order.intent.is_conditional
    has_fired = order.intent.is_conditional and order.order_id != 0
    if at_once or has_fired or order.cancel_asked_ms:
        return Need.ORDER
    if order.intent.is_conditional:
        return Need.NOTHING
    # a fill whose event was lost is logged now, not when the order ends, which may be days later
    return Need.REST if order.has_all_fills or not order.order_id else Need.TRADES


def first_look(order: LiveOrder, wanted: Need, now_ms: int) -> Look:
    """The first look for a new need. An order whose answer was lost is asked for sooner than one of which an event is due."""
    delay_ms = FIRST_AFTER_LOSS_MS if order.is_unresolved else DELAYS_MS[0] + DELAYS_MS[1]
    delay_ms = RESTING_MS if wanted is Need.REST else delay_ms
    return Look(wanted, 0, now_ms + delay_ms)


def looked(look: Look, now_ms: int) -> None:
    """Count a look and set the time of the next one."""
    if look.need is Need.REST:
        look.next_ms = now_ms + RESTING_MS
        return
    look.tries += 1
    is_slow = look.need is Need.TRADES and look.tries >= MOST_LOOKS_FOR_TRADES
    look.next_ms = now_ms + (SLOW_MS if is_slow else DELAYS_MS[min(look.tries, len(DELAYS_MS) - 1)])
