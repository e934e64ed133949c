"""Recorded sessions replayed: message by message, with books, bars and trades that are those of the recording."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from atm.exchange.client.answers import depth_snapshot
from atm.exchange.client.feed import FeedTimes, MarketFeed
from atm.exchange.client.local_book import DepthEvent, LocalBook
from atm.exchange.client.recorder import RecorderLimits, SessionRecorder
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, serving
from atm.exchange.demo.session import recorded_session
from atm.exchange.demo.session_index import SessionIndex
from atm.exchange.session_file import answer_line, frame_line, packed, read_line, read_lines
from atm.ipc.messages import ClosedBar
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid
from atm.model.order import OrderTicket, OrderType, Side
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
EXCERPT = Path(__file__).parents[1] / "data" / "btcusdt_20240808_excerpt.jsonl.gz"
SYMBOL = "BTCUSDT"
DIFFS = msgspec.json.Decoder(DepthEvent, strict=False)


def recorded(kind: str) -> list[dict[str, Any]]:
    """Payloads of one stream of the excerpt."""
    found = []
    for _, raw in read_lines(EXCERPT):
        line = read_line(raw)
        assert line is not None
        if line.stream.startswith(f"btcusdt@{kind}"):
            found.append(json.loads(bytes(line.data)))
    return found


def replaying(path: Path, speed: float) -> DemoExchange:
    options = DemoExchangeOptions(speed=speed)
    return DemoExchange(options, *recorded_session(path, load_instruments(ASSETS), load_exchange_info(ASSETS)))


@pytest.fixture
async def exchange() -> AsyncIterator[tuple[DemoExchange, Addresses]]:
    made = replaying(EXCERPT, 20.0)
    async with serving(made, DemoExchangeOptions()) as addresses:
        yield made, addresses


def test_the_recorded_book_is_continuous_and_its_top_is_that_of_the_book_ticker() -> None:
    """bookTicker is told apart from depth: its newest prices and quantities up to a difference's last id are the book's best."""
    tops = recorded("bookTicker")
    ids = [top["u"] for top in tops]
    book, compared = LocalBook(), 0
    for _, raw in read_lines(EXCERPT):
        line = read_line(raw)
        assert line is not None
        if line.update_id:
            assert book.set_snapshot(depth_snapshot(json.loads(raw), 0))
        elif "@depth" in line.stream:
            book.take(DIFFS.decode(line.data))
            if book.is_synchronised:
                top = tops[bisect_right(ids, book.update_id) - 1]
                (bid,), (ask,) = book.top(1)
                assert (*bid, *ask) == tuple(float(top[field]) for field in "bBaA")
                compared += 1
    assert (compared, book.gaps) == (109, 0)


async def test_every_message_comes_as_it_was_recorded_and_in_its_order(
    exchange: tuple[DemoExchange, Addresses],
) -> None:
    _, addresses = exchange
    wanted = {"btcusdt@depth@0ms": recorded("depth"), "btcusdt@bookTicker": recorded("bookTicker")}
    seen: dict[str, list[Any]] = {name: [] for name in wanted}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{addresses.stream}/public/stream?streams={'/'.join(wanted)}") as socket,
        asyncio.timeout(20),
    ):
        while sum(map(len, seen.values())) < sum(map(len, wanted.values())):
            message = json.loads((await socket.receive()).data)
            seen[message["stream"]].append(message["data"])
    assert seen == wanted


async def test_a_client_follows_the_book_with_the_snapshot_of_rest(exchange: tuple[DemoExchange, Addresses]) -> None:
    _, addresses = exchange
    tops = recorded("bookTicker")
    ids, last = [top["u"] for top in tops], recorded("depth")[-1]["u"]
    book, snapshots = LocalBook(), 0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{addresses.stream}/public/ws/btcusdt@depth@100ms") as socket,
        asyncio.timeout(20),
    ):
        while book.update_id < last:
            book.take(DIFFS.decode((await socket.receive()).data))
            if not book.is_synchronised:
                query = f"symbol={SYMBOL}&limit=1000"
                async with session.get(f"{addresses.rest}/fapi/v1/depth?{query}") as answer:
                    told = await answer.json()
                snapshots += 1
                if len(told["bids"]) > 1:  # before the recorded snapshot only the best prices are known
                    book.set_snapshot(depth_snapshot(told, 1_000))
            else:
                top = tops[bisect_right(ids, book.update_id) - 1]
                (bid,), (ask,) = book.top(1)
                assert (*bid, *ask) == tuple(float(top[field]) for field in "bBaA")
    assert book.is_synchronised and book.gaps == 0 and snapshots < 20


async def test_before_the_first_message_the_book_is_the_first_that_was_told(
    exchange: tuple[DemoExchange, Addresses],
) -> None:
    _, addresses = exchange
    first = recorded("bookTicker")[0]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{addresses.rest}/fapi/v1/ticker/bookTicker?symbol={SYMBOL}") as answer,
    ):
        told = await answer.json()
    assert [float(told[name]) for name in ("bidPrice", "bidQty", "askPrice", "askQty")] == [
        float(first[name]) for name in "bBaA"
    ]


async def test_what_was_not_recorded_follows_from_what_was(exchange: tuple[DemoExchange, Addresses]) -> None:
    """The session has no aggregate trades and no bars: they are made of its trades. At the end the market stands still."""
    made, addresses = exchange
    trades = recorded("trade")
    streams = "btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@markPrice@1s"
    told: list[dict[str, Any]] = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{addresses.stream}/market/stream?streams={streams}") as socket,
        asyncio.timeout(20),
    ):
        kinds: set[str] = set()
        while len(told) < len(trades):
            event = json.loads((await socket.receive()).data)["data"]
            kinds.add(event["e"])
            told += [event] if event["e"] == "aggTrade" else []
        while not made.clock.paused:
            await socket.receive()
        async with session.get(f"{addresses.rest}/fapi/v1/klines?symbol={SYMBOL}&interval=1m") as answer:
            (bar,) = await answer.json()
        async with session.get(f"{addresses.rest}/fapi/v1/trades?symbol={SYMBOL}&limit=5") as answer:
            newest = await answer.json()
        async with session.get(
            f"{addresses.rest}/fapi/v1/aggTrades?symbol={SYMBOL}&fromId={trades[100]['t']}"
        ) as answer:
            later = await answer.json()
    assert kinds == {"aggTrade", "kline", "markPriceUpdate"}
    columns = [(each["f"], float(each["p"]), float(each["q"]), each["T"], each["m"]) for each in told]
    assert columns == [(each["t"], float(each["p"]), float(each["q"]), each["T"], each["m"]) for each in trades]
    prices = [float(each["p"]) for each in trades]
    assert [float(value) for value in bar[1:5]] == [prices[0], max(prices), min(prices), prices[-1]]
    assert float(bar[5]) == pytest.approx(sum(float(each["q"]) for each in trades), abs=1e-9)
    assert bar[8] == len(trades)
    assert [each["id"] for each in newest] == [each["t"] for each in trades[-5:]]
    assert [each["a"] for each in later] == [each["t"] for each in trades[100:]]
    assert made.state().market_ms == SessionIndex(EXCERPT).end_ms


async def test_orders_fill_on_the_recorded_book(exchange: tuple[DemoExchange, Addresses]) -> None:
    made, addresses = exchange
    async with (
        FuturesClient(addresses, Credentials("demo", "demo")) as client,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{addresses.stream}/public/ws/btcusdt@bookTicker") as socket,
        asyncio.timeout(20),
    ):
        while not made.clock.paused or made.state().market_ms < SessionIndex(EXCERPT).end_ms:
            await socket.receive()
        report = await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, "0.100", "a-1"))
        filled = await client.get_order(SYMBOL, "a-1")
    assert report.client_order_id == "a-1"
    assert float(filled.average_price) == float(recorded("bookTicker")[-1]["a"])


async def test_what_the_client_records_replays_the_same(tmp_path: Path) -> None:
    """A session of our own feed on the demo exchange goes to a file; its replay sends the same messages, and its bars are the same."""
    options = DemoExchangeOptions(speed=600.0, start_ms=1_694_131_200_000)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    symbol = "NEARUSDT"
    path, first = await recorded_by_the_feed(DemoExchange(*arguments), symbol, tmp_path / "first")
    told = [raw for _, raw in read_lines(path) if b'"stream"' in raw]
    assert len(told) > 50
    again = replaying(path, 600.0)
    assert set(again.markets) == {symbol}
    last = [raw for raw in told if b"@depth20@500ms" in raw][-1]
    copy, second = await recorded_by_the_feed(again, symbol, tmp_path / "second", last)
    repeated = [raw for _, raw in read_lines(copy) if b'"stream"' in raw and b"@depth20@500ms" in raw]
    before = [raw for raw in told if b"@depth20@500ms" in raw]
    assert repeated == before[before.index(repeated[0]) :] and len(repeated) > 1
    assert {ms: second[ms] for ms in second if ms in first} == {ms: first[ms] for ms in second if ms in first}
    assert len(second.keys() & first.keys()) >= 2


async def recorded_by_the_feed(
    exchange: DemoExchange, symbol: str, folder: Path, last: bytes = b""
) -> tuple[Path, dict[int, Any]]:
    """Run the feed until three bars have closed live, or until the message `last` has come, and record it; (file, bars by time)."""
    bars: dict[int, Any] = {}
    done = asyncio.Event()

    def emit(event: Any, key: str) -> None:
        if isinstance(event, ClosedBar):
            bars[event.bar.open_time] = event.bar.row()
            if not last and len([ms for ms in bars if ms >= running]) >= 3:
                done.set()

    def tap(frame: bytes) -> None:
        recorder.frame(frame)
        if frame == last:
            done.set()

    async with serving(exchange, DemoExchangeOptions()) as addresses, FuturesClient(addresses) as rest:
        recorder = SessionRecorder(folder, RecorderLimits(period=0.05))
        feed = MarketFeed(rest, addresses.stream, "demo", emit, FeedTimes(streams=StreamTimes(stagger=0.0)))
        feed.tap = tap
        rest.tell_answers(recorder.answer)
        running = (exchange.state().market_ms // 60_000) * 60_000
        async with asyncio.timeout(60):
            await rest.exchange_info()
            await feed.collect([symbol], {symbol: running - 120_000})
            await done.wait()
        await feed.close()
        return Path(recorder.close().path), bars


def test_a_session_names_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl.gz"
    path.write_bytes(packed(frame_line(5, b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","s":"BTCUSDT"}}')))
    with pytest.raises(Invalid, match="trades or bars"):
        SessionIndex(path)
    trade = b'{"stream":"xyzusdt@trade","data":{"e":"trade","E":9,"T":8,"t":1,"p":"1.250","q":"3","m":true}}'
    row = [0, "1", "2", "0.5", "1.5", "10", 59_999, "15", 3, "5", "7", "0"]
    path.write_bytes(
        packed(
            frame_line(5, b"{broken")
            + answer_line(6, "/fapi/v1/klines?symbol=XYZUSDT&interval=1m", json.dumps([row, row]).encode())
            + frame_line(7_000_000, trade)
        )
    )
    _, instruments, info = recorded_session(path, load_instruments(ASSETS), load_exchange_info(ASSETS))
    index = SessionIndex(path)
    assert (index.unreadable, index.symbols, index.offset_ms) == (1, ["XYZUSDT"], 2.0)
    assert index.bars["XYZUSDT"][0].close == 1.5
    assert (instruments[0].symbol, instruments[0].tick_size, instruments[0].step_size) == ("XYZUSDT", "0.001", "1")
    assert info["symbols"][0]["baseAsset"] == "XYZ" and instruments[0].brackets
