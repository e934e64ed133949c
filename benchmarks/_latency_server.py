"""The exchange of `latency.py`, a process of its own: the demo exchange with many symbols, whose clock stands at its sockets.

When the frame that closes a minute is handed to a socket, and when the whole request of an order has come out of one, is noted in
the file that is named (nanoseconds of the machine's clock). Orders are carried out `ANSWER_S` later, as by an exchange that is not
in the same room: the matching of one order then does not delay the reading of the next. Requests to /echo are answered likewise;
they measure a client that does nothing but send.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.storage.sample import load_exchange_info, load_instruments

ROOT = Path(__file__).parents[1]
START_MS = 1_694_131_200_000
HISTORY = 120
"""Minutes before the market's present that a client finds stored."""
RECORDED = 360
ANSWER_S = 0.04
MOVE = 0.0005
TURNOVER = 2_000_000.0
MODEL = "FILUSDT"
_CLOSING = '"x":true'


def symbols_of(count: int) -> list[str]:
    """The symbols of this exchange."""
    return [f"L{number:03d}USDT" for number in range(count)]


def bars_of(symbol: str) -> Bars:
    """A random walk, the same in every process."""
    draw, price, bars = random.Random(symbol), 3.0, []  # a market to look at, no secret
    for index in range(RECORDED):
        opened, closed = price, round(price * (1 + draw.gauss(0.0, MOVE)), 3)
        volume = float(round(TURNOVER / price))
        row = (opened, max(opened, closed) + 0.001, min(opened, closed) - 0.001, closed, volume, volume * opened, 200.0)
        bought = float(round(volume / 2))
        bars.append(Bar(START_MS + index * MINUTE_MS, *row, bought, bought * opened))
        price = closed
    return Bars.of(bars, Source.REST)


class Walks:
    """The recorded minutes of all symbols."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._bars = {symbol: bars_of(symbol) for symbol in symbols}

    def symbols(self) -> list[str]:
        return list(self._bars)

    def coverage(self, _: str) -> tuple[TimeRange, ...]:
        return (TimeRange(START_MS, START_MS + RECORDED * MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self._bars[symbol].between(start_ms, end_ms)


def listed(symbols: Sequence[str]) -> tuple[tuple[Instrument, ...], dict[str, Any]]:
    """Instruments and exchangeInfo: all with the filters of one real symbol."""
    assets = ROOT / "assets"
    model = next(each for each in load_instruments(assets) if each.symbol == MODEL)
    info = load_exchange_info(assets)
    entry = next(each for each in info["symbols"] if each["symbol"] == MODEL)
    entries = []
    for symbol in symbols:
        entries.append(copy.deepcopy(entry) | {"symbol": symbol, "pair": symbol, "baseAsset": symbol[:4]})
    instruments = tuple(msgspec.structs.replace(model, symbol=symbol, base_asset=symbol[:4]) for symbol in symbols)
    return instruments, info | {"symbols": entries}


class Notes:
    """Lines of the file: what, symbol, number, nanoseconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)

    def add(self, what: str, symbol: str, number: str | int) -> None:
        self._file.write(f"{what} {symbol} {number} {time.time_ns()}\n")


def watch_frames(notes: Notes) -> None:
    """Have every frame that closes a minute noted when it is handed to its socket."""
    send = web.WebSocketResponse.send_str

    async def noted(self: web.WebSocketResponse, data: str, compress: int | None = None) -> None:
        if _CLOSING in data:
            kline = json.loads(data)["data"]["k"]
            if kline["i"] == "1m":
                notes.add("wire", kline["s"], kline["t"] + MINUTE_MS)
        await send(self, data, compress)

    web.WebSocketResponse.send_str = noted  # type: ignore[method-assign]


def arrivals(notes: Notes) -> Any:
    """Middleware that notes orders, and lets all that is signed wait for as long as the way to the exchange and back takes."""

    @web.middleware
    async def note(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.method == "POST" and request.path.endswith("/order"):
            given = parse_qs(request.rel_url.raw_query_string) | parse_qs((await request.read()).decode())
            notes.add("read", given["symbol"][0], given["newClientOrderId"][0])
        if request.path == "/echo":
            notes.add("echoed", request.query["symbol"], request.query["minute"])
        if request.method != "GET" and not request.path.startswith("/demo"):
            await asyncio.sleep(ANSWER_S)
        return await handler(request)

    return note


async def serve(count: int, speed: float, path: Path) -> None:
    """Print the port, then serve until killed."""
    symbols = symbols_of(count)
    options = DemoExchangeOptions(speed=speed, start_ms=START_MS + HISTORY * MINUTE_MS)
    notes = Notes(path)
    watch_frames(notes)
    exchange = DemoExchange(options, Walks(symbols), *listed(symbols))
    application = exchange.application()
    application.middlewares.append(arrivals(notes))

    async def echo(_: web.Request) -> web.Response:
        return web.json_response({})

    application.router.add_post("/echo", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.gather(exchange.run(), exchange.heartbeat())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("symbols", type=int)
    parser.add_argument("speed", type=float)
    parser.add_argument("notes", type=Path)
    given = parser.parse_args()
    asyncio.run(serve(given.symbols, given.speed, given.notes))
