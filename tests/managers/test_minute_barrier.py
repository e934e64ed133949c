"""Any interleaving, doubling and loss with repair of messages gives the engine the same minutes, each exactly once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from atm.managers.minute_barrier import MAX_AHEAD, BarHole, Minute, MinuteBarrier
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS, Interval

T0 = 1_690_848_000_000  # 2023-08-01 00:00 UTC
SYMBOLS = ("AAAUSDT", "BBBUSDT")
ANALYSES = {"AAAUSDT/fast": Interval.M1, "BBBUSDT/slow": Interval.M3}


def bar(minute: int, price: float = 1.0) -> Bar:
    return Bar(T0 + minute * MINUTE_MS, price, price, price, price, 1.0, 1.0, 1.0, 0.5, 0.5)


def closes(interval: Interval, minutes: int) -> list[int]:
    return [
        T0 + m * MINUTE_MS
        for m in range(1, minutes + 1)
        if interval.open_time(T0 + m * MINUTE_MS) == T0 + m * MINUTE_MS
    ]


def test_waits_for_every_symbol_and_every_row_of_the_minute() -> None:
    barrier = MinuteBarrier(SYMBOLS, ANALYSES, T0)
    barrier.add_bar("AAAUSDT", bar(0))
    assert barrier.take() == []
    barrier.add_bar("BBBUSDT", bar(0))
    assert barrier.take() == [] and barrier.missing_rows() == ["AAAUSDT/fast"]
    barrier.add_row("AAAUSDT/fast", T0 + MINUTE_MS, (1.0,))
    minutes = barrier.take()
    assert minutes == [Minute(T0, {"AAAUSDT": bar(0), "BBBUSDT": bar(0)}, {"AAAUSDT/fast": (1.0,)})]
    assert barrier.take() == [] and barrier.next_ms == T0 + MINUTE_MS


def test_rows_of_every_minute_are_waited_for_where_they_are_needed_and_dropped_elsewhere() -> None:
    both = {"AAAUSDT/slow": Interval.M3, "BBBUSDT/slow": Interval.M3}
    barrier = MinuteBarrier(SYMBOLS, both, T0, every_minute=["AAAUSDT/slow"])
    for minute in range(3):
        barrier.add_bar("AAAUSDT", bar(minute))
        barrier.add_bar("BBBUSDT", bar(minute))
    assert barrier.take() == [] and barrier.missing_rows() == ["AAAUSDT/slow"]
    for minute in (2, 1, 3):
        for analysis in both:
            barrier.add_row(analysis, T0 + minute * MINUTE_MS, (float(minute),))
    given_out = barrier.take()
    assert [minute.rows.get("AAAUSDT/slow") for minute in given_out] == [(1.0,), (2.0,), (3.0,)]
    assert [minute.rows.get("BBBUSDT/slow") for minute in given_out] == [None, None, (3.0,)]


def test_a_hole_names_the_range_and_what_the_store_lacks_is_missing() -> None:
    barrier = MinuteBarrier(["AAAUSDT"], {}, T0)
    barrier.add_bar("AAAUSDT", bar(3))
    hole = barrier.bar_hole("AAAUSDT")
    assert hole == BarHole("AAAUSDT", T0, T0 + 3 * MINUTE_MS)
    barrier.settle_bars(hole, [bar(0), bar(2)])
    given_out = barrier.take()
    assert [m.open_ms for m in given_out] == [T0 + i * MINUTE_MS for i in range(4)]
    assert [list(m.bars) for m in given_out] == [["AAAUSDT"], [], ["AAAUSDT"], ["AAAUSDT"]]
    assert barrier.bar_hole("AAAUSDT") is None


def test_a_silent_symbol_is_named_once_the_others_are_ahead() -> None:
    barrier = MinuteBarrier(SYMBOLS, {}, T0)
    for minute in range(3):
        barrier.add_bar("AAAUSDT", bar(minute))
    assert barrier.bar_hole("BBBUSDT") is None
    assert barrier.lag("BBBUSDT", 3) is None
    assert barrier.lag("BBBUSDT", 1) == BarHole("BBBUSDT", T0, T0 + 2 * MINUTE_MS)
    assert barrier.lag("BBBUSDT", 2) == BarHole("BBBUSDT", T0, T0 + MINUTE_MS)
    assert barrier.lag("AAAUSDT", 1) is None


def test_a_row_that_never_comes_can_be_given_up() -> None:
    barrier = MinuteBarrier(["AAAUSDT"], {"AAAUSDT/fast": Interval.M1}, T0)
    barrier.add_bar("AAAUSDT", bar(0))
    barrier.settle_row("AAAUSDT/fast")
    assert barrier.take() == [Minute(T0, {"AAAUSDT": bar(0)}, {})]


def test_far_ahead_bars_are_not_kept_but_read_later() -> None:
    barrier = MinuteBarrier(["AAAUSDT"], {}, T0)
    barrier.add_bar("AAAUSDT", bar(MAX_AHEAD + 5))
    seen = 0
    while (hole := barrier.bar_hole("AAAUSDT")) is not None:
        barrier.settle_bars(hole, [bar(int((hole.start_ms - T0) // MINUTE_MS))])
        seen += len(barrier.take(limit=10**9))
    assert seen == MAX_AHEAD + 6


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_arrival_gives_the_same_minutes(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 14))
    absent = (
        data.draw(st.sets(st.tuples(st.sampled_from(SYMBOLS), st.integers(0, length - 2)))) if length > 1 else set()
    )
    store = {s: [bar(m, m + 1.0) for m in range(length) if (s, m) not in absent] for s in SYMBOLS}
    rows = [(a, c, (float(c),)) for a, i in ANALYSES.items() for c in closes(i, length)]
    messages: list[tuple[str, object]] = [(s, b) for s in SYMBOLS for b in store[s]] + [("", r) for r in rows]
    last = [m for m in messages if isinstance(m[1], Bar) and m[1].open_time == T0 + (length - 1) * MINUTE_MS]
    lost = data.draw(st.sets(st.integers(0, len(messages) - 1)))
    kept = [m for i, m in enumerate(messages) if i not in lost or not isinstance(m[1], Bar)] + last
    arrival = data.draw(st.permutations(kept + data.draw(st.lists(st.sampled_from(kept), max_size=5))))

    barrier = MinuteBarrier(SYMBOLS, ANALYSES, T0)
    given_out: list[Minute] = []
    for name, content in arrival:
        if isinstance(content, Bar):
            barrier.add_bar(name, content)
        else:
            barrier.add_row(*content)  # type: ignore[misc]
        for symbol in SYMBOLS:
            if data.draw(st.booleans()) and (hole := barrier.bar_hole(symbol)) is not None:
                barrier.settle_bars(hole, store[symbol])
        given_out += barrier.take(limit=data.draw(st.integers(1, 20)))
    for symbol in SYMBOLS:
        while (hole := barrier.bar_hole(symbol)) is not None:
            barrier.settle_bars(hole, store[symbol])
    given_out += barrier.take()

    expected = [
        Minute(
            T0 + m * MINUTE_MS,
            {s: b for s in SYMBOLS for b in store[s] if b.open_time == T0 + m * MINUTE_MS},
            {a: v for a, c, v in rows if c == T0 + (m + 1) * MINUTE_MS},
        )
        for m in range(length)
    ]
    assert given_out == expected
