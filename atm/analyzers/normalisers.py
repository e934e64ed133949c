"""What several analyses share: weights of exponential means, and the two normalisers (spec: analysis §0, §7.5, D8, D15).

Mean-relative (AMN): the value over the exponential mean of its magnitude. The mean is divided by the weight seen so far,
1 − (1 − k)^age, so it starts without a bias, and it counts from half weight on.
Peak-relative (PKN): 100 · value over the largest magnitude since a declared start. It never forgets.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import FORGOTTEN, Floats
from atm.model.kernel import kernel

MEAN_SIZE = 2
"""Floats of state for a mean magnitude: [exponential sum of magnitudes, weight not yet seen], fresh [0, 1]."""


def weight(window: float) -> float:
    """κ(n) = 2 / (n + 1)."""
    return 2.0 / (window + 1.0)


def bars_to_forget(k: float, remaining: float = FORGOTTEN) -> int:
    """Steps after which a start weighs at most `remaining` in an exponential average of weight k."""
    return 0 if k >= 1.0 else math.ceil(math.log(remaining) / math.log1p(-k))


@kernel
def mean_magnitude(state: Floats, at: int, k: float, x: float) -> float:
    """Book x; the mean of |x| so far, NaN below half weight. `MEAN_SIZE` floats from state[at] on are its memory."""
    state[at] += k * (abs(x) - state[at])
    state[at + 1] *= 1.0 - k
    return state[at] / (1.0 - state[at + 1]) if state[at + 1] <= 0.5 else np.nan


@kernel
def relative(x: float, mean: float, resolution: float) -> float:
    """x over its mean magnitude; 0 where the mean is not above `resolution`; NaN without a mean."""
    if mean != mean:
        return np.nan
    return x / mean if mean > resolution else 0.0
