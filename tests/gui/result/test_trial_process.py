"""A trial in a real simulator process: the figures of the backtest, and the death of the process."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.gui.result.trial_client import Sent, TrialClient
from atm.ipc.messages import Ping, ProcessState, Reply
from atm.ipc.shared_array import program_id, take
from atm.model.endpoint import Addresses, Endpoint
from atm.model.program import ProgramContext
from atm.simulators import backtest
from atm.simulators.specification import read_specification
from atm.storage.market_store import open_store
from tests.gui.result.ran import ASSETS, INSTRUMENTS, ROOT, STORE


class Window:
    """What a window does for its trial, without one."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.client = TrialClient()
        self.simulators: dict[str, int] = {}
        self.replies: queue.SimpleQueue[tuple[Sent, Reply]] = queue.SimpleQueue()
        supervisor.assistant.subscribe(ProcessState, self._on_process)

    def _on_process(self, event: ProcessState) -> None:
        if event.name.startswith("simulator-") and event.state == "running":
            self.simulators[event.name] = event.pid
        else:
            self.simulators.pop(event.name, None)

    def until(self, what: str, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not there():
            assert time.monotonic() < deadline, f"{what}: {self.client.phase} {self.client.problem}"
            for sent in self.client.step(time.time_ns() // 1_000_000, dict(self.simulators)):
                self._send(sent)
            try:
                sent, reply = self.replies.get(timeout=0.02)
            except queue.Empty:
                continue
            shown = self.client.answered(sent, reply)
            if shown is not None:
                take(shown.curve)

    def _send(self, sent: Sent) -> None:
        answered = self.replies.put
        self.supervisor.assistant.request_async(
            sent.to, sent.request, lambda reply: answered((sent, reply)), sent.timeout_s
        )


def test_a_trial_in_a_simulator_that_is_killed(home: Path) -> None:
    context = ProgramContext(home, ASSETS, Endpoint.LIVE, Addresses("", ""), 1, 1, ("FILUSDT",), headless=True)
    spec = msgspec.structs.replace(read_specification(ROOT / "examples" / "rqpm_filusdt.toml"), end="2023-08-10")
    bars = STORE.read("FILUSDT", STORE.coverage("FILUSDT")[0].start_ms, STORE.coverage("FILUSDT")[0].end_ms)
    writer = open_store(context, read_only=False)
    writer.put("FILUSDT", bars)
    writer.close()
    expected = backtest.run(spec, STORE, INSTRUMENTS).summary.net_profit
    supervisor = Supervisor(context, None, (Program("simulator-0", "atm.simulators.process"),))
    window = Window(supervisor)
    started = threading.Event()
    supervisor.assistant.call_soon(started.set)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        assert started.wait(30)
        supervisor.assistant.request("simulator-0", Ping(), 60)
        client = window.client
        client.want(spec, {})
        window.until("the base", lambda: client.base is not None)
        assert client.base is not None and client.base.figures.net_profit == expected
        client.want(spec, {"trade[0].leverage": 1})
        window.until("another value", lambda: not client.busy)
        assert client.shown is not None and client.shown.figures.net_profit != expected
        first = client.trial
        os.kill(window.simulators["simulator-0"], signal.SIGKILL)
        window.until("the trial is opened anew", lambda: client.phase == "open" and client.trial != first)
        client.want(spec, {"trade[0].leverage": 2})
        runs = client.runs
        window.until("it answers", lambda: client.runs > runs and not client.busy)
    finally:
        supervisor.end()
        thread.join(30)
    assert not list(Path("/dev/shm").glob(f"atm-{program_id(home)}-*"))
