"""What funding of recorded stamps is reckoned from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from atm.storage.market_store import MarketStore


def settlements(
    store: MarketStore, symbols: Iterable[str], start_ms: int, end_ms: int
) -> dict[tuple[str, int], tuple[float, float]]:
    """(mark price that opens the minute of the stamp, settled rate) by symbol and stamp, start_ms <= stamp < end_ms; stamps of which
    either is not recorded are absent."""
    found = {}
    for symbol in symbols:
        marks = store.marks(symbol, start_ms, end_ms)
        places = np.searchsorted(marks.open_time, marks.rate_time)
        for place, stamp, rate in zip(places.tolist(), marks.rate_time.tolist(), marks.rate.tolist(), strict=True):
            if place < len(marks.open_time) and marks.open_time[place] == stamp:
                found[symbol, stamp] = float(marks.values[0, place]), rate
    return found
