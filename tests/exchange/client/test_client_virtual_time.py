"""Client and demo exchange in one thread and in virtual time: real sockets, real libraries, no waiting."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from atm.exchange.client import answers
from atm.exchange.client.feed import MarketFeed
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, running_demo_exchange, serving
from atm.ipc.messages import ClosedBar, ConnectionState, Event
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.bars import Source
from atm.model.interval import MINUTE_MS
from tests.exchange.client.test_client_user_stream import Recording

T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC
INFO = Path(__file__).parents[3] / "assets" / "sample" / "exchange_info.json"


async def five_minutes(wall_ms: Callable[[], float], log: list[tuple[float, str]]) -> None:
    info = json.loads(INFO.read_text())
    listed = tuple(entry for entry in answers.instruments(info)[0] if entry.symbol == "FILUSDT")
    options = DemoExchangeOptions(speed=1.0, start_ms=T0)

    def emit(event: Event, key: str) -> None:
        kind = f"{event.bar.open_time} {event.source}" if isinstance(event, ClosedBar) else type(event).__name__
        log.append((wall_ms(), kind))

    async with (
        running_demo_exchange(options, Recording(), listed, info, wall_ms) as addresses,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        feed = MarketFeed(client, addresses.stream, "demo", emit)
        try:
            await feed.collect(["FILUSDT"], {"FILUSDT": T0 - 3 * MINUTE_MS})
            assert (await client.balance())[0].balance == 10_000.0  # the signed request's time is the virtual one
            await asyncio.sleep(5 * 60 + 1)
        finally:
            await feed.close()


def test_five_minutes_of_market_in_real_time_take_seconds_and_repeat_themselves() -> None:
    logs: list[list[tuple[float, str]]] = [[], []]
    began = time.monotonic()
    for log in logs:
        with VirtualRunner(T0) as runner:
            runner.run(five_minutes(runner.wall_ms, log))
    assert time.monotonic() - began < 60.0
    assert logs[0] == logs[1]
    bars = [kind for _, kind in logs[0] if kind[0].isdigit()]
    rest, stream = int(Source.REST), int(Source.STREAM)
    assert bars == [f"{T0 + minute * MINUTE_MS} {rest if minute < 0 else stream}" for minute in range(-2, 5)]
    closed_ms = [ms - T0 for ms, kind in logs[0] if kind == f"{T0} {stream}"]
    assert closed_ms == [60_000.0]


async def outage(wall_ms: Callable[[], float]) -> tuple[float, float]:
    """The exchange is away for three minutes; seconds from its return to the next bar, and to the state "connected"."""
    info = json.loads(INFO.read_text())
    listed = tuple(entry for entry in answers.instruments(info)[0] if entry.symbol == "FILUSDT")
    arrived: list[tuple[float, int]] = []
    connected: list[float] = []

    def emit(event: Event, key: str) -> None:
        if isinstance(event, ClosedBar):
            arrived.append((wall_ms(), event.bar.open_time))
        elif isinstance(event, ConnectionState) and event.state == "connected":
            connected.append(wall_ms())

    exchange = DemoExchange(DemoExchangeOptions(speed=1.0, start_ms=T0), Recording(), listed, info, wall_ms)
    async with serving(exchange, DemoExchangeOptions()) as addresses:
        client = FuturesClient(addresses, None, wall_ms)
        feed = MarketFeed(client, addresses.stream, "demo", emit)
        await feed.collect(["FILUSDT"], {"FILUSDT": T0 - MINUTE_MS})
        await asyncio.sleep(30.0)
    try:
        await asyncio.sleep(180.0)
        back_ms, told = wall_ms(), len(arrived)
        connected.clear()
        async with serving(exchange, DemoExchangeOptions(port=int(addresses.rest.rpartition(":")[2]))):
            await asyncio.sleep(30.0)
            assert [ms for _, ms in arrived] == list(range(T0, T0 + len(arrived) * MINUTE_MS, MINUTE_MS))
            return arrived[told][0] - back_ms, connected[0] - back_ms
    finally:
        await feed.close()
        await client.close()


def test_after_an_outage_of_minutes_nobody_waits_for_the_last_long_pause_of_a_connection() -> None:
    with VirtualRunner(T0) as runner:
        bar_ms, connected_ms = runner.run(outage(runner.wall_ms))
    assert bar_ms <= 8_000 and connected_ms <= 9_500
