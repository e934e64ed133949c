"""Deterministic simulation of order handling over many seeds: violations, and simulated account-time per CPU-minute.

`./run.sh bench orders --seeds 10000`, from `--from N` on; a violation is printed as one line that begins with `--seed N`.
`./run.sh bench orders --seed N` tells the story of one seed.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from atm.app.bench import BenchRow
from atm.model.interval import MINUTE_MS
from atm.simulators.orders.exchange import MINUTES, SYMBOLS
from atm.simulators.orders.plan import plan
from atm.simulators.orders.run import Outcome, Run, run_seeds

SETTINGS = {"seeds": 200.0, "seed": 0.0, "from": 1.0}
ASSETS = Path(__file__).parent.parent / "assets"
CHUNK = 50
LEAST_RATIO = 600.0
"""Simulated account-minutes per CPU-minute below which thousands of seeds are no habit any more."""


def _outcomes(first: int, seeds: int) -> Iterator[tuple[list[Outcome], float]]:
    firsts = range(first, first + seeds, CHUNK)
    lasts = [min(each + CHUNK, first + seeds) for each in firsts]
    workers = max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8))
    if workers == 1 or len(firsts) == 1:
        yield from map(run_seeds, firsts, lasts, repeat(ASSETS))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_seeds, firsts, lasts, repeat(ASSETS))


def _tell(seed: int) -> list[BenchRow]:
    run = Run(plan(seed, SYMBOLS, MINUTES), ASSETS, tell=True)
    outcome = run.go()
    print(run.plan, *(run.story or ()), sep="\n")
    for violation in outcome.violations:
        print(f"--seed {seed}: {violation}", file=sys.stderr)
    return [_violations([outcome])]


def _violations(outcomes: list[Outcome]) -> BenchRow:
    wrong = sum(len(outcome.violations) for outcome in outcomes)
    return BenchRow("orders: violations", wrong, "violations", "seeds", len(outcomes), wrong, 0.0, wrong == 0)


def rows(settings: Mapping[str, float]) -> list[BenchRow]:
    """Violations over all seeds, and speed."""
    if settings["seed"]:
        return _tell(int(settings["seed"]))
    outcomes: list[Outcome] = []
    cpu_s, faults = 0.0, Counter[str]()
    for found, seconds in _outcomes(int(settings["from"]), int(settings["seeds"])):
        outcomes += found
        cpu_s += seconds
        for outcome in found:
            faults.update(outcome.faults)
            for violation in outcome.violations:
                print(f"--seed {outcome.seed}: {violation}", file=sys.stderr)
    simulated = sum(outcome.account_ms for outcome in outcomes) / MINUTE_MS
    totals = {name: sum(getattr(each, name) for each in outcomes) for name in ("orders", "fills", "crashes")}
    longest = {
        name: max(getattr(each, name) for each in outcomes) // 1000
        for name in ("unprotected_ms", "closing_ms", "unready_ms")
    }
    print(f"{totals}, longest in seconds {longest}, faults {dict(faults)}", file=sys.stderr)
    per_minute = simulated / (cpu_s / 60)
    return [
        _violations(outcomes),
        BenchRow(
            "orders: account-minutes per CPU-minute", per_minute, "min/min", "real time", 1.0, per_minute, LEAST_RATIO,
            per_minute >= LEAST_RATIO,
        ),
    ]  # fmt: skip
