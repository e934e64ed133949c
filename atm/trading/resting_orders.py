"""Orders that wait: until they arrive, for a price, or for the rest of their size (docs/execution.md). Numba kernels.

The pending opening and closing order of a position stand in its row; a limit or trigger price of 0 is a market order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.interval import MINUTE_MS
from atm.model.kernel import lean_kernel
from atm.trading.layout import OrderKind, Position, Reason, Setup

Floats = NDArray[np.float64]


@lean_kernel
def arrival(s: Floats, now: int, rests: bool) -> float:
    """Open time of the first minute in which an order of `now` can be filled; one that rests is not filled in a minute that
    had begun when it arrived."""
    at = now + s[Setup.LATENCY_MS]
    return float(math.ceil(at / MINUTE_MS) * MINUTE_MS if rests else math.floor(at / MINUTE_MS) * MINUTE_MS)


@lean_kernel
def tick_price(s: Floats, price: float, up: bool) -> float:
    """`price` on the tick above or below it."""
    units = s[Setup.TICK_UNITS]
    return float((math.ceil(price * units - 1e-6) if up else math.floor(price * units + 1e-6)) / units)


@lean_kernel
def place_entry(p: Floats, s: Floats, now: int, close: float) -> None:
    """Send the pending opening order, planned at `close`, the way that the configuration says. A price of its own, set by the
    method in OPEN_LIMIT, makes it a limit order."""
    buys = p[Position.PENDING_OPEN] > 0.0
    side = 1.0 if buys else -1.0
    kind, offset = int(s[Setup.ENTRY_ORDER]), s[Setup.ENTRY_OFFSET]
    p[Position.OPEN_TRIGGER] = 0.0
    if p[Position.OPEN_LIMIT] > 0.0:
        kind = OrderKind.LIMIT
        p[Position.OPEN_LIMIT] = tick_price(s, p[Position.OPEN_LIMIT], not buys)
    elif kind == OrderKind.LIMIT:
        p[Position.OPEN_LIMIT] = tick_price(s, close * (1.0 - side * offset), not buys)
    elif kind == OrderKind.STOP:
        p[Position.OPEN_TRIGGER] = tick_price(s, close * (1.0 + side * offset), buys)
    rests = kind != OrderKind.MARKET
    p[Position.OPEN_FROM] = arrival(s, now, rests)
    lifetime = s[Setup.ENTRY_MS]
    p[Position.OPEN_UNTIL] = p[Position.OPEN_FROM] + lifetime if rests and lifetime > 0.0 else 0.0


@lean_kernel
def place_exit(p: Floats, s: Floats, now: int, close: float) -> None:
    """Send the pending closing order the way that the configuration says; a stop goes to the market."""
    sells = p[Position.QUANTITY] > 0.0
    side = 1.0 if sells else -1.0
    rests = int(p[Position.PENDING_CLOSE_REASON]) != Reason.STOP_CLOSE
    if not rests:
        p[Position.CLOSE_LIMIT] = 0.0
    elif p[Position.CLOSE_LIMIT] > 0.0:
        p[Position.CLOSE_LIMIT] = tick_price(s, p[Position.CLOSE_LIMIT], sells)
    elif int(s[Setup.EXIT_ORDER]) == OrderKind.LIMIT:
        p[Position.CLOSE_LIMIT] = tick_price(s, close * (1.0 + side * s[Setup.EXIT_OFFSET]), sells)
    rests = p[Position.CLOSE_LIMIT] > 0.0
    p[Position.CLOSE_FROM] = arrival(s, now, rests)
    lifetime = s[Setup.EXIT_MS]
    p[Position.CLOSE_UNTIL] = p[Position.CLOSE_FROM] + lifetime if rests and lifetime > 0.0 else 0.0


@lean_kernel
def send_orders(p: Floats, s: Floats, now: int, close: float) -> None:
    """Send what was decided at `now`, the close of a bar that ended at `close`."""
    if p[Position.PENDING_MS] == now and p[Position.PENDING_CLOSE] > 0.0:
        place_exit(p, s, now, close)
    if p[Position.PENDING_MS] == now and p[Position.PENDING_OPEN] != 0.0:
        place_entry(p, s, now, close)


@lean_kernel
def withdraw_entry(p: Floats) -> None:
    """No opening order any more."""
    if p[Position.PENDING_OPEN] != 0.0:
        p[Position.PENDING_OPEN] = 0.0
        p[Position.OPEN_LIMIT] = p[Position.OPEN_TRIGGER] = p[Position.OPEN_FROM] = p[Position.OPEN_UNTIL] = 0.0


@lean_kernel
def withdraw_exit(p: Floats) -> None:
    """No closing order any more."""
    if p[Position.PENDING_CLOSE] != 0.0:
        p[Position.PENDING_CLOSE] = 0.0
        p[Position.CLOSE_LIMIT] = p[Position.CLOSE_FROM] = p[Position.CLOSE_UNTIL] = 0.0


@lean_kernel
def entry_rests(p: Floats, minute: int) -> bool:
    """Whether the opening order waits in the book for its price in this minute."""
    waits = p[Position.OPEN_LIMIT] > 0.0 or p[Position.OPEN_TRIGGER] > 0.0
    over = p[Position.OPEN_UNTIL] > 0.0 and minute >= p[Position.OPEN_UNTIL]
    return bool(p[Position.PENDING_OPEN] != 0.0 and waits and minute >= p[Position.OPEN_FROM] and not over)


@lean_kernel
def exit_rests(p: Floats, minute: int) -> bool:
    """Whether the closing order waits in the book for its price in this minute."""
    over = p[Position.CLOSE_UNTIL] > 0.0 and minute >= p[Position.CLOSE_UNTIL]
    waits = p[Position.CLOSE_LIMIT] > 0.0 and minute >= p[Position.CLOSE_FROM] and not over
    return bool(p[Position.PENDING_CLOSE] > 0.0 and waits)


@lean_kernel
def has_orders(P: Floats, i: int) -> bool:
    """Whether an order of position i waits for anything."""
    return bool(
        P[i, Position.PENDING_OPEN] != 0.0 or P[i, Position.PENDING_CLOSE] != 0.0 or P[i, Position.FORCE] != 0.0
    )


@lean_kernel
def next_order_minute(p: Floats, minute: int) -> float:
    """Open time of the first minute from this one on at whose open an order acts: it arrives, waits for a price, lapses; inf."""
    found = math.inf
    if p[Position.FORCE] != 0.0:
        return float(minute)
    if p[Position.PENDING_OPEN] != 0.0:
        waits = p[Position.OPEN_LIMIT] > 0.0 or p[Position.OPEN_TRIGGER] > 0.0
        found = acting_minute(waits, p[Position.OPEN_FROM], p[Position.OPEN_UNTIL], minute)
    if p[Position.PENDING_CLOSE] != 0.0:
        waits = p[Position.CLOSE_LIMIT] > 0.0
        found = min(found, acting_minute(waits, p[Position.CLOSE_FROM], p[Position.CLOSE_UNTIL], minute))
    return found


@lean_kernel
def acting_minute(waits: bool, begins: float, ends: float, minute: int) -> float:
    """`next_order_minute` of one order."""
    if minute <= begins or not waits:
        return max(float(minute), begins)
    return max(float(minute), ends) if ends > 0.0 else math.inf


@lean_kernel
def order_levels(p: Floats, below: float, above: float) -> tuple[float, float]:
    """The levels (highest below, lowest above) with those at which a waiting order acts inside a minute."""
    if p[Position.PENDING_OPEN] != 0.0:
        buys = p[Position.PENDING_OPEN] > 0.0
        limit, trigger = p[Position.OPEN_LIMIT], p[Position.OPEN_TRIGGER]
        if limit > 0.0 and buys:
            below = max(below, limit)
        elif limit > 0.0:
            above = min(above, limit)
        if trigger > 0.0 and buys:
            above = min(above, trigger)
        elif trigger > 0.0:
            below = max(below, trigger)
    if p[Position.PENDING_CLOSE] != 0.0 and p[Position.CLOSE_LIMIT] > 0.0:
        if p[Position.QUANTITY] > 0.0:
            above = min(above, p[Position.CLOSE_LIMIT])
        else:
            below = max(below, p[Position.CLOSE_LIMIT])
    return below, above
