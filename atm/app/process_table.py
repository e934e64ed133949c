"""Which processes there are: name, module, and whether they belong to the pool."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any, NamedTuple

from atm.ipc.messages import BINANCE_API, DATA, GUI, NEURAL_NETWORK, NOTIFIER, SIMULATION, TRADE


class Program(NamedTuple):
    """A child process: its module has `run(assistant, context)`."""

    name: str
    module: str


ROOT = Path(__file__).parents[2]
WINDOW = Program(GUI, "atm.gui.application")
MANAGERS = (
    Program(DATA, "atm.managers.data"),
    Program(BINANCE_API, "atm.managers.binance_api"),
    Program(TRADE, "atm.managers.trade"),
    Program(SIMULATION, "atm.managers.simulation"),
    Program(NEURAL_NETWORK, "atm.managers.neural_network"),
)
WORKERS = {
    "analyzer": "atm.analyzers.process",
    "simulator": "atm.simulators.process",
    NOTIFIER: "atm.notifications.process",
}

STOP_ORDER = (GUI, "simulator", TRADE, SIMULATION, "analyzer", NEURAL_NETWORK, BINANCE_API, DATA, NOTIFIER)
"""The window first, the store late, so that nothing is produced that nobody keeps; last who tells the user of it."""
PRELOAD = ("atm.app.preload",)
"""Loaded once in the fork server and shared by all children but the window."""


ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}
"""For every child, unless the user has set it. The C library is to give freed arrays back to the system: left to itself it
raises its thresholds with the size of what is freed, and keeps up to 64 MB for each process and thread that has once read a
few months of bars."""


def process_context() -> Any:
    """How children are started: by a fork server that has loaded what they share; by spawning on Windows.

    Must be called before the first child is started: the fork server loads `PRELOAD` when it begins.
    """
    if os.name == "nt":
        return multiprocessing.get_context("spawn")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The fork server looks for `PRELOAD` by its own path, and goes on in silence without what it does not find.
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, (str(ROOT), *known))))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def window_context() -> Any:
    """The window is a process from scratch: it needs little of what the others share, and so need not wait for it."""
    return multiprocessing.get_context("spawn")
