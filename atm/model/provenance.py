"""Where each minute of a stretch came from, and the counts of it by day. Pure numpy, so that the window can use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Source, TimeRange
from atm.model.interval import DAY_MS, MINUTE_MS

N_SOURCES = len(Source)
DAY_MINUTES = DAY_MS // MINUTE_MS


@dataclass(frozen=True, slots=True)
class DayCounts:
    """first_ms: 00:00 UTC of the first day; counts int64 (days, N_SOURCES), minutes by `Source`.

    The first and the last day count only the minutes of the stretch.
    """

    first_ms: int
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def missing(self) -> NDArray[np.float64]:
        """Share of each day's minutes that are not stored, whether the exchange has them or not."""
        absent = self.counts[:, Source.MISSING] + self.counts[:, Source.ABSENT]
        return np.asarray(absent / np.maximum(self.counts.sum(axis=1), 1), np.float64)

    @property
    def dominant(self) -> NDArray[np.int64]:
        """The commonest source of each day among the stored minutes; MISSING where none is stored."""
        stored = self.counts.copy()
        stored[:, [Source.MISSING, Source.ABSENT]] = 0
        return np.asarray(np.where(stored.any(axis=1), stored.argmax(axis=1), int(Source.MISSING)), np.int64)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Every minute from `start_ms` (a full minute) on. source uint8 (n,): a `Source`; ABSENT: the exchange lacks it."""

    start_ms: int
    source: NDArray[np.uint8]

    @property
    def end_ms(self) -> int:
        return self.start_ms + len(self.source) * MINUTE_MS

    def totals(self) -> dict[Source, int]:
        """Minutes by source."""
        counts = np.bincount(self.source, minlength=N_SOURCES)
        return {source: int(counts[source]) for source in Source}

    def days(self) -> DayCounts:
        """Counts of every day that the stretch touches; one pass over the minutes."""
        first = self.start_ms // DAY_MS * DAY_MS
        if not len(self.source):
            return DayCounts(first, np.empty((0, N_SOURCES), np.int64))
        lead = (self.start_ms - first) // MINUTE_MS
        n_days = -(-(lead + len(self.source)) // DAY_MINUTES)
        # One more class for what of the first and last day lies outside the stretch.
        padded = np.full(n_days * DAY_MINUTES, N_SOURCES, np.uint8)
        padded[lead : lead + len(self.source)] = self.source
        days = padded.reshape(n_days, DAY_MINUTES)
        counts = np.stack([np.count_nonzero(days == np.uint8(source), axis=1) for source in range(N_SOURCES)], axis=1)
        return DayCounts(first, counts.astype(np.int64))

    def day(self, day_ms: int) -> Provenance:
        """The part of one day, which begins at `day_ms`."""
        lo = max(0, (day_ms - self.start_ms) // MINUTE_MS)
        hi = max(0, (day_ms + DAY_MS - self.start_ms) // MINUTE_MS)
        return Provenance(self.start_ms + lo * MINUTE_MS, self.source[lo:hi])

    def gaps(self, most: int) -> list[tuple[TimeRange, bool]]:
        """The longest `most` stretches that are not stored, in time order; true: the exchange lacks (part of) it."""
        hole = np.isin(self.source, (Source.MISSING, Source.ABSENT))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], hole, [False])).astype(np.int8)))
        starts, ends = edges[::2], edges[1::2]
        longest = np.sort(np.argsort(starts - ends, kind="stable")[:most])
        return [
            (
                TimeRange(self.start_ms + int(a) * MINUTE_MS, self.start_ms + int(b) * MINUTE_MS),
                bool((self.source[a:b] == Source.ABSENT).any()),
            )
            for a, b in zip(starts[longest], ends[longest], strict=True)
        ]


def provenance(
    open_time: NDArray[np.int64], source: NDArray[np.uint8], absent: tuple[TimeRange, ...], start_ms: int, end_ms: int
) -> Provenance:
    """Of the minutes start_ms <= t < end_ms, from what is stored of them (ascending) and what the exchange lacks."""
    dense = np.zeros(max(0, (end_ms - start_ms) // MINUTE_MS), np.uint8)
    for piece in absent:
        lo, hi = (max(0, (edge - start_ms) // MINUTE_MS) for edge in (piece.start_ms, piece.end_ms))
        dense[lo:hi] = Source.ABSENT
    inside = slice(*np.searchsorted(open_time, (start_ms, end_ms)))
    dense[(open_time[inside] - start_ms) // MINUTE_MS] = source[inside]
    return Provenance(start_ms, dense)


def source_counts(source: NDArray[np.uint8], minutes: int) -> dict[str, int]:
    """Minutes by the lower-case name of their source, of `minutes` in all, of which those beyond `source` are missing; sources
    without minutes are left out."""
    counts = np.bincount(source, minlength=N_SOURCES)
    counts[Source.MISSING] += minutes - len(source)
    return {each.name.lower(): int(counts[each]) for each in Source if counts[each]}
