"""Streams of the demo exchange over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo import server
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.model.endpoint import Addresses
from atm.model.interval import MINUTE_MS
from atm.model.order import OrderTicket, OrderType, Side
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL = "NEARUSDT"
T0 = 1_694_131_200_000
DEMO = Credentials("demo", "demo")


def serving(
    speed: float, home: Path | None = None, wall_ms: Callable[[], float] = server.wall_ms
) -> AbstractAsyncContextManager[Addresses]:
    options = DemoExchangeOptions(speed=speed, start_ms=T0, home=home)
    return running_demo_exchange(
        options, MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS), wall_ms
    )


async def received(socket: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads((await socket.receive(10)).data)


async def test_streamed_trades_are_those_of_rest_and_make_the_bar() -> None:
    trades: list[dict[str, Any]] = []
    closed: dict[str, Any] = {}
    names = "/".join(f"{SYMBOL.lower()}@{kind}" for kind in ("aggTrade", "kline_1m"))
    async with serving(600.0) as addresses, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{addresses.stream}/market/stream?streams={names}") as socket:
            opens: list[int] = []
            while len(opens) < 3:
                event = (await received(socket))["data"]
                if event["e"] == "aggTrade":
                    trades.append({key: event[key] for key in ("a", "p", "q", "nq", "f", "l", "T", "m")})
                elif event["k"]["x"]:
                    opens.append(event["k"]["t"])
                    closed = event["k"]
        last = closed["t"]
        query = f"symbol={SYMBOL}&startTime={last}&endTime={last + MINUTE_MS - 1}"
        async with session.get(f"{addresses.rest}/fapi/v1/aggTrades?{query}") as answer:
            asked = await answer.json()
    streamed = [trade for trade in trades if last <= trade["T"] < last + MINUTE_MS]
    assert streamed == asked
    assert sum(float(trade["q"]) for trade in streamed) == float(closed["v"])
    assert (streamed[0]["f"], streamed[-1]["l"]) == (closed["f"], closed["L"])
    assert max(float(trade["p"]) for trade in streamed) == float(closed["h"])


async def test_mark_price_book_and_long_bars_come_on_their_routes() -> None:
    low = SYMBOL.lower()
    async with serving(60.0) as addresses, aiohttp.ClientSession() as session:
        names = f"{low}@markPrice@1s/{low}@kline_1h/{low}_perpetual@continuousKline_1m/{low}@bookTicker"
        async with session.ws_connect(f"{addresses.stream}/market/stream?streams={names}") as socket:
            events = [(await received(socket))["data"] for _ in range(9)]
        kinds = {event["e"]: event for event in events}
        assert set(kinds) == {"markPriceUpdate", "kline", "continuous_kline"}  # the book belongs to /public
        assert kinds["kline"]["k"]["t"] == T0 and kinds["kline"]["k"]["i"] == "1h"
        assert "s" not in kinds["continuous_kline"]["k"] and kinds["continuous_kline"]["ps"] == SYMBOL
        assert float(kinds["markPriceUpdate"]["p"]) != float(kinds["markPriceUpdate"]["i"]) > 0
        async with session.ws_connect(f"{addresses.stream}/ws/{low}@bookTicker") as socket:
            top = await received(socket)
        assert float(top["a"]) - float(top["b"]) == pytest.approx(0.001)


async def test_user_events_go_to_their_account_and_as_filtered() -> None:
    async with (
        serving(60.0) as addresses, aiohttp.ClientSession() as session,
        session.post(f"{addresses.rest}/demo/control", json={"make_key": "second"}) as answer,
    ):  # fmt: skip
        made = await answer.json()
        second = Credentials(made["key"], made["secret"])
        async with FuturesClient(addresses, DEMO) as client, FuturesClient(addresses, second) as other:
            base = f"{addresses.stream}/private"
            key, strange = await client.create_listen_key(), await other.create_listen_key()
            async with (
                session.ws_connect(f"{base}/ws?listenKey={key}&events=ORDER_TRADE_UPDATE") as orders,
                session.ws_connect(f"{base}/stream?listenKey={key}&events=ACCOUNT_UPDATE/TRADE_LITE") as accounts,
                session.ws_connect(f"{base}/ws/{strange}") as nothing,
            ):
                await client.set_leverage(SYMBOL, 7)
                await client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, "100", "a-1"))
                assert [(await received(orders))["o"]["x"] for _ in range(2)] == ["NEW", "TRADE"]
                wrapped = [await received(accounts) for _ in range(2)]
                assert [each["data"]["e"] for each in wrapped] == ["TRADE_LITE", "ACCOUNT_UPDATE"]
                assert {each["stream"] for each in wrapped} == {key}
                await other.set_leverage(SYMBOL, 5)
                assert (await received(nothing))["ac"] == {"s": SYMBOL, "l": 5}


async def test_a_listen_key_can_be_subscribed_to_and_left() -> None:
    async with serving(60.0) as addresses, aiohttp.ClientSession() as session, FuturesClient(addresses, DEMO) as client:
        key = await client.create_listen_key()
        async with session.ws_connect(f"{addresses.stream}/private/stream") as socket:
            for word in (7, "a1b2"):
                await socket.send_json({"method": "SUBSCRIBE", "params": [key], "id": word})
                assert await received(socket) == {"result": None, "id": word}
            await client.set_leverage(SYMBOL, 7)
            event = await received(socket)
            assert (event["stream"], event["data"]["ac"]) == (key, {"s": SYMBOL, "l": 7})
            await socket.send_json({"method": "UNSUBSCRIBE", "params": [key], "id": 8})
            await received(socket)
            await client.set_leverage(SYMBOL, 8)
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
            assert await received(socket) == {"result": [], "id": 9}


async def test_an_expired_listen_key_ends_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_790_000_000_000.0]
    monkeypatch.setattr(server, "HEARTBEAT_S", 0.01)
    async with serving(1.0, wall_ms=lambda: now[0]) as addresses, aiohttp.ClientSession() as session:
        async with session.post(f"{addresses.rest}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": "demo"}) as answer:
            key = (await answer.json())["listenKey"]
        async with session.ws_connect(f"{addresses.stream}/private/ws/{key}") as socket:
            now[0] += 3_600_001
            event = await received(socket)
        assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)


async def test_a_listener_after_a_silence_starts_at_the_present() -> None:
    async with serving(600.0) as addresses, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.ws_connect(f"{addresses.stream}/market/ws/{SYMBOL.lower()}@kline_1m") as socket:
                event = await received(socket)
            async with session.get(f"{addresses.rest}/fapi/v1/time") as answer:
                now_ms = (await answer.json())["serverTime"]
            assert 0 <= now_ms - event["E"] < 10 * MINUTE_MS


@pytest.mark.parametrize(
    "content",
    [
        '{"clock":{"market_ms":1.0,"wall_ms":2.0,"speed":1.0},"heartbeat_wall_ms":3.0,"reached_ms":4,"account":{}}',
        "{broken",
        '{"clock":{"market_ms":1.0,"wall_ms":2.0,"speed":1.0},"heartbeat_wall_ms":3.0,"state":{"reached_ms":4,"keys":{},'
        '"accounts":{"demo":{"name":"demo","positions":{"GONEUSDT":{"amount":1.0,"entry":2.0}}}}}}',
    ],
)
async def test_a_state_that_does_not_fit_is_put_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo_exchange.json").write_text(content)
    async with serving(1.0, tmp_path) as addresses, FuturesClient(addresses, DEMO) as client:
        await client.synchronise()
        assert (await client.balance())[0].balance == 10_000
        assert T0 <= await client.server_time() < T0 + MINUTE_MS
    assert (tmp_path / "demo_exchange.unreadable.json").read_text() == content
    assert (tmp_path / "demo_exchange.json").stat().st_mode & 0o077 == 0, "keys are nobody else's to read"
