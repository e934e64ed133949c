import csv
import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atm.model.bars import Bars, Column, Source
from atm.model.errors import Invalid, Unavailable
from atm.model.interval import MINUTE_MS, parse_time
from atm.storage.importer import import_files
from atm.storage.kline_files import kline_files
from atm.storage.market_store import KIND, MarketStore
from atm.storage.minute_columns import Kind, Minutes

START = parse_time("2023-08-31 23:50")
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
Row = list[object]


def rows(count: int = 20, step_ms: int = MINUTE_MS) -> list[Row]:
    """As the exchange publishes them: numbers as texts, twelve columns."""
    found: list[Row] = []
    for n in range(count):
        opened, price = START + n * step_ms, 4 + n / 8
        found.append(
            [opened, price, price + 0.5, price - 0.25, price + 0.25, 10.5, opened + 59_999, 44.0, 7, 5.25, 21.5, 0]
        )
    return found


def text(lines: list[Row], header: str | None = HEADER) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        out.write(header + "\n")
    writer.writerows(lines)
    return out.getvalue()


@pytest.fixture
def store(home: Path) -> MarketStore:
    return MarketStore(home / "market", read_only=False)


def stored(store: MarketStore) -> Bars:
    return store.read("FILUSDT", 0, 2**60)


def assert_is_everything(bars: Bars, full: bool = True) -> None:
    assert bars.open_time.tolist() == [START + n * MINUTE_MS for n in range(20)]
    np.testing.assert_array_equal(bars.high, [4 + n / 8 + 0.5 for n in range(20)])
    assert set(bars.source) == {int(Source.ARCHIVE)}
    if full:
        np.testing.assert_array_equal(bars.column(Column.TRADES), np.full(20, 7.0))
        np.testing.assert_array_equal(bars.column(Column.TAKER_BUY_QUOTE_VOLUME), np.full(20, 21.5))
    else:
        assert np.isnan(bars.column(Column.TRADES)).all()


def scaled(factor: int) -> list[Row]:
    return [[int(str(row[0])) * factor, *row[1:6], int(str(row[6])) * factor + factor - 1, *row[7:]] for row in rows()]


BINANCE: dict[str, str] = {
    "header": text(rows()),
    "no header": text(rows(), None),
    "microseconds": text(scaled(1_000), None),
    "line ends": text(rows()).replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + text(rows()),
    "blank lines": text(rows()).replace("\n", "\n\n"),
}


@pytest.mark.parametrize("content", BINANCE.values(), ids=BINANCE.keys())
def test_public_data_files_are_read_as_csv_and_zip(content: str, store: MarketStore, tmp_path: Path) -> None:
    path = tmp_path / "FILUSDT-1m-2023-08.csv"
    path.write_text(content, "utf-8", newline="")
    assert import_files([path], "FILUSDT", "1m", store) == 20
    assert_is_everything(stored(store))
    assert sorted(p.name for p in (store.root / "FILUSDT" / KIND).glob("*")) == ["2023-08.parquet", "2023-09.parquet"]
    with zipfile.ZipFile(tmp_path / "NEARUSDT-1m-2023-08.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "NEARUSDT-1m-2023-08.csv")
    assert import_files([tmp_path / "NEARUSDT-1m-2023-08.zip"], "NEARUSDT", "1m", store) == 20
    assert_is_everything(store.read("NEARUSDT", 0, 2**60))


def _iso(row: Row, form: str) -> str:
    return datetime.fromtimestamp(int(str(row[0])) / 1000, UTC).strftime(form)


GENERAL: dict[str, Callable[[Row], object]] = {
    "s": lambda row: int(str(row[0])) // 1000,
    "ms": lambda row: row[0],
    "us": lambda row: int(str(row[0])) * 1000,
    "ns": lambda row: int(str(row[0])) * 1_000_000,
    "iso": lambda row: _iso(row, "%Y-%m-%d %H:%M:%S"),
    "iso minute": lambda row: _iso(row, "%Y-%m-%d %H:%M"),
    "iso T Z": lambda row: _iso(row, "%Y-%m-%dT%H:%M:%SZ"),
    "iso zone": lambda row: _iso(row, "%Y-%m-%dT%H:%M:%S+00:00"),
    "slashes": lambda row: _iso(row, "%Y/%m/%d %H:%M:%S"),
}


@pytest.mark.parametrize("time", GENERAL.values(), ids=GENERAL.keys())
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_csv_files_are_read_by_their_header(
    time: Callable[[Row], object], delimiter: str, store: MarketStore, tmp_path: Path
) -> None:
    lines = [delimiter.join(str(cell) for cell in (row[5], time(row), *row[1:5])) for row in rows()]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([delimiter.join(["Volume", "Date", "Open", "HIGH", "low", "Close"]), *lines]))
    assert import_files([path], "FILUSDT", "1m", store) == 20
    assert_is_everything(stored(store), full=False)


def test_parquet_is_read_with_integers_or_timestamps(store: MarketStore, tmp_path: Path) -> None:
    columns = dict(zip(HEADER.split(","), map(list, zip(*rows(), strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert import_files([tmp_path / "a.parquet"], "FILUSDT", "1m", store) == 20
    assert_is_everything(stored(store))
    columns["open_time"] = pa.array(columns["open_time"], pa.timestamp("ms", "UTC")).cast(pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table(columns), tmp_path / "b.parquet")
    assert import_files([tmp_path / "b.parquet"], "NEARUSDT", "1m", store) == 20
    assert_is_everything(store.read("NEARUSDT", 0, 2**60))


def _set(line: int, column: int, value: object) -> Callable[[list[Row]], None]:
    def change(lines: list[Row]) -> None:
        lines[line - 2][column] = value

    return change


def _drop_cell(lines: list[Row]) -> None:
    lines[15].pop()


def _repeat(lines: list[Row]) -> None:
    lines.insert(6, list(lines[5]))


def _swap(lines: list[Row]) -> None:
    lines[5], lines[6] = lines[6], lines[5]


WRONG = {
    "no number": (_set(17, 2, "abc"), "line 17, column high: 'abc' is not allowed; allowed: a number"),
    "empty cell": (_set(17, 5, ""), "line 17, column volume: '' is not allowed; allowed: a number"),
    "nan": (_set(3, 4, "NaN"), "line 3, column close: 'NaN' is not allowed; allowed: a number"),
    "infinity": (_set(3, 4, "inf"), "line 3, column close: 'inf' is not allowed; allowed: a number"),
    "high below open": (_set(9, 2, 1.0), "line 9, column high: 1.0 is not allowed; allowed: at least the open"),
    "low above close": (_set(9, 3, 99.0), "line 9, column low: 99.0 is not allowed; allowed: at most the open"),
    "price 0": (_set(2, 1, 0), "line 2, column open: 0.0 is not allowed; allowed: a price above 0"),
    "volume < 0": (_set(21, 5, -1), "line 21, column volume: -1.0 is not allowed; allowed: 0 or more"),
    "taker > all": (_set(4, 9, 11), "line 4, column taker_buy_volume: 11.0 is not allowed; allowed: 0 up to"),
    "no time": (_set(5, 0, "soon"), "line 5, column open_time: 'soon' is not allowed; allowed: a Unix time"),
    "off grid": (_set(5, 0, START + 3 * MINUTE_MS + 1), "line 5, column open_time: .* allowed: a time in full minutes"),
    "too old": (_set(2, 0, 86_400_000), "line 2, column open_time: .* between the years 2010 and 2099"),
    "duplicate": (_repeat, "line 8, column open_time: .* another time than the row before"),
    "not ascending": (_swap, "line 8, column open_time: .* a later time than the row before"),
    "cells missing": (_drop_cell, "line 17: '11 columns' is not allowed; allowed: 12 columns as in the first line"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("header", [HEADER, None])
def test_a_wrong_file_is_refused_by_line_and_column_and_nothing_is_stored(
    change: Callable[[list[Row]], None], message: str, header: str | None, store: MarketStore, tmp_path: Path
) -> None:
    good, bad = tmp_path / "FILUSDT-1m-2023-07.csv", tmp_path / "FILUSDT-1m-2023-08.csv"
    good.write_text(text([[int(str(row[0])) - 20 * MINUTE_MS, *row[1:]] for row in rows()]))
    lines = rows()
    change(lines)
    bad.write_text(text(lines, header))
    if header is None:
        message = re.sub(r"^line (\d+)", lambda found: f"line {int(found[1]) - 1}", message)
    with pytest.raises(Invalid, match=f"^FILUSDT-1m-2023-08.csv {message}"):
        import_files([good, bad], "FILUSDT", "1m", store)
    assert store.symbols() == []


def test_line_numbers_count_blank_lines(store: MarketStore, tmp_path: Path) -> None:
    lines = rows()
    lines[7][2] = 0.5
    path = tmp_path / "x.csv"
    path.write_text(text(lines).replace("\n", "\n\n"))
    with pytest.raises(Invalid, match=r"^x.csv line 17, column high: 0.5"):
        import_files([path], "FILUSDT", "1m", store)


def test_files_that_are_none_are_refused_in_one_sentence(store: MarketStore, tmp_path: Path) -> None:
    cases: dict[str, tuple[bytes, str]] = {
        "empty.csv": (b"", "file: 'empty.csv'"),
        "header.csv": (HEADER.encode() + b"\n", "at least one bar"),
        "binary.csv": (bytes(range(128, 256)), "a text file in UTF-8"),
        "short.csv": (b"1693525800000,1,2\n", "line 1: '3 columns without a header'"),
        "names.csv": (b"time,open,high,low,close\n", r"a header that names .* \(no volume here\)"),
        "twice.csv": (
            b"time,open_time,open,high,low,close,volume\n",
            "column open_time: .* one column of that meaning",
        ),
        "no.zip": (b"PK nonsense", "file: 'no.zip' .* a zip file"),
        "no.parquet": (b"PAR1 nonsense", "file: 'no.parquet' .* a Parquet file"),
        "FILUSDT-5m-2023-08.csv": (text(rows()).encode(), "a file of one-minute bars"),
        "NEARUSDT-1m-2023-08.csv": (text(rows()).encode(), "a file of FILUSDT"),
        "five.csv": (text(rows(step_ms=5 * MINUTE_MS)).encode(), "these are 5 minutes apart"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Invalid, match=message):
            import_files([tmp_path / name], "FILUSDT", "1m", store)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    for path, message in (("empty.zip", "a CSV inside"), ("absent.csv", "that exists")):
        with pytest.raises(Invalid, match=message):
            import_files([tmp_path / path], "FILUSDT", "1m", store)
    with pytest.raises(Invalid, match=r"^interval: '15m'.*1m: every other interval is derived"):
        import_files([tmp_path / "five.csv"], "FILUSDT", "15m", store)
    with pytest.raises(Invalid, match=r"^symbol: '../x'"):
        import_files([tmp_path / "five.csv"], "../x", "1m", store)
    assert store.symbols() == []


def test_a_damaged_zip_is_refused(store: MarketStore, tmp_path: Path) -> None:
    path = tmp_path / "FILUSDT-1m-2023-08.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("FILUSDT-1m-2023-08.csv", text(rows()))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Invalid, match="a whole zip"):
        import_files([path], "FILUSDT", "1m", store)


def test_files_may_overlap_only_where_they_agree(store: MarketStore, tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(text(rows()[:12]))
    second.write_text(text(rows()[10:]))
    assert import_files([second, first], "FILUSDT", "1m", store) == 20
    assert_is_everything(stored(store))
    other = rows()[10:]
    other[1][4] = 5.3
    second.write_text(text(other))
    with pytest.raises(Invalid, match=r"^[ab].csv line \d+: '2023-09-01 00:01' is not allowed; allowed: the same"):
        import_files([first, second], "FILUSDT", "1m", store)


def test_a_full_disk_stores_nothing_of_an_import(
    store: MarketStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atm.storage import minute_files

    path = tmp_path / "a.csv"
    path.write_text(text(rows()))
    real, calls = minute_files.write_aside, []

    def second_fails(kind: Kind, target: Path, minutes: Minutes) -> None:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(kind, target, minutes)

    monkeypatch.setattr(minute_files, "write_aside", second_fails)
    with pytest.raises(Unavailable, match=r"bars of FILUSDT could not be stored .*No space left"):
        import_files([path], "FILUSDT", "1m", store)
    assert store.symbols() == []
    monkeypatch.undo()
    assert import_files([path], "FILUSDT", "1m", store) == 20


def test_both_readers_read_the_same(tmp_path: Path) -> None:
    for number, content in enumerate(BINANCE.values()):
        path = tmp_path / f"{number}.csv"
        path.write_text(content, "utf-8", newline="")
        (file,) = kline_files(path)
        fast, slow = file.read(False), file.read(True)
        np.testing.assert_array_equal(fast.values, slow.values)
        np.testing.assert_array_equal(fast.open_time, slow.open_time)
