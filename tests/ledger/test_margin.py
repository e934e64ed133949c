"""Numbers from the exchange's published rules, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.ledger.fill import funding_payment
from atm.ledger.liquidation import liquidation_remainder
from atm.ledger.margin import liquidation_price, maintenance_margin, max_notional

BTC = np.array(
    [
        (0, 300_000, 0.004, 0, 150),
        (300_000, 800_000, 0.005, 300, 100),
        (800_000, 3_000_000, 0.0065, 1_500, 75),
        (3_000_000, 12_000_000, 0.01, 12_000, 50),
    ],
    np.float64,
)


@pytest.mark.parametrize(
    ("q", "entry", "wallet", "expected"),
    [
        (0.5, 60_000, 1_500, 57_228.91566265),
        (-0.5, 60_000, 1_500, 62_749.00398406),
        (100, 60_000, 600_000, 54_424.24242424),
        (0.5, 60_000, 60_000, 0.0),  # more margin than the position is worth: no liquidation price
    ],
)
def test_liquidation_prices_of_the_fact_sheet(q: float, entry: float, wallet: float, expected: float) -> None:
    assert liquidation_price(BTC, q, entry, wallet) == pytest.approx(expected, abs=1e-7)


@given(
    st.floats(0.001, 150),
    st.sampled_from([-1.0, 1.0]),
    st.floats(100, 80_000),
    st.integers(2, 40),
)
def test_at_the_liquidation_price_the_balance_is_the_maintenance_margin(
    size: float, side: float, entry: float, leverage: int
) -> None:
    wallet = size * entry / leverage
    price = liquidation_price(BTC, side * size, entry, wallet)
    if price == 0.0:
        return
    balance = wallet + side * size * (price - entry)
    assert balance == pytest.approx(maintenance_margin(BTC, size * price), rel=1e-6, abs=1e-6)


def test_maintenance_margin_is_continuous_where_brackets_meet() -> None:
    for edge in BTC[:-1, 1]:
        assert maintenance_margin(BTC, edge * (1 + 1e-9)) == pytest.approx(maintenance_margin(BTC, edge), rel=1e-6)
    assert maintenance_margin(BTC, 6_000_000) == pytest.approx(60_000 - 12_000)


def test_leverage_bounds_the_notional() -> None:
    assert max_notional(BTC, 100) == 800_000
    assert max_notional(BTC, 50) == 12_000_000
    assert max_notional(BTC, 151) == 0


def test_longs_pay_a_positive_funding_rate_and_shorts_receive_it() -> None:
    assert funding_payment(2.0, 100.0, 0.0001) == pytest.approx(0.02)
    assert funding_payment(-2.0, 100.0, 0.0001) == pytest.approx(-0.02)


def test_a_liquidation_costs_the_isolated_wallet_and_nothing_beyond() -> None:
    assert liquidation_remainder(1_500.0, -1_385.54, 357.0) == (pytest.approx(114.46), 1_500.0)
    assert liquidation_remainder(1_500.0, -9_000.0, 357.0) == (0.0, 1_500.0)
