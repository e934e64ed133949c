"""The integrity check of the market store: reads every file of a symbol and says what is wrong with it. Changes no data.

Of each month file: whether it can be read (Parquet's own page checksums included), whether it is still what it was at the last
check (`checksums.json`: a file that has the same length and time of change but another SHA-256 was changed by nobody but the
disk), the order of its minutes, duplicates, minutes of another month, prices that cannot be (low above high, zero), volumes
below zero, funding rates that cannot be, unknown sources. Of the append log: records that fail their checksum. And files that
were put aside as broken.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Column, Source
from atm.model.data_job import IntegrityFinding
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS
from atm.storage.file_lock import write_whole
from atm.storage.job_table import Outcome
from atm.storage.minute_columns import FLOW, FUNDING, KLINES, MARKS, Kind, Minutes
from atm.storage.month_file import read_unordered
from atm.storage.public_files import Progress

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"
MOST_FINDINGS = 500
UNREADABLE = "unreadable"
MOST_RATE = 1.0
"""A funding rate of the whole notional; the exchange caps them at a few percent."""
_KNOWN = np.array([Source.STREAM, Source.REST, Source.ARCHIVE, Source.SAMPLE], np.uint8)
Stamps = dict[str, tuple[int, int, str]]
"""By name of a file: its length, time of change in ns, SHA-256."""


def check(root: Path, symbols: list[str]) -> Progress:
    """A file a step. Raises nothing for damage: that is what is reported."""
    kinds = (KLINES, FLOW, MARKS, FUNDING)
    work = [(symbol, kind, path) for symbol in symbols for kind in kinds for path in files_of(root, symbol, kind)]
    found: list[IntegrityFinding] = []
    stamps: dict[Path, Stamps] = {}
    minutes = 0
    for done, (symbol, kind, path) in enumerate(work):
        yield done, len(work)
        known = stamps.setdefault(path.parent, _stamps(path.parent))
        problems, count = problems_of(kind, path, known)
        minutes += count
        found += [IntegrityFinding(symbol, kind.name, path.name, *problem) for problem in problems]
    for folder, known in stamps.items():
        _keep(folder, known)
    parameters = {"files": str(len(work)), "minutes": f"{minutes:,}", "problems": str(len(found))}
    text = "job.checked_damaged" if found else "job.checked"
    return Outcome(text, parameters, findings=tuple(found[:MOST_FINDINGS]))


def files_of(root: Path, symbol: str, kind: Kind) -> list[Path]:
    """Month files, append logs and what was put aside."""
    folder = root / symbol / kind.name
    return sorted(path for pattern in ("????-??.parquet", "tail*.log", "*.broken") for path in folder.glob(pattern))


Problem = tuple[str, int, int]
"""(name, rows, first minute in Unix ms, 0 = unknown)."""


def problems_of(kind: Kind, path: Path, known: Stamps) -> tuple[list[Problem], int]:
    """What is wrong with one file, and how many minutes it holds. `known` takes up the checksum of a sound month file."""
    if path.suffix == ".broken":
        return [("put_aside", 1, 0)], 0
    if path.suffix == ".log":
        return _log_problems(kind, path)
    try:
        rotten = not _unchanged(path, known)
        minutes = read_unordered(kind, path)
    except FileNotFoundError:  # put aside or expired this moment
        return [], 0
    except Invalid:
        return [(UNREADABLE, 1, 0)], 0
    problems = [*_time_problems(path.stem, minutes), *_value_problems(kind, minutes)]
    if rotten:
        problems.insert(0, ("checksum", 1, 0))
    return problems, len(minutes)


def _log_problems(kind: Kind, path: Path) -> tuple[list[Problem], int]:
    """Records that fail their checksum. One that is being written this moment is short, and no damage."""
    if kind.earlier is not None and path.name == kind.earlier.log:
        kind = kind.earlier
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    size, body = kind.record.itemsize, kind.body.size
    records = np.frombuffer(data, kind.record, len(data) // size)
    view = memoryview(data)
    sums = np.array([zlib.crc32(view[at : at + body]) for at in range(0, len(records) * size, size)], np.uint32)
    bad = np.flatnonzero(records["crc"] != sums)
    return ([("log_record", len(bad), 0)] if len(bad) else []), len(records) - len(bad)


def _time_problems(month: str, minutes: Minutes) -> Iterator[Problem]:
    times = minutes.open_time
    steps = np.diff(times)
    yield from _problem("order", np.concatenate(([False], steps < 0)), times)
    again = np.zeros(len(times), bool)
    again[np.setdiff1d(np.arange(len(times)), np.unique(times, return_index=True)[1])] = True
    yield from _problem("duplicate", again, times)
    yield from _problem("minute", np.asarray(times % MINUTE_MS != 0), times)
    start, end = (np.datetime64(month, "M") + shift for shift in (0, 1))
    lo, hi = (int(edge.astype("datetime64[ms]").astype(np.int64)) for edge in (start, end))
    yield from _problem("month", np.asarray((times < lo) | (times >= hi)), times)
    yield from _problem("source", np.isin(minutes.source, _KNOWN, invert=True), times)


def _value_problems(kind: Kind, minutes: Minutes) -> Iterator[Problem]:
    times, values = minutes.open_time, minutes.values
    if kind is FLOW:
        known = values[kind.columns.index("known")]
        yield from _problem("flow", np.asarray(~((known >= 0.0) & (known <= 1.0 + 1e-9))), times)
    elif kind is FUNDING:
        yield from _problem("rates", np.asarray(~(np.abs(values[0]) < MOST_RATE)), times)
    else:
        opened, high, low, close = values[:4]  # of both kinds
        sound = (low > 0) & (low <= np.minimum(opened, close)) & (high >= np.maximum(opened, close)) & np.isfinite(high)
        yield from _problem("prices", np.asarray(~sound), times)
    if kind is KLINES:
        volumes = values[[Column.VOLUME, Column.QUOTE_VOLUME, Column.TRADES]]
        yield from _problem("volumes", np.asarray((volumes < 0).any(axis=0)), times)


def _problem(name: str, wrong: NDArray[np.bool_], times: NDArray[np.int64]) -> Iterator[Problem]:
    if wrong.any():
        yield name, int(wrong.sum()), int(times[int(wrong.argmax())])


# --- checksums of files ---------------------------------------------------------------------------------------------


def _unchanged(path: Path, known: Stamps) -> bool:
    """False when only the disk can have changed it. A file that was written anew since the last check is taken up."""
    state = path.stat()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    stamp = known.get(path.name)
    if stamp is not None and tuple(stamp[:2]) == (state.st_size, state.st_mtime_ns):
        return digest == stamp[2]
    known[path.name] = (state.st_size, state.st_mtime_ns, digest)
    return True


def _stamps(folder: Path) -> Stamps:
    try:
        return msgspec.json.decode((folder / CHECKSUMS).read_bytes(), type=Stamps)
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, OSError) as error:
        log.warning("%s is taken down anew: %s", folder / CHECKSUMS, error)
        return {}


def _keep(folder: Path, known: Stamps) -> None:
    present = {name: stamp for name, stamp in known.items() if (folder / name).exists()}
    try:
        write_whole(folder / CHECKSUMS, msgspec.json.encode(present))
    except OSError as error:
        log.warning("%s cannot be written: %s", folder / CHECKSUMS, error)
