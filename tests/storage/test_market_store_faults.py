"""Power cuts, kills, full disks and damaged files: what was acknowledged is there, once."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.errors import Invalid
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.mark import Mark
from atm.storage import minute_files, month_file, tail_log
from atm.storage.market_store import KIND, MarketStore
from atm.storage.minute_columns import FLOW, FUNDING, KLINES, MARKS

START = parse_time("2023-08-31 23:50")
"""Ten minutes before a month ends."""


def bars(start: int, count: int, source: Source = Source.STREAM, price: float = 1.0) -> Bars:
    """Those of the stream with order flow and marks."""
    streamed = source is Source.STREAM
    rows = [
        Bar(
            START + m * MINUTE_MS, price, 2, 0.5, price, m, 20, 3, 4, 8,
            flow_of(m) if streamed else None, mark_of(m) if streamed else None,
        )
        for m in range(start, start + count)
    ]  # fmt: skip
    return Bars.of(rows, source)


def flow_of(minute: int) -> Flow:
    return Flow(-0.25 + minute / 1e6, 0.75, 2e-4, 1000.0 + minute, 2000.0 + minute, 0.5)


def mark_of(minute: int) -> Mark:
    """With a settled rate at every fifth minute."""
    return Mark(1.5, 2.0 + minute, 0.5, 1.75, minute / 1e6 if minute % 5 == 0 else np.nan)


def times(store: MarketStore) -> list[int]:
    """Minutes from START on; those of the stream must have their flow, book and marks."""
    found = store.read("X", 0, 2**60, with_flow=True)
    minutes: list[int] = ((found.open_time - START) // MINUTE_MS).tolist()
    streamed = np.flatnonzero(found.source == Source.STREAM)
    for index in streamed:
        flow, expected = found.bar(int(index)).flow, flow_of(minutes[index])
        assert flow is not None and (flow.imbalance, flow.known) == (expected.imbalance, expected.known)
    if len(found):
        book = store.book("X", int(found.open_time[0]), int(found.open_time[-1]) + MINUTE_MS)
        place = (found.open_time[streamed] - book.start_ms) // MINUTE_MS
        assert book.bid_depth[place].tolist() == [flow_of(minutes[index]).bid_depth for index in streamed]
        end_ms = int(found.open_time[-1]) + MINUTE_MS
        marks = store.marks("X", book.start_ms, end_ms)
        highs, rates = marks.dense(book.start_ms, end_ms)[1], marks.dense_rates(book.start_ms, end_ms)
        np.testing.assert_array_equal(highs[place], [mark_of(minutes[index]).high for index in streamed])
        np.testing.assert_array_equal(rates[place], [mark_of(minutes[index]).funding_rate for index in streamed])
    return minutes


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_market_store_faults import bars
from atm.storage.market_store import MarketStore
store = MarketStore(Path({root!r}), read_only=False)
for minute in range(10**6):
    store.append("X", bars(minute, 1))
    if minute % 37 == 36:
        store.compact("X")
    print(minute, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 30, 36, 75])
def test_a_killed_writer_has_stored_all_that_it_acknowledged(home: Path, acknowledged: int) -> None:
    program = WRITER.format(tests=str(Path(__file__).parent), root=str(home))
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(acknowledged):
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    printed = [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    last = max([last, *printed])
    found = times(MarketStore(home))
    assert found == list(range(len(found)))
    assert len(found) in (last + 1, last + 2)
    successor = MarketStore(home, read_only=False)
    successor.append("X", bars(len(found), 3))
    successor.compact("X")
    assert times(successor) == list(range(len(found) + 3))


class PowerCut(BaseException):
    """Ends the writer where it stands, past every handler of errors."""


@pytest.fixture
def cut_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The writer dies before its n-th step on the disk (steps are writes, renames, syncs of folders and cuts)."""
    left = [10**9]

    def stepping(real: object) -> object:
        def step(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return real(*arguments, **named)  # type: ignore[operator]

        return step

    for module in (minute_files, month_file):
        monkeypatch.setattr(module, "write_aside", stepping(module.write_aside))
        monkeypatch.setattr(module, "sync_folder", stepping(module.sync_folder))
    monkeypatch.setattr(Path, "replace", stepping(Path.replace))
    monkeypatch.setattr(Path, "rename", stepping(Path.rename))
    monkeypatch.setattr(Path, "rmdir", stepping(Path.rmdir))
    monkeypatch.setattr(tail_log, "cut", stepping(tail_log.cut))
    yield left


def test_a_power_cut_at_any_step_of_a_compaction_loses_and_doubles_nothing(tmp_path: Path, cut_at: list[int]) -> None:
    for steps in range(40):
        root = tmp_path / str(steps)
        cut_at[0] = 10**9
        store = MarketStore(root, read_only=False)
        store.append("X", bars(0, 4))
        store.compact("X")
        store.append("X", bars(4, 16))
        cut_at[0] = steps
        done = True
        try:
            store.compact("X")
        except PowerCut:
            done = False
        cut_at[0] = 10**9
        store.close()
        assert times(MarketStore(root)) == list(range(20))
        successor = MarketStore(root, read_only=False)
        assert times(successor) == list(range(20))
        successor.compact("X")
        assert times(successor) == list(range(20))
        assert successor.coverage("X") == (TimeRange(START, START + 20 * MINUTE_MS),)
        for kind in (KLINES, FLOW, MARKS, FUNDING):
            names = sorted(path.name for path in (root / "X" / kind.name).iterdir())
            assert names == ["2023-08.parquet", "2023-09.parquet", kind.log]
        if done:
            assert steps > 8
            return
    raise AssertionError("a compaction has more steps than expected")


def test_a_power_cut_at_any_step_of_an_import_leaves_all_of_it_or_none(tmp_path: Path, cut_at: list[int]) -> None:
    seen = set()
    for steps in range(30):
        root = tmp_path / str(steps)
        cut_at[0] = 10**9
        store = MarketStore(root, read_only=False)
        store.put("X", bars(0, 20, Source.ARCHIVE, 1.0))
        cut_at[0] = steps
        done = True
        try:
            store.put("X", bars(0, 20, Source.ARCHIVE, 1.5))
        except PowerCut:
            done = False
        cut_at[0] = 10**9
        store.close()
        successor = MarketStore(root, read_only=False)
        prices = set(successor.read("X", 0, 2**60).close)
        assert len(prices) == 1
        assert len(successor.read("X", 0, 2**60)) == 20
        seen |= prices
        assert sorted(path.name for path in (root / "X" / KIND).iterdir()) == ["2023-08.parquet", "2023-09.parquet"]
        if done:
            assert seen == {1.0, 1.5}
            return
    raise AssertionError("an import has more steps than expected")


def test_a_disk_that_fills_up_in_the_middle_of_a_record(home: Path) -> None:
    """A limit on the length of files stands for the full disk: the write stops half way, as it does there."""
    program = f"""
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_market_store_faults import bars, times
        from atm.model.errors import Unavailable
        from atm.storage.market_store import MarketStore
        from atm.storage.minute_columns import KLINES
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = MarketStore(Path({str(home)!r}), read_only=False)
        store.append("X", bars(0, 3))
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(4.5 * KLINES.record.itemsize), resource.RLIM_INFINITY))
        try:
            store.append("X", bars(3, 3))
        except Unavailable as error:
            print(error)
        assert times(store) == [0, 1, 2], times(store)
        store.append("X", bars(3, 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.append("X", bars(4, 2))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bars of X could not be stored in" in done.stdout
    assert "File too large" in done.stdout
    assert times(MarketStore(home)) == list(range(6))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_damaged_record_in_the_middle_of_the_log_is_left_out_alone(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 5))
    store.close()
    path = home / "X" / KIND / "tail.log"
    content = bytearray(path.read_bytes())
    content[2 * KLINES.record.itemsize + 20] ^= 0x40
    path.write_bytes(content)
    assert times(MarketStore(home)) == [0, 1, 3, 4]
    successor = MarketStore(home, read_only=False)
    successor.append("X", bars(2, 1))
    assert times(successor) == [0, 1, 2, 3, 4]


def test_the_writer_puts_a_broken_month_aside_so_that_it_can_be_fetched_again(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 15))
    store.compact("X")
    store.close()
    folder = home / "X" / KIND
    (folder / "2023-08.parquet").write_bytes(b"PAR1 nonsense")
    successor = MarketStore(home, read_only=False)
    assert successor.coverage("X") == (TimeRange(START + 10 * MINUTE_MS, START + 15 * MINUTE_MS),)
    assert (folder / "2023-08.broken").read_bytes() == b"PAR1 nonsense"
    assert len(successor.read("X", START, START + 15 * MINUTE_MS)) == 5
    successor.append("X", bars(0, 10))
    successor.compact("X")
    assert times(successor) == list(range(15))


def test_a_flipped_bit_in_the_data_of_a_month_is_found(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.put("X", bars(0, 10))
    path = home / "X" / KIND / "2023-08.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)
    with pytest.raises(Invalid, match=r"2023-08\.parquet"):
        store.read("X", START, START + 10 * MINUTE_MS)
    store.append("X", bars(0, 10))
    assert store.take_put_aside() == [path.with_suffix(".broken")]
    assert times(store) == list(range(10))


def test_a_reader_beside_a_writer_sees_every_acknowledged_minute(home: Path) -> None:
    writer, reader = MarketStore(home, read_only=False), MarketStore(home)
    stored, wrong = [0], []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            least = stored[0]
            found = times(reader)
            covered = reader.coverage("X")
            if found != list(range(len(found))) or len(found) < least:
                wrong.append((least, found))
            if least and (len(covered) != 1 or covered[0].minutes < least):
                wrong.append((least, covered))

    thread = threading.Thread(target=read)
    thread.start()
    for minute in range(150):
        writer.append("X", bars(minute, 1))
        stored[0] = minute + 1
        if minute % 10 == 9:
            writer.compact("X")
    ended.set()
    thread.join()
    assert wrong == []


def test_the_own_minutes_hide_those_of_the_sample(home: Path, tmp_path: Path) -> None:
    below = MarketStore(tmp_path / "sample", read_only=False)
    below.put("X", bars(0, 10, Source.SAMPLE, price=1.0))
    below.close()
    store = MarketStore(home, read_only=False, sample=tmp_path / "sample")
    store.append("X", bars(5, 3, Source.STREAM, price=1.5))
    assert store.last("X") == START + 7 * MINUTE_MS
    np.testing.assert_array_equal(
        store.read("X", START, START + 10 * MINUTE_MS).close, [1, 1, 1, 1, 1, 1.5, 1.5, 1.5, 1, 1]
    )
    assert store.coverage("X") == (TimeRange(START, START + 10 * MINUTE_MS),)


def test_the_better_source_stays_through_log_compaction_and_import(home: Path) -> None:
    store = MarketStore(home, read_only=False)
    store.append("X", bars(0, 2, Source.STREAM, 1.1))
    store.compact("X")
    store.append("X", bars(0, 1, Source.REST, 1.2))
    assert store.read("X", START, START + 2 * MINUTE_MS).close.tolist() == [1.2, 1.1]
    store.compact("X")
    assert store.read("X", START, START + 2 * MINUTE_MS).close.tolist() == [1.2, 1.1]
    store.append("X", bars(2, 1, Source.STREAM, 1.1))
    store.put("X", bars(0, 3, Source.ARCHIVE, 1.3))
    assert store.read("X", START, START + 3 * MINUTE_MS).close.tolist() == [1.3, 1.3, 1.3]
    store.compact("X")
    store.append("X", bars(0, 3, Source.REST, 1.4))
    assert store.read("X", START, START + 3 * MINUTE_MS).close.tolist() == [1.3, 1.3, 1.3]
