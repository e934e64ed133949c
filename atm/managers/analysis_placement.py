"""Which analyzer runs which analysis: a state machine without I/O (runtime §6.1, §8.1).

`plan` compares what is wanted with what runs and answers with instructions; whoever carries them out reports back. An
analysis goes to an analyzer with nothing to do, else to a new analyzer while the pool has room, else to the one with the
least load, the heaviest analyses first. Load is the time that a minute takes, as the analyzers measured it; one that was
not measured yet counts as the mean of the others. An analysis stays until its analyzer dies, or until another has had
nothing to do for a while, which is then given half the load of the busiest. One without analyses retires after a minute,
unless it serves somebody who looks at analyses of stored minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from atm.ipc.messages import ProcessState
from atm.managers.worker_pool import WorkerPool

SHARE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class StartAnalyzer:
    """Ask main for one more analyzer."""


@dataclass(frozen=True, slots=True)
class Run:
    analysis: str
    analyzer: str


@dataclass(frozen=True, slots=True)
class Halt:
    analysis: str
    analyzer: str


@dataclass(frozen=True, slots=True)
class Retire:
    analyzer: str


Instruction = StartAnalyzer | Run | Halt | Retire


class AnalysisPlacement:
    """See the module. Every wanted analysis is either placed on a running analyzer or waits for one."""

    def __init__(self, size: int) -> None:
        self.pool = WorkerPool("analyzer", size)
        self.wanted: set[str] = set()
        self._placed: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._cost: dict[str, float] = {}
        self._serving: set[str] = set()

    def measured(self, analysis: str, minute_us: float) -> None:
        """An analyzer has measured how long a minute of this analysis takes (0 = not yet)."""
        if analysis in self.wanted and minute_us > 0:
            self._cost[analysis] = minute_us

    def serves(self, analyzer: str, serving: bool) -> None:
        """An analyzer is asked for analyses of stored minutes (or no more), by a window for example."""
        if serving:
            self._serving.add(analyzer)
        else:
            self._serving.discard(analyzer)

    def process(self, state: ProcessState, now: float) -> None:
        """An event of main; the analyses of an analyzer that died are free again."""
        if self.pool.heard(state, now):
            self._serving.discard(state.name)
            self._placed = {a: worker for a, worker in self._placed.items() if worker != state.name}
            self._claims = {a: worker for a, worker in self._claims.items() if worker != state.name}

    def claim(self, analysis: str, analyzer: str) -> None:
        """An analyzer says that it has this analysis (known from before our own restart, or started by us)."""
        if self._placed.get(analysis) != analyzer:
            self._claims[analysis] = analyzer

    def restart(self, analysis: str) -> None:
        """Start this analysis again with the next plan (its configuration changed, or rows are missing)."""
        worker = self._placed.pop(analysis, None)
        if worker is not None:
            self._claims[analysis] = worker

    def failed(self, analysis: str, analyzer: str) -> None:
        """The analyzer did not take it."""
        if self._placed.get(analysis) == analyzer:
            del self._placed[analysis]

    def analyzer_of(self, analysis: str) -> str | None:
        return self._placed.get(analysis)

    def plan(self, now: float) -> list[Instruction]:
        """Instructions that bring what runs nearer to what is wanted; placements count from now on."""
        instructions: list[Instruction] = []
        running = self.pool.running()
        for analysis in sorted(self._placed.keys() - self.wanted):
            instructions.append(Halt(analysis, self._placed.pop(analysis)))
        for analysis in sorted(self._claims):
            if self._claims[analysis] not in running:
                continue
            worker = self._claims.pop(analysis)
            if analysis in self.wanted and analysis not in self._placed:
                self._place(analysis, worker, instructions)
            elif self._placed.get(analysis) != worker:
                instructions.append(Halt(analysis, worker))
        self._cost = {analysis: cost for analysis, cost in self._cost.items() if analysis in self.wanted}
        for analysis in sorted(self.wanted - self._placed.keys(), key=lambda each: (-self._cost_of(each), each)):
            load = {worker: self._load_of(worker) for worker in running}
            best = min(load, key=lambda worker: load[worker], default=None)
            if best is not None and (load[best] == 0 or not (self.pool.may_start(now) or self.pool.starting)):
                self._place(analysis, best, instructions)
            elif self.pool.may_start(now):
                self.pool.starting = True
                instructions.append(StartAnalyzer())
        self._share(instructions, running, now)
        for worker in self.pool.idle_workers(set(self._placed.values()) | self._serving, now):
            self.pool.forget(worker)
            instructions.append(Retire(worker))
        return instructions

    def _share(self, instructions: list[Instruction], running: list[str], now: float) -> None:
        """Give half the load of the busiest analyzer to one that has had nothing to do for a while."""
        idle = self.pool.idle_workers(set(self._placed.values()), now, SHARE_SECONDS)
        busiest = max(running, key=self._load_of, default=None)
        if not idle or busiest is None:
            return
        spare = self._load_of(busiest) / 2
        carried = sorted(
            (a for a, worker in self._placed.items() if worker == busiest), key=self._cost_of, reverse=True
        )
        for analysis in carried:
            if self._cost_of(analysis) <= spare:
                spare -= self._cost_of(analysis)
                instructions.append(Halt(analysis, busiest))
                self._place(analysis, idle[0], instructions)

    def _cost_of(self, analysis: str) -> float:
        mean = sum(self._cost.values()) / len(self._cost) if self._cost else 1.0
        return self._cost.get(analysis, mean)

    def _load_of(self, worker: str) -> float:
        return sum(self._cost_of(analysis) for analysis, at in self._placed.items() if at == worker)

    def _place(self, analysis: str, worker: str, instructions: list[Instruction]) -> None:
        self._placed[analysis] = worker
        instructions.append(Run(analysis, worker))
