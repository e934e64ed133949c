"""Order flow of a minute as recorded from the order book: what a book says, and what a minute of books says.

    imbalance of a book = (Σ bids ω·q − Σ asks ω·q) / (Σ bids ω·q + Σ asks ω·q),  ω = ½ ^ (|price − mid| / (2.5 % · mid))
    spread              = (ask − bid) / mid
    depth of a side     = Σ price·q of its levels within 0.1 % of the mid; the best level always counts
    reach               = share of that 0.1 % that the levels seen cover, on the side where they cover less

q is the quantity of a level, mid the middle of the best prices. The imbalance lies in [−1, 1], is positive when more is bid
than asked, and has the scale of neither price nor market (spec: analysis §5.1, D24, L7). Of the current book only (D5).

The stream shows the best 20 levels. Where they end before 0.1 % the depth is what is seen and nothing more, a lower bound of
what there is, and the reach says so. The best level counts however far away it is: where one tick is more than 0.2 % of the
price, all liquidity stands there and the side would have no depth at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

FLOW_ROWS = 2
"""Rows of the flow of many minutes: imbalance, known."""
BOOK_ROWS = 4
"""Rows of the books of many minutes: spread, bid depth, ask depth, reach."""
HALF_DISTANCE = 0.025
"""Distance from the mid, as a fraction of it, at which a level counts half."""
DEPTH_DISTANCE = 0.001
"""Distance from the mid, as a fraction of it, within which a level counts as depth."""
LEAST_KNOWN = 0.5
"""A minute in which the book was known for less than this share of it is taken as not recorded."""

_DECAY = math.log(2.0) / HALF_DISTANCE
_MOST_DEPTH = 1e30
"""A book with more on one side says nothing. Sums over a minute then stay finite, in single precision too."""

Level = tuple[float, float]


class Flow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Order flow of one minute: means over the time of the minute in which a book was known.

    imbalance in [−1, 1]. known in (0, 1]: that time as a share of the minute. spread ≥ 0: fraction of the mid; bid_depth,
    ask_depth ≥ 0: quote asset; reach in [0, 1]. Those four have single precision, and are NaN in what was recorded before
    they were.
    """

    imbalance: float
    known: float
    spread: float = math.nan
    bid_depth: float = math.nan
    ask_depth: float = math.nan
    reach: float = math.nan


class BookMeasures(NamedTuple):
    """What one book says; see the module and `Flow` for units and ranges."""

    imbalance: float
    spread: float
    bid_depth: float
    ask_depth: float
    reach: float


def measured(bids: Sequence[Level], asks: Sequence[Level]) -> BookMeasures | None:
    """What a book's levels (price, quantity), best first, say. None of one that is crossed or has no two sides."""
    if not bids or not asks or not 0.0 < bids[0][0] < asks[0][0]:
        return None
    best_bid, best_ask = bids[0][0], asks[0][0]
    mid = 0.5 * (best_bid + best_ask)
    distance = DEPTH_DISTANCE * mid
    lowest, highest = min(best_bid, mid - distance), max(best_ask, mid + distance)
    exp, decay = math.exp, _DECAY / mid
    bid = ask = bid_depth = ask_depth = 0.0
    for price, quantity in bids:
        bid += exp(decay * price - _DECAY) * quantity
        if price >= lowest:
            bid_depth += price * quantity
    for price, quantity in asks:
        ask += exp(_DECAY - decay * price) * quantity
        if price <= highest:
            ask_depth += price * quantity
    whole = bid + ask
    if not (bid >= 0.0 and ask >= 0.0 and 0.0 < whole < math.inf):
        return None
    if not (0.0 <= bid_depth < _MOST_DEPTH and 0.0 <= ask_depth < _MOST_DEPTH):
        return None
    reach = min(mid - bids[-1][0], asks[-1][0] - mid) / distance
    return BookMeasures((bid - ask) / whole, (best_ask - best_bid) / mid, bid_depth, ask_depth, min(1.0, reach))


def recorded_imbalance(flow: NDArray[np.float64]) -> NDArray[np.float64]:
    """Imbalances (n,) of the minutes of a flow (2, n), NaN = not recorded, or for less than `LEAST_KNOWN` of the minute."""
    return np.where(flow[1] >= LEAST_KNOWN, flow[0], np.nan)


@dataclass(frozen=True, slots=True)
class RecordedBook:
    """Books of n consecutive minutes from start_ms on, each float32 (n,): 12 bytes a minute. Units as of `Flow`.

    NaN = not recorded, or known for less than `LEAST_KNOWN` of the minute.
    """

    start_ms: int
    spread: NDArray[np.float32]
    bid_depth: NDArray[np.float32]
    ask_depth: NDArray[np.float32]

    @staticmethod
    def unrecorded(start_ms: int, minutes: int) -> RecordedBook:
        """So many minutes of which nothing is known yet."""
        spread, bid_depth, ask_depth = np.full((3, minutes), np.nan, np.float32)
        return RecordedBook(start_ms, spread, bid_depth, ask_depth)
