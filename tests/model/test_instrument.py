from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.instrument import Instrument


def instrument(tick: str, step: str) -> Instrument:
    return Instrument("X", "B", "USDT", "TRADING", 2, 3, tick, step, step, step, "120", "5", "0.0125")


@pytest.mark.parametrize(
    ("quantity", "step", "floor", "ceiling"),
    [
        (0.3, "0.1", "0.3", "0.3"),  # 0.3 / 0.1 in binary floats is 2.9999…
        (1.23456, "0.001", "1.234", "1.235"),
        (17.9, "1", "17", "18"),
        (1e-7, "0.00000001", "0.00000010", "0.00000010"),
    ],
)
def test_quantities_go_to_the_exchange_on_the_step(quantity: float, step: str, floor: str, ceiling: str) -> None:
    assert instrument("0.1", step).floor_quantity(quantity) == floor
    assert instrument("0.1", step).ceil_quantity(quantity) == ceiling


@given(st.floats(1e-6, 1e6), st.sampled_from(["0.1", "0.01", "0.0001", "0.5", "1"]))
def test_prices_are_plain_decimals_on_the_tick(price: float, tick: str) -> None:
    text = instrument(tick, "1").round_price(price)
    assert "e" not in text.lower()
    assert Decimal(text) % Decimal(tick) == 0
    assert abs(Decimal(text) - Decimal(str(price))) <= Decimal(tick) / 2
