"""The minutes that an account engine runs over, as it gets them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bar
from atm.model.flow import LEAST_KNOWN
from atm.trading.funding import NO_RATES

Floats = NDArray[np.float64]
Shorts = NDArray[np.float32]
Ints = NDArray[np.int64]

_NO_VOLUMES = np.zeros((0, 0), np.float32)
_NO_BOOKS = np.zeros((3, 0, 0), np.float32)
NO_MARKS: Floats = np.zeros((0, 0, 4))


class MinuteGrid(NamedTuple):
    """Dense minutes of all positions.

    Prices float64 (n, positions), NaN = missing; rows float64 (k, `AccountEngine.row_width`); row_at int64 (n, positions): row
    that closes with the minute, −1 = none; start_ms: first open time; volumes float32 (n, positions) in base assets, empty: no
    order is too large; books float32 (3, n, positions): spread, bid and ask depth (see `atm.model.flow`), NaN or empty: not
    recorded; rates float64 (k, 3): recorded funding rates, rows of (stamp Unix ms, position, rate) ascending by stamp, the
    constant of the costs where none is; marks float64 (n, positions, 4): open, high, low and close of the mark price, all NaN
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


def one_minute(
    symbols: tuple[str, ...],
    analyses: tuple[str, ...],
    row_width: int,
    minute_ms: int,
    bars: Mapping[str, Bar],
    rows: Mapping[str, Floats],
    rates: Mapping[str, float] | None = None,
) -> MinuteGrid:
    """The grid of a single minute; arguments as of `AccountEngine.minute`, symbols and analysis ids in the order of positions."""
    n = len(symbols)
    prices = np.full((4, 1, n), np.nan)
    marks = np.full((1, n, 4), np.nan)
    volumes = np.zeros((1, n), np.float32)
    books = np.full((3, 1, n), np.nan, np.float32)
    row_at = np.full((1, n), -1, np.int64)
    table = np.zeros((max(n, 1), row_width))
    settled = dict(rates or {})
    for i, (symbol, analysis) in enumerate(zip(symbols, analyses, strict=True)):
        bar = bars.get(symbol)
        if bar is not None:
            prices[:, 0, i] = (bar.open, bar.high, bar.low, bar.close)
            volumes[0, i] = bar.volume
            if bar.flow is not None and bar.flow.known >= LEAST_KNOWN:
                books[:, 0, i] = bar.flow.spread, bar.flow.bid_depth, bar.flow.ask_depth
            if bar.mark is not None:
                marks[0, i] = bar.mark.open, bar.mark.high, bar.mark.low, bar.mark.close
                if not math.isnan(bar.mark.funding_rate):
                    settled.setdefault(symbol, bar.mark.funding_rate)
        if analysis in rows:
            table[i, : len(rows[analysis])] = rows[analysis]
            row_at[0, i] = i
    known = [(minute_ms, i, settled[symbol]) for i, symbol in enumerate(symbols) if symbol in settled]
    recorded = np.array(known, np.float64) if known else NO_RATES
    opens, highs, lows, closes = prices
    return MinuteGrid(minute_ms, opens, highs, lows, closes, table, row_at, volumes, books, recorded, marks)
