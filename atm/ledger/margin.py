"""Margin arithmetic of a position in one-way mode (Binance USDⓈ-M rules; numba kernels).

q: signed quantity in base asset; prices in quote per base; brackets: float64 (n, 5) rows of (notional floor, notional
cap, maintenance margin rate, cumulative amount, maximum leverage), ascending. Sources: Binance support pages "Leverage
and margin of USDⓈ-M futures" (maintenance margin) and "How to calculate liquidation price of USDⓈ-M futures contracts".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atm.model.instrument import LeverageBracket
from atm.model.kernel import lean_kernel

FLOOR, CAP, RATE, CUM, MAX_LEVERAGE = range(5)
_ROUNDS = 32

Floats = NDArray[np.float64]


def bracket_table(brackets: tuple[LeverageBracket, ...]) -> Floats:
    """Brackets as kernels want them; without any, one of 0.5 % without limit (trading spec §7.3)."""
    rows = [
        (b.notional_floor, b.notional_cap, b.maintenance_margin_rate, b.cumulative, float(b.max_leverage))
        for b in brackets
    ]
    return np.array(rows or [(0.0, np.inf, 0.005, 0.0, 125.0)], np.float64)


@lean_kernel
def bracket_of(brackets: Floats, notional: float) -> int:
    """Row with floor < notional <= cap; the last row above the table."""
    for row in range(brackets.shape[0]):
        if notional <= brackets[row, CAP]:
            return row
    return int(brackets.shape[0]) - 1


@lean_kernel
def maintenance_margin(brackets: Floats, notional: float) -> float:
    """notional · rate − cum of its bracket (notional >= 0), never below 0."""
    row = bracket_of(brackets, notional)
    return max(0.0, float(notional * brackets[row, RATE] - brackets[row, CUM]))


@lean_kernel
def max_notional(brackets: Floats, leverage: float) -> float:
    """Largest position notional that `leverage` allows: the largest cap of the brackets that permit it, else 0."""
    most = 0.0
    for row in range(brackets.shape[0]):
        if brackets[row, MAX_LEVERAGE] >= leverage:
            most = max(most, float(brackets[row, CAP]))
    return most


@lean_kernel
def liquidation_price(brackets: Floats, q: float, entry: float, wallet: float) -> float:
    """Mark price at which wallet + unrealised profit = maintenance margin; 0.0 when there is none.

    LP = (wallet + cum − side·|q|·entry) / (|q|·rate − side·|q|), with the bracket of |q|·LP (iterated to a fixed point).
    `wallet`: the isolated wallet of the position; in cross margin cross wallet + Σ (unrealised profit − maintenance margin) of
    the other cross positions of the asset.
    """
    if q == 0.0:
        return 0.0
    side = 1.0 if q > 0.0 else -1.0
    size = abs(q)
    row = bracket_of(brackets, size * entry)
    price = 0.0
    for _ in range(_ROUNDS):
        price = (wallet + brackets[row, CUM] - side * size * entry) / (size * brackets[row, RATE] - side * size)
        found = bracket_of(brackets, size * max(price, 0.0))
        if found == row:
            break
        row = found
    return max(price, 0.0)
