"""Strangers' clients hear the market of the demo exchange: sockets of libraries that know nothing of this program."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from binance.async_client import AsyncClient
from binance.ws.depthcache import FuturesDepthCacheManager
from binance.ws.streams import BinanceSocketManager

from atm.exchange.client.answers import depth_snapshot
from atm.exchange.client.local_book import DepthEvent, LocalBook
from atm.exchange.demo.book import book_at, level_texts
from atm.exchange.demo.market import Market
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.endpoint import Addresses
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments
from tests.exchange.demo.forms import EVENTS, deviations

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
LOW = SYMBOL.lower()


@pytest.fixture
async def addresses() -> AsyncIterator[Addresses]:
    options = DemoExchangeOptions(speed=60.0, start_ms=int(time.time() * 1000))
    arguments = (options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with running_demo_exchange(*arguments) as found:
        yield found


@pytest.fixture
async def client(addresses: Addresses) -> AsyncIterator[AsyncClient]:
    own = type("Own", (AsyncClient,), {"FUTURES_URL": f"{addresses.rest}/fapi", "API_URL": f"{addresses.rest}/api"})
    made = await own.create("demo", "demo")
    yield made
    await made.close_connection()


@pytest.fixture
def manager(client: AsyncClient, addresses: Addresses) -> BinanceSocketManager:
    made = BinanceSocketManager(client)
    made.FSTREAM_URL = f"{addresses.stream}/"
    return made


SOCKETS: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("kline_futures_socket", "continuous_kline", lambda m: m.kline_futures_socket(SYMBOL, "1m")),
    ("aggtrade_futures_socket", "aggTrade", lambda m: m.aggtrade_futures_socket(SYMBOL)),
    ("symbol_mark_price_socket", "markPriceUpdate", lambda m: m.symbol_mark_price_socket(SYMBOL)),
    ("all_mark_price_socket", "markPriceUpdate", lambda m: m.all_mark_price_socket()),
    ("symbol_ticker_futures_socket", "bookTicker", lambda m: m.symbol_ticker_futures_socket(SYMBOL)),
    ("individual_symbol_ticker_futures_socket", "24hrTicker", lambda m: m.individual_symbol_ticker_futures_socket(SYMBOL)),
    ("futures_ticker_socket", "24hrTicker", lambda m: m.futures_ticker_socket()),
    ("all_ticker_futures_socket !bookTicker", "bookTicker", lambda m: m.all_ticker_futures_socket()),
    ("all_ticker_futures_socket !ticker@arr", "24hrTicker", lambda m: m.all_ticker_futures_socket("!ticker@arr")),
    ("futures_depth_socket 10", "depthUpdate", lambda m: m.futures_depth_socket(SYMBOL)),
    ("futures_depth_socket 20@100ms", "depthUpdate", lambda m: m.futures_depth_socket(SYMBOL, depth="20@100ms")),
    ("futures_multiplex_socket kline", "kline", lambda m: m.futures_multiplex_socket([f"{LOW}@kline_4h"])),
    ("futures_multiplex_socket mini", "24hrMiniTicker", lambda m: m.futures_multiplex_socket(["!miniTicker@arr"])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "open_socket"), SOCKETS, ids=[name for name, _, _ in SOCKETS])
async def test_python_binance_hears_what_it_asks_for(
    manager: BinanceSocketManager, name: str, kind: str, open_socket: Callable[[Any], Any]
) -> None:
    async with asyncio.timeout(20), open_socket(manager) as socket:
        message = await socket.recv()
    told = message.get("data", message) if isinstance(message, dict) else message
    events = told if isinstance(told, list) else [told]
    assert {event["e"] for event in events} == {kind}
    assert [what for event in events for what in deviations(EVENTS[kind], event)] == []


async def test_python_binance_differences_make_the_book(client: AsyncClient, manager: BinanceSocketManager) -> None:
    """Its diff socket and its REST answer by the exchange's rules; the book is that of the market at the same id."""
    instrument = next(entry for entry in load_instruments(ASSETS) if entry.symbol == SYMBOL)
    market, book, compared = Market(instrument, MarketStore(ASSETS / "sample")), LocalBook(), 0
    async with asyncio.timeout(30), manager.futures_depth_socket(SYMBOL, depth="") as socket:
        while compared < 5:
            book.take(msgspec.convert((await socket.recv())["data"], DepthEvent, strict=False))
            if not book.is_synchronised:
                told = await client.futures_order_book(symbol=SYMBOL, limit=1000)
                book.set_snapshot(depth_snapshot(told, 1_000))
                continue
            there = book_at(market, book.update_id, 100)
            for side, levels in zip(book.top(100), (there.bids, there.asks), strict=True):
                assert side == tuple((float(price), float(units)) for price, units in level_texts(market, levels))
            compared += 1
    assert book.gaps == 0


async def test_python_binance_keeps_its_depth_cache(client: AsyncClient, manager: BinanceSocketManager) -> None:
    cache = FuturesDepthCacheManager(client, SYMBOL, bm=manager)
    async with asyncio.timeout(30), cache as socket:
        kept = [await socket.recv() for _ in range(3)][-1]
        bids, asks = kept.get_bids(), kept.get_asks()
    assert len(bids) == len(asks) == 10
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0][0] < asks[0][0]


# --- the exchange's own SDK -----------------------------------------------------------------------------------------------

SDK_STREAMS: dict[str, Callable[[Any], Any]] = {
    "AggregateTradeStreamsResponse": lambda c: c.aggregate_trade_streams(LOW),
    "KlineCandlestickStreamsResponse": lambda c: c.kline_candlestick_streams(LOW, "1m"),
    "ContinuousContractKlineCandlestickStreamsResponse": lambda c: c.continuous_contract_kline_candlestick_streams(
        LOW, "perpetual", "1h"
    ),
    "MarkPriceStreamResponse": lambda c: c.mark_price_stream(LOW, update_speed="1s"),
    "MarkPriceStreamForAllMarketResponse": lambda c: c.mark_price_stream_for_all_market(),
    "IndividualSymbolTickerStreamsResponse": lambda c: c.individual_symbol_ticker_streams(LOW),
    "AllMarketTickersStreamsResponse": lambda c: c.all_market_tickers_streams(),
    "IndividualSymbolMiniTickerStreamResponse": lambda c: c.individual_symbol_mini_ticker_stream(LOW),
    "AllMarketMiniTickersStreamResponse": lambda c: c.all_market_mini_tickers_stream(),
    "IndividualSymbolBookTickerStreamsResponse": lambda c: c.individual_symbol_book_ticker_streams(LOW),
    "AllBookTickersStreamResponse": lambda c: c.all_book_tickers_stream(),
    "PartialBookDepthStreamsResponse": lambda c: c.partial_book_depth_streams(LOW, 10, update_speed="500ms"),
    "DiffBookDepthStreamsResponse": lambda c: c.diff_book_depth_streams(LOW, update_speed="100ms"),
}


async def test_the_sdk_of_the_exchange_understands_every_market_stream(
    sdk_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its models are made from the exchange's own API definition: fields that they know and an event lacks are named."""
    heard: dict[str, Any] = {}
    arrived = asyncio.Event()

    def taker(name: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            heard[name] = message
            arrived.set()

        return take

    connection = await sdk_client.websocket_streams.create_connection()
    try:
        for name, ask in SDK_STREAMS.items():
            (await ask(connection)).on("message", taker(name))
        async with asyncio.timeout(30):
            while len(heard) < len(SDK_STREAMS):
                arrived.clear()
                await arrived.wait()
    finally:
        await connection.close_connection(close_session=True)
    lacking = {name: missing(message) for name, message in heard.items()}
    assert {name: fields for name, fields in lacking.items() if fields} == {}
    assert {name: type(_first(message)).__name__ for name, message in heard.items() if not _first(message)} == {}
    assert [record.message for record in caplog.records if "did not match" in record.message] == []


def _first(value: Any) -> Any:
    value = getattr(value, "root", None) or getattr(value, "actual_instance", None) or value
    return value[0] if isinstance(value, list) else value


def missing(value: Any) -> set[str]:
    """Fields that the SDK knows of an event and that the event lacks."""
    value = _first(value)
    if not hasattr(type(value), "model_fields"):
        return set()
    wanted = set(type(value).model_fields) - {"additional_properties"}
    below = [missing(getattr(value, name)) for name in wanted & value.model_fields_set]
    return (wanted - value.model_fields_set).union(*below)
