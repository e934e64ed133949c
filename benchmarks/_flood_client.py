"""The two clients of `flood.py`, each in a process of its own: ours as the program runs it, and python-binance's stock manager.

    ours     the Binance API manager, whole: feed, reduction, bar sequences, and every message it publishes encoded and written
             to a pipe which the benchmark empties, as main would
    stock    ThreadedWebsocketManager with multiplex sockets of the same streams and a callback that keeps the latest value

Commands come on standard input, one word a line; each is answered by one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from binance import AsyncClient, ThreadedWebsocketManager
from binance.ws.streams import BinanceSocketManager

from atm.exchange.client.reduction import StreamReduction
from atm.exchange.client.stream_plan import replan
from atm.ipc.assistant import IPCAssistant
from atm.ipc.envelope import Envelope, Kind, decode_envelope, decode_message, encode
from atm.ipc.messages import ClosedBar, LastStored, LastStoredReply
from atm.managers.binance_api import BinanceAPIManager
from atm.model.endpoint import Addresses, Endpoint
from atm.model.program import ProgramContext
from benchmarks._flood_server import MINUTE_MS, symbols_of

DELAY_STEP_US = 100
MOST_DELAY_STEPS = 200_000
OURS_MEASURES_EVERY = 8


class Delays:
    """Times from the socket of the server to the state of the client, in steps of 0.1 ms up to 20 s."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def add(self, sent_us: int) -> None:
        step = min(MOST_DELAY_STEPS, (time.time_ns() // 1_000 - sent_us) // DELAY_STEP_US)
        self.counts[step] = self.counts.get(step, 0) + 1

    def quantile(self, share: float) -> float:
        """Milliseconds; NaN when nothing was measured."""
        rest = share * sum(self.counts.values())
        for step in sorted(self.counts):
            rest -= self.counts[step]
            if rest <= 0:
                return (step + 1) * DELAY_STEP_US / 1_000
        return float("nan")


class Report:
    """What both clients say of themselves."""

    def __init__(self) -> None:
        self.delays = Delays()
        self.messages = 0
        self.closed = 0
        self.errors: dict[str, int] = {}
        self.newest: dict[str, int] = {}
        self._process = psutil.Process()
        self._begun = (time.process_time(), time.monotonic())

    def begin(self) -> None:
        """Measure from here on."""
        self.delays = Delays()
        self.messages = self.closed = 0
        self._begun = (time.process_time(), time.monotonic())

    def state(self) -> dict[str, Any]:
        cpu_s, begun_s = self._begun
        return {
            "messages": self.messages,
            "closed": self.closed,
            "memory_mb": self._process.memory_full_info().pss / 1e6,
            "cpu": (time.process_time() - cpu_s) / max(1e-9, time.monotonic() - begun_s),
            "delay_ms": [self.delays.quantile(share) for share in (0.5, 0.99, 1.0)],
            "errors": self.errors,
            "newest": self.newest,
            "threads": self._process.num_threads(),
        }


def _answer(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


# --- ours ---------------------------------------------------------------------------------------------------------------


class _Pipe:
    """A transport that writes to a pipe, length first, as the queues of the program do. It plays the data manager as well."""

    def __init__(self, symbols: tuple[str, ...], last_minute: Callable[[], int]) -> None:
        drain = "import os\nwhile os.read(0, 1 << 20): pass"
        reader = subprocess.Popen([sys.executable, "-S", "-c", drain], stdin=subprocess.PIPE)
        assert reader.stdin is not None
        self._writable = reader.stdin.fileno()
        self._reader = reader
        self._symbols, self._last_minute = symbols, last_minute
        self.assistant: IPCAssistant | None = None
        self.closed: dict[str, list[tuple[int, float, int]]] = {}
        self.gaps = 0

    def send(self, data: bytes) -> None:
        os.write(self._writable, struct.pack("!I", len(data)) + data)
        if b"LastStored" in data[:64] or b"ClosedBar" in data[:64]:
            self._read(decode_envelope(data))

    def pump(self) -> None: ...

    def _read(self, envelope: Envelope) -> None:
        message = decode_message(envelope.payload)
        if isinstance(message, LastStored) and self.assistant is not None:
            reply = encode(LastStoredReply(dict.fromkeys(self._symbols, self._last_minute())))
            self.assistant.accept(
                Envelope(Kind.REPLY, "data", self.assistant.name, number=envelope.number, payload=reply)
            )
        elif isinstance(message, ClosedBar):
            bar = message.bar
            self.closed.setdefault(message.symbol, []).append((bar.open_time, bar.close, message.source))
            self.gaps += message.gap


def ours(address: str, symbols: int) -> None:
    """Run the manager until "end"."""
    names = tuple(symbols_of(symbols))

    def last_minute() -> int:
        with urllib.request.urlopen(f"http://{address}/fapi/v1/time") as answer:
            return int(json.load(answer)["serverTime"]) // MINUTE_MS * MINUTE_MS - MINUTE_MS

    report, pipe = Report(), _Pipe(names, last_minute)
    feed, seen = StreamReduction.feed, 0

    def measured(self: StreamReduction, frame: bytes, now_s: float) -> str:
        nonlocal seen
        stream = feed(self, frame, now_s)
        seen += 1
        if seen % OURS_MEASURES_EVERY == 0 and frame.endswith(b'"}}'):
            report.delays.add(int(frame[-19:-3]))
        return stream

    StreamReduction.feed = measured  # type: ignore[method-assign]
    assistant = pipe.assistant = IPCAssistant("binance_api", pipe)
    home = Path("/nonexistent")
    addresses = Addresses(f"http://{address}", f"ws://{address}")
    manager = BinanceAPIManager(
        assistant, ProgramContext(home, home, Endpoint.DEMO, addresses, 1, 1, names, headless=True)
    )

    def state() -> dict[str, Any]:
        client = manager._feed
        counters = client.reduction.counters
        report.messages = counters.messages - counters.controls
        report.closed = sum(map(len, pipe.closed.values()))
        report.newest = {
            symbol: slot.trade.trade_id for symbol, slot in client.reduction.slots.items() if slot.trade is not None
        }
        return report.state() | {
            "connected": client.supervisor.connected,
            "streams": client.supervisor.streams,
            "planned": len(client.supervisor.planned),
            "reconnects": client.supervisor.reconnects,
            "unknown": counters.unknown,
            "stale": counters.stale,
            "unreadable": counters.unreadable,
            "gaps": pipe.gaps,
            "bars": pipe.closed,
            "tasks": len(asyncio.all_tasks(manager._loop)),
        }

    def command(line: str) -> None:
        if line == "begin":
            report.begin()
            counters = manager._feed.reduction.counters
            counters.messages = counters.controls = 0
        elif line == "end":
            assistant.stop()
        _answer(state())

    def listen() -> None:
        for line in sys.stdin:
            manager._loop.call_soon_threadsafe(command, line.strip())

    async def serve() -> None:
        manager._loop = asyncio.get_running_loop()
        threading.Thread(target=listen, daemon=True).start()
        await manager.serve()

    asyncio.run(serve())


# --- stock --------------------------------------------------------------------------------------------------------------


def stock(address: str, symbols: int, queue: int) -> None:
    """Run the stock manager until "end"."""
    for name, path in (("API_URL", "api"), ("FUTURES_URL", "fapi")):
        setattr(AsyncClient, name, f"http://{address}/{path}")
    BinanceSocketManager.FSTREAM_URL = f"ws://{address}/"
    logging.getLogger("binance").setLevel(logging.CRITICAL)  # else it writes a line for each of its endless errors
    logging.getLogger("ThreadedApiManager").setLevel(logging.CRITICAL)
    report, latest, plan = Report(), {}, replan((), symbols_of(symbols))

    def take(message: dict[str, Any]) -> None:
        data = message.get("data")
        if data is None and "result" in message:
            return
        if data is None:
            kind = str(message.get("type"))
            report.errors[kind] = report.errors.get(kind, 0) + 1
            time.sleep(0.001)  # its listener calls in a tight loop once its reader has died
            return
        latest[message["stream"]] = data
        report.messages += 1
        report.closed += data["e"] == "kline" and data["k"]["x"]
        if report.messages % OURS_MEASURES_EVERY == 0:
            report.delays.add(int(data["z"]))

    manager = ThreadedWebsocketManager("k", "s", max_queue_size=queue)
    manager.daemon = True
    manager.start()
    for connection in plan:
        streams = [name for name in connection.streams if not name.startswith("!")]
        manager.start_futures_multiplex_socket(take, streams)
    for line in sys.stdin:
        if line.strip() == "begin":
            report.begin()
        report.newest = {
            name.partition("@")[0].upper(): data["a"] for name, data in list(latest.items()) if "@aggTrade" in name
        }
        _answer(report.state() | {"connected": len(plan), "planned": len(plan)})
        if line.strip() == "end":
            os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=("ours", "stock"))
    parser.add_argument("address")
    parser.add_argument("symbols", type=int)
    parser.add_argument("--queue", type=int, default=100)
    given = parser.parse_args()
    if given.which == "ours":
        ours(given.address, given.symbols)
    else:
        stock(given.address, given.symbols, given.queue)
