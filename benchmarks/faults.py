"""The fault campaign: schedules of faults by number, each ending with every bar there once and right, the order book, account and
orders as the exchange has them, and no task left over (`_fault_campaign`). A failure is one line; `--seed N` plays it again.

`./run.sh bench faults --seeds 500 [--from N]`
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _fault_campaign as campaign

if TYPE_CHECKING:  # the processes of the campaign need nothing of the app floor
    from atm.app.bench import BenchRow

SETTINGS = {"seeds": 12.0, "from": 1.0, "seed": 0.0}
"""So many schedules, beginning with this number; or one alone."""
PIECE = 5
MEMORY_BUDGET_MB = 10.0
SETTLED_RUNS = 10
"""After so many runs a process has everything loaded; its memory is compared from there on."""


def _all(first: int, count: int) -> list[tuple[campaign.Verdict, int, float]]:
    pieces = [range(at, min(at + PIECE, first + count)) for at in range(first, first + count, PIECE)]
    workers = min(os.cpu_count() or 1, len(pieces))
    played = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for piece in pool.map(campaign.play, pieces):
            for entry in piece:
                _tell(entry[0])
            played += piece
    return played


def _tell(verdict: campaign.Verdict) -> None:
    for problem in verdict.problems:
        print(f"--seed {verdict.seed} ({verdict.kind}): {problem}", file=sys.stderr, flush=True)


def rows(settings: dict[str, float]) -> list[BenchRow]:
    """Rows of the table: violations, growth of memory, and for each kind of fault the recovery."""
    from atm.app.bench import BenchRow

    alone = int(settings["seed"])
    first, count = (alone, 1) if alone else (int(settings["from"]), int(settings["seeds"]))
    played = _all(first, count)
    failed = [verdict.seed for verdict, _, _ in played if verdict.problems]
    faults = sum(verdict.faults for verdict, _, _ in played)
    told = [BenchRow(f"{len(played)} schedules, {faults} faults: with a violation", len(failed), "", "allowed", 0, 0.0, 0.0,
                     not failed)]  # fmt: skip
    grown = _growth([(process, mb) for _, process, mb in played])
    told.append(BenchRow("memory grown", round(grown, 1), "MB", f"after {SETTLED_RUNS} schedules", 0.0, 0.0,
                         MEMORY_BUDGET_MB, grown <= MEMORY_BUDGET_MB))  # fmt: skip
    recoveries: dict[str, list[float]] = defaultdict(list)
    delays: dict[str, float] = defaultdict(float)
    for verdict, _, _ in played:
        delays[verdict.kind] = max(delays[verdict.kind], verdict.bar_delay_s)
        for recovery in verdict.recoveries:
            if recovery.seconds is not None:
                recoveries[recovery.kind].append(recovery.seconds)
    for kind, found in sorted(recoveries.items()):
        median, worst = statistics.median(found), max(found)
        late = f", a bar at most {delays[kind]:.1f} s late" if kind in delays else ""
        name = f"{kind}: complete again, median of {len(found)}{late}"
        told.append(
            BenchRow(
                name, round(median, 2), "s", "worst", round(worst, 2), median / worst if worst else 0.0, None, True
            )
        )
    return told


def _growth(resident: list[tuple[int, float]]) -> float:
    """The largest growth of a process, MB, from its settled state to its end."""
    by_process: dict[int, list[float]] = defaultdict(list)
    for process, mb in resident:
        by_process[process].append(mb)
    return max(
        (found[-1] - found[SETTLED_RUNS] for found in by_process.values() if len(found) > SETTLED_RUNS), default=0.0
    )
