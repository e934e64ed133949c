"""Where stored minutes came from, through the log, month files, the sample and a restart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.market_store import MarketStore

T0 = parse_time("2023-08-31 23:50")


def at(minute: int) -> int:
    return T0 + minute * MINUTE_MS


def bars(minutes: range, source: Source) -> Bars:
    return Bars.of((Bar(at(m), 5.0, 6.0, 4.0, 5.0, 10, 50, 3, 4, 20) for m in minutes), source)


def sources(store: MarketStore) -> list[int]:
    return store.provenance("X", at(-2), at(24)).source.tolist()


def test_every_minute_keeps_where_it_came_from(tmp_path: Path) -> None:
    sample = MarketStore(tmp_path / "sample", read_only=False)
    sample.put("X", bars(range(18, 22), Source.SAMPLE))
    store = MarketStore(tmp_path / "own", read_only=False, sample=tmp_path / "sample")
    store.append("X", bars(range(5), Source.STREAM))
    store.append("X", bars(range(4, 8), Source.REST))
    store.put("X", bars(range(8, 14), Source.ARCHIVE))
    store.append("X", bars(range(14, 20), Source.STREAM))
    store.absent.add("X", (TimeRange(at(-1), at(0)), TimeRange(at(21), at(23))))
    expected = [0, 5, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 4, 4, 5, 0]
    assert sources(store) == expected
    store.compact("X")
    assert sources(store) == expected
    store.close()
    assert sources(MarketStore(tmp_path / "own", sample=tmp_path / "sample")) == expected


def test_what_the_exchange_lacks_is_forgotten_where_it_is_to_be_asked_again(tmp_path: Path) -> None:
    store = MarketStore(tmp_path, read_only=False)
    store.absent.add("X", (TimeRange(at(0), at(10)),))
    store.absent.add("X", (TimeRange(at(10), at(12)), TimeRange(at(20), at(21))))
    store.absent.forget("X", TimeRange(at(4), at(6)))
    assert store.absent.of("X") == (TimeRange(at(0), at(4)), TimeRange(at(6), at(12)), TimeRange(at(20), at(21)))
    (tmp_path / "X" / "absent.json").write_text("{")
    assert store.absent.of("X") == ()


def test_a_range_and_a_whole_symbol_are_deleted_with_their_files(tmp_path: Path) -> None:
    store = MarketStore(tmp_path, read_only=False)
    store.put("X", bars(range(20), Source.ARCHIVE))
    assert list(store.delete("X", at(5), at(15))) == [(1, 2), (2, 2)]
    assert store.coverage("X") == (TimeRange(at(0), at(5)), TimeRange(at(15), at(20)))
    assert list(store.delete("X", 0, at(100)))[-1] == (2, 2)
    store.append("X", bars(range(30, 31), Source.STREAM))
    store.drop_if_empty("X")
    assert store.coverage("X") == (TimeRange(at(30), at(31)),)
    store.compact("X")
    list(store.delete("X", 0, at(100)))
    store.drop_if_empty("X")
    assert store.symbols() == []
    assert not (tmp_path / "X" / "klines_1m").exists()


def test_bars_are_deleted_without_the_order_flow_that_nobody_can_fetch_again(tmp_path: Path) -> None:
    store = MarketStore(tmp_path, read_only=False)
    bar = Bar(at(0), 5.0, 6.0, 4.0, 5.0, 10, 50, 3, 4, 20, Flow(0.5, 1.0))
    store.put("X", Bars.of([bar], Source.ARCHIVE))
    assert len(list(store.delete("X", at(0), at(1), "bars"))) == 1
    store.append("X", bars(range(1), Source.REST))
    again = store.read("X", at(0), at(1), with_flow=True)
    assert again.flow is not None and again.flow[:, 0].tolist() == [0.5, 1.0]


def test_retention_counts_calendar_months_back_from_the_newest_stored_one(tmp_path: Path) -> None:
    store = MarketStore(tmp_path, read_only=False)
    for month in ("2022-12-31", "2023-01-01", "2023-02-01", "2023-03-01"):
        minute = (parse_time(month) - T0) // MINUTE_MS
        store.put("X", bars(range(minute, minute + 1), Source.ARCHIVE))
    assert store.expire("X", 1, 0) == 0
    assert store.expire("X", 0, 3) == 1
    kept = [piece.start_ms for piece in store.coverage("X")]
    assert kept == [parse_time(day) for day in ("2023-01-01", "2023-02-01", "2023-03-01")]
    assert np.array_equal(store.read("X", 0, 2**62).open_time, kept)
