"""SIGKILL in the middle of writing: market store and database of a trading program go on from a state that was there."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

from atm.storage.market_store import MarketStore
from tests.managers.trade_harness import SYMBOLS, Program, walk

HISTORY = 400
DAY = 400
BARS = {symbol: walk(number, HISTORY + DAY) for number, symbol in enumerate(SYMBOLS, 21)}


def play_to_the_end(folder: Path) -> None:
    """From wherever the store stands. Runs in a process of its own."""
    reader = MarketStore(folder / "market")
    stored = min(sum(piece.minutes for piece in reader.coverage(symbol)) for symbol in SYMBOLS)
    program = Program(folder, BARS, HISTORY)
    program.at = max(stored, HISTORY)
    program.start()
    program.play(HISTORY + DAY - program.at, pause=0.06)
    program.at -= 1
    program.play(1)  # once more, for a start behind the last minute
    program.wait(60.0)
    assert program.manager is not None
    program.manager.finish()


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "market").rglob("*") if path.is_file())


def run_until(folder: Path, written: float) -> bool:
    """One life of the program; killed once it has written so many bytes of bars. True when it came to its end."""
    before = stored_bytes(folder)
    child = multiprocessing.get_context("fork").Process(target=play_to_the_end, args=(folder,))
    child.start()
    while child.is_alive() and stored_bytes(folder) - before < written:
        child.join(0.003)
    child.kill()
    child.join()
    return child.exitcode == 0


def test_kill_nine_changes_no_trade_and_no_byte(tmp_path: Path) -> None:
    dice = random.Random(5)
    results = []
    for kills in (0, 6):
        folder = tmp_path / f"{kills}-kills"
        folder.mkdir()
        prepared = Program(folder, BARS, HISTORY)
        prepared.seed()
        prepared.writer.close()
        per_minute = stored_bytes(folder) / HISTORY
        for _ in range(kills):
            assert not run_until(folder, per_minute * dice.uniform(5, 60))
        assert run_until(folder, float("inf"))
        after = Program(folder, BARS, HISTORY)
        results.append(after.stored())
        after.writer.close()
    assert len(results[0][0]) > 10
    assert results[1] == results[0]
