"""What a market order pays beyond the mid, from the recorded book (numba kernel; see `atm.model.flow` for the record).

Assumption: beyond the best price the book has uniform density. A depth D within the distance δ = `DEPTH_DISTANCE` means D/δ
of notional per unit of distance (a fraction of the price), so an order of notional N walks N·δ/D deep and pays half of that
on average: a linear (temporary, immediate) impact.

    impact = spread/2 + ½ · N · δ/D, at most `MOST_IMPACT`

Behind the recorded distance the same density goes on, so the cost grows linearly with N. It is rather too dear than too
cheap: D is a lower bound where the 20 levels of the stream end before δ, and it lies between half the spread and δ but is
spread over all of δ. Too cheap it can be where one tick exceeds 2δ and the order the best level, which is all that counts
there. Left out: liquidity that flees from an order or comes back for it; and means of a minute are not the book of a moment.
"""

from __future__ import annotations

import math

from atm.model.flow import DEPTH_DISTANCE
from atm.model.kernel import lean_kernel

MOST_IMPACT = 0.05
"""Fraction of the price. An exchange lets a market order trade at most so far from the mark price (`marketTakeBound` of the
instrument, 5 % for BTCUSDT; what is left of the order expires there)."""


@lean_kernel
def book_impact(notional: float, spread: float, depth: float) -> float:
    """Mean price paid beyond the mid by a market order, as a fraction of the mid in [0, `MOST_IMPACT`].

    notional ≥ 0 and depth ≥ 0 in quote asset, depth of the side that is taken (asks for a buy); spread ≥ 0 as a fraction of
    the mid. NaN where spread or depth is: nothing was recorded. No depth at all costs the most.
    """
    if spread != spread or depth != depth:
        return math.nan
    if notional <= 0.0:
        return min(0.5 * spread, MOST_IMPACT)
    if depth <= 0.0:
        return MOST_IMPACT
    return min(0.5 * (spread + notional * DEPTH_DISTANCE / depth), MOST_IMPACT)
