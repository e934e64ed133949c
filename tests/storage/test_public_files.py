"""Files of the exchange's public data: by name, by checksum, all of a month or none."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from atm.model.bars import Source, TimeRange
from atm.model.errors import ATMError, Invalid
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.export_minutes import export_minutes
from atm.storage.job_table import Outcome
from atm.storage.market_store import MarketStore
from atm.storage.public_files import Progress, import_path, verified

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def rows(start: str, minutes: int, price: float = 5.0) -> str:
    first = parse_time(start)
    return "".join(
        f"{t},{price},{price + 1},{price - 1},{price},10,{t + 59_999},50,3,4,20,0\n"
        for t in range(first, first + minutes * MINUTE_MS, MINUTE_MS)
    )


def public_zip(folder: Path, name: str, text: str, checksum: str | None = "") -> Path:
    """checksum: "" = the right one, None = no file."""
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.csv", text)
    if checksum is not None:
        digest = checksum or hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def done(steps: Progress) -> Outcome:
    while True:
        try:
            next(steps)
        except StopIteration as over:
            assert isinstance(over.value, Outcome)
            return over.value


@pytest.fixture
def store(tmp_path: Path) -> MarketStore:
    return MarketStore(tmp_path / "market", read_only=False)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    (folder / "deeper").mkdir(parents=True)
    return folder


def test_a_folder_is_imported_by_the_names_of_its_files(drop: Path, store: MarketStore) -> None:
    public_zip(drop, "FILUSDT-1m-2023-08", HEADER + "\n" + rows("2023-08-01", 100))
    public_zip(drop / "deeper", "FILUSDT-1m-2023-09-01", rows("2023-09-01", 10), checksum=None)
    public_zip(drop, "NEARUSDT-1m-2023-08", rows("2023-08-01", 5))
    (drop / "readme.txt").write_text("not for the store")
    found = done(import_path(drop, "", store))
    assert found.parameters == {
        "bars": "115", "marks": "0", "rates": "0", "symbol": "FILUSDT, NEARUSDT", "refused": "0", "unchecked": "1",
    }  # fmt: skip
    start = parse_time("2023-08-01")
    assert store.coverage("FILUSDT")[0] == TimeRange(start, start + 100 * MINUTE_MS)
    assert store.provenance("NEARUSDT", start, start + 5 * MINUTE_MS).totals()[Source.ARCHIVE] == 5


def test_a_wrong_checksum_is_refused_with_a_sentence_and_stores_nothing(drop: Path, store: MarketStore) -> None:
    path = public_zip(drop, "FILUSDT-1m-2023-08", rows("2023-08-01", 100), checksum="ab" * 32)
    with pytest.raises(Invalid, match=r"SHA-256 is abababababab… as FILUSDT-1m-2023-08.zip.CHECKSUM says; download"):
        done(import_path(path, "", store))
    assert store.symbols() == []
    (drop / f"{path.name}.CHECKSUM").write_text("what?")
    with pytest.raises(Invalid, match="64 hexadecimal digits"):
        verified(path)


def test_a_bad_month_is_told_and_the_others_are_stored(drop: Path, store: MarketStore) -> None:
    public_zip(drop, "FILUSDT-1m-2023-08", rows("2023-08-01", 100))
    public_zip(drop, "FILUSDT-1m-2023-09", rows("2023-09-01", 50).replace(",6.0,", ",1.0,", 1))
    found = done(import_path(drop, "", store))
    assert (found.parameters["bars"], found.parameters["refused"]) == ("100", "1")
    assert "line 1, column high" in found.notes[0]
    assert len(store.coverage("FILUSDT")) == 1


@pytest.mark.parametrize(
    ("name", "symbol", "match"),
    [("nothing", "", "exists"), ("deeper", "", "FILUSDT-1m-2023-08.zip"), ("bars.csv", "", "does not tell it")],
)
def test_what_cannot_be_imported_is_named(drop: Path, store: MarketStore, name: str, symbol: str, match: str) -> None:
    (drop / "bars.csv").write_text(rows("2023-08-01", 3))
    with pytest.raises(Invalid, match=match):
        done(import_path(drop / name, symbol, store))
    assert done(import_path(drop / "bars.csv", "FILUSDT", store)).parameters["bars"] == "3"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_can_be_imported_again_bit_for_bit(tmp_path: Path, drop: Path, store: MarketStore, form: str) -> None:
    public_zip(drop, "FILUSDT-1m-2023-08", rows("2023-08-31 23:00", 60, 5.123456789))
    public_zip(drop, "FILUSDT-1m-2023-09", rows("2023-09-01", 40, 7.1 + 0.2))
    done(import_path(drop, "", store))
    path = tmp_path / "exports" / f"out.{form}"
    start, end = parse_time("2023-08-31 23:30"), parse_time("2023-09-01 00:20")
    found = done(export_minutes(store, "FILUSDT", start, end, path))
    assert found.parameters["bars"] == "50"
    again = MarketStore(tmp_path / "again", read_only=False)
    done(import_path(path, "FILUSDT", again))
    one, two = (each.read("FILUSDT", start, end) for each in (store, again))
    assert (one.open_time == two.open_time).all() and (one.values == two.values).all()


def test_an_export_of_nothing_or_one_that_is_broken_off_leaves_no_file(tmp_path: Path, store: MarketStore) -> None:
    path = tmp_path / "exports" / "x.csv"
    with pytest.raises(ATMError, match="nothing of X is stored"):
        done(export_minutes(store, "X", 0, 60_000, path))
    steps = export_minutes(store, "X", 0, 60_000, path)
    next(steps)
    steps.close()
    assert list(path.parent.iterdir()) == []
