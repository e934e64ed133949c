from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.ledger.impact import MOST_IMPACT, book_impact
from atm.model.flow import DEPTH_DISTANCE

SPREADS = st.floats(0.0, 0.02)
DEPTHS = st.floats(1e-3, 1e9)
NOTIONALS = st.floats(0.0, 1e12)


@pytest.mark.parametrize(
    ("notional", "spread", "depth", "paid"),
    [
        (0.0, 0.0004, 1e5, 0.0002),  # half the spread
        (1e5, 0.0, 1e5, 0.0005),  # all of the depth: it walks 0.1 %, and pays half of that on average
        (5e4, 0.0004, 1e5, 0.00045),  # 0.02 % + 0.025 %
        (4e5, 0.0002, 1e5, 0.0021),  # four times the depth: 0.4 % deep at the same density, 0.01 % + 0.2 %
        (1e7, 0.0002, 1e5, 0.05),  # 100 times: 0.01 % + 5 %, capped
        (0.0, 0.2, 1e5, 0.05),
        (1.0, 0.0002, 0.0, 0.05),  # nothing to take
        (0.0, 0.0002, 0.0, 0.0001),
    ],
)
def test_by_hand(notional: float, spread: float, depth: float, paid: float) -> None:
    assert book_impact(notional, spread, depth) == pytest.approx(paid, rel=1e-12)


def test_a_finely_cut_uniform_book_costs_the_same() -> None:
    """Walked level by level, each a thousandth of the distance apart, from half the spread on."""
    notional, spread, depth, cuts = 37_000.0, 0.0003, 20_000.0, 1_000
    left, cost, level = notional, 0.0, depth / cuts
    for number in range(10 * cuts):
        taken = min(left, level)
        cost += taken * (spread / 2 + (number + 0.5) * DEPTH_DISTANCE / cuts)
        left -= taken
    assert left == 0.0
    assert book_impact(notional, spread, depth) == pytest.approx(cost / notional, rel=1e-6)


@pytest.mark.parametrize(("spread", "depth"), [(math.nan, 1e5), (0.001, math.nan), (math.nan, math.nan)])
def test_what_was_not_recorded_is_not_guessed(spread: float, depth: float) -> None:
    assert math.isnan(book_impact(100.0, spread, depth))


@given(st.tuples(NOTIONALS, NOTIONALS), SPREADS, DEPTHS)
def test_a_bigger_order_never_pays_less(notionals: tuple[float, float], spread: float, depth: float) -> None:
    small, big = sorted(notionals)
    assert 0.5 * spread <= book_impact(small, spread, depth) <= book_impact(big, spread, depth) <= MOST_IMPACT


@given(NOTIONALS, st.tuples(SPREADS, SPREADS), st.tuples(DEPTHS, DEPTHS))
def test_a_wider_or_thinner_book_never_costs_less(
    notional: float, spreads: tuple[float, float], depths: tuple[float, float]
) -> None:
    (narrow, wide), (thin, deep) = sorted(spreads), sorted(depths)
    assert book_impact(notional, narrow, deep) <= book_impact(notional, wide, deep)
    assert book_impact(notional, narrow, deep) <= book_impact(notional, narrow, thin)
