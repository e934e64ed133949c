"""Mark prices and funding rates in the store, beside the bars and without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.mark import Mark, RecordedMarks
from atm.storage.market_store import MarketStore

START = parse_time("2023-08-31 23:50")


def bars(count: int, mark: float | None, source: Source = Source.STREAM) -> Bars:
    rows = [
        Bar(START + m * MINUTE_MS, 1, 2, 0.5, 1.5, 10, 20, 3, 4, 8, mark=mark and Mark(mark, mark + m, 0.5, mark))
        for m in range(count)
    ]
    return Bars.of(rows, source)


def marks(first: int, count: int, high: float, rate_at: int | None = None) -> RecordedMarks:
    times = START + MINUTE_MS * np.arange(first, first + count)
    stamps = np.array([] if rate_at is None else [START + rate_at * MINUTE_MS], np.int64)
    values = np.array([np.ones(count), np.full(count, high), np.full(count, 0.5), np.ones(count)])
    return RecordedMarks(times, values, stamps, np.full(len(stamps), 0.0001))


def highs(store: MarketStore) -> list[float]:
    return store.marks("X", 0, 2**60).values[1].tolist()


def test_a_store_of_an_earlier_version_has_no_marks(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(3, None))
    assert sorted(path.name for path in (home / "X").iterdir()) == ["klines_1m"]
    found = store.marks("X", START, START + 3 * MINUTE_MS)
    assert (len(found.open_time), found.values.shape, len(found.rate)) == (0, (4, 0), 0)
    assert np.isnan(found.dense(START, START + 3 * MINUTE_MS)).all()
    assert store.marks_coverage("X") == ()


def test_marks_that_come_later_stand_beside_the_bars_and_the_better_source_stays(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(4, 5.0))
    store.append_marks("X", marks(2, 4, 9.0, rate_at=3), Source.STREAM)  # what is known of a minute stays
    assert highs(store) == [5, 6, 7, 8, 9, 9]
    store.compact("X")
    store.append_marks("X", marks(1, 2, 10.0), Source.REST)
    assert highs(store) == [5, 10, 10, 8, 9, 9]
    store.put_marks("X", marks(0, 2, 11.0, rate_at=3))
    assert highs(store) == [11, 11, 10, 8, 9, 9]
    assert len(store.read("X", 0, 2**60)) == 4
    found = store.marks("X", 0, 2**60)
    assert (found.rate_time.tolist(), found.rate.tolist()) == ([START + 3 * MINUTE_MS], [0.0001])
    assert store.marks_coverage("X") == (TimeRange(START, START + 6 * MINUTE_MS),)
    assert MarketStore(home).marks("X", START + MINUTE_MS, START + 2 * MINUTE_MS).values[1].tolist() == [11]


def test_marks_are_deleted_alone_or_with_all_and_expire_with_the_bars(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(20, 5.0))
    store.append_marks("X", marks(0, 1, 9.0, rate_at=0), Source.REST)
    store.compact("X")
    list(store.delete("X", START, START + 5 * MINUTE_MS, "bars"))
    assert (len(store.read("X", 0, 2**60)), len(highs(store))) == (15, 20)
    list(store.delete("X", START, START + 6 * MINUTE_MS, "marks"))
    found = store.marks("X", 0, 2**60)
    assert (len(store.read("X", 0, 2**60)), len(found.open_time), len(found.rate)) == (15, 14, 0)
    store.expire("X", 0, 1)
    assert len(highs(store)) == 10
    list(store.delete("X", START, START + 30 * MINUTE_MS))
    store.drop_if_empty("X")
    assert not (home / "X" / "mark_1m").exists() and not (home / "X" / "funding").exists()
