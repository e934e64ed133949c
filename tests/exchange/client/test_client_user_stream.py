"""The user stream against the demo exchange, in virtual time over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from atm.exchange.client.connection import StreamSocket
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.client.transport import Credentials
from atm.exchange.client.user_stream import UserStream, UserStreamTimes
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, serving
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.interval import MINUTE_MS
from atm.model.order import OrderTicket, OrderType, Side
from atm.storage.sample import load_instruments

T0 = 1_694_131_200_000
ASSETS = Path(__file__).parents[3] / "assets"
HOUR_S = 3_600.0


class Recording:
    def symbols(self) -> list[str]:
        return ["FILUSDT"]

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (TimeRange(T0 - 60 * MINUTE_MS, T0 + 60 * MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        row = (3.0, 3.004, 2.997, 3.001, 1_000.0, 3_000.0, 50.0, 500.0, 1_500.0)
        minutes = range(T0 - 60 * MINUTE_MS, T0 + 60 * MINUTE_MS, MINUTE_MS)
        return Bars.of((Bar(ms, *row) for ms in minutes), Source.SAMPLE).between(start_ms, end_ms)


class Scene:
    """An exchange, a client with a user stream, and what the stream has told."""

    def __init__(
        self, exchange: DemoExchange, client: FuturesClient, base: str, times: UserStreamTimes | None = None
    ) -> None:
        self.exchange, self.client = exchange, client
        self.events: list[dict[str, Any]] = []
        self.missed = 0
        self.orders = 0
        self.stream = UserStream(client, base, self.events.append, self._miss, times)

    def _miss(self) -> None:
        self.missed += 1

    async def buys(self) -> bool:
        """Send an order; whether its fill is told at once."""
        self.events.clear()
        self.orders += 1
        await self.client.place(OrderTicket("FILUSDT", Side.BUY, OrderType.MARKET, "10", f"buy-{self.orders}"))
        await asyncio.sleep(0.1)
        return "ACCOUNT_UPDATE" in {event["e"] for event in self.events}

    async def key_runs_out(self) -> None:
        """At once, as when the account was silent for an hour; the exchange says so within two seconds."""
        self.exchange.engine.state.accounts["demo"].listen_until_ms = 0.0
        await asyncio.sleep(3.0)


def play(scene: Callable[[Scene], Awaitable[None]], times: UserStreamTimes | None = None) -> None:
    async def work(wall_ms: Callable[[], float]) -> None:
        info = json.loads((ASSETS / "sample" / "exchange_info.json").read_text())
        listed = tuple(entry for entry in load_instruments(ASSETS) if entry.symbol == "FILUSDT")
        options = DemoExchangeOptions(speed=1.0, start_ms=T0)
        exchange = DemoExchange(options, Recording(), listed, info, wall_ms)
        async with (
            serving(exchange, options) as addresses,
            FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
        ):
            player = Scene(exchange, client, addresses.stream, times)
            try:
                await asyncio.sleep(1.0)
                await scene(player)
            finally:
                await player.stream.close()

    with VirtualRunner(T0) as runner:
        runner.run(work(runner.wall_ms))


def test_events_come_and_each_connection_says_that_some_may_be_missing() -> None:
    async def scene(scene: Scene) -> None:
        assert scene.stream.connected and scene.missed == 1
        assert await scene.buys()
        assert scene.missed == 1
        scene.exchange.streams.drop()
        await asyncio.sleep(10.0)
        assert scene.stream.connected and scene.missed == 2
        assert await scene.buys()

    play(scene)


def test_a_key_is_kept_alive_for_hours() -> None:
    async def scene(scene: Scene) -> None:
        await asyncio.sleep(5 * HOUR_S)
        assert await scene.buys()
        assert scene.stream.connections == 1

    play(scene)


def test_a_key_that_has_run_out_is_replaced_and_the_old_connection_closed() -> None:
    async def scene(scene: Scene) -> None:
        await scene.key_runs_out()
        assert scene.missed == 2
        assert await scene.buys()
        await asyncio.sleep(5.0)
        assert len(scene.exchange.streams.subscribers) == 1

    play(scene)


def test_a_doubt_brings_a_new_connection_but_not_again_and_again() -> None:
    async def scene(scene: Scene) -> None:
        for _ in range(20):
            scene.stream.doubt()
            await asyncio.sleep(1.0)
        assert scene.stream.connections == 2
        assert await scene.buys()
        await asyncio.sleep(15.0)
        scene.stream.doubt()
        await asyncio.sleep(1.0)
        assert scene.stream.connections == 3

    play(scene)


def test_a_frame_that_cannot_be_read_counts_as_events_missed() -> None:
    async def scene(scene: Scene) -> None:
        (subscriber,) = scene.exchange.streams.subscribers
        for frame in ('{"e":"ACCOUNT_UP', "[]", "<html>"):
            subscriber.send(frame)
        await asyncio.sleep(1.0)
        assert (scene.stream.unreadable, scene.missed, scene.stream.connected) == (3, 4, True)
        assert await scene.buys()

    play(scene)


def test_a_renewal_before_the_exchange_cuts_leaves_no_moment_without_a_stream() -> None:
    async def scene(scene: Scene) -> None:
        for _ in range(15):
            assert await scene.buys()
            await asyncio.sleep(60.0)
        assert scene.stream.connections == 2

    play(scene, UserStreamTimes(streams=StreamTimes(renewal=600.0, renewal_jitter=60.0)))


def test_a_stream_that_is_closed_while_it_is_relieved_leaves_no_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(scene: Scene) -> None:
        assert len(scene.exchange.streams.subscribers) == 1
        closing = asyncio.Event()
        closes = StreamSocket.close

        async def slowly(socket: StreamSocket) -> None:
            if not closing.is_set():
                closing.set()
                await asyncio.sleep(60.0)
            await closes(socket)

        monkeypatch.setattr(StreamSocket, "close", slowly)
        scene.stream.doubt()
        await closing.wait()
        assert scene.stream.connections == 2
        await scene.stream.close()
        await asyncio.sleep(5.0)
        assert not scene.exchange.streams.subscribers

    play(scene)


@pytest.mark.parametrize("defect", [KeyError("listenKey"), RuntimeError("a defect")])
def test_an_answer_without_a_key_or_a_defect_does_not_end_the_stream_for_good(defect: Exception) -> None:
    async def scene(player: Scene) -> None:
        library, asked = player.client._library, 0
        real = library.futures_stream_get_listen_key

        async def fails_once() -> str:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise defect
            return await real()

        library.futures_stream_get_listen_key = fails_once
        player.exchange.streams.drop()
        await asyncio.sleep(30.0)
        assert asked == 2 and player.stream.connected
        assert await player.buys()

    play(scene)
