"""Two days of market at speed: every minute exactly once, whatever happens to the connections, and nothing that grows.

The demo exchange runs in a process of its own at `speed` times real time; here the program's client collects three symbols over
real sockets. The first day is quiet until each connection is renewed after 23 hours at most, before the exchange would cut it; on
the second all connections are cut every two hours. In the end every bar is compared with what the exchange says by REST.

`--hours 24 --speed 600` takes five minutes; with fewer hours a day all times are shortened with it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import psutil

from atm.app.bench import BenchRow
from atm.exchange.client.feed import FeedTimes, MarketFeed
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.client.transport import Credentials
from atm.ipc.messages import ClosedBar, Event
from atm.model.bars import Bar, Source
from atm.model.endpoint import Addresses
from atm.model.interval import HOUR_MS, MINUTE_MS

ROOT = Path(__file__).parents[1]
SETTINGS = {"hours": 4.0, "speed": 600.0}
SYMBOLS = ("AVAXUSDT", "FILUSDT", "NEARUSDT")
CUTS = 12
WARM_UP_SHARE = 0.1
MOST_GROWTH_MB = 10.0


class Day(msgspec.Struct):
    """What was seen. bars: closed bars by symbol in the order in which they came."""

    bars: dict[str, list[Bar]] = msgspec.field(default_factory=lambda: {symbol: [] for symbol in SYMBOLS})
    sources: dict[int, int] = {}
    wrong: int = 0
    gaps: int = 0
    cuts: int = 0
    reconnects: int = 0
    renewals: int = 0
    planned: int = 0
    memory_mb: tuple[float, float] = (0.0, 0.0)
    tasks: tuple[int, int] = (0, 0)
    seconds: float = 0.0

    def take(self, event: Event, key: str) -> None:
        if isinstance(event, ClosedBar):
            self.bars[event.symbol].append(event.bar)
            self.sources[event.source] = self.sources.get(event.source, 0) + 1
            self.gaps += event.gap


@contextmanager
def _exchange(speed: float) -> Iterator[Addresses]:
    command = [sys.executable, str(ROOT / "main.py"), "demo-exchange", "--port", "0", "--speed", f"{speed:g}"]
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen([*command, "--home", home], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,
    ):
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().split() for _ in range(2)]
            yield Addresses(lines[0][1], lines[1][1])
        finally:
            process.terminate()


def _state() -> tuple[float, int]:
    return psutil.Process().memory_full_info().pss / 1e6, len(asyncio.all_tasks())


async def _live(addresses: Addresses, hours: float, speed: float) -> Day:
    """The day itself."""
    day = Day()
    renewal_s = hours * 23 / 24 * 3_600 / speed
    streams = StreamTimes(renewal=renewal_s, renewal_jitter=renewal_s / 46)
    client = FuturesClient(addresses, Credentials("demo", "demo"))
    feed = MarketFeed(client, addresses.stream, "demo", day.take, FeedTimes(streams=streams))
    async with client, aiohttp.ClientSession() as session:
        try:
            await feed.reached()
            start_ms = int(feed.market_ms()) // MINUTE_MS * MINUTE_MS
            await feed.collect(SYMBOLS, dict.fromkeys(SYMBOLS, start_ms - MINUTE_MS))
            await _pass(day, feed, session, addresses, start_ms, int(hours * HOUR_MS))
            day.planned = len(feed.supervisor.planned)
            day.reconnects, day.renewals = feed.supervisor.reconnects, feed.supervisor.renewals
        finally:
            await feed.close()
        for symbol in SYMBOLS:
            day.wrong += await _wrong(client, symbol, day.bars[symbol], start_ms, start_ms + 2 * int(hours * HOUR_MS))
    return day


async def _pass(
    day: Day, feed: MarketFeed, session: aiohttp.ClientSession, addresses: Addresses, start_ms: int, length_ms: int
) -> None:
    """Let two days pass; cut the connections now and then on the second."""
    begun = time.monotonic()
    early: tuple[float, int] | None = None
    next_cut_ms = start_ms + length_ms
    end_ms = start_ms + 2 * length_ms
    while any(not bars or bars[-1].open_time < end_ms - MINUTE_MS for bars in day.bars.values()):
        await asyncio.sleep(0.2)
        now_ms = feed.market_ms()
        if early is None and now_ms > start_ms + WARM_UP_SHARE * length_ms:
            early = _state()
        if next_cut_ms < now_ms < end_ms:
            next_cut_ms += length_ms // CUTS
            day.cuts += 1
            async with session.post(f"{addresses.rest}/demo/control", json={"drop_connections": True}):
                pass
        if now_ms > end_ms + length_ms:
            break  # what has not come by now will not
    late = _state()
    early = early or late
    day.memory_mb, day.tasks = (early[0], late[0]), (early[1], late[1])
    day.seconds = time.monotonic() - begun


async def _wrong(client: FuturesClient, symbol: str, bars: list[Bar], start_ms: int, end_ms: int) -> int:
    """Minutes that did not come exactly once, in order, as the exchange has them."""
    expected = [bar.row() for bar in await client.klines(symbol, start_ms, end_ms)]
    came = [bar for bar in bars if bar.open_time < end_ms]
    times = list(range(start_ms, end_ms, MINUTE_MS))
    if [bar.open_time for bar in came] != times or len(expected) != len(times):
        return len(set(times) ^ {bar.open_time for bar in came}) + abs(len(came) - len(times)) or len(times)
    return sum(bar.row() != row for bar, row in zip(came, expected, strict=True))


def rows(settings: dict[str, float]) -> list[BenchRow]:
    """The table of the day."""
    hours, speed = settings["hours"], settings["speed"]
    with _exchange(speed) as addresses:
        day = asyncio.run(_live(addresses, hours, speed))
    minutes = 2 * int(hours * 60) * len(SYMBOLS)
    title = f"two days of {hours:g} h at {speed:g}×: "
    grown = day.memory_mb[1] - day.memory_mb[0]
    lost_sockets = day.cuts * day.planned
    by_stream = day.sources.get(int(Source.STREAM), 0)

    def row(
        name: str, value: float, unit: str, reference: str, other: float, budget: float | None, ok: bool
    ) -> BenchRow:
        return BenchRow(
            title + name, value, unit, reference, other, value / other if other else float("nan"), budget, ok
        )

    return [
        row("minutes not exactly once and right", day.wrong + day.gaps, "", "minutes", minutes, 0.0, day.wrong + day.gaps == 0),
        row("of them by stream, the others by REST", by_stream, "", "minutes", minutes, None, True),
        row("renewals, overlapping", day.renewals, "", "connections", day.planned, None, day.renewals >= day.planned),
        row("sockets lost", day.reconnects, "", "cut by us", lost_sockets, lost_sockets, day.reconnects <= lost_sockets),
        row("memory grown", grown, "MB", "at the start", day.memory_mb[0], MOST_GROWTH_MB, grown <= MOST_GROWTH_MB),
        row("tasks at the end", day.tasks[1], "", "at the start", day.tasks[0], None, day.tasks[1] <= day.tasks[0] + 3),
        row("real time", day.seconds, "s", "at this speed", 2 * hours * 3_600 / speed, None, True),
    ]  # fmt: skip
