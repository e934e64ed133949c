"""Excursions, funding and room to liquidation: by hand on a few minutes, and against a plain walk over every minute."""

import dataclasses
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.ledger.margin import liquidation_price
from atm.model.account import TradeReason
from atm.simulators.statistics.path import SymbolPath, funding_paid
from tests.simulators.statistics.fills import fill, trips_of

BRACKETS = np.array([[0.0, 1e9, 0.01, 0.0, 50.0]])
NAN = math.nan


def path(highs: list[float], lows: list[float], opens: list[float] | None = None, rate: float = 0.0) -> SymbolPath:
    high, low = np.array(highs, float), np.array(lows, float)
    open_ = (high + low) / 2 if opens is None else np.array(opens, float)
    volumes = np.ones(len(high), np.float32)
    return SymbolPath(0, open_, high, low, open_, volumes, 5.0, BRACKETS, rate, 4 * 60_000)


def test_excursions_are_of_the_minutes_held_and_of_the_fill_prices() -> None:
    minutes = path([100, 110, 103, NAN, 140], [100, 99, 95, NAN, 60])
    fills = [
        fill(1, 2, 100, 2, 100),
        fill(4, -2, 97, 0, reason=TradeReason.STOP_IMMEDIATE),  # the rest of minute 4 was not suffered
    ]
    (trip,), room = trips_of(fills, {"A": minutes})
    assert (trip.adverse, trip.favourable) == (pytest.approx(-0.05), pytest.approx(0.10))
    level = liquidation_price(BRACKETS, 2, 100, 2 * 100 / 5)
    assert trip.liquidation_room == room == pytest.approx((95 - level) / 95)


def test_a_short_position_suffers_from_highs() -> None:
    minutes = path([100, 110, 103], [100, 99, 95])
    (trip,), _ = trips_of([fill(1, -2, 100, -2, 100), fill(2, 2, 101, 0)], {"A": minutes})
    assert (trip.adverse, trip.favourable) == (pytest.approx(-0.10), pytest.approx(0.01))


def test_entered_and_stopped_in_one_minute_counts_the_fill_alone() -> None:
    minutes = path([100, 130, 100], [100, 70, 100])
    stop = fill(1, -1, 96, 0, reason=TradeReason.STOP_IMMEDIATE)
    (trip,), room = trips_of([fill(1, 1, 100, 1, 100), stop], {"A": minutes})
    assert (trip.adverse, trip.favourable, room) == (pytest.approx(-0.04), 0.0, 1.0)


def test_a_liquidated_trip_has_no_room_left() -> None:
    minutes = path([100, 101, 101], [100, 80, 70])
    end = fill(2, -1, 80, 0, profit=-20, reason=TradeReason.LIQUIDATION)
    (trip,), room = trips_of([fill(1, 1, 100, 1, 100), end], {"A": minutes})
    assert trip.liquidation_room == room == 0.0


def test_an_open_position_counts_for_the_room_but_is_no_trip() -> None:
    trips, room = trips_of([fill(1, 1, 100, 1, 100)], {"A": path([100, 100, 100], [100, 100, 90])})
    assert trips == []
    assert room == pytest.approx((90 - liquidation_price(BRACKETS, 1, 100, 20)) / 90)
    assert trips_of([], {"A": path([1], [1])}) == ([], 1.0)


def test_a_cross_position_is_backed_by_the_wallet_after_its_fill() -> None:
    minutes = dataclasses.replace(path([100, 100, 100], [100, 100, 60]), isolated=False)
    opened = msgspec.structs.replace(fill(1, 1, 100, 1, 100), wallet_after=70.0)
    _, room = trips_of([opened], {"A": minutes})
    assert room == pytest.approx((60 - 30 / 0.99) / 60)  # 70 + (p − 100) = 0.01 p
    # liquidated in part, the rest closed in peace
    part = msgspec.structs.replace(fill(2, -0.5, 60, 0.5, 100, reason=TradeReason.LIQUIDATION), wallet_after=50.0)
    (trip,), room = trips_of([opened, part, fill(2, -0.5, 60, 0)], {"A": minutes})
    assert trip.liquidation_room == room == 0.0


def test_funding_is_due_at_stamps_after_the_entry_up_to_the_exit() -> None:
    opens = [10.0, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, NAN]
    minutes = path(opens, opens, opens, rate=0.01)  # stamps: minutes 0, 4, 8, 12
    first, last = np.array([0, 0, 4, 5, 9]), np.array([3, 4, 13, 7, 13])
    found = funding_paid(minutes, first, last, np.array([2.0, 2, -1, 1, 1]))
    # entered at a stamp: not held before; left at one: held before; minute 12 is missing
    np.testing.assert_allclose(found, [0, 2 * 20 * 0.01, -0.3, 0, 0])
    # recorded rates go before the constant, and are charged at stamps of their own as well
    rates = np.array([(4 * 60_000, -0.02), (6 * 60_000, 0.5), (12 * 60_000, 0.5)])
    found = funding_paid(dataclasses.replace(minutes, rates=rates), first, last, np.array([2.0, 2, -1, 1, 1]))
    np.testing.assert_allclose(found, [0, 2 * 20 * -0.02, -(22 * 0.5 + 30 * 0.01), 22 * 0.5, 0])
    # on the mark price where it is recorded
    marks = np.full(13, NAN)
    marks[4] = 19.5
    found = funding_paid(dataclasses.replace(minutes, marks=(marks,) * 4), first, last, np.array([2.0, 2, -1, 1, 1]))
    np.testing.assert_allclose(found, [0, 2 * 19.5 * 0.01, -0.3, 0, 0])


def test_the_room_to_liquidation_is_that_of_the_mark_price() -> None:
    marks = np.array([100.0, 100.0, 95.0, 97.0])
    minutes = dataclasses.replace(path([100] * 4, [100, 100, 81, 100]), marks=(marks,) * 4)
    trips, room = trips_of([fill(1, 1, 100, 1, 100)], {"A": minutes})
    assert room == pytest.approx((95 - liquidation_price(BRACKETS, 1, 100, 20)) / 95)
    assert trips == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_measured_as_a_walk_over_every_minute_would(seed: int) -> None:
    g = np.random.default_rng(seed)
    n = 60
    highs, lows = 100 + g.random(n) * 20, 100 - g.random(n) * 20
    holes = g.random(n) < 0.1
    highs[holes] = lows[holes] = NAN
    minutes = path(list(highs), list(lows), rate=0.003)
    fills, quantity, begun = [], 0.0, 0
    for t in sorted(g.choice(n, 12, replace=False)):
        price = float(100 + g.normal() * 3)
        if quantity == 0.0:
            quantity = float(g.choice([-2.0, 2.0]))
            fills.append(fill(int(t), quantity, price, quantity, price))
            entry, begun = price, len(fills) - 1
        else:
            size = float(g.choice([1.0, abs(quantity)]))
            left = quantity - math.copysign(size, quantity)
            fills.append(fill(int(t), -math.copysign(size, quantity), price, left, entry if left else 0.0))
            quantity = left
    if quantity != 0.0:
        fills = fills[:begun]
    trips, _ = trips_of(fills, {"A": minutes})
    expected = []
    held, worst, best, paid = 0.0, 0.0, 0.0, 0.0
    by_minute = {t.time_ms // 60_000: t for t in fills}
    for t in range(n):
        if held and t % 4 == 0 and not math.isnan(minutes.opens[t]):
            paid += held * minutes.opens[t] * 0.003
        if t in by_minute:
            f = by_minute[t]
            if held:
                gain = math.copysign(1, held) * (f.price / entry - 1)
                worst, best = min(worst, gain), max(best, gain)
            else:
                entry = f.price
            held = f.quantity_after
            if held == 0.0:
                expected.append((worst, best, paid))
                worst = best = paid = 0.0
        if held and not math.isnan(highs[t]):
            gains = [math.copysign(1, held) * (p / entry - 1) for p in (highs[t], lows[t])]
            worst, best = min(worst, *gains), max(best, *gains)
    found = [(trip.adverse, trip.favourable, trip.funding) for trip in trips]
    np.testing.assert_allclose(np.array(found).reshape(-1, 3), np.array(expected).reshape(-1, 3), atol=1e-12)
