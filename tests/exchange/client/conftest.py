"""A tiny exchange on the loopback: answers what a test tells it to, remembers what it was asked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import WSMsgType, web

from atm.model.endpoint import Addresses

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


@dataclass
class Asked:
    method: str
    path: str
    parameters: dict[str, str]
    payload: str
    key: str


@dataclass
class Answer:
    """body: bytes as they are, anything else as JSON; delay: seconds until it is sent."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    hang: bool = False
    delay: float = 0.0


class LoopbackExchange:
    """`answers[(METHOD, path)]`: a list of answers used one after the other (the last one stays), or a function."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[tuple[str, str], list[Answer] | Callable[[Asked], Answer]] = {}
        self.sockets: list[tuple[str, web.WebSocketResponse, set[str]]] = []
        self.opened: list[str] = []
        self.socket_arrived = asyncio.Event()
        self.refuse_sockets = 0
        self.addresses = Addresses("", "")
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def appear(self) -> None:
        """Listen; at the same port as before after `vanish`."""
        application = web.Application()
        application.router.add_get("/market/stream", self.handle_socket)
        application.router.add_get("/public/stream", self.handle_socket)
        application.router.add_route("*", "/{path:.*}", self.handle_rest)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.addresses = Addresses(f"http://127.0.0.1:{self._port}", f"ws://127.0.0.1:{self._port}")

    async def vanish(self) -> None:
        """No longer listen, and cut what is connected."""
        if self._runner is not None:
            self.cut()
            await self._runner.cleanup()
            self._runner = None

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        self.answers[(method, path)] = list(answers)

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def handle_rest(self, request: web.Request) -> web.StreamResponse:
        query, body = request.rel_url.raw_query_string, (await request.read()).decode()
        parameters = dict(parse_qsl(query) + parse_qsl(body))
        key = request.headers.get("X-MBX-APIKEY", "")
        asked = Asked(request.method, request.path, parameters, query + body, key)
        self.asked.append(asked)
        planned = self.answers.get((request.method, request.path))
        if planned is None and request.path == "/fapi/v1/time":
            answer = Answer({"serverTime": int(time.time() * 1000)})
        elif planned is None:
            answer = Answer(b"<html>404</html>", 404, content_type="text/html")
        elif callable(planned):
            answer = planned(asked)
        else:
            answer = planned.pop(0) if len(planned) > 1 else planned[0]
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.hang:
            assert request.transport is not None
            request.transport.abort()
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        return web.Response(
            body=content, status=answer.status, headers=answer.headers, content_type=answer.content_type
        )

    async def handle_socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_sockets:
            self.refuse_sockets -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        streams = set(request.query["streams"].split("/"))
        self.opened.append(request.path)
        self.sockets.append((request.path, socket, streams))
        self.socket_arrived.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    control = json.loads(message.data)
                    if control["method"] == "SUBSCRIBE":
                        streams |= set(control["params"])
                    else:
                        streams -= set(control["params"])
                    await socket.send_json({"result": None, "id": control["id"]})
        finally:
            self.sockets = [entry for entry in self.sockets if entry[1] is not socket]
        return socket

    async def send(self, stream: str, payload: dict[str, Any]) -> None:
        """To every socket that is subscribed to the stream."""
        for _, socket, streams in list(self.sockets):
            if stream in streams and not socket.closed:
                await socket.send_json({"stream": stream, "data": payload})

    async def wait_for_sockets(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sockets) != count:
                self.socket_arrived.clear()
                waiter = asyncio.create_task(self.socket_arrived.wait())
                await asyncio.wait((waiter,), timeout=0.02)
                waiter.cancel()

    def cut(self) -> None:
        """All sockets at once, without a close frame."""
        for _, socket, _ in self.sockets:
            assert socket._req is not None and socket._req.transport is not None
            socket._req.transport.abort()
        self.sockets = []


def signature_is_right(asked: Asked) -> bool:
    """HMAC-SHA256 over the bytes that were sent, without the signature."""
    signed, _, signature = asked.payload.rpartition("&signature=")
    return hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest() == signature


def kline(
    symbol: str, open_time: int, *, closed: bool, close: float = 1.0, event_time: int | None = None
) -> dict[str, Any]:
    return {
        "e": "kline", "E": event_time or open_time + 59_999, "s": symbol,
        "k": {"t": open_time, "T": open_time + 59_999, "s": symbol, "i": "1m", "f": 1, "L": 2, "o": "1.0", "c": str(close),
              "h": "2.0", "l": "0.5", "v": "114.602", "n": 2239, "x": closed, "q": "9615538.66780", "V": "48.488",
              "Q": "4068722.10360", "B": "0"},
    }  # fmt: skip


def kline_row(open_time: int, close: float = 1.0) -> list[Any]:
    return [open_time, "1.0", "2.0", "0.5", str(close), "114.602", open_time + 59_999, "9615538.66780", 2239, "48.488",
            "4068722.10360", "0"]  # fmt: skip


class Tools:
    """What the tests of this folder share (importlib mode has no sibling imports)."""

    Answer = Answer
    SECRET = SECRET
    KEY = KEY
    kline = staticmethod(kline)
    kline_row = staticmethod(kline_row)
    signature_is_right = staticmethod(signature_is_right)


@pytest.fixture
def tools() -> type[Tools]:
    return Tools


@pytest.fixture
async def exchange() -> AsyncIterator[LoopbackExchange]:
    loopback = LoopbackExchange()
    await loopback.appear()
    yield loopback
    await loopback.vanish()
