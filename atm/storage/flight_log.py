"""The segments of the black box: lines that are appended, each with its own checksum, bounded in size and age.

    <CRC-32 of the text, 8 hex digits> <text>\\n

A line is handed to the system at once and never synced: it survives the death of the process, not that of the machine. A torn or
damaged line fails its checksum and is left out. A segment that is full is packed (gzip) on a thread beside.
"""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

log = logging.getLogger(__name__)

SUFFIX, PACKED = ".atmbox", ".atmbox.gz"
_UNFINISHED = ".tmp"
_LEVEL = 6
_CRC_DIGITS = 8
_DAY_S = 86_400


class FlightLimits(msgspec.Struct, frozen=True):
    """segment: bytes after which another is begun, which happens once a day anyway, so that what is old can go; total: bytes of all; days:
    age at which one goes."""

    segment: int = 8_000_000
    total: int = 256_000_000
    days: float = 14.0


class FlightLog:
    """The writer; there is one at a time. Every method may raise OSError (a full disk), after which `begin` begins anew.
    wall_ms(): Unix ms, for the age of segments."""

    def __init__(self, folder: Path, limits: FlightLimits, wall_ms: Callable[[], int]) -> None:
        self._folder, self._limits, self._wall_ms = folder, limits, wall_ms
        self._file: BinaryIO | None = None
        self._path = folder
        self._bytes = self._begun_ms = 0
        self._packing: threading.Thread | None = None

    @property
    def is_full(self) -> bool:
        """Whether the segment should be ended."""
        return self._bytes >= self._limits.segment or self._wall_ms() - self._begun_ms >= _DAY_S * 1_000

    @property
    def number(self) -> int:
        """Of the segment that is written; it never comes again."""
        return _number(self._path)

    def begin(self) -> None:
        """Begin another segment; those before are packed, and the oldest go."""
        self._end()
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers = [_number(path) for path in segments(self._folder)]
        self._path = self._folder / f"box-{max(numbers, default=0) + 1:08d}{SUFFIX}"
        self._file = self._path.open("xb", buffering=0)
        self._bytes, self._begun_ms = 0, self._wall_ms()
        self.tidy()

    def append(self, text: bytes) -> None:
        """One line; the text has no line feed."""
        if self._file is None:
            raise OSError("no segment is open")
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        written = self._file.write(line)
        self._bytes += written
        if written != len(line):
            raise OSError("the disk is full")

    def close(self) -> None:
        """End the segment and wait until what is being packed is packed."""
        self._end()
        if self._packing is not None:
            self._packing.join(10.0)

    def tidy(self) -> None:
        """Pack ended segments beside, and let go what is too old or too much."""
        if self._packing is None or not self._packing.is_alive():
            self._packing = threading.Thread(target=self._pack_all, args=(self._path,), name="black box", daemon=True)
            self._packing.start()

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    # --- the thread -------------------------------------------------------------------------------------------

    def _pack_all(self, present: Path) -> None:
        try:
            for path in self._folder.glob(f"*{_UNFINISHED}"):
                path.unlink()
            for path in segments(self._folder):
                if path.name.endswith(SUFFIX) and _number(path) < _number(present):
                    _pack(path)
            self._forget(present)
        except OSError as error:
            log.warning("segments of the black box cannot be tidied: %s", error.strerror)

    def _forget(self, present: Path) -> None:
        old = [path for path in segments(self._folder) if _number(path) < _number(present)]
        known = {path: path.stat() for path in old}
        total = sum(each.st_size for each in known.values())
        oldest_s = self._wall_ms() / 1000 - self._limits.days * _DAY_S
        for path in old:
            if total + self._limits.segment <= self._limits.total and known[path].st_mtime >= oldest_s:
                return
            path.unlink()
            total -= known[path].st_size


def segments(folder: Path) -> list[Path]:
    """Every segment once, the oldest first."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(f"box-*{SUFFIX}*")):
        if path.name.endswith((SUFFIX, PACKED)):
            found[_number(path)] = path  # the packed one comes later: it is whole once it has its name
    return [found[number] for number in sorted(found)]


def read_lines(path: Path) -> Iterator[bytes]:
    """The texts of a segment that are whole. One that has just been packed or has gone is followed or empty."""
    try:
        file = _opened(path)
    except FileNotFoundError:
        packed = path.with_name(path.name.removesuffix(SUFFIX) + PACKED)
        if packed == path or not packed.exists():
            return
        file = _opened(packed)
    with file:
        while True:
            try:
                line = file.readline()
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return
            if not line:
                return
            text = line[_CRC_DIGITS + 1 : -1]
            if line.endswith(b"\n") and line[:_CRC_DIGITS] == b"%08x" % zlib.crc32(text):
                yield text


def _opened(path: Path) -> BinaryIO:
    if path.name.endswith(PACKED):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # GzipFile reads as a BinaryIO does
    return path.open("rb")


def _pack(path: Path) -> None:
    packed = path.with_name(path.name.removesuffix(SUFFIX) + PACKED)
    unfinished = packed.with_name(packed.name + _UNFINISHED)
    stat = path.stat()
    with path.open("rb") as raw, gzip.open(unfinished, "wb", _LEVEL) as out:
        shutil.copyfileobj(raw, out, 1 << 20)
    unfinished.replace(packed)
    os.utime(packed, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    path.unlink()


def _number(path: Path) -> int:
    return int(path.name.removeprefix("box-").split(".", 1)[0])
