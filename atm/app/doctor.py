"""`./run.sh doctor`: is everything there that the program needs, and does it run."""

from __future__ import annotations

import importlib.metadata
import os
import shutil

import msgspec

from atm.app.control import ask_running
from atm.model.errors import ATMError
from atm.model.program import ProgramContext

PACKAGES = ("pygame-ce", "imgui-bundle", "python-binance", "numpy", "numba", "sqlalchemy", "pyarrow", "torch")
LEAST_FREE_BYTES = 2_000_000_000


class Finding(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    text: str


def examine(context: ProgramContext) -> list[Finding]:
    """All findings; reading only, apart from creating the home folder."""
    return [
        _home(context),
        _disk(context),
        _database(context),
        _store(context),
        *_indicators(context),
        *_packages(),
        _running(context),
    ]


def _home(context: ProgramContext) -> Finding:
    try:
        context.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Finding("home folder", False, f"{context.home}: {error.strerror}")
    return Finding("home folder", os.access(context.home, os.W_OK), str(context.home))


def _disk(context: ProgramContext) -> Finding:
    free = shutil.disk_usage(context.home if context.home.exists() else context.assets).free
    return Finding("free disk space", free >= LEAST_FREE_BYTES, f"{free / 1e9:.1f} GB (at least 2 GB)")


def _database(context: ProgramContext) -> Finding:
    from atm.storage.database import Database

    try:
        database = Database(context.database)
        accounts = len(database.accounts.load())
        database.close()
    except ATMError as error:
        return Finding("database", False, str(error))
    return Finding("database", True, f"{accounts} accounts")


def _store(context: ProgramContext) -> Finding:
    from atm.storage.market_store import open_store

    store = open_store(context)
    minutes = {symbol: sum(r.minutes for r in store.coverage(symbol)) for symbol in store.symbols()}
    return Finding("market store", True, ", ".join(f"{s} {m:,} min" for s, m in minutes.items()) or "empty")


def _indicators(context: ProgramContext) -> list[Finding]:
    """The users' indicators, each file with what was found when it was examined."""
    from atm.analyzers import installed

    installed.install_for(context)
    return [
        Finding(report.path.stem, report.passed, report.sentence or f"passed: {', '.join(report.names)}")
        for report in installed.reports()
    ]


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name, False, "not installed; run ./setup.sh"))
    return found


def _running(context: ProgramContext) -> Finding:
    try:
        answer = ask_running(context.home, {"command": "status"})
    except ATMError as error:
        return Finding("program", True, str(error))
    return Finding("program", True, f"running, process {answer['pid']}")
