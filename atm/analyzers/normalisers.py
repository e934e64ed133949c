"""What several analyses share: weights of exponential means, and the two normalisers (spec: analysis §0, §7.5, D8, D15).

Mean-relative (AMN): the value over the exponential mean of its magnitude. The mean is divided by the weight seen so far,
1 − (1 − k)^age, so it starts without a bias, and it counts from half weight on.
Peak-relative (PKN): 100 · value over the largest magnitude since a declared start. It never forgets.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import FORGOTTEN
from atm.model.kernel import lean_kernel


def weight(window: float) -> float:
    """κ(n) = 2 / (n + 1)."""
    return 2.0 / (window + 1.0)


def bars_to_forget(k: float, remaining: float = FORGOTTEN) -> int:
    """Steps after which a start weighs at most `remaining` in an exponential average of weight k."""
    return 0 if k >= 1.0 else math.ceil(math.log(remaining) / math.log1p(-k))


@lean_kernel
def mean_magnitude(total: float, unseen: float, k: float, x: float) -> tuple[float, float, float]:
    """Book x: (exponential sum of magnitudes, weight not yet seen, mean of |x|). Fresh (0, 1); NaN below half weight."""
    total += k * (abs(x) - total)
    unseen *= 1.0 - k
    return total, unseen, total / (1.0 - unseen) if unseen <= 0.5 else np.nan


@lean_kernel
def relative(x: float, mean: float, resolution: float) -> float:
    """x over its mean magnitude; 0 where the mean is not above `resolution`; NaN without a mean."""
    if mean != mean:
        return np.nan
    return x / mean if mean > resolution else 0.0
