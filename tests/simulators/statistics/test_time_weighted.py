"""Time-weighted curves, by hand: transfers are neither profit nor loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.simulators.statistics.equity import drawdown
from atm.simulators.statistics.time_weighted import flows_between, time_weighted


def curve(equity: list[float], initial: float, flows: list[float]) -> tuple[list[float], float]:
    found, first = time_weighted(np.array(equity), initial, np.array(flows))
    return found.tolist(), first


def test_without_transfers_it_is_the_equity_itself() -> None:
    equity = np.array([1.0, 2.0])
    assert time_weighted(equity, 1.0, None) == (equity, 1.0)
    assert time_weighted(equity, 1.0, np.zeros(2))[0] is equity


def test_a_gain_before_and_after_a_deposit_are_multiplied() -> None:
    # 100 → 110 (+10 %), 90 paid in: 200 → 220 (+10 %), 120 paid out: 100 → 50 (−50 %).
    found, first = curve([110.0, 220.0, 50.0], 100.0, [0.0, 90.0, -120.0])
    assert first == 100.0
    assert found == pytest.approx([110.0, 121.0, 60.5])


def test_a_withdrawal_is_no_drawdown() -> None:
    found, first = time_weighted(np.array([100.0, 10.0, 9.0]), 100.0, np.array([0.0, -90.0, 0.0]))
    assert drawdown(found, first).largest == pytest.approx(0.1)


def test_an_account_without_first_money_begins_with_what_comes_first() -> None:
    assert curve([0.0, 55.0, 66.0], 0.0, [0.0, 50.0, 0.0]) == (pytest.approx([50.0, 55.0, 66.0]), 50.0)


def test_what_was_lost_is_not_won_back_by_a_deposit() -> None:
    found, _ = curve([-5.0, 95.0, 190.0], 100.0, [0.0, 100.0, 0.0])
    assert found == pytest.approx([-5.0, 0.0, 0.0])


def test_a_transfer_counts_for_the_first_point_after_it() -> None:
    times = np.array([100, 200, 300])
    moved = ((50, 1.0), (99, 2.0), (100, 3.0), (150, 4.0), (200, 5.0), (300, 6.0))
    assert flows_between(times, moved).tolist() == [0.0, 7.0, 5.0]
    assert flows_between(np.zeros(0, np.int64), moved).tolist() == []


@given(
    growths=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=12),
    shares=st.lists(st.floats(-0.9, 3.0), min_size=12, max_size=12),
)
def test_the_return_is_that_of_the_growths_whatever_was_paid_in_and_out(
    growths: list[float], shares: list[float]
) -> None:
    money, equity, flows = 100.0, [], []
    for growth, share in zip(growths, shares, strict=False):
        flows.append(money * share)
        money = (money + flows[-1]) * growth
        equity.append(money)
    found, _ = curve(equity, 100.0, flows)
    assert found[-1] / 100.0 == pytest.approx(float(np.prod(growths)), rel=1e-9)
