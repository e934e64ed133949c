"""Amounts as they are typed, and what transfers make of the return."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.errors import Invalid
from atm.model.transfer import ALL_ASSETS, Capital, parse_amount


def test_amounts_are_exact() -> None:
    assert parse_amount(" 1,234.00000001 ") == Decimal("1234.00000001")
    assert parse_amount("100000000") == Decimal(100_000_000)


@pytest.mark.parametrize("text", ["", "-1", "0", "1e9", "nan", "inf", "0.000000001", "1 000", "ten"])
def test_what_is_no_amount_is_said_with_what_is_allowed(text: str) -> None:
    with pytest.raises(Invalid, match="a number above 0, at most 100000000, with at most 8 decimals"):
        parse_amount(text)


def test_the_reference_grows_with_the_money() -> None:
    # 100 → 110, 90 paid in: the same return of 10 % is 200 / 181.8…; 200 → 220: 220 / 181.8… = 1.21.
    one = Capital().after({"USDT": 100.0}, {"USDT": 110.0}, "USDT", 90.0, 60_000)
    assert 200.0 / one.reference["USDT"] == pytest.approx(1.1)
    assert 220.0 / one.reference[ALL_ASSETS] == pytest.approx(1.21)
    two = one.after({"USDT": 100.0}, {"USDT": 220.0}, "USDT", -120.0, 60_000)
    assert 50.0 / two.reference["USDT"] == pytest.approx(0.605)
    assert (two.transferred, two.moved, two.last_ms) == ({"USDT": -30.0}, -30.0, 60_000)
    assert two.after({"USDT": 100.0}, {"USDT": 50.0}, "USDT", 1.0, 120_000).moved == 1.0


def test_assets_have_references_of_their_own() -> None:
    first = {"USDT": 100.0, "USDC": 50.0}
    moved = Capital().after(first, {"USDT": 100.0, "USDC": 100.0}, "USDC", 100.0, 0)
    assert moved.reference["USDC"] == pytest.approx(100.0)
    assert "USDT" not in moved.transferred and moved.reference["USDT"] == 100.0
    assert 300.0 / moved.reference[ALL_ASSETS] == pytest.approx(200.0 / 150.0)


def test_a_return_begins_anew_where_nothing_was() -> None:
    assert Capital().after({"USDT": 0.0}, {"USDT": 0.0}, "USDT", 70.0, 0).reference["USDT"] == 70.0
    assert Capital().after({"USDT": 100.0}, {"USDT": -3.0}, "USDT", 53.0, 0).reference["USDT"] == 50.0


@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(-0.9, 3.0)), min_size=1, max_size=12))
def test_the_return_is_that_of_the_growths(steps: list[tuple[float, float]]) -> None:
    first, money, capital = {"USDT": 100.0}, 100.0, Capital()
    for growth, share in steps:
        money *= growth
        amount = money * share
        capital = capital.after(first, {"USDT": money}, "USDT", amount, 0)
        money += amount
    assert money / capital.reference["USDT"] == pytest.approx(math.prod(growth for growth, _ in steps), rel=1e-9)
