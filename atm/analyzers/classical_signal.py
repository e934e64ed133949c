"""The classical signal: contributors, squash, edge-Gaussian filter, cycle (spec: analysis §0, §6.4, §6.5, D2, D7, D17, D31 … D33).

    x_t = mean over the lines of type t of their mean-relative value, each clipped to ±`CONTRIBUTION_LIMIT`
    s   = Σ w_t · x_t / Σ w_t      t: MMACDSHORT, MMACDLONG, DMIxADX, MFI, as far as configured and w_t > 0
    CS  = SQ(s; alpha, beta) = sgn(s) · (2/π) · arctan(|s/alpha|^beta)          not rounded
    F   = edge Gaussian of the last `window` values of CS

Every contributor is divided by its own mean magnitude, so that none drowns the others (D7), and MFI is itself (D2: the ancestor
added DMI×ADX a second time). CS begins when every contributor has a value, so it does not change its meaning during
warm-up; from then on it is that of the contributors that have one (D32). F begins when `window` values of CS are there. On a
missing bar CS, F and the cycle are held, the deltas are 0 and the cycle's index counts on. The delay of F at a flat end is
`edge_gaussian.mean_lag` bars.

Cycle. None → HIGH (+1) when F > enter, LOW (−1) when F < −enter. From HIGH: F < −enter → LOW; else F < leave → none; LOW
mirrored. `cycle_updated` is 1 on a bar that changed the cycle (also on leaving one), else 0; `cycle_index` counts the bars
since; `cycle_begin_price` is the close of the bar that began it.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import Floats
from atm.analyzers.edge_gaussian import filtered
from atm.model.kernel import lean_kernel

CONTRIBUTION_LIMIT = 5.0
"""No contributor weighs more than five times its mean magnitude."""
CONTRIBUTORS = 4
SIGNAL_SIZE = 10
"""State: [signals in the ring, ring position, CS, ΔCS, F, ΔF, cycle, cycle updated, cycle index, cycle begin price]."""


@lean_kernel
def squash(signal: float, alpha: float, beta: int) -> float:
    """SQ of analysis §0 without its rounding; range (−1, 1), SQ(alpha) = 0.5."""
    size = 2.0 / math.pi * math.atan(abs(signal / alpha) ** beta)
    return size if signal >= 0.0 else -size


@lean_kernel
def next_cycle(cycle: float, strength: float, enter: float, leave: float) -> float:
    """The cycle after a bar whose filtered signal is `strength`; NaN = none."""
    if strength > enter:
        return 1.0
    if strength < -enter:
        return -1.0
    return np.nan if cycle * strength < leave else cycle


@lean_kernel
def mean_of(values: Floats, i: int, rows: Floats, first: int, stop: int, scale: float, limit: float) -> float:
    """Mean of the scaled and clipped values of rows[first … stop − 1], NaN when there is none or one has no value."""
    total = 0.0
    for j in range(first, stop):
        x = scale * values[int(rows[j]), i]
        if x != x:
            return np.nan
        total += min(max(x, -limit), limit)
    return total / (stop - first) if stop > first else np.nan


@lean_kernel
def contributions(values: Floats, i: int, rows: Floats, groups: Floats, begun: bool) -> tuple[float, float]:
    """The weighted mean s of the contributors and how many have a value; s is NaN before all had one at once.

    rows: those of all inputs; groups: of each contributor [its first place in rows, the place behind, weight, scale].
    """
    total, weights, ready, needed = 0.0, 0.0, 0.0, 0.0
    for group in range(0, 4 * CONTRIBUTORS, 4):
        first, end, weight = int(groups[group]), int(groups[group + 1]), groups[group + 2]
        if end > first and weight > 0.0:
            needed += 1.0
            x = mean_of(values, i, rows, first, end, groups[group + 3], CONTRIBUTION_LIMIT)
            if x == x:
                ready += 1.0
                total += weight * x
                weights += weight
    if ready == 0.0 or (ready < needed and not begun):
        return np.nan, ready
    return total / weights, ready


@lean_kernel
def book_signal(
    state: Floats, ring: Floats, gaussian: Floats, cs: float, close: float, enter: float, leave: float
) -> None:
    """Book one present bar with a classical signal: filter, deltas, cycle. state as `SIGNAL_SIZE`."""
    n = len(ring)
    at = int(state[1])
    at = at + 1 if at + 1 < n else 0
    ring[at] = cs
    state[1] = at
    state[0] = min(state[0] + 1.0, n)
    state[3] = cs - state[2]
    state[2] = cs
    if state[0] < n:
        return
    strength = filtered(ring, at, gaussian)
    state[5] = strength - state[4]
    state[4] = strength
    before = state[6]
    cycle = next_cycle(before, strength, enter, leave)
    changed = not (cycle == before or (cycle != cycle and before != before))
    state[6] = cycle
    state[7] = 1.0 if changed else 0.0
    if cycle != cycle:
        state[8], state[9] = np.nan, np.nan
    elif changed:
        state[8], state[9] = 0.0, close
    else:
        state[8] += 1.0


@lean_kernel
def hold_signal(state: Floats) -> None:
    """A bar without a signal: no deltas, no change of cycle, the index counts on."""
    state[3] *= 0.0
    state[5] *= 0.0
    state[7] *= 0.0
    state[8] += 1.0
