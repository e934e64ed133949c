"""From the bar on the wire to the order on the wire: an actual account that trades many symbols at the same minute.

The program's real processes (managers and analyzers under their supervisor, without a window) trade on a demo exchange with so many
symbols (`_latency_server.py`), on which each minute of every symbol leads to an order. Measured is from the moment at which the
server hands the frame that closes the minute to its socket until it has read the request of the symbol's first order; and what
passes in between (`_latency_stages.py`). The floor is a bare client on the same server in the minutes before: a websocket that
posts one request for each closing frame, without analysis, account, journal or signature.

`--symbols 100 --minutes 4 --speed 2`: measured minutes after the warm ones. Market time runs faster so that minutes come sooner; a
delay is real time all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import aiohttp

from atm.app import pool
from atm.app.bench import BenchRow
from atm.app.process_table import MANAGERS, WORKERS, Program
from atm.app.supervisor import Supervisor
from atm.exchange.client.demo_control import control
from atm.model.account import AccountKind, AccountSetup, AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, MovingAverageLine
from atm.model.demo_state import DemoCommand, DemoDeposit
from atm.model.endpoint import Addresses, Endpoint
from atm.model.interval import MINUTE_MS, Interval
from atm.model.program import ProgramContext
from atm.model.risk import LiveRules, RiskLimits
from atm.model.trade_configuration import TradeConfiguration, UserMethod
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from benchmarks._latency_server import HISTORY, START_MS, bars_of, symbols_of
from benchmarks._latency_stages import NOTES

ROOT = Path(__file__).parents[1]
SETTINGS = {"symbols": 100.0, "minutes": 4.0, "speed": 2.0}
SMALLER = (1, 10)
WARM_MINUTES = 2
"""Leverage and margin mode are set and connections opened in them."""
FLOOR_MINUTES = 2
DEPOSIT = 200_000.0
START_S, PATIENCE_S = 240.0, 60.0
LOOK_S = 0.25
P50_BUDGET_MS, P99_BUDGET_MS = 100.0, 1_000.0
STAGES = ("wire", "published", "row", "told", "decided", "journalled", "order", "taken", "sent", "read")
ACCOUNT = "latency"
METHOD = """
import msgspec
import numpy as np
from atm.model.kernel import kernel
from atm.trading import Answer, TradeMethod

class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass

@kernel
def decide(params, memory, row, position, out):
    memory[0] = 1.0 - memory[0]
    out[Answer.TARGET] = 0.4 + 0.3 * memory[0]

def register(registry):
    registry.register(TradeMethod(
        name="TOGGLE", parameters=Nothing, columns=lambda _: ("EMA.1.value",),
        pack=lambda _: np.empty(0, np.float64), decide=decide, memory=1))
"""
"""More at one close, less at the next: every bar leads to an order."""


class Passed(NamedTuple):
    """When the first order of a symbol's minute passed each stage, in ms after its bar was on the wire."""

    symbol: str
    close_ms: int
    stages: dict[str, float]


def seed(home: Path, symbols: list[str]) -> None:
    """What a user has set up: history, an analysis, a method, an account."""
    (home / "strategies").mkdir(parents=True)
    (home / "strategies" / "toggle.py").write_text(METHOD)
    store = MarketStore(home / "market" / Endpoint.DEMO.value, read_only=False)
    for symbol in symbols:
        store.append(symbol, bars_of(symbol).between(START_MS, START_MS + (HISTORY - 1) * MINUTE_MS))
    analysis = AnalysisConfiguration.of_one("EMA", interval=Interval.M1, ema=(MovingAverageLine(5),))
    positions = tuple(
        PositionSetup(symbol, "EMA", "TOGGLE", 1.0 / len(symbols), number) for number, symbol in enumerate(symbols, 1)
    )
    rules = LiveRules(RiskLimits(orders_per_minute=None))
    setup = AccountSetup(
        ACCOUNT, AccountKind.ACTUAL, {"USDT": AssetSetup(0.0, 0.5)}, positions, trading=True, live=rules
    )
    database = Database(f"sqlite:///{home / 'demo.sqlite3'}")
    database.configurations.put_analysis(analysis)
    database.configurations.put_trade(TradeConfiguration("TOGGLE", leverage=2, method=UserMethod("TOGGLE", {})))
    database.accounts.put(setup)
    database.close()


@contextmanager
def _exchange(symbols: int, speed: float, notes: Path) -> Iterator[Addresses]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "benchmarks" / "_latency_server.py"), str(symbols), f"{speed:g}", str(notes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            yield Addresses(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}")
        finally:
            process.kill()


async def _bare_client(addresses: Addresses, symbols: list[str], minutes: int) -> None:
    """Answer every closing frame with a request."""
    streams, left = "/".join(f"{symbol.lower()}@kline_1m" for symbol in symbols), minutes * len(symbols)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{addresses.stream}/market/stream?streams={streams}") as socket,
    ):

        async def post(symbol: str, minute: int) -> None:
            address = f"{addresses.rest}/echo?symbol={symbol}&minute={minute}"
            async with session.post(address) as answer:
                await answer.read()

        tasks = []
        async for message in socket:
            if '"x":true' in message.data:
                kline = json.loads(message.data)["data"]["k"]
                tasks.append(asyncio.create_task(post(kline["s"], kline["t"] + MINUTE_MS)))
                if len(tasks) == left:
                    break
        await asyncio.gather(*tasks)


def _notes(path: Path) -> list[tuple[str, str, str, int]]:
    """Whole lines of a file of notes."""
    lines = path.read_text().split("\n")[:-1]
    return [(what, symbol, number, int(ns)) for what, symbol, number, ns in map(str.split, lines)]


def passed(server: Path, home: Path) -> list[Passed]:
    """Every minute of a symbol that has led to an order which the exchange has read."""
    bars: dict[tuple[str, int], dict[str, int]] = {}
    orders: dict[str, dict[str, int]] = {}
    firsts: dict[tuple[str, int], str] = {}
    files = [server, *sorted(home.glob(NOTES.format("*")))]
    for what, symbol, number, ns in (line for file in files for line in _notes(file)):
        if what.startswith("order:"):
            orders.setdefault(number, {})["order"] = ns
            place = symbol, int(what.partition(":")[2])
            if place not in firsts or ns < orders[firsts[place]]["order"]:
                firsts[place] = number
        elif number.isdecimal():
            bars.setdefault((symbol, int(number)), {}).setdefault(what, ns)
        else:
            orders.setdefault(number, {}).setdefault(what, ns)
    found = []
    for (symbol, close_ms), first in sorted(firsts.items()):
        stages = bars.get((symbol, close_ms), {}) | orders[first]
        if "wire" in stages and "read" in stages:
            wire = stages["wire"]
            found.append(Passed(symbol, close_ms, {name: (ns - wire) / 1e6 for name, ns in stages.items()}))
    return found


def _floor(server: Path) -> list[float]:
    wire = {(symbol, number): ns for what, symbol, number, ns in _notes(server) if what == "wire"}
    echoed = [(symbol, number, ns) for what, symbol, number, ns in _notes(server) if what == "echoed"]
    return [(ns - wire[symbol, number]) / 1e6 for symbol, number, ns in echoed]


@contextmanager
def _program(home: Path, addresses: Addresses, symbols: list[str]) -> Iterator[None]:
    """The processes, each watched."""
    watched = "benchmarks._latency_stages"
    analyzers, simulators = pool.pool_sizes(os.cpu_count() or 1, 0.5)
    context = ProgramContext(
        home, ROOT / "assets", Endpoint.DEMO, addresses, analyzers, simulators, tuple(symbols), headless=True
    )
    managers = tuple(Program(each.name, watched) for each in MANAGERS)
    supervisor = Supervisor(context, None, managers, dict.fromkeys(WORKERS, watched))
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.end()
        thread.join()


def measure(count: int, minutes: int, speed: float) -> tuple[list[Passed], list[float]]:
    """(what passed in the measured minutes, delays of the bare client in ms)."""
    symbols = symbols_of(count)
    with tempfile.TemporaryDirectory() as folder:
        home, server = Path(folder), Path(folder) / "server.txt"
        seed(home, symbols)
        with _exchange(count, speed, server) as addresses:
            asyncio.run(_bare_client(addresses, symbols, FLOOR_MINUTES))
            floor = _floor(server)
            asyncio.run(_deposit(addresses))
            with _program(home, addresses, symbols):
                found = _watched(server, home, count, minutes, speed)
    return found, floor


async def _deposit(addresses: Addresses) -> None:
    await control(addresses.rest, DemoCommand(make_key=ACCOUNT))
    await control(addresses.rest, DemoCommand(deposit=DemoDeposit(ACCOUNT, DEPOSIT)))


def _watched(server: Path, home: Path, count: int, minutes: int, speed: float) -> list[Passed]:
    """What passed in so many minutes after the warm ones."""
    deadline, seen = time.monotonic() + START_S, 0
    wanted = WARM_MINUTES + minutes
    while True:
        time.sleep(LOOK_S)
        found = passed(server, home)
        closes = sorted({each.close_ms for each in found})
        if len(closes) > wanted:  # the last one may still be under way
            return [each for each in found if each.close_ms in closes[WARM_MINUTES:wanted]]
        if len(closes) > seen:
            seen, deadline = len(closes), time.monotonic() + PATIENCE_S / speed + PATIENCE_S
        if time.monotonic() > deadline:
            kept = Path(tempfile.mkdtemp(prefix="latency-"))
            for file in [*home.glob("logs/*"), *home.glob("latency-*"), server]:
                (kept / file.name).write_bytes(file.read_bytes())
            raise RuntimeError(f"{count} symbols: no order of minute {seen + 1}; the logs are kept in {kept}")


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _stages(title: str, found: list[Passed]) -> str:
    """When half of the orders, and nearly all, have passed each stage."""
    lines = [f"{title}, ms after the bar was on the wire:"]
    for name in STAGES:
        values = [each.stages[name] for each in found if name in each.stages]
        if values:
            lines.append(
                f"    {name:10} p50 {median(values):8.1f}  p90 {_quantile(values, 0.9):8.1f}  "
                f"p99 {_quantile(values, 0.99):8.1f}  max {max(values):8.1f}"
            )
    return "\n".join(lines)


def rows(settings: dict[str, float]) -> list[BenchRow]:
    """The table, and on the terminal the stages."""
    most = int(settings["symbols"])
    table = []
    for count in sorted({*SMALLER, most} if most > max(SMALLER) else {most}):
        found, floor = measure(count, int(settings["minutes"]), settings["speed"])
        print(_stages(f"{count} symbols, {len(found)} orders", found), file=sys.stderr)
        delays = [each.stages["read"] for each in found]
        missing = int(settings["minutes"]) * count - len(found)
        title = f"bar to order, {count} symbols: "
        budgets = {0.5: P50_BUDGET_MS, 0.9: None, 0.99: P99_BUDGET_MS, 1.0: None}
        for share, budget in budgets.items():
            name = "max" if share == 1.0 else f"p{share * 100:g}"
            value, other = _quantile(delays, share), _quantile(floor, share)
            ok = budget is None or value <= budget
            table.append(BenchRow(title + name, value, "ms", "a bare client", other, value / other, budget, ok))
        table.append(BenchRow(title + "bars without an order", missing, "", "bars", missing + len(found),
                              missing / (missing + len(found)), 0.0, missing == 0))  # fmt: skip
    return table
