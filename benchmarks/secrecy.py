"""A full session with actual accounts, and a search for its secrets in everything that it leaves and holds.

Three accounts of the demo exchange are activated (HMAC, Ed25519, activation file), trade, are refused, crash, are stopped by the
kill switch and deactivated. Searched for every key, secret, seed and password, in all forms of `_secret_scan`: all files of the home
and temporary folders, the terminal, every queue message, command lines and environments, and the memory of every process (Linux, as
root).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from atm.app.bench import BenchRow
from atm.ipc.messages import BINANCE_API
from atm.model.activation import ActivationStatus as Status
from benchmarks._secret_memory import can_be_read, memory
from benchmarks._secret_scan import Scanner
from benchmarks._secret_session import (
    ACCOUNTS,
    ED25519,
    EVERYBODY,
    HMAC,
    SPEED,
    Session,
    TappedProgram,
    allow_core_dumps,
)
from tests.program.running import wait_until

EXCHANGE = "demo-exchange"
EXCHANGE_FILE = "demo_exchange.json"
TRADED_S = 20.0
CRASHES = (
    (BINANCE_API, signal.SIGSEGV),
    (BINANCE_API, signal.SIGABRT),
    ("trade", signal.SIGKILL),
    ("data", signal.SIGBUS),
)


@dataclass
class Outcome:
    """Names of the secrets that were found, by place. searched: bytes; crashed: processes that were made to crash; cores: dumps that
    they left; control: whether a process without our care leaves one there."""

    found: dict[str, set[str]] = field(default_factory=dict)
    searched: Counter[str] = field(default_factory=Counter)
    memory: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    places: Counter[tuple[str, ...]] = field(default_factory=Counter)
    crashed: int = 0
    cores: list[str] = field(default_factory=list)
    control: bool = False


def measure(
    folder: Path, trade_s: float = TRADED_S, crashes: Sequence[tuple[str, signal.Signals]] = CRASHES
) -> Outcome:
    """The session without a window."""
    home = folder / "home"
    for each in (home, folder / "temp"):
        each.mkdir()
    outcome = Outcome(control=_leaves_core(folder))
    program = TappedProgram(home, folder / "queues", "--headless", "--speed", str(SPEED))
    session = Session(folder, program)
    try:
        program.wait_for_processes(*EVERYBODY)
        session.make_keys()
        session.put_accounts()
        _crashes(session, outcome, crashes)
        _activations(session)
        _trade(session, trade_s)
        _look(session, outcome, "while active")
        program.command("record", "stop")
        killed = program.command("kill-switch")
        assert killed.returncode == 0, killed.stderr
        program.command("doctor")
        before = session.times_wiped()
        session.deactivate(*ACCOUNTS)
        session.wait_until_wiped(before)
        _look(session, outcome, "after deactivation")
        assert program.end() == 0
    finally:
        program.clean_up()
    scanner = Scanner(session.secrets)
    _search_files(scanner, folder, outcome)
    outcome.cores += [str(each) for each in folder.rglob("core*") if each.is_file() and each.parent.name != "control"]
    return outcome


def _leaves_core(folder: Path) -> bool:
    """Whether a process of no special care leaves a core dump on this machine."""
    place = folder / "control"
    place.mkdir()
    code = "import os; os.abort()"
    subprocess.run([sys.executable, "-c", code], cwd=place, preexec_fn=allow_core_dumps, check=False)
    return any(place.glob("core*"))


def _crashes(session: Session, outcome: Outcome, crashes: Sequence[tuple[str, signal.Signals]]) -> None:
    """Processes die of their own faults while an account is active."""
    wait_until("the key of the manager is known", lambda: session.has_manager())
    for name, number in crashes:
        if session.status(HMAC) is not Status.ACTIVE:
            session.activate_by_keys(HMAC)
        session.crash(name, number)
        outcome.crashed += 1
        wait_until("the key of the manager is known", lambda: session.has_manager())


def _activations(session: Session) -> None:
    session.deactivate(HMAC)
    session.activate_by_keys(HMAC, "wrong", Status.FAILED)
    session.activate_by_keys(ED25519)
    session.activate_by_keys(HMAC)
    session.make_and_rotate_file()
    session.activate_by_file("wrong", Status.FAILED)
    session.activate_by_file("new")


def _trade(session: Session, seconds: float) -> None:
    session.program.command("record", "start")
    for account in ACCOUNTS:
        filled = session.order(account, "10", 1_000_001)
        assert filled["answer"]["failure"] is None, filled
        refused = session.order(account, "99999999999", 1_000_002)
        assert refused["answer"]["failure"] is not None, refused
    time.sleep(seconds)


def _look(session: Session, outcome: Outcome, moment: str) -> None:
    """Command lines, environments and, where that is possible, memory of all processes."""
    scanner = Scanner(session.secrets)
    tree = {session.program.process.pid: "main"} | {pid: name for name, pid in session.program.processes().items()}
    for process in psutil.Process(session.program.process.pid).children(recursive=True):
        tree.setdefault(process.pid, "fork server and helpers")
    for pid, name in tree.items():
        for what in ("cmdline", "environ"):
            with suppress(OSError):  # helpers come and go
                _note(outcome, "command lines and environments", scanner, Path(f"/proc/{pid}/{what}").read_bytes())
        if not can_be_read(pid):
            continue
        held = outcome.memory.setdefault(name, {}).setdefault(moment, set())
        for mapping, data in memory(pid):
            outcome.searched["memory"] += len(data)
            for each in scanner.find(data):
                held.add(each.secret)
                outcome.places[name, moment, each.secret, each.form, mapping] += 1


def _search_files(scanner: Scanner, folder: Path, outcome: Outcome) -> None:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_relative_to(folder / "control"):
            continue
        place = _place(path.relative_to(folder))
        outcome.found.setdefault(place, set()).update(each.secret for each in scanner.find_in_file(path))
        outcome.searched[place] += path.stat().st_size


def _place(path: Path) -> str:
    name = path.name
    if name == "queues":
        return "queue messages"
    if name == EXCHANGE_FILE:
        return "the demo exchange's own file"
    if name == "terminal.txt":
        return "terminal"
    if "logs" in path.parts:
        return "logs"
    if ".sqlite3" in name:
        return "database"
    return "temporary files" if path.parts[0] == "temp" else "other files at home"


def _note(outcome: Outcome, place: str, scanner: Scanner, data: bytes) -> None:
    outcome.searched[place] += len(data)
    outcome.found.setdefault(place, set()).update(each.secret for each in scanner.find(data))


def rows() -> list[BenchRow]:
    """Secrets found per place; of what the demo exchange must know to verify signatures there is no budget."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(Path(folder))
    found = [
        _row(
            f"secrets in {place}",
            len(names),
            outcome.searched[place] / 1e6,
            "MB searched",
            EXCHANGE not in place.replace(" ", "-"),
        )
        for place, names in outcome.found.items()
    ]
    for name, held in outcome.memory.items():
        for moment, names in held.items():
            is_bound = name not in (EXCHANGE, BINANCE_API) or moment != "while active"
            print(f"{name} {moment}: {', '.join(sorted(names)) or 'none'}", file=sys.stderr)
            found.append(
                _row(f"secrets in the memory of {name} {moment}", len(names), 0.0, "", is_bound and name != EXCHANGE)
            )
    control = "a process without our care leaves one" if outcome.control else "NOT PROVED: no process leaves one here"
    found.append(
        _row(f"core dumps of {outcome.crashed} crashes", len(outcome.cores), float(outcome.control), control, True)
    )
    return found


def _row(name: str, value: int, reference: float, what: str, is_bound: bool) -> BenchRow:
    budget = 0.0 if is_bound else None
    ratio = value / reference if reference else 0.0
    return BenchRow(name, float(value), "found", what, reference, ratio, budget, budget is None or value == 0)
