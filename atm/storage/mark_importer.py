"""Imports mark prices and funding rates from files of the exchange's public data: all of the files named, or none.

Files of mark prices have the form of bars (`importer`) with volumes of 0. Those of funding rates are CSV, in a zip or not, or Parquet:

    calc_time,funding_interval_hours,last_funding_rate

calc_time is the stamp with a few milliseconds of jitter; it is taken as the full minute. The interval is not kept.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS
from atm.model.mark import MARK_PRICES, RecordedMarks
from atm.storage.importer import read_bars

MOST_RATE = 1.0
COLUMNS = ("calc_time", "funding_interval_hours", "last_funding_rate")
_TIME, _RATE = COLUMNS[0], COLUMNS[2]


class MarkSink(Protocol):
    """The part of the market store that an import needs."""

    def put_marks(self, symbol: str, marks: RecordedMarks) -> None: ...


def import_marks(files: Iterable[Path], symbol: str, store: MarkSink) -> int:
    """Store the mark prices of all files; how many minutes they are. Raises as `import_files`."""
    bars = read_bars(files)
    none = RecordedMarks.unrecorded()
    prices = np.ascontiguousarray(bars.values[:MARK_PRICES])
    store.put_marks(symbol, RecordedMarks(bars.open_time, prices, none.rate_time, none.rate))
    return len(bars)


def import_funding(files: Iterable[Path], symbol: str, store: MarkSink) -> int:
    """Store the funding rates of all files; how many they are. Raises `Invalid`, by file, line and column, before anything is stored,
    and `Unavailable` when storing fails."""
    rates: dict[int, float] = {}
    for path in files:
        for place, stamp, rate in _rows(path):
            if rates.setdefault(stamp, rate) != rate:
                raise Invalid(
                    f"{place}, column {_RATE}", rate, "the same rate as in the other file that has this stamp"
                )
    none = RecordedMarks.unrecorded()
    stamps = np.array(sorted(rates), np.int64)
    found = np.array([rates[int(stamp)] for stamp in stamps])
    store.put_marks(symbol, RecordedMarks(none.open_time, none.values, stamps, found))
    return len(rates)


def _rows(path: Path) -> Iterator[tuple[str, int, float]]:
    """(place, stamp, rate) of each row."""
    count = 0
    for place, time, rate in _cells(path):
        stamp = _number(f"{place}, column {_TIME}", time, "a Unix time in ms above 0")
        value = _number(f"{place}, column {_RATE}", rate, f"a fraction between -{MOST_RATE:g} and {MOST_RATE:g}")
        if not 0 < stamp < 1e14:
            raise Invalid(f"{place}, column {_TIME}", time, "a Unix time in ms above 0")
        if not abs(value) < MOST_RATE:
            raise Invalid(f"{place}, column {_RATE}", rate, f"a fraction between -{MOST_RATE:g} and {MOST_RATE:g}")
        yield place, int(stamp) // MINUTE_MS * MINUTE_MS, value
        count += 1
    if not count:
        raise Invalid("file", path.name, "a file with at least one funding rate")


def _cells(path: Path) -> Iterator[tuple[str, object, object]]:
    if path.suffix.lower() == ".parquet":
        try:
            table = pq.read_table(path, columns=[_TIME, _RATE], page_checksum_verification=True)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise Invalid("file", path.name, f"a Parquet file of funding rates ({error})") from error
        for row, (time, rate) in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True), 1):
            yield f"{path.name} row {row}", time, rate
        return
    for name, text in _texts(path):
        at = (0, 2)
        for place, cells in _lines(name, text):
            if not cells[0][:1].isdigit():
                if _TIME not in cells or _RATE not in cells:
                    raise Invalid(place, cells, f"a header that names {_TIME} and {_RATE}")
                at = (cells.index(_TIME), cells.index(_RATE))
            elif len(cells) <= max(at):
                raise Invalid(place, f"{len(cells)} columns", f"the columns {', '.join(COLUMNS)}")
            else:
                yield place, cells[at[0]], cells[at[1]]


def _lines(name: str, text: str) -> list[tuple[str, list[str]]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        return [(f"{name} line {rows.line_num}", cells) for cells in rows if cells]
    except csv.Error as error:
        raise Invalid("file", name, f"a CSV file ({error})") from error


def _texts(path: Path) -> list[tuple[str, str]]:
    """(name, content) of a CSV file or of those in a zip."""
    try:
        if path.suffix.lower() != ".zip":
            return [(path.name, path.read_text("utf-8-sig"))]
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            return [(f"{path.name}/{name}", archive.read(name).decode("utf-8-sig")) for name in names]
    except (zipfile.BadZipFile, OSError, EOFError, UnicodeDecodeError) as error:
        raise Invalid("file", path.name, f"a CSV or zip file of funding rates ({error})") from error


def _number(place: str, cell: object, allowed: str) -> float:
    try:
        value = float(str(cell))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Invalid(place, cell, allowed)
    return value
