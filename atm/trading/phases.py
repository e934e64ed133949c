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
from atm.trading.mark_path import OPEN, liquidation_on_path, mark_or, see_mark, takeover_price
from atm.trading.order_fills import (
    clear_at_open,
    close_at_open,
    enter_in_minute,
    exit_in_minute,
    open_at_open,
    stop_at,
)
from atm.trading.quiet_minutes import close_minute, quiet_minutes, wakes_open, wakes_path
from atm.trading.resting_orders import (
    entry_rests,
    exit_rests,
    has_orders,
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
    opens: Floats, highs: Floats, lows: Floats, marks: Floats, volumes: Shorts, books: Shorts, rates: Floats, t: int,
) -> None:  # fmt: skip
    """Funding of the stamp, then the orders decided before, as far as they have arrived. NaN = missing."""
    for i in range(P.shape[0]):
        opening = opens[t, i]
        if math.isnan(opening):
            continue
        see_minute(P[i], S[i], i, t, opens, highs, lows, volumes, books)
        if P[i, Position.QUANTITY] != 0.0:
            charge_funding(P, A, S, B, first, i, minute, mark_or(marks, OPEN, opens, t, i), rates)
        if P[i, Position.FORCE] > 0.5:
            clear_at_open(P, A, S, meta, B, first, T, i, minute, opening)
        elif P[i, Position.PENDING_CLOSE] > 0.0:
            close_at_open(P, A, S, meta, B, first, T, i, minute, opening, highs[t, i], lows[t, i])
        if P[i, Position.PENDING_OPEN] != 0.0:
            open_at_open(P, A, S, meta, B, first, T, i, minute, opening, highs[t, i], lows[t, i])


@lean_kernel
def charge_funding(
    P: Floats, A: Floats, S: Floats, B: Floats, first: Ints, i: int, minute: int, mark: float, rates: Floats
) -> None:
    """Funding of an open position, if `minute` opens with a stamp of its own: the recorded rate, else the constant at those of the
    cost model, on the mark price at the stamp."""
    rate, asset = funding_rate(rates, minute, i, math.nan), int(S[i, Setup.ASSET])
    if math.isnan(rate):
        if minute % int(S[i, Setup.FUNDING_MS]) != 0:
            return
        rate = S[i, Setup.FUNDING_RATE]
        P[i, Position.DEFAULTED] += 1.0
    P[i, Position.STAMPS] += 1.0
    payment = funding_payment(P[i, Position.QUANTITY], mark, rate)
    if S[i, Setup.ISOLATED] > 0.5:
        P[i, Position.ISOLATED] -= payment
    else:
        A[asset, Asset.CROSS] -= payment
    A[asset, Asset.FUNDING] += payment
    refresh_levels(P, A, S, B, first, i)


@lean_kernel
def on_path(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, minute: int,
    opens: Floats, highs: Floats, lows: Floats, marks: Floats, volumes: Shorts, books: Shorts, t: int,
) -> None:  # fmt: skip
    """What happens inside the minute, read to the disadvantage of the position: entries that add to what is stopped, stops and
    liquidation, levels of a trade scenario, and what pays last. A gap fills at the open."""
    for i in range(P.shape[0]):
        if not math.isnan(opens[t, i]):
            see_minute(P[i], S[i], i, t, opens, highs, lows, volumes, books)
            see_mark(P[i], i, t, opens, highs, lows, marks)
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
        stop, liquidation = P[i, Position.STOP], liquidation_on_path(P[i])
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
        liquidate(P, A, S, meta, B, first, T, i, minute, takeover_price(P[i], price))


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
def run_minutes(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    start: int, opens: Floats, highs: Floats, lows: Floats, closes: Floats, volumes: Shorts, books: Shorts,
    rows: Floats, row_at: Ints, equity: Floats, levels: Floats, rates: Floats, marks: Floats,
) -> int:  # fmt: skip
    """All phases of all minutes; prices (minutes, positions), row_at (minutes, positions), equity (minutes,) is written.

    levels (positions, 4) is scratch space; volumes (minutes, positions) in base assets and books (3, minutes, positions) may
    be empty, see `see_minute`; rates: recorded funding rates, see `funding_rate`; marks (minutes, positions, 4) may be empty.

    `start`: open time of the first minute. Returns how many minutes were done: fewer than given when the trade buffer
    might overflow with the next one; the caller empties it and calls again with the rest. A phase is entered only in
    minutes in which it has something to do, and quiet stretches are passed in one go, which is what makes years fast.
    """
    room = T.shape[0] - MOST_FILLS * P.shape[0]
    pooled = has_cross(S)
    t = stamp = 0
    while t < opens.shape[0]:
        if meta[Meta.BUFFERED] > room:
            return t
        minute = start + t * 60_000
        stamped = False
        while stamp < rates.shape[0] and rates[stamp, 0] <= minute:
            stamped |= rates[stamp, 0] == minute
            stamp += 1
        if wakes_open(P, S, minute, stamped):
            on_open(P, A, S, meta, B, first, T, minute, opens, highs, lows, marks, volumes, books, rates, t)
            if pooled:
                refresh_pools(P, A, S, B, first)
        walked = wakes_path(P, highs, lows, marks, t)
        if walked:
            on_path(P, A, S, R, meta, B, first, T, minute, opens, highs, lows, marks, volumes, books, t)
        wakes, equity[t] = close_minute(P, A, closes, marks, row_at, t)
        if walked and pooled:
            refresh_pools(P, A, S, B, first)
        if wakes:
            on_close(P, A, S, R, meta, minute, rows, row_at, t)
        stop = opens.shape[0]
        if stamp < rates.shape[0]:
            stop = min(stop, int(rates[stamp, 0] - start) // 60_000)
        t = quiet_minutes(P, A, S, start, highs, lows, closes, marks, row_at, equity, levels, t + 1, stop)
        meta[Meta.MARKET_MS] = start + t * 60_000
    return t
