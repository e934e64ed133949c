"""Bars of any interval from one-minute bars, minute by minute and without look-ahead (spec: analysis §1.2, §7.2).

A bar is published by the minute that ends it. A missing minute (NaN) leaves the bar as it is; a bar without any present
minute is missing itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.contract import Floats
from atm.model.bars import N_COLUMNS, Column
from atm.model.interval import DAY_MS, MINUTE_MS, Interval
from atm.model.kernel import lean_kernel

OPEN, HIGH, LOW, CLOSE, VOLUME = (
    int(column) for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE, Column.VOLUME)
)
PARTIAL = N_COLUMNS + 2
"""Size of the state: the running bar's nine values, NaN while no minute of it is present, and of its recorded minutes the
sum of the imbalances and their number."""
FLOW_SUM, FLOW_COUNT = N_COLUMNS, N_COLUMNS + 1

_MONDAY_MS = 4 * DAY_MS
_MINUTE = MINUTE_MS


def open_times(interval: Interval, start_ms: int, end_ms: int) -> NDArray[np.int64]:
    """Open times of all bars that touch [start_ms, end_ms), and the open time after the last: ascending, at least two."""
    first = interval.open_time(start_ms)
    beyond = interval.next_open(interval.open_time(max(start_ms, end_ms - 1)))
    if interval is Interval.MONTH:
        months = np.arange(_month(first), _month(beyond) + 1).astype("datetime64[M]")
        times: NDArray[np.int64] = months.astype("datetime64[ms]").astype(np.int64)
        return times
    return np.arange(first, beyond + 1, interval.nominal_ms, dtype=np.int64)


def _month(time_ms: int) -> int:
    return int(np.datetime64(time_ms, "ms").astype("datetime64[M]").astype(np.int64))


def numbers(interval: Interval, opens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number on the clock of the bars that open at `opens`: consecutive bars have consecutive numbers."""
    if interval is Interval.MONTH:
        result: NDArray[np.int64] = opens.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
        return result
    offset = _MONDAY_MS if interval is Interval.W1 else 0
    return (opens - offset) // interval.nominal_ms


@lean_kernel
def fold(partial: Floats, minutes: Floats, i: int) -> None:
    """Extend the running bar by minute i. A missing minute changes nothing."""
    if minutes[CLOSE, i] != minutes[CLOSE, i]:
        return
    if partial[CLOSE] != partial[CLOSE]:
        for row in range(N_COLUMNS):
            partial[row] = minutes[row, i]
        return
    partial[HIGH] = max(partial[HIGH], minutes[HIGH, i])
    partial[LOW] = min(partial[LOW], minutes[LOW, i])
    partial[CLOSE] = minutes[CLOSE, i]
    for row in range(VOLUME, N_COLUMNS):
        partial[row] += minutes[row, i]


@lean_kernel
def aggregate(partial: Floats, first_ms: int, minutes: Floats, edges: NDArray[np.int64], out: Floats) -> int:
    """Fold dense minutes (9, n), the first of which opens at `first_ms`, into bars; returns how many they closed.

    edges: `open_times` of the range; out (≥ 9, ≥ closed): rows 0 … 8 receive the closed bars, which open at edges[0],
    edges[1] …; partial is the running bar before and after.
    """
    closed = 0
    for i in range(minutes.shape[1]):
        fold(partial, minutes, i)
        if first_ms + (i + 1) * _MINUTE == edges[closed + 1]:
            for row in range(N_COLUMNS):
                out[row, closed] = partial[row]
                partial[row] = np.nan
            closed += 1
    return closed


@lean_kernel
def fold_flow(partial: Floats, close: float, imbalance: float) -> None:
    """Extend the running bar's order flow by a minute. One without a bar, or not recorded (NaN), changes nothing."""
    if close == close and imbalance == imbalance:
        partial[FLOW_SUM] += imbalance
        partial[FLOW_COUNT] += 1.0


@lean_kernel
def mean_flow(partial: Floats) -> float:
    """Mean imbalance of the running bar's recorded minutes; NaN without one."""
    return partial[FLOW_SUM] / partial[FLOW_COUNT] if partial[FLOW_COUNT] > 0.0 else np.nan


@lean_kernel
def aggregate_flow(
    partial: Floats, first_ms: int, close: Floats, imbalances: Floats, edges: NDArray[np.int64], out: Floats
) -> None:
    """What `aggregate` does for bars, for order flow: closes and imbalances (n,) of the minutes; out (≥ closed,)."""
    closed = 0
    for i in range(len(imbalances)):
        fold_flow(partial, close[i], imbalances[i])
        if first_ms + (i + 1) * _MINUTE == edges[closed + 1]:
            out[closed] = mean_flow(partial)
            partial[FLOW_SUM], partial[FLOW_COUNT] = 0.0, 0.0
            closed += 1
