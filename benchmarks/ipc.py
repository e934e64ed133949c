"""Latency of a request through the router, against a bare pipe; 1 MB by shared memory is measured in its own file."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from atm.app.bench import BenchRow
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.ipc.messages import Ping
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Unavailable
from atm.model.program import ProgramContext

ROUNDS = 1_000


def _echo(pipe: Connection) -> None:
    while pipe.recv_bytes():
        pipe.send_bytes(b"pong")


def _pipe() -> float:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_echo, args=(there,), daemon=True)
    process.start()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        here.send_bytes(b"ping")
        here.recv_bytes()
        times.append(time.perf_counter() - begun)
    process.terminate()
    return statistics.median(times) * 1e6


def _router() -> float:
    home = Path(tempfile.mkdtemp())
    context = ProgramContext(home, home, Endpoint.DEMO, Addresses("", ""), 1, 1, ("X",), headless=True)
    supervisor = Supervisor(context, None, (Program("neural_network", "atm.managers.neural_network"),))
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    for _ in range(100):
        try:
            supervisor.assistant.request("neural_network", Ping(), 10)
            break
        except Unavailable:
            time.sleep(0.1)
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        supervisor.assistant.request("neural_network", Ping())
        times.append(time.perf_counter() - begun)
    supervisor.end()
    thread.join()
    return statistics.median(times) * 1e6


def rows() -> list[BenchRow]:
    pipe, router = _pipe(), _router()
    return [
        BenchRow("request and reply, main to a manager", router, "µs", "a bare pipe", pipe, router / pipe, None, True)
    ]
