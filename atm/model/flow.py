"""Order flow of a minute as recorded from the order book: what a book says, and what a minute of books says.

    imbalance of a book = (Σ bids ω·q − Σ asks ω·q) / (Σ bids ω·q + Σ asks ω·q),  ω = ½ ^ (|price − mid| / (2.5 % · mid))

q is the quantity of a level, mid the middle of the best prices. It lies in [−1, 1], is positive when more is bid than asked,
and has the scale of neither price nor market (spec: analysis §5.1, D24, L7). Of the current book only (D5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

FLOW_ROWS = 2
"""Rows of the flow of many minutes: imbalance, known."""
HALF_DISTANCE = 0.025
"""Distance from the mid, as a fraction of it, at which a level counts half."""
LEAST_KNOWN = 0.5
"""A minute in which the book was known for less than this share of it is taken as not recorded."""

_DECAY = math.log(2.0) / HALF_DISTANCE

Level = tuple[float, float]


class Flow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Order flow of one minute. imbalance in [−1, 1]: mean over the time of the minute in which a book was known.

    known in (0, 1]: that time as a share of the minute.
    """

    imbalance: float
    known: float


def imbalance(bids: Sequence[Level], asks: Sequence[Level]) -> float:
    """Imbalance in [−1, 1] of a book's levels (price, quantity), best first. NaN of one that is crossed or has no two sides."""
    if not bids or not asks or not 0.0 < bids[0][0] < asks[0][0]:
        return math.nan
    exp, decay = math.exp, _DECAY / (0.5 * (bids[0][0] + asks[0][0]))
    bid = ask = 0.0
    for price, quantity in bids:
        bid += exp(decay * price - _DECAY) * quantity
    for price, quantity in asks:
        ask += exp(_DECAY - decay * price) * quantity
    whole = bid + ask
    return (bid - ask) / whole if bid >= 0.0 and ask >= 0.0 and 0.0 < whole < math.inf else math.nan


def recorded_imbalance(flow: NDArray[np.float64]) -> NDArray[np.float64]:
    """Imbalances (n,) of the minutes of a flow (2, n), NaN = not recorded, or for less than `LEAST_KNOWN` of the minute."""
    return np.where(flow[1] >= LEAST_KNOWN, flow[0], np.nan)
