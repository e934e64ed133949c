"""Results as files: read back by pandas, whole, with types that other programs understand."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from atm.model.errors import Invalid
from atm.simulators import export
from atm.simulators.statistics.reports import daily
from atm.storage.table_file import write_table
from tests.simulators.test_summary import ROUND, START, concluded

SUMMARY, DETAILS = concluded(ROUND, np.linspace(1_000, 1_010, 40 * 1440))


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_trades_are_read_back_whole(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"trades.{ending}"
    records = [ROUND[0], msgspec.structs.replace(ROUND[1], target_before=1.0, target_after=-1.0, decision_ms=START)]
    write_table(export.trades_table(records), path)
    frame = read(path)
    assert list(frame["side"]) == ["BUY", "SELL"]
    assert list(frame["reason"]) == ["ENTRY", "CLEAR"]
    moments = pd.to_datetime(frame["time"], utc=True)
    assert [int(moment.timestamp() * 1000) for moment in moments] == [t.time_ms for t in ROUND]
    assert frame["decision_time"].isna().tolist() == [True, False]  # a stop was decided by no bar
    assert frame["target_after"].isna().tolist() == [True, False]
    np.testing.assert_array_equal(frame["profit"], [t.profit for t in ROUND])


def test_trips_equity_and_reports_have_typed_columns(tmp_path: Path) -> None:
    tables = {
        "trips": export.trips_table(DETAILS.trips),
        "equity": export.equity_table(np.array([60_000, 120_000]), np.array([1.0, 2.0])),
        "daily": export.report_table(daily(DETAILS.hourly)),
    }
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet")
    trips, equity, days = (read(tmp_path / f"{name}.parquet") for name in tables)
    assert trips[["side", "profit", "fills"]].to_numpy().tolist() == [["BUY", 10.0, 2]]
    assert str(equity["time"].dt.tz) == "UTC"
    assert len(days) == 40
    assert days["fills"].dtype == np.int64
    assert days["equity_close"].iloc[-1] == pytest.approx(1_010)


def test_a_result_without_trades_gives_empty_tables_with_the_same_columns() -> None:
    full, empty = export.trades_table(ROUND), export.trades_table([])
    assert (empty.num_rows, empty.schema) == (0, full.schema)
    assert export.trips_table([]).schema == export.trips_table(DETAILS.trips).schema


def test_another_ending_is_refused_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "trades.xlsx"
    path.write_text("mine")
    with pytest.raises(Invalid, match=r"\.parquet or \.csv"):
        write_table(export.trades_table(ROUND), path)
    assert path.read_text() == "mine"


def test_transfers_keep_their_time_and_sign(tmp_path: Path) -> None:
    path = tmp_path / "transfers.parquet"
    write_table(export.transfers_table(((60_000, 2_500.5), (120_000, -0.25))), path)
    frame = read(path)
    assert frame["amount"].tolist() == [2_500.5, -0.25]
    assert [int(each.timestamp() * 1000) for each in pd.to_datetime(frame["time"], utc=True)] == [60_000, 120_000]
