import math
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atm.storage.sample import load_instruments
from atm.trading.live.sizing import is_large_enough, limit_price, on_step, slices, trigger_price

ASSETS = Path(__file__).parents[3] / "assets"
BTC = replace(
    load_instruments(ASSETS)[0], tick_size="0.10", step_size="0.001", market_step_size="0.001", min_quantity="0.001",
    max_market_quantity="120", min_notional="50",
)  # fmt: skip


@given(st.decimals(0, 2_000, places=3))
def test_slices_sum_up_stay_below_the_most_and_are_alike(quantity: Decimal) -> None:
    pieces = slices(quantity, BTC)
    assert sum(pieces) == quantity
    assert all(0 < piece <= 120 for piece in pieces)
    assert not pieces or max(pieces) - min(pieces) <= Decimal("0.001")
    assert len(pieces) == math.ceil(quantity / 120)


def test_quantities_are_cut_towards_zero() -> None:
    assert on_step(Decimal("0.0019"), BTC) == Decimal("0.001")
    assert on_step(Decimal("-0.0019"), BTC) == Decimal("-0.001")
    assert on_step(Decimal("0.0009"), BTC) == 0
    assert on_step(Decimal("7.5"), replace(BTC, step_size="0.001", market_step_size="1")) == 7


def test_prices_are_never_worse_than_asked_for() -> None:
    assert limit_price(Decimal("100.19"), BTC, buys=True) == Decimal("100.1")
    assert limit_price(Decimal("100.11"), BTC, buys=False) == Decimal("100.2")
    assert trigger_price(Decimal("100.16"), BTC) == Decimal("100.2")


def test_the_least_notional_holds_for_what_opens_only() -> None:
    assert not is_large_enough(Decimal("0.001"), Decimal(49_999), BTC, reduce_only=False)
    assert is_large_enough(Decimal("0.001"), Decimal(50_000), BTC, reduce_only=False)
    assert is_large_enough(Decimal("0.001"), Decimal(1), BTC, reduce_only=True)
    assert not is_large_enough(Decimal("0.0005"), Decimal(1_000_000), BTC, reduce_only=True)
