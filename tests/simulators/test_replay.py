"""Minutes of many positions are traded and judged the same whether they lie in memory or in a file."""

import errno
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from atm.model.errors import Unavailable
from atm.simulators import backtest, minute_shelf, replay
from atm.simulators.minute_shelf import MinuteShelf
from atm.simulators.specification import read_specification
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_instruments

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


def test_a_backtest_is_the_same_to_the_byte_in_a_file_and_in_short_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = msgspec.structs.replace(read_specification(ROOT / "examples" / "two_positions.toml"), end="2023-08-20")
    store, instruments = MarketStore(ROOT / "assets" / "sample"), load_instruments(ROOT / "assets")
    whole = backtest.run(spec, store, instruments)
    monkeypatch.setattr(replay, "STRETCH", 1_000)
    monkeypatch.setattr(minute_shelf, "MOST_BYTES", 0)
    pieces = backtest.run(spec, store, instruments, scratch=tmp_path)
    assert pieces.trades == whole.trades
    assert pieces.equity.tobytes() == whole.equity.tobytes()
    summaries = (msgspec.structs.replace(each.summary, wall_seconds=0.0) for each in (whole, pieces))
    assert len({msgspec.json.encode(summary) for summary in summaries}) == 1
    assert pieces.details.pack() == whole.details.pack()
    assert list(tmp_path.iterdir()) == []
