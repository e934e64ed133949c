"""Mark price and rate of funding stamps, read from the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from atm.model.interval import MINUTE_MS, parse_time
from atm.model.mark import RecordedMarks
from atm.storage.market_store import MarketStore
from atm.storage.settlements import settlements

START = parse_time("2023-08-31 23:58")


def test_a_stamp_counts_where_the_rate_and_the_first_mark_price_of_its_minute_are_recorded(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    times = START + MINUTE_MS * np.arange(4)
    opens = np.array([5.0, 6.0, 7.25, 8.0])
    stamps = START + MINUTE_MS * np.array([2, 5])  # the second one's minute has no mark price
    store.put_marks(
        "X", RecordedMarks(times, np.array([opens, opens + 1, opens - 1, opens]), stamps, np.array([1e-4, 2e-4]))
    )
    end = START + 10 * MINUTE_MS
    assert settlements(store, ["X", "Y"], START, end) == {("X", START + 2 * MINUTE_MS): (7.25, 1e-4)}
    assert settlements(store, ["X"], START, START + 2 * MINUTE_MS) == {}, "the end is not part of it"
    assert settlements(store, ["X"], START, START) == {}
