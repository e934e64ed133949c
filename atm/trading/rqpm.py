"""RQPM: the remaining-quantity maps and the rule that makes a target exposure of them (spec: trading §3.2–3.6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.layout import Input, Method, Position, RemainingMemory, RemainingParameters, Setup

Floats = NDArray[np.float64]

_TINY = 1e-12
_INDEX_SCALE = 1e-4
_INDEX_SCALE_2 = 1e-3
_MOST_Q = 2.0


@lean_kernel
def rotational_gaussian_1(
    index: float, deviation: float, theta: float, alpha: float, beta0: float, beta1: float, gamma: float
) -> float:
    """ROTATIONALGAUSSIAN1 in [0, 1]: bars since the flip and price deviation from the pivot, rotated by (θ + ½)π.

    x = 1e-4·index, y = deviation; RQP = exp(−(u²/D_u + v²/D_v)^γ) with D_u = 2α², D_v = 2β₀² for v < 0 else 2β₁²,
    each at least 1e-12 (the ancestor bounded them above, which made the map zero everywhere but at the origin).
    """
    angle = (theta + 0.5) * math.pi
    x, y = _INDEX_SCALE * index, deviation
    u = math.cos(angle) * x + math.sin(angle) * y
    v = -math.sin(angle) * x + math.cos(angle) * y
    beta = beta0 if v < 0.0 else beta1
    distance = u * u / max(2.0 * alpha * alpha, _TINY) + v * v / max(2.0 * beta * beta, _TINY)
    return math.exp(-math.pow(min(distance, 1e6), gamma)) if distance > 0.0 else 1.0


@lean_kernel
def rotational_gaussian_1d(
    index: float, deviation: float, theta: float, alpha: float, beta0: float, beta1: float, gamma: float
) -> float:
    """ROTATIONALGAUSSIAN1D in [0, 1], the form behind the ancestor's documentation: angle 2πθ, D_u = α, D_v = β₀ or β₁."""
    angle = 2.0 * math.pi * theta
    x, y = _INDEX_SCALE * index, deviation
    u = math.cos(angle) * x + math.sin(angle) * y
    v = -math.sin(angle) * x + math.cos(angle) * y
    beta = beta0 if v < 0.0 else beta1
    distance = u * u / max(alpha, _TINY) + v * v / max(beta, _TINY)
    return math.exp(-math.pow(min(distance, 1e6), gamma)) if distance > 0.0 else 1.0


@lean_kernel
def rotational_gaussian_2(index: float, deviation: float, swing: float, strength: float, m: Floats) -> float:
    """ROTATIONALGAUSSIAN2 in [0, 1]: the inside of an ellipsoid of all four inputs, shifted by δ and rotated by 2πθ.

    m: θ (3), δ (4), σ (4). RQP = exp(−Q^100), Q = ½ Σ (aᵢ/σᵢ)², which is capped at 2, where the map has long been 0.
    """
    a0 = _INDEX_SCALE_2 * index + m[3]
    q = 0.0
    for k in range(1, 4):
        shifted = (deviation if k == 1 else swing if k == 2 else strength) + m[3 + k]
        c, s = math.cos(2.0 * math.pi * m[k - 1]), math.sin(2.0 * math.pi * m[k - 1])
        a0, turned = c * a0 + s * shifted, -s * a0 + c * shifted
        q += (turned / m[7 + k]) ** 2
    q = 0.5 * (q + (a0 / m[7]) ** 2)
    return math.exp(-math.pow(min(q, _MOST_Q), 100.0)) if q == q else math.nan


@lean_kernel
def remaining_quantity(
    function: int, m: Floats, at: int, index: float, deviation: float, swing: float, strength: float
) -> float:
    """What the map `function`, whose parameters begin at m[at], says; NaN when an input of it has no value."""
    if function == Method.GAUSSIAN_1:
        return rotational_gaussian_1(index, deviation, m[at], m[at + 1], m[at + 2], m[at + 3], m[at + 4])
    if function == Method.GAUSSIAN_1D:
        return rotational_gaussian_1d(index, deviation, m[at], m[at + 1], m[at + 2], m[at + 3], m[at + 4])
    return rotational_gaussian_2(index, deviation, swing, strength, m[at : at + 11])


@lean_kernel
def follow_round(p: Floats, s: Floats, row: Floats, side: float) -> float:
    """Side of the round that this bar belongs to, 0 = none: from a flip to the allowed side to the next flip to it."""
    own = 1.0 if s[Setup.LONG] > 0.5 else -1.0
    begins = side == own and (p[RemainingMemory.REGIME] != own or row[Input.CYCLE_UPDATED] > 0.5)
    p[RemainingMemory.REGIME] = side
    p[RemainingMemory.BARS] += 1.0
    if begins:
        p[RemainingMemory.PIVOT] = row[Input.CYCLE_BEGIN]
        p[RemainingMemory.BARS] = row[Input.CYCLE_INDEX]
        p[Position.CYCLE_SIDE] = 0.0
    return own if begins else p[Position.CYCLE_SIDE]


@lean_kernel
def remaining_exposure(p: Floats, s: Floats, row: Floats) -> float:
    """Signed exposure in [−1, 1] wanted after this closed bar (NaN = no opinion); moves the cycle state in `p` on.

    p: `Position` row; s: `Setup` row; row: `Input` values. Outside a cycle the target is 0. Within a cycle the remaining
    quantity only shrinks, unless the configuration lets it regrow. After a stop the same side stays closed until the
    cycle has changed its mind, unless re-entry is on.
    """
    cycle = row[Input.CYCLE]
    if math.isnan(cycle) or cycle == 0.0:
        p[Position.CYCLE_SIDE] = 0.0
        p[Position.REMAINING] = 1.0
        p[Position.STOP_MARK] = 0.0
        p[RemainingMemory.REGIME] = 0.0
        return 0.0
    side = s[Setup.SENSE] * cycle
    if s[RemainingParameters.ROUND] > 0.5:
        side = follow_round(p, s, row, side)
        if side == 0.0:
            return 0.0
    if side != p[Position.CYCLE_SIDE] or (row[Input.CYCLE_UPDATED] > 0.5 and s[RemainingParameters.ROUND] < 0.5):
        p[Position.CYCLE_SIDE] = side
        p[Position.REMAINING] = 1.0
        if p[Position.STOP_MARK] != side or s[RemainingParameters.ROUND] > 0.5:
            p[Position.STOP_MARK] = 0.0
    index, pivot, close = row[Input.CYCLE_INDEX], row[Input.CYCLE_BEGIN], row[Input.CLOSE]
    if s[RemainingParameters.ROUND] > 0.5:
        index, pivot = p[RemainingMemory.BARS], p[RemainingMemory.PIVOT]
    function = int(s[Setup.FUNCTION_LONG if side > 0.0 else Setup.FUNCTION_SHORT])
    at = RemainingParameters.MAP_LONG if side > 0.0 else RemainingParameters.MAP_SHORT
    swing = (close - row[Input.SWING_PRICE]) / pivot
    value = remaining_quantity(function, s, at, index, close / pivot - 1.0, swing, row[Input.FILTERED])
    if math.isnan(value):
        return math.nan
    if s[RemainingParameters.REGROW] > 0.5:
        p[Position.REMAINING] = value
    else:
        p[Position.REMAINING] = min(p[Position.REMAINING], value)
    allowed = s[Setup.LONG] if side > 0.0 else s[Setup.SHORT]
    if allowed < 0.5 or p[Position.STOP_MARK] == side:
        return 0.0
    return float(side * p[Position.REMAINING])


@lean_kernel
def exit_allowed(p: Floats, s: Floats, row: Floats) -> bool:
    """Whether the configured exit tests (impulse, aligned, profitable; NaN = off) let a reduction pass."""
    side = 1.0 if p[Position.QUANTITY] > 0.0 else -1.0
    if not math.isnan(s[Setup.EXIT_IMPULSE]) and not row[Input.FILTERED_DELTA] * side >= s[Setup.EXIT_IMPULSE]:
        return False
    aligned = (row[Input.CLOSE] / row[Input.OPEN] - 1.0) * side
    if not math.isnan(s[Setup.EXIT_ALIGNED]) and not aligned >= s[Setup.EXIT_ALIGNED]:
        return False
    reference = row[Input.CYCLE_BEGIN]
    if s[Setup.PROFIT_FROM_ENTRY] > 0.5:
        reference = p[Position.ENTRY]
    elif s[RemainingParameters.ROUND] > 0.5:
        reference = p[RemainingMemory.PIVOT]
    gained = (row[Input.CLOSE] / reference - 1.0) * side
    return bool(math.isnan(s[Setup.EXIT_PROFITABLE]) or gained >= s[Setup.EXIT_PROFITABLE])
