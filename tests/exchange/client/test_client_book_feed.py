"""Whole books on demand, over sockets: of the symbols that are asked for only, right or said not to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from atm.exchange.client.book_feed import BookFeed, BookTimes
from atm.exchange.client.local_book import LocalBook
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.supervisor import StreamTimes
from atm.exchange.demo.book import book_at, price_of
from atm.exchange.demo.market import Market
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.messages import WholeBook
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL, OTHER = "NEARUSDT", "AVAXUSDT"
T0 = 1_694_131_200_000
FAST = BookTimes(lease=60.0, conflation=0.01, patience=0.05, retry_first=0.02, streams=StreamTimes(stagger=0.0))


class Listener:
    def __init__(self) -> None:
        self.books: dict[str, WholeBook] = {}
        self.arrived = asyncio.Event()

    def take(self, event: Any, key: str) -> None:
        assert event.symbol == key
        self.books[key] = event
        self.arrived.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
async def addresses() -> AsyncIterator[Addresses]:
    options = DemoExchangeOptions(speed=60.0, start_ms=T0)
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments) as found:
        yield found


async def test_the_books_asked_for_and_no_others_are_the_exchanges(addresses: Addresses) -> None:
    instruments = {entry.symbol: entry for entry in load_instruments(ASSETS)}
    market, listener = Market(instruments[SYMBOL], MarketStore(ASSETS / "sample")), Listener()
    async with FuturesClient(addresses) as rest:
        feed = BookFeed(rest, addresses.stream, listener.take, FAST)
        assert feed.supervisor.streams == 0
        feed.follow("page", (SYMBOL,), 30)
        for _ in range(4):
            seen = listener.books.get(SYMBOL)
            await listener.until(
                lambda seen=seen: (
                    listener.books.get(SYMBOL) not in (None, seen) and listener.books[SYMBOL].is_synchronised
                )
            )
            book = listener.books[SYMBOL]
            there = book_at(market, book.update_id, 30)
            for told, levels in ((book.bids, there.bids), (book.asks, there.asks)):
                assert [(price, round(units)) for price, units in told] == [
                    (price_of(market, ticks), units) for ticks, units in levels
                ]
        assert set(listener.books) == {SYMBOL} and feed.snapshots == 1
        feed.follow("strategy", (OTHER, SYMBOL), 5)
        await listener.until(lambda: OTHER in listener.books and listener.books[OTHER].is_synchronised)
        assert len(listener.books[OTHER].bids) == 5 and len(listener.books[SYMBOL].bids) == 30
        feed.follow("page", (), 30)
        await listener.until(lambda: len(listener.books[SYMBOL].bids) == 5)
        feed.follow("strategy", (), 5)
        async with asyncio.timeout(5):
            while feed.supervisor.streams or feed.books:
                await asyncio.sleep(0)
        with pytest.raises(Invalid, match="levels"):
            feed.follow("page", (SYMBOL,), 1_001)
        with pytest.raises(Invalid, match="symbols"):
            feed.follow("page", tuple(f"S{number}" for number in range(51)), 10)
        await feed.close()


def difference(first: int, last: int, previous: int, *bids: tuple[str, str]) -> dict[str, Any]:
    return {"e": "depthUpdate", "E": last, "T": last, "s": SYMBOL, "U": first, "u": last, "pu": previous,
            "b": [list(level) for level in bids], "a": []}  # fmt: skip


async def test_a_gap_is_told_and_mended_by_one_snapshot_that_is_new_enough(exchange: Any, tools: Any) -> None:
    stream = f"{SYMBOL.lower()}@depth"
    snapshots = [
        {"lastUpdateId": 5, "E": 1, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]},  # before what waits
        {"lastUpdateId": 15, "E": 15, "bids": [["1.0", "7"]], "asks": [["2.0", "1"]]},
        {"lastUpdateId": 45, "E": 45, "bids": [["1.1", "4"]], "asks": [["2.0", "1"]]},
    ]
    exchange.answer("GET", "/fapi/v1/depth", *(tools.Answer(each) for each in snapshots))
    listener = Listener()
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, listener.take, FAST)
        feed.follow("page", (SYMBOL,), 10)
        await exchange.wait_for_sockets(1)
        await exchange.send(stream, difference(11, 20, 10, ("0.9", "3")))
        await listener.until(lambda: SYMBOL in listener.books and listener.books[SYMBOL].is_synchronised)
        book = listener.books[SYMBOL]
        assert (book.update_id, book.bids, book.gaps) == (20, ((1.0, 7.0), (0.9, 3.0)), 0)
        await exchange.send(stream, difference(41, 50, 40, ("1.0", "5")))  # (20, 40] is missing
        await listener.until(lambda: not listener.books[SYMBOL].is_synchronised)
        assert (listener.books[SYMBOL].update_id, listener.books[SYMBOL].gaps) == (20, 1)
        await listener.until(lambda: listener.books[SYMBOL].is_synchronised)
        assert listener.books[SYMBOL].bids == ((1.1, 4.0), (1.0, 5.0))
        assert len(exchange.asked_for("/fapi/v1/depth")) == 3
        assert {each.parameters["limit"] for each in exchange.asked_for("/fapi/v1/depth")} == {"1000"}
        assert rest.budget.used_weight(rest.gate.now_ms()) == 60
        exchange.cut()
        await listener.until(lambda: not listener.books[SYMBOL].is_synchronised)
        await exchange.wait_for_sockets(1)
        await exchange.send(stream, difference(51, 60, 50, ("1.1", "0")))  # nothing was missed: no snapshot
        await listener.until(lambda: listener.books[SYMBOL].is_synchronised)
        assert listener.books[SYMBOL].bids == ((1.0, 5.0),)
        assert len(exchange.asked_for("/fapi/v1/depth")) == 3
        await feed.close()


async def test_an_ask_that_is_not_renewed_ends(exchange: Any) -> None:
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, Listener().take, BookTimes(lease=0.05))
        feed.follow("page", (SYMBOL,), 10)
        await exchange.wait_for_sockets(1)
        await exchange.wait_for_sockets(0)
        assert feed.books == {}
        await feed.close()


def sides(update_id: int, best: int, count: int) -> dict[str, Any]:
    """A snapshot with so many levels of each side."""
    return {
        "lastUpdateId": update_id, "E": update_id,
        "bids": [[str(best - place), "1"] for place in range(count)],
        "asks": [[str(best + 1 + place), "1"] for place in range(count)],
    }  # fmt: skip


async def test_a_snapshot_that_was_under_way_when_the_connection_was_cut_counts_for_nothing(
    exchange: Any, tools: Any
) -> None:
    stream, listener = f"{SYMBOL.lower()}@depth", Listener()
    exchange.answer("GET", "/fapi/v1/depth", tools.Answer(sides(15, 5_000, 10), delay=0.5))
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, listener.take, FAST)
        feed.follow("page", (SYMBOL,), 10)
        await exchange.wait_for_sockets(1)
        await exchange.send(stream, difference(11, 20, 10, ("0.9", "3")))
        async with asyncio.timeout(5):
            while not exchange.asked_for("/fapi/v1/depth"):
                await asyncio.sleep(0.01)
        exchange.cut()
        await exchange.wait_for_sockets(1)
        await asyncio.sleep(0.7)
        assert not listener.books[SYMBOL].is_synchronised and feed.snapshots == 1
        await feed.close()


async def test_a_book_that_knows_too_few_levels_says_so_and_has_more_fetched(exchange: Any, tools: Any) -> None:
    stream, listener = f"{SYMBOL.lower()}@depth", Listener()
    answers = (tools.Answer(sides(15, 5_000, 1_000)), tools.Answer(sides(35, 5_000, 1_000), delay=0.3))
    exchange.answer("GET", "/fapi/v1/depth", *answers)
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, listener.take, FAST)
        feed.follow("page", (SYMBOL,), 1_000)
        await exchange.wait_for_sockets(1)
        await exchange.send(stream, difference(11, 20, 10, ("5000", "3")))
        await listener.until(lambda: SYMBOL in listener.books and listener.books[SYMBOL].is_synchronised)
        assert not listener.books[SYMBOL].is_short and len(listener.books[SYMBOL].bids) == 1_000
        await exchange.send(stream, difference(21, 30, 20, ("5000", "0")))
        await listener.until(lambda: listener.books[SYMBOL].is_short)
        assert listener.books[SYMBOL].is_synchronised, "what it knows is right"
        await listener.until(lambda: not listener.books[SYMBOL].is_short)
        assert (listener.books[SYMBOL].update_id, feed.snapshots) == (35, 2)
        await exchange.send(stream, difference(31, 40, 30, ("5000", "0")))
        await listener.until(lambda: listener.books[SYMBOL].is_short)
        assert feed.snapshots == 2, "not more often than the weight is worth"
        await feed.close()


async def test_who_begins_to_record_gets_a_snapshot_of_every_book_that_is_right(exchange: Any, tools: Any) -> None:
    stream, listener = f"{SYMBOL.lower()}@depth", Listener()
    exchange.answer("GET", "/fapi/v1/depth", *(tools.Answer(sides(at, 5_000, 10)) for at in (15, 25)))
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, listener.take, FAST)
        feed.follow("page", (SYMBOL,), 10)
        await exchange.wait_for_sockets(1)
        await exchange.send(stream, difference(11, 20, 10, ("5000", "3")))
        await listener.until(lambda: SYMBOL in listener.books and listener.books[SYMBOL].is_synchronised)
        feed.take_snapshots()
        await listener.until(lambda: listener.books[SYMBOL].update_id == 25)
        assert listener.books[SYMBOL].is_synchronised and feed.snapshots == 2
        await feed.close()


async def test_many_books_are_told_in_turns_that_let_others_run_between(exchange: Any) -> None:
    names, told = [f"S{number}USDT" for number in range(20)], []
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, lambda event, _: told.append((event.symbol, turns)), FAST)
        await asyncio.sleep(0.05)  # the keeper has looked
        feed.books = {name: LocalBook() for name in names}
        beside = asyncio.create_task(others())
        for name in names:
            feed._touch(name)
        async with asyncio.timeout(5):
            while len(told) < len(names):
                await asyncio.sleep(0.01)
        beside.cancel()
        assert {symbol for symbol, _ in told} == set(names)
        assert len({turn for _, turn in told}) == len(names)
        await feed.close()


async def test_a_defect_that_ends_the_following_is_told(exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[BaseException] = []
    async with FuturesClient(exchange.addresses) as rest:
        feed = BookFeed(rest, exchange.addresses.stream, Listener().take, FAST, fail=failed.append)

        async def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(feed.supervisor, "collect", broken)
        feed.follow("page", (SYMBOL,), 10)
        async with asyncio.timeout(5):
            while not failed:
                await asyncio.sleep(0.01)
        assert isinstance(failed[0], ZeroDivisionError)
        await feed.close()
