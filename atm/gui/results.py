"""What the window reads from the stores, read-only and on the reader thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeRecord
from atm.model.bars import Bars, TimeRange
from atm.model.interval import DAY_MS
from atm.model.simulation import SimulationSpec


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A stored simulation. equity_time int64 ms (n,), equity float64 (n,) in the quote asset, ascending by time."""

    spec: SimulationSpec
    equity_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    trades: tuple[TradeRecord, ...]


class Results(Protocol):
    """Every method may block on a disk; an ATMError or OSError says why there is nothing."""

    def simulation(self, code: str) -> SimulationResult: ...

    def account_trades(self, name: str) -> tuple[TradeRecord, ...]: ...

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        """The newest stored minutes, at most so many, from the last stretch without a long hole."""


LONG_HOLE_MS = 30 * DAY_MS


def newest_stretch(ranges: tuple[TimeRange, ...], most_ms: int) -> TimeRange | None:
    """The newest `most_ms` of the ranges, begun anew after a hole of `LONG_HOLE_MS`; None when nothing is stored."""
    if not ranges:
        return None
    end = ranges[-1].end_ms
    start = ranges[-1].start_ms
    for earlier in reversed(ranges[:-1]):
        if start - earlier.end_ms >= LONG_HOLE_MS:
            break
        start = earlier.start_ms
    return TimeRange(max(start, end - most_ms), end)
