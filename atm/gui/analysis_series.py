"""Rows of an analysis for a chart: a growing table with levels of detail.

Level 0 are the rows. A block of a coarser level holds the lowest and the highest value of four blocks of the finer one, laid
out one behind the other, so that any zoom draws at most some thousand points whose extremes are those of the rows, and
slices of it are drawn without a copy. Blocks without any value are NaN: a gap stays a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.gui.results import AnalysedStretch

Floats = NDArray[np.float64]

FACTOR = 4
_SPARE = 256


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is in sight, at one level. first, last: rows of the table; places: of the level's points (two a block above
    level 0); seconds float64: their times."""

    level: int
    first: int
    last: int
    places: slice
    seconds: Floats


@dataclass(slots=True)
class _Coarse:
    """seconds (2 · blocks,) and values (rows, 2 · blocks): lowest, highest, lowest …"""

    seconds: Floats
    values: Floats


class AnalysisSeries:
    """See the module. Made on the reader thread, then used by the page alone. columns: in the order of the rows.

    bar_ms: length of a bar on the axis; a row's place there is the middle of its bar.
    """

    def __init__(self, rows: AnalysedStretch, bar_ms: int = 0) -> None:
        self.columns = rows.columns
        self.next_ms = rows.next_ms
        self.profile = rows.profile
        self._places = {name.partition(".")[2]: index for index, name in enumerate(rows.columns)}
        self._count = len(rows.open_time)
        room = self._count + max(_SPARE, self._count // 8)
        self._time = np.zeros(room, np.int64)
        self._seconds = np.zeros(room)
        self._values = np.full((len(rows.columns), room), np.nan)
        self._half_ms = bar_ms / 2
        self._changes: dict[int, NDArray[np.int64]] = {}
        self._coarse: list[_Coarse] = []
        self._make_levels()
        self._write(0, rows)

    def __len__(self) -> int:
        return self._count

    @property
    def time(self) -> NDArray[np.int64]:
        """Open times in ms (n,), as a view."""
        return self._time[: self._count]

    @property
    def seconds(self) -> Floats:
        """Places on the axis in seconds (n,), as a view."""
        return self._seconds[: self._count]

    def place(self, name: str) -> int | None:
        """The row of a column `NAME.line.field`; None when it was not asked for."""
        return self._places.get(name)

    def column(self, place: int) -> Floats:
        """A whole column (n,), as a view."""
        view: Floats = self._values[place, : self._count]
        return view

    def take_in(self, rows: AnalysedStretch) -> int:
        """Rows replace those from their first open time on; returns the place of the first one that was replaced."""
        if not len(rows.open_time):
            return self._count
        first = int(np.searchsorted(self.time, rows.open_time[0]))
        self._make_room(first + len(rows.open_time))
        self._count = first + len(rows.open_time)
        self._write(first, rows)
        self.next_ms = rows.next_ms
        self.profile = rows.profile if rows.profile is not None else self.profile
        return first

    def in_sight(self, start_ms: float, end_ms: float, most: int) -> Stretch:
        """The finest level with at most `most` blocks in the range, and one block on each side."""
        # whole numbers: for a broken one NumPy would make the whole column broken first
        lo = max(0, int(np.searchsorted(self.time, int(start_ms), "right")) - 1)
        hi = min(self._count, int(np.searchsorted(self.time, int(end_ms), "right")) + 1)
        level, size = 0, 1
        while (hi - lo) > most * size and level < len(self._coarse):
            level, size = level + 1, size * FACTOR
        if level == 0:
            return Stretch(0, lo, hi, slice(lo, hi), self._seconds[lo:hi])
        places = slice(2 * (lo // size), 2 * -(-hi // size))
        return Stretch(level, lo, hi, places, self._coarse[level - 1].seconds[places])

    def values(self, place: int, stretch: Stretch) -> Floats:
        """A column's points in a stretch, as a view."""
        whole = self._values if stretch.level == 0 else self._coarse[stretch.level - 1].values
        view: Floats = whole[place, stretch.places]
        return view

    def value_at(self, place: int, index: int) -> float:
        """The value of a row; NaN without rows."""
        return float(self._values[place, index]) if self._count else float("nan")

    def index_at(self, time_ms: float) -> int:
        """The row whose bar contains a time; the first or the last one outside."""
        return max(0, min(self._count - 1, int(np.searchsorted(self.time, int(time_ms), "right")) - 1))

    def changes(self, place: int) -> NDArray[np.int64]:
        """Rows at which a column has a value that differs from that of the row before, ascending."""
        found = self._changes.get(place)
        if found is None:
            found = self._changes[place] = self._changed(place, 0)
        return found

    def _changed(self, place: int, first: int) -> NDArray[np.int64]:
        values = self._values[place, max(0, first - 1) : self._count]
        fresh = np.empty(len(values), np.bool_)
        fresh[:1] = True
        fresh[1:] = values[1:] != values[:-1]
        rows: NDArray[np.int64] = np.flatnonzero(fresh & ~np.isnan(values)) + max(0, first - 1)
        return rows[rows >= first]

    # --- growth

    def _make_levels(self) -> None:
        """Empty coarse levels for the whole room."""
        self._coarse = []
        blocks = len(self._time)
        while blocks > 2 * FACTOR:
            blocks = -(-blocks // FACTOR)
            self._coarse.append(_Coarse(np.zeros(2 * blocks), np.full((len(self.columns), 2 * blocks), np.nan)))

    def _make_room(self, count: int) -> None:
        if count <= len(self._time):
            return
        more = max(count, len(self._time) + len(self._time) // 4) - len(self._time)
        self._time = np.concatenate([self._time, np.zeros(more, np.int64)])
        self._seconds = np.concatenate([self._seconds, np.zeros(more)])
        self._values = np.concatenate([self._values, np.full((len(self.columns), more), np.nan)], axis=1)
        self._make_levels()
        self._renew(0)

    def _write(self, first: int, rows: AnalysedStretch) -> None:
        stop = first + len(rows.open_time)
        self._time[first:stop] = rows.open_time
        self._seconds[first:stop] = (rows.open_time + self._half_ms) / 1000.0
        self._values[:, first:stop] = rows.values
        for place, known in self._changes.items():
            self._changes[place] = np.concatenate([known[known < first], self._changed(place, first)])
        self._renew(first)

    def _renew(self, first: int) -> None:
        """Make the blocks anew that hold rows from `first` on."""
        stop = self._count
        seconds, low, high = self._seconds, self._values, self._values
        for coarse in self._coarse:
            begin, blocks = first // FACTOR, -(-stop // FACTOR)
            times = np.repeat(seconds[begin * FACTOR : stop : FACTOR], 2)
            coarse.seconds[2 * begin : 2 * begin + len(times)] = times
            for offset, source, merge in ((0, low, np.fmin), (1, high, np.fmax)):
                into = coarse.values[:, 2 * begin + offset : 2 * blocks : 2]
                into[:] = source[:, begin * FACTOR : stop : FACTOR]
                for step in range(1, FACTOR):
                    piece = source[:, begin * FACTOR + step : stop : FACTOR]
                    target = into[:, : piece.shape[1]]
                    merge(target, piece, out=target)
            seconds, low, high = coarse.seconds[0::2], coarse.values[:, 0::2], coarse.values[:, 1::2]
            first, stop = begin, blocks
