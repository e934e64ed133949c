import errno
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage import month_file, tail_log
from atm.storage.coverage import chunks, missing, ranges_of, union
from atm.storage.market_store import KIND, MarketStore
from atm.storage.minute_columns import FLOW, KLINES, Minutes

START = parse_time("2023-08-31 23:50")


def bars(start: int, count: int) -> Bars:
    rows = [Bar(START + m * MINUTE_MS, 1 + m, 2 + m, m, 1.5 + m, 10, 20, 3, 4, 8) for m in range(start, start + count)]
    return Bars.of(rows, Source.STREAM)


def times(store: MarketStore) -> list[int]:
    return ((store.read("X", 0, 2**60).open_time - START) // MINUTE_MS).tolist()


def test_what_was_appended_is_read_across_months_log_and_files(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 15))
    store.compact("X")
    store.append("X", bars(10, 10))  # five of them are known already
    assert times(store) == list(range(20))
    assert sorted(p.name for p in (home / "X" / KIND).glob("*.parquet")) == ["2023-08.parquet", "2023-09.parquet"]
    reader = MarketStore(home)
    assert reader.coverage("X") == (TimeRange(START, START + 20 * MINUTE_MS),)
    assert reader.last("X") == START + 19 * MINUTE_MS
    np.testing.assert_array_equal(reader.read("X", START, START + MINUTE_MS).high, [2.0])
    store.append("X", bars(30, 2))
    assert reader.coverage("X")[1] == TimeRange(START + 30 * MINUTE_MS, START + 32 * MINUTE_MS)


def test_a_log_torn_at_any_byte_loses_only_the_torn_record(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 3))
    store.close()
    path = home / "X" / KIND / "tail.log"
    whole = path.read_bytes()
    for length in range(2 * KLINES.record.itemsize, 3 * KLINES.record.itemsize):
        path.write_bytes(whole[:length])
        assert times(MarketStore(home)) == [0, 1]
        writer = MarketStore(home, read_only=False)
        writer.append("X", bars(2, 1))
        assert times(writer) == [0, 1, 2]
        writer.close()


def test_a_crash_between_the_steps_of_a_compaction_doubles_nothing(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 5))
    log = (home / "X" / KIND / "tail.log").read_bytes()
    store.compact("X")
    (home / "X" / KIND / "tail.log").write_bytes(log)  # died before the log was cut
    store.close()
    again = MarketStore(home, read_only=False)
    assert times(again) == list(range(5))
    again.compact("X")
    assert times(again) == list(range(5))


def test_a_full_disk_refuses_and_keeps_what_was_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 3))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match=r"bars of X could not be stored in .*: No space left on device"):
        store.append("X", bars(3, 3))
    monkeypatch.undo()
    assert times(store) == [0, 1, 2]
    store.append("X", bars(3, 3))
    assert times(store) == list(range(6))


def test_one_writer_only(home: Path) -> None:
    first = MarketStore(home, read_only=False)
    with pytest.raises(Refused, match="another process is writing"):
        MarketStore(home, read_only=False)
    first.close()
    MarketStore(home, read_only=False).close()
    with pytest.raises(Refused, match="opened for reading"):
        MarketStore(home).append("X", bars(0, 1))


def test_a_broken_parquet_file_is_named_and_the_rest_stays_readable(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 15))
    store.compact("X")
    (home / "X" / KIND / "2023-08.parquet").write_bytes(b"PAR1 nonsense")
    assert store.coverage("X") == (TimeRange(START + 10 * MINUTE_MS, START + 15 * MINUTE_MS),)
    with pytest.raises(Invalid, match=r"2023-08\.parquet"):
        store.read("X", START, START + MINUTE_MS)
    assert len(store.read("X", START + 10 * MINUTE_MS, START + 15 * MINUTE_MS)) == 5


def test_the_sample_lies_beneath_and_is_never_written(home: Path, tmp_path: Path) -> None:
    below = MarketStore(tmp_path / "sample", read_only=False)
    below.put("X", bars(0, 5))
    below.close()
    store = MarketStore(home, read_only=False, sample=tmp_path / "sample")
    assert store.symbols() == ["X"]
    assert store.last("X") is None
    store.append("X", bars(3, 5))
    assert times(store) == list(range(8))
    assert times(MarketStore(tmp_path / "sample")) == list(range(5))


minutes = st.sets(st.integers(0, 60))


@given(minutes, st.integers(0, 60), st.integers(0, 60), st.integers(1, 7))
def test_ranges_agree_with_sets_of_minutes(present: set[int], start: int, length: int, size: int) -> None:
    ranges = ranges_of(np.array(sorted(present), np.int64) * MINUTE_MS)

    def as_set(pieces: object) -> set[int]:
        return {m for r in pieces for m in range(r.start_ms // MINUTE_MS, r.end_ms // MINUTE_MS)}  # type: ignore[attr-defined]

    assert as_set(ranges) == present
    assert union([*ranges, *reversed(ranges)]) == ranges
    wanted = TimeRange(start * MINUTE_MS, (start + length) * MINUTE_MS)
    holes = missing(ranges, wanted)
    assert as_set(holes) == set(range(start, start + length)) - present
    pieces = chunks(holes, size)
    assert as_set(pieces) == as_set(holes)
    assert all(p.minutes <= size for p in pieces)


def with_flow(start: int, count: int, imbalance: float, source: Source = Source.STREAM) -> Bars:
    found = bars(start, count)
    flow = Flow(imbalance, 1.0, abs(imbalance), 100.0, 200.0, 1.0)
    return Bars.of([msgspec.structs.replace(found.bar(index), flow=flow) for index in range(count)], source)


def imbalances(store: MarketStore, end: int = 60) -> list[float]:
    found = store.read("X", START, START + end * MINUTE_MS, with_flow=True)
    assert found.flow is not None and found.flow.shape == (2, len(found))
    return found.flow[0].tolist()


def test_flow_is_read_beside_its_bars_and_only_when_asked_for(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 2))
    store.append("X", with_flow(2, 12, 0.5))
    store.compact("X")
    store.append("X", with_flow(15, 2, -0.5))
    assert store.read("X", START, START + 60 * MINUTE_MS).flow is None
    np.testing.assert_array_equal(imbalances(MarketStore(home)), [np.nan] * 2 + [0.5] * 12 + [-0.5] * 2)
    np.testing.assert_array_equal(imbalances(MarketStore(home), 3), [np.nan, np.nan, 0.5])


def test_a_store_of_an_earlier_version_reads_as_not_recorded(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.put("X", bars(0, 15))
    store.append("X", bars(15, 5))
    np.testing.assert_array_equal(imbalances(store), [np.nan] * 20)
    assert sorted(path.name for path in (home / "X").iterdir()) == [KIND]


def test_a_repaired_or_imported_bar_keeps_the_flow_that_was_recorded_first(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", with_flow(0, 3, 0.5))
    repaired = bars(0, 3)
    store.append("X", Bars(repaired.interval, repaired.open_time, repaired.values + 1, repaired.source + 1))
    assert store.read("X", START, START + MINUTE_MS).open[0] == 2.0
    store.append("X", with_flow(0, 4, 0.9, Source.REST))
    store.compact("X")
    store.put("X", bars(0, 4))
    assert imbalances(store) == [0.5, 0.5, 0.5, 0.9]


def test_flow_that_a_bar_is_still_missing_for_waits_for_it(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    real = store._bars.append
    store._bars.append = lambda *_: (_ for _ in ()).throw(Unavailable("full"))  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        store.append("X", with_flow(0, 2, 0.5))
    assert imbalances(store) == []
    store._bars.append = real  # type: ignore[method-assign]
    store.append("X", bars(0, 2))
    assert imbalances(store) == [0.5, 0.5]


def spreads(store: MarketStore, start: int, end: int) -> list[float]:
    book = store.book("X", START + start * MINUTE_MS, START + end * MINUTE_MS)
    assert book.start_ms == START + start * MINUTE_MS
    assert {column.dtype for column in (book.spread, book.bid_depth, book.ask_depth)} == {np.dtype(np.float32)}
    known = ~np.isnan(book.spread)
    assert book.bid_depth[known].tolist() == [100.0] * known.sum()
    assert book.ask_depth[known].tolist() == [200.0] * known.sum()
    assert np.isnan(book.bid_depth[~known]).all() and np.isnan(book.ask_depth[~known]).all()
    return book.spread.tolist()


def test_books_are_dense_by_minute_across_months_log_and_files(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 2))
    store.append("X", with_flow(2, 12, 0.5))
    store.compact("X")
    store.append("X", with_flow(15, 2, -0.25))
    expected = [np.nan] * 2 + [0.5] * 12 + [np.nan] + [0.25] * 2 + [np.nan] * 3
    for reader in (store, MarketStore(home)):
        np.testing.assert_array_equal(spreads(reader, 0, 20), expected)
        np.testing.assert_array_equal(spreads(reader, 3, 16), expected[3:16])
        assert spreads(reader, 5, 5) == []
        np.testing.assert_array_equal(spreads(reader, -70_000, -69_998), [np.nan, np.nan])
    with pytest.raises(Invalid, match="start_ms"):
        store.book("X", START + 1, START + MINUTE_MS)


def test_a_book_known_for_less_than_half_the_minute_is_not_recorded(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    found = bars(0, 3)
    flows = [Flow(0.1, known, 0.5, 100.0, 200.0, 1.0) for known in (0.5, 0.49, 1.0)]
    store.append("X", Bars.of([msgspec.structs.replace(found.bar(i), flow=flows[i]) for i in range(3)], Source.STREAM))
    np.testing.assert_array_equal(spreads(store, 0, 3), [0.5, np.nan, 0.5])


def earlier_flow(home: Path, in_files: range, in_log: range) -> None:
    """Two columns in a month file and in the append log, as the version before wrote them."""
    earlier = FLOW.earlier
    assert earlier is not None
    folder = home / "X" / FLOW.name
    folder.mkdir(parents=True)

    def minutes(wanted: range) -> Minutes:
        times = np.array([START + minute * MINUTE_MS for minute in wanted], np.int64)
        return Minutes(times, np.full((2, len(times)), 0.75), np.full(len(times), int(Source.STREAM), np.uint8))

    for month, part in minutes(in_files).by_month():
        month_file.write_month(earlier, folder / f"{month}.parquet", part)
    tail_log.append(earlier, folder / "tail.log", minutes(in_log))


def test_flow_of_an_earlier_version_is_read_beside_new_and_compacted_with_it(home: Path) -> None:
    earlier_flow(home, range(8), range(8, 12))
    assert (home / "X" / FLOW.name / "tail.log").stat().st_size == 4 * 29, "the record of two numbers"
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 12))
    store.append("X", with_flow(12, 3, 0.5))
    store.append("X", with_flow(10, 1, 0.1))  # known already, without its book

    def check(reader: MarketStore) -> None:
        assert imbalances(reader) == [0.75] * 12 + [0.5] * 3
        np.testing.assert_array_equal(spreads(reader, 0, 15), [np.nan] * 12 + [0.5] * 3)

    check(store)
    check(MarketStore(home))
    store.compact("X")
    check(store)
    check(MarketStore(home))
    folder = home / "X" / FLOW.name
    assert {path.name: path.stat().st_size for path in folder.glob("tail*")} == {"tail.log": 0, "tail-2.log": 0}
    store.append("X", with_flow(15, 1, 0.5))
    assert imbalances(store) == [0.75] * 12 + [0.5] * 4


def test_a_torn_log_of_an_earlier_version_is_cut_and_one_left_by_a_crash_is_read_once(home: Path) -> None:
    earlier_flow(home, range(0), range(4))
    path = home / "X" / FLOW.name / "tail.log"
    left = path.read_bytes()
    path.write_bytes(left + left[:20])
    store = MarketStore(home, read_only=False)
    assert path.read_bytes() == left
    store.append("X", bars(0, 4))
    store.compact("X")
    path.write_bytes(left)  # died before that log was cut
    assert imbalances(MarketStore(home)) == [0.75] * 4
    store.compact("X")
    assert imbalances(MarketStore(home)) == [0.75] * 4


def test_who_wants_the_imbalance_alone_reads_no_other_column(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", with_flow(0, 3, 0.5))
    store.compact("X")
    asked: list[list[str]] = []
    real = month_file._table
    monkeypatch.setattr(month_file, "_table", lambda path, columns: asked.append(columns) or real(path, columns))
    assert imbalances(MarketStore(home)) == [0.5] * 3
    assert ["open_time", "imbalance", "known", "source"] in asked
    assert not any("spread" in columns for columns in asked)


def test_a_flow_file_without_its_first_columns_is_none_of_ours(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", with_flow(0, 3, 0.5))
    store.compact("X")
    path = home / "X" / FLOW.name / "2023-08.parquet"
    month_file.write_aside(KLINES, path, Minutes.of_bars(bars(0, 3)))
    with pytest.raises(Invalid, match="imbalance"):
        MarketStore(home).read("X", START, START + 3 * MINUTE_MS, with_flow=True)
