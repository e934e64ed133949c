"""The minutes that an account engine runs over, as it gets them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atm.trading.funding import NO_RATES

Floats = NDArray[np.float64]
Shorts = NDArray[np.float32]
Ints = NDArray[np.int64]

_NO_VOLUMES = np.zeros((0, 0), np.float32)
_NO_BOOKS = np.zeros((3, 0, 0), np.float32)
NO_MARKS: Floats = np.zeros((4, 0, 0))


class MinuteGrid(NamedTuple):
    """Dense minutes of all positions.

    Prices float64 (n, positions), NaN = missing; rows float64 (k, `AccountEngine.row_width`); row_at int64 (n, positions): row
    that closes with the minute, −1 = none; start_ms: first open time; volumes float32 (n, positions) in base assets, empty: no
    order is too large; books float32 (3, n, positions): spread, bid and ask depth (see `atm.model.flow`), NaN or empty: not
    recorded; rates float64 (k, 3): recorded funding rates, rows of (stamp Unix ms, position, rate) ascending by stamp, the
    constant of the costs where none is; marks float64 (4, n, positions): open, high, low and close of the mark price, all NaN
    where it is not recorded or the bar is missing, empty: nowhere recorded.
    """

    start_ms: int
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    rows: Floats
    row_at: Ints
    volumes: Shorts = _NO_VOLUMES
    books: Shorts = _NO_BOOKS
    rates: Floats = NO_RATES
    marks: Floats = NO_MARKS
