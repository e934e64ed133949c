"""Mark price and settled funding rate of minutes.

The mark price is what the exchange computes margin and liquidation with (spec: exchange §3.8). A minute has its first, highest, lowest
and last value. A funding rate is settled at a stamp: a full minute, for the exchange's own times carry a few milliseconds of
jitter; it is charged on what is held when the minute of the stamp opens. Nothing is made up: what was not recorded is NaN or absent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS

MARK_ROWS = 5
"""Rows of the marks of many minutes: open, high, low, close, funding rate."""
MARK_PRICES = 4
"""The first of them are prices."""


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Mark price of one minute, and the rate settled at the stamp that opens it.

    Prices in quote per base, all four NaN where only the rate is known. funding_rate: a fraction of the notional, positive = longs pay;
    NaN = no stamp, or not recorded.
    """

    open: float
    high: float
    low: float
    close: float
    funding_rate: float = math.nan


class Assumptions(msgspec.Struct, frozen=True):
    """What stood in for what was not recorded while something was held.

    held_minutes: minutes of open positions, of each by itself; unmarked_minutes: those of them whose trade price stood for the mark price;
    stamps: funding stamps charged; constant_stamps: those of them at the constant rate.
    """

    held_minutes: int = 0
    unmarked_minutes: int = 0
    stamps: int = 0
    constant_stamps: int = 0

    @property
    def unmarked_share(self) -> float | None:
        """Of the minutes held; None when nothing was."""
        return self.unmarked_minutes / self.held_minutes if self.held_minutes else None

    @property
    def constant_share(self) -> float | None:
        """Of the stamps charged; None when none was."""
        return self.constant_stamps / self.stamps if self.stamps else None


@dataclass(frozen=True, slots=True)
class RecordedMarks:
    """What is stored of a stretch, ascending; what is not recorded is absent.

    open_time int64 (n,), values float64 (4, n): open, high, low, close of the mark price of minutes, never NaN.
    rate_time int64 (k,), rate float64 (k,): settled funding rates by their stamps. Times in Unix ms UTC, full minutes.
    """

    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    rate_time: NDArray[np.int64]
    rate: NDArray[np.float64]

    def dense(self, start_ms: int, end_ms: int) -> NDArray[np.float64]:
        """Mark prices (4, m) of every minute with start_ms <= open time < end_ms, NaN = not recorded."""
        grid = np.full((MARK_PRICES, _minutes(start_ms, end_ms)), np.nan)
        inside = slice(*np.searchsorted(self.open_time, (start_ms, end_ms)))
        grid[:, (self.open_time[inside] - start_ms) // MINUTE_MS] = self.values[:, inside]
        return grid

    def dense_rates(self, start_ms: int, end_ms: int) -> NDArray[np.float64]:
        """Rates (m,) settled at the opening of every minute of that stretch, NaN = no stamp, or not recorded."""
        grid = np.full(_minutes(start_ms, end_ms), np.nan)
        inside = slice(*np.searchsorted(self.rate_time, (start_ms, end_ms)))
        grid[(self.rate_time[inside] - start_ms) // MINUTE_MS] = self.rate[inside]
        return grid

    @staticmethod
    def unrecorded() -> RecordedMarks:
        """Nothing at all."""
        none = np.empty(0, np.int64)
        return RecordedMarks(none, np.empty((MARK_PRICES, 0)), none, np.empty(0))


class MarksStored(NamedTuple):
    """with_mark: minutes that have both bar and mark price, of the minutes whose bars are stored; rates: settled funding rates."""

    with_mark: int
    minutes: int
    rates: int


def _minutes(start_ms: int, end_ms: int) -> int:
    if start_ms % MINUTE_MS:
        raise Invalid("start_ms", start_ms, f"a multiple of {MINUTE_MS} ms")
    return len(range(start_ms, end_ms, MINUTE_MS))
