"""Streams: plan, reduction, reconnection, silence, renewal, on real sockets of a loopback exchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.reduction import MAX_CLOSED_WAITING, StreamReduction
from atm.exchange.client.stream_plan import SILENCE_S, Connection, address, replan
from atm.exchange.client.supervisor import StreamSupervisor, StreamTimes, reconnect_wait
from atm.ipc.messages import BookTop, LastTrade, MarkPrice, OpenBar

T0 = 1_700_000_040_000
# spec exchange §2.3
TRADE = {"e": "aggTrade", "E": 1790771371200, "s": "BTCUSDT", "a": 5933014, "p": "60250.00", "q": "4.704", "nq": "4.704",
         "f": 100, "l": 105, "T": 1790771371153, "m": True, "st": 1}  # fmt: skip
MARK = {"e": "markPriceUpdate", "E": 1562305380000, "s": "BTCUSDT", "p": "60250.00000000", "ap": "60249.51234567",
        "i": "60238.10495970", "P": "60237.16138815", "r": "0.00010000", "T": 1790784000000, "st": 1}  # fmt: skip
DEPTH = {"e": "depthUpdate", "E": 1790771371200, "T": 1790771371195, "s": "BTCUSDT", "U": 157, "u": 160, "pu": 149,
         "b": [["60249.90", "10.000"], ["60249.80", "2"]], "a": [["60250.00", "0.5"]], "ps": "BTCUSDT", "st": 1}  # fmt: skip


def frame(stream: str, payload: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": payload}).encode()


# --- plan -------------------------------------------------------------------------------------------------------


def test_each_stream_is_asked_for_on_the_route_that_serves_it() -> None:
    plan = {connection.route: connection for connection in replan((), ["BTCUSDT"])}
    assert plan["market"].streams == (
        "btcusdt@kline_1m", "btcusdt@aggTrade", "btcusdt@markPrice@1s", "!contractInfo", "!forceOrder@arr",
    )  # fmt: skip
    assert plan["public"].streams == ("btcusdt@depth20@500ms",)
    assert address("wss://x/", "public", plan["public"].streams) == (
        "wss://x/public/stream?streams=btcusdt@depth20@500ms"
    )


# --- reduction --------------------------------------------------------------------------------------------------


@pytest.fixture
def reduction() -> StreamReduction:
    reduction = StreamReduction()
    reduction.collect({"BTCUSDT"})
    return reduction


def changed(reduction: StreamReduction) -> list[Any]:
    """The newest state of everything that has changed since it was asked last."""
    return reduction.changes(reduction.take_touched())


def test_samples_of_the_specification_become_messages(reduction: StreamReduction, tools: Any) -> None:
    for name, payload in (("aggTrade", TRADE), ("markPrice@1s", MARK), ("depth20@500ms", DEPTH)):
        assert reduction.feed(frame(f"btcusdt@{name}", payload), 1.0) == f"btcusdt@{name}"
    reduction.feed(frame("btcusdt@kline_1m", tools.kline("BTCUSDT", T0, closed=False, close=1.5)), 2.0)
    messages = {type(message): message for message in changed(reduction)}
    assert messages[LastTrade] == LastTrade("BTCUSDT", 1790771371153, 60250.0, 4.704, True)
    assert messages[MarkPrice] == MarkPrice("BTCUSDT", 1562305380000, 60250.0, 60238.1049597, 0.0001, 1790784000000)
    assert messages[BookTop] == BookTop("BTCUSDT", 1790771371200, ((60249.9, 10.0), (60249.8, 2.0)), ((60250.0, 0.5),))
    assert messages[OpenBar].bar.row() == (1.0, 2.0, 0.5, 1.5, 114.602, 9615538.6678, 2239.0, 48.488, 4068722.1036)
    assert changed(reduction) == []
    assert reduction.newest_s == 2.0


def test_only_the_newest_state_leaves_but_every_closed_bar(reduction: StreamReduction, tools: Any) -> None:
    for second in range(100):
        reduction.feed(frame("x", tools.kline("BTCUSDT", T0, closed=False, close=second, event_time=T0 + second)), 0.0)
    reduction.feed(frame("x", tools.kline("BTCUSDT", T0, closed=True)), 0.0)
    reduction.feed(frame("x", tools.kline("BTCUSDT", T0 + 60_000, closed=True)), 0.0)
    reduction.feed(frame("x", tools.kline("BTCUSDT", T0 + 120_000, closed=False, close=7)), 0.0)
    (message,) = changed(reduction)
    assert isinstance(message, OpenBar) and message.bar.close == 7
    assert [bar.open_time for _, bar in reduction.take_closed()] == [T0, T0 + 60_000]
    assert reduction.take_closed() == []
    assert reduction.take_later() == {"BTCUSDT": T0 + 120_000}


def test_what_a_second_connection_delivers_late_is_dropped(reduction: StreamReduction, tools: Any) -> None:
    reduction.feed(frame("x", TRADE), 0.0)
    reduction.feed(frame("x", {**TRADE, "a": TRADE["a"] - 1, "p": "1"}), 0.0)
    reduction.feed(frame("x", MARK), 0.0)
    reduction.feed(frame("x", {**MARK, "E": MARK["E"] - 1, "p": "1"}), 0.0)
    reduction.feed(frame("x", DEPTH), 0.0)
    reduction.feed(frame("x", {**DEPTH, "u": 159, "b": []}), 0.0)
    reduction.feed(frame("x", tools.kline("BTCUSDT", T0, closed=False, close=1.5, event_time=T0 + 10)), 0.0)
    reduction.feed(frame("x", tools.kline("BTCUSDT", T0, closed=False, close=1.1, event_time=T0 + 9)), 0.0)
    newest = {type(message): message for message in changed(reduction)}
    assert (newest[LastTrade].price, newest[MarkPrice].mark_price) == (60250.0, 60250.0)
    assert len(newest[BookTop].bids) == 2 and newest[OpenBar].bar.close == 1.5
    assert reduction.counters.stale == 4


def test_a_tolerant_reader_counts_what_it_does_not_know(reduction: StreamReduction) -> None:
    for content in (
        b'{"stream":"btcusdt@x","data":{"e":"INVENTED","E":1}}', b'{"stream":"y","data":[1,2]}', b'{"stream"', b"\xff\x00",
        b'{"stream":"btc\xffusdt@aggTrade","data":{"e":"aggTrade","s":"BTC\xff\xfe"}}',
        b'{"result":null,"id":1}', b"{}", b"[]", frame("ethusdt@aggTrade", {**TRADE, "s": "ETHUSDT"}),
        frame("x", {**TRADE, "p": "not a number"}),
    ):  # fmt: skip
        reduction.feed(content, 0.0)
    counters = reduction.counters
    assert (counters.messages, counters.controls, counters.unknown, counters.unreadable) == (10, 2, 4, 4)
    assert changed(reduction) == []


def test_closed_bars_that_nobody_takes_are_bounded(reduction: StreamReduction, tools: Any) -> None:
    for index in range(MAX_CLOSED_WAITING + 10):
        reduction.feed(frame("x", tools.kline("BTCUSDT", T0 + index * 60_000, closed=True)), 0.0)
    assert len(reduction.take_closed()) == MAX_CLOSED_WAITING


def test_a_symbol_no_longer_collected_leaves_nothing(reduction: StreamReduction) -> None:
    reduction.feed(frame("x", TRADE), 0.0)
    reduction.collect({"ETHUSDT"})
    assert changed(reduction) == []


# --- clock ------------------------------------------------------------------------------------------------------


def test_the_clock_takes_the_middle_of_the_round_trip() -> None:
    clock = ExchangeClock()
    assert clock.now_ms(5.0) == 5.0
    clock.sample(1_000, 1_200, 9_000_000)
    assert (clock.now_ms(1_100), clock.latency_ms, clock.offset_ms(1_100)) == (9_000_000, 200, 8_998_900)


def test_the_rate_of_a_replay_is_found_and_jitter_is_not_taken_for_one() -> None:
    replay = ExchangeClock()
    replay.sample(0, 10, 0)
    replay.sample(1_000, 1_010, 100_000)
    assert replay.rate == 100
    assert replay.now_ms(2_005) == 200_000
    live = ExchangeClock()
    live.sample(0, 100, 50)
    live.sample(1_000, 1_300, 1_140)
    assert live.rate == 1.0


# --- sockets ----------------------------------------------------------------------------------------------------

FAST = StreamTimes(
    silence=0.3, stagger=0.0, renewal=3_600, renewal_jitter=0, overlap=2.0, first_wait=0.01, longest_wait=0.05
)
Streams = Callable[..., StreamSupervisor]


class Seen:
    """A sink that tests can wait on."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.changes: list[tuple[str, bool]] = []
        self._arrived = asyncio.Event()

    def __call__(self, content: bytes, now_s: float) -> str:
        self.frames.append(content)
        self._arrived.set()
        return str(json.loads(content).get("stream", ""))

    def changed(self, plan: Connection, opened: bool) -> None:
        self.changes.append((plan.route, opened))
        self._arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()


@pytest.fixture
async def seen() -> Seen:
    return Seen()


@pytest.fixture
async def streams(exchange: Any, seen: Seen) -> AsyncIterator[Streams]:
    built: list[StreamSupervisor] = []

    def build(times: StreamTimes = FAST) -> StreamSupervisor:
        supervisor = StreamSupervisor(exchange.addresses.stream, seen, seen.changed, times)
        built.append(supervisor)
        return supervisor

    yield build
    for supervisor in built:
        await supervisor.close()
    await exchange.wait_for_sockets(0)


def test_waits_double_up_to_the_longest_with_full_jitter() -> None:
    times = StreamTimes()
    assert [reconnect_wait(attempt, times, 1.0) for attempt in (0, 1, 2, 6, 7, 1000)] == [0.25, 0.5, 1, 16, 30, 30]
    assert reconnect_wait(7, times, 0.0) == 0.0


async def test_connections_follow_the_set_of_symbols(exchange: Any, streams: Streams, seen: Seen) -> None:
    supervisor = streams(StreamTimes())
    await supervisor.collect(["BTCUSDT"])
    await exchange.wait_for_sockets(2)
    await seen.until(lambda: seen.changes.count(("market", True)) == 1 and ("public", True) in seen.changes)
    assert sorted(exchange.opened) == ["/market/stream", "/public/stream"]
    await supervisor.collect(["BTCUSDT", "ETHUSDT"])
    await seen.until(lambda: sum(b'"result"' in content for content in seen.frames) == 2)
    await exchange.send("ethusdt@aggTrade", TRADE)
    await seen.until(lambda: any(b"ethusdt@aggTrade" in content for content in seen.frames))
    assert len(exchange.sockets) == 2 and supervisor.streams == 10
    await supervisor.collect(["ETHUSDT"])
    await seen.until(lambda: sum(b'"result"' in content for content in seen.frames) == 4)
    assert {s for _, _, subscribed in exchange.sockets for s in subscribed} == {
        "ethusdt@kline_1m", "ethusdt@aggTrade", "ethusdt@markPrice@1s", "ethusdt@depth20@500ms", "!contractInfo",
        "!forceOrder@arr",
    }  # fmt: skip
    await supervisor.collect([])
    await exchange.wait_for_sockets(0)


async def test_a_cut_and_a_refusing_exchange_are_survived(exchange: Any, streams: Streams, seen: Seen) -> None:
    supervisor = streams(StreamTimes(first_wait=0.01, longest_wait=0.05))
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    exchange.refuse_sockets = 6
    exchange.cut()
    await seen.until(lambda: supervisor.connected == 0)
    assert supervisor.reason
    await seen.until(lambda: supervisor.connected == 2)
    assert (supervisor.reconnects, exchange.refuse_sockets, supervisor.reason) == (2, 0, "")


async def test_more_than_three_losses_within_five_seconds_are_reported(
    exchange: Any, streams: Streams, seen: Seen
) -> None:
    supervisor = streams(StreamTimes(first_wait=0.01, longest_wait=0.05))
    await supervisor.collect(["BTCUSDT"])
    now = asyncio.get_running_loop().time
    for losses in (2, 4):
        await seen.until(lambda: supervisor.connected == 2)
        assert not supervisor.shaken(now())
        exchange.cut()
        await seen.until(lambda losses=losses: supervisor.reconnects == losses)
    assert supervisor.shaken(now()) and not supervisor.shaken(now() + 6)


async def test_a_silent_socket_is_replaced_although_it_is_open(exchange: Any, streams: Streams, seen: Seen) -> None:
    supervisor = streams(FAST)
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    async with asyncio.timeout(5):
        while len(exchange.opened) < 4:  # data on one route only: the other one is the silent one
            await exchange.send("btcusdt@markPrice@1s", MARK)
            await asyncio.sleep(0.05)
    assert exchange.opened.count("/market/stream") == 1
    assert supervisor.reconnects >= 1


async def test_a_market_that_is_held_is_silent_without_being_dead(exchange: Any, seen: Seen) -> None:
    held = True
    supervisor = StreamSupervisor(exchange.addresses.stream, seen, seen.changed, FAST, is_held=lambda: held)
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    await asyncio.sleep(3 * FAST.silence)
    assert (supervisor.connected, supervisor.reconnects) == (2, 0)
    held = False
    await seen.until(lambda: supervisor.reconnects >= 2)
    await supervisor.close()
    await exchange.wait_for_sockets(0)


async def test_renewal_overlaps_and_closes_the_old_socket_when_all_streams_have_come(
    exchange: Any, streams: Streams, seen: Seen
) -> None:
    supervisor = streams(StreamTimes(overlap=30.0, renewal=1.5, renewal_jitter=0.0))
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    await exchange.wait_for_sockets(2)
    supervisor.times = StreamTimes(overlap=30.0)  # this once
    await exchange.wait_for_sockets(4)
    await exchange.send("btcusdt@depth20@500ms", DEPTH)
    await exchange.wait_for_sockets(3)  # /public is done, /market waits for its three streams
    for name in ("kline_1m", "aggTrade", "markPrice@1s"):
        assert len(exchange.sockets) == 3
        await exchange.send(f"btcusdt@{name}", TRADE)
    await exchange.wait_for_sockets(2)
    assert (supervisor.reconnects, supervisor.connected) == (0, 2)
    before = len(seen.frames)
    await exchange.send("btcusdt@aggTrade", TRADE)
    await seen.until(lambda: len(seen.frames) == before + 1)


async def test_renewals_never_leave_more_than_two_sockets_per_connection(
    exchange: Any, streams: Streams, seen: Seen
) -> None:
    supervisor = streams(StreamTimes(stagger=0.0, renewal=0.02, renewal_jitter=0.01, overlap=0.01, first_wait=0.01))
    await supervisor.collect(["BTCUSDT"])
    most = 0
    async with asyncio.timeout(10):
        while supervisor.renewals < 50:
            most = max(most, len(exchange.sockets))
            await asyncio.sleep(0.005)
    assert most <= 2 * 2 + 2  # a socket being closed counts until its close frame has come
    assert supervisor.reconnects == 0


async def test_a_defect_in_the_sink_costs_one_socket_not_the_supervisor(exchange: Any, seen: Seen) -> None:
    failing = True

    def sink(content: bytes, now_s: float) -> str:
        if failing:
            raise KeyError("defect")
        return seen(content, now_s)

    supervisor = StreamSupervisor(
        exchange.addresses.stream, sink, seen.changed, StreamTimes(first_wait=0.01, longest_wait=0.05)
    )
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    await exchange.send("btcusdt@aggTrade", TRADE)
    await seen.until(lambda: supervisor.reconnects == 1)
    failing = False
    await seen.until(lambda: supervisor.connected == 2)
    await exchange.wait_for_sockets(2)
    await exchange.send("btcusdt@aggTrade", TRADE)
    await seen.until(lambda: len(seen.frames) == 1)
    await supervisor.close()


async def test_a_stream_that_is_silent_alone_is_asked_for_anew_and_then_gets_another_socket(
    exchange: Any, streams: Streams, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SILENCE_S, "kline_1m", 0.2)
    supervisor = streams(StreamTimes(check=0.05, stagger=0.0, overlap=0.1))
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)

    async def trades_go_on_until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await exchange.send("btcusdt@aggTrade", TRADE)
                await asyncio.sleep(0.02)

    await trades_go_on_until(lambda: sum(b'"result"' in content for content in seen.frames) == 2)
    assert exchange.opened.count("/market/stream") == 1 and supervisor.renewals == 0
    await trades_go_on_until(lambda: supervisor.renewals == 1)
    assert exchange.opened.count("/market/stream") == 2 and supervisor.reconnects == 0


async def test_a_renewal_that_fails_is_tried_again_soon(exchange: Any, streams: Streams, seen: Seen) -> None:
    supervisor = streams(StreamTimes(stagger=0.0, overlap=0.05, renewal=1.0, renewal_jitter=0.0, renewal_retry=0.05))
    await supervisor.collect(["BTCUSDT"])
    await seen.until(lambda: supervisor.connected == 2)
    exchange.refuse_sockets = 3
    async with asyncio.timeout(5):
        while supervisor.renewals < 2:
            await asyncio.sleep(0.01)
    assert (exchange.refuse_sockets, supervisor.reconnects, supervisor.connected) == (0, 0, 2)
