"""Imports one-minute bars from files into the market store: all of them, or none.

Every file is read and judged before anything is stored; see `kline_files` for the forms that are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bars, Column, Source
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, Interval, format_time, parse_time
from atm.storage.kline_files import KlineColumns, kline_files

_EARLIEST_MS = parse_time("2010-01-01")
_LATEST_MS = parse_time("2100-01-01")
_SYMBOL = re.compile(r"\w{1,32}")
_BINANCE_NAME = re.compile(r"^(\w+)-(\d+(?:m|h|d|w|mo))-\d{4}-\d{2}(-\d{2})?\.")


class BarSink(Protocol):
    """The part of the market store that an import needs."""

    def put(self, symbol: str, bars: Bars) -> None: ...


class Fault(NamedTuple):
    """The first row that is wrong: what is there and what is allowed."""

    row: int
    column: str
    value: object
    allowed: str


def import_files(files: Iterable[Path], symbol: str, interval: str, store: BarSink) -> int:
    """Store the bars of all files; how many they are. Raises `Invalid`, by file, line and column, before anything is
    stored, and `Unavailable` when storing fails."""
    if not _SYMBOL.fullmatch(symbol):
        raise Invalid("symbol", symbol, "the exchange's name of a contract, such as FILUSDT")
    if interval != Interval.M1.value:
        raise Invalid("interval", interval, "1m: every other interval is derived from one-minute bars")
    paths = list(files)
    if not paths:
        raise Invalid("files", "", "at least one file")
    for path in paths:
        _check_name(path, symbol)
    bars = read_bars(paths)
    traded = bars.column(Column.VOLUME).any()
    if not traded and bars.column(Column.TRADES).any():
        raise Invalid(
            "file",
            paths[0].name,
            "bars of trades (these are prices alone; mark prices belong in a folder markPriceKlines)",
        )
    store.put(symbol, bars)
    return len(bars)


def read_bars(paths: Iterable[Path]) -> Bars:
    """All files, judged and joined. Raises as `import_files`."""
    return _joined([_checked(columns) for path in paths for columns in _columns(path)])


def _check_name(path: Path, symbol: str) -> None:
    """A file named as the exchange names them must be of this symbol and interval."""
    named = _BINANCE_NAME.match(path.name)
    if named and named[1] != symbol:
        raise Invalid("file", path.name, f"a file of {symbol}")
    if named and named[2] != Interval.M1.value:
        raise Invalid("file", path.name, "a file of one-minute bars (1m)")


def _columns(path: Path) -> list[KlineColumns]:
    """Columns of a file; read once more line by line where a fault was found, so that the line is right."""
    found = []
    for file in kline_files(path):
        columns = file.read(False)
        found.append(columns if first_fault(columns) is None else file.read(True))
    return found


def _checked(columns: KlineColumns) -> KlineColumns:
    fault = first_fault(columns)
    if fault is not None:
        raise Invalid(f"{columns.place(fault.row)}, column {fault.column}", fault.value, fault.allowed)
    return columns


def first_fault(columns: KlineColumns) -> Fault | None:
    """The first row that is no sound one-minute bar or does not follow the row before it."""
    times, faults = columns.open_time, list(_value_faults(columns))
    for wrong, allowed in (
        (times < 0, "a time in full minutes"),
        ((times < _EARLIEST_MS) | (times >= _LATEST_MS), "a time between the years 2010 and 2099"),
        (times % MINUTE_MS != 0, "a time in full minutes"),
    ):
        faults.extend(_first(wrong, "open_time", times, allowed))
    steps = np.diff(times, prepend=times[0] - MINUTE_MS)
    faults.extend(_first(steps == 0, "open_time", times, "another time than the row before (a duplicate)"))
    faults.extend(_first(steps < 0, "open_time", times, "a later time than the row before"))
    if len(times) > 2 and steps[1:].min() > MINUTE_MS:
        minutes = int(steps[1:].min()) // MINUTE_MS
        faults.append(Fault(1, "open_time", int(times[1]), f"bars of one minute (these are {minutes} minutes apart)"))
    return min(faults, key=lambda fault: fault.row, default=None)


def _value_faults(columns: KlineColumns) -> Iterable[Fault]:
    values = columns.values
    opened, high, low, close = (values[column] for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE))
    for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE):
        yield from _first(~(values[column] > 0), column.name.lower(), values[column], "a price above 0")
    yield from _first(high < np.maximum(opened, close), "high", high, "at least the open and the close of the bar")
    yield from _first(low > np.minimum(opened, close), "low", low, "at most the open and the close of the bar")
    for column in (Column.VOLUME, Column.QUOTE_VOLUME, Column.TRADES):
        yield from _first(values[column] < 0, column.name.lower(), values[column], "0 or more")
    for part, whole in (
        (Column.TAKER_BUY_VOLUME, Column.VOLUME),
        (Column.TAKER_BUY_QUOTE_VOLUME, Column.QUOTE_VOLUME),
    ):
        wrong = (values[part] < 0) | (values[part] > values[whole] * (1 + 1e-9))
        yield from _first(wrong, part.name.lower(), values[part], f"0 up to the {whole.name.lower()} of the bar")


def _first(
    wrong: NDArray[np.bool_], column: str, values: NDArray[np.float64] | NDArray[np.int64], allowed: str
) -> Iterable[Fault]:
    if wrong.any():
        row = int(wrong.argmax())
        yield Fault(row, column, values[row].item(), allowed)


def _joined(parts: list[KlineColumns]) -> Bars:
    """All files in time order. The same minute may be in two of them only with the same values."""
    open_time = np.concatenate([part.open_time for part in parts])
    values = np.concatenate([part.values for part in parts], axis=1)
    order = np.argsort(open_time, kind="stable")
    open_time, values = open_time[order], values[:, order]
    again = np.flatnonzero(np.diff(open_time) == 0) + 1
    differs = [row for row in again if not np.array_equal(values[:, row], values[:, row - 1], equal_nan=True)]
    if differs:
        part, row = _origin(parts, int(order[differs[0]]))
        moment = format_time(int(open_time[differs[0]]))
        raise Invalid(part.place(row), moment, "the same values as in the other file that has this minute")
    kept = np.ones(len(open_time), bool)
    kept[again] = False
    source = np.full(int(kept.sum()), int(Source.ARCHIVE), np.uint8)
    return Bars(Interval.M1, open_time[kept], np.ascontiguousarray(values[:, kept]), source)


def _origin(parts: list[KlineColumns], position: int) -> tuple[KlineColumns, int]:
    """Which part, and which row of it, stands at `position` of all rows."""
    for part in parts:
        if position < len(part.open_time):
            return part, position
        position -= len(part.open_time)
    raise IndexError(position)
