"""The append log of a symbol's newest minutes: fixed-size records, each with its own checksum.

A record is acknowledged when `append` has returned: it is then on disk. A torn record at the end (power cut, kill, full
disk) fails its checksum; readers stop before it and the writer cuts it off when it opens the log. A damaged record in the
middle (a failing disk) is left out, those behind it are kept.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from atm.storage.minute_columns import Kind, Minutes

log = logging.getLogger(__name__)

_CRC = struct.Struct("<I")


def encode(kind: Kind, minutes: Minutes) -> bytes:
    """Records of all minutes, in order."""
    parts = []
    for index in range(len(minutes)):
        values = minutes.values[:, index].tolist()
        body = kind.body.pack(int(minutes.open_time[index]), *values, int(minutes.source[index]))
        parts.append(body + _CRC.pack(zlib.crc32(body)))
    return b"".join(parts)


def read(kind: Kind, path: Path) -> tuple[Minutes, int]:
    """All whole records and the length in bytes up to the last of them; ascending, the last of a minute wins."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Minutes.empty(kind), 0
    size, body, crc32 = kind.record.itemsize, kind.body.size, zlib.crc32
    records = np.frombuffer(data, kind.record, len(data) // size)
    view = memoryview(data)
    sums = [crc32(view[at : at + body]) for at in range(0, len(records) * size, size)]
    whole = np.flatnonzero(records["crc"] == np.array(sums, np.uint32))
    end = int(whole[-1]) + 1 if len(whole) else 0
    if len(whole) < end:
        log.error("%s: %d damaged records are left out", path, end - len(whole))
    return _columns(records[whole]), end * size


def _columns(records: np.ndarray) -> Minutes:
    times = records["open_time"][::-1]
    _, first = np.unique(times, return_index=True)
    chosen = records[::-1][first]
    return Minutes(
        chosen["open_time"].astype(np.int64),
        np.ascontiguousarray(chosen["values"].T.astype(np.float64)),
        chosen["source"].astype(np.uint8),
    )


def append(kind: Kind, path: Path, minutes: Minutes) -> None:
    """Write and sync. On any failure (a full disk, say) the log is cut back to what it was and the error raised."""
    with path.open("ab", buffering=0) as file:
        length = file.tell()
        try:
            data = memoryview(encode(kind, minutes))
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), length)
            raise


def cut(path: Path, length: int) -> None:
    """Cut off what lies behind `length` bytes, if there is anything."""
    if path.exists() and path.stat().st_size > length:
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())
