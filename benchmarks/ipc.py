"""Latency of a request through the router against a bare pipe; an array by shared memory, through a queue and pickled."""

from __future__ import annotations

import multiprocessing
import pickle
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from atm.app.bench import BenchRow
from atm.app.process_table import Program
from atm.app.supervisor import Supervisor
from atm.ipc.messages import Ping
from atm.ipc.queues import OneWayQueue
from atm.ipc.shared_array import SharedArrays, program_id, take
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Unavailable
from atm.model.program import ProgramContext

ROUNDS = 1_000
ARRAY_ROUNDS = 40


def _echo(pipe: Connection) -> None:
    while pipe.recv_bytes():
        pipe.send_bytes(b"pong")


def _median(rounds: int, once: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        once()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _pipe() -> float:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_echo, args=(there,), daemon=True)
    process.start()

    def once() -> None:
        here.send_bytes(b"ping")
        here.recv_bytes()

    median = _median(ROUNDS, once)
    process.terminate()
    return median * 1e6


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
    median = _median(ROUNDS, lambda: supervisor.assistant.request("neural_network", Ping()))
    supervisor.end()
    thread.join()
    return median * 1e6


def _sum_up(inbox: OneWayQueue, outbox: Any) -> None:
    """Add up arrays that come as references or as pickled bytes."""
    while (data := inbox.get()) != b"":
        received = pickle.loads(data)
        array = received if isinstance(received, np.ndarray) else take(received)
        outbox.put(float(array[0] + array[-1]))


def _array(megabytes: int) -> BenchRow:
    """From having the array to the reader's having read its ends."""
    arrays = SharedArrays(program_id(Path(tempfile.mkdtemp())), "bench")
    context = multiprocessing.get_context("forkserver")
    there, back = OneWayQueue(ctx=context), context.SimpleQueue()
    reader = context.Process(target=_sum_up, args=(there, back), daemon=True)
    reader.start()
    array = np.arange(megabytes * 131_072, dtype=np.float64)

    def send(what: object) -> None:
        there.put(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))
        back.get()

    send(array)
    shared = _median(ARRAY_ROUNDS, lambda: send(arrays.share(array))) * 1e3
    queued = _median(ARRAY_ROUNDS, lambda: send(array)) * 1e3
    there.put(b"")
    reader.join()
    name, peer = f"{megabytes} MB by shared array", "the same through the queue"
    return BenchRow(name, shared, "ms", peer, queued, shared / queued, None, shared < queued)


def _pickled(megabytes: int, shared: float) -> BenchRow:
    array = np.arange(megabytes * 131_072, dtype=np.float64)
    floor = _median(ARRAY_ROUNDS, lambda: pickle.loads(pickle.dumps(array, pickle.HIGHEST_PROTOCOL))) * 1e3
    name, peer = f"{megabytes} MB by shared array", "pickle and unpickle in one process"
    return BenchRow(name, shared, "ms", peer, floor, shared / floor, None, True)


def rows() -> list[BenchRow]:
    pipe, router = _pipe(), _router()
    found = [
        BenchRow("request and reply, main to a manager", router, "µs", "a bare pipe", pipe, router / pipe, None, True)
    ]
    for megabytes in (1, 20):
        row = _array(megabytes)
        found += [row, _pickled(megabytes, row.value)]
    return found
