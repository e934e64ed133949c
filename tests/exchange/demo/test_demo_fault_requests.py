"""Faults of requests, of the exchange itself and their control, over real sockets and in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from atm.model.errors import Banned, Refused, Throttled, Unavailable, Unknown
from atm.model.interval import MINUTE_MS
from atm.model.order import OrderTicket, OrderType, Side, TimeInForce
from tests.exchange.demo.fault_stage import (
    OTHER,
    SYMBOL,
    T0,
    Stage,
    events,
    frames,
    is_whole,
    play,
)

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
