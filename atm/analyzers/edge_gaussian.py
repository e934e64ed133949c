"""The edge Gaussian: a Gaussian filter at the newest edge of a window, as a fixed causal filter (spec: analysis §0, D31)."""

from __future__ import annotations

import numpy as np

from atm.analyzers.contract import Floats
from atm.model.kernel import lean_kernel


@lean_kernel
def filtered(ring: Floats, at: int, weights: Floats) -> float:
    """Σ weights[i] · value i steps ago; the newest value stands at ring[at]."""
    total = 0.0
    n = len(ring)
    for i in range(n):
        total += weights[i] * ring[at - i if at >= i else at - i + n]
    return total


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
