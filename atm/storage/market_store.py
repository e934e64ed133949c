"""One-minute bars in Parquet: one file per symbol and month, the newest minutes in an append log.

    <root>/<SYMBOL>/klines_1m/2023-08.parquet      columns: open_time int64 (ms), the nine of `Column`, source uint8
    <root>/<SYMBOL>/klines_1m/tail.log             see tail_log

One writer (a file lock), any number of readers. `compact` moves the log into the month files: each file is written
aside, synced and renamed, and only then the log is cut; a crash in between leaves minutes in both places, which readers
see once (the month file wins). A second, read-only layer may lie beneath (the sample shipped with the program).
"""

from __future__ import annotations

import fcntl
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from atm.model.bars import N_COLUMNS, Bars, Column, TimeRange
from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.interval import Interval
from atm.model.program import ProgramContext
from atm.storage import tail_log
from atm.storage.coverage import ranges_of, union

log = logging.getLogger(__name__)

KIND = "klines_1m"
_COLUMNS = [column.name.lower() for column in Column]


def open_store(context: ProgramContext, read_only: bool = True) -> MarketStore:
    """The market store of the endpoint in use; on the demo endpoint the shipped sample lies beneath it."""
    sample = context.assets / "sample" if context.endpoint is Endpoint.DEMO else None
    return MarketStore(context.market_root, read_only, sample)


class MarketStore:
    """See the module. Raises `Refused` when a second writer comes, `Invalid` for a file that is no bar file."""

    def __init__(self, root: Path, read_only: bool = True, sample: Path | None = None) -> None:
        self.root = root
        self._layers = [root] if sample is None else [root, sample]
        self._read_only = read_only
        self._lock: IO[str] | None = None
        self._spans: dict[Path, tuple[tuple[int, int], NDArray[np.int64]]] = {}
        if not read_only:
            root.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            for path in root.glob(f"*/{KIND}/tail.log"):
                tail_log.cut(path, tail_log.read(path)[1])

    def _take_lock(self) -> None:
        lock = (self.root / "writer.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise Refused(f"another process is writing to the market store {self.root}") from None
        self._lock = lock

    def close(self) -> None:
        """Give the writer's lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def symbols(self) -> list[str]:
        """Symbols with any stored minute, sorted."""
        found = {path.parent.name for root in self._layers for path in root.glob(f"*/{KIND}")}
        return sorted(symbol for symbol in found if self.coverage(symbol))

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes that are stored, as disjoint ascending ranges."""
        pieces: list[TimeRange] = []
        for path in self._files(symbol):
            pieces.extend(ranges_of(self._times(path)))
        pieces.extend(ranges_of(tail_log.read(self._tail(symbol))[0].open_time))
        return union(pieces)

    def last(self, symbol: str) -> int | None:
        """Newest stored open time of this store's own layer (never of the sample), or None."""
        tail = tail_log.read(self._tail(symbol))[0]
        own = [path for path in self._files(symbol) if path.is_relative_to(self.root)]
        newest = [int(self._times(path)[-1]) for path in own if len(self._times(path))]
        if len(tail):
            newest.append(int(tail.open_time[-1]))
        return max(newest, default=None)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Stored minutes with start_ms <= open time < end_ms, ascending; holes are absent."""
        parts = []
        for path in self._files(symbol):
            month = path.stem
            if not _month_touches(month, start_ms, end_ms):
                continue
            parts.append(_read_parquet(path).between(start_ms, end_ms))
        parts.append(tail_log.read(self._tail(symbol))[0].between(start_ms, end_ms))
        parts = [part for part in parts if len(part)]
        if len(parts) <= 1:
            return parts[0] if parts else Bars.empty()
        return _first_wins(parts)

    def append(self, symbol: str, bars: Bars) -> None:
        """Make bars durable; those already stored are ignored. Raises `Unavailable` when the disk is full."""
        self._must_write()
        if not len(bars):
            return
        known = self.read(symbol, int(bars.open_time[0]), int(bars.open_time[-1]) + 1).open_time
        fresh = ~np.isin(bars.open_time, known)
        bars = Bars(Interval.M1, bars.open_time[fresh], bars.values[:, fresh], bars.source[fresh])
        if not len(bars):
            return
        path = self._tail(symbol)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            tail_log.append(path, bars)
        except OSError as error:
            raise Unavailable(f"bars of {symbol} could not be stored in {path}: {error.strerror}") from error

    def put(self, symbol: str, bars: Bars) -> None:
        """Store many bars (an import): straight into month files; stored minutes are kept as they are."""
        self._must_write()
        self._merge(symbol, bars)

    def compact(self, symbol: str) -> None:
        """Move the append log into the month files."""
        self._must_write()
        path = self._tail(symbol)
        tail, length = tail_log.read(path)
        if not length:
            return
        self._merge(symbol, tail)
        tail_log.cut(path, 0)

    def _merge(self, symbol: str, bars: Bars) -> None:
        folder = self.root / symbol / KIND
        folder.mkdir(parents=True, exist_ok=True)
        months = (bars.open_time.astype("datetime64[ms]")).astype("datetime64[M]")
        for month in np.unique(months):
            chosen = months == month
            part = Bars(Interval.M1, bars.open_time[chosen], bars.values[:, chosen], bars.source[chosen])
            path = folder / f"{month}.parquet"
            if path.exists():
                part = _first_wins([_read_parquet(path), part])
            try:
                write_parquet(path, part)
            except OSError as error:
                raise Unavailable(f"bars of {symbol} could not be stored in {path}: {error.strerror}") from error

    def _must_write(self) -> None:
        if self._read_only:
            raise Refused(f"the market store {self.root} was opened for reading")

    def _files(self, symbol: str) -> list[Path]:
        return [path for root in self._layers for path in sorted((root / symbol / KIND).glob("*.parquet"))]

    def _tail(self, symbol: str) -> Path:
        return self.root / symbol / KIND / "tail.log"

    def _times(self, path: Path) -> NDArray[np.int64]:
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
        known = self._spans.get(path)
        if known is None or known[0] != stamp:
            try:
                column = pq.read_table(path, columns=["open_time"], memory_map=True).column("open_time")
            except (pa.ArrowException, OSError, KeyError) as error:
                log.error("%s is no bar file and is left out: %s", path, error)
                return np.empty(0, np.int64)
            known = (stamp, np.asarray(column.to_numpy(), np.int64))
            self._spans[path] = known
        return known[1]


def _month_touches(month: str, start_ms: int, end_ms: int) -> bool:
    year, number = int(month[:4]), int(month[5:7])
    first = int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000
    after = int(datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
    return first < end_ms and start_ms < after


def _first_wins(parts: list[Bars]) -> Bars:
    """All parts as one ascending series; of bars with the same open time the one of the earlier part."""
    open_time = np.concatenate([part.open_time for part in parts])
    unique, first = np.unique(open_time, return_index=True)
    values = np.concatenate([part.values for part in parts], axis=1)
    source = np.concatenate([part.source for part in parts])
    return Bars(Interval.M1, unique, np.ascontiguousarray(values[:, first]), source[first])


def _read_parquet(path: Path) -> Bars:
    try:
        table = pq.read_table(path, memory_map=True)
        values = np.empty((N_COLUMNS, table.num_rows))
        for index, name in enumerate(_COLUMNS):
            values[index] = table.column(name).to_numpy()
        open_time = np.asarray(table.column("open_time").to_numpy(), np.int64)
        source = np.asarray(table.column("source").to_numpy(), np.uint8)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise Invalid("file", str(path), f"a Parquet file of one-minute bars ({error})") from error
    return Bars(Interval.M1, open_time, values, source)


def write_parquet(path: Path, bars: Bars) -> None:
    """Write aside, sync, rename, sync the folder: the file is either the old or the new one, never half of it."""
    columns = {"open_time": bars.open_time}
    columns |= {name: bars.values[index] for index, name in enumerate(_COLUMNS)}
    columns["source"] = bars.source  # type: ignore[assignment]
    aside = path.with_suffix(".writing")
    try:
        pq.write_table(pa.table(columns), aside, compression="zstd", compression_level=9)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
