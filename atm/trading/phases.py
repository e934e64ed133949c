"""The three phases of a minute, for one account (see ARCHITECTURE.md, "The one core"). Numba kernels.

Shared by the backtest's loop over years and by the virtual account's single minutes, so that both are the same bits.
Arrays: P positions (n, Position), A assets (m, Asset), S set-ups (n, Setup), R allocation ratios (m,), meta (Meta), B brackets
(rows of all positions joined; `first` (n + 1,) says where each begins), T trade buffer (k, Trade).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.fill import funding_payment
from atm.model.kernel import lean_kernel
from atm.trading.account_control import decrease_quantity, plan_entry, reservation
from atm.trading.cross_margin import cross_level, has_cross, refresh_pools
from atm.trading.execution import see_minute
from atm.trading.exposure import function_exposure
from atm.trading.fills import refresh_levels
from atm.trading.funding import funding_rate
from atm.trading.layout import MOST_FILLS, Asset, Input, Meta, Method, Position, Reason, Setup
from atm.trading.liquidation import assume_worst, liquidate
from atm.trading.order_fills import (
    clear_at_open,
    close_at_open,
    enter_in_minute,
    exit_in_minute,
    open_at_open,
    stop_at,
)
from atm.trading.resting_orders import (
    entry_rests,
    exit_rests,
    has_orders,
    next_order_minute,
    order_levels,
    send_orders,
    withdraw_entry,
    withdraw_exit,
)
from atm.trading.rqpm import exit_allowed, remaining_exposure
from atm.trading.scenario import stop_scenario
from atm.trading.scenario_path import follow_cycle, scenario_minute
from atm.trading.user_method import inside_bar, method_exposure, price_orders

Floats = NDArray[np.float64]
Shorts = NDArray[np.float32]
Ints = NDArray[np.int64]

SAME_TARGET = 0.01
"""An order that rests is replaced when the target has moved by more than this exposure from the one that it is for."""


@lean_kernel
def on_open(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, minute: int,
    opens: Floats, highs: Floats, lows: Floats, volumes: Shorts, books: Shorts, rates: Floats, t: int,
) -> None:  # fmt: skip
    """Funding of the stamp, then the orders decided before, as far as they have arrived. NaN = missing."""
    for i in range(P.shape[0]):
        opening = opens[t, i]
        if math.isnan(opening):
            continue
        see_minute(P[i], S[i], i, t, opens, highs, lows, volumes, books)
        q = P[i, Position.QUANTITY]
        if q != 0.0 and minute % int(S[i, Setup.FUNDING_MS]) == 0:
            payment = funding_payment(q, opening, funding_rate(rates, minute, i, S[i, Setup.FUNDING_RATE]))
            if S[i, Setup.ISOLATED] > 0.5:
                P[i, Position.ISOLATED] -= payment
            else:
                A[int(S[i, Setup.ASSET]), Asset.CROSS] -= payment
            A[int(S[i, Setup.ASSET]), Asset.FUNDING] += payment
            refresh_levels(P, A, S, B, first, i)
        if P[i, Position.FORCE] > 0.5:
            clear_at_open(P, A, S, meta, B, first, T, i, minute, opening)
        elif P[i, Position.PENDING_CLOSE] > 0.0:
            close_at_open(P, A, S, meta, B, first, T, i, minute, opening, highs[t, i], lows[t, i])
        if P[i, Position.PENDING_OPEN] != 0.0:
            open_at_open(P, A, S, meta, B, first, T, i, minute, opening, highs[t, i], lows[t, i])


@lean_kernel
def on_path(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, minute: int,
    opens: Floats, highs: Floats, lows: Floats, volumes: Shorts, books: Shorts, t: int,
) -> None:  # fmt: skip
    """What happens inside the minute, read to the disadvantage of the position: entries that add to what is stopped, stops and
    liquidation, levels of a trade scenario, and what pays last. A gap fills at the open."""
    for i in range(P.shape[0]):
        if not math.isnan(opens[t, i]):
            see_minute(P[i], S[i], i, t, opens, highs, lows, volumes, books)
    assume_worst(P, S, opens, highs, lows, t)
    for i in range(P.shape[0]):
        opening, high, low = opens[t, i], highs[t, i], lows[t, i]
        if math.isnan(opening):
            continue
        if S[i, Setup.ISOLATED] < 0.5:
            P[i, Position.LIQUIDATION] = cross_level(P, A, S, B, first, i)
        if int(S[i, Setup.FUNCTION_LONG]) == Method.SCENARIO and P[i, Position.CYCLE_SIDE] != 0.0:
            scenario_minute(P, A, S, R, meta, B, first, T, i, minute, opening, high, low)
            continue
        if entry_rests(P[i], minute):
            enter_in_minute(P, A, S, meta, B, first, T, i, minute, opening, high, low)
        if P[i, Position.QUANTITY] != 0.0:
            protect_in_minute(P, A, S, meta, B, first, T, i, minute, opening, high, low)
        if P[i, Position.QUANTITY] != 0.0 and exit_rests(P[i], minute):
            exit_in_minute(P, A, S, meta, B, first, T, i, minute, high, low)


@lean_kernel
def protect_in_minute(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, opening: float, high: float, low: float,
) -> None:  # fmt: skip
    """Stop and liquidation of position i, the nearer to the open first. What a liquidation in cross margin leaves can still be
    stopped."""
    while P[i, Position.QUANTITY] != 0.0:
        side = 1.0 if P[i, Position.QUANTITY] > 0.0 else -1.0
        worst = low if side > 0.0 else high
        stop, liquidation = P[i, Position.STOP], P[i, Position.LIQUIDATION]
        stopped = stop > 0.0 and side * (worst - stop) <= 0.0
        liquidated = liquidation > 0.0 and side * (worst - liquidation) <= 0.0
        if liquidated and stopped and side * (opening - liquidation) > 0.0:
            liquidated = side * (liquidation - stop) >= 0.0
        if not liquidated:
            if stopped:
                stop_at(
                    P, A, S, meta, B, first, T, i, minute, opening if side * (opening - stop) <= 0.0 else stop
                )  # fmt: skip
            return
        price = opening if side * (opening - liquidation) <= 0.0 else liquidation
        withdraw_entry(P[i])
        withdraw_exit(P[i])
        liquidate(P, A, S, meta, B, first, T, i, minute, price)


@lean_kernel
def on_close(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, minute: int, rows: Floats, row_at: Ints, t: int
) -> None:
    """Where a decision row closes with this minute (row_at[t, i] >= 0): decides the order of the next open."""
    for asset in range(A.shape[0]):
        A[asset, Asset.RESERVED] = 0.0
    for i in range(P.shape[0]):
        if row_at[t, i] < 0:
            A[int(S[i, Setup.ASSET]), Asset.RESERVED] += reservation(P[i], S[i])
    for i in range(P.shape[0]):
        if row_at[t, i] >= 0:
            decide(P, A, S, R, meta, i, minute + 60_000, rows[row_at[t, i]])
            if int(S[i, Setup.FUNCTION_LONG]) == Method.USER:
                price_orders(P[i])
            if has_orders(P, i):
                send_orders(P[i], S[i], minute + 60_000, rows[row_at[t, i], Input.CLOSE])


@lean_kernel
def stop_on_close(p: Floats, s: Floats, close: float, now: int) -> bool:
    """Whether this close lies beyond the stop on close; then everything is closed at the next open."""
    q, entry, distance = p[Position.QUANTITY], p[Position.ENTRY], s[Setup.STOP_CLOSE]
    side = 1.0 if q > 0.0 else -1.0
    stop = round(entry * (1.0 - side * distance) * s[Setup.TICK_UNITS]) / s[Setup.TICK_UNITS]
    if q == 0.0 or distance == 0.0 or side * (close - stop) >= 0.0:
        return False
    withdraw_entry(p)
    p[Position.PENDING_MS] = now
    p[Position.PENDING_CLOSE] = abs(q)
    p[Position.PENDING_CLOSE_REASON] = Reason.STOP_CLOSE
    p[Position.STOP_MARK] = side
    if int(s[Setup.FUNCTION_LONG]) == Method.SCENARIO:
        stop_scenario(p, s)
    return True


@lean_kernel
def closes_by_stop(p: Floats) -> bool:
    """Whether a stop on close is still to be filled, in whole or in part."""
    return bool(p[Position.PENDING_CLOSE] > 0.0 and int(p[Position.PENDING_CLOSE_REASON]) == Reason.STOP_CLOSE)


@lean_kernel
def decide(P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, i: int, now: int, row: Floats) -> None:
    """Trade control of position i for a decision row: stop on close, its method's target, the order towards it."""
    close = row[Input.CLOSE]
    if math.isnan(close):
        return
    p, s = P[i], S[i]
    if inside_bar(row) and closes_by_stop(p):
        A[int(s[Setup.ASSET]), Asset.RESERVED] += reservation(p, s)
        return
    stopped = not inside_bar(row) and stop_on_close(p, s, close, now)
    function = int(s[Setup.FUNCTION_LONG])
    if function == Method.SCENARIO:
        follow_cycle(P, A, S, R, meta, i, now, row)
        return
    if s[Setup.REENTRY] > 0.5:
        p[Position.STOP_MARK] = 0.0
    if function == Method.USER:
        target = method_exposure(p, s, meta, i, row)
    else:
        target = function_exposure(p, s, row) if function >= Method.MMACD else remaining_exposure(p, s, row)
    if math.isnan(target):
        return
    if has_orders(P, i) and not stopped and keeps_orders(p, now, target):
        A[int(s[Setup.ASSET]), Asset.RESERVED] += reservation(p, s)
        return
    p[Position.TARGET] = target
    if stopped:
        return
    if has_orders(P, i):
        withdraw_entry(p)
        withdraw_exit(p)
    p[Position.PENDING_MS] = now
    plan_orders(P, A, S, R, meta, i, row, target)


@lean_kernel
def keeps_orders(p: Floats, now: int, target: float) -> bool:
    """Whether what rests since an earlier decision is still wanted, at a price that the method leaves to the configuration."""
    rests = entry_rests(p, now) or exit_rests(p, now)
    return bool(rests and p[Position.LIMIT] == 0.0 and abs(target - p[Position.TARGET]) <= SAME_TARGET)


@lean_kernel
def plan_orders(P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, i: int, row: Floats, target: float) -> None:
    """The pending orders that take position i from what it holds to `target`."""
    p, s = P[i], S[i]
    close, q, entry = row[Input.CLOSE], p[Position.QUANTITY], p[Position.ENTRY]
    side = 1.0 if q > 0.0 else -1.0
    released = 0.0
    if q != 0.0 and target * side <= 0.0:
        if target != 0.0 or p[Position.CYCLE_SIDE] != side or exit_allowed(p, s, row):
            p[Position.PENDING_CLOSE] = abs(q)
            p[Position.PENDING_CLOSE_REASON] = Reason.CLEAR
            released = abs(q) * (close - entry) * side - abs(q) * close * s[Setup.TAKER_FEE]
        if target != 0.0:
            plan_entry(P, A, S, R, meta, i, target, close, released, True)
        return
    committed = abs(q) * entry / s[Setup.LEVERAGE]
    wanted = p[Position.ALLOCATED] * abs(target)
    if q != 0.0 and wanted < committed:
        if abs(wanted - committed) >= s[Setup.BAND] * p[Position.ALLOCATED] and exit_allowed(p, s, row):
            size = decrease_quantity(s, p[Position.ALLOCATED], target, committed, abs(q), entry)
            p[Position.PENDING_CLOSE] = size
            p[Position.PENDING_CLOSE_REASON] = Reason.EXIT
        return
    if target != 0.0:
        plan_entry(P, A, S, R, meta, i, target, close, 0.0, False)


@lean_kernel
def wakes_open(P: Floats, S: Floats, minute: int) -> bool:
    """Whether `on_open` would do anything: an order acts, or funding is due."""
    for i in range(P.shape[0]):
        if has_orders(P, i) and next_order_minute(P[i], minute) <= minute:
            return True
        if P[i, Position.QUANTITY] != 0.0 and minute % int(S[i, Setup.FUNDING_MS]) == 0:
            return True
    return False


@lean_kernel
def trigger_levels(P: Floats, i: int) -> tuple[float, float]:
    """(highest price below, lowest price above) at which anything happens to position i inside a minute; infinite if none."""
    q, stop, liquidation = P[i, Position.QUANTITY], P[i, Position.STOP], P[i, Position.LIQUIDATION]
    below, above = P[i, Position.BELOW], P[i, Position.ABOVE]
    if above == 0.0:
        above = math.inf
    if q > 0.0:
        below = max(below, stop, liquidation)
    if q < 0.0 and stop > 0.0:
        above = min(above, stop)
    if q < 0.0 and liquidation > 0.0:
        above = min(above, liquidation)
    return below, above


@lean_kernel
def wakes_path(P: Floats, highs: Floats, lows: Floats, t: int) -> bool:
    """Whether `on_path` would do anything: a price at which something happens lies within the minute's range."""
    for i in range(P.shape[0]):
        below, above = trigger_levels(P, i)
        if has_orders(P, i):
            below, above = order_levels(P[i], below, above)
        if lows[t, i] <= below or highs[t, i] >= above:
            return True
    return False


@lean_kernel
def close_minute(P: Floats, A: Floats, closes: Floats, row_at: Ints, t: int) -> tuple[bool, float]:
    """Marks to market → (whether a decision row closes with this minute, equity)."""
    wakes = False
    equity = 0.0
    for asset in range(A.shape[0]):
        equity += A[asset, Asset.CROSS]
    for i in range(P.shape[0]):
        wakes |= row_at[t, i] >= 0
        if not math.isnan(closes[t, i]):
            P[i, Position.MARK] = closes[t, i]
        equity += P[i, Position.ISOLATED]
        if P[i, Position.QUANTITY] != 0.0:
            equity += P[i, Position.QUANTITY] * (P[i, Position.MARK] - P[i, Position.ENTRY])
    return wakes, equity


@lean_kernel
def next_funding(P: Floats, S: Floats, start: int, t: int, stop: int) -> int:
    """The first minute from t on, at most `stop`, that opens with a funding stamp of a position that is not flat."""
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
    highs: Floats, lows: Floats, closes: Floats, row_at: Ints, equity: Floats, levels: Floats, t: int,
) -> int:  # fmt: skip
    """Pass the minutes from t on in which nothing but the marks and the equity changes; returns the first other one.

    levels (n, 2) is scratch space.

    The same sums in the same order as `close_minute`, so that it makes no bit of difference how a minute is passed.
    """
    n = P.shape[0]
    stop = next_funding(P, S, start, t, closes.shape[0])
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
    if n == 1:
        return quiet_minutes_of_one(P, cross, highs, lows, closes, row_at, equity, t, stop)
    for i in range(n):
        below, above = trigger_levels(P, i)
        if has_orders(P, i):
            below, above = order_levels(P[i], below, above)
        levels[i, 0], levels[i, 1] = below, above
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
def quiet_minutes_of_one(
    P: Floats,
    cross: float,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    row_at: Ints,
    equity: Floats,
    t: int,
    stop: int,
) -> int:
    """`quiet_minutes` of a single position, with everything that does not change in registers."""
    below, above = trigger_levels(P, 0)
    if has_orders(P, 0):
        below, above = order_levels(P[0], below, above)
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
def run_minutes(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    start: int, opens: Floats, highs: Floats, lows: Floats, closes: Floats, volumes: Shorts, books: Shorts,
    rows: Floats, row_at: Ints, equity: Floats, levels: Floats, rates: Floats,
) -> int:  # fmt: skip
    """All phases of all minutes; prices (minutes, positions), row_at (minutes, positions), equity (minutes,) is written.

    levels (positions, 2) is scratch space; volumes (minutes, positions) in base assets and books (3, minutes, positions) may
    be empty, see `see_minute`; rates: recorded funding rates, see `funding_rate`.

    `start`: open time of the first minute. Returns how many minutes were done: fewer than given when the trade buffer
    might overflow with the next one; the caller empties it and calls again with the rest. A phase is entered only in
    minutes in which it has something to do, and quiet stretches are passed in one go, which is what makes years fast.
    """
    room = T.shape[0] - MOST_FILLS * P.shape[0]
    pooled = has_cross(S)
    t = 0
    while t < opens.shape[0]:
        if meta[Meta.BUFFERED] > room:
            return t
        minute = start + t * 60_000
        if wakes_open(P, S, minute):
            on_open(P, A, S, meta, B, first, T, minute, opens, highs, lows, volumes, books, rates, t)
            if pooled:
                refresh_pools(P, A, S, B, first)
        walked = wakes_path(P, highs, lows, t)
        if walked:
            on_path(P, A, S, R, meta, B, first, T, minute, opens, highs, lows, volumes, books, t)
        wakes, equity[t] = close_minute(P, A, closes, row_at, t)
        if walked and pooled:
            refresh_pools(P, A, S, B, first)
        if wakes:
            on_close(P, A, S, R, meta, minute, rows, row_at, t)
        t = quiet_minutes(P, A, S, start, highs, lows, closes, row_at, equity, levels, t + 1)
        meta[Meta.MARKET_MS] = start + t * 60_000
    return t
