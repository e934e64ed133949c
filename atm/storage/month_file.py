"""One month of one-minute bars as a Parquet file: written aside and renamed, read with its page checksums verified.

Uncompressed but for the dictionaries of prices it would be half as fast again to read and three times the size; zstd with
the bytes of equal weight together is what five years of a symbol are read with in a fraction of a second.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from atm.model.bars import N_COLUMNS, Bars, Column
from atm.model.errors import Invalid
from atm.model.interval import Interval
from atm.storage.file_lock import sync_file, sync_folder

COLUMNS = tuple(column.name.lower() for column in Column)
ASIDE = ".writing"
_PRICES = ["open", "high", "low", "close", "source"]
_ENCODINGS = {"open_time": "DELTA_BINARY_PACKED"} | {
    name: "BYTE_STREAM_SPLIT" for name in COLUMNS if name not in _PRICES
}


def write_month(path: Path, bars: Bars) -> None:
    """The file is the old one or the new one, never half of it, whatever happens. Raises OSError."""
    aside = path.with_suffix(ASIDE)
    try:
        write_aside(aside, bars)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_aside(path: Path, bars: Bars) -> None:
    """Write and sync a file that nobody reads yet."""
    columns: dict[str, NDArray[np.generic]] = {"open_time": bars.open_time}
    columns |= {name: bars.values[index] for index, name in enumerate(COLUMNS)}
    columns["source"] = bars.source
    pq.write_table(
        pa.table(columns),
        path,
        compression="zstd",
        use_dictionary=_PRICES,
        column_encoding=_ENCODINGS,
        write_page_checksum=True,
    )
    sync_file(path)


def read_month(path: Path) -> Bars:
    """All bars of a file. Raises `Invalid` naming the file when it is broken or none of ours."""
    try:
        table = pq.read_table(path, memory_map=True, page_checksum_verification=True)
        values = np.empty((N_COLUMNS, table.num_rows))
        for index, name in enumerate(COLUMNS):
            values[index] = table.column(name).to_numpy()
        open_time = np.asarray(table.column("open_time").to_numpy(), np.int64)
        source = np.asarray(table.column("source").to_numpy(), np.uint8)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise Invalid("file", str(path), f"a Parquet file of one-minute bars ({error})") from error
    if len(open_time) > 1 and not (np.diff(open_time) > 0).all():
        raise Invalid("file", str(path), "a Parquet file of one-minute bars with ascending open times")
    return Bars(Interval.M1, open_time, values, source)


def read_times(path: Path) -> NDArray[np.int64]:
    """The open times of a file; raises as `read_month`."""
    try:
        column = pq.read_table(path, columns=["open_time"], memory_map=True, page_checksum_verification=True)
        return np.asarray(column.column("open_time").to_numpy(), np.int64)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise Invalid("file", str(path), f"a Parquet file of one-minute bars ({error})") from error
