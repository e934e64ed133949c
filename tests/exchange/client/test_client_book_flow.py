from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.exchange.client.book_flow import KEPT_MINUTES, BookFlow
from atm.exchange.client.reduction import StreamReduction
from atm.model.flow import BookMeasures, Flow
from atm.model.interval import MINUTE_MS

T0 = 1_694_131_200_000


def book(imbalance: float) -> BookMeasures | None:
    """Of a book whose other measures follow from its imbalance, exactly so in single precision; NaN: it says nothing."""
    if math.isnan(imbalance):
        return None
    return BookMeasures(imbalance, 2 + imbalance, 4 * (2 + imbalance), 8 * (2 + imbalance), (2 + imbalance) / 4)


def mean(imbalance: float, known: float) -> Flow:
    """The flow of a minute of such books: means are linear."""
    return Flow(imbalance, known, 2 + imbalance, 4 * (2 + imbalance), 8 * (2 + imbalance), (2 + imbalance) / 4)


def fed(*books: tuple[float, float]) -> BookFlow:
    """Books at seconds after T0."""
    flow = BookFlow()
    for second, value in books:
        flow.book(T0 + round(second * 1000), book(value))
    return flow


def test_the_mean_is_over_event_time():
    flow = fed((0, 0.5), (15, -1.0), (45, 0.0))
    assert flow.close(T0) == mean((0.5 * 15 - 1.0 * 30) / 60, 1.0)


def test_time_without_a_book_counts_for_nothing_and_is_told():
    assert fed((30, 0.5), (45, -0.5), (50, math.nan)).close(T0) == mean((0.5 * 15 - 0.5 * 5) / 20, 20 / 60)
    assert fed().close(T0) is None
    assert fed((61, 0.5)).close(T0) is None


def test_a_book_goes_on_into_the_next_minute_but_not_for_longer_than_one():
    flow = fed((50, 0.5))
    assert flow.close(T0) == mean(0.5, 10 / 60)
    flow.book(T0 + 200_000, book(0.1))
    assert flow.close(T0 + MINUTE_MS) == mean(0.5, 50 / 60)
    assert flow.close(T0 + 2 * MINUTE_MS) is None


def test_nothing_is_known_while_the_connection_is_broken():
    flow = fed((0, 0.5), (20, 0.5))
    flow.interrupt()
    flow.book(T0 + 40_000, book(-0.5))
    assert flow.close(T0) == mean(0.0, 40 / 60)


def test_a_minute_is_final_once_it_is_closed():
    flow = fed((0, 0.5))
    assert flow.close(T0) == mean(0.5, 1.0)
    flow.book(T0 + 59_000, book(-1.0))  # late
    flow.book(T0 + 90_000, book(0.0))
    assert flow.close(T0) == flow.closed(T0) == mean(0.5, 1.0)
    assert flow.close(T0 + MINUTE_MS) == mean(-0.5, 1.0)


def test_bars_that_come_late_find_their_minutes():
    flow = fed((0, 0.25), (60, 0.5), (120, 1.0), (180, 0.0))
    assert flow.closed(T0) is None
    assert [flow.close(T0 + minute * MINUTE_MS).imbalance for minute in range(3)] == [0.25, 0.5, 1.0]


def test_an_exchange_set_back_is_not_counted_twice():
    flow = fed((0, 1.0), (60, 1.0), (110, 1.0))
    flow.interrupt()
    flow.book(T0 + 60_000, book(-1.0))
    flow.book(T0 + 120_000, book(-1.0))
    assert flow.close(T0) == mean(1.0, 1.0)
    assert flow.close(T0 + MINUTE_MS) == mean(-1.0, 1.0)


def test_what_nobody_asks_for_is_bounded():
    flow = BookFlow()
    for minute in range(10 * KEPT_MINUTES):
        flow.book(T0 + minute * MINUTE_MS, book(0.5))
        if minute % 2:
            flow.close(T0 + (minute - 1) * MINUTE_MS)
    assert len(flow._sums) <= KEPT_MINUTES and len(flow._closed) <= KEPT_MINUTES


@settings(max_examples=60, deadline=None)
@given(
    books=st.lists(st.tuples(st.integers(0, 400), st.sampled_from([-1.0, 0.3, 1.0, math.nan])), max_size=40),
    order=st.permutations(range(6)),
)
def test_it_is_the_mean_over_time_in_whatever_order_minutes_are_closed(books, order):
    timed = sorted(dict(books).items())
    flow = fed(*timed)
    known = [math.nan] * 480
    for (begin, value), end in zip(timed, [*[second for second, _ in timed[1:]], 480], strict=bool(timed)):
        for second in range(begin, min(end, begin + 60)):
            known[second] = value
    for minute in order:
        inside = [value for value in known[minute * 60 : (minute + 1) * 60] if value == value]
        found = flow.close(T0 + minute * MINUTE_MS)
        if not inside:
            assert found is None
        else:
            assert found is not None
            assert found.imbalance == pytest.approx(sum(inside) / len(inside), abs=1e-12)
            assert found.known == len(inside) / 60
            assert (found.spread, found.bid_depth, found.ask_depth, found.reach) == pytest.approx(
                book(sum(inside) / len(inside))[1:], rel=1e-7
            )


def test_a_small_book_in_a_frame_is_reduced_to_its_measures():
    reduction = StreamReduction()
    reduction.collect({"XUSDT"})
    for second, quantity in ((0, "3"), (30, "1")):
        book = {"e": "depthUpdate", "E": T0 + second * 1000, "s": "XUSDT", "u": second,
                "b": [["99.0", quantity]], "a": [["101.0", "1"]]}  # fmt: skip
        reduction.feed(json.dumps({"stream": "xusdt@depth20@500ms", "data": book}).encode(), 0.0)
    found = reduction.slots["XUSDT"].flow.close(T0)
    assert found is not None and found.known == 1.0
    assert found.imbalance == pytest.approx(0.25)  # half of (3 − 1) / (3 + 1), half of (1 − 1) / 2
    assert found.spread == pytest.approx(0.02)
    assert (found.bid_depth, found.ask_depth) == pytest.approx((99 * 2, 101)), "mean of 3 and 1; the best level counts"
    assert found.reach == 1.0
