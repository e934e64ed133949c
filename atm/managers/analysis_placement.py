"""Which analyzer runs which analysis: a state machine without I/O (runtime §6.1, §8.1).

`plan` compares what is wanted with what runs and answers with instructions; whoever carries them out reports back. An
analysis goes to an analyzer with nothing to do, else to a new analyzer while the pool has room, else to the one with the
fewest; it stays there until that analyzer dies. An analyzer without analyses retires after a minute.
"""

from __future__ import annotations

from dataclasses import dataclass

from atm.ipc.messages import ProcessState
from atm.managers.worker_pool import WorkerPool


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

    def process(self, state: ProcessState, now: float) -> None:
        """An event of main; the analyses of an analyzer that died are free again."""
        if self.pool.heard(state, now):
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
        for analysis in sorted(self.wanted - self._placed.keys()):
            load = {worker: list(self._placed.values()).count(worker) for worker in running}
            best = min(load, key=lambda worker: load[worker], default=None)
            if best is not None and (load[best] == 0 or not (self.pool.may_start(now) or self.pool.starting)):
                self._place(analysis, best, instructions)
            elif self.pool.may_start(now):
                self.pool.starting = True
                instructions.append(StartAnalyzer())
        for worker in self.pool.idle_workers(set(self._placed.values()), now):
            self.pool.forget(worker)
            instructions.append(Retire(worker))
        return instructions

    def _place(self, analysis: str, worker: str, instructions: list[Instruction]) -> None:
        self._placed[analysis] = worker
        instructions.append(Run(analysis, worker))
