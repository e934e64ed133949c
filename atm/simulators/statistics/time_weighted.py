"""The equity curve without what was paid in and out: profit and loss as if the first money had stayed alone. Pure.

Time-weighted return (CFA Institute, Global Investment Performance Standards, 2020, provision 2.A.21): the growth of each minute,
equity / (equity before + what was paid in between), multiplied up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def time_weighted(equity: Floats, initial: float, flows: Floats | None) -> tuple[Floats, float]:
    """equity float64 (n,): after each minute; flows float64 (n,): paid in (out: below 0) just before each minute, None = nothing →
    (curve (n,), its first value). Without transfers the equity itself. Once nothing was left the curve is 0;
    money that comes into an account which had none yet is its first.
    """
    if flows is None or not np.any(flows):
        return equity, initial
    before = np.concatenate(([initial], equity[:-1])) + flows
    first = 0
    if initial <= 0.0:
        found = np.flatnonzero(before > 0.0)
        if not len(found):
            return equity, initial
        first = int(found[0])
        initial = float(before[first])
    ruined = before[first:] <= 0.0
    ruined[1:] |= equity[first:-1] <= 0.0
    lost = np.cumsum(ruined) > 0
    growth = np.divide(equity[first:], before[first:], out=np.zeros(len(before) - first), where=~lost)
    curve = np.full(len(equity), initial)
    curve[first:] = initial * np.cumprod(growth)
    return curve, initial


def flows_between(time_ms: NDArray[np.int64], transfers: tuple[tuple[int, float], ...]) -> Floats:
    """(Unix ms, amount) on the points of a curve: each counts for the first point after its time, those before the first point and
    after the last one for none."""
    flows = np.zeros(len(time_ms))
    if not len(time_ms):
        return flows
    for moment, amount in transfers:
        place = int(np.searchsorted(time_ms, moment, "right"))
        if 0 < place < len(flows):
            flows[place] += amount
    return flows
