"""Funding rates: recorded ones where there are any, else the constant of the cost model. Numba kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel

Floats = NDArray[np.float64]

NO_RATES: Floats = np.zeros((0, 3))


@lean_kernel
def funding_rate(rates: Floats, minute: int, i: int, default: float) -> float:
    """Rate of position i at the stamp that opens `minute` (Unix ms).

    rates: float64 (k, 3) rows of (stamp in Unix ms, position, rate as a fraction of notional), ascending by stamp; `default`
    where none is recorded.
    """
    low, high = 0, rates.shape[0]
    while low < high:
        middle = (low + high) // 2
        if rates[middle, 0] < minute:
            low = middle + 1
        else:
            high = middle
    while low < rates.shape[0] and rates[low, 0] == minute:
        if rates[low, 1] == i:
            return float(rates[low, 2])
        low += 1
    return default
