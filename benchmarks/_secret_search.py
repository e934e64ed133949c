"""Where is looked for secrets, and what was found there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from atm.exchange.session_file import SUFFIX as RECORDING
from benchmarks._secret_memory import can_be_read, memory
from benchmarks._secret_scan import Scanner
from benchmarks._secret_session import Session

EXCHANGE_FILE = "demo_exchange.json"
CONTROL = "control"
NOTIFIED, QUEUES = "notified", "queues"
_PLACES = {
    QUEUES: "queue messages",
    NOTIFIED: "messages of the notifier",
    EXCHANGE_FILE: "the demo exchange's own file",
    "terminal.txt": "terminal",
    "copy.sqlite3": "copy of the database",
}
_FOLDERS = {
    "logs": "logs",
    "black-box": "black box",
    "incidents": "exported incidents",
    "exports": "exported records",
    "temp": "temporary files",
}


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


def look(session: Session, outcome: Outcome, moment: str, only: Collection[str] = ()) -> None:
    """Command lines, environments and, where that is possible, memory of the processes. only: names; empty for all."""
    scanner = Scanner(session.secrets)
    tree = {session.program.process.pid: "main"} | {pid: name for name, pid in session.program.processes().items()}
    for process in psutil.Process(session.program.process.pid).children(recursive=True):
        tree.setdefault(process.pid, "fork server and helpers")
    for pid, name in tree.items():
        for what in ("cmdline", "environ"):
            with suppress(OSError):  # helpers come and go
                _note(outcome, "command lines and environments", scanner, Path(f"/proc/{pid}/{what}").read_bytes())
        if (only and name not in only) or not can_be_read(pid):
            continue
        outcome.memory.setdefault(name, {}).setdefault(moment, set()).update(_held(scanner, outcome, pid, name, moment))


def held_by(session: Session, outcome: Outcome, name: str, moment: str) -> set[str]:
    """Secrets in the memory of one process just now."""
    pid = session.program.processes()[name]
    found = _held(Scanner(session.secrets), outcome, pid, name, moment) if can_be_read(pid) else set()
    outcome.memory.setdefault(name, {})[moment] = found
    return found


def _held(scanner: Scanner, outcome: Outcome, pid: int, name: str, moment: str) -> set[str]:
    held = set()
    for mapping, data in memory(pid):
        outcome.searched["memory"] += len(data)
        for each in scanner.find(data):
            held.add(each.secret)
            outcome.places[name, moment, each.secret, each.form, mapping] += 1
    return held


def search_files(scanner: Scanner, folder: Path, outcome: Outcome) -> None:
    """Every file, what is packed in it included."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_relative_to(folder / CONTROL):
            continue
        place = _place(path.relative_to(folder))
        found = scanner.find_in_file(path)
        outcome.found.setdefault(place, set()).update(each.secret for each in found)
        outcome.searched[place] += path.stat().st_size
        for each in found:
            outcome.places[place, path.name, each.secret, each.form] += 1


def _place(path: Path) -> str:
    name = path.name
    if name in _PLACES:
        return _PLACES[name]
    for part in path.parts:
        if part in _FOLDERS:
            return _FOLDERS[part]
    if ".sqlite3" in name:
        return "database"
    return "recordings" if name.endswith(RECORDING) else "other files"


def _note(outcome: Outcome, place: str, scanner: Scanner, data: bytes) -> None:
    outcome.searched[place] += len(data)
    outcome.found.setdefault(place, set()).update(each.secret for each in scanner.find(data))
