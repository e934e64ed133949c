"""Level of detail for charts: bars merged pairwise, again and again.

Level k holds blocks of 2**k consecutive bars: open of the first, highest high, lowest low, close of the last, sum of the
volumes. Any zoom draws at most a few thousand blocks, so millions of bars pan and zoom at the cost of a screen.
Missing bars (NaN) leave the block of those that exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bar, Bars, Column

ROWS = (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE, Column.VOLUME)
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@dataclass(frozen=True, slots=True)
class Level:
    """Blocks of one level. time int64 (n,): open time of each block's first bar; values float64 (5, n) by OPEN … VOLUME."""

    time: NDArray[np.int64]
    values: NDArray[np.float64]


def merge_pairs(level: Level) -> Level:
    """The next coarser level; an odd last block stays alone."""
    n = level.time.shape[0]
    first = level.values[:, 0::2]
    second = np.full_like(first, np.nan)
    second[:, : n // 2] = level.values[:, 1::2]
    merged = np.empty_like(first)
    merged[OPEN] = np.where(np.isnan(first[OPEN]), second[OPEN], first[OPEN])
    merged[HIGH] = np.fmax(first[HIGH], second[HIGH])
    merged[LOW] = np.fmin(first[LOW], second[LOW])
    merged[CLOSE] = np.where(np.isnan(second[CLOSE]), first[CLOSE], second[CLOSE])
    merged[VOLUME] = np.nan_to_num(first[VOLUME]) + np.nan_to_num(second[VOLUME])
    return Level(level.time[0::2], merged)


class Pyramid:
    """All levels of a growing series of bars. The last bar may be replaced (the running bar) or followed by a new one."""

    def __init__(self, bars: Bars) -> None:
        base = Level(bars.open_time.copy(), np.ascontiguousarray(bars.values[[int(row) for row in ROWS]]))
        self._count = len(bars)
        self._levels = [base]
        while self._levels[-1].time.shape[0] > 2:
            self._levels.append(merge_pairs(self._levels[-1]))

    def __len__(self) -> int:
        return self._count

    @property
    def base(self) -> Level:
        return self.level(0)

    def level(self, index: int) -> Level:
        """Blocks of level `index`, without the spare room kept for growth."""
        whole = self._levels[index]
        used = -(-self._count // (1 << index))
        return Level(whole.time[:used], whole.values[:, :used])

    def put(self, bar: Bar) -> None:
        """Replace the last bar when the open time is the same, append when it is later, ignore it when it is older."""
        last = int(self._levels[0].time[self._count - 1]) if self._count else -1
        if bar.open_time < last:
            return
        position = self._count - 1 if bar.open_time == last else self._count
        self._make_room(position + 1)
        self._count = position + 1
        self._levels[0].time[position] = bar.open_time
        self._levels[0].values[:, position] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._renew(position)

    def visible(self, start_ms: float, end_ms: float, most: int) -> Level:
        """The finest level with at most `most` blocks in [start_ms, end_ms], cut to that range plus one block each side."""
        index = 0
        start_ms, end_ms = (
            int(start_ms),
            int(end_ms),
        )  # for a broken number NumPy would make the whole column broken first
        while True:
            level = self.level(index)
            lo = max(0, int(np.searchsorted(level.time, start_ms, "right")) - 1)
            hi = min(level.time.shape[0], int(np.searchsorted(level.time, end_ms, "right")) + 1)
            if hi - lo <= most or index == len(self._levels) - 1:
                return Level(level.time[lo:hi], level.values[:, lo:hi])
            index += 1

    def _make_room(self, count: int) -> None:
        capacity = self._levels[0].time.shape[0]
        if count <= capacity:
            return
        capacity = max(1024, 2 * capacity)
        for index, level in enumerate(self._levels):
            size = -(-capacity // (1 << index))
            time = np.zeros(size, np.int64)
            values = np.full((len(ROWS), size), np.nan)
            time[: level.time.shape[0]] = level.time
            values[:, : level.time.shape[0]] = level.values
            self._levels[index] = Level(time, values)
        while self._levels[-1].time.shape[0] > 2:
            self._levels.append(merge_pairs(self._levels[-1]))

    def _renew(self, position: int) -> None:
        for index in range(1, len(self._levels)):
            position //= 2
            finer = self.level(index - 1)
            pair = Level(finer.time[2 * position : 2 * position + 2], finer.values[:, 2 * position : 2 * position + 2])
            block = merge_pairs(pair)
            self._levels[index].time[position] = block.time[0]
            self._levels[index].values[:, position] = block.values[:, 0]
