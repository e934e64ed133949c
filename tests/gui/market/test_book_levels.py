"""Rows of an order book: sums that neither lose nor invent quantity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.market.book_levels import Row, rows_of

ASKS = ((10.001, 1.0), (10.009, 2.0), (10.01, 4.0), (10.011, 8.0), (10.025, 16.0))
BIDS = ((10.0, 1.0), (9.999, 2.0), (9.99, 4.0), (9.989, 8.0))


def test_bids_are_rounded_down_and_asks_up_so_that_a_row_can_be_had_at_its_price() -> None:
    assert rows_of(ASKS, 0.01, False, 9) == [
        Row(pytest.approx(10.01), 7.0, 7.0), Row(pytest.approx(10.02), 8.0, 15.0), Row(pytest.approx(10.03), 16.0, 31.0),
    ]  # fmt: skip
    assert rows_of(BIDS, 0.01, True, 9) == [
        Row(pytest.approx(10.0), 1.0, 1.0), Row(pytest.approx(9.99), 6.0, 7.0), Row(pytest.approx(9.98), 8.0, 15.0),
    ]  # fmt: skip


def test_only_so_many_rows_are_made_and_each_is_whole() -> None:
    assert [row.quantity for row in rows_of(ASKS, 0.01, False, 2)] == [7.0, 8.0]
    assert rows_of((), 0.01, True, 5) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 5_000), st.integers(1, 1_000)), min_size=1, max_size=60, unique_by=lambda x: x[0]
    ),
    st.sampled_from((1, 10, 100, 1_000)),
    st.booleans(),
)
def test_nothing_is_lost_and_every_level_lies_in_its_row(
    levels: list[tuple[int, int]], multiple: int, is_bid: bool
) -> None:
    tick = 0.01
    best_first = sorted(levels, reverse=is_bid)
    rows = rows_of([(price * tick, float(amount)) for price, amount in best_first], tick * multiple, is_bid, 10_000)
    assert rows[-1].total == sum(row.quantity for row in rows) == sum(amount for _, amount in levels)
    expected: dict[int, int] = {}
    for price, amount in levels:
        place = price // multiple if is_bid else math.ceil(price / multiple)
        expected[place] = expected.get(place, 0) + amount
    assert {round(row.price / (tick * multiple)): row.quantity for row in rows} == expected
