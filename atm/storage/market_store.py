"""One-minute bars in Parquet: one file per symbol and month, the newest minutes in an append log.

    <root>/<SYMBOL>/klines_1m/2023-08.parquet      columns: open_time int64 (ms), the nine of `Column`, source uint8
    <root>/<SYMBOL>/klines_1m/tail.log             see tail_log
    <root>/<SYMBOL>/klines_1m/commit/              finished files of an import, being moved to their places

One writer (a file lock), any number of readers. `compact` moves the log into the month files: each file is written
aside, synced and renamed, and only then the log is cut; a crash in between leaves minutes in both places, which readers
see once. Readers look at the log first and at the month files after it, so that a compaction beside them hides nothing.
`put` writes all its months into a folder that becomes `commit` by one rename; a writer that finds one finishes the move.
A broken month file is left out of the coverage and refused by `read`; the writer renames it to `….broken` when it opens
the store or has to write that month, so that its minutes count as missing and are fetched again.
A second, read-only layer may lie beneath (the sample shipped with the program); the store's own minutes hide its.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bars, Source, TimeRange
from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.interval import Interval
from atm.model.program import ProgramContext
from atm.storage import tail_log
from atm.storage.coverage import ranges_of, union
from atm.storage.file_lock import sync_folder, try_lock
from atm.storage.month_file import ASIDE, read_month, read_months, read_times, write_aside, write_month

log = logging.getLogger(__name__)

KIND = "klines_1m"
TAIL = "tail.log"
COMPACT_RECORDS = 4_096
"""A log this long is worth a compaction: reading it takes some 5 ms."""
_RANK = np.zeros(256, np.uint8)
_RANK[[Source.STREAM, Source.REST, Source.ARCHIVE]] = [1, 2, 3]


def open_store(context: ProgramContext, read_only: bool = True) -> MarketStore:
    """The market store of the endpoint in use; on the demo endpoint the shipped sample lies beneath it."""
    sample = context.assets / "sample" if context.endpoint is Endpoint.DEMO else None
    return MarketStore(context.market_root, read_only, sample)


class MarketStore:
    """See the module. Raises `Refused` when a second writer comes, `Invalid` for a file that is no bar file."""

    def __init__(self, root: Path, read_only: bool = True, sample: Path | None = None) -> None:
        self.root = root
        self._sample = sample
        self._read_only = read_only
        self._lock: IO[str] | None = None
        self._spans: dict[Path, tuple[_Stamp, tuple[TimeRange, ...]]] = {}
        self._tails: dict[str, tuple[_Stamp, Bars]] = {}
        self._months: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.put_aside: list[Path] = []
        """Broken files that this writer has renamed; whoever tells the user of them clears the list."""
        if not read_only:
            root.mkdir(parents=True, exist_ok=True)
            self._lock = try_lock(root / "writer.lock")
            if self._lock is None:
                raise Refused(f"another process is writing to the market store {root}")
            for folder in root.glob(f"*/{KIND}"):
                self._recover(folder)

    def close(self) -> None:
        """Give the writer's lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._read_only = True

    # --- reading ----------------------------------------------------------------------------------------------

    def symbols(self) -> list[str]:
        """Symbols with any stored minute, sorted."""
        roots = [self.root] if self._sample is None else [self.root, self._sample]
        found = {path.parent.name for root in roots for path in root.glob(f"*/{KIND}")}
        return sorted(symbol for symbol in found if self.coverage(symbol))

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes that are stored, as disjoint ascending ranges."""
        pieces = list(ranges_of(self._tail(symbol).open_time))
        for path in self._files(symbol):
            pieces.extend(self._ranges(path))
        return union(pieces)

    def last(self, symbol: str) -> int | None:
        """Newest stored open time of this store's own layer (never of the sample), or None."""
        tail = self._tail(symbol)
        newest = [int(tail.open_time[-1])] if len(tail) else []
        for path in reversed(_month_files(self._folder(symbol))):
            ranges = self._ranges(path)
            if ranges:
                newest.append(ranges[-1].end_ms - Interval.M1.nominal_ms)
                break
        return max(newest, default=None)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        """Stored minutes with start_ms <= open time < end_ms, ascending; holes are absent."""
        bars = self._read_own(symbol, start_ms, end_ms)
        if self._sample is not None:
            below = _read_files(_month_files(self._sample / symbol / KIND), start_ms, end_ms)
            bars = _merged([bars, below])
        return bars

    def _read_own(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        tail = self._tail(symbol).between(start_ms, end_ms)
        return _merged([_read_files(_month_files(self._folder(symbol)), start_ms, end_ms), tail], ranked=True)

    # --- writing ----------------------------------------------------------------------------------------------

    def append(self, symbol: str, bars: Bars) -> None:
        """Make bars durable. A minute stored already is kept, unless it came by stream and the new one did not.

        Raises `Unavailable` when the disk is full; nothing is stored then.
        """
        self._must_write()
        bars = self._news(symbol, bars)
        if not len(bars):
            return
        path = self._folder(symbol) / TAIL
        try:
            if not path.exists():
                self._make_folder(symbol)
                path.touch()
                sync_folder(path.parent)
            tail_log.append(path, bars)
        except OSError as error:
            raise _full(symbol, path, error) from error

    def _news(self, symbol: str, bars: Bars) -> Bars:
        """Those bars that are not stored, or better than what is."""
        if not len(bars):
            return bars
        start, end = int(bars.open_time[0]), int(bars.open_time[-1]) + 1
        pieces = list(ranges_of(self._tail(symbol).open_time))
        for path in _month_files(self._folder(symbol)):
            pieces.extend(self._ranges(path))
        if not any(piece.start_ms < end and start < piece.end_ms for piece in pieces):
            return bars
        try:
            known = self._read_own(symbol, start, end)
        except Invalid:  # its times could be read, its values cannot
            for path in _touched(_month_files(self._folder(symbol)), start, end):
                self._readable(path)
            known = self._read_own(symbol, start, end)
        if not len(known):
            return bars
        nearest = np.minimum(np.searchsorted(known.open_time, bars.open_time), len(known) - 1)
        stored: NDArray[np.bool_] = known.open_time[nearest] == bars.open_time
        return _chosen(bars, ~stored | (_RANK[bars.source] > _RANK[known.source[nearest]]))

    def put(self, symbol: str, bars: Bars) -> None:
        """Store many bars (an import) straight in month files: all of them or none. They replace what is stored.

        May run on another thread than `append` and `compact`.
        """
        self._must_write()
        folder = self._folder(symbol)
        aside, commit = folder / "aside", folder / "commit"
        with self._months[symbol]:
            try:
                self._make_folder(symbol)
                if commit.exists():
                    _move_committed(commit)
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir()
                for path, part in _by_month(folder, bars):
                    write_aside(aside / path.name, _merged([part, *self._readable(path)]))
                sync_folder(aside)
                aside.rename(commit)
                sync_folder(folder)
                _move_committed(commit)
            except OSError as error:
                if not commit.exists():
                    shutil.rmtree(aside, ignore_errors=True)
                raise _full(symbol, folder, error) from error

    def wants_compaction(self, symbol: str) -> bool:
        """Whether the append log is long, or reaches back into a month that is over."""
        times = self._tail(symbol).open_time
        return len(times) >= COMPACT_RECORDS or (len(times) > 0 and _month(times[0]) != _month(times[-1]))

    def compact(self, symbol: str) -> None:
        """Move the append log into the month files. Raises `Unavailable` when the disk is full."""
        self._must_write()
        folder = self._folder(symbol)
        with self._months[symbol]:
            tail, length = tail_log.read(folder / TAIL)
            if not length:
                return
            try:
                for path, part in _by_month(folder, tail):
                    write_month(path, _merged([*self._readable(path), part], ranked=True))
                tail_log.cut(folder / TAIL, 0)
            except OSError as error:
                raise _full(symbol, folder, error) from error

    def _make_folder(self, symbol: str) -> None:
        folder = self._folder(symbol)
        if not folder.exists():
            folder.mkdir(parents=True)
            sync_folder(folder.parent)
            sync_folder(self.root)

    def _must_write(self) -> None:
        if self._read_only:
            raise Refused(f"the market store {self.root} was opened for reading")

    # --- damage -----------------------------------------------------------------------------------------------

    def _recover(self, folder: Path) -> None:
        """What a writer does first: finish or discard what the last one left, cut a torn log, put broken files aside."""
        shutil.rmtree(folder / "aside", ignore_errors=True)
        for path in folder.glob(f"*{ASIDE}"):
            path.unlink()
        if (folder / "commit").exists():
            _move_committed(folder / "commit")
        path = folder / TAIL
        tail_log.cut(path, tail_log.read(path)[1])
        for path in _month_files(folder):
            try:
                read_times(path)
            except Invalid as error:
                self._quarantine(path, error)

    def _readable(self, path: Path) -> list[Bars]:
        """The bars of a month file; a broken one is put aside."""
        if not path.exists():
            return []
        try:
            return [read_month(path)]
        except Invalid as error:
            self._quarantine(path, error)
            return []

    def _quarantine(self, path: Path, error: Invalid) -> None:
        """Out of the way of the program but not out of the world."""
        aside = path.with_suffix(".broken")
        log.error("%s; it is kept as %s and its minutes count as missing", error, aside.name)
        path.replace(aside)
        self.put_aside.append(aside)

    # --- files ------------------------------------------------------------------------------------------------

    def _folder(self, symbol: str) -> Path:
        return self.root / symbol / KIND

    def _files(self, symbol: str) -> list[Path]:
        below = [] if self._sample is None else _month_files(self._sample / symbol / KIND)
        return _month_files(self._folder(symbol)) + below

    def _tail(self, symbol: str) -> Bars:
        path = self._folder(symbol) / TAIL
        stamp = _stamp(path)
        known = self._tails.get(symbol)
        if known is None or known[0] != stamp:
            known = (stamp, tail_log.read(path)[0])
            self._tails[symbol] = known
        return known[1]

    def _ranges(self, path: Path) -> tuple[TimeRange, ...]:
        """The ranges of a month file; none for a broken one."""
        stamp = _stamp(path)
        known = self._spans.get(path)
        if known is None or known[0] != stamp:
            try:
                ranges = ranges_of(read_times(path))
            except FileNotFoundError:  # quarantined this moment
                return ()
            except Invalid as error:
                log.error("%s", error)
                ranges = ()
            known = (stamp, ranges)
            self._spans[path] = known
        return known[1]


_Stamp = tuple[int, int, int]


def _stamp(path: Path) -> _Stamp:
    """Inode, length and time of change: a file replaced or appended to has another."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (state.st_ino, state.st_size, state.st_mtime_ns)


def _full(symbol: str, path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"bars of {symbol} could not be stored in {path}: {error.strerror or error}")


def _move_committed(commit: Path) -> None:
    """Move finished files to their places; doing it again after a crash changes nothing."""
    for path in sorted(commit.iterdir()):
        path.replace(commit.parent / path.name)
    sync_folder(commit.parent)
    commit.rmdir()


def _month_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("????-??.parquet"))


def _month(open_time: int) -> str:
    return datetime.fromtimestamp(int(open_time) / 1000, UTC).strftime("%Y-%m")


def _by_month(folder: Path, bars: Bars) -> list[tuple[Path, Bars]]:
    months: NDArray[np.datetime64] = bars.open_time.astype("datetime64[ms]").astype("datetime64[M]")
    return [(folder / f"{month}.parquet", _chosen(bars, months == month)) for month in np.unique(months)]


def _read_files(paths: list[Path], start_ms: int, end_ms: int) -> Bars:
    return read_months(_touched(paths, start_ms, end_ms)).between(start_ms, end_ms)


def _touched(paths: list[Path], start_ms: int, end_ms: int) -> list[Path]:
    return [path for path in paths if _month_touches(path.stem, start_ms, end_ms)]


def _month_touches(month: str, start_ms: int, end_ms: int) -> bool:
    year, number = int(month[:4]), int(month[5:7])
    first = int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000
    after = int(datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
    return first < end_ms and start_ms < after


def _chosen(bars: Bars, which: NDArray[np.bool_]) -> Bars:
    return Bars(bars.interval, bars.open_time[which], bars.values[:, which], bars.source[which])


def _merged(parts: list[Bars], ranked: bool = False) -> Bars:
    """One ascending series. Of bars of one minute the first part's stays; `ranked`: the better source's before that."""
    parts = [part for part in parts if len(part)]
    if len(parts) <= 1:
        return parts[0] if parts else Bars.empty()
    if all(a.open_time[-1] < b.open_time[0] for a, b in itertools.pairwise(parts)):
        return Bars.concatenate(parts)
    open_time = np.concatenate([part.open_time for part in parts])
    source = np.concatenate([part.source for part in parts])
    place = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.lexsort((place, -_RANK[source].astype(np.int8) if ranked else place, open_time))
    first = order[np.concatenate(([True], np.diff(open_time[order]) > 0))]
    values = np.concatenate([part.values for part in parts], axis=1)
    return Bars(Interval.M1, open_time[first], np.ascontiguousarray(values[:, first]), source[first])
