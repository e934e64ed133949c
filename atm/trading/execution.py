"""At which price and in which size an order is filled in a minute (docs/execution.md). Numba kernels.

Nothing here decides: a fill may look at the minute in which it happens, a decision may not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.ledger.impact import book_impact
from atm.model.interval import MINUTE_MS
from atm.model.kernel import lean_kernel
from atm.trading.account_control import on_step
from atm.trading.layout import Position, Setup, Slippage

Floats = NDArray[np.float64]
Shorts = NDArray[np.float32]


@lean_kernel
def see_minute(
    p: Floats, s: Floats, i: int, t: int,
    opens: Floats, highs: Floats, lows: Floats, volumes: Shorts, books: Shorts,
) -> None:  # fmt: skip
    """Keep what the execution of position i needs of minute t. volumes: (minutes, n) or empty: no limit; books: (3, minutes, n)
    spread, bid depth and ask depth or empty: not recorded."""
    model = int(s[Setup.SLIPPAGE_MODEL])
    if model == Slippage.VOLATILITY:
        p[Position.RANGE] = (highs[t, i] - lows[t, i]) / opens[t, i]
    if not math.isinf(s[Setup.PARTICIPATION]):
        p[Position.VOLUME] = volumes[t, i] if volumes.shape[0] > 0 else math.inf
    if model == Slippage.BOOK:
        known = books.shape[1] > 0
        p[Position.SPREAD] = books[0, t, i] if known else math.nan
        p[Position.BID_DEPTH] = books[1, t, i] if known else math.nan
        p[Position.ASK_DEPTH] = books[2, t, i] if known else math.nan


@lean_kernel
def slippage(p: Floats, s: Floats, quantity: float, price: float) -> float:
    """Share of the price that a market order for `quantity` (signed, > 0 buys) pays in the minute that is seen.

    FIXED: half spread + slippage. VOLATILITY: and `range_share` of the minute's range. BOOK: what the recorded book takes
    (`book_impact`); where none was recorded it is FIXED (`Position.UNRECORDED` counts).
    """
    cost: float = s[Setup.SLIPPAGE]
    model = int(s[Setup.SLIPPAGE_MODEL])
    if model == Slippage.VOLATILITY:
        return float(cost + s[Setup.RANGE_SHARE] * p[Position.RANGE])
    if model == Slippage.BOOK:
        depth = p[Position.ASK_DEPTH] if quantity > 0.0 else p[Position.BID_DEPTH]
        impact = book_impact(abs(quantity) * price, p[Position.SPREAD], depth)
        return impact if impact == impact else cost
    return cost


@lean_kernel
def taker_price(p: Floats, s: Floats, quantity: float, price: float) -> float:
    """Fill price of a market order for `quantity` (signed, > 0 buys) that meets the market at `price`."""
    towards = 1.0 if quantity > 0.0 else -1.0
    return float(price * (1.0 + towards * slippage(p, s, quantity, price)))


@lean_kernel
def delayed_price(s: Floats, since: float, buys: bool, opening: float, high: float, low: float) -> float:
    """Price that an order meets which arrives `since` ms after the minute's open: the adverse extreme, for its share of the way."""
    if since <= 0.0:
        return opening
    worst = high if buys else low
    return opening + min(since / MINUTE_MS, 1.0) * (worst - opening)


@lean_kernel
def fillable(p: Floats, s: Floats, size: float) -> float:
    """What of `size` > 0 the minute's volume lets through; the rest waits."""
    if math.isinf(s[Setup.PARTICIPATION]):
        return size
    return min(size, on_step(s[Setup.PARTICIPATION] * p[Position.VOLUME], s[Setup.UNITS]))
