"""Results of a simulation as tables for other programs, and as files. Times UTC; money in the quote asset."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from atm.model.account import TradeRecord
from atm.model.statistics import BalanceReport, RoundTrip
from atm.simulators.statistics.reports import SUMS

_MOMENT = pa.timestamp("ms", "UTC")
_TIMES = {"time_ms": "time", "decision_ms": "decision_time", "start_ms": "start", "end_ms": "end"}
_MONEY = ("profit", "fees")


def trades_table(trades: Sequence[TradeRecord]) -> pa.Table:
    """A row per fill, the fields of `TradeRecord`; the decision time is empty for stops and liquidations."""
    return _table(trades, TradeRecord)


def trips_table(trips: Sequence[RoundTrip]) -> pa.Table:
    """A row per closed round trip, the fields of `RoundTrip`."""
    return _table(trips, RoundTrip)


def _table(records: Sequence[msgspec.Struct], kind: type[msgspec.Struct]) -> pa.Table:
    columns = {}
    for field in msgspec.structs.fields(kind):
        values = [getattr(record, field.name) for record in records]
        if field.name in _TIMES:
            columns[_TIMES[field.name]] = pa.array([value or None for value in values], _MOMENT)
        else:
            columns[field.name] = pa.array([_plain(value) for value in values], _arrow_type(field.type))
    return pa.table(columns)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _arrow_type(kind: Any) -> pa.DataType:
    if kind is int:
        return pa.int64()
    return pa.string() if kind is str or (isinstance(kind, type) and issubclass(kind, Enum)) else pa.float64()


def transfers_table(transfers: Sequence[tuple[int, float]]) -> pa.Table:
    """(Unix ms, paid in, out below 0)."""
    times, amounts = zip(*transfers, strict=True)
    return pa.table({"time": pa.array(times, _MOMENT), "amount": pa.array(amounts, pa.float64())})


def equity_table(time_ms: NDArray[np.int64], equity: NDArray[np.float64]) -> pa.Table:
    """Margin balance at the close of every minute."""
    return pa.table({"time": pa.array(time_ms, _MOMENT), "equity": pa.array(equity)})


def report_table(report: BalanceReport) -> pa.Table:
    """A row per interval: its open time, counts as whole numbers, money and levels."""
    columns = {"open_time": pa.array(report.open_time, _MOMENT)}
    for name, row in zip(report.columns, report.values, strict=True):
        counted = name in SUMS and name not in _MONEY
        columns[name] = pa.array(np.rint(row).astype(np.int64) if counted else np.ascontiguousarray(row))
    return pa.table(columns)
