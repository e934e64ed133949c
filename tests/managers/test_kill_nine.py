"""SIGKILL in the middle of writing: market store and database of a trading program go on from a state that was there."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

from atm.storage.market_store import MarketStore
from tests.managers.trade_harness import SYMBOLS, Program, walk

HISTORY = 400
DAY = 600
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


def test_kill_nine_changes_no_trade_and_no_byte(tmp_path: Path) -> None:
    results = []
    kills = 0
    dice = random.Random(5)
    processes = multiprocessing.get_context("fork")
    for name, patience in (("undisturbed", 60.0), ("killed", 0.0)):
        folder = tmp_path / name
        folder.mkdir()
        prepared = Program(folder, BARS, HISTORY)
        prepared.seed()
        prepared.writer.close()
        while True:
            child = processes.Process(target=play_to_the_end, args=(folder,))
            child.start()
            child.join(patience or dice.uniform(0.2, 0.9))
            if child.exitcode is not None:
                assert child.exitcode == 0
                break
            child.kill()
            child.join()
            kills += 1
            assert kills < 60
        after = Program(folder, BARS, HISTORY)
        results.append(after.stored())
        after.writer.close()
    assert kills >= 3
    assert results[0][0] and results[1] == results[0]
