"""Whatever the user clicks: with the real limits of the exchange there is no 429, and no order waits for history.

The real client and the real demo exchange, with its limits and bans, in one thread and in virtual time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web

from atm.exchange.client.costs import cost
from atm.exchange.client.feed import MarketFeed
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo import access, rest
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.messages import ClosedBar, ConnectionState, Event
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.bars import Bars, Source, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval
from atm.model.order import OrderTicket, OrderType, Side, TimeInForce
from atm.storage.sample import load_exchange_info, load_instruments

T0 = 1_694_131_210_000  # 2023-09-08 00:00:10 UTC
PAST_MINUTES = 4 * 1_499
FIRST = T0 - T0 % MINUTE_MS - PAST_MINUTES * MINUTE_MS
ASSETS = Path(__file__).parents[3] / "assets"
SYMBOLS = [f"S{number:02d}USDT" for number in range(50)]
DOWNLOAD_WEIGHT = 50 * 4 * 10


class Recording:
    """The same quiet minutes for every symbol."""

    def __init__(self) -> None:
        minutes = PAST_MINUTES + 60
        row = np.array([[3.0], [3.004], [2.997], [3.001], [1_000.0], [3_000.0], [50.0], [500.0], [1_500.0]])
        times = FIRST + np.arange(minutes, dtype=np.int64) * MINUTE_MS
        self._bars = Bars(
            Interval.M1, times, np.repeat(row, minutes, axis=1), np.full(minutes, int(Source.SAMPLE), np.uint8)
        )

    def symbols(self) -> list[str]:
        return SYMBOLS

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (TimeRange(FIRST, FIRST + (PAST_MINUTES + 60) * MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self._bars.between(start_ms, end_ms)


def listed() -> tuple[tuple[Instrument, ...], dict[str, Any]]:
    info = load_exchange_info(ASSETS)
    entry = next(entry for entry in info["symbols"] if entry["symbol"] == "FILUSDT")
    instrument = next(instrument for instrument in load_instruments(ASSETS) if instrument.symbol == "FILUSDT")
    info["symbols"] = [{**entry, "symbol": symbol} for symbol in SYMBOLS]
    return tuple(msgspec.structs.replace(instrument, symbol=symbol) for symbol in SYMBOLS), info


class Counted:
    """Status and weight of every request at the exchange."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.underestimated: list[str] = []
        self.weights: dict[int, int] = {}

    def watch(self, monkeypatch: pytest.MonkeyPatch, wall_ms: Callable[[], float]) -> None:
        handle = rest.Rest.handle

        async def watched(asked: rest.Rest, request: web.Request) -> web.StreamResponse:
            response = await handle(asked, request)
            path = f"{request.match_info['version']}/{request.match_info['path']}"
            self.statuses[f"{response.status} {request.method} {path}"] += 1
            weight = access.weight(request.method, path, request.query)
            if cost(request.method, request.path, request.query).weight < weight:
                self.underestimated.append(f"{request.method} {path}")
            minute = int(wall_ms() // MINUTE_MS)
            self.weights[minute] = self.weights.get(minute, 0) + weight
            return response

        monkeypatch.setattr(rest.Rest, "handle", watched)


async def click_everything(wall_ms: Callable[[], float]) -> tuple[list[float], dict[str, int], list[Event]]:
    """(seconds that each order took, bars downloaded by symbol, events of the feed)."""
    instruments, info = listed()
    events: list[Event] = []
    waits: list[float] = []
    downloaded: dict[str, int] = {}
    options = DemoExchangeOptions(speed=1.0, start_ms=T0)
    async with (
        running_demo_exchange(options, Recording(), instruments, info, wall_ms) as addresses,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        feed = MarketFeed(client, addresses.stream, "demo", lambda event, key: events.append(event))
        now = asyncio.get_running_loop().time

        async def download(symbol: str) -> None:
            bars = await client.klines(symbol, FIRST, FIRST + PAST_MINUTES * MINUTE_MS)
            downloaded[symbol] = len({bar.open_time for bar in bars})

        async def repair(symbol: str) -> None:
            await client.klines(symbol, FIRST, FIRST + 60 * MINUTE_MS, RequestClass.REPAIR)

        async def orders() -> None:
            for number in range(40):
                name, began = f"o-{number}", now()
                await client.place(
                    OrderTicket(SYMBOLS[0], Side.BUY, OrderType.LIMIT, "10", name, "2.900", TimeInForce.GTC)
                )
                await client.get_order(SYMBOLS[0], name)
                await client.cancel_order(SYMBOLS[0], name)
                waits.append(now() - began)
                await asyncio.sleep(3.0)

        async def look_around() -> None:
            for _ in range(20):
                await asyncio.gather(
                    client.exchange_info(), client.leverage_brackets(), client.account(), client.balance(),
                    client.position_risk(), client.open_orders(), client.first_bar(SYMBOLS[1]),
                )  # fmt: skip

        try:
            await client.exchange_info()
            await asyncio.gather(
                orders(),
                look_around(),
                feed.collect(SYMBOLS[:2], {}),
                *(client.order_book(symbol) for symbol in SYMBOLS),
                *(download(symbol) for symbol in SYMBOLS),
                *(repair(symbol) for symbol in SYMBOLS),
            )
        finally:
            await feed.close()
    return waits, downloaded, events


def test_everything_at_once_sees_no_429_and_no_order_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "atm.exchange.client.feed")
    counted = Counted()
    with VirtualRunner(T0) as runner:
        counted.watch(monkeypatch, runner.wall_ms)
        waits, downloaded, events = runner.run(click_everything(runner.wall_ms))
    assert {answer for answer in counted.statuses if not answer.startswith("200 ")} == set()
    assert counted.underestimated == []
    assert downloaded == dict.fromkeys(SYMBOLS, PAST_MINUTES)
    assert max(counted.weights.values()) <= 2_400
    assert sum(counted.weights.values()) >= DOWNLOAD_WEIGHT
    assert len(waits) == 40 and max(waits) < 0.5
    states = [event for event in events if isinstance(event, ConnectionState)]
    assert max(state.waiting.get("history", 0) for state in states) >= 20
    assert all(state.waiting.get("orders", 0) == 0 and not state.restraint for state in states)
    assert "rate budget: weight" in caplog.text
    closed = [event.bar.open_time for event in events if isinstance(event, ClosedBar) and event.symbol == SYMBOLS[0]]
    assert closed == list(range(closed[0], closed[0] + len(closed) * MINUTE_MS, MINUTE_MS))
