"""The files of one kind of minutes: one per symbol and month, the newest minutes in an append log.

    <root>/<SYMBOL>/<kind>/2023-08.parquet      columns: open_time int64 (ms), those of the kind, source uint8
    <root>/<SYMBOL>/<kind>/tail.log             see tail_log; tail-2.log where the kind has got columns (`Kind.log`)
    <root>/<SYMBOL>/<kind>/commit/              finished files of an import, being moved to their places

`compact` moves the log into the month files: each file is written aside, synced and renamed, and only then the log is cut; a
crash in between leaves minutes in both places, which readers see once. Readers look at the log first and at the month files
after it, so that a compaction beside them hides nothing. `put` writes all its months into a folder that becomes `commit` by
one rename; a writer that finds one finishes the move. A broken month file is left out of the coverage and refused by
`read`; the writer renames it to `….broken` when it recovers or has to write that month, so that its minutes count as missing.
A second, read-only layer may lie beneath (the sample shipped with the program); the store's own minutes hide its.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from atm.model.bars import TimeRange
from atm.model.errors import Invalid, Unavailable
from atm.model.interval import MINUTE_MS
from atm.storage import tail_log
from atm.storage.coverage import ranges_of, union
from atm.storage.file_lock import sync_folder
from atm.storage.minute_columns import Kind, Minutes, better, merged
from atm.storage.month_file import ASIDE, read_month, read_months, read_times, write_aside, write_month

log = logging.getLogger(__name__)

COMPACT_RECORDS = 4_096
"""A log this long is worth a compaction: reading it takes some 5 ms."""


class MinuteFiles:
    """See the module. Raises `Invalid` for a file that is none of its kind; one writer only, which the owner sees to."""

    def __init__(self, kind: Kind, root: Path, sample: Path | None = None) -> None:
        self.root = root
        self._kind = kind
        self._sample = sample
        self._spans: dict[Path, tuple[_Stamp, tuple[TimeRange, ...]]] = {}
        self._log_kinds = [kind, kind.earlier] if kind.earlier else [kind]
        self._tails: dict[str, tuple[list[_Stamp], Minutes]] = {}
        self._months: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.put_aside: list[Path] = []
        """Broken files that the writer has renamed; whoever tells the user of them clears the list."""

    @property
    def name(self) -> str:
        """Of the folder of each symbol."""
        return self._kind.name

    # --- reading ----------------------------------------------------------------------------------------------

    def symbols(self) -> list[str]:
        """Symbols with any stored minute, sorted."""
        roots = [self.root] if self._sample is None else [self.root, self._sample]
        found = {path.parent.name for root in roots for path in root.glob(f"*/{self._kind.name}")}
        return sorted(symbol for symbol in found if self.coverage(symbol))

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes that are stored, as disjoint ascending ranges."""
        below = [] if self._sample is None else _month_files(self._sample / symbol / self._kind.name)
        return union((*self.own_coverage(symbol), *(part for path in below for part in self._ranges(path))))

    def own_coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The same without the sample beneath."""
        pieces = list(ranges_of(self._tail(symbol).open_time))
        for path in _month_files(self._folder(symbol)):
            pieces.extend(self._ranges(path))
        return union(pieces)

    def last(self, symbol: str) -> int | None:
        """Newest stored open time of the own layer (never of the sample), or None."""
        tail = self._tail(symbol)
        newest = [int(tail.open_time[-1])] if len(tail) else []
        for path in reversed(_month_files(self._folder(symbol))):
            ranges = self._ranges(path)
            if ranges:
                newest.append(ranges[-1].end_ms - MINUTE_MS)
                break
        return max(newest, default=None)

    def read(self, symbol: str, start_ms: int, end_ms: int, columns: tuple[str, ...] = ()) -> Minutes:
        """Stored minutes with start_ms <= open time < end_ms, ascending; holes are absent.

        columns: those that are wanted, none others are read; all if there are none.
        """
        kind = self._kind.only(columns) if columns else self._kind
        minutes = self._read_own(kind, symbol, start_ms, end_ms)
        if self._sample is not None:
            below = _read_files(kind, self._sample / symbol / kind.name, start_ms, end_ms)
            minutes = merged(kind, [minutes, below])
        return minutes

    def read_sources(self, symbol: str, start_ms: int, end_ms: int) -> Minutes:
        """As `read`, with no value columns at all."""
        kind = self._kind.only(())
        minutes = self._read_own(kind, symbol, start_ms, end_ms)
        if self._sample is not None:
            below = _read_files(kind, self._sample / symbol / kind.name, start_ms, end_ms)
            minutes = merged(kind, [minutes, below])
        return minutes

    def _read_own(self, kind: Kind, symbol: str, start_ms: int, end_ms: int) -> Minutes:
        tail = self._tail(symbol).between(start_ms, end_ms)
        if kind is not self._kind:
            tail = tail.of_columns(self._kind, kind.columns)
        return merged(kind, [_read_files(kind, self._folder(symbol), start_ms, end_ms), tail], ranked=True)

    # --- writing ----------------------------------------------------------------------------------------------

    def append(self, symbol: str, minutes: Minutes) -> None:
        """Make minutes durable. One stored already is kept, unless it came by stream and the new one did not.

        Raises `Unavailable` when the disk is full; nothing is stored then.
        """
        minutes = self._news(symbol, minutes)
        if not len(minutes):
            return
        path = self._folder(symbol) / self._kind.log
        try:
            if not path.exists():
                self._make_folder(symbol)
                path.touch()
                sync_folder(path.parent)
            known = self._tail(symbol)
            tail_log.append(self._kind, path, minutes)
        except OSError as error:
            raise self._full(symbol, path, error) from error
        if not len(known) or known.open_time[-1] < minutes.open_time[0]:
            # what the log holds now is known: reading it again at every append took as long as the append
            self._tails[symbol] = (self._log_stamps(symbol), merged(self._kind, [known, minutes]))

    def _news(self, symbol: str, minutes: Minutes) -> Minutes:
        """Those minutes that are not stored, or better than what is."""
        if not len(minutes):
            return minutes
        start, end = int(minutes.open_time[0]), int(minutes.open_time[-1]) + 1
        pieces = list(ranges_of(self._tail(symbol).open_time))
        for path in _month_files(self._folder(symbol)):
            pieces.extend(self._ranges(path))
        if not any(piece.start_ms < end and start < piece.end_ms for piece in pieces):
            return minutes
        try:
            known = self._read_own(self._kind, symbol, start, end)
        except Invalid:  # its times could be read, its values cannot
            for path in _touched(self._folder(symbol), start, end):
                self._readable(path)
            known = self._read_own(self._kind, symbol, start, end)
        return better(minutes, known)

    def put(self, symbol: str, minutes: Minutes) -> None:
        """Store many minutes (an import) straight in month files: all of them or none. They replace what is stored.

        May run on another thread than `append` and `compact`.
        """
        folder = self._folder(symbol)
        aside, commit = folder / "aside", folder / "commit"
        with self._months[symbol]:
            try:
                self._make_folder(symbol)
                if commit.exists():
                    _move_committed(commit)
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir()
                for month, part in minutes.by_month():
                    name = f"{month}.parquet"
                    whole = merged(self._kind, [part, *self._readable(folder / name)])
                    write_aside(self._kind, aside / name, whole)
                sync_folder(aside)
                aside.rename(commit)
                sync_folder(folder)
                _move_committed(commit)
            except OSError as error:
                if not commit.exists():
                    shutil.rmtree(aside, ignore_errors=True)
                raise self._full(symbol, folder, error) from error

    def wants_compaction(self, symbol: str) -> bool:
        """Whether the append log is long, or reaches back into a month that is over."""
        times = self._tail(symbol).open_time
        return len(times) >= COMPACT_RECORDS or (len(times) > 0 and _month(times[0]) != _month(times[-1]))

    def compact(self, symbol: str) -> None:
        """Move the append log into the month files. Raises `Unavailable` when the disk is full."""
        folder = self._folder(symbol)
        with self._months[symbol]:
            tail = self._read_logs(folder)
            if not len(tail):
                return
            try:
                for month, part in tail.by_month():
                    path = folder / f"{month}.parquet"
                    write_month(self._kind, path, merged(self._kind, [*self._readable(path), part], ranked=True))
                for kind in self._log_kinds:
                    tail_log.cut(folder / kind.log, 0)
            except OSError as error:
                raise self._full(symbol, folder, error) from error

    # --- deleting ---------------------------------------------------------------------------------------------

    def months(self, symbol: str, start_ms: int, end_ms: int) -> list[Path]:
        """Month files of the own layer that the range touches."""
        return _touched(self._folder(symbol), start_ms, end_ms)

    def cut_out(self, symbol: str, path: Path, start_ms: int, end_ms: int) -> None:
        """Delete the range from a month file, and the file when nothing is left. Raises `Unavailable`."""
        with self._months[symbol]:
            try:
                whole = self._readable(path)
                kept = [part.chosen((part.open_time < start_ms) | (part.open_time >= end_ms)) for part in whole]
                if any(len(part) for part in kept):
                    write_month(self._kind, path, kept[0])
                else:
                    path.unlink(missing_ok=True)
                    sync_folder(path.parent)
            except OSError as error:
                raise self._full(symbol, path, error) from error

    def drop_if_empty(self, symbol: str) -> None:
        """Remove the folder of a symbol in which no minute is left. On the thread of `append`, or a new minute would go with it."""
        folder = self._folder(symbol)
        with self._months[symbol]:
            if not _month_files(folder) and not len(self._tail(symbol)):
                shutil.rmtree(folder, ignore_errors=True)

    def expire(self, symbol: str, keep: int) -> int:
        """Delete the month files that are not among the newest `keep` calendar months (0: none); how many."""
        files = _month_files(self._folder(symbol))
        last = self.last(symbol)
        if not keep or last is None:
            return 0
        year, month = (int(part) for part in _month(last).split("-"))
        oldest = 12 * year + month - keep + 1
        old = [path for path in files if 12 * int(path.stem[:4]) + int(path.stem[5:7]) < oldest]
        with self._months[symbol]:
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def _make_folder(self, symbol: str) -> None:
        folder = self._folder(symbol)
        if not folder.exists():
            folder.mkdir(parents=True)
            sync_folder(folder.parent)
            sync_folder(self.root)

    # --- damage -----------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """What a writer does first: finish or discard what the last one left, cut torn logs, put broken files aside."""
        for folder in self.root.glob(f"*/{self._kind.name}"):
            self._recover(folder)

    def _recover(self, folder: Path) -> None:
        shutil.rmtree(folder / "aside", ignore_errors=True)
        for path in folder.glob(f"*{ASIDE}"):
            path.unlink()
        if (folder / "commit").exists():
            _move_committed(folder / "commit")
        for kind in self._log_kinds:
            path = folder / kind.log
            tail_log.cut(path, tail_log.read(kind, path)[1])
        for path in _month_files(folder):
            try:
                read_times(self._kind, path)
            except Invalid as error:
                self._quarantine(path, error)

    def _readable(self, path: Path) -> list[Minutes]:
        """The minutes of a month file; a broken one is put aside."""
        if not path.exists():
            return []
        try:
            return [read_month(self._kind, path)]
        except Invalid as error:
            self._quarantine(path, error)
            return []

    def look_at(self, symbol: str, name: str) -> None:
        """Read a month file from its first to its last page; one that cannot be read is put aside."""
        self._readable(self._folder(symbol) / name)

    def _quarantine(self, path: Path, error: Invalid) -> None:
        """Out of the way of the program but not out of the world."""
        aside = path.with_suffix(".broken")
        log.error("%s; it is kept as %s and its minutes count as missing", error, aside.name)
        path.replace(aside)
        self.put_aside.append(aside)

    # --- files ------------------------------------------------------------------------------------------------

    def _folder(self, symbol: str) -> Path:
        return self.root / symbol / self._kind.name

    def _tail(self, symbol: str) -> Minutes:
        stamps = self._log_stamps(symbol)
        known = self._tails.get(symbol)
        if known is None or known[0] != stamps:
            known = (stamps, self._read_logs(self._folder(symbol)))
            self._tails[symbol] = known
        return known[1]

    def _log_stamps(self, symbol: str) -> list[_Stamp]:
        folder = self._folder(symbol)
        return [_stamp(folder / kind.log) for kind in self._log_kinds]

    def _read_logs(self, folder: Path) -> Minutes:
        """What the append log holds, and one that an earlier version left."""
        parts = [tail_log.read(kind, folder / kind.log)[0].padded(self._kind) for kind in self._log_kinds]
        return merged(self._kind, parts)

    def _ranges(self, path: Path) -> tuple[TimeRange, ...]:
        """The ranges of a month file; none for a broken one."""
        stamp = _stamp(path)
        known = self._spans.get(path)
        if known is None or known[0] != stamp:
            try:
                ranges = ranges_of(read_times(self._kind, path))
            except FileNotFoundError:  # quarantined this moment
                return ()
            except Invalid as error:
                log.error("%s", error)
                ranges = ()
            known = (stamp, ranges)
            self._spans[path] = known
        return known[1]

    def _full(self, symbol: str, path: Path, error: OSError) -> Unavailable:
        reason = error.strerror or error
        return Unavailable(f"{self._kind.words} of {symbol} could not be stored in {path}: {reason}")


_Stamp = tuple[int, int, int]


def _stamp(path: Path) -> _Stamp:
    """Inode, length and time of change: a file replaced or appended to has another."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (state.st_ino, state.st_size, state.st_mtime_ns)


def _move_committed(commit: Path) -> None:
    """Move finished files to their places; doing it again after a crash changes nothing."""
    for path in sorted(commit.iterdir()):
        path.replace(commit.parent / path.name)
    sync_folder(commit.parent)
    commit.rmdir()


def _month_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("????-??.parquet"))


def _read_files(kind: Kind, folder: Path, start_ms: int, end_ms: int) -> Minutes:
    return read_months(kind, _touched(folder, start_ms, end_ms)).between(start_ms, end_ms)


def _month(open_time: int) -> str:
    return datetime.fromtimestamp(int(open_time) / 1000, UTC).strftime("%Y-%m")


def _touched(folder: Path, start_ms: int, end_ms: int) -> list[Path]:
    return [path for path in _month_files(folder) if _month_touches(path.stem, start_ms, end_ms)]


def _month_touches(month: str, start_ms: int, end_ms: int) -> bool:
    year, number = int(month[:4]), int(month[5:7])
    first = int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000
    after = int(datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
    return first < end_ms and start_ms < after
