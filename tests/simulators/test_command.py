"""`backtest` with its outputs and `compare`, as a user calls them."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from atm.app.command_line import ROOT, main
from atm.simulators.comparison import Comparison
from atm.storage.database import Database
from tests.simulators.test_summary import ROUND, SPEC, concluded


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    text = (ROOT / "examples" / "rqpm_filusdt.toml").read_text().replace("2023-11-01", "2023-08-20")
    path = tmp_path / "short.toml"
    path.write_text(text)
    return path


def test_everything_asked_for_is_written_and_agrees(
    specification: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, trades, trips, hours = (tmp_path / name for name in ("a.html", "t.csv", "r.parquet", "h.parquet"))
    asked = ["--tear-sheet", str(sheet), "--trades", str(trades), "--trips", str(trips), "--hourly", str(hours)]
    assert main(["--home", str(tmp_path), "backtest", str(specification), "--json", *asked]) == 0
    summary = msgspec.json.decode(capsys.readouterr().out)
    assert len(pd.read_csv(trades)) == summary["trades"]
    rows = pd.read_parquet(trips)
    assert len(rows) == summary["round_trips"]
    assert (rows["adverse"] <= 0).all()
    assert (rows["favourable"] >= 0).all()
    frame = pd.read_parquet(hours)
    assert frame["fees"].sum() == pytest.approx(summary["fees"])
    assert frame["equity_close"].iloc[-1] == pytest.approx(summary["final_equity"])
    assert summary["trade_hash"] in sheet.read_text()
    assert list(tmp_path.glob(".*.writing")) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--trades", "x.xlsx"], ".parquet or .csv"),
        (["--tear-sheet", "x.pdf"], ".html"),
        (["--equity", "nowhere/x.csv"], "an existing folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(
    specification: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: str
) -> None:
    assert main(["--home", str(tmp_path), "backtest", str(specification), *asked]) == 2
    assert words in capsys.readouterr().err


def test_files_and_stored_simulations_are_compared(
    specification: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'demo.sqlite3'}")
    for code in ("s", "waiting"):
        database.simulations.add(msgspec.structs.replace(SPEC, code=code), 1)
    summary, details = concluded(ROUND)
    database.simulations.save_result("s", summary, np.zeros(0, np.int64), np.zeros(0), ROUND, details)
    database.close()
    home = ["--home", str(tmp_path), "compare"]
    assert main([*home, str(specification), "s", "--json"]) == 0
    compared = msgspec.json.decode(capsys.readouterr().out, type=Comparison)
    assert compared.codes == ("RQPM FILUSDT", "s")
    assert main([*home, "s", "s"]) == 0
    table = capsys.readouterr().out
    assert "Maximum drawdown" in table
    assert "!" not in table  # the same range and symbols
    for names, words, status in (
        (["s", "nothing"], "the code of a stored simulation (s, waiting)", 2),
        (["s", "waiting"], "has not completed", 1),
        (["s"], "two or more", 2),
    ):
        assert main([*home, *names]) == status
        assert words in capsys.readouterr().err
