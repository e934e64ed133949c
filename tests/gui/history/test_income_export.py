"""Income written for other programs: amounts exactly, times as moments."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from atm.gui.history.income_export import export_income
from atm.model.errors import Invalid
from atm.model.income import IncomeRecord
from tests.gui.filled import income_check

RECORDS = [
    IncomeRecord(9, "COMMISSION", "FILUSDT", "USDT", Decimal("-0.00000001"), 1_700_000_000_000, 4),
    IncomeRecord(10, "TRANSFER", "", "USDT", Decimal("12345678.12345678"), 1_700_000_060_000),
]


def test_both_tables_are_written_with_exact_amounts(tmp_path: Path) -> None:
    folder = export_income(RECORDS, income_check(), "parquet", tmp_path / "new" / "one")
    income = pyarrow.parquet.read_table(folder / "income.parquet").to_pylist()
    assert [row["amount"] for row in income] == ["-0.00000001", "12345678.12345678"]
    assert [row["trade_id"] for row in income] == [4, None]
    assert income[0]["time"].timestamp() == 1_700_000_000
    differences = pyarrow.parquet.read_table(folder / "differences.parquet").to_pylist()
    assert {row["cause"] for row in differences} >= {"TRANSFER", "UNKNOWN_FILL", "MISSING_RECORD"}
    export_income(RECORDS, income_check(), "csv", folder)
    assert pyarrow.csv.read_csv(folder / "income.csv").num_rows == 2


def test_another_kind_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="kind"):
        export_income(RECORDS, income_check(), "html", tmp_path / "one")
    assert not (tmp_path / "one").exists()
