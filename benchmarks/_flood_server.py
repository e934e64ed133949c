"""The server of `flood.py`, a process of its own: an exchange of many symbols that sends a given number of messages a second.

Frames are laid out beforehand, as the demo exchange lays them out; what changes from one to the next is filled in when it is
sent: event time, sequence number, price and, in the field "z" which nobody reads but the benchmark, the moment at which it was
written to the socket (Unix µs). Everything is numbered, so that nothing can get lost unnoticed: trades and books by their ids,
minutes by their open times, the rest by count.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

MINUTE_MS = 60_000
START_MS = 1_790_771_340_000
FIRST_ID = 5_000_000_000
TURN_S = 0.005
HEARTBEAT_S = 2.0
_ANSWER = b'{"result":null,"id":1}'
HEARTBEAT = struct.pack("!BB", 0x81, len(_ANSWER)) + _ANSWER
MOST_UNSENT = 64 * 1024 * 1024
"""Bytes in front of a client that does not read; beyond them it is cut, as on the exchange."""
SHARES = {"kline_1m": 4, "markPrice@1s": 1, "depth20@500ms": 2, "bookTicker": 5, "aggTrade": 28}
"""Messages of each kind among forty: what a lively symbol sends in a second."""
PUBLIC = frozenset(("depth20@500ms", "bookTicker"))


def symbols_of(count: int) -> list[str]:
    """The symbols of this exchange."""
    return [f"S{number:03d}USDT" for number in range(count)]


def closing_price(symbol: str, open_ms: int) -> float:
    """What the closed bar of this minute says, known to both sides."""
    return 100.0 + (open_ms // MINUTE_MS * 7 + int(symbol[1:4])) % 1_000 / 10


def _templates(symbol: str) -> dict[str, bytes]:
    """Frames of one symbol with places for what changes."""
    bids = ",".join(f'["{100 - n / 100:.2f}","{1.5 + n / 7:.3f}"]' for n in range(1, 21))
    asks = ",".join(f'["{100 + n / 100:.2f}","{1.5 + n / 7:.3f}"]' for n in range(1, 21))
    contents = {
        "kline_1m": f'"e":"kline","E":%(E)d,"s":"{symbol}","k":{{"t":%(t)d,"T":%(T)d,"s":"{symbol}","i":"1m","f":8132503391,'
        '"L":8132505633,"o":"100.00","c":"%(p)s","h":"300.00","l":"90.00","v":"114.602","n":2239,"x":%(x)s,'
        '"q":"9615538.66780","V":"48.488","Q":"4068722.10360","B":"0"}',
        "aggTrade": f'"e":"aggTrade","E":%(E)d,"s":"{symbol}","a":%(n)d,"p":"%(p)s","q":"4.704","nq":"4.704","f":100,"l":105,'
        '"T":%(E)d,"m":true,"st":1',
        "markPrice@1s": f'"e":"markPriceUpdate","E":%(E)d,"s":"{symbol}","p":"%(p)s","ap":"100.00000000","i":"100.00000000",'
        '"P":"100.00000000","r":"0.00010000","T":1790784000000,"st":1',
        "depth20@500ms": f'"e":"depthUpdate","E":%(E)d,"T":%(E)d,"s":"{symbol}","U":%(n)d,"u":%(n)d,"pu":%(n)d,"b":[{bids}],'
        f'"a":[{asks}],"ps":"{symbol}","st":1',
        "bookTicker": f'"e":"bookTicker","u":%(n)d,"E":%(E)d,"T":%(E)d,"s":"{symbol}","b":"%(p)s","B":"31.210","a":"300.00",'
        f'"A":"40.660","ps":"{symbol}","st":1',
    }
    return {
        kind: f'{{"stream":"{symbol.lower()}@{kind}","data":{{{content},"z":"%(z)d"}}}}'.encode()
        for kind, content in contents.items()
    }


class Symbol:
    """Frames and counters of one symbol."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.last_id = dict.fromkeys(SHARES, FIRST_ID)
        self._templates = _templates(symbol)
        self._sequence = FIRST_ID

    def frame(self, kind: str, market_ms: int, now_us: int, closed_ms: int = 0) -> bytes:
        """The next frame of this kind, as bytes on the wire. closed_ms: open time of the minute that it closes."""
        self._sequence = number = self._sequence + 1
        self.last_id[kind] = number
        open_ms = closed_ms or market_ms - market_ms % MINUTE_MS
        price = closing_price(self.symbol, open_ms) if closed_ms else 100 + number % 10_000 / 100
        body = self._templates[kind] % {
            b"E": market_ms, b"t": open_ms, b"T": open_ms + MINUTE_MS - 1, b"n": number, b"p": b"%.2f" % price,
            b"x": b"true" if closed_ms else b"false", b"z": now_us,
        }  # fmt: skip
        return struct.pack("!BBH", 0x81, 126, len(body)) + body


class Listener:
    """A socket with what is subscribed on it. Frames that nobody asked for are not sent."""

    def __init__(self, request: web.Request) -> None:
        assert request.transport is not None
        self.transport = request.transport
        self.streams = set(request.query.get("streams", "").split("/"))
        # Books and best prices come on the same route; a client that asked for the one is sent the other as well.
        self.tickers = any(name.endswith("depth20@500ms") for name in self.streams)
        self.waiting: list[bytes] = []


class Flood:
    """The exchange, in real time."""

    def __init__(self, symbols: int, rate: float) -> None:
        self._symbols = [Symbol(name) for name in symbols_of(symbols)]
        self._rate = rate
        self._begun_s = time.time()
        self._flowing = asyncio.Event()
        self._minute_ms = 0
        self.sent = dict.fromkeys(SHARES, 0)
        self.closed_minutes: list[int] = []
        self.repairs = self.cut = self.most_unsent = self.handshakes = 0
        self.behind_s = 0.0
        self._routes: dict[tuple[str, str], list[Listener]] = {}
        self._listeners: list[Listener] = []

    def market_ms(self) -> int:
        return START_MS + int((time.time() - self._begun_s) * 1_000)

    # --- sending ------------------------------------------------------------------------------------------------

    def _schedule(self) -> Iterator[tuple[Symbol, str]]:
        """All symbols in turn, kinds mixed by their shares, for ever."""
        kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
        stride = 17  # a prime: kinds are spread over the second
        order = [kinds[place * stride % len(kinds)] for place in range(len(kinds))]
        for turn in itertools.count():
            for place, symbol in enumerate(self._symbols):
                yield symbol, order[(turn + place) % len(order)]

    async def flow(self) -> None:
        """Send while anybody listens and the tap is open."""
        schedule = self._schedule()
        while True:
            await self._flowing.wait()
            due, last_s = 0.0, time.monotonic()
            while self._flowing.is_set():
                await asyncio.sleep(TURN_S)
                if not self._flowing.is_set():
                    break
                now_s = time.monotonic()
                due += (now_s - last_s) * self._rate
                last_s = now_s
                market_ms = self.market_ms()
                self._close_minute(market_ms)
                count, due = int(due), due % 1.0
                self.behind_s = max(self.behind_s, count / self._rate - TURN_S)
                now_us = time.time_ns() // 1_000
                for symbol, kind in itertools.islice(schedule, count):
                    self._send(symbol, kind, symbol.frame(kind, market_ms, now_us))
                self._write()

    def _close_minute(self, market_ms: int) -> None:
        """The closing bars of all symbols at once, as on the exchange."""
        open_ms = market_ms - market_ms % MINUTE_MS
        if self._minute_ms and open_ms > self._minute_ms:
            now_us = time.time_ns() // 1_000
            for symbol in self._symbols:
                self._send(symbol, "kline_1m", symbol.frame("kline_1m", market_ms, now_us, self._minute_ms))
            self.closed_minutes.append(self._minute_ms)
        self._minute_ms = open_ms

    def _send(self, symbol: Symbol, kind: str, frame: bytes) -> None:
        for listener in self._routes.get((symbol.symbol, kind), ()):
            listener.waiting.append(frame)
            self.sent[kind] += 1

    def _write(self) -> None:
        for listener in self._listeners:
            if listener.waiting:
                listener.transport.write(b"".join(listener.waiting))
                listener.waiting.clear()
            unsent = listener.transport.get_write_buffer_size()
            self.most_unsent = max(self.most_unsent, unsent)
            if unsent > MOST_UNSENT:
                self.cut += 1
                listener.transport.abort()

    async def keep_alive(self) -> None:
        """While the tap is closed, say so little that nobody takes the connections for dead."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if not self._flowing.is_set():
                for listener in self._listeners:
                    listener.transport.write(HEARTBEAT)

    # --- sockets and requests -----------------------------------------------------------------------------------

    async def socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=True, compress=False)
        await socket.prepare(request)
        self.handshakes += 1
        self._listeners.append(Listener(request))
        self._reroute()
        listener = self._listeners[-1]
        try:
            async for _ in socket:
                pass
        finally:
            self._listeners.remove(listener)
            self._reroute()
        return socket

    def _reroute(self) -> None:
        self._routes = {}
        for symbol in self._symbols:
            lower = symbol.symbol.lower()
            for listener in self._listeners:
                for kind in SHARES:
                    wanted = f"{lower}@{kind}" in listener.streams
                    if kind == "bookTicker":
                        wanted = wanted or (listener.tickers and f"{lower}@depth20@500ms" in listener.streams)
                    if wanted:
                        self._routes.setdefault((symbol.symbol, kind), []).append(listener)

    async def tap(self, request: web.Request) -> web.StreamResponse:
        """POST: open or close the tap; GET: what has been sent."""
        if request.method == "POST":
            if (await request.json())["open"]:
                self.sent = dict.fromkeys(SHARES, 0)
                self.closed_minutes = []
                self.repairs = self.cut = self.most_unsent = 0
                self.behind_s, self._minute_ms = 0.0, 0
                self._flowing.set()
            else:
                self._flowing.clear()
        totals: dict[str, Any] = {
            "sent": self.sent, "closed_minutes": self.closed_minutes, "repairs": self.repairs, "cut": self.cut,
            "most_unsent": self.most_unsent, "behind_s": self.behind_s, "sockets": len(self._listeners),
            "handshakes": self.handshakes, "cpu_s": time.process_time(),
            "last_id": {symbol.symbol: symbol.last_id for symbol in self._symbols},
        }  # fmt: skip
        return web.json_response(totals)

    async def rest(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path.endswith("/time"):
            return web.json_response({"serverTime": self.market_ms()})
        if path.endswith("/exchangeInfo"):
            symbols = [
                {"symbol": symbol.symbol, "contractType": "PERPETUAL", "status": "TRADING", "quoteAsset": "USDT"}
                for symbol in self._symbols
            ]
            return web.json_response({"symbols": symbols, "rateLimits": []})
        if path.endswith("/klines"):
            self.repairs += 1
            return web.json_response(self._klines(request.query))
        return web.json_response([] if path.endswith(("/leverageBracket", "/markPriceKlines", "/fundingRate")) else {})

    def _klines(self, query: Mapping[str, str]) -> list[list[Any]]:
        start_ms = max(START_MS, -(-int(query["startTime"]) // MINUTE_MS) * MINUTE_MS)
        end_ms = min(int(query["endTime"]), self.market_ms())
        price = lambda open_ms: f"{closing_price(query['symbol'], open_ms):.2f}"  # noqa: E731
        rows = [
            [open_ms, "100.00", "300.00", "90.00", price(open_ms), "114.602", open_ms + MINUTE_MS - 1, "9615538.66780", 2239,
             "48.488", "4068722.10360", "0"]
            for open_ms in range(start_ms, end_ms + 1, MINUTE_MS)
        ]  # fmt: skip
        return rows[: int(query["limit"])]

    def application(self) -> web.Application:
        application = web.Application()
        for path in ("/{route:public|market|private}/stream", "/stream"):
            application.router.add_get(path, self.socket)
        application.router.add_route("*", "/flood", self.tap)
        application.router.add_route("*", "/{path:.+}", self.rest)
        return application


async def serve(symbols: int, rate: float) -> None:
    """Print the port, then serve until killed."""
    flood = Flood(symbols, rate)
    runner = web.AppRunner(flood.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.gather(flood.flow(), flood.keep_alive())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for flag, default in (("symbols", 500), ("rate", 20_000.0)):
        parser.add_argument(f"--{flag}", type=type(default), default=default)
    given = parser.parse_args()
    asyncio.run(serve(given.symbols, given.rate))
