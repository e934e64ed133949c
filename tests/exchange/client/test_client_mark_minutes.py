"""Mark price bars from single mark prices, against brute force; what was seen in part only; settled rates."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.exchange.client.book_flow import KEPT_MINUTES
from atm.exchange.client.mark_minutes import ClosedMinute, MarkMinutes, Told
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.mark import Mark

T0 = 1_694_131_200_000
"""08:00 UTC, a funding stamp."""
STAMP = T0 + 8 * HOUR_MS


def tell(minutes: MarkMinutes, time_ms: int, price: float = 1.0, rate: float = 0.0, funding_ms: int = STAMP,
         now_s: float | None = None) -> None:  # fmt: skip
    minutes.told(Told(time_ms, price, rate, funding_ms, time_ms / 1000 if now_s is None else now_s))


def tell_all(minutes: MarkMinutes, start_ms: int, end_ms: int, but: range = range(0)) -> None:
    for ms in range(start_ms, end_ms, 1_000):
        if ms not in but:
            tell(minutes, ms, price=1.0 + ms % MINUTE_MS / 1e6)


@given(
    st.lists(st.floats(0.5, 2.0), min_size=180, max_size=180),
    st.lists(st.sampled_from(["tell", "tell", "tell", "tell", "again", "lose", "cut"]), min_size=180, max_size=180),
)
def test_a_minute_is_whole_exactly_when_nothing_of_it_was_missed_and_then_brute_force(
    prices: list[float], fates: list[str]
) -> None:
    """One price a second. lose: the event does not come; cut: it does not come and the connection is a new one; again: twice."""
    minutes = MarkMinutes()
    seen: dict[int, float] = {}
    for second, (price, fate) in enumerate(zip(prices, fates, strict=True)):
        ms = T0 + MINUTE_MS + second * 1_000
        if fate == "cut":
            minutes.interrupt()
        elif fate != "lose":
            seen[ms] = price
            for _ in range(1 + (fate == "again")):
                tell(minutes, ms, price)
    for number in range(3):
        opened = T0 + (number + 1) * MINUTE_MS
        told = {ms: price for ms, price in seen.items() if opened <= ms < opened + MINUTE_MS}
        closed = minutes.close(opened)
        if closed.mark is None:
            assert not told and not closed.whole
            continue
        values = list(told.values())
        assert msgspec.structs.astuple(closed.mark)[:4] == (values[0], max(values), min(values), values[-1])
        assert closed.whole is (len(told) == 60)


@pytest.mark.parametrize(
    ("lost", "whole"),
    [
        (range(0), True),
        (range(T0, T0 + 1_000), False),  # the first second
        (range(T0 + 59_000, T0 + 60_000), False),  # the last one
        (range(T0 + 20_000, T0 + 24_000), False),  # four in the middle
        (range(T0 + 20_000, T0 + 21_000), False),  # a single one
    ],
)
def test_silence_makes_a_minute_one_that_was_seen_in_part(lost: range, whole: bool) -> None:
    minutes = MarkMinutes()
    tell_all(minutes, T0 - MINUTE_MS, T0 + 2 * MINUTE_MS, lost)
    assert minutes.close(T0).whole is whole
    assert minutes.close(T0 + MINUTE_MS).whole


def test_a_fast_market_tells_few_prices_in_little_time_and_a_held_one_is_asked_for() -> None:
    fast, slow = MarkMinutes(), MarkMinutes()
    for minutes, seconds_each in ((fast, 0.02), (slow, 20.0)):
        for number, ms in enumerate((-1_000, 0, 17_000, 42_000, 59_000, 60_000)):
            tell(minutes, T0 + ms, now_s=number * seconds_each)
    assert fast.close(T0).whole
    assert not slow.close(T0).whole


def test_a_break_of_the_connection_counts_unless_no_second_was_lost() -> None:
    for pause, whole in ((1_000, True), (2_000, False)):
        minutes = MarkMinutes()
        tell_all(minutes, T0 - MINUTE_MS, T0 + 30_000)
        minutes.interrupt()
        tell_all(minutes, T0 + 29_000 + pause, T0 + 2 * MINUTE_MS)
        assert minutes.close(T0).whole is whole


def test_the_rate_is_the_last_one_told_for_a_stamp_before_it_passed() -> None:
    minutes = MarkMinutes()
    for ms in range(STAMP - MINUTE_MS, STAMP + MINUTE_MS, 1_000):
        coming = STAMP if ms < STAMP else STAMP + 8 * HOUR_MS
        tell(minutes, ms, rate=(ms - STAMP) / 1e9, funding_ms=coming)
    before, after = minutes.close(STAMP - MINUTE_MS), minutes.close(STAMP)
    assert before.mark is not None and math.isnan(before.mark.funding_rate)
    assert after == ClosedMinute(Mark(1.0, 1.0, 1.0, 1.0, -1e-6), True)


def test_a_full_hour_without_a_stamp_has_no_rate_and_one_of_which_nothing_is_known_is_asked_for() -> None:
    minutes = MarkMinutes()
    tell_all(minutes, T0 + HOUR_MS - MINUTE_MS, T0 + HOUR_MS + MINUTE_MS)
    closed = minutes.close(T0 + HOUR_MS)
    assert closed.whole and closed.mark is not None and math.isnan(closed.mark.funding_rate)
    started = MarkMinutes()
    tell_all(started, STAMP, STAMP + MINUTE_MS)
    assert not started.close(STAMP).whole


def test_a_closed_minute_stays_and_so_many_are_kept() -> None:
    minutes = MarkMinutes()
    tell_all(minutes, T0 - 1_000, T0 + 59_000)
    closed = minutes.close(T0)
    tell(minutes, T0 + 59_000, price=9.0)
    assert minutes.close(T0) == closed == minutes.closed(T0)
    minutes.settle(T0, Mark(1, 2, 3, 4))
    assert minutes.closed(T0) == ClosedMinute(Mark(1, 2, 3, 4), True)
    for number in range(1, KEPT_MINUTES + 1):
        minutes.close(T0 + number * MINUTE_MS)
    assert minutes.closed(T0) == ClosedMinute(None, False)


def test_an_exchange_that_was_set_back_tells_its_minutes_anew() -> None:
    minutes = MarkMinutes()
    tell_all(minutes, T0 + MINUTE_MS, T0 + 3 * MINUTE_MS)
    minutes.interrupt()
    for ms in range(T0 + MINUTE_MS, T0 + 2 * MINUTE_MS, 1_000):
        tell(minutes, ms, price=5.0)
    closed = minutes.close(T0 + MINUTE_MS)
    assert closed.whole and closed.mark is not None
    assert (closed.mark.open, closed.mark.high, closed.mark.close) == (5.0, 5.0, 5.0)
