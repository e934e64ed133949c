"""Faults of connections and messages, over real sockets and in virtual time: the client sees exactly that fault, and sees it end."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import aiohttp
import pytest

from atm.model.interval import MINUTE_MS
from tests.exchange.demo.fault_stage import (
    LOW,
    OTHER,
    SYMBOL,
    T0,
    Stage,
    events,
    frames,
    in_order,
    is_whole,
    play,
    times,
)

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
