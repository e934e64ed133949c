"""The queue of simulations: a state machine without I/O (trading §11.2).

QUEUED → RUNNING → COMPLETED | FAILED, CANCELLED and PAUSED from either, back to QUEUED from CANCELLED and FAILED. By rank,
the lowest first; a simulator has one at a time, and keeps it while it is paused. The job of a simulator that died keeps its
rank and so is next, at most `MAX_TRIES` times. Jobs are bounded by `MAX_JOBS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from atm.ipc.messages import ProcessState, SimulatorPool
from atm.managers.simulation_progress import ProgressHistory
from atm.managers.worker_pool import WorkerPool
from atm.model.errors import Invalid, Refused
from atm.model.interval import MINUTE_MS, parse_time
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
    """Tell the simulator that has `code` to stop it."""

    code: str
    simulator: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Tell the simulator that has `code` to wait with it, or (`on` False) to go on."""

    code: str
    simulator: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class Retire:
    simulator: str


Instruction = StartSimulator | Launch | Abort | Hold | Retire


@dataclass(slots=True)
class _Job:
    """removing: to be forgotten as soon as it is over."""

    spec: SimulationSpec
    state: SimulationState
    simulator: str | None = None
    tries: int = 0
    cancelling: bool = False
    removing: bool = False
    history: ProgressHistory = field(default_factory=ProgressHistory)


class SimulationQueue:
    """See the module. Methods that change a job return its new state, to be stored and announced. Times are monotonic
    seconds, passed in."""

    def __init__(self, size: int) -> None:
        self.pool = WorkerPool("simulator", size)
        self._jobs: dict[str, _Job] = {}
        self._trying: set[str] = set()

    def trying(self, simulator: str, opened: bool) -> None:
        """A simulator has a trial open, or no more: it is not retired meanwhile, and gets work after the others."""
        if opened:
            self._trying.add(simulator)
        else:
            self._trying.discard(simulator)

    def restore(self, spec: SimulationSpec, state: SimulationState) -> SimulationState:
        """A stored simulation, at start. One that was not finished waits again, or stays paused."""
        if state.status not in FINAL:
            state = _begun_anew(state, paused=state.status is SimulationStatus.PAUSED)
        state = msgspec.structs.replace(state, start=spec.start, end=spec.end)
        self._jobs[spec.code] = _Job(spec, state)
        return state

    # --- what is asked ----------------------------------------------------------------------------------------

    def add(self, spec: SimulationSpec, now_ms: int) -> SimulationState:
        """A new simulation, behind all others. Raises Invalid for a code that exists, Refused when the queue is full."""
        if spec.code in self._jobs:
            raise Invalid("code", spec.code, "a code that no other simulation has")
        if len(self._jobs) >= MAX_JOBS:
            raise Refused(f"{MAX_JOBS} simulations are stored; remove some first")
        return self._queued(spec, now_ms)

    def cancel(self, code: str) -> tuple[SimulationState, list[Instruction]]:
        """Dequeue, or ask the simulator to stop. Raises Invalid when unknown, Refused when it is over."""
        job = self._job(code)
        if job.state.status in FINAL:
            raise Refused(
                f"simulation {code} is {job.state.status.value}; only a queued, running or paused one can be cancelled"
            )
        if job.simulator is not None:
            job.cancelling = True
            return job.state, [Abort(code, job.simulator)]
        self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.CANCELLED))
        return job.state, []

    def pause(self, code: str) -> tuple[SimulationState, list[Instruction]]:
        """Hold it where it is. Raises Invalid when unknown, Refused unless it is queued or runs."""
        job = self._job(code)
        if job.state.status not in (SimulationStatus.QUEUED, SimulationStatus.RUNNING) or job.cancelling:
            raise Refused(f"simulation {code} is {job.state.status.value}; only a queued or running one can be paused")
        job.history.clear()
        job.state = msgspec.structs.replace(job.state, status=SimulationStatus.PAUSED, rate=0.0, seconds_left=None)
        return job.state, [Hold(code, job.simulator)] if job.simulator is not None else []

    def resume(self, code: str) -> tuple[SimulationState, list[Instruction]]:
        """Go on, on the simulator that has it or in the queue. Raises Invalid when unknown, Refused unless it is paused."""
        job = self._job(code)
        if job.state.status is not SimulationStatus.PAUSED:
            raise Refused(f"simulation {code} is {job.state.status.value}; only a paused one can be resumed")
        status = SimulationStatus.QUEUED if job.simulator is None else SimulationStatus.RUNNING
        job.state = msgspec.structs.replace(job.state, status=status)
        return job.state, [Hold(code, job.simulator, on=False)] if job.simulator is not None else []

    def requeue(self, code: str) -> SimulationState:
        """Begin anew, behind all others. Raises Invalid when unknown, Refused unless it was cancelled or has failed."""
        job = self._job(code)
        if job.state.status not in (SimulationStatus.CANCELLED, SimulationStatus.FAILED):
            raise Refused(
                f"simulation {code} is {job.state.status.value}; only a cancelled or failed one can be queued again"
            )
        return self._queued(job.spec, job.state.created_ms)

    def advance(self, code: str) -> SimulationState:
        """Let a queued one be the next. Raises Invalid when unknown, Refused unless it is queued."""
        job = self._job(code)
        if job.state.status is not SimulationStatus.QUEUED:
            raise Refused(f"simulation {code} is {job.state.status.value}; only a queued one can be moved to the front")
        first = min(other.state.rank for other in self._jobs.values())
        job.state = msgspec.structs.replace(job.state, rank=first - 1)
        return job.state

    def remove(self, code: str) -> tuple[SimulationState, list[Instruction]]:
        """Forget a simulation; its last state. One that a simulator has is stopped first: it is forgotten when it is over,
        which `forgotten` then says. Raises Invalid when unknown."""
        job = self._job(code)
        if job.simulator is None:
            del self._jobs[code]
            return job.state, []
        job.removing = job.cancelling = True
        return job.state, [Abort(code, job.simulator)]

    def forgotten(self, code: str) -> bool:
        """Whether there is no such simulation (any more)."""
        return code not in self._jobs

    # --- what happens -----------------------------------------------------------------------------------------

    def progress(self, state: SimulationState, now: float) -> SimulationState | None:
        """What a simulator reports; None when it does not matter (unknown, or over already)."""
        job = self._jobs.get(state.code)
        if job is None or job.simulator is None:
            return None
        old = job.state
        state = msgspec.structs.replace(state, created_ms=old.created_ms, rank=old.rank, start=old.start, end=old.end)
        if state.status in FINAL:
            self._finish(job, state)
            return job.state
        if job.state.status is SimulationStatus.PAUSED:
            job.state = msgspec.structs.replace(state, status=SimulationStatus.PAUSED)
            return job.state
        job.history.report(now, state.progress)
        rate = (job.history.rate() or 0.0) * _minutes(job.spec)
        left = job.history.seconds_left(now)
        job.state = msgspec.structs.replace(state, status=SimulationStatus.RUNNING, rate=rate, seconds_left=left)
        return job.state

    def process(self, event: ProcessState, now: float) -> list[SimulationState]:
        """An event of main; states of the jobs that a dead simulator leaves behind."""
        lost = self.pool.heard(event, now)
        if lost or event.state != "running":
            self._trying.discard(event.name)
        if not lost:
            return []
        return [self._lost(job) for job in list(self._jobs.values()) if job.simulator == event.name]

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
        busy = self._busy()
        free = sorted((name for name in self.pool.running() if name not in busy), key=self._trying.__contains__)
        waiting = self._waiting()
        for job in waiting[: len(free)]:
            job.simulator = free.pop(0)
            job.tries += 1
            busy.add(job.simulator)
            job.state = msgspec.structs.replace(job.state, status=SimulationStatus.RUNNING, progress=0.0)
            changed.append(job.state)
            instructions.append(Launch(job.spec, job.simulator))
        if len(waiting) > len(changed) and self.pool.may_start(now):
            self.pool.starting = True
            instructions.append(StartSimulator())
        for simulator in self.pool.idle_workers(busy | self._trying, now):
            self.pool.forget(simulator)
            instructions.append(Retire(simulator))
        return instructions, changed

    # --- what is so -------------------------------------------------------------------------------------------

    def states(self) -> list[SimulationState]:
        return [job.state for job in self._jobs.values()]

    def overview(self) -> SimulatorPool:
        """Simulators and what waits for one."""
        waiting = tuple(job.spec.code for job in self._waiting())
        return SimulatorPool(self.pool.size, len(self.pool.running()), len(self._busy()), waiting)

    def _queued(self, spec: SimulationSpec, created_ms: int) -> SimulationState:
        """Behind all others, as if it were new."""
        rank = max((job.state.rank for job in self._jobs.values()), default=0) + 1
        state = SimulationState(
            spec.code, SimulationStatus.QUEUED, 0.0, created_ms, start=spec.start, end=spec.end, rank=rank
        )
        self._jobs[spec.code] = _Job(spec, state)
        return state

    def _busy(self) -> set[str]:
        return {job.simulator for job in self._jobs.values() if job.simulator is not None}

    def _waiting(self) -> list[_Job]:
        waiting = [job for job in self._jobs.values() if job.state.status is SimulationStatus.QUEUED]
        return sorted(waiting, key=lambda job: (job.state.rank, job.state.created_ms))

    def _job(self, code: str) -> _Job:
        job = self._jobs.get(code)
        if job is None:
            raise Invalid("code", code, "the code of a stored simulation")
        return job

    def _finish(self, job: _Job, state: SimulationState) -> None:
        over = msgspec.structs.replace(state, phase=None, rate=0.0, seconds_left=None)
        job.state, job.simulator, job.cancelling = over, None, False
        if job.removing:
            del self._jobs[job.spec.code]

    def _lost(self, job: _Job) -> SimulationState:
        job.simulator = None
        job.history.clear()
        paused = job.state.status is SimulationStatus.PAUSED
        if job.cancelling:
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.CANCELLED))
        elif job.tries >= MAX_TRIES and not paused:
            error = f"the simulator ended {job.tries} times while it ran this simulation"
            self._finish(job, msgspec.structs.replace(job.state, status=SimulationStatus.FAILED, error=error))
        else:
            job.state = _begun_anew(job.state, paused)
        return job.state


def _begun_anew(state: SimulationState, paused: bool) -> SimulationState:
    """Nothing of it is done, and no simulator has it."""
    status = SimulationStatus.PAUSED if paused else SimulationStatus.QUEUED
    return msgspec.structs.replace(state, status=status, progress=0.0, phase=None, rate=0.0, seconds_left=None)


def _minutes(spec: SimulationSpec) -> int:
    """Minutes of single positions in a simulation; 0 when its range cannot be read."""
    try:
        minutes = (parse_time(spec.end) - parse_time(spec.start)) // MINUTE_MS
    except ValueError:
        return 0
    return max(0, minutes) * len(spec.positions)
