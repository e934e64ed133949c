"""The demo exchange over real loopback sockets, asked by the program's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.access import signature_is_right, signed
from atm.exchange.demo.clock import DEFAULT_START_MS, MarketClock, resumed
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.bars import Bar
from atm.model.endpoint import Addresses
from atm.model.errors import Refused
from atm.model.interval import MINUTE_MS
from atm.model.order import MarginType, OrderStatus, OrderTicket, OrderType, Side, TimeInForce
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
START_MS = DEFAULT_START_MS


def serving(speed: float = 1.0, home: Path | None = None):  # type: ignore[no-untyped-def]
    options = DemoExchangeOptions(speed=speed, start_ms=START_MS, home=home)
    return running_demo_exchange(
        options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS)
    )


@pytest.fixture
async def addresses() -> AsyncIterator[Addresses]:
    async with serving() as found:
        yield found


@pytest.fixture
async def client(addresses: Addresses) -> AsyncIterator[FuturesClient]:
    async with FuturesClient(addresses, Credentials("demo", "demo")) as made:
        await made.synchronise()
        yield made


def market_order(quantity: str, name: str = "a-1", side: Side = Side.BUY, reduce_only: bool = False) -> OrderTicket:
    return OrderTicket(SYMBOL, side, OrderType.MARKET, quantity, name, reduce_only=reduce_only)


def limit_order(quantity: str, price: str, name: str = "l-1") -> OrderTicket:
    return OrderTicket(SYMBOL, Side.BUY, OrderType.LIMIT, quantity, name, price, TimeInForce.GTC)


def recorded(start_ms: int, end_ms: int) -> list[Bar]:
    bars = MarketStore(ASSETS / "sample").read(SYMBOL, start_ms, end_ms)
    return [bars.bar(index) for index in range(len(bars))]


def test_signature_of_the_documentation() -> None:
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
    expected = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert signed(secret, query) == expected
    assert signature_is_right(secret, f"{query}&signature={expected}", "")
    assert not signature_is_right(secret, f"{query}1&signature={expected}", "")
    mixed_query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    body = "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"
    assert signature_is_right(secret, mixed_query, f"{body}&signature={signed(secret, mixed_query + body)}")


def test_clock_goes_on_after_a_short_stop_and_stands_still_after_a_long_one() -> None:
    clock = MarketClock(1_000_000.0, 0.0, 60.0)
    assert clock.at(1_000.0) == 1_060_000
    assert clock.wall_of(1_060_000) == 1_000.0
    assert resumed(clock, 10_000.0, 70_000.0).at(70_000.0) == 1_000_000 + 70_000 * 60
    assert resumed(clock, 10_000.0, 70_001.0).at(70_001.0) == 1_000_000 + 10_000 * 60


async def test_market_data(client: FuturesClient) -> None:
    assert START_MS <= await client.server_time() < START_MS + 60_000
    instruments = {entry.symbol: entry for entry in await client.exchange_info()}
    wanted = {entry.symbol: entry for entry in load_instruments(ASSETS)}[SYMBOL]
    assert set(instruments) == {"AVAXUSDT", "FILUSDT", "NEARUSDT"}
    assert instruments[SYMBOL].tick_size == wanted.tick_size
    assert (await client.leverage_brackets())[SYMBOL] == wanted.brackets
    start_ms = START_MS - 3_000 * MINUTE_MS
    # The client takes a minute as closed a second after its end: not the one that ended at the start of the market.
    end_ms = START_MS - MINUTE_MS
    assert list(await client.klines(SYMBOL, start_ms, end_ms)) == recorded(start_ms, end_ms)


async def user_socket(
    session: aiohttp.ClientSession, client: FuturesClient, addresses: Addresses
) -> aiohttp.ClientWebSocketResponse:
    key = await client.create_listen_key()
    return await session.ws_connect(f"{addresses.stream}/private/ws?listenKey={key}")


async def test_market_order_opens_a_position_and_tells_the_user_stream(
    client: FuturesClient, addresses: Addresses
) -> None:
    assert (await client.set_leverage(SYMBOL, 10)).leverage == 10
    await client.set_margin_type(SYMBOL, MarginType.ISOLATED)
    await client.set_margin_type(SYMBOL, MarginType.ISOLATED)  # no need to change: a success
    async with aiohttp.ClientSession() as session:
        user = await user_socket(session, client, addresses)
        report = await client.place(market_order("100"))
        events = [json.loads((await user.receive(5)).data) for _ in range(4)]
        await user.close()
    assert report.status is OrderStatus.FILLED and report.average_price == ""
    kinds = ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert [event["e"] for event in events] == kinds
    fill = events[3]["o"]
    price = float(fill["L"])
    assert (fill["x"], fill["X"], fill["c"], float(fill["l"])) == ("TRADE", "FILLED", "a-1", 100.0)
    assert float(fill["n"]) == pytest.approx(100 * price * 0.0005, abs=1e-8)
    assert events[2]["a"]["P"][0]["mt"] == "isolated"
    (position,) = await client.position_risk()
    assert (position.position_amt, position.entry_price) == (100.0, price)
    assert position.isolated_wallet == pytest.approx(10 * price, abs=1e-8)
    assert 0.85 * price < position.liquidation_price < 0.95 * price
    assert (await client.get_order(SYMBOL, "a-1")).average_price != ""
    await client.place(market_order("100", "a-2", Side.SELL, reduce_only=True))
    assert await client.position_risk() == ()
    (balance,) = await client.balance()
    trades = await client._library.futures_account_trades(symbol=SYMBOL)
    gained = sum(float(trade["realizedPnl"]) - float(trade["commission"]) for trade in trades)
    assert balance.balance == pytest.approx(10_000 + gained, abs=1e-6) and balance.balance < 10_000
    incomes = await client._library.futures_income_history(limit=1000)
    assert sum(float(row["income"]) for row in incomes) == pytest.approx(gained, abs=1e-6)
    assert {row["incomeType"] for row in incomes} == {"COMMISSION", "REALIZED_PNL"}


async def test_a_resting_order_is_cancelled_once(client: FuturesClient) -> None:
    price = f"{recorded(START_MS, START_MS + MINUTE_MS)[0].open * 0.97:.3f}"
    assert (await client.place(limit_order("100", price))).status is OrderStatus.NEW
    assert [order.client_order_id for order in await client.open_orders(SYMBOL)] == ["l-1"]
    assert (await client.account()).available_balance < 10_000
    assert (await client.cancel_order(SYMBOL, "l-1")).status is OrderStatus.CANCELED
    with pytest.raises(Refused) as refusal:
        await client.cancel_order(SYMBOL, "l-1")
    assert refusal.value.code == -2011
    assert (await client.account()).available_balance == 10_000


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        (OrderTicket("NOSUCHUSDT", Side.BUY, OrderType.MARKET, "1", "x"), -1121),
        (market_order("1"), -4164),
        (market_order("100.12345"), -1111),
        (market_order("999999999"), -4005),
        (market_order("20000"), -2019),
        (market_order("100", side=Side.SELL, reduce_only=True), -2022),
        (limit_order("100", "9.9"), -4016),
    ],
)
async def test_refusals_carry_the_codes_of_the_exchange(client: FuturesClient, ticket: OrderTicket, code: int) -> None:
    await client.set_leverage(SYMBOL, 1)  # 20,000 NEAR at about 1.15 USDT cost more than the 10,000 USDT there are
    with pytest.raises(Refused) as refusal:
        await client.place(ticket)
    assert refusal.value.code == code
    assert await client.open_orders() == ()


async def test_strangers_are_refused(addresses: Addresses, client: FuturesClient) -> None:
    for credentials, code in ((Credentials("demo", "wrong"), -1022), (Credentials("other", "demo"), -2015)):
        async with FuturesClient(addresses, credentials) as stranger:
            await stranger.synchronise()
            with pytest.raises(Refused) as refusal:
                await stranger.account()
            assert refusal.value.code == code
    with pytest.raises(Refused) as refusal:
        await client.get_order(SYMBOL, "never-sent")
    assert refusal.value.code == -2013


async def test_every_minute_closes_once_in_order_and_equals_the_recording_at_speed_1000() -> None:
    closed: list[Bar] = []
    opened: list[int] = []
    async with serving(speed=1000.0) as addresses, aiohttp.ClientSession() as session:
        address = f"{addresses.stream}/market/stream?streams={SYMBOL.lower()}@kline_1m"
        async with session.ws_connect(address) as socket, asyncio.timeout(10):
            while len(closed) < 20:
                k = json.loads((await socket.receive()).data)["data"]["k"]
                if k["x"]:
                    prices = [float(k[name]) for name in ("o", "h", "l", "c", "v", "q", "n", "V", "Q")]
                    closed.append(Bar(k["t"], *prices))
                    assert not opened or opened[-1] == k["t"]
                else:
                    opened.append(k["t"])
    first = closed[0].open_time
    assert closed == recorded(first, first + 20 * MINUTE_MS)
    assert opened == sorted(opened)


async def test_a_stream_on_the_wrong_route_is_silent_and_control_messages_are_answered(addresses: Addresses) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{addresses.stream}/public/ws/{SYMBOL.lower()}@kline_1m") as socket:
            depth = f"{SYMBOL.lower()}@depth20@500ms"
            await socket.send_json({"method": "SUBSCRIBE", "params": [depth], "id": 7})
            first = json.loads((await socket.receive(5)).data)
            second = json.loads((await socket.receive(5)).data)
        assert first == {"result": None, "id": 7}
        assert second["e"] == "depthUpdate" and len(second["b"]) == len(second["a"]) == 20
        assert float(second["b"][0][0]) < float(second["a"][0][0])


async def test_account_and_market_time_survive_a_restart(tmp_path: Path) -> None:
    async with serving(home=tmp_path) as addresses, FuturesClient(addresses, Credentials("demo", "demo")) as client:
        await client.synchronise()
        await client.place(market_order("100"))
        stop = {
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "TRAILING_STOP_MARKET",
            "callbackRate": "5",
            "quantity": "100",
        }
        placed = await client._library.futures_create_order(**stop, clientAlgoId="kept")
        before_ms = await client.server_time()
    async with serving(home=tmp_path) as addresses, FuturesClient(addresses, Credentials("demo", "demo")) as client:
        await client.synchronise()
        (position,) = await client.position_risk()
        assert position.position_amt == 100.0
        (waiting,) = await client._library.futures_get_open_algo_orders(symbol=SYMBOL)
        assert (waiting["algoId"], waiting["clientAlgoId"]) == (placed["algoId"], "kept")
        assert before_ms <= await client.server_time() < before_ms + 60_000


async def test_control_changes_the_speed_and_drops_connections(addresses: Addresses) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{addresses.stream}/market/ws/{SYMBOL.lower()}@aggTrade")
        async with session.post(f"{addresses.rest}/demo/control", json={"speed": 5000}) as answer:
            assert answer.status == 400
        wanted = {"speed": 100, "drop_connections": True}
        async with session.post(f"{addresses.rest}/demo/control", json=wanted) as answer:
            assert (await answer.json())["speed"] == 100
        async with asyncio.timeout(5):
            while not socket.closed:
                await socket.receive()
