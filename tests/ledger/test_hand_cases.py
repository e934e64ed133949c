"""Each case with its calculation beside it, worked by hand from the exchange's published rules.

BTC is the bracket table of BTCUSDT as published in 2026-09. *Sample* marks numbers of the exchange's own documentation: an
account of 9,985 USDT with 0.5 BTC long at 60,000, mark price 60,250, leverage 20, in cross margin.
"""

import itertools
import math

import numpy as np
import pytest

from atm.ledger.balance import (
    available_balance,
    commitment_rate,
    is_liquidated,
    margin_ratio,
    max_addable,
    max_removable,
    max_withdrawal,
    risk_level,
)
from atm.ledger.fill import (
    after_fill,
    commission,
    commission_rate,
    funding_payment,
    initial_margin,
    unrealized_profit,
)
from atm.ledger.liquidation import (
    Pool,
    contribution,
    cross_reductions,
    cross_remainder,
    liquidation_remainder,
    next_reduction,
)
from atm.ledger.margin import liquidation_price, maintenance_margin, max_notional
from atm.ledger.settings import (
    ALLOWED,
    ISOLATED_LOWERING,
    NOT_OFFERED,
    OPEN_ORDERS,
    OPEN_POSITION,
    SAME_MODE,
    TOO_LARGE,
    TOO_LITTLE_MARGIN,
    leverage_change,
    mode_change,
)

BTC = np.array(
    [
        (0, 3e5, 0.004, 0, 150),
        (3e5, 8e5, 0.005, 300, 100),
        (8e5, 3e6, 0.0065, 1_500, 75),
        (3e6, 12e6, 0.01, 12_000, 50),
        (12e6, 70e6, 0.02, 132_000, 25),
        (70e6, 100e6, 0.025, 482_000, 20),
        (100e6, 230e6, 0.05, 2_982_000, 10),
        (230e6, 480e6, 0.1, 14_482_000, 5),
        (480e6, 600e6, 0.125, 26_482_000, 4),
        (600e6, 800e6, 0.15, 41_482_000, 3),
        (800e6, 1.2e9, 0.25, 121_482_000, 2),
        (1.2e9, 1.8e9, 0.5, 421_482_000, 1),
    ]
)
near = pytest.approx


# --- maintenance margin and brackets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notional", "expected"),
    [
        (30_125, 120.5),  # Sample: 0.5 · 60,250 · 0.4 %
        (300_000, 1_200.0),  # exactly the cap: still 0.4 %
        (300_001, 1_200.005),  # one above: 300,001 · 0.5 % − 300
        (800_000, 3_700.0),  # 800,000 · 0.5 % − 300
        (800_001, 3_700.0065),  # 800,001 · 0.65 % − 1,500
        (6_000_000, 48_000.0),  # 6,000,000 · 1 % − 12,000
        (2e9, 578_518_000.0),  # above the table its last row holds: 2e9 · 50 % − 421,482,000
        (0, 0.0),
    ],
)
def test_maintenance_margin(notional: float, expected: float) -> None:
    assert maintenance_margin(BTC, notional) == near(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("leverage", "expected"),
    [(20, 100e6), (125, 300e3), (21, 70e6), (1, 1.8e9), (151, 0)],  # Sample: 20 → maxNotionalValue 100,000,000
)
def test_the_largest_cap_of_the_brackets_that_offer_the_leverage(leverage: float, expected: float) -> None:
    assert max_notional(BTC, leverage) == expected


def test_the_cumulative_amounts_are_those_that_make_the_margin_continuous() -> None:
    # cumₙ = cumₙ₋₁ + floorₙ · (rateₙ − rateₙ₋₁)
    for before, row in itertools.pairwise(BTC):
        assert row[3] == near(before[3] + row[0] * (row[2] - before[2]))


# --- liquidation price --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "entry", "wallet", "expected"),
    [
        (0.5, 60_000, 1_500, 57_228.915663),  # (1,500 − 30,000) / (0.5 · (0.004 − 1)) = −28,500 / −0.498
        (-0.5, 60_000, 1_500, 62_749.003984),  # (1,500 + 30,000) / (0.5 · 1.004) = 31,500 / 0.502
        (100, 60_000, 600_000, 54_424.242424),  # (600,000 + 12,000 − 6,000,000) / (100 · −0.99)
        (0.5, 60_000, 9_985, 40_190.763052),  # Sample, cross and alone: (9,985 − 30,000) / −0.498
        # cross beside others that lose 2,000 and need 500: (9,985 − 2,000 − 500 − 30,000) / −0.498
        (0.5, 60_000, 7_485, 45_210.843373),
        # 300,000 at entry is the first bracket, at the liquidation price 328,657 the second:
        # (30,000 + 300 + 300,000) / (5 · 1.005), not 330,000 / 5.02 = 65,737.05
        (-5, 60_000, 30_000, 65_731.343284),
        # back into the first: 5.1 long from 60,000 (306,000): (31,000 − 306,000) / (5.1 · −0.996) = 54,138.12 (276,104)
        (5.1, 60_000, 31_000, 54_138.121112),
        (0.5, 60_000, 30_000, 0.0),  # paid in full: a long cannot lose more
        (0, 0, 1_500, 0.0),
    ],
)
def test_liquidation_price(q: float, entry: float, wallet: float, expected: float) -> None:
    assert liquidation_price(BTC, q, entry, wallet) == near(expected, abs=1e-6)


@pytest.mark.parametrize(("q", "wallet"), [(0.5, 1_500.0), (-0.5, 1_500.0), (0.5, 9_985.0)])
def test_the_form_with_the_present_margin_is_the_published_one(q: float, wallet: float) -> None:
    # LP = (wallet − MM + |q| (P · rate − side · entry)) / (|q| (rate − side)) with MM = |q| · P · rate − cum, at any P
    mark, entry, rate, side, size = 60_250.0, 60_000.0, 0.004, math.copysign(1, q), abs(q)
    present = wallet - maintenance_margin(BTC, size * mark) + size * (mark * rate - side * entry)
    assert present / (size * (rate - side)) == near(liquidation_price(BTC, q, entry, wallet), abs=1e-9)


# --- balances ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wallet", "profit", "initial", "orders", "available", "withdrawal"),
    [
        # Sample: 9,985 + 125 − 1,506.25; a profit that is not realised cannot be withdrawn
        (9_985, 125, 1_506.25, 0, 8_603.75, 8_478.75),
        (9_985, -125, 1_506.25, 0, 8_353.75, 8_353.75),  # a loss takes from both
        (9_985, 125, 1_506.25, 1_000, 7_603.75, 7_478.75),  # so do waiting orders
        (1_000, -900, 500, 0, 0.0, 0.0),  # never below zero
        (1_000, 5_000, 200, 0, 5_800.0, 800.0),  # a gain backs new positions, but stays
        (-100, 5_000, 200, 0, 4_700.0, 0.0),  # a wallet that was overdrawn against a gain
    ],
)
def test_available_and_withdrawable(
    wallet: float, profit: float, initial: float, orders: float, available: float, withdrawal: float
) -> None:
    assert available_balance(wallet, profit, initial, orders) == near(available)
    assert max_withdrawal(wallet, profit, initial, orders) == near(withdrawal)


def test_margin_that_can_be_added_to_an_isolated_position() -> None:
    assert max_addable(9_985, 120.5, 0, 8_603.75) == 8_603.75  # what is available is less than 9,985 − 120.5
    assert max_addable(1_000, 120.5, 300, 5_000) == 579.5  # the gain that is available is not in the wallet
    assert max_addable(100, 120.5, 0, 50) == 0.0


@pytest.mark.parametrize(
    ("q", "wallet", "mark", "expected"),
    [
        (0.5, 3_000, 60_250, 1_618.75),  # min(3,000 − 120.5, 3,000 + 125 − 30,125 / 20)
        (0.5, 1_500, 60_000, 0.0),  # min(1,380, 1,500 + 0 − 1,500): just the initial margin
        (0.5, 1_500, 63_000, 1_374.0),  # min(1,500 − 126, 1,500 + 1,500 − 1,575 = 1,425)
        (-0.5, 3_000, 61_000, 975.0),  # min(3,000 − 122, 3,000 − 500 − 1,525)
    ],
)
def test_margin_that_can_be_taken_from_an_isolated_position(
    q: float, wallet: float, mark: float, expected: float
) -> None:
    maintenance = maintenance_margin(BTC, abs(q) * mark)
    assert max_removable(wallet, q, 60_000, mark, 20, maintenance) == near(expected)


def test_margin_ratio_and_the_edge_of_liquidation() -> None:
    assert margin_ratio(10_110, 120.5) == near(0.0119189, abs=1e-7)  # Sample: 120.5 / (9,985 + 125)
    assert margin_ratio(500, 0) == 0.0
    assert margin_ratio(-1, 10) == math.inf
    assert (is_liquidated(120.5, 120.5), is_liquidated(120.51, 120.5), is_liquidated(-5, 0)) == (True, False, False)


def test_commitment_and_risk_of_the_specification() -> None:
    # long 0.1 at 50,000, leverage 5, 1,000 allocated: 1,000 / 1,000; (50,000 − 48,000) / (50,000 − 40,500) = 2,000 / 9,500
    assert commitment_rate(0.1, 50_000, 5, 1_000) == 1.0
    assert risk_level(0.1, 50_000, 48_000, 40_500, 1.0) == near(0.210526, abs=1e-6)
    assert risk_level(-0.1, 50_000, 52_000, 59_500, 1.0) == near(0.210526, abs=1e-6)
    assert risk_level(0.1, 50_000, 51_000, 40_500, 1.0) == 0.0  # in profit
    assert risk_level(0.1, 50_000, 48_000, 0.0, 1.0) == 0.0  # no liquidation price


# --- fills, commission, funding ----------------------------------------------------------------------------------


def test_an_isolated_entry_sets_its_margin_aside_and_nothing_more() -> None:
    # 0.1 at 50,000, leverage 5: commission 5,000 · 0.05 % = 2.5; margin 5,000 / 5 = 1,000
    assert after_fill(0, 0, 0, True, 5, 0.1, 50_000) == (0.1, 50_000, 1_000, 0, 1_000)
    assert commission(0.1, 50_000, 0.0005) == 2.5


def test_a_cross_entry_sets_nothing_aside() -> None:
    assert after_fill(0, 0, 0, False, 5, -0.1, 50_000) == (-0.1, 50_000, 0, 0, 0)
    assert initial_margin(-0.1, 50_000, 5) == 1_000


def test_adding_averages_the_entry_price_by_quantity() -> None:
    # (0.138 · 3,600 + 0.157 · 3,200) / 0.295 = 999.2 / 0.295
    q, entry, *_ = after_fill(0.138, 3_600, 0, False, 1, 0.157, 3_200)
    assert (q, entry) == (near(0.295), near(3_387.118644, abs=1e-6))


def test_a_partial_close_keeps_the_entry_and_gives_its_share_of_the_margin_back() -> None:
    # long 1 at 100, margin 10; 0.25 sold at 120: profit 5, back 2.5
    assert after_fill(1, 100, 10, True, 10, -0.25, 120) == (0.75, 100, 7.5, 5, -2.5)


def test_a_partial_close_of_a_short_with_added_margin_gives_a_share_of_all_of_it_back() -> None:
    # short 4 at 50, margin 20 + 12 added; 1 bought at 55: loss 5, back 32 / 4 = 8
    assert after_fill(-4, 50, 32, True, 10, 1, 55) == (-3, 50, 24, -5, -8)


def test_closing_leaves_no_entry_price_and_no_isolated_wallet() -> None:
    # long 0.3 at 100 with 2.9 left after funding: all of it goes back
    assert after_fill(0.3, 100, 2.9, True, 10, -0.3, 90) == (0, 0, 0, near(-3), -2.9)


def test_a_flip_closes_all_and_opens_the_rest_at_the_same_price() -> None:
    # long 2 at 100, margin 20; 5 sold at 110: profit 20, 20 back; 3 short at 110 set 33 aside
    assert after_fill(2, 100, 20, True, 10, -5, 110) == (-3, 110, 33, 20, 13)
    assert after_fill(2, 100, 0, False, 10, -5, 110) == (-3, 110, 0, 20, 0)


@pytest.mark.parametrize(
    ("rate", "discount", "expected"),
    [(0.0005, 0, 2.5), (0.0002, 0, 1.0), (0.0005, 0.1, 2.25), (0.0002, 0.1, 0.9)],  # of 5,000; paid in BNB: 10 % less
)
def test_commission(rate: float, discount: float, expected: float) -> None:
    assert commission(0.1, 50_000, commission_rate(rate, discount)) == near(expected)
    assert commission(-0.1, 50_000, commission_rate(rate, discount)) == near(expected)


@pytest.mark.parametrize(
    ("q", "rate", "expected"),
    [(0.5, 1e-4, 3.0125), (-0.5, 1e-4, -3.0125), (0.5, -1e-4, -3.0125), (-0.5, -1e-4, 3.0125)],  # Sample: 0.5 · 60,250
)
def test_funding_is_paid_by_longs_when_the_rate_is_positive_and_by_shorts_when_it_is_not(
    q: float, rate: float, expected: float
) -> None:
    assert funding_payment(q, 60_250, rate) == near(expected)


def test_unrealized_profit_is_signed_by_the_side() -> None:
    assert (unrealized_profit(0.5, 60_000, 60_250), unrealized_profit(-0.5, 60_000, 60_250)) == (125, -125)


# --- liquidation -------------------------------------------------------------------------------------------------


def test_the_clearance_fee_of_an_isolated_position_is_at_most_what_is_left() -> None:
    # 0.5 long from 60,000 with 1,500, taken over at 57,228.92: loss 1,385.54, left 114.46; fee 1.25 % = 357.68
    assert liquidation_remainder(1_500, -1_385.54, 357.68) == (near(114.46), 1_500)
    # with a fee of 0.1 % (28.61) the rest of 85.85 goes to the insurance fund: the whole margin is lost all the same
    assert liquidation_remainder(1_500, -1_385.54, 28.61) == (near(28.61), 1_500)
    assert liquidation_remainder(1_500, -9_000, 357.68) == (0, 1_500)  # beyond bankruptcy the fund pays 7,500


@pytest.mark.parametrize(
    ("wallet", "others", "profit", "fee", "expected"),
    [
        (1_000, 0, -900, 30, (30, 0)),  # 100 left, the fee is paid
        (1_000, 0, -900, 150, (100, 0)),  # the fee is larger than what is left
        (1_000, 0, -1_200, 150, (0, 200)),  # the fund pays 200
        (1_000, 500, -1_200, 150, (150, 0)),  # a gain of another position backs it
        (1_000, -500, -400, 150, (100, 0)),  # a loss of another position belongs to it
    ],
)
def test_what_a_takeover_in_cross_margin_costs(
    wallet: float, others: float, profit: float, fee: float, expected: tuple[float, float]
) -> None:
    assert cross_remainder(wallet, others, profit, fee) == expected


TWO = np.array([(0, 60_000, 0.01, 0, 50), (60_000, 1e7, 0.05, 2_400, 20)])


def test_a_step_of_a_liquidation_goes_down_to_the_bracket_below_in_whole_steps() -> None:
    # 1,000 at 92.2 = 92,200: 60,000 / 92.2 = 650.7592, of which 650.759 are kept
    assert next_reduction(TWO, 1_000, 92.2, 1_000) == near(349.241)
    assert next_reduction(TWO, 650.759, 92.2, 1_000) == 650.759  # the lowest bracket: all of it
    assert next_reduction(TWO, 600, 100, 1) == 600  # exactly the cap
    assert next_reduction(TWO, 601, 100, 1) == 1  # one step above


def reductions(wallet: float, q: list[float], entry: list[float], price: list[float], fee: float) -> list[float]:
    pool = np.array([(*each, fee, 1, 0) for each in zip(q, entry, price, price, strict=True)], float)
    n = len(q)
    cross_reductions(wallet, pool, np.concatenate([TWO] * n), np.arange(n + 1) * len(TWO))
    return [float(size) for size in pool[:, Pool.TAKEN]]


def test_a_small_position_is_liquidated_as_a_whole() -> None:
    # 100 long from 100 at 90.9: 1,000 − 910 = 90 ≤ 9,090 · 1 % = 90.9
    assert reductions(1_000, [100], [100], [90.9], 0) == [100]


def test_a_big_position_is_liquidated_down_to_the_bracket_that_holds() -> None:
    # 1,000 long from 100 at 92, wallet 10,000: 2,000 ≤ 92,000 · 5 % − 2,400 = 2,200. 652 stay (59,984): 348 at −8, fee 1 %
    # of 32,016 = 320.16: 10,000 − 2,784 − 320.16 − 652 · 8 = 1,679.84 > 599.84
    assert reductions(10_000, [1_000], [100], [92], 0.01) == [348]


def test_the_position_that_needs_most_margin_goes_first_and_alone_if_that_suffices() -> None:
    # at 90: 300 long need 270, 100 long 90; wallet 4,300 − 4,000 = 300 ≤ 360. Without the first: 300 > 90
    assert reductions(4_300, [300, 100], [100, 100], [90, 90], 0) == [300, 0]
    # with a clearance fee of 1 % (270) only 30 are left ≤ 90: the second goes too
    assert reductions(4_300, [300, 100], [100, 100], [90, 90], 0.01) == [300, 100]


def test_a_hedge_is_liquidated_on_both_sides_when_margin_alone_eats_the_wallet() -> None:
    # long and short 500 at 100: 500 + 500 needed of a wallet of 900; one goes, 900 > 500
    assert reductions(900, [500, -500], [100, 100], [100, 100], 0) == [500, 0]


def test_what_a_position_contributes_to_its_pool() -> None:
    assert contribution(BTC, 0.5, 60_000, 60_250) == near(125 - 120.5)
    assert contribution(BTC, 0.0, 0, 60_250) == 0.0


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "exposed", "isolated", "before", "leverage", "available", "expected"),
    [
        (0, 0, False, 20, 125, 0, ALLOWED),
        (0, 0, False, 20, 151, 0, NOT_OFFERED),  # the first bracket ends at 150
        (0, 0, False, 20, 0, 0, NOT_OFFERED),
        (300_000, 300_000, False, 20, 125, 0, ALLOWED),  # exactly the cap of the brackets that offer 125
        (300_001, 300_001, False, 20, 125, 0, TOO_LARGE),
        (30_000, 30_000, True, 20, 50, 0, ALLOWED),  # raising in isolated margin moves nothing
        (30_000, 30_000, True, 20, 19, 1e6, ISOLATED_LOWERING),
        (0, 30_000, True, 20, 10, 1_501, ALLOWED),  # only an order: 30,000 / 10 − 30,000 / 20 = 1,500 more
        (30_000, 30_000, False, 20, 10, 1_501, ALLOWED),
        (30_000, 30_000, False, 20, 10, 1_500, TOO_LITTLE_MARGIN),  # nothing may be left over
        (30_000, 60_000, False, 20, 10, 2_999, TOO_LITTLE_MARGIN),  # its orders count: 6,000 − 3,000
        (30_000, 30_000, False, 20, 10, 0, TOO_LITTLE_MARGIN),
    ],
)
def test_when_leverage_may_be_changed(
    held: float, exposed: float, isolated: bool, before: float, leverage: float, available: float, expected: int
) -> None:
    assert leverage_change(BTC, held, exposed, isolated, before, leverage, available) == expected


def test_when_the_margin_mode_may_be_changed() -> None:
    assert mode_change(False, True, False, False) == ALLOWED
    assert mode_change(True, True, False, False) == SAME_MODE
    assert mode_change(True, False, True, True) == OPEN_ORDERS
    assert mode_change(False, True, False, True) == OPEN_POSITION
