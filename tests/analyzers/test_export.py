from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from atm.analyzers import AnalysisPipeline
from atm.analyzers.export import export
from atm.app.command_line import main
from atm.model.errors import Invalid, Unavailable
from atm.model.interval import parse_time
from tests.analyzers.market import SMALL, START_MS, minutes


def test_parquet_and_csv_hold_the_columns_by_name(tmp_path):
    table = AnalysisPipeline(SMALL).run(minutes(300, missing=0.2))
    export(table, tmp_path / "a.parquet")
    export(table, tmp_path / "a.CSV")
    read = pq.read_table(tmp_path / "a.parquet")
    assert read.column_names == ["open_time", "close_time", *table.columns]
    assert read["close_time"][0].as_py().isoformat() == "2023-08-01T00:05:00+00:00"
    for name in ("5m.KLINE.0.close", "5m.BOL.1.upper"):
        values = read[name].to_numpy()
        np.testing.assert_array_equal(values, table.column(name))
        assert read[name].null_count == np.isnan(table.column(name)).sum()
    assert read["5m.BOL.1.upper"].null_count > 0
    with (tmp_path / "a.CSV").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table)
    assert rows[0]["5m.SMA.2.value"] == ""
    assert float(rows[-1]["5m.SMA.2.value"]) == table.column("SMA.2.value")[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.CSV", "a.parquet"]


def test_a_bad_name_or_folder_is_said_in_a_sentence(tmp_path):
    table = AnalysisPipeline(SMALL).run(minutes(30))
    with pytest.raises(Invalid, match=r"ends in \.parquet or \.csv"):
        export(table, tmp_path / "a.xlsx")
    with pytest.raises(Unavailable, match=r"a\.csv could not be written"):
        export(table, tmp_path / "none" / "a.csv")


def test_the_command_writes_the_rows_of_a_file_or_a_stored_configuration(tmp_path, capsys):
    file, out = tmp_path / "c.toml", tmp_path / "out.parquet"
    file.write_text(
        'code = "c"\n[[intervals]]\ninterval = "15m"\nsma = [{ window = 3 }]\n[[intervals]]\ninterval = "1d"\n'
    )
    span = ["--start", "2023-08-02", "--end", "2023-08-04", "--symbol", "FILUSDT", "--out", str(out)]
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "analyse", str(file), *span]) == 0
    assert "192 rows of FILUSDT" in capsys.readouterr().out
    read = pq.read_table(out)
    first, last = (int(read["close_time"][i].as_py().timestamp() * 1000) for i in (0, -1))
    assert (first, last) == (START_MS + 86_400_000 + 900_000, parse_time("2023-08-04"))
    assert read["1d.KLINE.0.close"].null_count == 0
    file.write_text('code = "c"\n[[intervals]]\nsma = [{ window = 1 }, { windw = 3 }]\n')
    assert main([*home, "analyse", str(file), *span]) == 2
    said = capsys.readouterr().err
    assert "intervals[0].sma[0].window: 1" in said
    assert "intervals[0].sma[1].windw" in said
    assert "did you mean window?" in said
    for changed, words in (
        (["nothing", *span], "none is stored"),
        ([str(file), *span[:4], "--symbol", "NOUSDT", *span[6:]], "NOUSDT"),
        ([str(file), "--start", "2023-08-09", *span[2:]], "--end"),
    ):
        file.write_text('code = "c"\n')
        assert main([*home, "analyse", *changed]) == 2
        assert words in capsys.readouterr().err
