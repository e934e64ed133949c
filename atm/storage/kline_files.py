"""Reads files of klines into columns: Binance's public-data CSV and zip, CSV with a header line, Parquet.

Nothing is judged here but whether every cell is a number or a time (see `importer` for the rest). A fault is an `Invalid`
whose field names file, line and column. CSV goes through pyarrow; only a file that it cannot read, or in which a fault was
found, is read line by line, which gives the number of the line.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from atm.model.bars import Column
from atm.model.errors import Invalid

VALUE_NAMES = tuple(column.name.lower() for column in Column)
BINANCE_COLUMNS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_REQUIRED = ("open_time", "open", "high", "low", "close", "volume")
_ALIASES = {
    "open_time": ("opentime", "time", "timestamp", "date", "datetime", "opentimeutc"),
    "volume": ("vol", "basevolume"),
    "quote_volume": ("quotevolume", "quoteassetvolume"),
    "trades": ("count", "numberoftrades", "tradecount", "nooftrades", "ntrades"),
    "taker_buy_volume": ("takerbuyvolume", "takerbuybasevolume", "takerbuybaseassetvolume"),
    "taker_buy_quote_volume": ("takerbuyquotevolume", "takerbuyquoteassetvolume"),
}
_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases} | {n: n for n in _REQUIRED}
_DELIMITERS = ",;\t"
_NUMBER = "a number"
_TIME = "a Unix time in s, ms or µs, or an ISO time such as 2023-08-01 00:00:00"
# Unix seconds, milliseconds, microseconds and nanoseconds of the years 1973 to 5138 do not overlap.
_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 10**11, 10**14, 10**17


@dataclass(frozen=True, slots=True)
class KlineColumns:
    """open_time: Unix ms, -1 where the time is no full millisecond; values (9, n), NaN where the file has no such column.

    `place(row)` names a row: "FILUSDT-1m-2023-08.csv line 17".
    """

    name: str
    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    place: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class KlineFile:
    """A file, or a CSV inside a zip. `read(exact)`: with line numbers if exact, which is slower."""

    name: str
    read: Callable[[bool], KlineColumns]


def kline_files(path: Path) -> list[KlineFile]:
    """The kline files that `path` holds. Raises `Invalid` when it is none."""
    if not path.is_file():
        raise Invalid("file", str(path), "a CSV, zip or Parquet file of klines that exists")
    if path.suffix.lower() == ".parquet":
        return [KlineFile(path.name, lambda _: _read_parquet(path))]
    if path.suffix.lower() != ".zip":
        return [_csv_file(path.name, lambda: path.open("rb"))]
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise Invalid("file", path.name, f"a zip file ({error})") from error
    if damaged is not None or not members:
        raise Invalid("file", path.name, f"a whole zip with a CSV inside ({damaged or 'there is none'})")
    return [_csv_file(f"{path.name}/{name}", lambda name=name: _member(path, name)) for name in members]  # type: ignore[misc]


def _member(path: Path, name: str) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        return archive.open(name)  # keeps the file of the archive open until it is closed itself


# --- CSV ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    delimiter: str
    columns: tuple[str, ...]
    """Names of ours by position, "" for columns that are left out."""
    header: bool


def _csv_file(name: str, opened: Callable[[], IO[bytes]]) -> KlineFile:
    def read(exact: bool) -> KlineColumns:
        layout = _layout(name, opened)
        fast = None if exact else _read_fast(name, opened, layout)
        return fast or _read_lines(name, opened, layout)

    return KlineFile(name, read)


@contextmanager
def _text(name: str, opened: Callable[[], IO[bytes]]) -> Iterator[IO[str]]:
    with io.TextIOWrapper(opened(), "utf-8-sig", newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise Invalid("file", name, "a text file in UTF-8 (this one is not text)") from error
        except csv.Error as error:
            raise Invalid("file", name, f"a CSV file ({error})") from error


def _layout(name: str, opened: Callable[[], IO[bytes]]) -> _Layout:
    with _text(name, opened) as file:
        first = file.readline(10_000).rstrip("\r\n")
    if not first.strip():
        raise Invalid("file", name, "a file whose first line is not empty")
    delimiter = max(_DELIMITERS, key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
    if cells[0][:1].isdigit():
        if len(cells) != len(BINANCE_COLUMNS):
            allowed = f"the {len(BINANCE_COLUMNS)} columns of Binance's klines, or a header line"
            raise Invalid(f"{name} line 1", f"{len(cells)} columns without a header", allowed)
        return _Layout(delimiter, BINANCE_COLUMNS, header=False)
    return _Layout(delimiter, _named(f"{name} line 1", cells), header=True)


def _named(place: str, cells: list[str]) -> tuple[str, ...]:
    """Our names for a file's columns. Raises `Invalid` for one that is missing or there twice."""
    names = tuple(_NAMES.get(re.sub(r"[^a-z]", "", cell.lower()), "") for cell in cells)
    for wanted in (*VALUE_NAMES, "open_time"):
        if names.count(wanted) > 1:
            raise Invalid(f"{place}, column {wanted}", cells, "one column of that meaning")
    absent = [wanted for wanted in _REQUIRED if wanted not in names]
    if absent:
        raise Invalid(place, cells, f"a header that names {', '.join(_REQUIRED)} (no {', '.join(absent)} here)")
    return names


def _read_fast(name: str, opened: Callable[[], IO[bytes]], layout: _Layout) -> KlineColumns | None:
    """Through pyarrow; None where that fails, so that the slower reader may say why."""
    positions = [str(index) for index in range(len(layout.columns))]
    wanted = {column: position for position, column in zip(positions, layout.columns, strict=True) if column}
    types = {wanted[column]: pa.float64() for column in VALUE_NAMES if column in wanted}
    try:
        with opened() as file:
            table = pa.csv.read_csv(
                file,
                pa.csv.ReadOptions(column_names=positions, skip_rows=int(layout.header)),
                pa.csv.ParseOptions(delimiter=layout.delimiter),
                pa.csv.ConvertOptions(
                    column_types=types, null_values=[], include_columns=[wanted["open_time"], *types]
                ),
            )
        open_time = _times(table.column(wanted["open_time"]))
    except (pa.ArrowException, zipfile.BadZipFile):
        return None
    if open_time is None or table.num_rows == 0:
        return None
    values = np.full((len(VALUE_NAMES), table.num_rows), np.nan)
    for index, column in enumerate(VALUE_NAMES):
        if column in wanted:
            values[index] = table.column(wanted[column]).to_numpy()
            if not np.isfinite(values[index]).all():
                return None
    return KlineColumns(name, open_time, values, lambda row: f"{name} line {row + 1 + layout.header}")


def _times(column: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """Unix ms of a column of integers or timestamps, None for one of another kind."""
    if column.null_count:
        return None
    if pa.types.is_timestamp(column.type):
        unit = column.type.unit
        ticks = column.cast(pa.timestamp(unit)).cast(pa.int64()).to_numpy()
        if unit == "s":
            return np.asarray(ticks * 1_000, np.int64)
        return _divided(ticks, {"ms": 1, "us": 1_000, "ns": 1_000_000}[unit])
    if not pa.types.is_integer(column.type):
        return None
    try:
        ticks = column.cast(pa.int64()).to_numpy()
    except pa.ArrowException:
        return None
    conditions = [ticks < _SECONDS_BELOW, ticks < _MILLISECONDS_BELOW, ticks < _MICROSECONDS_BELOW]
    choices = [ticks * 1_000, ticks, _divided(ticks, 1_000)]
    return np.asarray(np.select(conditions, choices, _divided(ticks, 1_000_000)), np.int64)


def _divided(ticks: NDArray[np.int64], divisor: int) -> NDArray[np.int64]:
    return np.where(ticks % divisor == 0, ticks // divisor, -1)


def _read_lines(name: str, opened: Callable[[], IO[bytes]], layout: _Layout) -> KlineColumns:
    """Line by line; raises `Invalid` at the first cell that is no number, by line and column."""
    open_time, lines = array("q"), array("q")
    values = {column: array("d") for column in VALUE_NAMES if column in layout.columns}
    with _text(name, opened) as file:
        rows = csv.reader(file, delimiter=layout.delimiter)
        if layout.header:
            next(rows)
        for row in rows:
            if not row or not any(cell.strip() for cell in row):
                continue
            place = f"{name} line {rows.line_num}"
            if len(row) != len(layout.columns):
                raise Invalid(place, f"{len(row)} columns", f"{len(layout.columns)} columns as in the first line")
            for column, cell in zip(layout.columns, row, strict=True):
                if column == "open_time":
                    open_time.append(_time(place, cell))
                elif column in values:
                    values[column].append(_number(place, column, cell))
            lines.append(rows.line_num)
    if not lines:
        raise Invalid("file", name, "a file with at least one bar")
    matrix = np.full((len(VALUE_NAMES), len(lines)), np.nan)
    for index, column in enumerate(VALUE_NAMES):
        if column in values:
            matrix[index] = np.frombuffer(values[column])
    return KlineColumns(name, np.array(open_time, np.int64), matrix, lambda row: f"{name} line {lines[row]}")


def _number(place: str, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Invalid(f"{place}, column {column}", cell, _NUMBER)
    return value


def _time(place: str, cell: str) -> int:
    """Unix ms of one cell, -1 where it is no full millisecond."""
    text = cell.strip()
    try:
        ticks = int(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.replace("/", "-"))
        except ValueError:
            raise Invalid(f"{place}, column open_time", cell, _TIME) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000) if moment.microsecond % 1000 == 0 else -1
    if ticks < _SECONDS_BELOW:
        return ticks * 1000
    if ticks < _MILLISECONDS_BELOW:
        return ticks
    return int(_divided(np.array([ticks]), 1_000 if ticks < _MICROSECONDS_BELOW else 1_000_000)[0])


# --- Parquet ------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> KlineColumns:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise Invalid("file", path.name, f"a Parquet file ({error})") from error
    names = _named(path.name, table.column_names)
    columns = {name: table.column(position) for position, name in enumerate(names) if name}

    def place(row: int) -> str:
        return f"{path.name} row {row + 1}"

    open_time = _times(columns["open_time"])
    if open_time is None:
        raise Invalid(f"{path.name}, column open_time", str(columns["open_time"].type), "whole numbers or timestamps")
    values = np.full((len(VALUE_NAMES), table.num_rows), np.nan)
    for index, name in enumerate(VALUE_NAMES):
        if name not in columns:
            continue
        try:
            values[index] = columns[name].cast(pa.float64()).to_numpy()
        except pa.ArrowException as error:
            raise Invalid(f"{path.name}, column {name}", str(columns[name].type), _NUMBER) from error
        bad = np.flatnonzero(~np.isfinite(values[index]))
        if len(bad):
            cell = pc.take(columns[name], pa.array(bad[:1]))[0].as_py()
            raise Invalid(f"{place(int(bad[0]))}, column {name}", cell, _NUMBER)
    if not table.num_rows:
        raise Invalid("file", path.name, "a file with at least one bar")
    return KlineColumns(path.name, open_time, values, place)
