"""Writes stored bars to one file, month by month, in the columns of the exchange's public data (which can be imported again)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from atm.model.bars import Bars, Column
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.interval import MINUTE_MS, Interval
from atm.storage.arrow_columns import to_arrow
from atm.storage.job_table import Outcome
from atm.storage.market_store import MarketStore
from atm.storage.public_files import Progress

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


def export_minutes(store: MarketStore, symbol: str, start_ms: int, end_ms: int, path: Path) -> Progress:
    """A month a step; the file is there when it is whole. path ends in one of `FORMS`. Raises `Refused` when nothing is stored
    in the range, `Unavailable` when it cannot be written."""
    form = path.suffix[1:]
    if form not in FORMS:
        raise Invalid("form", form, " or ".join(FORMS))
    months = month_starts(start_ms, end_ms)
    aside, written, writer = path.with_name(f".{path.name}.writing"), 0, None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for done, (lo, hi) in enumerate(months):
            yield done, len(months)
            bars = store.read(symbol, lo, hi)
            if not len(bars):
                continue
            table = as_table(bars)
            if writer is None:
                writer = _writer(form, aside, table.schema)
            writer.write_table(table)
            written += len(bars)
        if writer is None:
            raise Refused(f"nothing of {symbol} is stored in this range")
        writer.close()
        aside.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        if writer is not None:
            writer.close()
        aside.unlink(missing_ok=True)
    return Outcome("job.exported", {"bars": f"{written:,}", "symbol": symbol, "file": str(path)})


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


def _writer(form: str, path: Path, schema: pa.Schema) -> pa.parquet.ParquetWriter | pa.csv.CSVWriter:
    if form == "csv":
        return pa.csv.CSVWriter(path, schema)
    return pa.parquet.ParquetWriter(path, schema, compression="zstd")
