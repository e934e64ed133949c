"""A day of market in virtual time: every minute exactly once, connections renewed before the exchange would cut them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from atm.exchange.client.feed import FeedTimes, MarketFeed
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, serving
from atm.ipc.messages import ClosedBar, Event
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.bars import Source
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC
SPEED = 60.0
HOUR_S = 3_600 / SPEED
SYMBOLS = ("FILUSDT",)


async def a_day_and_six_hours(wall_ms: Callable[[], float]) -> None:
    came: dict[str, list[ClosedBar]] = {symbol: [] for symbol in SYMBOLS}

    def take(event: Event, key: str) -> None:
        if isinstance(event, ClosedBar):
            came[event.symbol].append(event)

    options = DemoExchangeOptions(speed=SPEED, start_ms=T0)
    market = MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    exchange = DemoExchange(options, *market, wall_ms)
    times = StreamTimes(renewal=23 * HOUR_S, renewal_jitter=0.5 * HOUR_S, overlap=5.0)
    async with (
        serving(exchange, options) as addresses,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        feed = MarketFeed(client, addresses.stream, "demo", take, FeedTimes(streams=times))
        await feed.collect(SYMBOLS, dict.fromkeys(SYMBOLS, T0 - MINUTE_MS))
        await asyncio.sleep(22 * HOUR_S)
        planned, tasks = len(feed.supervisor.planned), len(asyncio.all_tasks())
        assert (feed.supervisor.renewals, len(exchange.streams.subscribers)) == (0, planned)
        most = 0
        while feed.market_ms() < T0 + 24 * HOUR_MS:
            await asyncio.sleep(0.02)
            most = max(most, len(exchange.streams.subscribers))
        assert feed.supervisor.renewals == planned and feed.supervisor.reconnects == 0
        assert planned < most <= 2 * planned  # the new one stands before the old one goes
        for _ in range(6):
            exchange.streams.drop()
            await asyncio.sleep(HOUR_S)
        assert feed.supervisor.reconnects == 6 * planned
        await asyncio.sleep(5.0)
        assert len(asyncio.all_tasks()) <= tasks + 1
        await feed.close()
        for symbol in SYMBOLS:
            bars = [event.bar for event in came[symbol]]
            assert [bar.open_time for bar in bars] == list(range(T0, T0 + len(bars) * MINUTE_MS, MINUTE_MS))
            assert len(bars) >= 30 * 60
            there = await client.klines(symbol, T0, T0 + len(bars) * MINUTE_MS)
            assert [bar.row() for bar in bars] == [bar.row() for bar in there]
            quiet = came[symbol][: 24 * 60 - 2]  # the first cut may come before the last closing message
            assert all(event.source == Source.STREAM and not event.gap for event in quiet[5:])


def test_a_day_with_its_renewals_and_six_hours_of_cuts_lose_no_minute() -> None:
    with VirtualRunner(T0) as runner:
        runner.run(a_day_and_six_hours(runner.wall_ms))
