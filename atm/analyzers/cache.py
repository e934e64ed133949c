"""Results of analyses on disk, so that a second backtest of the same bars does not compute them again.

A file is found by a hash of everything that the results depend on: the bars, the order flow where it is read, the
configuration, users' indicators and the program's own source. It carries a fingerprint of each column; one that is broken
in any way is computed again. The files together stay below a limit: those used longest ago go first. Losing the folder costs time only.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import msgspec
import numba
import numpy as np

import atm.analyzers
import atm.model
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisTable
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bars
from atm.model.fingerprint import fingerprint
from atm.model.interval import MINUTE_MS, Interval
from atm.model.trade_method import ELAPSED

log = logging.getLogger(__name__)

ENDING = ".analysis"
PIECE_MINUTES = 50_000
"""Minutes whose rows are computed at once, when there is one for every minute: 25 MB with sixty columns."""
_MAGIC = b"ATMA0001"
_MOST_HEADER_BYTES = 1_000_000


class _Header(msgspec.Struct, frozen=True):
    """fingerprints: of the open times, the close times and each column, in the order in which they stand in the file."""

    interval: Interval
    columns: tuple[str, ...]
    rows: int
    fingerprints: tuple[bytes, ...]


class AnalysisCache:
    """See the module. limit_bytes: of all files together; 0 keeps nothing. May be used by several processes at once."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def table(
        self,
        configuration: AnalysisConfiguration,
        bars: Bars,
        begin_ms: int | None = None,
        columns: Sequence[str] | None = None,
        watch: Callable[[float], None] = lambda _share: None,
    ) -> AnalysisTable:
        """Rows of a new pipeline over one-minute bars, which begins with `begin_ms` or the first of them.

        Computed and stored unless they are there. columns: full names of those that are wanted, None = all; with the column
        `ELAPSED` among them, rows of every minute (these columns alone are stored then). watch: told the share that is done while
        those are computed; what it raises ends that. Raises Invalid like the pipeline; a disk that fails only costs time.
        """
        pipeline = AnalysisPipeline(configuration)
        if columns is not None and f"{configuration.decision.value}.{ELAPSED}" in columns:
            return self._every_minute(pipeline, bars, begin_ms, tuple(columns), watch)
        wanted = pipeline.columns if columns is None else tuple(columns)
        if self._limit <= 0:
            return _computed(pipeline, bars, begin_ms).select(wanted)
        path = self._folder / (_key(pipeline, bars, begin_ms) + ENDING)
        table = _read(path, wanted)
        if table is None:
            whole = _computed(pipeline, bars, begin_ms)
            self._store(path, whole)
            table = whole.select(wanted)
        return table

    def _every_minute(
        self,
        pipeline: AnalysisPipeline,
        bars: Bars,
        begin_ms: int | None,
        wanted: tuple[str, ...],
        watch: Callable[[float], None],
    ) -> AnalysisTable:
        path = self._folder / (_key(pipeline, bars, begin_ms, wanted) + ENDING)
        if self._limit <= 0:
            return _computed_every_minute(pipeline, bars, begin_ms, wanted, watch)
        table = _read(path, wanted, mapped=True)
        if table is None:
            table = _computed_every_minute(pipeline, bars, begin_ms, wanted, watch)
            self._store(path, table)
            table = _read(path, wanted, mapped=True) or table  # the system may take its memory back
        return table

    def _store(self, path: Path, table: AnalysisTable) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._make_room(_size(table)):
                _write(path, table)
        except OSError as error:
            log.warning("results could not be kept in %s: %s", self._folder, error)

    def _make_room(self, size: int) -> bool:
        """Remove files, the one used longest ago first, until another of `size` bytes fits; False if it never does."""
        if size > self._limit:
            return False
        files = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # another process removed it
            files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(file[1] for file in files)
        for _, bytes_, path in sorted(files):
            if total + size <= self._limit:
                break
            path.unlink(missing_ok=True)
            total -= bytes_
        return True


def _computed(pipeline: AnalysisPipeline, bars: Bars, begin_ms: int | None) -> AnalysisTable:
    if begin_ms is not None:
        pipeline.begin(begin_ms)
    return pipeline.run(bars)


def _computed_every_minute(
    pipeline: AnalysisPipeline,
    bars: Bars,
    begin_ms: int | None,
    wanted: tuple[str, ...],
    watch: Callable[[float], None],
) -> AnalysisTable:
    """In pieces: beside what is wanted, the memory holds all columns of one piece."""
    first_ms = int(bars.open_time[0]) if begin_ms is None and len(bars) else begin_ms or 0
    pipeline.begin(first_ms)
    most = (int(bars.open_time[-1]) - first_ms) // MINUTE_MS + 1 if len(bars) else 0
    times, values, count = np.empty((2, most), np.int64), np.empty((len(wanted), most)), 0
    for begin in range(0, len(bars), PIECE_MINUTES):
        watch(begin / len(bars))
        table = pipeline.run_every_minute(bars.slice(begin, min(begin + PIECE_MINUTES, len(bars))), wanted)
        rows = slice(count, count + len(table))
        times[:, rows] = table.open_time, table.close_time
        values[:, rows] = table.select(wanted).values
        count += len(table)
    return AnalysisTable(pipeline.interval, times[0, :count], times[1, :count], wanted, values[:, :count])


def _key(
    pipeline: AnalysisPipeline, bars: Bars, begin_ms: int | None, every_minute: tuple[str, ...] | None = None
) -> str:
    """every_minute: the columns of rows of every minute, None = rows of closed bars."""
    configuration, columns, versions = pipeline.identity
    analyses = configuration.intervals, configuration.decision
    kind = () if every_minute is None else ("every minute", every_minute)
    text = msgspec.json.encode((analyses, columns, versions, begin_ms, bars.interval, program_version(), *kind))
    read = [bars.open_time, bars.values]
    if pipeline.reads_flow and bars.flow is not None:
        read.append(bars.flow)
    return hashlib.sha256(text + fingerprint(*read)).hexdigest()[:40]


@cache
def program_version() -> str:
    """Hash of the sources that make results: any change of a kernel, or of how they are driven, gives another one."""
    whole = hashlib.sha256(numba.__version__.encode())
    for package in (atm.analyzers, atm.model):
        for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def _size(table: AnalysisTable) -> int:
    return table.open_time.nbytes + table.close_time.nbytes + table.values.nbytes + 128 * len(table.columns) + 512


def _write(path: Path, table: AnalysisTable) -> None:
    """Whole or not at all, as far as a reader can see; not synced, for a file torn by a power cut is noticed."""
    arrays = [np.ascontiguousarray(each) for each in (table.open_time, table.close_time, *table.values)]
    prints = tuple(fingerprint(array) for array in arrays)
    header = msgspec.json.encode(_Header(table.interval, table.columns, len(table), prints))
    header += b" " * (-len(header) % 8)  # so that the numbers lie where a processor reads them at once
    aside = path.with_suffix(f".{os.getpid()}.writing")
    try:
        with aside.open("wb") as file:
            file.write(_MAGIC + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest() + header)
            for array in arrays:
                file.write(array.data)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path, columns: tuple[str, ...], mapped: bool = False) -> AnalysisTable | None:
    """Columns of a file, which counts as used now; None when there is none that can be read, or a broken one.

    mapped: they stay in the file, which has just these columns, and come into the memory as they are looked at.

    A broken one is replaced when the results are stored again.
    """
    try:
        with path.open("rb") as file:
            table = _decoded(file, path.stat().st_size, columns, mapped)
        os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the stored results %s are broken and computed again: %s", path.name, error)
        return None
    return table


def _decoded(file: BinaryIO, size: int, columns: tuple[str, ...], mapped: bool) -> AnalysisTable:
    """Raises ValueError (msgspec's included) where the file or one of these columns is not what was written."""
    magic, length, digest = file.read(8), int.from_bytes(file.read(8), "little"), file.read(32)
    if magic != _MAGIC or length > _MOST_HEADER_BYTES:
        raise ValueError("this is no file of results")
    text = file.read(length)
    if hashlib.sha256(text).digest() != digest:
        raise ValueError("its header does not fit its hash")
    header = msgspec.json.decode(text, type=_Header)
    begin = file.tell()
    if size != begin + 8 * header.rows * len(header.fingerprints):
        raise ValueError("it is cut off")
    mapped = mapped and header.rows > 0 and header.columns == columns
    if mapped:
        at = begin + 16 * header.rows
        values = np.asarray(np.memmap(file, np.float64, "c", at, (len(columns), header.rows)))
    else:
        values = np.empty((len(columns), header.rows))
    times = np.empty((2, header.rows), np.int64)
    places = [(0, times[0]), (1, times[1])]
    places += [(2 + header.columns.index(name), row) for name, row in zip(columns, values, strict=True)]
    for number, row in places:
        if not mapped or number < 2:
            file.seek(begin + 8 * header.rows * number)
            file.readinto(row.data)  # type: ignore[attr-defined]
        if fingerprint(row) != header.fingerprints[number]:
            raise ValueError("its contents do not fit their fingerprint")
    return AnalysisTable(header.interval, times[0], times[1], columns, values)
