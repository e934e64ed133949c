"""`./run.sh doctor`: is everything there that the program needs, does it run, and does the exchange answer."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import time
from typing import Any

import msgspec

from atm.app.control import ask_running
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import ATMError
from atm.model.program import ProgramContext
from atm.storage.flight_log import segments
from atm.storage.home import black_box

PACKAGES = ("pygame-ce", "imgui-bundle", "python-binance", "numpy", "numba", "sqlalchemy", "pyarrow", "torch")
LEAST_FREE_BYTES = 2_000_000_000
ANSWER_S = 5.0
CLOCK_MS = 1_000
"""A request whose time is further ahead than this is refused by Binance, whatever its recvWindow."""


class Finding(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    text: str


def examine(context: ProgramContext, *, users_files: bool = True) -> list[Finding]:
    """All findings; reading only, apart from creating the home folder. users_files: whether indicators that nobody has examined yet are,
    which takes up to a minute."""
    running = _status(context)
    return [
        _home(context),
        _disk(context),
        _database(context),
        _store(context),
        _black_box(context),
        *(_indicators(context) if users_files else ()),
        *_packages(),
        _running(running),
        *_exchange(context, running),
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


def _black_box(context: ProgramContext) -> Finding:
    if not context.black_box_bytes:
        return Finding("black box", True, "switched off (blackBoxMB is 0)")
    files = segments(black_box(context.home))
    size = sum(path.stat().st_size for path in files)
    return Finding(
        "black box", True, f"{len(files)} segments, {size / 1e6:.1f} MB of {context.black_box_bytes / 1e6:g} MB"
    )


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


def _status(context: ProgramContext) -> dict[str, Any] | str:
    """What the running program says of itself, or why there is no answer."""
    try:
        return ask_running(context.home, {"command": "status"})
    except ATMError as error:
        return str(error)


def _running(status: dict[str, Any] | str) -> Finding:
    if isinstance(status, str):
        return Finding("program", True, status)
    return Finding("program", True, f"running, process {status['pid']} with {', '.join(status['processes'])}")


def _exchange(context: ProgramContext, status: dict[str, Any] | str) -> list[Finding]:
    """Connectivity and clock. The demo exchange runs with the program, its clock is that of the replayed market."""
    demo = context.endpoint is Endpoint.DEMO
    if demo and isinstance(status, str):
        return [Finding("exchange", True, "the demo exchange runs when the program does")]
    addresses = Addresses(status["rest"], "") if demo and not isinstance(status, str) else context.addresses
    try:
        sent_ms, server_ms, received_ms = asyncio.run(_server_time(addresses))
    except (ATMError, TimeoutError) as error:
        reason = str(error) or f"no answer within {ANSWER_S:g} s"
        return [Finding("exchange", False, f"{addresses.rest}: {reason}")]
    found = [Finding("exchange", True, f"{addresses.rest} answers in {received_ms - sent_ms:.0f} ms")]
    if not demo:
        offset = (sent_ms + received_ms) / 2 - server_ms
        text = f"{offset:+.0f} ms against the exchange (at most {CLOCK_MS} ms either way)"
        found.append(Finding("clock", abs(offset) <= CLOCK_MS, text))
    return found


async def _server_time(addresses: Addresses) -> tuple[float, int, float]:
    """(sent, the exchange's time, received), Unix ms."""
    from atm.exchange.client.rest import FuturesClient

    async with FuturesClient(addresses) as client, asyncio.timeout(ANSWER_S):
        await client.server_time()  # opens the connection, which is not to count as latency
        sent = time.time() * 1000
        server_ms = await client.server_time()
        return sent, server_ms, time.time() * 1000
