"""Mark prices and funding rates of the demo exchange over real sockets into the store: what is stored is what its REST answers say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from atm.exchange.client.feed import FeedTimes
from atm.exchange.client.supervisor import StreamTimes
from atm.ipc.local import LocalBus
from atm.ipc.messages import BINANCE_API, DATA, ClosedBar, DataJobsUpdated, FillMarks
from atm.managers.binance_api import BinanceAPIManager
from atm.managers.data import DataManager
from atm.managers.data_jobs import DataJobs
from atm.model.bars import Source
from atm.model.data_job import DataJob, JobKind, JobStatus
from atm.model.endpoint import Addresses, Endpoint
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.program import ProgramContext
from atm.storage.market_store import MarketStore
from tests.exchange.client.test_client_demo import T0, Recording, control, demo

SYMBOL = "FILUSDT"
TIMES = FeedTimes(conflation=0.02, tick=0.05, streams=StreamTimes(first_wait=0.01, longest_wait=0.05))


class Never:
    def submit(self, _function: Callable[[], None], /) -> object:
        raise AssertionError("nothing is done with files here")


class Program:
    """The exchange manager and the data manager with its jobs on one bus, pumped beside the sockets. As on the demo market a sample
    lies beneath the store, which reaches into the market's future."""

    def __init__(self, home: Path, addresses: Addresses) -> None:
        self.sample = home / "sample"
        shipped = MarketStore(self.sample, read_only=False)
        shipped.put(SYMBOL, Recording().read(SYMBOL, T0 - HOUR_MS, T0 + 24 * HOUR_MS))
        shipped.close()
        context = ProgramContext(home, home, Endpoint.DEMO, addresses, 1, 1, (SYMBOL,))
        self.root, self.marks = context.market_root, True
        self.bus = LocalBus()
        self.bars: list[ClosedBar] = []
        self.jobs: dict[int, DataJob] = {}
        self.user = self.bus.assistant("trade")
        self.user.subscribe(ClosedBar, self.bars.append)
        self.user.subscribe(DataJobsUpdated, lambda event: self.jobs.update({job.number: job for job in event.jobs}))
        self.start_data()
        self.manager = BinanceAPIManager(self.bus.assistant(BINANCE_API), context, TIMES)
        self.reader = MarketStore(self.root)

    def start_data(self) -> None:
        self.writer = MarketStore(self.root, read_only=False, sample=self.sample)
        assistant = self.bus.assistant(DATA)
        self.data = DataManager(assistant, self.writer, Never(), stores_marks=lambda _: self.marks)
        self.data.start()
        DataJobs(assistant, self.data, Never()).start()

    def kill_data(self) -> None:
        self.bus.kill(DATA)
        self.writer.close()

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.bus.pump()
                await asyncio.sleep(0.002)

    def stored(self) -> int:
        return len(self.reader.read(SYMBOL, 0, 2**60))


@asynccontextmanager
async def running(home: Path, speed: float) -> AsyncIterator[tuple[Program, Addresses]]:
    async with demo(speed) as addresses:
        program = Program(home, addresses)
        serving = asyncio.create_task(program.manager.serve())
        try:
            yield program, addresses
        finally:
            program.manager._assistant.stop()
            await program.until(serving.done)
            program.writer.close()


async def by_rest(addresses: Addresses, start_ms: int, end_ms: int) -> tuple[NDArray[np.float64], dict[int, float]]:
    """Prices (4, n) of every minute and rates by stamp, read from the exchange's texts by nobody's code."""
    rows: list[list[float]] = []
    async with aiohttp.ClientSession() as session:
        for at_ms in range(start_ms, end_ms, 1_500 * MINUTE_MS):
            until_ms = min(end_ms, at_ms + 1_500 * MINUTE_MS) - 1
            query = f"symbol={SYMBOL}&interval=1m&startTime={at_ms}&endTime={until_ms}&limit=1500"
            async with session.get(f"{addresses.rest}/fapi/v1/markPriceKlines?{query}") as answer:
                rows += [[float(cell) for cell in row[1:5]] for row in await answer.json()]
        query = f"symbol={SYMBOL}&startTime={start_ms}&endTime={end_ms - 1}&limit=1000"
        async with session.get(f"{addresses.rest}/fapi/v1/fundingRate?{query}") as answer:
            rates = {row["fundingTime"]: float(row["fundingRate"]) for row in await answer.json()}
    return np.array(rows).T, rates


async def assert_as_rest(program: Program, addresses: Addresses) -> None:
    bars = program.reader.read(SYMBOL, 0, 2**60)
    start_ms, end_ms = int(bars.open_time[0]), int(bars.open_time[-1]) + MINUTE_MS
    assert len(bars) == (end_ms - start_ms) // MINUTE_MS
    prices, rates = await by_rest(addresses, start_ms, end_ms)
    marks = program.reader.marks(SYMBOL, start_ms, end_ms)
    np.testing.assert_array_equal(marks.dense(start_ms, end_ms), prices)
    assert dict(zip(marks.rate_time.tolist(), marks.rate.tolist(), strict=True)) == rates
    assert rates


@pytest.mark.parametrize("speed", [60.0, 600.0])
async def test_what_is_recorded_equals_the_answers_of_the_exchange_at_every_speed(tmp_path: Path, speed: float) -> None:
    async with running(tmp_path, speed) as (program, addresses):
        await program.until(lambda: len(program.bars) > 4_300)
        count = len(program.bars)
        await program.until(lambda: len(program.bars) > count + (6 if speed < 100 else 40))
        await program.until(lambda: program.stored() >= len(program.bars))
        await assert_as_rest(program, addresses)
        streamed = [event for event in program.bars if event.source == Source.STREAM]
        assert len(streamed) >= 5 and all(event.bar.mark is not None for event in streamed)
        published = {event.bar.open_time: event.bar.mark for event in program.bars}
        times = sorted(published)
        stored = program.reader.marks(SYMBOL, times[0], times[-1] + MINUTE_MS).dense(times[0], times[-1] + MINUTE_MS)
        for row, field in zip(stored, ("open", "high", "low", "close"), strict=True):
            np.testing.assert_array_equal(row, [getattr(published[time], field) for time in times])


async def test_connections_that_break_and_a_killed_data_manager_lose_no_mark_price(tmp_path: Path) -> None:
    async with running(tmp_path, 120.0) as (program, addresses):
        await program.until(lambda: len(program.bars) > 4_300)
        for _ in range(3):
            await control(addresses, drop_connections=True)
            count = len(program.bars)
            await program.until(lambda count=count: len(program.bars) > count + 2)  # type: ignore[misc]
        program.kill_data()
        count = len(program.bars)
        await program.until(lambda: len(program.bars) > count + 4)
        program.start_data()
        await program.until(lambda: len(program.bars) > count + 7)
        await program.until(lambda: program.stored() >= len(program.bars))
        await assert_as_rest(program, addresses)


async def test_marks_of_minutes_that_were_stored_without_are_filled_in(tmp_path: Path) -> None:
    async with running(tmp_path, 30.0) as (program, addresses):
        program.marks = False
        await program.until(lambda: program.stored() > 4_300)
        assert len(program.reader.marks(SYMBOL, 0, 2**60).open_time) == 0
        program.marks = True
        replies: list[object] = []
        program.user.request_async(DATA, FillMarks(SYMBOL), replies.append)
        await program.until(lambda: any(job.status is JobStatus.DONE for job in program.jobs.values()))
        (job,) = program.jobs.values()
        assert (job.kind, job.text, job.parameters["absent"]) == (JobKind.MARKS, "job.filled_marks", "0")
        assert job.done == job.total > 4_300
        await program.until(lambda: program.stored() >= len(program.bars))
        await assert_as_rest(program, addresses)
        assert program.reader.marks(SYMBOL, 0, 2**60).rate_time.tolist()[-1] % (8 * HOUR_MS) == T0 % (8 * HOUR_MS)
