"""Pending orders meet the market: at the open of a minute, or inside it where they rest (docs/execution.md). Numba kernels.

Arrays as in `atm.trading.phases`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.interval import MINUTE_MS
from atm.model.kernel import lean_kernel
from atm.trading.account_control import affordable, exact
from atm.trading.execution import delayed_price, fillable, taker_price
from atm.trading.fills import open_position, reduce_position
from atm.trading.layout import Position, Reason, Setup
from atm.trading.mark_path import liquidation_on_path
from atm.trading.resting_orders import withdraw_entry, withdraw_exit
from atm.trading.scenario import leave_scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@lean_kernel
def clear_at_open(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, opening: float
) -> None:
    """The user's command to close everything; what the minute's volume does not take waits."""
    p, s = P[i], S[i]
    q = p[Position.QUANTITY]
    withdraw_entry(p)
    withdraw_exit(p)
    if q != 0.0:
        size = fillable(p, s, abs(q))
        p[Position.STOP_MARK] = 1.0 if q > 0.0 else -1.0
        if size > 0.0:
            fill = taker_price(p, s, -q, opening)
            reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, Reason.FORCE_CLEAR, size, fill, False)
        leave_scenario(p, s)
    if p[Position.QUANTITY] == 0.0:
        p[Position.FORCE] = 0.0


@lean_kernel
def stop_at(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, price: float
) -> None:
    """A full stop at `price`; what the minute's volume does not take is an order of the next open."""
    p, s = P[i], S[i]
    q = p[Position.QUANTITY]
    withdraw_entry(p)
    withdraw_exit(p)
    p[Position.STOP_MARK] = 1.0 if q > 0.0 else -1.0
    size = fillable(p, s, abs(q))
    if size > 0.0:
        fill = taker_price(p, s, -q, price)
        reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, Reason.STOP_IMMEDIATE, size, fill, False)
    if p[Position.QUANTITY] != 0.0:
        p[Position.PENDING_CLOSE] = abs(p[Position.QUANTITY])
        p[Position.PENDING_CLOSE_REASON] = Reason.STOP_IMMEDIATE
        p[Position.PENDING_MS] = minute + MINUTE_MS
        p[Position.CLOSE_FROM] = minute + MINUTE_MS


@lean_kernel
def close_at_open(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, opening: float, high: float, low: float,
) -> None:  # fmt: skip
    """The pending closing order at the open of a minute: a market order, a limit order that has arrived or is over."""
    p, s = P[i], S[i]
    q = p[Position.QUANTITY]
    if q == 0.0:
        withdraw_exit(p)
        return
    if minute < p[Position.CLOSE_FROM]:
        return
    side = 1.0 if q > 0.0 else -1.0
    limit = p[Position.CLOSE_LIMIT]
    size = fillable(p, s, min(p[Position.PENDING_CLOSE], abs(q)))
    over = p[Position.CLOSE_UNTIL] > 0.0 and minute >= p[Position.CLOSE_UNTIL]
    if limit > 0.0 and not over:
        if minute != p[Position.CLOSE_FROM] or side * (opening - limit) < 0.0:
            return
        fill = side * max(side * limit, side * taker_price(p, s, -side * size, opening))
    else:
        since = 0.0 if over else p[Position.PENDING_MS] + s[Setup.LATENCY_MS] - minute
        fill = taker_price(p, s, -side * size, delayed_price(s, since, q < 0.0, opening, high, low))
    reduce_by(P, A, S, meta, B, first, T, i, minute, size, fill, False)


@lean_kernel
def exit_in_minute(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, high: float, low: float,
) -> None:  # fmt: skip
    """The closing order that rests is filled where the minute goes through its price."""
    p = P[i]
    limit = p[Position.CLOSE_LIMIT]
    if high > limit if p[Position.QUANTITY] > 0.0 else low < limit:
        size = fillable(p, S[i], min(p[Position.PENDING_CLOSE], abs(p[Position.QUANTITY])))
        reduce_by(P, A, S, meta, B, first, T, i, minute, size, limit, True)


@lean_kernel
def reduce_by(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, size: float, price: float, maker: bool,
) -> None:  # fmt: skip
    """Fill `size` of the pending closing order; the rest goes on waiting."""
    if size <= 0.0:
        return
    p = P[i]
    rest = exact(p[Position.PENDING_CLOSE] - size, S[i, Setup.UNITS])
    decision = 0.0 if int(p[Position.PENDING_CLOSE_REASON]) == Reason.STOP_IMMEDIATE else p[Position.PENDING_MS]
    reason = int(p[Position.PENDING_CLOSE_REASON])
    reduce_position(P, A, S, meta, B, first, T, i, minute, decision, reason, size, price, maker)
    if rest <= 0.0 or p[Position.QUANTITY] == 0.0:
        withdraw_exit(p)
    else:
        p[Position.PENDING_CLOSE] = rest


@lean_kernel
def open_at_open(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, opening: float, high: float, low: float,
) -> None:  # fmt: skip
    """The pending opening order at the open of a minute: a market order, one for a price that has arrived or is over."""
    p, s = P[i], S[i]
    quantity = p[Position.PENDING_OPEN]
    if minute < p[Position.OPEN_FROM] or p[Position.QUANTITY] * quantity < 0.0:
        return
    side = 1.0 if quantity > 0.0 else -1.0
    limit, trigger = p[Position.OPEN_LIMIT], p[Position.OPEN_TRIGGER]
    waits = limit > 0.0 or trigger > 0.0
    over = p[Position.OPEN_UNTIL] > 0.0 and minute >= p[Position.OPEN_UNTIL]
    since = 0.0 if waits else p[Position.PENDING_MS] + s[Setup.LATENCY_MS] - minute
    if waits and over:
        if s[Setup.ENTRY_MARKET] < 0.5:
            withdraw_entry(p)
            return
        p[Position.OPEN_LIMIT : Position.OPEN_UNTIL + 1] = 0.0
        limit = 0.0
    elif waits:
        reached = side * (limit - opening) >= 0.0 if limit > 0.0 else side * (opening - trigger) >= 0.0
        if minute != p[Position.OPEN_FROM] or not reached:
            return
    met = delayed_price(s, since, side > 0.0, opening, high, low)
    enter(P, A, S, meta, B, first, T, i, minute, met, limit if limit > 0.0 else side * math.inf, False)


@lean_kernel
def enter_in_minute(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, opening: float, high: float, low: float,
) -> None:  # fmt: skip
    """The opening order that rests: at its limit where the minute goes through it, at its trigger where it is touched.

    A limit beyond the stop of what is held is not reached: the stop comes first.
    """
    p = P[i]
    quantity, q = p[Position.PENDING_OPEN], p[Position.QUANTITY]
    limit, trigger = p[Position.OPEN_LIMIT], p[Position.OPEN_TRIGGER]
    side = 1.0 if quantity > 0.0 else -1.0
    best, worst = (high, low) if side > 0.0 else (low, high)
    if q * quantity < 0.0:
        return
    if limit > 0.0:
        if side * (limit - worst) > 0.0 and not protected_before(p, side, limit):
            enter(P, A, S, meta, B, first, T, i, minute, limit, limit, True)
    elif side * (best - trigger) >= 0.0:
        met = side * max(side * trigger, side * opening)
        enter(P, A, S, meta, B, first, T, i, minute, met, side * math.inf, False)


@lean_kernel
def protected_before(p: Floats, side: float, price: float) -> bool:
    """Whether a price that falls (side 1; −1: rises) meets stop or liquidation of what is held before `price`."""
    stop, liquidation = p[Position.STOP], liquidation_on_path(p)
    return bool(
        (stop > 0.0 and side * (stop - price) > 0.0) or (liquidation > 0.0 and side * (liquidation - price) > 0.0)
    )


@lean_kernel
def enter(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, met: float, limit: float, maker: bool,
) -> None:  # fmt: skip
    """Fill the pending opening order at the price that it meets, with the costs of a taker up to `limit`, as far as wallet and
    volume allow; the rest waits, the unaffordable lapses."""
    p, s = P[i], S[i]
    quantity = p[Position.PENDING_OPEN]
    side = 1.0 if quantity > 0.0 else -1.0
    dearest = met if maker else side * min(side * taker_price(p, s, quantity, met), side * limit)
    wanted = affordable(P, A, S, i, abs(quantity), dearest)
    size = fillable(p, s, wanted)
    if size > 0.0:
        if p[Position.ALLOCATED] == 0.0:
            p[Position.ALLOCATED] = p[Position.PENDING_ALLOCATED]
        price = met if maker else side * min(side * taker_price(p, s, side * size, met), side * limit)
        open_position(P, A, S, meta, B, first, T, i, minute, p[Position.PENDING_MS], side * size, price, maker)
    rest = exact(wanted - size, s[Setup.UNITS])
    if rest <= 0.0:
        withdraw_entry(p)
    else:
        p[Position.PENDING_OPEN] = side * rest
