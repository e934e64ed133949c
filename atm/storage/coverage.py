"""Ranges of minutes that are there, and those that are not. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import TimeRange
from atm.model.interval import MINUTE_MS


def ranges_of(open_times: NDArray[np.int64]) -> tuple[TimeRange, ...]:
    """Half-open ranges covered by ascending, distinct one-minute open times."""
    if not len(open_times):
        return ()
    breaks = np.flatnonzero(np.diff(open_times) != MINUTE_MS)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [len(open_times) - 1]))
    return tuple(
        TimeRange(int(open_times[a]), int(open_times[b]) + MINUTE_MS) for a, b in zip(starts, ends, strict=True)
    )


def union(ranges: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
    """The same minutes as disjoint ranges, ascending, touching ones joined."""
    joined: list[TimeRange] = []
    for piece in sorted(ranges):
        if piece.end_ms <= piece.start_ms:
            continue
        if joined and piece.start_ms <= joined[-1].end_ms:
            joined[-1] = TimeRange(joined[-1].start_ms, max(joined[-1].end_ms, piece.end_ms))
        else:
            joined.append(piece)
    return tuple(joined)


def missing(ranges: Iterable[TimeRange], wanted: TimeRange) -> tuple[TimeRange, ...]:
    """The parts of `wanted` that `ranges` do not cover."""
    holes: list[TimeRange] = []
    at = wanted.start_ms
    for piece in union(ranges):
        if piece.end_ms <= at or piece.start_ms >= wanted.end_ms:
            continue
        if piece.start_ms > at:
            holes.append(TimeRange(at, piece.start_ms))
        at = max(at, piece.end_ms)
    if at < wanted.end_ms:
        holes.append(TimeRange(at, wanted.end_ms))
    return tuple(holes)


def chunks(ranges: Iterable[TimeRange], minutes: int) -> list[TimeRange]:
    """The same minutes in pieces of at most `minutes`."""
    step = minutes * MINUTE_MS
    return [
        TimeRange(start, min(start + step, piece.end_ms))
        for piece in ranges
        for start in range(piece.start_ms, piece.end_ms, step)
    ]
