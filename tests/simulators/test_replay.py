"""Minutes of many positions are traded and judged the same whether they lie in memory or in a file."""

import errno
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.model.bars import Source
from atm.model.errors import Unavailable
from atm.model.flow import RecordedBook
from atm.simulators import backtest, minute_shelf, replay
from atm.simulators.minute_shelf import MinuteShelf
from atm.simulators.specification import read_specification
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments
from atm.trading.engine import AccountEngine
from tests.simulators.marks import marks_of

ROOT = Path(__file__).parent.parent.parent
TYPES = (np.float64, np.float32)


@pytest.mark.parametrize("most_bytes", [0, 1_000_000])
def test_columns_come_back_by_symbol_and_by_stretch(tmp_path: Path, most_bytes: int) -> None:
    shelf = MinuteShelf(TYPES, 50, 3, tmp_path, most_bytes)
    assert shelf.on_disk == (most_bytes == 0)
    g = np.random.default_rng(0)
    stored = {(column, symbol): g.random(50).astype(TYPES[column]) for column in range(2) for symbol in range(3)}
    stored[0, 1][7:9] = np.nan
    for (column, symbol), values in stored.items():
        shelf.put(column, symbol, values)
    for (column, symbol), values in stored.items():
        np.testing.assert_array_equal(shelf.whole(column, symbol), values)
    for column in range(2):
        found = shelf.stretch(column, 5, 20)
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, np.column_stack([stored[column, symbol][5:20] for symbol in range(3)]))
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    class Full:
        def seek(self, place: int) -> None:
            pass

        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    shelf = MinuteShelf(TYPES, 50, 3, tmp_path, 0)
    shelf.close()
    shelf._file = Full()  # type: ignore[assignment]
    with pytest.raises(Unavailable, match="temporary file: No space left on device"):
        shelf.put(0, 0, np.zeros(50))


def test_minutes_of_books_reach_the_engine_from_a_file_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for most_bytes in (0, 1_000_000):
        monkeypatch.setattr(minute_shelf, "MOST_BYTES", most_bytes)
        spec = read_specification(ROOT / "examples" / "two_positions.toml")
        engine = AccountEngine(
            spec.assets, spec.positions, spec.analysis, spec.trade, load_instruments(ROOT / "assets"), spec.costs
        )
        made = replay.Replay(engine.symbols, 0, 5 * 60_000, tmp_path, with_books=True)
        for i in range(2):
            book = RecordedBook.unrecorded(0, 5)
            book.spread[i], book.bid_depth[3], book.ask_depth[4] = 0.25, 7.0 + i, 9.0
            made.take_book(i, book)
        found.append(made.grid(engine, 0, 5).books)
        made.close()
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == (3, 5, 2)
    assert (found[0][0, 0, 0], found[0][0, 1, 1], found[0][1, 3, 1], found[0][2, 4, 0]) == (0.25, 0.25, 8.0, 9.0)
    assert np.isnan(found[0][0, 0, 1])


def test_a_backtest_is_the_same_to_the_byte_in_a_file_and_in_short_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = msgspec.structs.replace(read_specification(ROOT / "examples" / "two_positions.toml"), end="2023-08-20")
    instruments = load_instruments(ROOT / "assets")
    store = MarketStore(tmp_path / "marked", read_only=False, sample=ROOT / "assets" / "sample")
    store.append_marks("FILUSDT", marks_of(store.read("FILUSDT", 0, 2**60)), Source.REST)  # the other one has none
    whole = backtest.run(spec, store, instruments)
    monkeypatch.setattr(replay, "STRETCH", 1_000)
    monkeypatch.setattr(minute_shelf, "MOST_BYTES", 0)
    pieces = backtest.run(spec, store, instruments, scratch=tmp_path / "scratch")
    assert pieces.trades == whole.trades
    assert pieces.equity.tobytes() == whole.equity.tobytes()
    summaries = (msgspec.structs.replace(each.summary, wall_seconds=0.0) for each in (whole, pieces))
    assert len({msgspec.json.encode(summary) for summary in summaries}) == 1
    assert pieces.details.pack() == whole.details.pack()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert whole.summary.statistics is not None
    assert 0.0 < (whole.summary.statistics.unmarked_share or 0.0) < 1.0
