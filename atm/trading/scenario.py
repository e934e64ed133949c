"""TS, the trade scenario: its levels and states (spec: trading §4.3). Numba kernels on one position's row.

Within a cycle of side d, x = d · price is the price's height: adverse levels (entries, partial stops, stops, the fall after
a reach) lie below it, favourable ones (exits, weight reduction, reach) above. The three tables are measured from the
pivot price, the auxiliaries from the entry price; each level is rounded to the tick on the side that is harder to reach.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.layout import Method, Position, ScenarioMemory, ScenarioParameters, Setup, Stage
from atm.trading.mark_path import liquidation_on_path

Floats = NDArray[np.float64]

_ALMOST = 1e-6


@lean_kernel
def height(p: Floats, s: Floats, reference: float, gain: float) -> float:
    """x at which the price has moved by `gain` (a fraction, negative = adverse) from `reference`, on the harder tick."""
    d, units = p[Position.CYCLE_SIDE], s[Setup.TICK_UNITS]
    ticks = reference * (1.0 + d * gain) * units
    up = d > 0.0 if gain > 0.0 else d < 0.0
    return float(d * (math.ceil(ticks - _ALMOST) if up else math.floor(ticks + _ALMOST)) / units)


@lean_kernel
def entry_height(p: Floats, s: Floats) -> float:
    """x of the next row of the entry table; −∞ while no entry is possible."""
    row = int(p[ScenarioMemory.ENTRIES])
    stage = p[ScenarioMemory.STAGE]
    closed = stage == Stage.IDLE or stage == Stage.SPENT
    closed |= stage == Stage.REDUCING and s[ScenarioParameters.REENTER] < 0.5
    if closed or row >= s[ScenarioParameters.ENTRY_ROWS]:
        return -math.inf
    return height(p, s, p[ScenarioMemory.PIVOT], -s[ScenarioParameters.ENTRY + 2 * row])


@lean_kernel
def stop_height(p: Floats, s: Floats) -> float:
    """x of the next row of the partial-stop table; −∞ after the last."""
    row = int(p[ScenarioMemory.STOPS])
    if row >= s[ScenarioParameters.STOP_ROWS]:
        return -math.inf
    return height(p, s, p[ScenarioMemory.PIVOT], -s[ScenarioParameters.STOP + 2 * row])


@lean_kernel
def exit_height(p: Floats, s: Floats) -> float:
    """x of the next row of the exit table; ∞ after the last."""
    row = int(p[ScenarioMemory.EXITS])
    if row >= s[ScenarioParameters.EXIT_ROWS]:
        return math.inf
    return height(p, s, p[ScenarioMemory.PIVOT], s[ScenarioParameters.EXIT + 2 * row])


@lean_kernel
def reduce_height(p: Floats, s: Floats) -> float:
    """x of the weight reduction; ∞ without one, or when it is done."""
    if math.isnan(s[ScenarioParameters.REDUCE_AT]) or p[ScenarioMemory.REDUCED] > 0.5:
        return math.inf
    return height(p, s, p[Position.ENTRY], s[ScenarioParameters.REDUCE_AT])


@lean_kernel
def reach_height(p: Floats, s: Floats) -> float:
    """x from which on a fall is watched for; ∞ without one, or when it is watched already."""
    if math.isnan(s[ScenarioParameters.REACH]) or p[ScenarioMemory.REACHED] > 0.5:
        return math.inf
    return height(p, s, p[Position.ENTRY], s[ScenarioParameters.REACH])


@lean_kernel
def fall_height(p: Floats, s: Floats) -> float:
    """x at which a fall closes everything; −∞ while none is watched for."""
    if p[ScenarioMemory.REACHED] < 0.5:
        return -math.inf
    d, units = p[Position.CYCLE_SIDE], s[Setup.TICK_UNITS]
    ticks = p[Position.ENTRY] * (1.0 + d * s[ScenarioParameters.FALL]) * units
    return float(d * (math.floor(ticks + _ALMOST) if d > 0.0 else math.ceil(ticks - _ALMOST)) / units)


@lean_kernel
def adverse_height(p: Floats, s: Floats, entries: bool) -> float:
    """x of the nearest adverse level at which anything happens in the minute that is seen; −∞ if none. entries: whether entry
    rows count."""
    x = order_height(p, s, entries)
    if p[Position.QUANTITY] != 0.0:
        liquidation = liquidation_on_path(p)
        if liquidation > 0.0:
            x = max(x, p[Position.CYCLE_SIDE] * liquidation)
    return float(x)


@lean_kernel
def order_height(p: Floats, s: Floats, entries: bool) -> float:
    """x of the nearest adverse level of the method or its stop; −∞ if none. Liquidation, at a mark price, is watched apart."""
    x = entry_height(p, s) if entries else -math.inf
    if p[Position.QUANTITY] != 0.0:
        x = max(x, stop_height(p, s), fall_height(p, s))
        if p[Position.STOP] > 0.0:
            x = max(x, p[Position.CYCLE_SIDE] * p[Position.STOP])
    return float(x)


@lean_kernel
def taking_height(p: Floats, s: Floats) -> float:
    """x of the nearest favourable level that reduces; ∞ if none or nothing is held."""
    if p[Position.QUANTITY] == 0.0:
        return math.inf
    return float(min(exit_height(p, s), reduce_height(p, s)))


@lean_kernel
def scenario_levels(p: Floats, s: Floats) -> None:
    """The two prices at which the path phase has to look at this position next (BELOW, ABOVE; 0 = none)."""
    p[Position.BELOW] = 0.0
    p[Position.ABOVE] = 0.0
    d = p[Position.CYCLE_SIDE]
    if d == 0.0:
        return
    adverse, favourable = order_height(p, s, True), taking_height(p, s)
    if p[Position.QUANTITY] != 0.0:
        favourable = min(favourable, reach_height(p, s))
    if not math.isinf(adverse):
        p[Position.BELOW if d > 0.0 else Position.ABOVE] = d * adverse
    if not math.isinf(favourable):
        p[Position.ABOVE if d > 0.0 else Position.BELOW] = d * favourable


@lean_kernel
def leave_scenario(p: Floats, s: Floats) -> None:
    """Everything was closed by force, by liquidation or by a fall: nothing more in this cycle. Other methods: nothing."""
    if int(s[Setup.FUNCTION_LONG]) == Method.SCENARIO:
        p[ScenarioMemory.STAGE] = Stage.SPENT
        p[ScenarioMemory.REACHED] = 0.0
        p[Position.TARGET] = 0.0
        scenario_levels(p, s)


@lean_kernel
def stop_scenario(p: Floats, s: Floats) -> None:
    """A full stop has acted: spent, or armed with the rows that are left if entering again after a stop is allowed."""
    leave_scenario(p, s)
    if s[Setup.REENTRY] > 0.5:
        p[ScenarioMemory.STAGE] = Stage.ARMED
        scenario_levels(p, s)
