"""From the demo exchange's books over real sockets into the store and through an analysis: nothing between is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from atm.analyzers import AnalysisPipeline
from atm.analyzers.service import AnalyzerService
from atm.exchange.client.feed import FeedTimes
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.demo.book import book_at, level_texts
from atm.exchange.demo.market import Market
from atm.exchange.demo.server import next_moment
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    AnalysisReady,
    AnalysisRow,
    ClosedBar,
    FetchBars,
    FetchedBars,
    StartAnalysis,
)
from atm.managers.binance_api import BinanceAPIManager
from atm.managers.data import DataManager
from atm.model.analysis_configuration import AnalysisConfiguration, OrderFlowLine
from atm.model.endpoint import Endpoint
from atm.model.flow import LEAST_KNOWN, Flow
from atm.model.interval import MINUTE_MS, Interval
from atm.model.program import ProgramContext
from atm.storage.market_store import MarketStore
from tests.exchange.client.test_client_demo import T0, Recording, demo, instruments

SYMBOL = "FILUSDT"
SPEED = 120.0
WOI = AnalysisConfiguration.of_one("woi", interval=Interval.M1, woi=(OrderFlowLine(2, 1.0, 4),))
TIMES = FeedTimes(conflation=0.02, tick=0.05, streams=StreamTimes(first_wait=0.01, longest_wait=0.05))


class Never:
    def submit(self, _function: Callable[[], None], /) -> object:
        raise AssertionError("nothing is imported here")


class Program:
    """The exchange manager, the data manager and an analyzer on one bus, pumped beside the sockets."""

    def __init__(self, context: ProgramContext) -> None:
        self.bus = LocalBus()
        self.root = context.market_root
        self.writer = MarketStore(self.root, read_only=False)
        self.reader = MarketStore(self.root)
        DataManager(self.bus.assistant(DATA), self.writer, Never()).start()
        self.manager = BinanceAPIManager(self.bus.assistant(BINANCE_API), context, TIMES)
        self.user = self.bus.assistant("trade")
        self.bars: list[ClosedBar] = []
        self.rows: list[AnalysisRow] = []
        self.columns: tuple[str, ...] = ()
        self.user.subscribe(ClosedBar, self.bars.append)
        self.user.subscribe(AnalysisRow, self.rows.append)
        self.user.subscribe(AnalysisReady, lambda ready: setattr(self, "columns", ready.columns))

    def kill_data(self) -> None:
        self.bus.kill(DATA)
        self.writer.close()
        self.writer = MarketStore(self.root, read_only=False)

    def start_data(self) -> None:
        DataManager(self.bus.assistant(DATA), self.writer, Never()).start()

    def start_analyzer(self) -> None:
        AnalyzerService(self.bus.assistant("analyzer-0"), self.reader)
        self.user.request_async("analyzer-0", StartAnalysis("a", SYMBOL, WOI, T0, T0), lambda _: None)

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.bus.pump()
                await asyncio.sleep(0.002)


def book_by_hand(market: Market, ms: int) -> NDArray[np.float64]:
    """Imbalance, spread, bid and ask depth, reach: from the texts that the exchange sends."""
    book = book_at(market, ms, 20)
    bids, asks = (np.array(level_texts(market, side), float).T for side in (book.bids, book.asks))
    mid = (bids[0, 0] + asks[0, 0]) / 2
    away = [np.abs(side[0] - mid) / mid for side in (bids, asks)]
    bid, ask = (float(np.sum(side[1] * 0.5 ** (far / 0.025))) for side, far in zip((bids, asks), away, strict=True))
    depths = [float(np.prod(side[:, far <= 0.001], axis=0).sum()) for side, far in zip((bids, asks), away, strict=True)]
    reach = min(1.0, *(far[-1] / 0.001 for far in away))
    return np.array([(bid - ask) / (bid + ask), (asks[0, 0] - bids[0, 0]) / mid, *depths, reach])


def minute_by_hand(market: Market, opened: int) -> NDArray[np.float64]:
    """Means over a minute in which every book of the demo exchange's timetable came."""
    moments = [opened]
    while moments[-1] < opened + MINUTE_MS:
        moments.append(next_moment(moments[-1], SPEED))
    whole = sum(book_by_hand(market, ms) * (until - ms) for ms, until in pairwise(moments))
    return np.asarray(whole) / (moments[-1] - opened)


async def test_books_of_the_demo_exchange_reach_woi_and_nothing_is_lost_by_restarts(tmp_path: Path) -> None:
    async with demo(SPEED) as addresses:
        program = Program(ProgramContext(tmp_path, tmp_path, Endpoint.DEMO, addresses, 1, 1, (SYMBOL,)))
        serving = asyncio.create_task(program.manager.serve())
        try:
            await program.until(lambda: whole_minutes(program) > 0)
            program.start_analyzer()
            await program.until(lambda: whole_minutes(program) > 3)
            program.kill_data()
            count = len(program.bars)
            await program.until(lambda: len(program.bars) > count + 1)
            program.start_data()
            await program.until(lambda: len(program.bars) > count + 3)
            await settled(program)
            recent = await fetched(program, program.bars[-1].bar.open_time)
        finally:
            program.manager._assistant.stop()
            await program.until(serving.done)
    live = {event.bar.open_time: event.bar for event in program.bars}
    assert recent.flow == live[recent.open_time].flow
    check(program, {time: bar for time, bar in live.items() if time >= T0})
    program.writer.close()


def whole_minutes(program: Program) -> int:
    return sum(event.bar.flow is not None and event.bar.flow.known == 1.0 for event in program.bars)


async def settled(program: Program) -> None:
    """Until every published minute is stored and analysed."""
    last = program.bars[-1].bar.open_time
    await program.until(
        lambda: (
            bool(program.rows)
            and program.rows[-1].open_time >= last
            and len(program.reader.read(SYMBOL, T0, last + MINUTE_MS)) == (last - T0) // MINUTE_MS + 1
        )
    )


async def fetched(program: Program, opened: int) -> Any:
    """A minute by REST, as whoever lost it gets it."""
    replies: list[Any] = []
    program.user.request_async(BINANCE_API, FetchBars(SYMBOL, opened, opened + MINUTE_MS), replies.append)
    await program.until(lambda: bool(replies))
    assert isinstance(replies[0], FetchedBars)
    return replies[0].bars[0]


def measures(flow: Flow) -> list[float]:
    return [flow.imbalance, flow.spread, flow.bid_depth, flow.ask_depth, flow.reach]


def check_book(program: Program, live: dict[int, Any]) -> None:
    """What a backtest reads of the books is what was published."""
    book = program.reader.book(SYMBOL, T0, max(live) + MINUTE_MS)
    for index, found in enumerate(zip(book.spread, book.bid_depth, book.ask_depth, strict=True)):
        flow = live[T0 + index * MINUTE_MS].flow
        if flow is None or flow.known < LEAST_KNOWN:
            assert np.isnan(found).all()
        else:
            assert found == (flow.spread, flow.bid_depth, flow.ask_depth)


def check(program: Program, live: dict[int, Any]) -> None:
    """Published, stored and analysed values agree with each other, and with the books."""
    (listed,), _ = instruments()
    market = Market(listed, Recording())
    last = program.rows[-1].open_time
    stored = program.reader.read(SYMBOL, T0, last + MINUTE_MS, with_flow=True)
    assert stored.flow is not None
    published = [live[int(time)].flow for time in stored.open_time]
    assert [stored.bar(index).flow for index in range(len(stored))] == [
        None if flow is None else Flow(flow.imbalance, flow.known) for flow in published
    ]
    check_book(program, live)
    whole = [time for time, bar in live.items() if bar.flow is not None and bar.flow.known == 1.0]
    assert len(whole) > 6
    by_hand = {opened: minute_by_hand(market, opened) for opened in whole}
    apart = [opened for opened in whole if measures(live[opened].flow) != pytest.approx(by_hand[opened], rel=1e-7)]
    assert len(apart) <= 1  # a book that this machine was too slow to read before its minute was closed

    table = AnalysisPipeline(WOI).run(stored)
    rows = {row.open_time: row.values for row in program.rows}
    for index, opened in enumerate(table.open_time.tolist()):
        assert_array_equal(rows[opened], table.values[:, index])
    assert program.columns == table.columns
    samples = table.column("WOI.1.sample")
    recorded = samples[~np.isnan(samples)]
    assert recorded[-len(whole) :].tolist() == [live[opened].flow.imbalance for opened in whole]
    average = [(recorded[0] + recorded[1]) / 2]
    for sample in recorded[2:]:
        average.append(average[-1] + 2 / 3 * (sample - average[-1]))
    found = table.column("WOI.1.average")
    assert found[~np.isnan(found)] == pytest.approx(average, rel=1e-9)
    assert not np.isnan(table.column("WOI.1.filtered")[-len(whole) + 3 :]).any()
