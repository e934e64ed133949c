"""The Binance API manager on a real loopback exchange and the local bus: what the rest of the program gets to see."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from atm.exchange.client.feed import FeedTimes
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.session_file import read_line, read_lines
from atm.ipc.assistant import IPCAssistant
from atm.ipc.envelope import Envelope, Kind, decode_envelope, decode_message, encode
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    BookTop,
    ClosedBar,
    CollectSymbols,
    ConnectionState,
    Done,
    Failed,
    FetchBars,
    FetchedBars,
    Instruments,
    LastStored,
    LastStoredReply,
    LastTrade,
    Liquidation,
    MarkPrice,
    NoticeRaised,
    OpenBar,
    Ping,
    RecordSession,
    Reply,
    Request,
    SessionRecording,
    Stop,
)
from atm.managers import instrument_keeper
from atm.managers.binance_api import BinanceAPIManager, run
from atm.model.bars import Source
from atm.model.endpoint import Endpoint
from atm.model.errors import Refused
from atm.model.notice import Severity
from atm.model.program import ProgramContext

MINUTE = 60_000
TIMES = FeedTimes(conflation=0.01, tick=0.05, streams=StreamTimes(first_wait=0.01, longest_wait=0.05))


def symbol_info(symbol: str) -> dict[str, Any]:
    return {"symbol": symbol, "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": symbol[:-4],
            "quoteAsset": "USDT", "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}]}  # fmt: skip


class Market:
    """A market of the loopback exchange: its clock can be moved on, its bars are a function of their time."""

    def __init__(self, exchange: Any, tools: Any) -> None:
        self.exchange = exchange
        self.tools = tools
        self._base = 1_698_000_000_000 - time.time() * 1000 + 20_000  # 20 s into a minute, another day
        self.first = 0
        exchange.answers[("GET", "/fapi/v1/time")] = lambda _: tools.Answer({"serverTime": int(self.now())})
        exchange.answers[("GET", "/fapi/v1/klines")] = self._klines
        exchange.answer(
            "GET", "/fapi/v1/exchangeInfo",
            tools.Answer({"symbols": [symbol_info("BTCUSDT"), symbol_info("ETHUSDT")], "rateLimits": []}),
        )  # fmt: skip
        brackets = [
            {"bracket": 1, "initialLeverage": 20, "notionalCap": 5000, "notionalFloor": 0, "maintMarginRatio": 0.01}
        ]
        exchange.answer("GET", "/fapi/v1/leverageBracket", tools.Answer([{"symbol": "BTCUSDT", "brackets": brackets}]))

    def now(self) -> float:
        return self._base + time.time() * 1000

    def running(self) -> int:
        return int(self.now() // MINUTE * MINUTE)

    def move(self, minutes: int) -> None:
        self._base += minutes * MINUTE

    def _klines(self, asked: Any) -> Any:
        p = asked.parameters
        start = max(int(p["startTime"]) // MINUTE * MINUTE, self.first)
        times = range(start, min(int(p["endTime"]), self.running()) + 1, MINUTE)
        return self.tools.Answer([self.tools.kline_row(t, close=t / 1e9) for t in times[: int(p["limit"])]])

    async def close_minute(self) -> int:
        """The running minute ends and the stream says so."""
        open_time = self.running()
        self.move(1)
        bar = self.tools.kline("BTCUSDT", open_time, closed=True, close=open_time / 1e9)
        await self.exchange.send("btcusdt@kline_1m", bar)
        return open_time

    async def run_minute(self) -> None:
        bar = self.tools.kline("BTCUSDT", self.running(), closed=False, close=5.0, event_time=int(self.now()))
        await self.exchange.send("btcusdt@kline_1m", bar)


class Program:
    """The manager between a data manager and a listener."""

    def __init__(self, context: ProgramContext) -> None:
        self.bus = LocalBus()
        self.stored: dict[str, int] = {}
        self.data = self.bus.assistant(DATA)
        self.data.answer(LastStored, lambda _: LastStoredReply(dict(self.stored)))
        self.listener = self.bus.assistant("listener")
        self.events: dict[type, list[Any]] = {}
        self.arrived = asyncio.Event()
        for kind in (
            ClosedBar,
            OpenBar,
            BookTop,
            MarkPrice,
            LastTrade,
            Liquidation,
            Instruments,
            ConnectionState,
            NoticeRaised,
        ):
            self.listener.subscribe(kind, self._take)
        self.assistant = self.bus.assistant(BINANCE_API)
        self.manager = BinanceAPIManager(self.assistant, context, TIMES)
        self.tasks: list[asyncio.Task[None]] = []

    def _take(self, event: Any) -> None:
        self.events.setdefault(type(event), []).append(event)
        self.arrived.set()

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self.manager.serve()), asyncio.create_task(self._pump())]

    async def _pump(self) -> None:
        while True:
            self.bus.pump()
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        self.assistant.stop()
        async with asyncio.timeout(5):
            await self.tasks[0]
        self.tasks[1].cancel()

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def ask(self, request: Request) -> Reply:
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.listener.request_async(BINANCE_API, request, answered.set_result)
        return await answered

    def closed(self, symbol: str = "BTCUSDT") -> list[int]:
        return [event.bar.open_time for event in self.events.get(ClosedBar, []) if event.symbol == symbol]

    def state(self) -> str:
        states = self.events.get(ConnectionState, [])
        return states[-1].state if states else ""


@pytest.fixture
async def market(exchange: Any, tools: Any) -> Market:
    return Market(exchange, tools)


@pytest.fixture
async def program(exchange: Any, market: Market, tmp_path: Path) -> AsyncIterator[Program]:
    context = ProgramContext(tmp_path, tmp_path, Endpoint.DEMO, exchange.addresses, 1, 1, ("BTCUSDT",))
    program = Program(context)
    program.stored["BTCUSDT"] = market.running() - 11 * MINUTE
    yield program
    await program.stop()


def minutes(first: int, last: int) -> list[int]:
    return list(range(first, last + 1, MINUTE))


async def test_the_fill_comes_in_front_of_the_live_bars_and_is_marked_as_rest(
    program: Program, market: Market, exchange: Any
) -> None:
    start = market.running() - 10 * MINUTE
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and program.state() == "connected")
    await exchange.wait_for_sockets(2)
    await market.run_minute()
    last = await market.close_minute()
    await program.until(lambda: len(program.closed()) == 11)
    assert program.closed() == minutes(start, last)
    events = program.events[ClosedBar]
    assert [event.source for event in events] == [Source.REST] * 10 + [Source.STREAM]
    assert not any(event.gap for event in events)
    assert all(event.bar.close == event.bar.open_time / 1e9 for event in events)


async def test_a_symbol_without_bars_gets_three_days(program: Program, market: Market) -> None:
    program.stored.clear()
    running = market.running()
    program.start()
    await program.until(lambda: len(program.closed()) == 3 * 1_440)
    assert program.closed() == minutes(running - 3 * 1_440 * MINUTE, running - MINUTE)


async def test_live_prices_instruments_and_state_arrive(
    program: Program, market: Market, exchange: Any, tools: Any
) -> None:
    program.start()
    await program.until(lambda: program.state() == "connected" and Instruments in program.events)
    await exchange.wait_for_sockets(2)
    await market.run_minute()
    trade = {"e": "aggTrade", "s": "BTCUSDT", "a": 1, "p": "60250.00", "q": "4.704", "T": 5, "m": True}
    mark = {"e": "markPriceUpdate", "E": 6, "s": "BTCUSDT", "p": "1", "i": "2", "r": "0.0001", "T": 7}
    book = {"e": "depthUpdate", "E": 8, "s": "BTCUSDT", "u": 1, "b": [["1", "2"]], "a": [["3", "4"]]}
    await exchange.send("btcusdt@aggTrade", trade)
    await exchange.send("btcusdt@markPrice@1s", mark)
    await exchange.send("btcusdt@depth20@500ms", book)
    order = {"s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.020", "p": "59900.00", "ap": "59910.00",
             "X": "FILLED", "l": "0.014", "z": "0.014", "T": 1568014460893}  # fmt: skip
    await exchange.send("!forceOrder@arr", {"e": "forceOrder", "E": 9, "o": order})
    await program.until(lambda: all(kind in program.events for kind in (OpenBar, LastTrade, MarkPrice, BookTop)))
    await program.until(lambda: Liquidation in program.events)
    assert program.events[Liquidation] == [Liquidation("BTCUSDT", 1568014460893, "SELL", 59910.0, 0.014)]
    assert program.events[LastTrade][-1].price == 60250.0
    assert program.events[BookTop][-1].asks == ((3.0, 4.0),)
    instruments = {i.symbol: i for i in program.events[Instruments][-1].instruments}
    assert instruments["BTCUSDT"].tick_size == "0.10" and instruments["BTCUSDT"].brackets[0].max_leverage == 20
    await program.until(lambda: program.events[ConnectionState][-1].streams == 6)
    state = program.events[ConnectionState][-1]
    assert state.endpoint == "demo" and state.weight_limit == 2400 and state.used_weight > 0
    assert abs(state.market_offset_ms - (market.now() - time.time() * 1000)) < 2_000


async def test_cut_sockets_lose_no_minute(program: Program, market: Market, exchange: Any) -> None:
    start = market.running() - 10 * MINUTE
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and program.state() == "connected")
    for _ in range(3):
        await exchange.wait_for_sockets(2)
        exchange.cut()
        for _ in range(4):
            await market.close_minute()
        await exchange.wait_for_sockets(2)
        last = await market.close_minute()
        await program.until(lambda last=last: bool(program.closed()) and program.closed()[-1] == last)
    assert program.closed() == minutes(start, last)
    assert not any(event.gap for event in program.events[ClosedBar])


async def test_a_lost_closing_message_is_repaired_after_two_seconds(
    program: Program, market: Market, exchange: Any
) -> None:
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and program.state() == "connected")
    await exchange.wait_for_sockets(2)
    await market.run_minute()
    lost = market.running()
    market.move(1)
    began = time.monotonic()
    await market.run_minute()
    await program.until(lambda: program.closed()[-1] == lost)
    assert 1.9 < time.monotonic() - began < 4
    assert program.events[ClosedBar][-1].source == Source.REST


async def test_the_exchange_gone_and_back_is_told_and_repaired(program: Program, market: Market, exchange: Any) -> None:
    start = market.running() - 10 * MINUTE
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and program.state() == "connected")
    await exchange.vanish()
    await program.until(lambda: program.state() == "disconnected")
    assert program.events[ConnectionState][-1].reason
    reply = await program.ask(FetchBars("BTCUSDT", start, start + MINUTE))
    assert isinstance(reply, Failed) and reply.kind == "Unavailable"
    market.move(30)
    await exchange.appear()
    await exchange.wait_for_sockets(2)
    last = await market.close_minute()
    await program.until(lambda: program.closed()[-1] == last)
    await program.until(lambda: program.state() == "connected")
    assert program.closed() == minutes(start, last)


async def test_the_exchange_not_there_at_the_start(program: Program, market: Market, exchange: Any) -> None:
    await exchange.vanish()
    program.start()
    await program.until(lambda: program.state() == "disconnected")
    assert program.closed() == []
    await exchange.appear()
    await program.until(lambda: len(program.closed()) == 10 and program.state() == "connected")


async def test_symbols_are_added_and_dropped_and_wrong_ones_refused(
    program: Program, market: Market, exchange: Any
) -> None:
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and Instruments in program.events)
    refused = await program.ask(CollectSymbols(("BTCUSDT", "XYZUSDT")))
    assert isinstance(refused, Failed) and (refused.kind, refused.field) == ("Invalid", "symbols")
    assert "XYZUSDT" in refused.message
    market.first = market.running() - 5 * MINUTE  # ETHUSDT is five minutes old
    assert isinstance(await program.ask(CollectSymbols(("BTCUSDT", "ETHUSDT"))), Done)
    await program.until(lambda: len(program.closed("ETHUSDT")) == 5)
    assert not any(event.gap for event in program.events[ClosedBar])
    await program.ask(CollectSymbols(("ETHUSDT",)))
    async with asyncio.timeout(5):
        while any("btcusdt@aggTrade" in streams for _, _, streams in exchange.sockets):
            await asyncio.sleep(0.01)
    count = len(program.closed())
    bar = market.tools.kline("ETHUSDT", market.running(), closed=True)
    market.move(1)
    await exchange.send("ethusdt@kline_1m", bar)
    await program.until(lambda: len(program.closed("ETHUSDT")) == 6)
    assert len(program.closed()) == count


async def test_what_accounts_trade_is_streamed_whatever_else_is_collected(program: Program, exchange: Any) -> None:
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and Instruments in program.events)
    await program.ask(CollectSymbols(("ETHUSDT",), "accounts"))
    await program.ask(CollectSymbols(()))

    def streamed() -> set[str]:
        return {name for _, _, streams in exchange.sockets for name in streams if name.endswith("@aggTrade")}

    async with asyncio.timeout(10):
        while streamed() != {"ethusdt@aggTrade"}:
            await asyncio.sleep(0.01)


async def test_books_are_streamed_as_long_as_anybody_wants_the_order_flow(program: Program, exchange: Any) -> None:
    program.start()
    await program.until(lambda: len(program.closed()) == 10 and Instruments in program.events)

    async def books(wanted: set[str]) -> None:
        async with asyncio.timeout(10):
            while {name for _, _, streams in exchange.sockets for name in streams if "@depth" in name} != wanted:
                await asyncio.sleep(0.01)

    await books({"btcusdt@depth20@500ms"})
    await program.ask(CollectSymbols(("BTCUSDT",), without_flow=("BTCUSDT",)))
    await books(set())
    await program.ask(CollectSymbols(("BTCUSDT",), "accounts"))
    await books({"btcusdt@depth20@500ms"})
    await program.ask(CollectSymbols((), "accounts"))
    await books(set())


async def test_a_configured_symbol_that_the_exchange_does_not_list_is_told_and_left_out(
    exchange: Any, market: Market, tmp_path: Path
) -> None:
    context = ProgramContext(tmp_path, tmp_path, Endpoint.DEMO, exchange.addresses, 1, 1, ("GONEUSDT", "BTCUSDT"))
    program = Program(context)
    program.stored["BTCUSDT"] = market.running() - 3 * MINUTE
    program.start()
    await program.until(lambda: len(program.closed()) == 2 and NoticeRaised in program.events)
    assert program.events[NoticeRaised][0].notice.parameters == {"symbol": "GONEUSDT"}
    await program.stop()


async def test_bars_are_fetched_on_request(program: Program, market: Market) -> None:
    program.start()
    start = market.running() - 1_600 * MINUTE
    reply = await program.ask(FetchBars("BTCUSDT", start, start + 1_500 * MINUTE))
    assert isinstance(reply, FetchedBars)
    assert [bar.open_time for bar in reply.bars] == minutes(start, start + 1_499 * MINUTE)
    refused = await program.ask(FetchBars("BTCUSDT", start, start + 1_501 * MINUTE))
    assert isinstance(refused, Failed) and refused.field == "end_ms"


async def test_the_process_answers_from_its_loop_and_ends_when_it_is_stopped(exchange: Any, tmp_path: Path) -> None:
    """`run` as a child process calls it: messages come from a receiver thread and wake the loop."""

    class Outbox:
        def __init__(self) -> None:
            self.sent: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        def send(self, data: bytes) -> None:
            self.sent.put(data)

        def pump(self) -> None:
            pass

    outbox = Outbox()
    assistant = IPCAssistant(BINANCE_API, outbox)
    context = ProgramContext(tmp_path, tmp_path, Endpoint.DEMO, exchange.addresses, 1, 1, ())
    ended = asyncio.create_task(asyncio.to_thread(run, assistant, context))

    async def answer_to(request: Request, number: int) -> Reply:
        payload = encode(request)
        assistant.deliver(
            encode(Envelope(Kind.REQUEST, "x", BINANCE_API, type(request).__name__, "", number, payload=payload))
        )
        while True:
            envelope = decode_envelope(await asyncio.to_thread(outbox.sent.get, True, 5.0))
            if envelope.kind == Kind.REPLY and envelope.number == number:
                reply = decode_message(envelope.payload)
                assert isinstance(reply, Reply)
                return reply

    assert isinstance(await answer_to(Ping(), 1), Done)
    refused = await answer_to(CollectSymbols(("",)), 2)
    assert isinstance(refused, Failed) and refused.field == "symbols"
    assert isinstance(await answer_to(Stop(), 3), Done)
    async with asyncio.timeout(5):
        await ended


async def test_the_fill_waits_for_data(program: Program, market: Market) -> None:
    program.bus.kill(DATA)
    program.start()
    await program.until(lambda: program.state() == "connected")
    assert program.closed() == []
    data = program.bus.assistant(DATA)
    data.answer(LastStored, lambda _: LastStoredReply(dict(program.stored)))
    await program.until(lambda: len(program.closed()) == 10, seconds=12)


async def test_a_session_is_recorded_as_it_comes(
    program: Program, market: Market, exchange: Any, tmp_path: Path
) -> None:
    program.start()
    await program.until(lambda: program.state() == "connected")
    await exchange.wait_for_sockets(2)
    started = await program.ask(RecordSession("start"))
    assert isinstance(started, SessionRecording) and started.is_running
    assert Path(started.path).parent == tmp_path / "recordings"
    last = await market.close_minute()
    await program.until(lambda: last in program.closed())
    await program.ask(FetchBars("BTCUSDT", last - 5 * MINUTE, last))
    assert not isinstance(await program.ask(RecordSession("pause")), SessionRecording)
    stopped = await program.ask(RecordSession("stop"))
    assert isinstance(stopped, SessionRecording) and not stopped.is_running and stopped.lost == 0
    lines = [read_line(raw) for _, raw in read_lines(Path(stopped.path))]
    streams = [line.stream for line in lines if line is not None and line.stream]
    assert "btcusdt@kline_1m" in streams
    assert any(line is not None and line.request.startswith("/fapi/v1/klines?") for line in lines)
    assert stopped.messages == len(lines)
    assert await program.ask(RecordSession("state")) == SessionRecording(False)


def info(*symbols: dict[str, Any]) -> dict[str, Any]:
    return {"symbols": list(symbols), "rateLimits": []}


def notices(program: Program) -> list[tuple[str, dict[str, str]]]:
    told = [event.notice for event in program.events.get(NoticeRaised, [])]
    return [(notice.text, notice.parameters) for notice in told if notice.text.startswith("notice.instrument")]


async def test_a_hint_of_the_stream_has_the_instruments_read_again_and_every_change_told(
    program: Program, exchange: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instrument_keeper, "HINT_WAIT_S", 0.01)
    monkeypatch.setattr(instrument_keeper, "HINT_REST_S", 0.02)
    program.start()
    await program.until(lambda: program.state() == "connected" and Instruments in program.events)
    await exchange.wait_for_sockets(2)
    assert notices(program) == []
    finer = {**symbol_info("BTCUSDT"), "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.01"}]}
    quiet = {**symbol_info("ETHUSDT"), "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.01"}]}
    exchange.answer("GET", "/fapi/v1/exchangeInfo", tools.Answer(info(finer, quiet, symbol_info("NEWUSDT"))))
    await exchange.send("!contractInfo", {"e": "contractInfo", "E": 1, "s": "NEWUSDT", "cs": "TRADING"})
    await program.until(lambda: len(notices(program)) == 2)
    assert notices(program) == [
        ("notice.instrument_filter", {"symbol": "BTCUSDT", "field": "tick_size", "old": "0.10", "new": "0.01"}),
        ("notice.instrument_listed", {"symbol": "NEWUSDT", "new": "TRADING"}),
    ]  # ETHUSDT is not collected: its change stands in the log
    known = {instrument.symbol: instrument for instrument in program.events[Instruments][-1].instruments}
    assert known["BTCUSDT"].tick_size == known["ETHUSDT"].tick_size == "0.01"
    exchange.answer("GET", "/fapi/v1/exchangeInfo", tools.Answer(info()), tools.Answer(info(symbol_info("ETHUSDT"))))
    await exchange.send("!contractInfo", {"e": "contractInfo", "E": 2, "s": "BTCUSDT", "cs": "SETTLING"})
    await program.until(lambda: len(notices(program)) == 4)  # an answer without any contract is no news
    assert {text for text, _ in notices(program)[2:]} == {"notice.instrument_delisted"}
    severities = {event.notice.subject: event.notice.severity for event in program.events[NoticeRaised][2:]}
    assert severities == {"BTCUSDT": Severity.WARNING, "NEWUSDT": Severity.INFO}


async def test_an_order_refused_for_a_filter_is_a_hint(exchange: Any, tools: Any) -> None:
    hints: list[int] = []
    exchange.answer(
        "GET", "/fapi/v1/klines",
        tools.Answer({"code": -1121, "msg": "Invalid symbol."}, 400), tools.Answer({"code": -1128, "msg": "x"}, 400),
    )  # fmt: skip
    async with FuturesClient(exchange.addresses) as client:
        client.on_filter_doubt(lambda: hints.append(1))
        for _ in range(2):
            with pytest.raises(Refused):
                await client.first_bar("GONEUSDT")
    assert hints == [1]
