"""Liquidation: what it costs, and how much of which position is taken over (numba kernels).

Rules: Binance support pages "How Liquidation Works in Futures Trading" and "Liquidation Protocols": tested on the mark price;
big positions are reduced bracket by bracket until the requirement holds, small ones closed; the liquidated volume is charged
the symbol's clearance fee, at most what is left; what a bankrupt position lacks the insurance fund pays.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import CAP, bracket_of, maintenance_margin
from atm.model.kernel import lean_kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@lean_kernel
def liquidation_remainder(isolated_wallet: float, profit: float, clearance_fee: float) -> tuple[float, float]:
    """(clearance fee paid, loss booked) when an isolated position is taken over with `profit` (< 0) at the takeover price.

    The fee is at most what is left; the rest of the margin goes to the insurance fund, so the whole isolated wallet is
    lost and never more than it.
    """
    left = max(0.0, isolated_wallet + profit)
    return min(left, clearance_fee), isolated_wallet


@lean_kernel
def cross_remainder(
    cross_wallet: float, others_profit: float, profit: float, clearance_fee: float
) -> tuple[float, float]:
    """(clearance fee paid, what the insurance fund pays) when cross margin loses `profit` by a takeover.

    `others_profit`: unrealised profit of the cross positions that stay open, which backs the wallet. The fee is at most
    what is left; a deficit is covered, so what is left never is negative.
    """
    left = cross_wallet + others_profit + profit
    return min(max(0.0, left), clearance_fee), max(0.0, -left)


@lean_kernel
def contribution(brackets: Floats, q: float, entry: float, price: float) -> float:
    """What a cross position adds to the distance from liquidation at this price: unrealised profit − maintenance margin."""
    if q == 0.0:
        return 0.0
    return q * (price - entry) - maintenance_margin(brackets, abs(q) * price)


@lean_kernel
def next_reduction(brackets: Floats, size: float, price: float, units: float) -> float:
    """How much (> 0) of a position of `size` > 0 one step of its liquidation takes.

    Down to the cap of the bracket below, in whole steps (`units` per one of base asset); all of it in the lowest one.
    """
    row = bracket_of(brackets, size * price)
    if row == 0:
        return size
    kept = math.floor(brackets[row - 1, CAP] / price * units) / units
    return size - kept if 0.0 < kept < size else size


class PoolLayout(NamedTuple):
    """Columns of a position in `cross_reductions`: signed quantity (0 = not in the pool), entry price, price of the takeover, price
    of the test after it, clearance fee as a fraction, units as in `next_reduction`, and what is taken (the result)."""

    QUANTITY: int = 0
    ENTRY: int = 1
    FILL: int = 2
    TEST: int = 3
    FEE: int = 4
    UNITS: int = 5
    TAKEN: int = 6


Pool = PoolLayout()


@lean_kernel
def cross_reductions(wallet: float, pool: Floats, brackets: Floats, first: Ints) -> None:
    """How much (>= 0) of each cross position of one asset is taken over until wallet + profit exceeds the maintenance margin.

    pool (n, Pool), TAKEN 0 at first and written; brackets[first[i] : first[i + 1]] belong to position i. The position with the
    largest maintenance margin goes first, bracket by bracket. The caller has found the requirement broken, so that at least one
    step is taken.
    """
    begun = False
    while True:
        balance, required, worst, most = wallet, 0.0, -1, -1.0
        for i in range(pool.shape[0]):
            p = pool[i]
            side = 1.0 if p[Pool.QUANTITY] > 0.0 else -1.0
            size = abs(p[Pool.QUANTITY]) - p[Pool.TAKEN]
            balance += p[Pool.TAKEN] * ((p[Pool.FILL] - p[Pool.ENTRY]) * side - p[Pool.FILL] * p[Pool.FEE])
            balance += size * (p[Pool.TEST] - p[Pool.ENTRY]) * side
            margin = maintenance_margin(brackets[first[i] : first[i + 1]], size * p[Pool.TEST])
            required += margin
            if size > 0.0 and margin > most:
                worst, most = i, margin
        if worst < 0 or (begun and balance > required):
            return
        begun = True
        p = pool[worst]
        size = abs(p[Pool.QUANTITY]) - p[Pool.TAKEN]
        step = next_reduction(brackets[first[worst] : first[worst + 1]], size, p[Pool.TEST], p[Pool.UNITS])
        p[Pool.TAKEN] = abs(p[Pool.QUANTITY]) if step >= size else p[Pool.TAKEN] + step
