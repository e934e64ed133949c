"""Public files of mark prices and funding rates, and exports of them that can be imported again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atm.model.bars import Bar, Bars, Source
from atm.model.errors import Invalid
from atm.model.interval import HOUR_MS, MINUTE_MS, parse_time
from atm.model.mark import Mark
from atm.storage.export_minutes import export_minutes
from atm.storage.market_store import MarketStore
from atm.storage.public_files import import_path
from tests.storage.test_public_files import HEADER, done, public_zip

START = parse_time("2023-08-01")
RATES = "calc_time,funding_interval_hours,last_funding_rate\n"


@pytest.fixture
def store(tmp_path: Path) -> MarketStore:
    return MarketStore(tmp_path / "market", read_only=False)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    for kind in ("markPriceKlines", "indexPriceKlines"):
        (tmp_path / "drop" / kind / "FILUSDT" / "1m").mkdir(parents=True)
    return tmp_path / "drop"


def prices(minutes: int, price: float = 5.0) -> str:
    """As the exchange writes derived bars: no volume, sixty values."""
    return "".join(
        f"{t},{price},{price + 1},{price - 1},{price},0,{t + 59_999},0,60,0,0,0\n"
        for t in range(START, START + minutes * MINUTE_MS, MINUTE_MS)
    )


def rates(*values: float, jitter_ms: int = 7) -> str:
    return "".join(f"{START + n * 8 * HOUR_MS + jitter_ms},8,{value}\n" for n, value in enumerate(values))


def test_a_folder_as_the_exchange_keeps_it_is_imported_by_kind(drop: Path, store: MarketStore) -> None:
    public_zip(drop / "markPriceKlines/FILUSDT/1m", "FILUSDT-1m-2023-08", HEADER + "\n" + prices(30))
    public_zip(drop / "indexPriceKlines/FILUSDT/1m", "FILUSDT-1m-2023-08", prices(30, 9.0))
    public_zip(drop, "FILUSDT-fundingRate-2023-08", RATES + rates(0.0001, -0.0002))
    found = done(import_path(drop, "", store))
    assert (found.parameters["bars"], found.parameters["marks"], found.parameters["rates"]) == ("0", "30", "2")
    assert found.parameters["unchecked"] == "0"
    marks = store.marks("FILUSDT", 0, 2**60)
    np.testing.assert_array_equal(marks.values[:, 0], [5, 6, 4, 5])
    assert marks.rate_time.tolist() == [START, START + 8 * HOUR_MS] and marks.rate.tolist() == [0.0001, -0.0002]
    assert store.symbols() == []


def test_prices_without_trades_are_not_taken_for_bars(drop: Path, store: MarketStore) -> None:
    path = public_zip(drop, "FILUSDT-1m-2023-08", prices(5))
    with pytest.raises(Invalid, match=r"bars of trades.*markPriceKlines"):
        done(import_path(path, "", store))


def test_a_wrong_checksum_or_number_stores_nothing(drop: Path, store: MarketStore) -> None:
    path = public_zip(drop, "FILUSDT-fundingRate-2023-08", rates(0.0001), checksum="ab" * 32)
    with pytest.raises(Invalid, match="download it again"):
        done(import_path(path, "", store))
    for text, sentence in (
        (RATES + rates(0.0001, 1.5), "csv line 3, column last_funding_rate"),
        (RATES + "x,8,0.1\n", "csv line 2"),
        (RATES, "at least one funding rate"),
        ("calc_time,rate\n1,2\n", "a header that names calc_time and last_funding_rate"),
        (rates(0.0001) + "1690848000009,8,0.0002\n", "the same rate"),
        ("1690848000009,8\n", "2 columns"),
    ):
        path = public_zip(drop, "FILUSDT-fundingRate-2023-08", text)
        with pytest.raises(Invalid, match=sentence):
            done(import_path(path, "", store))
    assert len(store.marks("FILUSDT", 0, 2**60).rate) == 0


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_an_export_can_be_imported_again(tmp_path: Path, store: MarketStore, form: str) -> None:
    rows = [
        Bar(
            START + m * MINUTE_MS,
            5,
            6,
            4,
            5,
            10,
            50,
            3,
            4,
            20,
            mark=Mark(5.1, 6.1, 4.1 + m / 7e3, 5.1, 1e-4 * (m % 480 == 0) or np.nan),
        )
        for m in range(1_000)
    ]
    store.append("X", Bars.of(rows, Source.STREAM))
    path = tmp_path / "exports" / f"X-1m-20230801-20230801.{form}"
    done(export_minutes(store, "X", START, START + 1_000 * MINUTE_MS, path))
    assert sorted(str(each.relative_to(path.parent)) for each in path.parent.rglob("X*")) == [
        f"X-1m-20230801-20230801.{form}", f"fundingRate/X-fundingRate-20230801-20230801.{form}",
        f"markPriceKlines/X-1m-20230801-20230801.{form}",
    ]  # fmt: skip
    again = MarketStore(tmp_path / "again", read_only=False)
    for each in path.parent.rglob("X*"):
        done(import_path(each, "X", again))
    for found, original in zip(
        (again.marks("X", 0, 2**60), again.read("X", 0, 2**60)),
        (store.marks("X", 0, 2**60), store.read("X", 0, 2**60)),
        strict=True,
    ):
        np.testing.assert_array_equal(found.open_time, original.open_time)
        np.testing.assert_array_equal(found.values, original.values)
    assert again.marks("X", 0, 2**60).rate_time.tolist() == store.marks("X", 0, 2**60).rate_time.tolist()


def test_an_export_without_marks_is_one_file(tmp_path: Path, store: MarketStore) -> None:
    store.append("X", Bars.of([Bar(START, 5, 6, 4, 5, 10, 50, 3, 4, 20)], Source.STREAM))
    path = tmp_path / "exports" / "X-1m-20230801-20230801.csv"
    done(export_minutes(store, "X", START, START + MINUTE_MS, path))
    assert [each.name for each in path.parent.rglob("*")] == [path.name]
