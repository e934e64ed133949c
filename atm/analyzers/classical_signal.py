"""PIP's classical signal, its edge-Gaussian filter and its cycle (spec: analysis §0, §6.4, §6.5, defects D7, D17, D31 … D33).

    s  = mean of the contributors, each divided by its own mean magnitude and clipped to ±`CONTRIBUTION_LIMIT`
    CS = SQ(s; alpha, beta) = sgn(s) · (2/π) · arctan(|s/alpha|^beta)          not rounded
    F  = edge Gaussian of the last `window` values of CS

CS begins when every configured contributor has a value, so it does not change its meaning during warm-up; F when `window`
values of CS are there. On a missing bar CS, F and the cycle are held, the deltas are 0 and the cycle's index counts on.
The delay of F at a flat end is `mean_lag` bars.

Cycle. None → HIGH (+1) when F > enter, LOW (−1) when F < −enter. From HIGH: F < −enter → LOW; else F < leave → none; LOW
mirrored. `cycle_updated` is 1 on a bar that changed the cycle (also on leaving one), else 0; `cycle_index` counts the bars
since; `cycle_begin_price` is the close of the bar that began it.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.model.analysis_configuration import ClassicalSignal, IntervalAnalyses
from atm.model.bars import Column
from atm.model.errors import Invalid
from atm.model.kernel import kernel

CLOSE = int(Column.CLOSE)
CONTRIBUTION_LIMIT = 5.0
"""No contributor weighs more than five times its mean magnitude."""
_HEAD = 10


@kernel
def squash(signal: float, alpha: float, beta: float) -> float:
    """SQ of analysis §0 without its rounding; range (−1, 1), SQ(alpha) = 0.5."""
    size = 2.0 / math.pi * math.atan(abs(signal / alpha) ** beta)
    return size if signal >= 0.0 else -size


@kernel
def next_cycle(cycle: float, filtered: float, enter: float, leave: float) -> float:
    """The cycle after a bar whose filtered signal is `filtered`; NaN = none."""
    if filtered > enter:
        return 1.0
    if filtered < -enter:
        return -1.0
    return np.nan if cycle * filtered < leave else cycle


@kernel
def _filtered(ring: Floats, at: int, weights: Floats) -> float:
    """Σ weights[i] · value i bars ago; the newest value stands at ring[at]."""
    total = 0.0
    n = len(ring)
    for i in range(n):
        total += weights[i] * ring[at - i if at >= i else at - i + n]
    return total


@kernel
def _contribution(values: Floats, i: int, rows: Floats) -> float:
    """Mean of the clipped contributors, NaN when one has no value."""
    total = 0.0
    for row in rows:
        x = values[int(row), i]
        if x != x:
            return np.nan
        total += min(max(x, -CONTRIBUTION_LIMIT), CONTRIBUTION_LIMIT)
    return total / len(rows)


@kernel
def _step(state: Floats, ring: Floats, weights: Floats, cs: float, close: float, enter: float, leave: float) -> None:
    """Book one present bar with a classical signal: filter, deltas, cycle."""
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
    filtered = _filtered(ring, at, weights)
    state[5] = filtered - state[4]
    state[4] = filtered
    before = state[6]
    cycle = next_cycle(before, filtered, enter, leave)
    changed = not (cycle == before or (cycle != cycle and before != before))
    state[6] = cycle
    state[7] = 1.0 if changed else 0.0
    if cycle != cycle:
        state[8], state[9] = np.nan, np.nan
    elif changed:
        state[8], state[9] = 0.0, close
    else:
        state[8] += 1.0


@kernel
def advance_pip(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [number of contributors, their rows…, alpha, beta, enter, leave, weights…]; out as `PIP.fields`.

    state [signals in the ring, ring position, then the eight fields as last published, ring…].
    """
    own = 1 + int(params[0])
    rows = params[1:own]
    alpha, beta, enter, leave = params[own], params[own + 1], params[own + 2], params[own + 3]
    weights = params[own + 4 :]
    ring = state[_HEAD:]
    for i in range(start, stop):
        close = values[CLOSE, i]
        s = _contribution(values, i, rows)
        if close == close and s == s:
            _step(state, ring, weights, squash(s, alpha, beta), close, enter, leave)
        else:
            state[3] *= 0.0
            state[5] *= 0.0
            state[7] *= 0.0
            state[8] += 1.0
        for field in range(8):
            out[field, i] = state[2 + field]


def edge_gaussian(window: int, sigma: float) -> Floats:
    """Weights h of the edge Gaussian, newest value first; they sum to 1 (analysis §0).

    The value at the right edge of a window filtered by a Gaussian of `sigma` bars, cut off at trunc(4σ + 0.5) and
    reflected at both ends, is this fixed causal filter.
    """
    radius = int(4.0 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    gaussian = np.exp(-0.5 * (offsets / sigma) ** 2)
    gaussian /= gaussian.sum()
    # reflection folds the line onto the window with period 2N: offset x ≥ 0 falls on x, offset −1 − x on x as well
    folded = np.mod(offsets, 2 * window)
    lag = np.where(folded < window, folded, 2 * window - 1 - folded)
    return np.bincount(lag, weights=gaussian, minlength=window).astype(np.float64)


def mean_lag(window: int, sigma: float) -> float:
    """Delay of the edge Gaussian in bars: Σ i · h_i."""
    return float(np.arange(window) @ edge_gaussian(window, sigma))


def _lines(configuration: IntervalAnalyses) -> tuple[ClassicalSignal, ...]:
    return () if configuration.pip is None else (configuration.pip,)


def _inputs(configuration: IntervalAnalyses) -> tuple[str, ...]:
    contributors = {"MMACDSHORT": configuration.mmacd_short, "MMACDLONG": configuration.mmacd_long}
    found = tuple(f"{name}.0.abs_mean_relative" for name, line in contributors.items() if line is not None)
    if configuration.pip is not None and not found:
        raise Invalid("pip", "no contributor", "with mmacd_short or mmacd_long configured")
    return found


def _pack(pip: ClassicalSignal) -> Floats:
    if pip.leave_threshold > pip.enter_threshold:
        raise Invalid(
            "pip.leave_threshold", pip.leave_threshold, f"at most pip.enter_threshold ({pip.enter_threshold:g})"
        )
    own = np.array([pip.alpha, pip.beta, pip.enter_threshold, pip.leave_threshold])
    return np.concatenate([own, edge_gaussian(pip.window, pip.sigma)])


def _state(params: Floats) -> Floats:
    window = len(params) - 1 - int(params[0]) - 4
    state = np.full(_HEAD + window, np.nan)
    state[0], state[1] = 0.0, -1.0
    return state


PIP = Indicator[ClassicalSignal](
    name="PIP",
    fields=(
        "classical_signal", "classical_delta", "filtered", "filtered_delta",
        "cycle", "cycle_updated", "cycle_index", "cycle_begin_price",
    ),
    lines=_lines,
    pack=_pack,
    state=_state,
    advance=advance_pip,
    warm_up=lambda pip: pip.window + 1,
    settle=lambda pip: pip.window,
    singleton=True,
    event_fields=("cycle", "cycle_updated", "cycle_index", "cycle_begin_price"),
    inputs=_inputs,
)  # fmt: skip
