"""The client against the demo exchange: the same code that trades live, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from atm.exchange.client import answers
from atm.exchange.client.feed import FeedTimes, MarketFeed
from atm.exchange.client.rest import FuturesClient, with_brackets
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.messages import BookTop, ClosedBar, Event, LastTrade, MarkPrice, OpenBar
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.endpoint import Addresses
from atm.model.errors import Refused
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.order import MarginType, OrderStatus, OrderTicket, OrderType, Side

T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC
SAMPLE = Path(__file__).parents[3] / "assets" / "sample"
FEED = FeedTimes(conflation=0.02, tick=0.1, streams=StreamTimes(first_wait=0.01, longest_wait=0.2))


class Recording:
    """Ten days of minutes of FILUSDT, each its own; the market starts five days in."""

    start_ms = T0 - 5 * 1_440 * MINUTE_MS
    count = 10 * 1_440

    def symbols(self) -> list[str]:
        return ["FILUSDT"]

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (TimeRange(self.start_ms, self.start_ms + self.count * MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        def bar(index: int) -> Bar:
            price = 3.0 + (index % 997) / 1000
            row = (price, price + 0.004, price - 0.003, price + 0.001, 1_000.0 + index, 4_000.0, 50.0, 500.0, 2_000.0)
            return Bar(self.start_ms + index * MINUTE_MS, *row)

        return Bars.of((bar(index) for index in range(self.count)), Source.SAMPLE).between(start_ms, end_ms)


def instruments() -> tuple[tuple[Instrument, ...], dict[str, Any]]:
    info = json.loads((SAMPLE / "exchange_info.json").read_text())
    brackets = {"FILUSDT": (LeverageBracket(0, 20_000, 0.01, 0, 75), LeverageBracket(20_000, 200_000, 0.015, 100, 50))}
    listed, _, unreadable = answers.instruments(info)
    assert not unreadable
    return with_brackets(tuple(i for i in listed if i.symbol == "FILUSDT"), brackets), info


@asynccontextmanager
async def demo(speed: float, home: Path | None = None, port: int = 0) -> AsyncIterator[Addresses]:
    listed, info = instruments()
    options = DemoExchangeOptions(port=port, speed=speed, start_ms=T0, home=home)
    async with running_demo_exchange(options, Recording(), listed, info) as addresses:
        yield addresses


class Listener:
    """Takes the feed's messages and can be waited on."""

    def __init__(self) -> None:
        self.bars: list[ClosedBar] = []
        self.kinds: set[type[Event]] = set()
        self._arrived = asyncio.Event()

    def __call__(self, event: Event, key: str) -> None:
        self.kinds.add(type(event))
        if isinstance(event, ClosedBar):
            self.bars.append(event)
        self._arrived.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    def assert_whole(self) -> None:
        """Each minute exactly once, in order, without hole."""
        times = [event.bar.open_time for event in self.bars]
        assert times == list(range(times[0], times[-1] + 1, MINUTE_MS))
        assert not any(event.gap for event in self.bars)


async def control(addresses: Addresses, **command: Any) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{addresses.rest}/demo/control", json=command) as answer,
    ):
        assert answer.status == 200
        content: dict[str, Any] = await answer.json()
        return content


@pytest.mark.parametrize("speed", [1.0, 100.0])
async def test_everything_the_client_can_do(speed: float) -> None:
    async with demo(speed) as addresses, FuturesClient(addresses, Credentials("demo", "demo")) as client:
        await client.synchronise()
        assert abs(await client.server_time() - T0) < 600_000
        (instrument,) = with_brackets(await client.exchange_info(), await client.leverage_brackets())
        assert instrument.symbol == "FILUSDT" and instrument.brackets[1].maintenance_margin_rate == 0.015
        bars = await client.klines("FILUSDT", T0 - 2_000 * MINUTE_MS, T0)
        assert [bar.open_time for bar in bars] == list(range(T0 - 2_000 * MINUTE_MS, T0, MINUTE_MS))
        assert (await client.set_leverage("FILUSDT", 5)).leverage == 5
        await client.set_margin_type("FILUSDT", MarginType.ISOLATED)
        await client.set_margin_type("FILUSDT", MarginType.ISOLATED)
        before = (await client.balance())[0].balance
        bought = await client.place(OrderTicket("FILUSDT", Side.BUY, OrderType.MARKET, "100", "atm-1"))
        assert (bought.status, float(bought.executed_quantity)) == (OrderStatus.FILLED, 100.0)
        report = await client.get_order("FILUSDT", "atm-1")
        (risk,) = await client.position_risk()
        assert (risk.position_amt, risk.entry_price) == (100.0, pytest.approx(float(report.average_price)))
        fee = 100 * float(report.average_price) * 0.0005
        assert (await client.balance())[0].balance == pytest.approx(before - fee, abs=1e-6)
        assert (await client.account()).assets[0].asset == "USDT"
        with pytest.raises(Refused) as refused:
            await client.cancel_order("FILUSDT", "atm-1")
        assert refused.value.code == -2011
        with pytest.raises(Refused) as refused:
            await client.get_order("FILUSDT", "atm-none")
        assert refused.value.code == -2013
        assert await client.open_orders() == ()
        key = await client.create_listen_key()
        await client.keep_listen_key(key)
        await client.close_listen_key(key)
        assert client.budget.used_weight(client.gate.now_ms()) > 0
        assert client.budget.used_orders(client.gate.now_ms()) == 1


async def test_a_wrong_secret_is_refused_by_its_code() -> None:
    async with demo(60.0) as addresses, FuturesClient(addresses, Credentials("demo", "wrong")) as client:
        with pytest.raises(Refused) as refused:
            await client.balance()
    assert refused.value.code == -1022


async def test_a_thousandfold_market_with_dropped_connections_loses_no_minute() -> None:
    """All sockets are cut every ten minutes of the market, four times."""
    listener = Listener()
    async with demo(1_000.0) as addresses, FuturesClient(addresses) as client:
        feed = MarketFeed(client, addresses.stream, "demo", listener, FEED)
        try:
            await feed.collect(["FILUSDT"], {"FILUSDT": T0 - 11 * MINUTE_MS})
            await listener.until(lambda: len(listener.bars) > 20)
            for _ in range(4):
                count = len(listener.bars)
                await listener.until(lambda count=count: len(listener.bars) > count + 8)
                dropped = feed.supervisor.reconnects
                await control(addresses, drop_connections=True)
                await listener.until(lambda dropped=dropped: feed.supervisor.reconnects >= dropped + 2)
            count = len(listener.bars)
            await listener.until(lambda: len(listener.bars) > count + 20)
            assert {ClosedBar, OpenBar, LastTrade, MarkPrice, BookTop} <= listener.kinds
        finally:
            await feed.close()
    listener.assert_whole()
    assert listener.bars[0].bar.open_time == T0 - 10 * MINUTE_MS
    truth = Recording().read("FILUSDT", T0 - 10 * MINUTE_MS, T0 + 1_000 * MINUTE_MS)
    for index, event in enumerate(listener.bars):
        assert event.bar.row() == pytest.approx(truth.bar(index).row(), rel=1e-9)
    assert {event.source for event in listener.bars} == {Source.REST, Source.STREAM}


async def test_a_change_of_speed_loses_no_minute_and_invents_no_gap() -> None:
    listener = Listener()
    async with demo(1_000.0) as addresses, FuturesClient(addresses) as client:
        feed = MarketFeed(client, addresses.stream, "demo", listener, FEED)
        try:
            await feed.collect(["FILUSDT"], {"FILUSDT": T0 - MINUTE_MS})
            await listener.until(lambda: client.clock.rate > 500 and len(listener.bars) > 20)
            await control(addresses, speed=60.0)
            count = len(listener.bars)
            await listener.until(lambda: len(listener.bars) > count + 3)  # the estimate of the clock runs far ahead now
        finally:
            await feed.close()
    listener.assert_whole()


async def test_a_held_stepped_and_moved_market_loses_no_minute_and_invents_no_gap() -> None:
    """What a jump leaves out of the streams is had by REST."""
    listener = Listener()
    async with demo(60.0) as addresses, FuturesClient(addresses) as client:
        feed = MarketFeed(client, addresses.stream, "demo", listener, FEED)
        try:
            await feed.collect(["FILUSDT"], {"FILUSDT": T0 - MINUTE_MS})
            await listener.until(lambda: len(listener.bars) > 2)
            held = await control(addresses, pause=True)
            await control(addresses, step=3)
            await listener.until(lambda: listener.bars[-1].bar.open_time >= held["market_ms"] + MINUTE_MS)
            there_ms = held["market_ms"] + 400 * MINUTE_MS
            await control(addresses, jump=there_ms)
            await listener.until(lambda: listener.bars[-1].bar.open_time >= there_ms - 2 * MINUTE_MS)
            await control(addresses, pause=False)
            await listener.until(lambda: listener.bars[-1].bar.open_time > there_ms + 2 * MINUTE_MS)
        finally:
            await feed.close()
    listener.assert_whole()


async def test_the_demo_exchange_gone_and_back(tmp_path: Path) -> None:
    listener = Listener()
    async with demo(600.0, tmp_path) as addresses:
        client = FuturesClient(addresses)
        feed = MarketFeed(client, addresses.stream, "demo", listener, FEED)
        await feed.collect(["FILUSDT"], {"FILUSDT": T0 - MINUTE_MS})
        await listener.until(lambda: len(listener.bars) > 10 and feed.state().state == "connected")
    try:
        await listener.until(lambda: feed.state().state == "disconnected")
        assert feed.state().reason
        port = int(addresses.rest.rpartition(":")[2])
        async with demo(600.0, tmp_path, port):
            count = len(listener.bars)
            await listener.until(lambda: len(listener.bars) > count + 10 and feed.state().state == "connected")
    finally:
        await feed.close()
        await client.close()
    listener.assert_whole()


async def test_the_first_bar_of_a_symbol_is_found_and_one_without_bars_is_refused() -> None:
    async with demo(1.0) as addresses, FuturesClient(addresses) as client:
        assert await client.first_bar("FILUSDT") == Recording().start_ms
        with pytest.raises(Refused):
            await client.first_bar("NOSUCHUSDT")
