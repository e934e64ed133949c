"""TS inside a minute and at the flip of a cycle: what is touched in which order, and filled at which price (§4.3, §11.6).

The path inside a minute is not known, so it is read to the disadvantage of the position: what lies beyond the open is filled
at the open; then, if an exit is reached, the adverse way comes before it (protection, partial stops) and entries after
it; the rest of the adverse way goes level by level. A gain counts as reached only from the next minute on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.account_control import allocation, decrease_quantity_up, increase_quantity, plan_entry, reserved
from atm.trading.cross_margin import cross_backing
from atm.trading.execution import taker_price
from atm.trading.fills import open_position, reduce_position
from atm.trading.layout import Asset, Input, Meta, Position, Reason, ScenarioMemory, ScenarioParameters, Setup, Stage
from atm.trading.liquidation import liquidate
from atm.trading.mark_path import liquidation_on_path, takeover_price
from atm.trading.resting_orders import withdraw_entry
from atm.trading.scenario import (
    adverse_height,
    entry_height,
    exit_height,
    fall_height,
    leave_scenario,
    reach_height,
    reduce_height,
    scenario_levels,
    stop_height,
    stop_scenario,
    taking_height,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@lean_kernel
def scenario_minute(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, opening: float, high: float, low: float,
) -> None:  # fmt: skip
    """Position i through one minute with prices."""
    p, s = P[i], S[i]
    d = p[Position.CYCLE_SIDE]
    start, best, worst = d * opening, max(d * high, d * low), min(d * high, d * low)
    trading = meta[Meta.TRADING] == 1
    adverse_way(P, A, S, R, meta, B, first, T, i, minute, start, start, trading)
    favourable_way(P, A, S, meta, B, first, T, i, minute, start, start)
    if p[Position.QUANTITY] != 0.0 and reach_height(p, s) <= start:
        p[ScenarioMemory.REACHED] = 1.0
    if taking_height(p, s) <= best:
        adverse_way(P, A, S, R, meta, B, first, T, i, minute, start, worst, False)
        favourable_way(P, A, S, meta, B, first, T, i, minute, start, best)
    added = adverse_way(P, A, S, R, meta, B, first, T, i, minute, start, worst, trading)
    # whether a gain came before or after an entry of the same minute is not known
    if not added and p[Position.QUANTITY] != 0.0 and reach_height(p, s) <= best:
        p[ScenarioMemory.REACHED] = 1.0
    scenario_levels(p, s)


@lean_kernel
def adverse_way(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, start: float, end: float, entries: bool,
) -> bool:  # fmt: skip
    """From height `start` down to `end`, every level in turn; whether anything was added. Each step uses a level up."""
    added = False
    x = min(start, adverse_height(P[i], S[i], entries))
    while x >= end:
        start = x
        if P[i, Position.QUANTITY] == 0.0 or not protect(P, A, S, meta, B, first, T, i, minute, x):
            added |= scale(P, A, S, R, meta, B, first, T, i, minute, x, entries)
        x = min(start, adverse_height(P[i], S[i], entries))
    return added


@lean_kernel
def protect(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats, i: int, minute: int, x: float
) -> bool:
    """Liquidation, full stop or fall at height x; whether one of them happened."""
    p, s = P[i], S[i]
    d, q = p[Position.CYCLE_SIDE], p[Position.QUANTITY]
    price = d * x
    fill = taker_price(p, s, -q, price)
    liquidation = liquidation_on_path(p)
    if liquidation > 0.0 and d * liquidation >= x:
        liquidate(P, A, S, meta, B, first, T, i, minute, takeover_price(p, price))
    elif p[Position.STOP] > 0.0 and d * p[Position.STOP] >= x:
        reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, Reason.STOP_IMMEDIATE, abs(q), fill, False)
        p[Position.STOP_MARK] = d
        stop_scenario(p, s)
    elif fall_height(p, s) >= x:
        reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, Reason.REACH_AND_FALL, abs(q), fill, False)
        leave_scenario(p, s)
    else:
        return False
    while entry_height(p, s) >= x:
        p[ScenarioMemory.ENTRIES] += 1.0
    return True


@lean_kernel
def scale(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, x: float, entries: bool,
) -> bool:  # fmt: skip
    """Rows of the partial-stop and entry tables at height x, together; whether anything was added.

    Never more is invested than the last partial stop passed would leave, so a gap ends where the way level by level would.
    """
    p, s = P[i], S[i]
    d = p[Position.CYCLE_SIDE]
    wanted = abs(p[Position.TARGET])
    while stop_height(p, s) >= x:
        p[ScenarioMemory.STOPS] += 1.0
    passed = int(p[ScenarioMemory.STOPS])
    most = s[ScenarioParameters.STOP + 2 * passed - 1] if passed > 0 else 1.0
    if p[Position.QUANTITY] != 0.0 and most < wanted:
        lower(P, A, S, meta, B, first, T, i, minute, most, Reason.PARTIAL_STOP, d * x)
        wanted = abs(p[Position.TARGET])
    row = int(p[ScenarioMemory.ENTRIES])
    while entries and entry_height(p, s) >= x:
        p[ScenarioMemory.ENTRIES] += 1.0
    used = int(p[ScenarioMemory.ENTRIES])
    if used == row:
        return False
    top = max(wanted, s[ScenarioParameters.ENTRY + 2 * used - 1])
    target = max(wanted, min(top, most))
    p[ScenarioMemory.STAGE] = Stage.BUILDING if top <= most else Stage.REDUCING
    p[Position.TARGET] = d * target
    if target == 0.0:
        p[ScenarioMemory.STAGE] = Stage.SPENT
    return target > wanted and add(P, A, S, R, meta, B, first, T, i, minute, d * x)


@lean_kernel
def add(
    P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, price: float,
) -> bool:  # fmt: skip
    """Buy (sell short) what the target lacks at `price`; what a filter forbids waits for the next row."""
    p, s = P[i], S[i]
    asset, side = int(s[Setup.ASSET]), p[Position.CYCLE_SIDE]
    held = abs(p[Position.QUANTITY])
    committed = held * p[Position.ENTRY] / s[Setup.LEVERAGE]
    allocated = p[Position.ALLOCATED] if p[Position.ALLOCATED] > 0.0 else allocation(P, A, S, R, i, 0.0)
    available = A[asset, Asset.CROSS] - reserved(P, S, asset) + cross_backing(P, S, i, price, False)
    size = increase_quantity(s, allocated, p[Position.TARGET], committed, held, price, available)
    if size <= 0.0:
        return False
    p[Position.ALLOCATED] = allocated
    fill = taker_price(p, s, side * size, price)
    open_position(P, A, S, meta, B, first, T, i, minute, 0.0, side * size, fill, False)
    return True


@lean_kernel
def lower(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, target: float, reason: int, price: float,
) -> None:  # fmt: skip
    """Reduce to `target` at `price`; 0, or a remainder below the minimum lot, ends the scenario of this cycle."""
    p, s = P[i], S[i]
    d, held = p[Position.CYCLE_SIDE], abs(p[Position.QUANTITY])
    p[ScenarioMemory.STAGE] = Stage.REDUCING
    p[Position.TARGET] = d * target
    committed = held * p[Position.ENTRY] / s[Setup.LEVERAGE]
    size = decrease_quantity_up(s, p[Position.ALLOCATED], target, committed, held, p[Position.ENTRY])
    if size > 0.0:
        fill = taker_price(p, s, -d * size, price)
        reduce_position(P, A, S, meta, B, first, T, i, minute, 0.0, reason, size, fill, False)
    if p[Position.QUANTITY] == 0.0:
        leave_scenario(p, s)


@lean_kernel
def favourable_way(
    P: Floats, A: Floats, S: Floats, meta: Ints, B: Floats, first: Ints, T: Floats,
    i: int, minute: int, start: float, end: float,
) -> None:  # fmt: skip
    """From height `start` up to `end`: exits and the weight reduction in turn, those of one height together."""
    p, s = P[i], S[i]
    while taking_height(p, s) <= end:
        x = max(start, taking_height(p, s))
        wanted = abs(p[Position.TARGET])
        target, reason = wanted, Reason.EXIT
        if reduce_height(p, s) <= x:
            p[ScenarioMemory.REDUCED] = 1.0
            if s[ScenarioParameters.REDUCE_TO] < target:
                target, reason = s[ScenarioParameters.REDUCE_TO], Reason.WEIGHT_REDUCE
        while exit_height(p, s) <= x:
            row = int(p[ScenarioMemory.EXITS])
            p[ScenarioMemory.EXITS] += 1.0
            if s[ScenarioParameters.EXIT + 2 * row + 1] < target:
                target, reason = s[ScenarioParameters.EXIT + 2 * row + 1], Reason.EXIT
        if target < wanted:
            lower(P, A, S, meta, B, first, T, i, minute, target, reason, p[Position.CYCLE_SIDE] * x)


@lean_kernel
def follow_cycle(P: Floats, A: Floats, S: Floats, R: Floats, meta: Ints, i: int, now: int, row: Floats) -> None:
    """At the close of a decision bar: a cycle that has flipped ends the scenario, and begins the next one.

    A first row at deviation 0 is an order of the next open. A cycle that was under way, or began while trading was off, is
    entered only if `join` is set.
    """
    p, s = P[i], S[i]
    cycle = row[Input.CYCLE]
    side = 0.0 if math.isnan(cycle) else s[Setup.SENSE] * cycle
    fresh = row[Input.CYCLE_UPDATED] > 0.5
    if side == p[Position.CYCLE_SIDE] and not fresh:
        return
    q, close = p[Position.QUANTITY], row[Input.CLOSE]
    released = 0.0
    if q != 0.0:
        held = 1.0 if q > 0.0 else -1.0
        if p[Position.PENDING_CLOSE_REASON] != Reason.STOP_CLOSE or p[Position.PENDING_CLOSE] == 0.0:
            p[Position.PENDING_CLOSE_REASON] = Reason.CLEAR
        p[Position.PENDING_CLOSE] = abs(q)
        released = abs(q) * (close - p[Position.ENTRY]) * held - abs(q) * close * s[Setup.TAKER_FEE]
    withdraw_entry(p)
    p[Position.PENDING_MS] = now
    p[Position.CYCLE_SIDE] = side
    p[Position.TARGET] = 0.0
    p[Position.STOP_MARK] = 0.0
    p[ScenarioMemory.PIVOT] = row[Input.CYCLE_BEGIN]
    p[ScenarioMemory.ENTRIES : ScenarioMemory.REACHED + 1] = 0.0
    allowed = side != 0.0 and (s[Setup.LONG] if side > 0.0 else s[Setup.SHORT]) > 0.5
    begins = fresh and meta[Meta.TRADING] == 1
    p[ScenarioMemory.STAGE] = Stage.ARMED if allowed and (begins or s[ScenarioParameters.JOIN] > 0.5) else Stage.IDLE
    if allowed and begins and s[ScenarioParameters.ENTRY] == 0.0:
        p[ScenarioMemory.ENTRIES] = 1.0
        p[ScenarioMemory.STAGE] = Stage.BUILDING
        p[Position.TARGET] = side * s[ScenarioParameters.ENTRY + 1]
        plan_entry(P, A, S, R, meta, i, p[Position.TARGET], close, released, q != 0.0)
    scenario_levels(p, s)
