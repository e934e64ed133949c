"""Kill campaign: the real program trades three actual accounts in ten symbols on the demo exchange, its processes are killed and
its network is cut at chosen instants. After each run journal and exchange must be equal, no order doubled, no signal missed
(docs/orders.md).

`./run.sh bench kills --runs 300 --from 1 --programs 2` prints a table by instant; each violation is a line that begins with `--seed N`.
`./run.sh bench kills --seed N` tells the story of one run. An interrupted campaign prints the table of what it has done.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from atm.app.bench import BenchRow
from benchmarks._kill_plan import Instant, plan
from benchmarks._kill_run import Interrupted, Outcome, World

SETTINGS = {"runs": 14.0, "from": 1.0, "seed": 0.0, "programs": 1.0, "speed": 6.0}
WORLD_RUNS = 20
"""Runs after which everything begins anew, so that what the exchange keeps stays small."""
OPEN_TRIES = 3
KEPT = "seed-"


class Campaign:
    """Runs of seeds in so many programs side by side. outcomes: grows while it goes on."""

    def __init__(self, seeds: range, programs: int, speed: float) -> None:
        self._seeds, self._speed = iter(seeds), speed
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="atm-kills-"))
        self._worlds: dict[int, World] = {}
        self.outcomes: list[Outcome] = []
        self.failures: list[str] = []
        self._programs = programs

    def go(self) -> None:
        """Until all runs are done, or an interruption."""
        before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with ThreadPoolExecutor(self._programs) as pool:
                works = [pool.submit(self._work, number) for number in range(self._programs)]
                while wait(works, 1.0).not_done:
                    pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for left in self._folder.iterdir():
                if not left.name.startswith(KEPT):
                    shutil.rmtree(left)
            if not any(self._folder.iterdir()):
                self._folder.rmdir()
        for error in filter(None, (work.exception() for work in works)):
            self.failures.append("".join(traceback.format_exception(error)))

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped.set()

    def _next(self) -> Iterator[int]:
        while not self._stopped.is_set():
            with self._lock:
                seed = next(self._seeds, None)
            if seed is None:
                return
            yield seed

    def _work(self, number: int) -> None:
        try:
            with contextlib.suppress(Interrupted):
                self._runs(number)
        finally:
            self._end(self._worlds.pop(number, None))

    def _runs(self, number: int) -> None:
        opened = done = 0
        for seed in self._next():
            world = self._worlds.get(number)
            if world is None or done == WORLD_RUNS:
                opened, done = opened + 1, 0
                world = self._fresh(number, opened)
                if world is None:
                    return
            outcome = world.run(plan(seed))
            done += 1
            self._note(outcome)
            if outcome.violations:
                self._keep(self._worlds.pop(number), seed)

    def _fresh(self, number: int, opened: int) -> World | None:
        for attempt in range(OPEN_TRIES):
            self._end(self._worlds.pop(number, None))
            folder = self._folder / f"{number}-{opened}-{attempt}"
            with self._lock:  # schemas are not made side by side
                world = self._worlds[number] = World(folder, self._speed, self._stopped)
            try:
                world.open()
            except RuntimeError as error:
                self.failures.append(str(error))
            else:
                return world
        return None

    @staticmethod
    def _end(world: World | None) -> None:
        if world is not None:
            world.close()
            shutil.rmtree(world.folder)

    def _note(self, outcome: Outcome) -> None:
        with self._lock:
            self.outcomes.append(outcome)
        seed = outcome.plan.seed
        state = (
            f"{len(outcome.violations)} violations" if outcome.violations else "well" if outcome.hit else "missed it"
        )
        print(f"{seed:5d}  {outcome.seconds:5.1f} s  {state}  {outcome.plan}", file=sys.stderr, flush=True)
        for violation in outcome.violations:
            print(f"--seed {seed}: {violation}", file=sys.stderr)
        if outcome.violations:
            print(*outcome.story, sep="\n", file=sys.stderr, flush=True)

    def _keep(self, world: World, seed: int) -> None:
        """The home folder of a violation stays for whoever looks for its cause."""
        world.close()
        kept = world.folder.rename(self._folder / f"{KEPT}{seed}")
        print(f"--seed {seed}: everything is kept in {kept}", file=sys.stderr, flush=True)


def table(outcomes: list[Outcome]) -> list[str]:
    """Markdown: runs by instant."""
    lines = [
        "| Instant | Runs | Missed it | Killed | Network | Equal again after, median; longest | Violations |",
        "|---|---|---|---|---|---|---|",
    ]
    for instant in Instant:
        all_runs = [each for each in outcomes if each.plan.instant is instant]
        runs = [each for each in all_runs if each.hit]
        killed = Counter(name for each in runs for name in each.plan.victims)
        names = ", ".join(f"{name} {times}" for name, times in killed.most_common())
        network = sum(bool(each.plan.network) for each in runs)
        times = sorted(each.settle_s for each in runs) or [0.0]
        wrong = sum(len(each.violations) for each in all_runs)
        lines.append(
            f"| {instant.value} | {len(runs)} | {len(all_runs) - len(runs)} | {names} | {network} | "
            f"{times[len(times) // 2]:.1f} s; {times[-1]:.1f} s | {wrong} |"
        )
    hit = sum(each.hit for each in outcomes)
    decisions, excused = (sum(getattr(each, name) for each in outcomes) for name in ("decisions", "excused"))
    wrong = sum(len(each.violations) for each in outcomes)
    lines.append(f"| all | {hit} | {len(outcomes) - hit} | | | | {wrong} |")
    lines.append("")
    lines.append(
        f"{decisions} decisions compared, {excused} of them excused: the program was not up within their interval."
    )
    return lines


def rows(settings: Mapping[str, float]) -> list[BenchRow]:
    """Violations over all runs, and how long a run takes."""
    first, runs = int(settings["from"]), int(settings["runs"])
    seeds = range(int(settings["seed"]), int(settings["seed"]) + 1) if settings["seed"] else range(first, first + runs)
    campaign = Campaign(seeds, int(settings["programs"]), settings["speed"])
    try:
        campaign.go()
    finally:
        print(*table(campaign.outcomes), *campaign.failures, sep="\n", file=sys.stderr)
    if settings["seed"]:
        print(*(line for each in campaign.outcomes for line in each.story), sep="\n", file=sys.stderr)
    done = len(campaign.outcomes)
    wrong = sum(len(each.violations) for each in campaign.outcomes) + len(campaign.failures)
    seconds = sum(each.seconds for each in campaign.outcomes) / max(1, done)
    return [
        BenchRow("kills: violations", wrong, "violations", "runs", done, wrong, 0.0, wrong == 0 and done == len(seeds)),
        BenchRow("kills: a run", seconds, "s", "market minute", 60.0 / settings["speed"], 0.0, None, True),
    ]
