"""Positions in cross margin: one pool an asset, backed by its cross wallet (spec: trading §7.5). Numba kernels on the arrays
of `atm.trading.phases`.

The exchange tests the account, not a price: cross wallet + Σ unrealised profit ≤ Σ maintenance margin. Inside a minute the
prices of several positions have no order, so the test is read to the disadvantage of the account: each position is tested
with all others of its pool at the worst price that this minute had for them (WORST). Between such tests LIQUIDATION holds a
*safe level*: as long as no position reaches its own, the pool cannot be liquidated, and quiet minutes look at nothing else.
A pool of one position has its exact liquidation price there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.balance import cross_room
from atm.ledger.fill import initial_margin, unrealized_profit
from atm.ledger.liquidation import contribution
from atm.ledger.margin import liquidation_price
from atm.model.kernel import lean_kernel
from atm.trading.layout import Asset, Position, Setup

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AT_ONCE = 1e-12
"""A level that every price of a short position is beyond."""
_NEAR = 1e-4
"""How near a safe level is to the last one: a little too near costs nothing but a look at a minute."""
_FARTHEST = 2.0**20


@lean_kernel
def has_cross(S: Floats) -> bool:
    """Whether any position may be held in cross margin."""
    found = False
    for i in range(S.shape[0]):
        found |= bool(S[i, Setup.ISOLATED] < 0.5)
    return found


@lean_kernel
def in_pool(P: Floats, S: Floats, i: int, asset: int) -> bool:
    """Whether position i is open in the cross margin of this asset."""
    return bool(P[i, Position.QUANTITY] != 0.0 and S[i, Setup.ISOLATED] < 0.5 and int(S[i, Setup.ASSET]) == asset)


@lean_kernel
def cross_backing(P: Floats, S: Floats, i: int, price: float, closing: bool) -> float:
    """What the cross positions add to (> 0) or take from the cross wallet when position i wants to enter at `price`.

    Unrealised profit less initial margin, position i at `price`, the others at their last close; position i does not count
    when it is `closing` at the same moment. An isolated entry takes money out of the wallet, for which a profit that is not
    realised does not count.
    """
    asset = int(S[i, Setup.ASSET])
    profit, initial = 0.0, 0.0
    for j in range(P.shape[0]):
        if in_pool(P, S, j, asset) and not (closing and j == i):
            q, mark = P[j, Position.QUANTITY], price if j == i else P[j, Position.MARK]
            profit += unrealized_profit(q, P[j, Position.ENTRY], mark)
            initial += initial_margin(q, mark, S[j, Setup.LEVERAGE])
    if S[i, Setup.ISOLATED] > 0.5:
        profit = min(0.0, profit)
    return cross_room(profit, initial, 0.0)


@lean_kernel
def cross_level(P: Floats, A: Floats, S: Floats, B: Floats, first: Ints, i: int) -> float:
    """Price of cross position i at which its pool is liquidated with the others at their WORST; 0.0 if none or flat."""
    q, asset = P[i, Position.QUANTITY], int(S[i, Setup.ASSET])
    wallet: float = A[asset, Asset.CROSS]
    for j in range(P.shape[0]):
        if j != i and in_pool(P, S, j, asset):
            brackets = B[first[j] : first[j + 1]]
            wallet += contribution(brackets, P[j, Position.QUANTITY], P[j, Position.ENTRY], P[j, Position.WORST])
    level = liquidation_price(B[first[i] : first[i + 1]], q, P[i, Position.ENTRY], wallet)
    return float(max(level, _AT_ONCE)) if q < 0.0 else float(level)


@lean_kernel
def moved_price(P: Floats, i: int, move: float) -> float:
    """Price of position i after an adverse move by this fraction of its last close (of its entry price before the first)."""
    side = 1.0 if P[i, Position.QUANTITY] > 0.0 else -1.0
    mark = P[i, Position.MARK] if P[i, Position.MARK] > 0.0 else P[i, Position.ENTRY]
    return float(max(0.0, mark * (1.0 - side * move)))


@lean_kernel
def is_safe(P: Floats, A: Floats, S: Floats, B: Floats, first: Ints, asset: int, move: float) -> bool:
    """Whether the pool of an asset survives an adverse move of all its positions by the fraction `move`."""
    total = A[asset, Asset.CROSS]
    for i in range(P.shape[0]):
        if in_pool(P, S, i, asset):
            brackets = B[first[i] : first[i + 1]]
            total += contribution(brackets, P[i, Position.QUANTITY], P[i, Position.ENTRY], moved_price(P, i, move))
    return bool(total > 0.0)


@lean_kernel
def safe_move(P: Floats, A: Floats, S: Floats, B: Floats, first: Ints, asset: int) -> float:
    """A move that the pool survives and hardly any larger one; −1 if it survives none, infinite if it survives all."""
    low, high, move = -1.0, math.inf, 0.0
    while high - low > _NEAR:
        if is_safe(P, A, S, B, first, asset, move):
            low = move
        else:
            high = move
        if low > _FARTHEST:
            return math.inf
        move = 0.5 * (low + high) if high < math.inf else max(1.0, 2.0 * low)
    return low


@lean_kernel
def refresh_pools(P: Floats, A: Floats, S: Floats, B: Floats, first: Ints) -> None:
    """LIQUIDATION of every cross position: in a pool of one its liquidation price, in a larger one the price after the move
    that all positions of the pool survive together."""
    for asset in range(A.shape[0]):
        members = 0
        for i in range(P.shape[0]):
            if in_pool(P, S, i, asset):
                members += 1
        move = safe_move(P, A, S, B, first, asset) if members > 1 else 0.0
        for i in range(P.shape[0]):
            if in_pool(P, S, i, asset):
                if members == 1:
                    P[i, Position.LIQUIDATION] = cross_level(P, A, S, B, first, i)
                elif move == math.inf:
                    P[i, Position.LIQUIDATION] = 0.0
                else:
                    least = 0.0 if P[i, Position.QUANTITY] > 0.0 else _AT_ONCE
                    P[i, Position.LIQUIDATION] = max(moved_price(P, i, move), least)
