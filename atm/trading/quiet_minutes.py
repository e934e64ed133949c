"""Which minutes have anything to do, and how the others are passed in one go. Numba kernels; arrays as in `atm.trading.phases`.

Prices (minutes, positions); marks (minutes, positions, 4), NaN or empty = not recorded: then the trade price is the mark price.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.layout import Asset, Position, Setup
from atm.trading.mark_path import CLOSE, HIGH, LOW, mark_or
from atm.trading.resting_orders import has_orders, next_order_minute, order_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@lean_kernel
def wakes_open(P: Floats, S: Floats, minute: int, stamped: bool) -> bool:
    """Whether `on_open` would do anything: an order acts, or funding is due. stamped: whether a rate is recorded at `minute`."""
    for i in range(P.shape[0]):
        if has_orders(P, i) and next_order_minute(P[i], minute) <= minute:
            return True
        if P[i, Position.QUANTITY] != 0.0 and (stamped or minute % int(S[i, Setup.FUNDING_MS]) == 0):
            return True
    return False


@lean_kernel
def order_prices(P: Floats, i: int) -> tuple[float, float]:
    """(highest trade price below, lowest above) at which anything happens to position i inside a minute; infinite if none."""
    q, stop = P[i, Position.QUANTITY], P[i, Position.STOP]
    below, above = P[i, Position.BELOW], P[i, Position.ABOVE]
    if above == 0.0:
        above = math.inf
    if q > 0.0:
        below = max(below, stop)
    if q < 0.0 and stop > 0.0:
        above = min(above, stop)
    if has_orders(P, i):
        below, above = order_levels(P[i], below, above)
    return below, above


@lean_kernel
def mark_prices(P: Floats, i: int) -> tuple[float, float]:
    """The same of mark prices: liquidation."""
    q, liquidation = P[i, Position.QUANTITY], P[i, Position.LIQUIDATION]
    below = liquidation if q > 0.0 else 0.0
    above = liquidation if q < 0.0 and liquidation > 0.0 else math.inf
    return below, above


@lean_kernel
def wakes_path(P: Floats, highs: Floats, lows: Floats, marks: Floats, t: int) -> bool:
    """Whether `on_path` would do anything: a price at which something happens lies within the minute's range."""
    marked = marks.shape[0] > 0
    for i in range(P.shape[0]):
        below, above = order_prices(P, i)
        mark_below, mark_above = mark_prices(P, i)
        if not marked:
            below, above = max(below, mark_below), min(above, mark_above)
        if lows[t, i] <= below or highs[t, i] >= above:
            return True
        if marked and (
            mark_or(marks, LOW, lows, t, i) <= mark_below or mark_or(marks, HIGH, highs, t, i) >= mark_above
        ):
            return True
    return False


@lean_kernel
def close_minute(P: Floats, A: Floats, closes: Floats, marks: Floats, row_at: Ints, t: int) -> tuple[bool, float]:
    """Marks to market → (whether a decision row closes with this minute, equity)."""
    wakes = False
    equity = 0.0
    for asset in range(A.shape[0]):
        equity += A[asset, Asset.CROSS]
    for i in range(P.shape[0]):
        wakes |= row_at[t, i] >= 0
        if not math.isnan(closes[t, i]):
            P[i, Position.MARK] = mark_or(marks, CLOSE, closes, t, i)
        equity += P[i, Position.ISOLATED]
        if P[i, Position.QUANTITY] != 0.0:
            equity += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
            P[i, Position.HELD] += 1.0
            if marks.shape[0] == 0 or math.isnan(marks[t, i, CLOSE]):
                P[i, Position.UNMARKED] += 1.0
    return wakes, equity


@lean_kernel
def next_funding(P: Floats, S: Floats, start: int, t: int, stop: int) -> int:
    """The first minute from t on, at most `stop`, that opens with a stamp of the cost model for a position that is not flat."""
    minute = start + t * 60_000
    found = stop
    for i in range(P.shape[0]):
        if P[i, Position.QUANTITY] != 0.0:
            period = int(S[i, Setup.FUNDING_MS])
            found = min(found, t + (-minute % period) // 60_000)
    return found


@lean_kernel
def quiet_minutes(
    P: Floats, A: Floats, S: Floats, start: int,
    highs: Floats, lows: Floats, closes: Floats, marks: Floats, row_at: Ints, equity: Floats, levels: Floats,
    t: int, stop: int,
) -> int:  # fmt: skip
    """Pass the minutes from t on in which nothing but the marks and the equity changes; returns the first other one, at most
    `stop`, the next one with a recorded funding rate or the end.

    levels (n, 4) is scratch space.

    The same sums in the same order as `close_minute`, so that it makes no bit of difference how a minute is passed.
    """
    n = P.shape[0]
    stop = next_funding(P, S, start, t, stop)
    minute = start + t * 60_000
    for i in range(n):
        if has_orders(P, i):
            acts = next_order_minute(P[i], minute)
            if acts <= minute:
                return t
            if acts < start + stop * 60_000:
                stop = int(acts - start) // 60_000
    cross = 0.0
    for asset in range(A.shape[0]):
        cross += A[asset, Asset.CROSS]
    marked, begun = marks.shape[0] > 0, t
    if n == 1 and not marked:
        t = quiet_minutes_of_one(P, cross, highs, lows, closes, row_at, equity, t, stop)
        if P[0, Position.QUANTITY] != 0.0:
            P[0, Position.HELD] += t - begun
            P[0, Position.UNMARKED] += t - begun
        return t
    for i in range(n):
        levels[i, 0], levels[i, 1] = order_prices(P, i)
        levels[i, 2], levels[i, 3] = mark_prices(P, i)
        if not marked:
            levels[i, 0], levels[i, 1] = max(levels[i, 0], levels[i, 2]), min(levels[i, 1], levels[i, 3])
    if n == 1:
        t = quiet_marked_minutes_of_one(P, cross, highs, lows, closes, marks, row_at, equity, levels[0], t, stop)
    elif marked:
        t = quiet_marked_minutes_of_many(P, cross, highs, lows, closes, marks, row_at, equity, levels, t, stop)
    else:
        t = quiet_minutes_of_many(P, cross, highs, lows, closes, row_at, equity, levels, t, stop)
    for i in range(n):
        if P[i, Position.QUANTITY] != 0.0:
            P[i, Position.HELD] += t - begun
            if not marked:
                P[i, Position.UNMARKED] += t - begun
    return t


@lean_kernel
def quiet_minutes_of_many(
    P: Floats, cross: float, highs: Floats, lows: Floats, closes: Floats, row_at: Ints,
    equity: Floats, levels: Floats, t: int, stop: int,
) -> int:  # fmt: skip
    """`quiet_minutes` of several positions without marks."""
    n = P.shape[0]
    while t < stop:
        for i in range(n):
            if lows[t, i] <= levels[i, 0] or highs[t, i] >= levels[i, 1] or row_at[t, i] >= 0:
                return t
        total = cross
        for i in range(n):
            if not math.isnan(closes[t, i]):
                P[i, Position.MARK] = closes[t, i]
            total += P[i, Position.ISOLATED]
            if P[i, Position.QUANTITY] != 0.0:
                total += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
        equity[t] = total
        t += 1
    return t


@lean_kernel
def quiet_marked_minutes_of_many(
    P: Floats, cross: float, highs: Floats, lows: Floats, closes: Floats, marks: Floats, row_at: Ints,
    equity: Floats, levels: Floats, t: int, stop: int,
) -> int:  # fmt: skip
    """`quiet_minutes` of several positions, liquidation on the mark price."""
    n = P.shape[0]
    while t < stop:
        for i in range(n):
            if lows[t, i] <= levels[i, 0] or highs[t, i] >= levels[i, 1] or row_at[t, i] >= 0:
                return t
            if mark_or(marks, LOW, lows, t, i) <= levels[i, 2] or mark_or(marks, HIGH, highs, t, i) >= levels[i, 3]:
                return t
        total = cross
        for i in range(n):
            if not math.isnan(closes[t, i]):
                P[i, Position.MARK] = mark_or(marks, CLOSE, closes, t, i)
            total += P[i, Position.ISOLATED]
            if P[i, Position.QUANTITY] != 0.0:
                total += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
                if math.isnan(marks[t, i, CLOSE]):
                    P[i, Position.UNMARKED] += 1.0
        equity[t] = total
        t += 1
    return t


@lean_kernel
def quiet_minutes_of_one(
    P: Floats, cross: float, highs: Floats, lows: Floats, closes: Floats, row_at: Ints, equity: Floats, t: int, stop: int
) -> int:  # fmt: skip
    """`quiet_minutes` of a single position without marks, with everything that does not change in registers."""
    below, above = order_prices(P, 0)
    mark_below, mark_above = mark_prices(P, 0)
    below, above = max(below, mark_below), min(above, mark_above)
    q, entry, mark = P[0, Position.QUANTITY], P[0, Position.ENTRY], P[0, Position.MARK]
    own = cross + P[0, Position.ISOLATED]
    # a missing minute fails every comparison, and so is not passed here
    while t < stop and lows[t, 0] > below and highs[t, 0] < above and closes[t, 0] > 0.0 and row_at[t, 0] < 0:
        mark = closes[t, 0]
        equity[t] = own + q * (mark - entry) if q != 0.0 else own
        t += 1
    P[0, Position.MARK] = mark
    return t


@lean_kernel
def quiet_marked_minutes_of_one(
    P: Floats, cross: float, highs: Floats, lows: Floats, closes: Floats, marks: Floats, row_at: Ints,
    equity: Floats, level: Floats, t: int, stop: int,
) -> int:  # fmt: skip
    """`quiet_minutes` of a single position, liquidation on the mark price."""
    below, above, mark_below, mark_above = level[0], level[1], level[2], level[3]
    q, entry, mark = P[0, Position.QUANTITY], P[0, Position.ENTRY], P[0, Position.MARK]
    own = cross + P[0, Position.ISOLATED]
    unmarked = 0
    while t < stop and lows[t, 0] > below and highs[t, 0] < above and closes[t, 0] > 0.0 and row_at[t, 0] < 0:
        low, high, close = marks[t, 0, LOW], marks[t, 0, HIGH], marks[t, 0, CLOSE]
        recorded = close == close
        if not recorded:
            low, high, close = lows[t, 0], highs[t, 0], closes[t, 0]
        if low <= mark_below or high >= mark_above:
            break
        unmarked += not recorded
        mark = close
        equity[t] = own + q * (mark - entry) if q != 0.0 else own
        t += 1
    P[0, Position.MARK] = mark
    if q != 0.0:
        P[0, Position.UNMARKED] += unmarked
    return t
