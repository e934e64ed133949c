"""Writes stored minutes to files, month by month, in the columns of the exchange's public data (which can be imported again).

exports/FILUSDT-1m-20230801-20230831.parquet                    bars
exports/markPriceKlines/FILUSDT-1m-20230801-20230831.parquet    mark prices, where any are stored
exports/fundingRate/FILUSDT-fundingRate-20230801-….parquet      settled funding rates, where any are stored
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from atm.model.bars import Bars, Column
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.interval import MINUTE_MS, Interval
from atm.model.mark import RecordedMarks
from atm.storage.arrow_columns import to_arrow
from atm.storage.job_table import Outcome
from atm.storage.market_store import MarketStore
from atm.storage.public_files import FUNDING_KIND, MARKS_KIND, Progress

FORMS = ("parquet", "csv")
_VALUES = {
    "open": Column.OPEN,
    "high": Column.HIGH,
    "low": Column.LOW,
    "close": Column.CLOSE,
    "volume": Column.VOLUME,
    "quote_volume": Column.QUOTE_VOLUME,
    "count": Column.TRADES,
    "taker_buy_volume": Column.TAKER_BUY_VOLUME,
    "taker_buy_quote_volume": Column.TAKER_BUY_QUOTE_VOLUME,
}
_MARK_COUNT = 60.0
"""Mark prices of a minute, as the exchange counts them beside volumes of 0: so such a file is told from one of bars."""


def export_minutes(store: MarketStore, symbol: str, start_ms: int, end_ms: int, path: Path) -> Progress:
    """A month a step; the files are there when they are whole. path: of the bars, ends in one of `FORMS`. Raises `Refused` when no
    bars are stored in the range, `Unavailable` when it cannot be written."""
    form = path.suffix[1:]
    if form not in FORMS:
        raise Invalid("form", form, " or ".join(FORMS))
    months = month_starts(start_ms, end_ms)
    bars = _Target(path)
    marks = _Target(path.parent / MARKS_KIND / path.name)
    rates = _Target(path.parent / FUNDING_KIND / path.name.replace("-1m-", f"-{FUNDING_KIND}-"))
    targets = (bars, marks, rates)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for done, (lo, hi) in enumerate(months):
            yield done, len(months)
            found, recorded = store.read(symbol, lo, hi), store.marks(symbol, lo, hi)
            bars.write(len(found), partial(as_table, found))
            marks.write(len(recorded.open_time), partial(_mark_table, recorded))
            rates.write(len(recorded.rate_time), partial(_rate_table, recorded))
        if not bars.rows:
            raise Refused(f"nothing of {symbol} is stored in this range")
        for target in targets:
            target.finish()
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        for target in targets:
            target.discard()
    return Outcome("job.exported", {"bars": f"{bars.rows:,}", "symbol": symbol, "file": str(path)})


class _Target:
    """A file that is written aside, by parts, and is there when it is finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(f".{path.name}.writing")
        self._writer: pa.parquet.ParquetWriter | pa.csv.CSVWriter | None = None
        self.rows = 0

    def write(self, rows: int, table: Callable[[], pa.Table]) -> None:
        """Add a part of so many rows, if it has any."""
        if not rows:
            return
        made = table()
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _writer(self._path.suffix[1:], self._aside, made.schema)
        self._writer.write_table(made)
        self.rows += rows

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._aside.replace(self._path)
            self._writer = None

    def discard(self) -> None:
        """What is not finished."""
        if self._writer is not None:
            self._writer.close()
        self._aside.unlink(missing_ok=True)


def month_starts(start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The range cut at the beginnings of months."""
    pieces = []
    while start_ms < end_ms:
        stop = min(end_ms, Interval.MONTH.next_open(Interval.MONTH.open_time(start_ms)))
        pieces.append((start_ms, stop))
        start_ms = stop
    return pieces


def as_table(bars: Bars) -> pa.Table:
    """The exchange's columns, and where each minute came from."""
    columns = {"open_time": to_arrow(bars.open_time)}
    for name, column in _VALUES.items():
        columns[name] = to_arrow(np.ascontiguousarray(bars.column(column)))
        if name == "volume":
            columns["close_time"] = to_arrow(bars.open_time + MINUTE_MS - 1)
    columns["source"] = to_arrow(bars.source)
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _mark_table(marks: RecordedMarks) -> pa.Table:
    """Mark prices in the form of bars, as the exchange writes them."""
    values = np.zeros((len(Column), len(marks.open_time)))
    values[: len(marks.values)] = marks.values
    values[Column.TRADES] = _MARK_COUNT
    return as_table(Bars(Interval.M1, marks.open_time, values, np.zeros(len(marks.open_time), np.uint8)))


def _rate_table(marks: RecordedMarks) -> pa.Table:
    return pa.Table.from_arrays(
        [to_arrow(marks.rate_time), to_arrow(marks.rate)], names=["calc_time", "last_funding_rate"]
    )


def _writer(form: str, path: Path, schema: pa.Schema) -> pa.parquet.ParquetWriter | pa.csv.CSVWriter:
    if form == "csv":
        return pa.csv.CSVWriter(path, schema)
    return pa.parquet.ParquetWriter(path, schema, compression="zstd")
