"""A stage for faults: a demo exchange with clients over real sockets, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.access import signed
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.endpoint import Addresses
from atm.model.order import OrderTicket, OrderType, Side
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL, OTHER = "NEARUSDT", "FILUSDT"
LOW = SYMBOL.lower()
T0 = 1_694_131_200_000
KEY = {"X-MBX-APIKEY": "demo"}


class Stage:
    """A running exchange with a client beside it."""

    def __init__(
        self, addresses: Addresses, session: aiohttp.ClientSession, client: FuturesClient, wall_ms: Callable[[], float]
    ) -> None:
        self.addresses, self.session, self.client, self.wall_ms = addresses, session, client, wall_ms

    async def post(self, **body: Any) -> dict[str, Any]:
        async with self.session.post(f"{self.addresses.rest}/demo/control", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            return {**found, "status": answer.status}

    async def fault(self, kind: str, seconds: float = 10.0, **fields: Any) -> None:
        wanted = {"kind": kind, "duration_ms": int(seconds * 1000), **fields}
        assert (await self.post(fault=wanted))["status"] == 200

    async def fault_on(self, socket: aiohttp.ClientWebSocketResponse, kind: str, seconds: float, **fields: Any) -> None:
        """Set a fault, and take from the socket what was under way."""
        await self.fault(kind, seconds, **fields)
        await frames(socket, 0.01)

    async def newest(self) -> dict[str, Any]:
        """The newest fault, as it is told."""
        async with self.session.get(f"{self.addresses.rest}/demo/faults") as answer:
            found: dict[str, Any] = max((await answer.json())["faults"], key=lambda each: each["number"])
            return found

    def stream(self, *kinds: str, route: str = "market") -> Any:
        names = "/".join(kind if kind.startswith(OTHER.lower()) else f"{LOW}@{kind}" for kind in kinds)
        return self.session.ws_connect(f"{self.addresses.stream}/{route}/stream?streams={names}")

    async def get(self, path: str, **parameters: Any) -> tuple[int, Any]:
        async with self.session.get(f"{self.addresses.rest}/fapi/v1/{path}", params=parameters) as answer:
            text = await answer.text()
            return answer.status, (json.loads(text) if answer.content_type == "application/json" and text else text)

    async def order(self, name: str, quantity: str = "100") -> Any:
        return await self.client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, quantity, name))

    async def executed(self, name: str) -> int:
        """How many orders of that name the exchange has."""
        orders = await self.signed("v1/allOrders", symbol=SYMBOL)
        return sum(order["clientOrderId"] == name for order in orders)

    async def signed(self, path: str, **parameters: str) -> Any:
        """The answer to a signed GET, stamped with the present unless told otherwise."""
        query = urlencode({"timestamp": str(int(self.wall_ms())), **parameters})
        address = f"{self.addresses.rest}/fapi/{path}?{query}&signature={signed('demo', query)}"
        async with self.session.get(address, headers=KEY) as answer:
            return await answer.json()


async def frames(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> list[aiohttp.WSMessage]:
    """What comes within so many (virtual) seconds; the end of the connection as well."""
    found: list[aiohttp.WSMessage] = []
    try:
        async with asyncio.timeout(seconds):
            while not found or found[-1].type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                found.append(await socket.receive())
    except TimeoutError:
        pass
    return found


def events(found: list[aiohttp.WSMessage]) -> list[dict[str, Any]]:
    """Their events, each with its stream; all of them must be readable."""
    assert all(each.type is aiohttp.WSMsgType.TEXT for each in found)
    return [{"stream": message["stream"], **message["data"]} for message in (json.loads(each.data) for each in found)]


@asynccontextmanager
async def staged(speed: float, wall_ms: Callable[[], float]) -> AsyncIterator[Stage]:
    options = DemoExchangeOptions(speed=speed, start_ms=T0)
    parts = (MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with (
        running_demo_exchange(options, *parts, wall_ms) as addresses,
        aiohttp.ClientSession() as session,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        await client.synchronise()
        yield Stage(addresses, session, client, wall_ms)


Scene = Callable[[Stage], Awaitable[None]]


def play(scene: Scene, speed: float = 1.0) -> None:
    async def run(wall_ms: Callable[[], float]) -> None:
        async with staged(speed, wall_ms) as stage:
            await scene(stage)

    with VirtualRunner(T0) as runner:
        runner.run(run(runner.wall_ms))


def in_order(trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(trades, key=lambda each: each["a"])


def is_whole(trades: list[dict[str, Any]]) -> bool:
    """Whether no trade is missing between the first and the last, and all are in their order."""
    assert len(trades) > 10
    return all(later["f"] == earlier["l"] + 1 for earlier, later in pairwise(trades))


def times(found: list[dict[str, Any]]) -> list[int]:
    return [each["E"] for each in found]
