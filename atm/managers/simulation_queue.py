"""The queue of simulations: a state machine without I/O (trading §11.2).

QUEUED → RUNNING → COMPLETED | FAILED, and CANCELLED from either. First in, first out; a simulator runs one at a time.
The job of a simulator that died is queued again in front, at most `MAX_TRIES` times. Jobs are bounded by `MAX_JOBS`.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from atm.ipc.messages import ProcessState
from atm.managers.worker_pool import WorkerPool
from atm.model.errors import Invalid, Refused
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus

MAX_TRIES = 3
MAX_JOBS = 10_000
FINAL = (SimulationStatus.COMPLETED, SimulationStatus.CANCELLED, SimulationStatus.FAILED)


@dataclass(frozen=True, slots=True)
class StartSimulator:
    """Ask main for one more simulator."""


@dataclass(frozen=True, slots=True)
class Launch:
    spec: SimulationSpec
    simulator: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Tell the simulator that runs `code` to stop it."""

    code: str
    simulator: str


@dataclass(frozen=True, slots=True)
class Retire:
    simulator: str


Instruction = StartSimulator | Launch | Abort | Retire


@dataclass(slots=True)
class _Job:
    spec: SimulationSpec
    state: SimulationState
    simulator: str | None = None
    tries: int = 0
    cancelling: bool = False


class SimulationQueue:
    """See the module. Methods that change a job return its new state, to be stored and announced."""

    def __init__(self, size: int) -> None:
        self.pool = WorkerPool("simulator", size)
        self._jobs: dict[str, _Job] = {}
        self._order: list[str] = []
        self._trying: set[str] = set()

    def trying(self, simulator: str, opened: bool) -> None:
        """A simulator has a trial open, or no more: it is not retired meanwhile, and gets work after the others."""
        if opened:
            self._trying.add(simulator)
        else:
            self._trying.discard(simulator)

    def restore(self, spec: SimulationSpec, state: SimulationState) -> SimulationState:
        """A stored simulation, at start. One that was not finished waits again."""
        if state.status not in FINAL:
            state = msgspec.structs.replace(state, status=SimulationStatus.QUEUED, progress=0.0)
            self._order.append(spec.code)
        self._jobs[spec.code] = _Job(spec, state)
        return state

    def add(self, spec: SimulationSpec, now_ms: int) -> SimulationState:
        """A new simulation, behind all others. Raises Invalid for a code that exists, Refused when the queue is full."""
        if spec.code in self._jobs:
            raise Invalid("code", spec.code, "a code that no other simulation has")
        if len(self._jobs) >= MAX_JOBS:
            raise Refused(f"{MAX_JOBS} simulations are stored; remove some first")
        state = SimulationState(spec.code, SimulationStatus.QUEUED, 0.0, now_ms)
        self._jobs[spec.code] = _Job(spec, state)
        self._order.append(spec.code)
        return state

    def cancel(self, code: str) -> tuple[SimulationState, list[Instruction]]:
        """Dequeue, or ask the simulator to stop. Raises Invalid when unknown, Refused when it is over."""
        job = self._job(code)
        if job.state.status in FINAL:
            raise Refused(
                f"simulation {code} is {job.state.status.value}; only a queued or running one can be cancelled"
            )
        instructions: list[Instruction] = []
        if job.simulator is not None:
            job.cancelling = True
            instructions.append(Abort(code, job.simulator))
        else:
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.CANCELLED))
        return job.state, instructions

    def remove(self, code: str) -> SimulationState:
        """Forget a simulation; its last state. Raises Invalid when unknown, Refused while it runs."""
        job = self._job(code)
        if job.state.status is SimulationStatus.RUNNING:
            raise Refused(f"simulation {code} is running; cancel it first")
        del self._jobs[code]
        if code in self._order:
            self._order.remove(code)
        return job.state

    def progress(self, state: SimulationState) -> SimulationState | None:
        """What a simulator reports; None when it does not matter (unknown, or over already)."""
        job = self._jobs.get(state.code)
        if job is None or job.state.status in FINAL or job.simulator is None:
            return None
        state = msgspec.structs.replace(state, created_ms=job.state.created_ms)
        if state.status in FINAL:
            self._finish(job, state)
        else:
            job.state = msgspec.structs.replace(state, status=SimulationStatus.RUNNING)
        return job.state

    def process(self, event: ProcessState, now: float) -> list[SimulationState]:
        """An event of main; states of the jobs that a dead simulator leaves behind."""
        lost = self.pool.heard(event, now)
        if lost or event.state != "running":
            self._trying.discard(event.name)
        if not lost:
            return []
        return [self._lost(job) for job in self._jobs.values() if job.simulator == event.name]

    def refused(self, code: str, simulator: str, error: str, permanent: bool) -> SimulationState | None:
        """A simulator did not take the job: `permanent` says that another would not either; else it counts as a try."""
        job = self._jobs.get(code)
        if job is None or job.simulator != simulator:
            return None
        if permanent:
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.FAILED, error=error))
            return job.state
        return self._lost(job)

    def plan(self, now: float) -> tuple[list[Instruction], list[SimulationState]]:
        """Instructions for what waits, and the states that change by them."""
        instructions: list[Instruction] = []
        changed: list[SimulationState] = []
        busy = {job.simulator for job in self._jobs.values() if job.simulator is not None}
        free = sorted((name for name in self.pool.running() if name not in busy), key=self._trying.__contains__)
        while self._order and free:
            job = self._jobs[self._order.pop(0)]
            job.simulator = free.pop(0)
            job.tries += 1
            busy.add(job.simulator)
            job.state = msgspec.structs.replace(job.state, status=SimulationStatus.RUNNING, progress=0.0)
            changed.append(job.state)
            instructions.append(Launch(job.spec, job.simulator))
        if self._order and self.pool.may_start(now):
            self.pool.starting = True
            instructions.append(StartSimulator())
        for simulator in self.pool.idle_workers(busy | self._trying, now):
            self.pool.forget(simulator)
            instructions.append(Retire(simulator))
        return instructions, changed

    def states(self) -> list[SimulationState]:
        return [job.state for job in self._jobs.values()]

    def _job(self, code: str) -> _Job:
        job = self._jobs.get(code)
        if job is None:
            raise Invalid("code", code, "the code of a stored simulation")
        return job

    def _finish(self, job: _Job, state: SimulationState) -> None:
        job.state, job.simulator, job.cancelling = state, None, False
        if state.code in self._order:
            self._order.remove(state.code)

    def _lost(self, job: _Job) -> SimulationState:
        job.simulator = None
        if job.cancelling:
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.CANCELLED))
        elif job.tries >= MAX_TRIES:
            error = f"the simulator ended {job.tries} times while it ran this simulation"
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.FAILED, error=error))
        else:
            job.state = msgspec.structs.replace(job.state, status=SimulationStatus.QUEUED, progress=0.0)
            self._order.insert(0, job.spec.code)
        return job.state
