"""Every fault over real sockets and in virtual time: the client sees exactly that fault, and sees it end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.access import signed
from atm.exchange.demo.server import DemoExchangeOptions, running_demo_exchange
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.endpoint import Addresses
from atm.model.errors import Banned, Refused, Throttled, Unavailable, Unknown
from atm.model.interval import MINUTE_MS
from atm.model.order import OrderTicket, OrderType, Side, TimeInForce
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments

ASSETS = Path(__file__).parents[3] / "assets"
SYMBOL, OTHER = "NEARUSDT", "FILUSDT"
LOW = SYMBOL.lower()
T0 = 1_694_131_200_000
KEY = {"X-MBX-APIKEY": "demo"}


class Stage:
    """A running exchange with a client beside it."""

    def __init__(
        self, addresses: Addresses, session: aiohttp.ClientSession, client: FuturesClient, wall_ms: Callable[[], float]
    ) -> None:
        self.addresses, self.session, self.client, self.wall_ms = addresses, session, client, wall_ms

    async def post(self, **body: Any) -> dict[str, Any]:
        async with self.session.post(f"{self.addresses.rest}/demo/control", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            return {**found, "status": answer.status}

    async def fault(self, kind: str, seconds: float = 10.0, **fields: Any) -> None:
        wanted = {"kind": kind, "duration_ms": int(seconds * 1000), **fields}
        assert (await self.post(fault=wanted))["status"] == 200

    async def fault_on(self, socket: aiohttp.ClientWebSocketResponse, kind: str, seconds: float, **fields: Any) -> None:
        """Set a fault, and take from the socket what was under way."""
        await self.fault(kind, seconds, **fields)
        await frames(socket, 0.01)

    async def newest(self) -> dict[str, Any]:
        """The newest fault, as it is told."""
        async with self.session.get(f"{self.addresses.rest}/demo/faults") as answer:
            found: dict[str, Any] = max((await answer.json())["faults"], key=lambda each: each["number"])
            return found

    def stream(self, *kinds: str, route: str = "market") -> Any:
        names = "/".join(kind if kind.startswith(OTHER.lower()) else f"{LOW}@{kind}" for kind in kinds)
        return self.session.ws_connect(f"{self.addresses.stream}/{route}/stream?streams={names}")

    async def get(self, path: str, **parameters: Any) -> tuple[int, Any]:
        async with self.session.get(f"{self.addresses.rest}/fapi/v1/{path}", params=parameters) as answer:
            text = await answer.text()
            return answer.status, (json.loads(text) if answer.content_type == "application/json" and text else text)

    async def order(self, name: str, quantity: str = "100") -> Any:
        return await self.client.place(OrderTicket(SYMBOL, Side.BUY, OrderType.MARKET, quantity, name))

    async def executed(self, name: str) -> int:
        """How many orders of that name the exchange has."""
        orders = await self.signed("v1/allOrders", symbol=SYMBOL)
        return sum(order["clientOrderId"] == name for order in orders)

    async def signed(self, path: str, **parameters: str) -> Any:
        """The answer to a signed GET, stamped with the present unless told otherwise."""
        query = urlencode({"timestamp": str(int(self.wall_ms())), **parameters})
        address = f"{self.addresses.rest}/fapi/{path}?{query}&signature={signed('demo', query)}"
        async with self.session.get(address, headers=KEY) as answer:
            return await answer.json()


async def frames(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> list[aiohttp.WSMessage]:
    """What comes within so many (virtual) seconds; the end of the connection as well."""
    found: list[aiohttp.WSMessage] = []
    try:
        async with asyncio.timeout(seconds):
            while not found or found[-1].type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                found.append(await socket.receive())
    except TimeoutError:
        pass
    return found


def events(found: list[aiohttp.WSMessage]) -> list[dict[str, Any]]:
    """Their events, each with its stream; all of them must be readable."""
    assert all(each.type is aiohttp.WSMsgType.TEXT for each in found)
    return [{"stream": message["stream"], **message["data"]} for message in (json.loads(each.data) for each in found)]


@asynccontextmanager
async def staged(speed: float, wall_ms: Callable[[], float]) -> AsyncIterator[Stage]:
    options = DemoExchangeOptions(speed=speed, start_ms=T0)
    parts = (MarketStore(ASSETS / "sample"), load_instruments(ASSETS), load_exchange_info(ASSETS))
    async with (
        running_demo_exchange(options, *parts, wall_ms) as addresses,
        aiohttp.ClientSession() as session,
        FuturesClient(addresses, Credentials("demo", "demo"), wall_ms) as client,
    ):
        await client.synchronise()
        yield Stage(addresses, session, client, wall_ms)


Scene = Callable[[Stage], Awaitable[None]]


def play(scene: Scene, speed: float = 1.0) -> None:
    async def run(wall_ms: Callable[[], float]) -> None:
        async with staged(speed, wall_ms) as stage:
            await scene(stage)

    with VirtualRunner(T0) as runner:
        runner.run(run(runner.wall_ms))


def in_order(trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(trades, key=lambda each: each["a"])


def is_whole(trades: list[dict[str, Any]]) -> bool:
    """Whether no trade is missing between the first and the last, and all are in their order."""
    assert len(trades) > 10
    return all(later["f"] == earlier["l"] + 1 for earlier, later in pairwise(trades))


def times(found: list[dict[str, Any]]) -> list[int]:
    return [each["E"] for each in found]


# --- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "end"), [("reset", aiohttp.WSMsgType.CLOSED), ("close", aiohttp.WSMsgType.CLOSE)])
def test_disconnect(variant: str, end: aiohttp.WSMsgType) -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as bars, stage.stream("bookTicker", route="public") as book:
            await frames(bars, 1.0)
            await stage.fault("disconnect", 5.0, target="market", variant=variant)
            last = (await frames(bars, 1.0))[-1].type
            assert last in (end, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR)
            assert len(events(await frames(book, 1.0))) >= 3
        async with stage.stream("kline_1m") as again:
            assert events(await frames(again, 6.0))

    play(scene)


def test_disconnect_again_and_again_until_it_ends() -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("disconnect", 10.5, every_s=3.0)
        lived: list[float] = []
        for _ in range(3):
            async with stage.stream("kline_1m") as socket:
                began = stage.wall_ms()
                assert (await frames(socket, 60.0))[-1].type is not aiohttp.WSMsgType.TEXT
                lived.append(stage.wall_ms() - began)
        assert lived == pytest.approx([3_000, 3_000, 3_000], abs=300)
        async with stage.stream("kline_1m") as socket:
            assert len(events(await frames(socket, 20.0))) > 60
        assert (await stage.newest())["phase"] == "over" and (await stage.newest())["did"] == {"cut": 3}

    play(scene)


def test_disconnect_of_one_connection_by_its_number() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as first, stage.stream("kline_1m") as second:
            async with stage.session.get(f"{stage.addresses.rest}/demo/faults") as answer:
                numbers = [each["number"] for each in (await answer.json())["connections"]]
            await stage.fault("disconnect", target=f"#{numbers[1]}")
            assert events(await frames(first, 2.0))
            assert (await frames(second, 2.0))[-1].type is not aiohttp.WSMsgType.TEXT

    play(scene)


def test_half_open_connections_neither_speak_nor_answer_pings_and_new_ones_work() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as dead:
            await frames(dead, 1.0)
            await stage.fault_on(dead, "half_open", 30.0)
            await dead.ping()
            assert await frames(dead, 20.0) == []  # no data, and no end either
            async with stage.stream("kline_1m") as alive:
                assert len(events(await frames(alive, 5.0))) >= 15
            assert (await frames(dead, 20.0))[-1].type is not aiohttp.WSMsgType.TEXT  # reset when the fault ends
        assert (await stage.newest())["did"] == {"dead": 1}

    play(scene)


def test_a_slow_connection_is_behind_and_catches_up() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await stage.fault("slow_connection", 20.0, bytes_per_s=400)
            slow = events(await frames(socket, 19.0))
            assert len(slow) <= 19 * 400 / 300
            fast = events(await frames(socket, 3.0))
            assert stage.wall_ms() - times(fast)[-1] < 500 and len(fast) > 40

    play(scene)


def test_what_the_queue_of_a_slow_connection_does_not_hold_cuts_it() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("bookTicker", "depth20@100ms", route="public") as socket:
            await stage.fault("slow_connection", 900.0, bytes_per_s=50)
            assert (await frames(socket, 600.0))[-1].type is not aiohttp.WSMsgType.TEXT

    play(scene)


def test_flood() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m", "markPrice@1s") as socket:
            await stage.fault("flood", 3.0, messages_per_s=20_000)
            flooded = events(await frames(socket, 3.0))
            assert len(flooded) == pytest.approx(60_000, rel=0.1)
            assert {each["stream"] for each in flooded} == {f"{LOW}@kline_1m", f"{LOW}@markPrice@1s"}
            stamps = times(flooded)
            assert len(set(stamps)) <= 4 * 3 + 1  # nothing is invented
            await frames(socket, 0.5)
            assert len(events(await frames(socket, 2.0))) < 20

    play(scene)


# --- messages -------------------------------------------------------------------------------------------------------


def test_one_stream_is_silent_while_the_others_go_on_and_pings_are_answered() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m", f"{OTHER.lower()}@kline_1m") as socket:
            await stage.fault("silent_stream", 20.0, target=f"{LOW}@kline_1m")
            during = events(await frames(socket, 19.5))
            assert {each["s"] for each in during} == {OTHER}
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert any(b"result" in each.data.encode() for each in await frames(socket, 0.4))
            assert {each["s"] for each in events(await frames(socket, 2.0))} == {SYMBOL, OTHER}

    play(scene)


def test_duplicated_messages() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("aggTrade") as socket:
            await stage.fault("duplicate", 30.0, copies=2)
            during = [each["a"] for each in events(await frames(socket, 29.0))]
            assert during and during == [number for number in sorted(set(during)) for _ in range(3)]
            await frames(socket, 2.0)
            after = [each["a"] for each in events(await frames(socket, 30.0))]
            assert after and after == sorted(set(after))

    play(scene)


def test_reordered_messages_are_all_there_in_the_end() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("aggTrade") as socket:
            await stage.fault("reorder", 60.0, later_messages=2, probability=0.3, seed=5)
            found = events(await frames(socket, 62.0))
            assert found != in_order(found)
            assert is_whole(in_order(found))
            after = events(await frames(socket, 60.0))
            assert is_whole(after)

    play(scene)


def test_late_messages_come_late_and_in_their_order() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await frames(socket, 2.0)
            await stage.fault_on(socket, "late", 10.0, late_ms=4_000)
            assert events(await frames(socket, 3.8)) == []
            late: list[float] = []
            stamps: list[int] = []
            async with asyncio.timeout(6.0):
                while len(late) < 8:
                    stamps.append(json.loads((await socket.receive()).data)["data"]["E"])
                    late.append(stage.wall_ms() - stamps[-1])
            assert late == pytest.approx([4_000] * 8, abs=300) and stamps == sorted(stamps)
            await asyncio.sleep(10.0)
            await frames(socket, 0.1)
            assert stage.wall_ms() - times(events(await frames(socket, 1.0)))[-1] < 300

    play(scene)


def test_missing_messages() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("aggTrade", "kline_1m") as socket:
            await stage.fault("missing", 60.0, target="*@aggTrade", probability=0.4, seed=2)
            during = events(await frames(socket, 60.0))
            trades = [each for each in during if each["e"] == "aggTrade"]
            assert trades == in_order(trades) and not is_whole(trades)
            stamps = times([each for each in during if each["e"] == "kline"])
            assert all(later - earlier <= 300 for earlier, later in pairwise(stamps))  # no other stream is struck
            assert is_whole([each for each in events(await frames(socket, 60.0)) if each["e"] == "aggTrade"])

    play(scene)


def test_precisely_the_closing_message_of_a_bar_is_missing() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await stage.fault("closing_missing", 119.0)
            bars = [each["k"] for each in events(await frames(socket, 185.0))]
        assert {bar["t"] for bar in bars} == {T0 + minute * MINUTE_MS for minute in range(4)}
        assert [bar["t"] for bar in bars if bar["x"]] == [T0 + MINUTE_MS, T0 + 2 * MINUTE_MS]
        status, rows = await stage.get("klines", symbol=SYMBOL, interval="1m", startTime=T0, limit=1)
        assert status == 200 and rows[0][0] == T0  # the truth can be had

    play(scene)


def test_the_closing_message_of_a_bar_comes_late() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await stage.fault("closing_late", 61.0, late_ms=5_000)
            bars = [each["k"] for each in events(await frames(socket, 70.0))]
        place = next(place for place, bar in enumerate(bars) if bar["x"])
        assert bars[place]["t"] == T0
        assert sum(bar["t"] == T0 + MINUTE_MS for bar in bars[:place]) == pytest.approx(20, abs=3)

    play(scene)


def test_gaps_in_the_sequence_of_depth() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("depth20@100ms", "bookTicker", route="public") as socket:
            await stage.fault("depth_gap", 20.0, left_out=3, probability=0.05, seed=1)
            during = [each for each in events(await frames(socket, 20.0)) if each["e"] == "depthUpdate"]
            gaps = sum(later["pu"] != earlier["u"] for earlier, later in pairwise(during))
            told = (await stage.newest())["did"]
            assert 2 <= gaps <= told["gaps"] and told["left_out"] == 3 * told["gaps"]
            after = [each for each in events(await frames(socket, 20.0)) if each["e"] == "depthUpdate"]
            assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(after))

    play(scene)


@pytest.mark.parametrize("variant", ["truncated", "html", "bytes", "empty"])
def test_corrupted_frames(variant: str) -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await stage.fault("corrupt_frames", 5.0, variant=variant)
            broken = await frames(socket, 4.9)
            assert len(broken) >= 15
            for each in broken:
                with pytest.raises(ValueError):
                    json.loads(each.data)
            await frames(socket, 0.5)
            assert events(await frames(socket, 5.0))

    play(scene)


def test_an_event_of_a_user_stream_is_missing() -> None:
    async def scene(stage: Stage) -> None:
        key = await stage.client.create_listen_key()
        async with stage.session.ws_connect(f"{stage.addresses.stream}/private/ws/{key}") as socket:
            await stage.fault("missing", 5.0, target="user@ORDER_TRADE_UPDATE")
            for name in ("a-1", "a-2"):
                await stage.order(name)
                kinds = {json.loads(each.data)["e"] for each in await frames(socket, 6.0)}
                assert ("ORDER_TRADE_UPDATE" in kinds) == (name == "a-2") and "ACCOUNT_UPDATE" in kinds

    play(scene)


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["503", "502", "504", "500", "408"])
def test_an_error_after_an_order_was_accepted_leaves_exactly_one_order(variant: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("error_after", 5.0, variant=variant)
        with pytest.raises(Unknown):
            await stage.order("a-1")
        assert await stage.executed("a-1") == 1
        with pytest.raises(Refused):  # a refusal is told: nothing was done
            await stage.order("a-2", quantity="0.5")
        await asyncio.sleep(6.0)
        assert (await stage.order("a-3")).order_id
        assert await stage.executed("a-1") == 1 and await stage.executed("a-2") == 0
        assert (await stage.newest())["did"] == {"executed": 1}

    play(scene)


@pytest.mark.parametrize(
    ("variant", "error"), [("503", Unavailable), ("500", Unavailable), ("502", Unknown), ("408", Unknown)]
)
def test_an_error_before_leaves_no_order(variant: str, error: type[Exception]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("error_before", 5.0, variant=variant, target="POST /fapi/v1/order")
        with pytest.raises(error):
            await stage.order("a-1")
        assert await stage.executed("a-1") == 0  # other requests are answered
        await asyncio.sleep(6.0)
        await stage.order("a-1")
        assert await stage.executed("a-1") == 1

    play(scene)


@pytest.mark.parametrize(("kind", "orders"), [("no_answer_after", 1), ("no_answer_before", 0)])
def test_no_answer_ever(kind: str, orders: int) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault(kind, 30.0)
        began = stage.wall_ms()
        with pytest.raises(Unknown):
            await stage.order("a-1")
        assert stage.wall_ms() - began == pytest.approx(10_000, abs=100)  # the client's patience
        assert await stage.executed("a-1") == orders
        await asyncio.sleep(30.0)
        assert (await stage.order("a-2")).order_id
        assert await stage.executed("a-1") == orders

    play(scene)


def test_a_request_without_an_answer_is_cut_when_the_fault_ends() -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("no_answer_before", 5.0, target="/fapi/v1/time")
        began = stage.wall_ms()
        with pytest.raises(aiohttp.ClientConnectionError):
            await stage.session.post(f"{stage.addresses.rest}/fapi/v1/time")  # a GET would be tried again
        assert stage.wall_ms() - began == pytest.approx(5_000, abs=50)
        assert (await stage.get("time"))[0] == 200

    play(scene)


@pytest.mark.parametrize(
    ("kind", "soon", "later"), [("late_answer", 1, 1), ("late_execution", 0, 1), ("late_refusal", 0, 0)]
)
def test_answers_after_the_patience_of_the_client(kind: str, soon: int, later: int) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault(kind, 5.0, late_ms=12_000, target="POST /fapi/v1/order")
        with pytest.raises(Unknown):
            await stage.order("a-1")
        assert await stage.executed("a-1") == soon
        await asyncio.sleep(5.0)
        assert await stage.executed("a-1") == later
        began = stage.wall_ms()
        await stage.order("a-2")
        assert stage.wall_ms() - began < 100

    play(scene)


def test_a_late_answer_within_the_patience_is_taken() -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("late_answer", 5.0, late_ms=3_000)
        began = stage.wall_ms()
        await stage.order("a-1")
        assert stage.wall_ms() - began == pytest.approx(3_000, abs=50)

    play(scene)


@pytest.mark.parametrize("variant", ["truncated", "html", "bytes"])
def test_a_corrupted_answer_leaves_the_outcome_unknown(variant: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("corrupt_answers", 5.0, variant=variant, target="POST /fapi/v1/order")
        with pytest.raises(Unknown):
            await stage.order("a-1")
        assert await stage.executed("a-1") == 1
        await asyncio.sleep(6.0)
        assert (await stage.order("a-2")).order_id

    play(scene)


def test_too_many_requests_by_status_and_retry_after() -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("rate_limited", 5.0, retry_after_s=7)
        with pytest.raises(Throttled) as caught:
            await stage.client.server_time()
        assert caught.value.retry_after >= 7.0
        assert (await stage.get("time"))[0] == 429
        await asyncio.sleep(5.1)
        assert (await stage.get("time"))[0] == 200

    play(scene)


def test_a_ban_holds_for_requests_and_for_new_streams() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as open_before:
            await stage.fault("banned", 20.0)
            with pytest.raises(Banned) as caught:
                await stage.client.server_time()
            assert caught.value.until_ms == pytest.approx(stage.wall_ms() + 20_000, abs=2_000)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await stage.stream("kline_1m")
            assert refused.value.status == 418
            assert events(await frames(open_before, 2.0))  # existing sockets go on
        await asyncio.sleep(20.0)
        assert (await stage.get("time"))[0] == 200

    play(scene)


# --- the exchange ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead_ms", "speed"), [(30_000, 1.0), (-30_000, 1.0), (30_000, 60.0)])
def test_a_clock_that_jumps_refuses_old_stamps_until_the_client_asks_for_the_time(ahead_ms: int, speed: float) -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("clock_skew", 60.0, ahead_ms=ahead_ms)
        assert await _refusal(stage, stage.wall_ms()) == -1021
        _, told = await stage.get("time")
        if speed == 1.0:
            assert told["serverTime"] == pytest.approx(stage.wall_ms() + ahead_ms, abs=50)
        assert await _refusal(stage, told["serverTime"]) == 0
        await stage.client.synchronise()
        assert (await stage.client.balance())[0].balance == 10_000.0
        await asyncio.sleep(61.0)
        assert (await stage.client.balance())[0].balance == 10_000.0  # refused, asked for the time, and answered

    play(scene, speed)


async def _refusal(stage: Stage, stamp: float) -> int:
    """The code with which a signed request of that time is refused, 0 when it is answered."""
    content = await stage.signed("v3/balance", timestamp=str(int(stamp)))
    return content["code"] if isinstance(content, dict) else 0


def test_listen_keys_run_out_at_once() -> None:
    async def scene(stage: Stage) -> None:
        key = await stage.client.create_listen_key()
        async with stage.session.ws_connect(f"{stage.addresses.stream}/private/ws/{key}") as socket:
            assert (await stage.post(fault={"kind": "listen_key_expired", "target": "demo"}))["status"] == 200
            told = json.loads((await frames(socket, 1.0))[0].data)
            assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
            await stage.order("a-1")
            assert await frames(socket, 5.0) == []
        with pytest.raises(Refused) as caught:
            await stage.client.keep_listen_key(key)
        assert caught.value.code == -1125
        assert await stage.client.create_listen_key() != key

    play(scene)


def test_a_suspension_and_its_end_are_told_by_contract_info() -> None:
    async def scene(stage: Stage) -> None:
        address = f"{stage.addresses.stream}/market/stream?streams=!contractInfo"
        async with stage.session.ws_connect(address) as socket:
            await stage.fault("suspended", 20.0, target=SYMBOL)
            told = [(each["s"], each["cs"]) for each in events(await frames(socket, 30.0))]
        assert told == [(SYMBOL, "TRADING_HALT"), (SYMBOL, "TRADING")]

    play(scene)


def test_a_suspended_symbol_has_no_messages_no_orders_and_no_new_bars_and_all_of_them_later() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m", f"{OTHER.lower()}@kline_1m") as socket:
            await frames(socket, 90.0)
            await stage.fault_on(socket, "suspended", 180.0, target=SYMBOL)
            during = events(await frames(socket, 179.0))
            assert {each["s"] for each in during} == {OTHER}
            _, info = await stage.get("exchangeInfo")
            status = {entry["symbol"]: entry["status"] for entry in info["symbols"]}
            assert (status[SYMBOL], status[OTHER]) == ("TRADING_HALT", "TRADING")
            with pytest.raises(Refused) as caught:
                await stage.order("a-1")
            assert caught.value.code == -4140
            _, rows = await stage.get("klines", symbol=SYMBOL, interval="1m", startTime=T0)
            assert [row[0] for row in rows] == [T0]
            await frames(socket, 2.0)
            assert {each["s"] for each in events(await frames(socket, 5.0))} == {SYMBOL, OTHER}
        _, rows = await stage.get("klines", symbol=SYMBOL, interval="1m", startTime=T0)
        assert [row[0] for row in rows] == [T0 + minute * MINUTE_MS for minute in range(5)]
        await stage.order("a-2")
        assert await stage.executed("a-1") == 0 and await stage.executed("a-2") == 1

    play(scene)


@pytest.mark.parametrize(
    ("variant", "kind", "field", "code"),
    [
        ("tick", "PRICE_FILTER", "tickSize", -4014),
        ("step", "LOT_SIZE", "stepSize", -4023),
        ("notional", "MIN_NOTIONAL", "notional", -4164),
    ],
)
def test_filters_change_and_change_back(variant: str, kind: str, field: str, code: int) -> None:
    ticket = OrderTicket(SYMBOL, Side.BUY, OrderType.LIMIT, "15", "a-1", "1.103", TimeInForce.GTC)

    async def filters(stage: Stage) -> float:
        _, info = await stage.get("exchangeInfo")
        entry = next(each for each in info["symbols"] if each["symbol"] == SYMBOL)
        return float(next(row[field] for row in entry["filters"] if row["filterType"] == kind))

    async def scene(stage: Stage) -> None:
        before = await filters(stage)
        await stage.client.place(ticket)
        await stage.client.cancel_order(SYMBOL, "a-1")
        await stage.fault("filter_change", 30.0, target=SYMBOL, variant=variant, factor=10)
        assert await filters(stage) == pytest.approx(10 * before)
        with pytest.raises(Refused) as caught:
            await stage.client.place(ticket)
        assert caught.value.code == code
        await asyncio.sleep(31.0)
        assert await filters(stage) == before
        await stage.client.place(ticket)

    play(scene)


def test_maintenance() -> None:
    async def scene(stage: Stage) -> None:
        async with stage.stream("kline_1m") as socket:
            await frames(socket, 1.0)
            await stage.fault("maintenance", 20.0)
            assert (await frames(socket, 1.0))[-1].type is not aiohttp.WSMsgType.TEXT
        status, content = await stage.get("klines", symbol=SYMBOL, interval="1m")
        assert (status, content["msg"]) == (503, "Service Unavailable.")
        with pytest.raises(Unavailable):
            await stage.order("a-1")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stage.stream("kline_1m")
        assert refused.value.status == 503
        await asyncio.sleep(20.0)
        async with stage.stream("kline_1m") as socket:
            assert events(await frames(socket, 2.0))
        assert await stage.executed("a-1") == 0

    play(scene)


# --- control --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"fault": {"kind": "explosion"}},
        {"fault": {"kind": "late", "late_ms": 0}},
        {"fault": {"kind": "suspended", "target": "NOSUCHUSDT"}},
        {"fault": {"kind": "disconnect", "target": "all"}},
        {"faults": {"seed": -1}},
        {"faults": {"seed": 1, "minutes": 0}},
        {"faults": {"seed": 1, "kinds": ["explosion"]}},
        {"clear": [99]},
        {"fault": {"kind": "late"}, "speed": 0},
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(body: dict[str, Any]) -> None:
    async def scene(stage: Stage) -> None:
        answer = await stage.post(**body)
        assert answer["status"] == 400 and answer["error"].count("\n") == 0
        async with stage.session.get(f"{stage.addresses.rest}/demo/faults") as told:
            assert (await told.json())["faults"] == []

    play(scene)


def test_a_schedule_runs_by_its_number_and_can_be_cleared() -> None:
    async def scene(stage: Stage) -> None:
        address = f"{stage.addresses.rest}/demo/faults"
        assert (await stage.post(faults={"seed": 3, "minutes": 2.0, "kinds": ["missing", "late"]}))["status"] == 200
        await asyncio.sleep(60.0)
        async with stage.session.get(address) as told:
            found = (await told.json())["faults"]
        assert {each["fault"]["kind"] for each in found} <= {"missing", "late"}
        assert {each["phase"] for each in found} >= {"waiting", "over"}
        async with stage.session.post(address, json={"clear_faults": True}) as told:
            phases = {each["phase"] for each in (await told.json())["faults"]}
        assert phases <= {"over", "cleared"}
        async with stage.stream("aggTrade") as socket:
            assert is_whole(events(await frames(socket, 60.0)))

    play(scene)


def test_a_fault_without_a_duration_lasts_until_it_is_cleared() -> None:
    async def scene(stage: Stage) -> None:
        await stage.fault("maintenance", 0.0)
        await asyncio.sleep(3_600.0)
        assert (await stage.get("time"))[0] == 503
        assert (await stage.post(clear=[1]))["status"] == 200
        assert (await stage.get("time"))[0] == 200

    play(scene)
