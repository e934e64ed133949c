"""The integrity check finds damage that was done on purpose, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atm.model.bars import Bar, Bars, Source
from atm.model.flow import Flow
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.mark import RecordedMarks
from atm.storage.integrity import check
from atm.storage.job_table import Outcome
from atm.storage.market_store import MarketStore

T0 = parse_time("2023-08-10")


def outcome(root: Path) -> Outcome:
    steps = check(root, ["X"])
    while True:
        try:
            next(steps)
        except StopIteration as over:
            assert isinstance(over.value, Outcome)
            return over.value


def problems(root: Path) -> list[tuple[str, str, int]]:
    return [(each.file, each.problem, each.count) for each in outcome(root).findings]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    store = MarketStore(tmp_path, read_only=False)
    rows = [
        Bar(T0 + m * MINUTE_MS, p, p * 1.01, p * 0.99, p, 10, 50, 3, 4, 20, Flow(0.1, 0.9))
        for m, p in enumerate(random.uniform(1, 9, 3_000).tolist())
    ]
    store.put("X", Bars.of(rows[:2_500], Source.ARCHIVE))
    store.append("X", Bars.of(rows[2_500:], Source.STREAM))
    store.close()
    return tmp_path


def test_a_sound_store_has_no_findings(root: Path) -> None:
    found = outcome(root)
    assert (found.text, found.findings) == ("job.checked", ())
    assert found.parameters == {"files": "4", "minutes": "6,000", "problems": "0"}
    assert problems(root) == []


def test_a_flipped_byte_is_found_wherever_it_is(root: Path) -> None:
    path = root / "X" / "klines_1m" / "2023-08.parquet"
    whole = path.read_bytes()
    assert problems(root) == []
    for place in np.linspace(0, len(whole) - 1, 25).astype(int):
        state = path.stat()
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        named = problems(root)
        assert named and named[0][:2] in ((path.name, "unreadable"), (path.name, "checksum")), place
        path.write_bytes(whole)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert problems(root) == []


def rewritten(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        path = root / "X" / "klines_1m" / "2023-08.parquet"
        columns = {
            name: np.array(column, np.uint8 if name == "source" else None)
            for name, column in pq.read_table(path).to_pydict().items()
        }
        change(columns)
        pq.write_table(pa.table(columns), path)

    return write


def swap(columns: dict[str, np.ndarray]) -> None:
    for column in columns.values():
        column[[100, 101]] = column[[101, 100]]


def repeat(columns: dict[str, np.ndarray]) -> None:
    columns["open_time"][50] = columns["open_time"][49]


def high_below_low(columns: dict[str, np.ndarray]) -> None:
    columns["high"][7:9] = columns["low"][7:9] * 0.5


def other_month(columns: dict[str, np.ndarray]) -> None:
    columns["open_time"] += 31 * 1440 * MINUTE_MS


def odd_source(columns: dict[str, np.ndarray]) -> None:
    columns["source"] = np.where(np.arange(2_500) < 3, 77, columns["source"]).astype(np.uint8)


def negative(columns: dict[str, np.ndarray]) -> None:
    columns["volume"][11] = -1.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swap, ("order", 1)),
        (repeat, ("duplicate", 1)),
        (high_below_low, ("prices", 2)),
        (other_month, ("month", 2_500)),
        (odd_source, ("source", 3)),
        (negative, ("volumes", 1)),
    ],
)
def test_injected_damage_is_named_and_counted(
    root: Path, change: Callable[[dict[str, np.ndarray]], object], expected: tuple[str, int]
) -> None:
    rewritten(change)(root)
    assert [(name, count) for _, name, count in problems(root)] == [expected]


def test_damage_in_the_log_and_files_put_aside_are_told(root: Path) -> None:
    log = root / "X" / "klines_1m" / "tail.log"
    data = bytearray(log.read_bytes())
    data[20] ^= 1
    log.write_bytes(data)
    (root / "X" / "klines_1m" / "2023-07.broken").write_bytes(b"x")
    assert problems(root) == [("2023-07.broken", "put_aside", 1), ("tail.log", "log_record", 1)]


def test_mark_prices_and_funding_rates_are_judged_as_well(root: Path) -> None:
    store = MarketStore(root, read_only=False)
    times = T0 + MINUTE_MS * np.arange(4)
    values = np.array([[5.0] * 4, [6, 6, 4, 6], [4.0] * 4, [5.0] * 4])
    store.put_marks("X", RecordedMarks(times, values, times[:2], np.array([0.0001, 7.0])))
    store.close()
    found = {(each.kind, each.problem, each.count, each.time_ms) for each in outcome(root).findings}
    assert found == {("mark_1m", "prices", 1, int(times[2])), ("funding", "rates", 1, int(times[1]))}
