"""The mark price of the minute that is being worked, beside its trade price (docs/ledger.md, "Mark price"). Numba kernels.

Margin and liquidation look at the mark price, orders and stops at the trade price. How the two move inside a minute is not known; what
happens first is read off one clock: at every moment both have gone the same share of their ways from the open to the adverse
extreme. A minute without a recorded mark price has that of its trades.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.layout import Position

Floats = NDArray[np.float64]

OPEN, HIGH, LOW, CLOSE = range(4)
"""Rows of the mark prices of a grid."""


@lean_kernel
def mark_or(marks: Floats, row: int, prices: Floats, t: int, i: int) -> float:
    """Mark price of position i in minute t, else its trade price. marks: (minutes, n, 4), NaN or empty: not recorded."""
    if marks.shape[0] == 0 or math.isnan(marks[t, i, row]):
        return float(prices[t, i])
    return float(marks[t, i, row])


@lean_kernel
def see_mark(p: Floats, i: int, t: int, opens: Floats, highs: Floats, lows: Floats, marks: Floats) -> None:
    """Keep the ways of both prices through minute t; MARK_OPEN = 0: the trade price is the mark price."""
    p[Position.MARK_OPEN] = 0.0
    if marks.shape[0] == 0 or math.isnan(marks[t, i, OPEN]):
        return
    p[Position.PATH_OPEN], p[Position.PATH_HIGH], p[Position.PATH_LOW] = opens[t, i], highs[t, i], lows[t, i]
    p[Position.MARK_OPEN] = marks[t, i, OPEN]
    p[Position.MARK_HIGH] = marks[t, i, HIGH]
    p[Position.MARK_LOW] = marks[t, i, LOW]


@lean_kernel
def mark_on_path(p: Floats, side: float, price: float) -> float:
    """Mark price when the trade price of a position of this side has come to `price` on its adverse way."""
    opening, end, mark = p[Position.PATH_OPEN], p[Position.PATH_LOW], p[Position.MARK_LOW]
    if side < 0.0:
        end, mark = p[Position.PATH_HIGH], p[Position.MARK_HIGH]
    share = (opening - price) / (opening - end) if opening != end else 0.0
    return float(p[Position.MARK_OPEN] + min(max(share, 0.0), 1.0) * (mark - p[Position.MARK_OPEN]))


@lean_kernel
def liquidation_on_path(p: Floats) -> float:
    """Trade price at which the mark price of this minute comes to LIQUIDATION; 0 if it does not, or nothing is held."""
    level = p[Position.LIQUIDATION]
    if level <= 0.0 or p[Position.MARK_OPEN] == 0.0:
        return float(level)
    side = 1.0 if p[Position.QUANTITY] > 0.0 else -1.0
    start, worst, end = p[Position.MARK_OPEN], p[Position.MARK_LOW], p[Position.PATH_LOW]
    if side < 0.0:
        worst, end = p[Position.MARK_HIGH], p[Position.PATH_HIGH]
    opening = p[Position.PATH_OPEN]
    if side * (start - level) <= 0.0:
        return float(opening)
    if side * (worst - level) > 0.0:
        return 0.0
    price = opening + (start - level) / (start - worst) * (end - opening)
    return float(side * max(side * price, side * end))  # not beyond the end by a rounding


@lean_kernel
def takeover_price(p: Floats, price: float) -> float:
    """Price of a liquidation that happens when the trade price has come to `price`: the mark price at that moment."""
    if p[Position.MARK_OPEN] == 0.0:
        return price
    side = 1.0 if p[Position.QUANTITY] > 0.0 else -1.0
    level = p[Position.LIQUIDATION]
    if side * (p[Position.MARK_OPEN] - level) > 0.0 and price == liquidation_on_path(p):
        return float(level)
    return mark_on_path(p, side, price)
