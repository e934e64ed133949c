"""What lies packed in a file: members of zip archives, gzip, Parquet. A search of the packed bytes would find nothing."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


def contents(path: Path) -> Iterator[bytes]:
    """The file as it lies there, and everything in it unpacked."""
    with path.open("rb") as file:
        begin = file.read(4)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name.encode() + b"\n" + archive.read(name)
    elif begin.startswith(_GZIP):
        yield _unpacked(path)
    elif begin == _PARQUET:
        yield from _columns(path)


def _unpacked(path: Path) -> bytes:
    """All of a gzip file; what a killed writer has left of its last member is left out."""
    found = bytearray()
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                found += piece
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass  # what could be read up to there counts
    return bytes(found)


def _columns(path: Path) -> Iterator[bytes]:
    file = pq.ParquetFile(path)
    yield repr(file.metadata.metadata).encode()
    table = file.read()
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_string(column.type):
            yield "\n".join(str(each) for each in column.to_pylist()).encode()
