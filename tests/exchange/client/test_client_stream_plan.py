"""Streams of hundreds of symbols: over connections within the exchange's limits (spec: exchange §2.1), and moved as little as
possible."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.client.connection import CONTROL_BATCH, CONTROL_PAUSE_S
from atm.exchange.client.handshake_pace import HandshakePace
from atm.exchange.client.stream_plan import ROUTES, Connection, address, replan
from atm.exchange.client.stream_watch import StreamWatch

STREAMS_PER_CONNECTION = 1_024
CONTROL_MESSAGES_PER_S = 10
CONNECTIONS_IN_5_MINUTES = 300
LONGEST_REQUEST_LINE = 8_190

SEVEN_HUNDRED = [f"SYMBOL{number}USDT" for number in range(700)]


def test_700_symbols_fit_within_the_limits_of_the_exchange() -> None:
    plan = replan((), SEVEN_HUNDRED)
    served = [stream for connection in plan for stream in connection.streams]
    expected = {
        f"{symbol.lower()}@{kind}"
        for symbol in SEVEN_HUNDRED
        for kind in ("kline_1m", "aggTrade", "markPrice@1s", "depth20@500ms")
    }
    assert sorted(served) == sorted(expected | {"!contractInfo", "!forceOrder@arr"})
    assert len(plan) <= 20
    assert all(len(connection.streams) <= STREAMS_PER_CONNECTION for connection in plan)
    for connection in plan:
        line = address("wss://fstream.binance.com", connection.route, connection.streams)
        assert len(line) < LONGEST_REQUEST_LINE
        kinds = {stream.partition("@")[2] for stream in connection.streams} - {"", "arr"}
        assert kinds == (
            {"depth20@500ms"} if connection.route == "public" else {"kline_1m", "aggTrade", "markPrice@1s"}
        )


def test_700_symbols_start_one_after_the_other_and_still_within_two_seconds() -> None:
    pace = HandshakePace(0.1)
    starts = [pace.book(0.0) for _ in replan((), SEVEN_HUNDRED)]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] <= 2.0
    assert all(later - earlier >= 0.0999 for earlier, later in itertools.pairwise(starts))


def test_control_messages_stay_far_below_ten_a_second() -> None:
    assert 1 / CONTROL_PAUSE_S <= CONTROL_MESSAGES_PER_S / 2
    assert max(len(connection.streams) for connection in replan((), SEVEN_HUNDRED)) <= CONTROL_BATCH


@given(st.lists(st.sets(st.integers(0, 60)), min_size=1, max_size=6))
def test_replanning_serves_every_symbol_once_moves_none_and_keeps_the_limit(sets: list[set[int]]) -> None:
    plan: tuple[Connection, ...] = ()
    for wanted in sets:
        symbols = [f"S{number}USDT" for number in sorted(wanted)]
        before = {(c.route, s): c.number for c in plan for s in c.symbols}
        plan = replan(plan, symbols, max_streams=31)
        for route in ROUTES:
            served = [s for c in plan if c.route == route for s in c.symbols]
            assert sorted(served) == sorted(symbols)
        assert all(0 < len(c.streams) <= 31 and c.symbols for c in plan)
        assert len({c.number for c in plan}) == len(plan)
        assert all(before.get((c.route, s), c.number) == c.number for c in plan for s in c.symbols)
        assert sum("!contractInfo" in c.streams for c in plan) == bool(symbols)


@settings(max_examples=30)
@given(st.sets(st.integers(0, 699), max_size=40), st.integers(0, 40))
def test_a_change_touches_only_the_connections_of_the_symbols_that_changed(gone: set[int], added: int) -> None:
    before = replan((), SEVEN_HUNDRED)
    wanted = [symbol for number, symbol in enumerate(SEVEN_HUNDRED) if number not in gone]
    wanted += [f"NEW{number}USDT" for number in range(added)]
    after = {connection.number: connection for connection in replan(before, wanted)}
    lost = {SEVEN_HUNDRED[number] for number in gone}
    subscribed = unsubscribed = 0
    for old in before:
        new = after.get(old.number)
        kept = set(new.streams) if new is not None else set()
        subscribed += len(kept - set(old.streams))
        unsubscribed += len(set(old.streams) - kept)
        if not lost & set(old.symbols) and new is not None:
            assert new.symbols[: len(old.symbols)] == old.symbols
    opened = [connection for number, connection in after.items() if number not in {old.number for old in before}]
    assert unsubscribed == 4 * len(gone)
    assert subscribed + sum(len(connection.streams) for connection in opened) == 4 * added


@given(st.lists(st.floats(0, 30), min_size=1, max_size=1_000), st.floats(0, 0.5))
def test_never_more_connections_than_the_exchange_takes(pauses: list[float], stagger: float) -> None:
    pace, now, starts = HandshakePace(stagger), 1_000.0, []
    for pause in pauses:
        now += pause / 100
        starts.append(now + pace.book(now))
    assert starts == sorted(starts)
    first = 0
    for last, start in enumerate(starts):
        while starts[first] <= start - 300.0:
            first += 1
        assert last - first < CONNECTIONS_IN_5_MINUTES


def test_connections_that_always_fail_cannot_get_the_address_banned() -> None:
    """15 connections that are cut again and again, each tried anew at once."""
    pace, starts = HandshakePace(0.1), []
    runners = [0.0] * 15
    while min(runners) < 900.0:
        place = runners.index(min(runners))
        now = runners[place]
        runners[place] = now + pace.book(now) + 0.05
        starts.append(runners[place] - 0.05)
    assert max(sum(begin <= start < begin + 300.0 for start in starts) for begin in range(600)) <= 300


# --- silence of single streams ------------------------------------------------------------------------------------


def test_each_kind_of_stream_is_judged_by_its_own_cadence() -> None:
    streams = ("a@kline_1m", "a@aggTrade", "a@markPrice@1s", "a@depth20@500ms", "!contractInfo")
    watch = StreamWatch(streams, 0.0)
    assert watch.silent(19.0) == {}
    assert watch.silent(20.0) == {"a@markPrice@1s": 1}
    watch.heard["a@depth20@500ms"] = 50.0
    assert watch.silent(109.0) == {"a@markPrice@1s": 2}
    assert watch.silent(110.0) == {"a@depth20@500ms": 1}
    assert watch.silent(150.0) == {"a@kline_1m": 1}
    assert not {"a@aggTrade", "!contractInfo"} & watch.silent(1e6).keys()


def test_what_stays_silent_is_tried_at_ever_longer_intervals_until_it_speaks() -> None:
    watch, tries = StreamWatch(("a@markPrice@1s",), 0.0), []
    for now in range(2_000):
        if watch.silent(float(now)):
            tries.append(now)
    assert tries == [20, 60, 140, 300, 620, 1260]
    watch.heard["a@markPrice@1s"] = 2_000.0
    assert watch.silent(2_019.0) == {} and watch.silent(2_020.0) == {"a@markPrice@1s": 1}


def test_a_new_socket_gives_its_streams_their_time_and_forgets_no_try() -> None:
    watch = StreamWatch(("a@markPrice@1s",), 0.0)
    assert watch.silent(20.0) == {"a@markPrice@1s": 1}
    watch.opened(55.0)
    assert watch.silent(94.0) == {}
    assert watch.silent(95.0) == {"a@markPrice@1s": 2}


def test_only_planned_streams_are_watched() -> None:
    watch = StreamWatch(("a@markPrice@1s", "b@markPrice@1s"), 0.0)
    heard = watch.heard
    watch.follow(("b@markPrice@1s", "c@markPrice@1s"), 15.0)
    assert watch.heard is heard and set(heard) == {"b@markPrice@1s", "c@markPrice@1s"}
    assert watch.silent(20.0) == {"b@markPrice@1s": 1}


def test_symbols_whose_order_flow_nobody_wants_have_no_book_and_get_it_back() -> None:
    plan = replan((), ["A", "B", "C"], without_books={"B"})
    by_route = {connection.route: connection.symbols for connection in plan}
    assert by_route == {"market": ("A", "B", "C"), "public": ("A", "C")}
    without = replan(plan, ["A", "B", "C"], without_books={"A", "B", "C"})
    assert [connection.route for connection in without] == ["market"]
    again = replan(without, ["A", "B", "C"])
    assert {connection.route: connection.symbols for connection in again}["public"] == ("A", "B", "C")
