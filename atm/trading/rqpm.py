"""RQPM: the remaining-quantity map and the rule that makes a target exposure of it (spec: trading §3.2–3.6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import kernel
from atm.trading.layout import Input, Position, Setup

Floats = NDArray[np.float64]

_TINY = 1e-12
_INDEX_SCALE = 1e-4


@kernel
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


@kernel
def target_exposure(p: Floats, s: Floats, row: Floats) -> float:
    """Signed exposure in [−1, 1] wanted after this closed bar; moves the cycle state in `p` on.

    p: `Position` row; s: `Setup` row; row: `Input` values. Outside a cycle the target is 0. Within a cycle the remaining
    quantity only shrinks, unless the configuration lets it regrow. After a stop the same side stays closed until the
    cycle has changed its mind, unless re-entry is on.
    """
    cycle = row[Input.CYCLE]
    if math.isnan(cycle) or cycle == 0.0:
        p[Position.CYCLE_SIDE] = 0.0
        p[Position.REMAINING] = 1.0
        p[Position.STOP_MARK] = 0.0
        return 0.0
    side = s[Setup.SENSE] * cycle
    if side != p[Position.CYCLE_SIDE] or row[Input.CYCLE_UPDATED] > 0.5:
        p[Position.CYCLE_SIDE] = side
        p[Position.REMAINING] = 1.0
        if p[Position.STOP_MARK] != side:
            p[Position.STOP_MARK] = 0.0
    deviation = row[Input.CLOSE] / row[Input.CYCLE_BEGIN] - 1.0
    first = Setup.THETA_LONG if side > 0.0 else Setup.THETA_SHORT
    value = rotational_gaussian_1(
        row[Input.CYCLE_INDEX], deviation, s[first], s[first + 1], s[first + 2], s[first + 3], s[first + 4]
    )
    if s[Setup.REGROW] > 0.5:
        p[Position.REMAINING] = value
    else:
        p[Position.REMAINING] = min(p[Position.REMAINING], value)
    allowed = s[Setup.LONG] if side > 0.0 else s[Setup.SHORT]
    if allowed < 0.5 or p[Position.STOP_MARK] == side:
        return 0.0
    return float(side * p[Position.REMAINING])


@kernel
def exit_allowed(p: Floats, s: Floats, row: Floats) -> bool:
    """Whether the configured exit tests (impulse, aligned, profitable; NaN = off) let a reduction pass."""
    side = 1.0 if p[Position.QUANTITY] > 0.0 else -1.0
    if not math.isnan(s[Setup.EXIT_IMPULSE]) and not row[Input.FILTERED_DELTA] * side >= s[Setup.EXIT_IMPULSE]:
        return False
    aligned = (row[Input.CLOSE] / row[Input.OPEN] - 1.0) * side
    if not math.isnan(s[Setup.EXIT_ALIGNED]) and not aligned >= s[Setup.EXIT_ALIGNED]:
        return False
    gained = (row[Input.CLOSE] / row[Input.CYCLE_BEGIN] - 1.0) * side
    return bool(math.isnan(s[Setup.EXIT_PROFITABLE]) or gained >= s[Setup.EXIT_PROFITABLE])
