"""Back-pressure between real processes."""

import os
import queue
import signal
import threading
import time
from pathlib import Path

import pytest

from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.ipc.messages import Done, LastStored, LastStoredReply, ProcessState, Reply, StopAnalysis
from atm.model.endpoint import Addresses, Endpoint
from atm.model.program import ProgramContext

CHILD = "tests.ipc.flooding_child"
MANY = 50_000


def _stored(supervisor: Supervisor, name: str) -> dict[str, int]:
    reply = supervisor.assistant.request(name, LastStored(), 20)
    assert isinstance(reply, LastStoredReply)
    return reply.open_time


@pytest.mark.usefixtures("light_children")
def test_a_receiver_that_stands_still_makes_the_sender_wait_and_loses_nothing(home: Path) -> None:
    context = ProgramContext(home, home, Endpoint.DEMO, Addresses("", ""), 1, 1, ("X",), headless=True)
    programs = tuple(Program(name, CHILD) for name in ("data", "trade", "simulation"))
    supervisor = Supervisor(context, None, programs)
    pids: queue.Queue[ProcessState] = queue.Queue()
    supervisor.assistant.subscribe(ProcessState, pids.put)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        started = {state.name: state.pid for state in (pids.get(timeout=30) for _ in programs)}
        assert supervisor.assistant.request("data", StopAnalysis("subscribe"), 20) == Done()
        os.kill(started["data"], signal.SIGSTOP)
        finished: queue.Queue[Reply] = queue.Queue()
        supervisor.assistant.request_async("trade", StopAnalysis(str(MANY)), finished.put, 60)
        deadline = time.monotonic() + 20
        while not supervisor._switchboard.waits("trade"):
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)
        assert supervisor.assistant.request("simulation", LastStored(), 20)
        assert finished.empty()
        os.kill(started["data"], signal.SIGCONT)
        assert _stored(supervisor, "data")["count"] < MANY
        assert finished.get(timeout=60) == Done()
        while (seen := _stored(supervisor, "data"))["count"] < MANY:
            assert time.monotonic() < deadline + 40
        assert seen == {"count": MANY, "out of order": 0}
    finally:
        supervisor.end()
        thread.join(30)
    assert not thread.is_alive()
