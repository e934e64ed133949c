"""The jobs of the data manager: a state machine without I/O. Time is an argument (monotonic seconds).

    QUEUED → RUNNING → DONE | FAILED        pause: → PAUSED, resume: → QUEUED        cancel: → CANCELLED

Jobs that ask the exchange and jobs that work on files run in two lanes, each with its limit, in the order in which they came.
What a shell has to do comes back as instructions. A report about a job that is over already is ignored, since the work under
way when a job is cancelled ends a little later.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from atm.model.data_job import DataJob, IntegrityFinding, JobKind, JobStatus
from atm.model.errors import Invalid, Refused, Unavailable

MOST_AT_ONCE = {True: 2, False: 1}
"""Running jobs of a lane; key: whether it asks the exchange."""
MOST_OPEN = 1_000
MOST_FINISHED = 50
RATE_WINDOW_S = 20.0


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the work, or go on with it."""

    number: int
    first: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget the work: the job was cancelled."""

    number: int


@dataclass(frozen=True, slots=True)
class Show:
    """The job has changed; gone: it is no longer in the list."""

    job: DataJob
    gone: bool = False


Instruction = Begin | Drop | Show


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job, see `DataJob`."""

    text: str
    parameters: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    findings: tuple[IntegrityFinding, ...] = ()


class JobTable:
    """See the module. At most `MOST_OPEN` jobs are open, and the newest `MOST_FINISHED` finished ones are kept."""

    def __init__(self) -> None:
        self.jobs: dict[int, DataJob] = {}
        self._numbers = 0
        self._begun: set[int] = set()
        self._marks: dict[int, deque[tuple[float, int]]] = {}

    def add(self, kind: JobKind, symbol: str, paused: bool = False) -> tuple[int, list[Instruction]]:
        """A new job at the end of its lane. Raises `Unavailable` when too many are open."""
        if sum(not job.status.final for job in self.jobs.values()) >= MOST_OPEN:
            raise Unavailable(f"{MOST_OPEN} jobs are open already")
        self._numbers += 1
        status = JobStatus.PAUSED if paused else JobStatus.QUEUED
        shown = self._change(DataJob(self._numbers, kind, symbol, status))
        return self._numbers, [*shown, *self._fill()]

    def command(self, number: int, action: str) -> list[Instruction]:
        """What the user wants of a job. Raises `Invalid` for an unknown job or action, `Refused` where it cannot be done."""
        job = self.jobs.get(number)
        if job is None:
            raise Invalid("number", number, "a job of the list")
        if action == "pause" and job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            self._marks.pop(number, None)
            return [*self._change(_with(job, status=JobStatus.PAUSED, rate=0.0, left_s=None)), *self._fill()]
        if action == "resume" and job.status is JobStatus.PAUSED:
            return [*self._change(_with(job, status=JobStatus.QUEUED)), *self._fill()]
        if action == "cancel" and not job.status.final:
            ended = _with(job, status=JobStatus.CANCELLED, rate=0.0, left_s=None)
            return [Drop(number), *self._change(ended), *self._fill()]
        if action == "dismiss" and job.status.final:
            del self.jobs[number]
            return [Show(job, gone=True)]
        if action not in ("pause", "resume", "cancel", "dismiss"):
            raise Invalid("action", action, "pause, resume, cancel or dismiss")
        raise Refused(f"job {number} is {job.status.value}: it cannot be asked to {action}")

    def progress(self, number: int, done: int, total: int, now_s: float) -> list[Instruction]:
        """The work has come so far."""
        job = self._open(number)
        if job is None:
            return []
        rate, left = 0.0, None
        if job.status is JobStatus.RUNNING:
            rate = self._rate(number, done, now_s)
            left = (total - done) / rate if rate > 0.0 and total >= done else None
        return self._change(_with(job, done=done, total=total, rate=rate, left_s=left))

    def finish(self, number: int, outcome: Outcome) -> list[Instruction]:
        """The work is done."""
        job = self._open(number)
        if job is None:
            return []
        ended = _with(
            job, status=JobStatus.DONE, rate=0.0, left_s=None, text=outcome.text, parameters=outcome.parameters,
            notes=outcome.notes, findings=outcome.findings,
        )  # fmt: skip
        return [*self._change(ended), *self._fill()]

    def fail(self, number: int, error: str) -> list[Instruction]:
        """The work cannot be done."""
        job = self._open(number)
        if job is None:
            return []
        ended = _with(job, status=JobStatus.FAILED, rate=0.0, left_s=None, error=error)
        return [*self._change(ended), *self._fill()]

    def running(self, number: int) -> bool:
        """Whether its work is to go on."""
        job = self.jobs.get(number)
        return job is not None and job.status is JobStatus.RUNNING

    def validate(self) -> None:
        """Every invariant, for tests."""
        for asks, most in MOST_AT_ONCE.items():
            lane = [job for job in self.jobs.values() if job.kind.asks_exchange is asks]
            running = sum(job.status is JobStatus.RUNNING for job in lane)
            assert running <= most, f"{running} jobs of a lane run"
            waiting = any(job.status is JobStatus.QUEUED for job in lane)
            assert not waiting or running == most, "a job waits although the lane is free"
        assert sum(job.status.final for job in self.jobs.values()) <= MOST_FINISHED
        assert set(self._marks) <= {number for number, job in self.jobs.items() if not job.status.final}

    def _open(self, number: int) -> DataJob | None:
        job = self.jobs.get(number)
        return None if job is None or job.status.final or number not in self._begun else job

    def _rate(self, number: int, done: int, now_s: float) -> float:
        marks = self._marks.setdefault(number, deque())
        marks.append((now_s, done))
        while marks[0][0] < now_s - RATE_WINDOW_S:
            marks.popleft()
        seconds = now_s - marks[0][0]
        return (done - marks[0][1]) / seconds if seconds > 0.0 else 0.0

    def _fill(self) -> list[Instruction]:
        """Let the next jobs of each lane run."""
        found: list[Instruction] = []
        for asks, most in MOST_AT_ONCE.items():
            lane = [job for job in self.jobs.values() if job.kind.asks_exchange is asks]
            free = most - sum(job.status is JobStatus.RUNNING for job in lane)
            for job in [job for job in lane if job.status is JobStatus.QUEUED][: max(0, free)]:
                found += self._change(_with(job, status=JobStatus.RUNNING))
                found.append(Begin(job.number, job.number not in self._begun))
                self._begun.add(job.number)
        return found

    def _change(self, job: DataJob) -> list[Instruction]:
        self.jobs[job.number] = job
        shown: list[Instruction] = [Show(job)]
        if job.status.final:
            self._begun.discard(job.number)
            self._marks.pop(job.number, None)
            finished = [each for each in self.jobs.values() if each.status.final]
            for old in finished[: max(0, len(finished) - MOST_FINISHED)]:
                del self.jobs[old.number]
                shown.append(Show(old, gone=True))
        return shown


def _with(job: DataJob, **changes: object) -> DataJob:
    changed: DataJob = msgspec.structs.replace(job, **changes)
    return changed
