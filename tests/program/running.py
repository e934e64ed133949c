"""The whole program, started as a user starts it, in a home folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from atm.app.control import ask_running
from atm.model.account import TradeRecord
from atm.model.errors import ATMError
from atm.storage.database import Database

ROOT = Path(__file__).parents[2]
LOOK_S = 0.1


def wait_until(what: str, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look at other processes until something is so: they cannot tell this one."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_S)


class RunningProgram:
    """`./run.sh --home HOME …` and what can be seen of it from outside."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.began = time.monotonic()
        command = [str(ROOT / "run.sh"), "--home", str(home), *arguments]
        with (home / "terminal.txt").open("ab") as terminal:
            self.process = subprocess.Popen(command, stdout=terminal, stderr=subprocess.STDOUT, cwd=home)

    def alive(self) -> bool:
        return self.process.poll() is None

    def terminal(self) -> str:
        """All that it has printed."""
        return (self.home / "terminal.txt").read_text(errors="replace")

    def processes(self) -> dict[str, int]:
        """Process ids by name; empty while it cannot be asked."""
        try:
            found: dict[str, int] = ask_running(self.home, {"command": "status"})["processes"]
        except ATMError:
            return {}
        return found

    def wait_for_processes(self, *names: str) -> dict[str, int]:
        """Until all of these run."""
        wait_until(f"{names} run", lambda: self.alive() and set(names) <= self.processes().keys())
        return self.processes()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same home folder."""
        command = [str(ROOT / "run.sh"), *arguments, "--home", str(self.home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    def account(self, name: str = "demo") -> tuple[int, list[TradeRecord], list[tuple[int, float]]]:
        """Market time, trades (oldest first) and equity curve of an account, as stored; zero while there is none."""
        path = self.home / "demo.sqlite3"
        if not path.exists():
            return 0, [], []
        database = Database(f"sqlite:///{path}")
        try:
            stored = {each.setup.name: each.market_ms for each in database.accounts.load()}
            trades = database.accounts.trades(name, 1_000_000)[::-1]
            return stored.get(name, 0), trades, database.accounts.equity(name)
        finally:
            database.close()

    def kill(self, name: str) -> int:
        """SIGKILL one of its processes; returns its id."""
        pid = self.processes()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code. Nothing may be left running."""
        tree = psutil.Process(self.process.pid).children(recursive=True) if self.alive() else []
        self.process.send_signal(number)
        code = self.process.wait(60)
        psutil.wait_procs(tree, 10)
        left = [process.name() for process in tree if process.is_running()]
        assert not left, f"still running: {left}"
        return code

    def clean_up(self) -> None:
        """After a failed test."""
        if self.alive():
            tree = psutil.Process(self.process.pid).children(recursive=True)
            for process in (*tree, self.process):
                process.kill()
            self.process.wait(30)
