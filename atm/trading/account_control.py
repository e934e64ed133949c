"""Account control: how much balance a position may use, and how large an order becomes (spec: trading §5.5, §6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.account import ALLOCATABLE_SHARE
from atm.model.kernel import lean_kernel
from atm.trading.cross_margin import cross_backing
from atm.trading.layout import Asset, Meta, Position, Setup

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ALMOST = 1e-9


@lean_kernel
def wallet_balance(positions: Floats, asset_state: Floats, setups: Floats, asset: int) -> float:
    """Cross wallet + isolated wallets of the asset."""
    total: float = asset_state[asset, Asset.CROSS]
    for i in range(positions.shape[0]):
        if int(setups[i, Setup.ASSET]) == asset:
            total += positions[i, Position.ISOLATED]
    return total


@lean_kernel
def granted(p: Floats) -> float:
    """Balance that a position has, or will have when its pending order is filled."""
    opens = p[Position.PENDING_OPEN] != 0.0 and p[Position.QUANTITY] * p[Position.PENDING_OPEN] <= 0.0
    return float(p[Position.PENDING_ALLOCATED] if opens else p[Position.ALLOCATED])


@lean_kernel
def allocation(
    positions: Floats, asset_state: Floats, setups: Floats, ratios: Floats, index: int, wallet_change: float
) -> float:
    """Balance for position `index`, asked for when it wants to enter: min(A − Σ others, A·assumed ratio, cap), >= 0.

    A = wallet · 0.95 · allocation ratio. wallet_change: what a close decided at the same moment will add. Who has an order that
    waits, of the same close or an earlier one, has been granted what it will need.
    """
    asset = int(setups[index, Setup.ASSET])
    wallet = wallet_balance(positions, asset_state, setups, asset) + wallet_change
    whole = max(0.0, wallet * ALLOCATABLE_SHARE * ratios[asset])
    others = 0.0
    for i in range(positions.shape[0]):
        if i != index and int(setups[i, Setup.ASSET]) == asset:
            others += granted(positions[i])
    return max(
        0.0, float(min(whole - others, whole * setups[index, Setup.ASSUMED], setups[index, Setup.MAX_ALLOCATED]))
    )


@lean_kernel
def on_step(quantity: float, units: float) -> float:
    """`quantity` >= 0 cut to whole steps; units = steps per base unit. The result is the double nearest to the decimal."""
    return math.floor(quantity * units + _ALMOST) / units


@lean_kernel
def exact(quantity: float, units: float) -> float:
    """A signed sum of whole steps, freed of the binary rest."""
    return round(quantity * units) / units


@lean_kernel
def entry_cost(s: Floats) -> float:
    """Margin and commission of an entry as a fraction of its notional."""
    return float(1.0 / s[Setup.LEVERAGE] + s[Setup.TAKER_FEE])


@lean_kernel
def increase_quantity(
    s: Floats, allocated: float, exposure: float, committed: float, held: float, price: float, available: float
) -> float:
    """Base quantity (>= 0) to add so that the commitment reaches allocated·|exposure|; 0 when a filter forbids it.

    Bounded by the bracket's notional at this leverage, by what is available for margin, fee and slippage, and by the
    largest market order; refused below the minimum quantity and the minimum notional.
    """
    leverage = s[Setup.LEVERAGE]
    wanted = (allocated * abs(exposure) - committed) * leverage / price
    room = s[Setup.MAX_NOTIONAL] / price - held
    affordable = available / (price * (1.0 + s[Setup.SLIPPAGE]) * entry_cost(s))
    quantity = on_step(max(0.0, min(wanted, room, affordable, s[Setup.MAX_QUANTITY])), s[Setup.UNITS])
    if quantity < s[Setup.MIN_QUANTITY] or quantity * price < s[Setup.MIN_NOTIONAL]:
        return 0.0
    return quantity


@lean_kernel
def decrease_quantity(
    s: Floats, allocated: float, exposure: float, committed: float, held: float, entry: float
) -> float:
    """Base quantity (>= 0) to give up; all of it when the exposure is 0 or less than a minimum lot would remain."""
    if exposure == 0.0:
        return held
    surplus = (committed - allocated * abs(exposure)) * s[Setup.LEVERAGE] / entry
    quantity = min(held, on_step(max(0.0, surplus), s[Setup.UNITS]))
    return held if held - quantity < s[Setup.MIN_QUANTITY] else quantity


@lean_kernel
def decrease_quantity_up(
    s: Floats, allocated: float, exposure: float, committed: float, held: float, entry: float
) -> float:
    """Like `decrease_quantity`, but the step is rounded up, so that no more than the target stays (trading §4.3)."""
    if exposure == 0.0:
        return held
    surplus = max(0.0, (committed - allocated * abs(exposure)) * s[Setup.LEVERAGE] / entry)
    quantity = min(held, math.ceil(surplus * s[Setup.UNITS] - _ALMOST) / s[Setup.UNITS])
    return held if held - quantity < s[Setup.MIN_QUANTITY] else quantity


@lean_kernel
def reservation(p: Floats, s: Floats) -> float:
    """Balance that a pending opening order will need."""
    if p[Position.PENDING_OPEN] == 0.0:
        return 0.0
    return float(abs(p[Position.PENDING_OPEN]) * p[Position.MARK] * entry_cost(s))


@lean_kernel
def reserved(P: Floats, S: Floats, asset: int) -> float:
    """Balance that the opening orders of an asset which still wait will need."""
    total = 0.0
    for i in range(P.shape[0]):
        if int(S[i, Setup.ASSET]) == asset:
            total += reservation(P[i], S[i])
    return total


@lean_kernel
def affordable(P: Floats, A: Floats, S: Floats, i: int, size: float, price: float) -> float:
    """What of `size` > 0 position i can pay for at the price of the fill, which may be worse than that of the decision."""
    s = S[i]
    available = A[int(s[Setup.ASSET]), Asset.CROSS] + cross_backing(P, S, i, price, False)
    cost = price * entry_cost(s)
    if size * cost <= available:
        return size
    quantity = on_step(max(0.0, available / cost), s[Setup.UNITS])
    return 0.0 if quantity < s[Setup.MIN_QUANTITY] or quantity * price < s[Setup.MIN_NOTIONAL] else quantity


@lean_kernel
def plan_entry(
    P: Floats,
    A: Floats,
    S: Floats,
    R: Floats,
    meta: Ints,
    i: int,
    target: float,
    price: float,
    released: float,
    flip: bool,
) -> None:
    """A pending opening order towards `target`; `flip`: the held position will be closed before, freeing `released`."""
    if meta[Meta.TRADING] == 0:
        return
    p, s = P[i], S[i]
    asset = int(s[Setup.ASSET])
    held = 0.0 if flip else abs(p[Position.QUANTITY])
    committed = 0.0 if flip else held * p[Position.ENTRY] / s[Setup.LEVERAGE]
    allocated = 0.0 if flip else p[Position.ALLOCATED]
    freed = (p[Position.ISOLATED] + released) if flip else 0.0
    if allocated == 0.0:
        allocated = allocation(P, A, S, R, i, released)
    if held > 0.0 and allocated * abs(target) - committed < s[Setup.BAND] * allocated:
        return
    available = A[asset, Asset.CROSS] + freed - A[asset, Asset.RESERVED] + cross_backing(P, S, i, price, flip)
    size = increase_quantity(s, allocated, target, committed, held, price, available)
    if size <= 0.0:
        return
    side = 1.0 if target > 0.0 else -1.0
    p[Position.PENDING_OPEN] = side * size
    p[Position.PENDING_ALLOCATED] = allocated
    A[asset, Asset.RESERVED] += size * price * entry_cost(s)
