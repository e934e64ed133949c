"""Writes the income of an account and its differences for other programs. On the reader thread only: this loads pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from atm.model.errors import Invalid, Unavailable
from atm.model.income import IncomeCheck, IncomeRecord
from atm.storage.table_file import write_table

KINDS = ("csv", "parquet")
_MOMENT = pa.timestamp("ms", "UTC")


def export_income(records: Sequence[IncomeRecord], found: IncomeCheck, kind: str, folder: Path) -> Path:
    """`income` and `differences` into a folder; amounts as texts, exactly. Raises Invalid for another kind, Unavailable when the disk
    cannot be written."""
    if kind not in KINDS:
        raise Invalid("kind", kind, ", ".join(KINDS))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_table(_income(records), folder / f"income.{kind}")
        write_table(_differences(found), folder / f"differences.{kind}")
    except OSError as error:
        raise Unavailable(f"{folder} could not be written: {error.strerror or error}") from error
    return folder


def _income(records: Sequence[IncomeRecord]) -> pa.Table:
    return pa.table({
        "time": pa.array([each.time_ms for each in records], _MOMENT),
        "type": [each.kind for each in records],
        "symbol": [each.symbol for each in records],
        "asset": [each.asset for each in records],
        "amount": [f"{each.amount:f}" for each in records],
        "transaction_id": pa.array([each.transaction_id for each in records], pa.int64()),
        "trade_id": pa.array([each.trade_id or None for each in records], pa.int64()),
    })  # fmt: skip


def _differences(found: IncomeCheck) -> pa.Table:
    lines = found.lines
    return pa.table({
        "time": pa.array([each.time_ms for each in lines], _MOMENT),
        "type": [each.kind for each in lines],
        "symbol": [each.symbol for each in lines],
        "asset": [each.asset for each in lines],
        "exchange": pa.array([None if each.exchange is None else f"{each.exchange:f}" for each in lines], pa.string()),
        "own": pa.array([None if each.own is None else f"{each.own:f}" for each in lines], pa.string()),
        "difference": [f"{each.difference:f}" for each in lines],
        "cause": [each.cause.value for each in lines],
        "trade_id": pa.array([each.trade_id or None for each in lines], pa.int64()),
    })  # fmt: skip
