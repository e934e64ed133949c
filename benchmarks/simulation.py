"""From pressing Start to the whole result with nothing cached, and the memory that ten symbols of five years take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from atm.analyzers.warm_up import warm_up as warm_up_analyses
from atm.app.bench import BenchRow
from atm.app.process_table import ENVIRONMENT
from atm.simulators.warm_up import warm_up
from atm.storage.market_store import MarketStore
from benchmarks import _stored_market as stored

ROUNDS = 3
TEN = 10
PRICES_MB = 4 * 8 * stored.MINUTES * TEN / 1e6
MOST_MB = 1_000.0
MOST_SECONDS = 4.0


def child(folder: Path) -> dict[str, float]:
    """Ten symbols in a process of its own, with the settings that every process of the program gets."""
    command = [sys.executable, "-m", "benchmarks._stored_market", str(folder), str(TEN)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def rows() -> list[BenchRow]:
    for prepare in (warm_up_analyses, warm_up):
        prepare(lambda _name: None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stored.make_store(folder / "market", TEN)
        cold, again, reading = [], [], []
        for number in range(ROUNDS):
            cold.append(stored.simulate(folder / "market", 1, folder / f"cache-{number}")[0])
            again.append(stored.simulate(folder / "market", 1, folder / f"cache-{number}")[0])
            begun = time.perf_counter()
            MarketStore(folder / "market").read("S0", stored.START, stored.START + stored.MINUTES * 60_000)
            reading.append(time.perf_counter() - begun)
        ten = child(folder)
        stored.add_marks(folder / "market", TEN)
        marked = child(folder)
    best, read, each = min(cold), min(reading), ten["seconds"] / TEN
    peak = ten["peak_mb"]
    return [
        _row("Start to result, all analyses, nothing cached", best, "s", "reading the bars", read, MOST_SECONDS),
        _row("the same, analyses cached", min(again), "s", "nothing cached", best, None),
        _row("the same of ten symbols at once, each", each, "s", "one symbol alone", best, MOST_SECONDS),
        _row("most memory of that process", peak, "MB", "its prices as one table", PRICES_MB, MOST_MB),
        _row("the same with mark prices", marked["peak_mb"], "MB", "without", peak, MOST_MB),
        _row("seconds of each of them", marked["seconds"] / TEN, "s", "without", each, MOST_SECONDS),
    ]  # fmt: skip


def _row(name: str, value: float, unit: str, reference: str, reference_value: float, budget: float | None) -> BenchRow:
    ok = budget is None or value <= budget
    return BenchRow(name, value, unit, reference, reference_value, value / reference_value, budget, ok)
