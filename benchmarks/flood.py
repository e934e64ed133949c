"""A market in turmoil: 500 symbols, 20,000 messages a second from a socket, to the program's client and to python-binance's.

Budget (design §5): no loss, at most one core. The server is a process of its own (`_flood_server.py`); our client is the whole
Binance API manager (`_flood_client.py`) with everything that it publishes. After it the stock `ThreadedWebsocketManager` reads
the same frames from the same server, for three minutes at most. All symbols close their minute at once.

`--minutes 10 --symbols 500 --rate 20000`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from atm.app.bench import BenchRow
from atm.model.bars import Source
from benchmarks._flood_server import closing_price, symbols_of

ROOT = Path(__file__).parents[1]
SETTINGS = {"minutes": 1.25, "symbols": 500.0, "rate": 20_000.0}
LONGEST_PEER_S = 180.0
"""The stock manager has lost nearly everything after one minute: more of it shows nothing more."""
SETTLE_S = 5.0
DRAIN_S = 2.0
LONGEST_DRAIN_S = 30.0
MOST_GROWTH_MB = 20.0
"""Order flow and marks of the last 60 minutes are kept of every symbol: 10 MB of 500."""
CONNECT_S = 60.0
LARGE_QUEUE = 10_000
PEER = "python-binance threaded"


class Child:
    """A benchmark process that answers commands, one line each."""

    def __init__(self, script: str, *arguments: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    def answer(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def _child(script: str, *arguments: str) -> Iterator[Child]:
    child = Child(script, *arguments)
    try:
        yield child
    finally:
        child.process.kill()
        child.process.wait()


class Tap:
    """The server's tap and its totals."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}/flood"

    def _send(self, body: bytes | None) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, body) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def open(self) -> dict[str, Any]:
        return self._send(b'{"open": true}')

    def close(self) -> dict[str, Any]:
        return self._send(b'{"open": false}')

    def totals(self) -> dict[str, Any]:
        return self._send(None)


def _run(
    tap: Tap, client: Child, seconds: float, settle_s: float = SETTLE_S
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Flood a client for some time: its state at the start and at the end, and what the server sent. For the first
    `settle_s` it is flooded without being measured."""
    deadline = time.monotonic() + CONNECT_S
    while True:
        state = client.ask("state")
        if state["planned"] and tap.totals()["sockets"] >= state["planned"] == state["connected"]:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"the client did not connect: {state}")
        time.sleep(0.2)
    if settle_s:
        tap.open()
        time.sleep(settle_s)
        tap.close()
        _quiet(client)
    begin = client.ask("begin")
    tap.open()
    time.sleep(seconds)
    # asked while the flood is on, so that the share of a core is that of the flood
    during = client.ask("state")
    sent = tap.close()
    end = _quiet(client) | {"cpu": during["cpu"]}
    return begin, end, sent


def _quiet(client: Child) -> dict[str, Any]:
    """The client's state once nothing more comes: what is still under way is not lost."""
    deadline, before = time.monotonic() + LONGEST_DRAIN_S, -1
    while True:
        time.sleep(DRAIN_S)
        state = client.ask("state")
        if state["messages"] == before or time.monotonic() > deadline:
            return state
        before = state["messages"]


def lost_bars(bars: dict[str, list[tuple[int, float, int]]], minutes: list[int], symbols: list[str]) -> int:
    """Closed bars that were sent and did not come exactly once, by stream, with the right close."""
    wrong = 0
    for symbol in symbols:
        found: dict[int, list[tuple[float, int]]] = {}
        for open_ms, close, source in bars.get(symbol, ()):
            found.setdefault(open_ms, []).append((close, source))
        for minute in minutes:
            price = round(closing_price(symbol, minute), 2)
            wrong += [(round(close, 2), source) for close, source in found.get(minute, ())] != [
                (price, int(Source.STREAM))
            ]
    return wrong


class Flooded(msgspec.Struct, frozen=True):
    """One client's run: its state at the start and at the end, and what the server sent it."""

    begin: dict[str, Any]
    end: dict[str, Any]
    sent: dict[str, Any]

    @property
    def messages(self) -> int:
        return sum(self.sent["sent"].values())

    @property
    def lost(self) -> int:
        return self.messages - int(self.end["messages"])

    @property
    def grown_mb(self) -> float:
        return float(self.end["memory_mb"] - self.begin["memory_mb"])

    @property
    def behind(self) -> int:
        """Symbols whose last trade is not in the client's state."""
        newest = self.end["newest"]
        return sum(newest.get(symbol) != ids["aggTrade"] for symbol, ids in self.sent["last_id"].items())


def rows(settings: dict[str, float]) -> list[BenchRow]:
    """The table: ours, beside the stock manager with the largest queue of messages that helps it, from the same server; and
    how long the stock manager lives as it is delivered."""
    seconds, symbols = settings["minutes"] * 60, int(settings["symbols"])
    with _child("_flood_server.py", f"--symbols={symbols}", f"--rate={settings['rate']:g}") as server:
        address = f"127.0.0.1:{server.answer()['port']}"
        tap = Tap(address)
        client = ("_flood_client.py", "{}", address, str(symbols))
        with _child(client[0], "ours", *client[2:]) as child:
            ours = Flooded(*_run(tap, child, seconds))
        with _child(client[0], "stock", *client[2:], f"--queue={LARGE_QUEUE}") as child:
            stock = Flooded(*_run(tap, child, min(seconds, LONGEST_PEER_S)))
        with _child(client[0], "stock", *client[2:]) as child:
            delivered = Flooded(*_run(tap, child, min(seconds, 30.0), settle_s=0.0))
    for name, flooded in (("ours", ours), (f"stock, queue {LARGE_QUEUE:,}", stock), ("stock as delivered", delivered)):
        print(_details(name, flooded), file=sys.stderr)
    title = f"flood, {symbols} symbols, {settings['minutes']:g} min: "
    return _table(title, ours, stock, delivered, seconds, settings["rate"], symbols_of(symbols))


def _table(
    title: str, ours: Flooded, stock: Flooded, delivered: Flooded, seconds: float, rate: float, symbols: list[str]
) -> list[BenchRow]:
    minutes = ours.sent["closed_minutes"]
    wrong = lost_bars(ours.end["bars"], minutes, symbols)
    stock_wrong = len(stock.sent["closed_minutes"]) * len(symbols) - stock.end["closed"]
    real = ours.messages / seconds

    def row(name: str, value: float, unit: str, peer: float, budget: float | None = None) -> BenchRow:
        ok = budget is None or value <= budget
        return BenchRow(title + name, value, unit, PEER, peer, value / peer if peer else float("nan"), budget, ok)

    return [
        BenchRow(f"{title}sent", real, "messages/s", "asked for", rate, real / rate, rate * 0.95, real >= rate * 0.95),
        row("messages lost", ours.lost, "", stock.lost, 0.0),
        row(f"closed bars lost of {len(minutes) * len(symbols):,}", wrong, "", stock_wrong, 0.0),
        row("symbols without their last trade", ours.behind, "", stock.behind, 0.0),
        row("processor", ours.end["cpu"], "cores", stock.end["cpu"], 1.0),
        row("memory at the start", ours.begin["memory_mb"], "MB", stock.begin["memory_mb"]),
        row("memory grown", ours.grown_mb, "MB", stock.grown_mb, MOST_GROWTH_MB),
        *(
            row(f"delay {name}", ours.end["delay_ms"][place], "ms", stock.end["delay_ms"][place])
            for place, name in enumerate(("p50", "p99", "longest"))
        ),
        BenchRow(
            f"{title}lost by the stock manager as delivered", delivered.lost / delivered.messages, "share", "ours",
            ours.lost / ours.messages, float("nan"), None, True,
        ),
    ]  # fmt: skip


def _details(name: str, flooded: Flooded) -> str:
    sent, end = flooded.sent, flooded.end
    told = (
        "messages",
        "connected",
        "streams",
        "reconnects",
        "unknown",
        "stale",
        "unreadable",
        "gaps",
        "tasks",
        "threads",
    )
    return "\n".join((
        f"{name}: sent {flooded.messages:,}: " + ", ".join(f"{kind} {count:,}" for kind, count in sent["sent"].items()),
        f"    minutes closed {len(sent['closed_minutes'])}, repairs by REST {sent['repairs']}, sockets cut {sent['cut']}, "
        f"most bytes unsent {sent['most_unsent']:,}, the server late by at most {sent['behind_s']:.3f} s",
        "    " + ", ".join(f"{key} {end[key]:,}" for key in told if key in end) + f", errors {end['errors']}",
    ))  # fmt: skip
