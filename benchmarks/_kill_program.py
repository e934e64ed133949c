"""The program of the kill campaign: started as a user starts it without a window, seen and struck from outside.

`python -m benchmarks._kill_program HOME ASSETS SPEED PARENT` is the program itself: the same processes on another recorded market. Only
its patience with a process that dies again and again is changed: eight deaths within minutes, the business of this campaign, would
rightly make it give that process up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
import psutil
import requests

from atm.app.control import ask_running
from atm.model.errors import ATMError

ROOT = Path(__file__).parents[1]
MAIN, EXCHANGE = "main", "demo-exchange"
NAMES = ("binance_api", "data", "trade", "simulation", "neural_network", "analyzer-0", EXCHANGE)
LOOK_S = 0.03
CALM_S = 0.2
END_S = 30.0
"""Who is reading a recording when main is killed finds out afterwards."""


def until(holds: Callable[[], Any], seconds: float) -> Any:
    """Look at other processes until something is there; None after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() >= deadline:
            return None
        time.sleep(LOOK_S)
    return found


class KillProgram:
    """One program on a home folder."""

    def __init__(self, home: Path, assets: Path, speed: float) -> None:
        self.home, self.speed = home, speed
        self._arguments = (str(home), str(assets), f"{speed:g}", str(os.getpid()))
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[str, int] = {}
        self.rest = ""

    def start(self) -> None:
        """Main, which starts the others."""
        command = [sys.executable, "-m", "benchmarks._kill_program", *self._arguments]
        with (self.home / "terminal.txt").open("ab") as terminal:
            self._process = subprocess.Popen(
                command, stdout=terminal, stderr=terminal, cwd=ROOT, start_new_session=True
            )  # fmt: skip

    def pids(self) -> dict[str, int]:
        """Ids of the processes by name, main's included; empty while it cannot be asked."""
        try:
            told = ask_running(self.home, {"command": "status"})
        except ATMError:
            return {}
        self.rest = told["rest"]
        self._known = {**told["processes"], MAIN: told["pid"]}
        return self._known

    def is_up(self, dead: Collection[int] = ()) -> bool:
        """Whether all processes run, others than those that are known to be dead."""
        pids = self.pids()
        return all(name in pids and pids[name] not in dead and psutil.pid_exists(pids[name]) for name in NAMES)

    def send(self, name: str, number: signal.Signals) -> int:
        """A signal to one of the processes; returns its id, 0 where it is not there."""
        pid = self._process.pid if name == MAIN and self._process is not None else self.pids().get(name, 0)
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return 0
        return pid

    def kill_main(self) -> list[str]:
        """SIGKILL to the main process, of which the others must die; returns those that did not."""
        assert self._process is not None
        tree, names = self._tree(), {pid: name for name, pid in self._known.items()}
        for each in tree:
            _signal(each, signal.SIGCONT)  # who is stopped by a signal could not end
        self._process.kill()
        self._process.wait(30)
        until(lambda: not any(map(_lives, tree)), END_S)
        alive = list(filter(_lives, tree))
        for each in alive:
            _signal(each, signal.SIGKILL)
        return [names.get(each.pid, f"process {each.pid}") for each in alive]

    def close(self) -> None:
        """Nothing is left."""
        if self._process is None:
            return
        tree = self._tree()
        for each in tree:
            _signal(each, signal.SIGKILL)
        self._process.kill()
        self._process.wait(30)
        psutil.wait_procs(tree, END_S)

    def _tree(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    # --- the exchange -----------------------------------------------------------------------------------------

    def demo(self, command: dict[str, Any] | None = None, path: str = "control") -> dict[str, Any]:
        """Its owner's end points; {} while it does not answer."""
        try:
            address = f"{self.rest}/demo/{path}"
            answer = requests.get(address, timeout=5) if command is None else requests.post(
                address, data=msgspec.json.encode(command), timeout=5
            )  # fmt: skip
            found: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError):
            return {}
        if "error" in found:
            raise ValueError(found["error"])
        return found

    def market_ms(self) -> int:
        """The exchange's clock, 0 while it does not answer."""
        return int(self.demo().get("market_ms", 0))


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _run(home: Path, assets: Path, speed: float, parent: int) -> int:
    from atm.app import restart
    from atm.app.child import die_with
    from atm.app.program import run_program
    from atm.model.endpoint import Addresses, Endpoint
    from atm.model.program import ProgramContext
    from benchmarks._kill_world import SYMBOLS

    die_with(parent)
    restart.CALM_SECONDS = CALM_S
    context = ProgramContext(
        home, assets, Endpoint.DEMO, Addresses("", ""), 1, 1, SYMBOLS, headless=True, analysis_cache_bytes=0
    )  # fmt: skip
    return run_program(context, speed)


if __name__ == "__main__":
    sys.exit(_run(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
