"""The state machine of the data manager's jobs, driven at random and by hand."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from atm.model.data_job import JobKind, JobStatus
from atm.model.errors import Invalid, Refused
from atm.storage import job_table
from atm.storage.job_table import Begin, Drop, Instruction, JobTable, Outcome, Show

NUMBERS = st.integers(1, 12)
ACTIONS = st.sampled_from(("pause", "resume", "cancel", "dismiss"))
ALLOWED = {
    JobStatus.QUEUED: {JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.CANCELLED},
    JobStatus.RUNNING: {JobStatus.PAUSED, JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED},
    JobStatus.PAUSED: {JobStatus.QUEUED, JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED},
}


class Jobs(RuleBasedStateMachine):
    """A shell that does what it is told, and reports at any moment, late ones included."""

    def __init__(self) -> None:
        super().__init__()
        self.table = JobTable()
        self.shown: dict[int, JobStatus] = {}
        self.begun: set[int] = set()
        self.dropped: set[int] = set()
        self.now = 0.0

    def take(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Begin):
                assert instruction.first is (instruction.number not in self.begun)
                assert self.shown[instruction.number] is JobStatus.RUNNING
                self.begun.add(instruction.number)
            elif isinstance(instruction, Drop):
                assert instruction.number not in self.dropped
                self.dropped.add(instruction.number)
            elif instruction.gone:
                assert self.shown.pop(instruction.job.number).final
            else:
                self.show(instruction)

    def show(self, instruction: Show) -> None:
        job, before = instruction.job, self.shown.get(instruction.job.number)
        if before is not None and before is not job.status:
            assert job.status in ALLOWED[before]
        self.shown[job.number] = job.status

    @rule(kind=st.sampled_from(JobKind), paused=st.booleans())
    def add(self, kind: JobKind, paused: bool) -> None:
        self.take(self.table.add(kind, "X", paused)[1])

    @rule(number=NUMBERS, action=ACTIONS)
    def command(self, number: int, action: str) -> None:
        before = dict(self.table.jobs)
        try:
            self.take(self.table.command(number, action))
        except (Invalid, Refused):
            assert self.table.jobs == before

    @rule(number=NUMBERS, done=st.integers(0, 100))
    def progress(self, number: int, done: int) -> None:
        self.now += 1.0
        self.take(self.table.progress(number, done, 100, self.now))

    @rule(number=NUMBERS)
    def finish(self, number: int) -> None:
        self.take(self.table.finish(number, Outcome("job.checked")))

    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        self.take(self.table.fail(number, "no"))

    @invariant()
    def sound(self) -> None:
        self.table.validate()
        assert {number: job.status for number, job in self.table.jobs.items()} == self.shown


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_rate_and_time_left_are_those_of_the_last_seconds() -> None:
    table = JobTable()
    number, _ = table.add(JobKind.DOWNLOAD, "X")
    for second in range(101):
        table.progress(number, 10 * second if second < 50 else 500 + 100 * (second - 50), 10_000, float(second))
    job = table.jobs[number]
    assert job.rate == pytest.approx(100.0)
    assert job.left_s == pytest.approx((10_000 - 5_500) / 100)
    table.command(number, "pause")
    assert (table.jobs[number].rate, table.jobs[number].left_s) == (0.0, None)


def test_a_pause_makes_room_and_resuming_waits_for_it() -> None:
    table = JobTable()
    first, _ = table.add(JobKind.CHECK, "X")
    second, _ = table.add(JobKind.EXPORT, "Y")
    assert not table.running(second)
    assert Begin(second, True) in table.command(first, "pause")
    assert not [each for each in table.command(first, "resume") if isinstance(each, Begin)]
    assert Begin(first, False) in table.finish(second, Outcome("job.exported"))


def test_only_so_many_finished_jobs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_table, "MOST_FINISHED", 2)
    table = JobTable()
    for _ in range(4):
        number, _ = table.add(JobKind.CHECK, "X")
        table.fail(number, "no")
    assert list(table.jobs) == [3, 4]
