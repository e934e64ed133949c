"""The append log of a symbol's newest minutes: fixed-size records, each with its own checksum.

A record is acknowledged when `append` has returned: it is then on disk. A torn record at the end (power cut, kill, full
disk) fails its checksum; readers stop before it and the writer cuts it off when it opens the log.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np

from atm.model.bars import N_COLUMNS, Bars
from atm.model.interval import Interval

_BODY = struct.Struct(f"<q{N_COLUMNS}dB")
_CRC = struct.Struct("<I")
RECORD_SIZE = _BODY.size + _CRC.size
_DTYPE = np.dtype([("open_time", "<i8"), ("values", "<f8", (N_COLUMNS,)), ("source", "u1"), ("crc", "<u4")])


def encode(bars: Bars) -> bytes:
    """Records of all bars, in order."""
    parts = []
    for index in range(len(bars)):
        body = _BODY.pack(int(bars.open_time[index]), *bars.values[:, index].tolist(), int(bars.source[index]))
        parts.append(body + _CRC.pack(zlib.crc32(body)))
    return b"".join(parts)


def read(path: Path) -> tuple[Bars, int]:
    """Bars of all whole records and the length in bytes that they take; ascending by open time, last one wins."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Bars.empty(), 0
    whole = 0
    for start in range(0, len(data) - RECORD_SIZE + 1, RECORD_SIZE):
        body = data[start : start + _BODY.size]
        if _CRC.unpack_from(data, start + _BODY.size)[0] != zlib.crc32(body):
            break
        whole = start + RECORD_SIZE
    records = np.frombuffer(data[:whole], _DTYPE)
    return _columns(records), whole


def _columns(records: np.ndarray) -> Bars:
    times = records["open_time"][::-1]
    _, first = np.unique(times, return_index=True)
    chosen = records[::-1][first]
    return Bars(
        Interval.M1,
        chosen["open_time"].astype(np.int64),
        np.ascontiguousarray(chosen["values"].T.astype(np.float64)),
        chosen["source"].astype(np.uint8),
    )


def append(path: Path, bars: Bars) -> None:
    """Write and sync. On any failure (a full disk, say) the log is cut back to what it was and the error raised."""
    with path.open("ab") as file:
        length = file.tell()
        try:
            file.write(encode(bars))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), length)
            raise


def cut(path: Path, length: int) -> None:
    """Cut a torn end off."""
    if path.exists() and path.stat().st_size > length:
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())
