"""The queue of simulations: order, cancel, death of a simulator, restart."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.ipc.messages import ProcessState
from atm.managers.simulation_queue import FINAL, MAX_TRIES, Abort, Hold, Launch, Retire, SimulationQueue, StartSimulator
from atm.model.account import AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid, Refused
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus
from atm.model.trade_configuration import TradeConfiguration

QUEUED, RUNNING, PAUSED, COMPLETED, CANCELLED, FAILED = SimulationStatus


def spec(code: str) -> SimulationSpec:
    return SimulationSpec(
        code, "2023-08-01", "2023-08-02", {"USDT": AssetSetup(1000.0)},
        (PositionSetup("FILUSDT", "A", "T"),), (AnalysisConfiguration.of_one("A"),), (TradeConfiguration("T"),),
    )  # fmt: skip


def up(name: str = "simulator-0", pid: int = 1) -> ProcessState:
    return ProcessState(name, "running", pid, 0)


def down(name: str = "simulator-0") -> ProcessState:
    return ProcessState(name, "dead", 0, 0)


def test_first_in_first_out_one_per_simulator() -> None:
    queue = SimulationQueue(1)
    for code in ("one", "two"):
        assert queue.add(spec(code), 5).status is QUEUED
    assert queue.plan(0.0)[0] == [StartSimulator()]
    queue.pool.started("simulator-0", 0.0)
    queue.process(up(), 0.0)
    instructions, changed = queue.plan(0.0)
    assert instructions == [Launch(spec("one"), "simulator-0")]
    assert [(s.code, s.status) for s in changed] == [("one", RUNNING)]
    assert queue.plan(0.0) == ([], [])
    done = queue.progress(SimulationState("one", COMPLETED, 1.0, 0), 0.0)
    assert done is not None and done.created_ms == 5
    assert queue.plan(0.0)[0] == [Launch(spec("two"), "simulator-0")]


def test_the_job_of_a_dead_simulator_starts_again_but_not_for_ever() -> None:
    queue = SimulationQueue(1)
    queue.add(spec("one"), 0)
    for pid in range(1, MAX_TRIES + 1):
        queue.process(up(pid=pid), 0.0)
        assert queue.plan(0.0)[0] == [Launch(spec("one"), "simulator-0")]
        (left,) = queue.process(down(), 0.0)
        assert left.status is (QUEUED if pid < MAX_TRIES else FAILED)
    assert "3 times" in left.error


def test_cancel_and_remove() -> None:
    queue = SimulationQueue(1)
    queue.process(up(), 0.0)
    for code in ("one", "two"):
        queue.add(spec(code), 0)
    queue.plan(0.0)
    assert queue.cancel("two")[0].status is CANCELLED
    state, instructions = queue.cancel("one")
    assert state.status is RUNNING and instructions == [Abort("one", "simulator-0")]
    ended = queue.progress(SimulationState("one", CANCELLED, 0.4, 0), 0.0)
    assert ended is not None and ended.status is CANCELLED
    queue.remove("one")
    with pytest.raises(Invalid, match="code"):
        queue.cancel("one")
    with pytest.raises(Invalid, match="code"):
        queue.add(spec("two"), 0)


def test_a_restart_of_the_manager_queues_what_was_not_finished() -> None:
    queue = SimulationQueue(1)
    queue.restore(spec("done"), SimulationState("done", COMPLETED, 1.0, 1))
    assert queue.restore(spec("half"), SimulationState("half", RUNNING, 0.5, 2)).status is QUEUED
    queue.process(up(), 0.0)
    assert queue.plan(0.0)[0] == [Launch(spec("half"), "simulator-0")]


def test_a_paused_one_keeps_its_simulator_and_goes_on_there() -> None:
    queue = SimulationQueue(1)
    for code in ("one", "two"):
        queue.add(spec(code), 0)
    queue.process(up(), 0.0)
    queue.plan(0.0)
    queue.progress(SimulationState("one", RUNNING, 0.3, 0), 1.0)
    state, instructions = queue.pause("one")
    assert state.status is PAUSED and instructions == [Hold("one", "simulator-0")]
    late = queue.progress(SimulationState("one", RUNNING, 0.4, 0), 1.1)
    assert late is not None and (late.status, late.progress) == (PAUSED, 0.4), "the slice under way is still reported"
    assert queue.plan(2.0) == ([], []), "its simulator is not given away"
    assert queue.overview().busy == 1 and queue.overview().waiting == ("two",)
    with pytest.raises(Refused, match="PAUSED"):
        queue.pause("one")
    state, instructions = queue.resume("one")
    assert state.status is RUNNING and instructions == [Hold("one", "simulator-0", on=False)]
    with pytest.raises(Refused, match="only a paused one"):
        queue.resume("one")


def test_a_queued_one_that_is_paused_is_passed_over_until_it_is_resumed() -> None:
    queue = SimulationQueue(1)
    for code in ("one", "two"):
        queue.add(spec(code), 0)
    assert queue.pause("one")[1] == []
    queue.process(up(), 0.0)
    assert queue.plan(0.0)[0] == [Launch(spec("two"), "simulator-0")]
    assert queue.resume("one")[0].status is QUEUED
    assert queue.overview().waiting == ("one",)


def test_a_paused_one_stays_paused_when_its_simulator_or_the_manager_dies() -> None:
    queue = SimulationQueue(1)
    queue.add(spec("one"), 0)
    queue.process(up(), 0.0)
    queue.plan(0.0)
    queue.pause("one")
    (left,) = queue.process(down(), 1.0)
    assert (left.status, left.progress) == (PAUSED, 0.0)
    assert SimulationQueue(1).restore(spec("one"), left).status is PAUSED
    queue.process(up(pid=2), 2.0)
    assert queue.plan(2.0) == ([], [])
    assert queue.resume("one")[0].status is QUEUED
    assert queue.plan(2.0)[0] == [Launch(spec("one"), "simulator-0")]


def test_the_front_of_the_queue_and_the_end_of_it_survive_a_restart() -> None:
    queue = SimulationQueue(1)
    for code in ("one", "two", "three"):
        queue.add(spec(code), 0)
    assert queue.advance("three").rank < queue.advance("two").rank + 2
    queue.cancel("one")
    again = queue.requeue("one")
    assert again.status is QUEUED and again.created_ms == 0
    assert queue.overview().waiting == ("two", "three", "one")
    restored = SimulationQueue(1)
    for state in queue.states():
        restored.restore(spec(state.code), state)
    assert restored.overview().waiting == ("two", "three", "one")


def test_only_what_was_cancelled_or_has_failed_is_queued_again() -> None:
    queue = SimulationQueue(1)
    queue.restore(spec("bad"), SimulationState("bad", FAILED, 0.2, 3, "no bars"))
    queue.restore(spec("good"), SimulationState("good", COMPLETED, 1.0, 4))
    again = queue.requeue("bad")
    assert (again.status, again.error, again.progress, again.created_ms) == (QUEUED, "", 0.0, 3)
    for code in ("good", "bad"):
        with pytest.raises(Refused, match="only a cancelled or failed one"):
            queue.requeue(code)


def test_a_running_one_that_is_removed_is_gone_when_it_has_stopped() -> None:
    queue = SimulationQueue(1)
    queue.add(spec("one"), 0)
    queue.process(up(), 0.0)
    queue.plan(0.0)
    assert queue.remove("one")[1] == [Abort("one", "simulator-0")]
    assert not queue.forgotten("one")
    queue.progress(SimulationState("one", CANCELLED, 0.0, 0), 1.0)
    assert queue.forgotten("one") and queue.overview().busy == 0
    queue.add(spec("one"), 0)
    queue.plan(1.0)
    queue.remove("one")
    queue.process(down(), 2.0)
    assert queue.forgotten("one"), "the death of its simulator ends it as well"


def test_rate_and_time_left_of_a_running_one() -> None:
    queue = SimulationQueue(1)
    queue.add(spec("one"), 0)
    queue.process(up(), 0.0)
    queue.plan(0.0)
    for second in range(1, 5):
        state = queue.progress(SimulationState("one", RUNNING, 0.1 * second, 0), float(second))
    assert state is not None
    assert state.rate == pytest.approx(0.1 * 1440), "a day of one position is 1,440 minutes"
    assert state.seconds_left == pytest.approx(6.0)
    over = queue.progress(SimulationState("one", COMPLETED, 1.0, 0), 5.0)
    assert over is not None and over.rate == 0 and over.seconds_left is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_no_job_runs_twice_at_once_and_every_job_ends(steps: list[tuple[int, int]]) -> None:
    queue = SimulationQueue(2)
    pids = [1, 2]
    workers = ["simulator-0", "simulator-1"]
    running: dict[str, str] = {}

    def carry_out() -> None:
        for instruction in queue.plan(0.0)[0]:
            if isinstance(instruction, Launch):
                assert instruction.simulator not in running and instruction.spec.code not in running.values()
                running[instruction.simulator] = instruction.spec.code

    for name, pid in zip(workers, pids, strict=True):
        queue.process(up(name, pid), 0.0)
    for action, n in steps:
        worker, code = workers[n % 2], f"job {n}"
        if action == 0 and code not in {s.code for s in queue.states()}:
            queue.add(spec(code), n)
        elif action == 1 and worker in running:
            queue.progress(SimulationState(running.pop(worker), COMPLETED, 1.0, 0), 0.0)
        elif action == 2:
            running.pop(worker, None)
            pids[n % 2] += 10
            queue.process(up(worker, pids[n % 2]), 0.0)
        elif action == 3 and worker in running:
            queue.progress(SimulationState(running[worker], RUNNING, 0.5, 0), 0.0)
        elif action == 4:
            for state in queue.states():
                if state.code == code and state.status not in FINAL:
                    queue.cancel(code)
        elif action >= 6:
            asked = (queue.pause, queue.resume, queue.requeue, queue.advance)[action - 6]
            with contextlib.suppress(Refused, Invalid):
                asked(code)
        carry_out()
    for state in queue.states():
        if state.status is PAUSED:
            queue.resume(state.code)
    carry_out()
    while running:
        queue.progress(SimulationState(running.popitem()[1], COMPLETED, 1.0, 0), 0.0)
        carry_out()
    assert all(state.status in FINAL for state in queue.states())
    assert msgspec.json.encode(queue.states())


def test_a_simulator_with_an_open_trial_is_kept_and_gets_work_last() -> None:
    queue = SimulationQueue(2)
    for name in ("simulator-0", "simulator-1"):
        queue.process(up(name), 0.0)
    queue.trying("simulator-0", True)
    queue.add(spec("one"), 0)
    assert queue.plan(0.0)[0] == [Launch(spec("one"), "simulator-1")]
    queue.progress(SimulationState("one", COMPLETED, 1.0, 0), 0.0)
    assert queue.plan(1_000.0)[0] == [Retire("simulator-1")]
    queue.trying("simulator-0", False)
    assert queue.plan(2_000.0)[0] == [Retire("simulator-0")]


def test_a_trial_ends_with_its_simulator() -> None:
    queue = SimulationQueue(1)
    queue.process(up(), 0.0)
    queue.trying("simulator-0", True)
    queue.process(down(), 0.0)
    queue.process(up(pid=2), 0.0)
    assert queue.plan(1_000.0)[0] == [Retire("simulator-0")]
