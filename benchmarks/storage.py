"""The market store: five synthetic years of one-minute bars of one symbol, read beside the same files through pyarrow alone;
and one closed bar made durable beside one bare write and sync of the same bytes on the same disk."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from atm.app.bench import BenchRow
from atm.model.bars import Bars, Source
from atm.model.interval import MINUTE_MS, Interval, parse_time
from atm.storage import tail_log
from atm.storage.market_store import KIND, MarketStore
from atm.storage.minute_columns import KLINES, Minutes

START, END = parse_time("2019-01-01"), parse_time("2024-01-01")
READ_BUDGET_S = 1.0
APPENDS = 50


def synthetic(start_ms: int, end_ms: int, seed: int = 1) -> Bars:
    """A random walk on a price grid of 0.001 with volumes on one of 0.1: about as compressible as recorded bars."""
    draw = np.random.default_rng(seed)
    open_time = np.arange(start_ms, end_ms, MINUTE_MS, dtype=np.int64)
    n = len(open_time)
    close = np.round(5 * np.exp(np.cumsum(draw.normal(0, 0.0005, n))), 3)
    opened = np.concatenate(([5.0], close[:-1]))
    up, down = np.round(np.abs(draw.normal(0, 0.002, (2, n))), 3)
    volume = np.round(draw.exponential(20_000, n), 1)
    taker = np.round(volume * draw.uniform(0, 1, n), 1)
    high, low = np.maximum(opened, close) + up, np.minimum(opened, close) - down
    values = np.vstack(
        (opened, high, low, close, volume, np.round(volume * close, 4), draw.integers(1, 3_000, n), taker,
         np.round(taker * close, 4))
    )  # fmt: skip
    return Bars(Interval.M1, open_time, values, np.full(n, int(Source.ARCHIVE), np.uint8))


def best(function: Callable[[], object], times: int = 5) -> float:
    """Shortest of some runs, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def rows() -> list[BenchRow]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = MarketStore(root, read_only=False)
        store.put("X", synthetic(START, END))
        months = sorted((root / "X" / KIND).glob("*.parquet"))

        def bare() -> None:
            for path in months:
                table = pq.read_table(path, memory_map=True)
                for name in table.column_names:
                    table.column(name).to_numpy()

        assert len(MarketStore(root).read("X", START, END)) == (END - START) // MINUTE_MS
        # A fresh reader each time: nothing of the run before is left but the system's cache of the files.
        read = best(lambda: MarketStore(root).read("X", START, END))
        covered = best(lambda: MarketStore(root).coverage("X"))
        floor = best(bare)
        append, sync = _appends(store, root)
        store.close()
    return [
        BenchRow(
            "read 5 years of 1m bars of one symbol", read, "s", "pyarrow, the same files", floor, read / floor,
            READ_BUDGET_S, read <= READ_BUDGET_S,
        ),
        BenchRow(
            "coverage of 5 years of 1m bars, cold", covered, "s", "pyarrow, the same files", floor, covered / floor,
            None, True,
        ),
        BenchRow(
            "one closed bar made durable", append, "s", "write + fsync of its bytes", sync, append / sync, None, True,
        ),
    ]  # fmt: skip


def _appends(store: MarketStore, root: Path) -> tuple[float, float]:
    """Median seconds of one appended bar, and of one bare write and sync of as many bytes."""
    new = synthetic(END, END + APPENDS * MINUTE_MS)
    ours, bare = [], []
    with (root / "bare").open("ab", buffering=0) as file:
        for index in range(APPENDS):
            record = tail_log.encode(KLINES, Minutes.of_bars(new.slice(index, index + 1)))
            begun = time.perf_counter()
            store.append("X", new.slice(index, index + 1))
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            file.write(record)
            os.fsync(file.fileno())
            bare.append(time.perf_counter() - begun)
    return float(np.median(ours)), float(np.median(bare))
