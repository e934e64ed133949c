import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from atm.app import supervisor as module
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.ipc.messages import (
    BINANCE_API,
    MAIN,
    NOTIFIER,
    CloseWindow,
    Done,
    ProcessState,
    RetireWorker,
    StartWorker,
    StopAnalysis,
    WorkerStarted,
)
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Refused, Unavailable
from atm.model.program import ProgramContext

pytestmark = pytest.mark.usefixtures("light_children")

CHILD = "tests.app.obedient_child"


class Running:
    """A supervisor on its own thread, and the process states it has published."""

    def __init__(self, home: Path, *names: str) -> None:
        context = ProgramContext(home, home, Endpoint.DEMO, Addresses("", ""), 1, 1, ("X",), headless=True)
        names = names or ("data", "trade")
        programs = tuple(Program(name, CHILD) for name in names)
        self.supervisor = Supervisor(context, None, programs, {"analyzer": CHILD})
        self.states: queue.Queue[ProcessState] = queue.Queue()
        self.supervisor.assistant.subscribe(ProcessState, self.states.put)
        self.thread = threading.Thread(target=self.supervisor.run)
        self.thread.start()
        for name in names:
            self.wait_for(name, "running")

    def ask(self, name: str, what: str, timeout: float = 20) -> Done:
        reply = self.supervisor.assistant.request(name, StopAnalysis(what), timeout)
        assert isinstance(reply, Done)
        return reply

    def get_to_know(self, name: str) -> None:
        """Until a ping of the supervisor has been answered."""
        child = self.supervisor._children[name]
        deadline = time.monotonic() + 30
        while not child.known and time.monotonic() < deadline:
            self.supervisor.assistant.call_soon(self.supervisor._ping)
            self.ask(name, "hello")
        assert child.known

    def wait_for(self, name: str, state: str, restarts: int | None = None) -> ProcessState:
        while True:
            found = self.states.get(timeout=30)
            if (found.name, found.state) == (name, state) and restarts in (None, found.restarts):
                return found


@pytest.fixture
def program(home: Path) -> Iterator[Running]:
    running = Running(home)
    yield running
    running.supervisor.end()
    running.thread.join(30)
    assert not running.thread.is_alive()


def test_a_killed_child_comes_back_and_the_others_do_not_notice(program: Running) -> None:
    before = program.ask("data", "hello").parameters["pid"]
    other = program.ask("trade", "hello").parameters["pid"]
    with pytest.raises(Unavailable, match="data has stopped"):
        program.ask("data", "die")
    program.wait_for("data", "dead")
    program.wait_for("data", "running", restarts=1)
    after = program.ask("data", "hello").parameters["pid"]
    assert after != before
    assert program.ask("trade", "hello").parameters["pid"] == other
    # and the two still reach each other through the router
    relayed = program.supervisor.assistant.request("trade", RetireWorker("data"), 20)
    assert isinstance(relayed, Done)
    assert relayed.parameters["pid"] == after


def test_a_child_that_hangs_is_killed_and_comes_back(program: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    program.ask("data", "hello")
    program.get_to_know("data")
    monkeypatch.setattr(module, "HUNG_SECONDS", 0.5)
    monkeypatch.setattr(module, "PING_SECONDS", 0.2)
    program.supervisor.assistant.call_soon(lambda: program.supervisor.assistant.every(0.2, program.supervisor._ping))
    with pytest.raises(Unavailable):
        program.ask("data", "hang")
    program.wait_for("data", "running", restarts=1)


def test_a_child_that_is_still_starting_has_more_patience(
    program: Running,
) -> None:
    pid = program.ask("data", "hello").parameters["pid"]
    child = program.supervisor._children["data"]
    child.known = False
    child.answered -= module.HUNG_SECONDS + module.PING_SECONDS + 1
    program.get_to_know("data")  # pinged, and not killed
    assert program.ask("data", "hello").parameters["pid"] == pid
    child.known, child.answered = False, child.answered - module.STARTING_SECONDS - module.PING_SECONDS - 1
    program.supervisor.assistant.call_soon(program.supervisor._ping)
    program.wait_for("data", "running", restarts=1)


def test_workers_start_on_demand_up_to_the_pool_and_retire(program: Running) -> None:
    ask = program.supervisor.assistant.request
    assert ask(MAIN, StartWorker("analyzer"), 20) == WorkerStarted("analyzer-0")
    with pytest.raises(Refused, match="all 1 analyzers are running"):
        ask(MAIN, StartWorker("analyzer"), 20)
    assert program.ask("analyzer-0", "hello").text == "hello"
    ask(MAIN, RetireWorker("analyzer-0"), 20)
    program.wait_for("analyzer-0", "stopped")
    with pytest.raises(Refused, match="no worker"):
        ask(MAIN, RetireWorker("data"), 20)


def test_the_end_leaves_nothing_running(home: Path) -> None:
    running = Running(home)
    pids = [int(running.ask(name, "hello").parameters["pid"]) for name in ("data", "trade")]
    assert all(psutil.pid_exists(pid) for pid in pids)
    running.supervisor.assistant.request(MAIN, CloseWindow(), 20)
    running.thread.join(30)
    assert not running.thread.is_alive()
    mine = {child.pid for child in psutil.Process(os.getpid()).children(recursive=True)}
    assert not mine & set(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are asked of Linux")
def test_no_child_leaves_a_core_dump_with_keys_in_it(program: Running) -> None:
    process = psutil.Process(int(program.ask("trade", "hello").parameters["pid"]))
    assert process.rlimit(psutil.RLIMIT_CORE) in ((0, 0), (1, 1)), (
        "1 keeps crash reporters away too, where it is allowed"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="a process hides its memory by means of Linux")
def test_a_process_that_may_hold_keys_hides_its_memory_and_tells_its_size_itself(home: Path) -> None:
    running = Running(home, "trade", BINANCE_API)
    try:
        for name in ("trade", BINANCE_API):
            running.get_to_know(name)
        children = running.supervisor._children
        assert children[BINANCE_API].pss > 1_000_000
        assert children["trade"].pss == 0, "measured by main, later"
        hidden = {name: running.ask(name, "dumpable").parameters["dumpable"] for name in ("trade", BINANCE_API)}
        assert hidden == {"trade": "1", BINANCE_API: "0"}
    finally:
        running.supervisor.end()
        running.thread.join(30)


def test_the_notifier_is_there_from_the_start_where_it_is_wanted_and_alone(home: Path) -> None:
    context = ProgramContext(home, home, Endpoint.DEMO, Addresses("", ""), 1, 1, ("X",), headless=True)
    supervisor = Supervisor(context, None, (), {NOTIFIER: CHILD}, at_start=(NOTIFIER,))
    states: queue.Queue[ProcessState] = queue.Queue()
    supervisor.assistant.subscribe(ProcessState, states.put)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    assert (states.get(timeout=30).name, set(supervisor.processes())) == ("notifier-0", {"notifier-0"})
    with pytest.raises(Refused, match="all 1 notifiers are running"):
        supervisor.assistant.request(MAIN, StartWorker(NOTIFIER), 20)
    supervisor.end()
    thread.join(30)
    assert not thread.is_alive()
