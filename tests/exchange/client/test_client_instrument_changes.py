"""What has changed of the exchange's instruments."""

from __future__ import annotations

import msgspec
import pytest

from atm.exchange.client.answers import instruments
from atm.exchange.client.instrument_changes import FIELDS, ChangeKind, InstrumentChange, changes
from atm.model.instrument import Instrument, LeverageBracket

BRACKETS = (LeverageBracket(0.0, 5_000.0, 0.01, 0.0, 50), LeverageBracket(5_000.0, 25_000.0, 0.025, 75.0, 20))


def listed(symbol: str = "FILUSDT", **changed: object) -> Instrument:
    base = Instrument(
        symbol, symbol[:3], "USDT", "TRADING", 3, 1, "0.001", "0.1", "0.1", "0.1", "1000", "5", "0.015", 0, BRACKETS,
        "0.010", "2000", "1.10", "0.90",
    )  # fmt: skip
    return msgspec.structs.replace(base, **changed)


def test_nothing_has_changed() -> None:
    assert changes((listed(), listed("ETHUSDT")), (listed("ETHUSDT"), listed())) == ()


def test_new_and_vanished_symbols() -> None:
    assert changes((listed(), listed("OLDUSDT")), (listed("NEWUSDT", status="PENDING_TRADING"), listed())) == (
        InstrumentChange(ChangeKind.LISTED, "NEWUSDT", new="PENDING_TRADING"),
        InstrumentChange(ChangeKind.DELISTED, "OLDUSDT", old="TRADING"),
    )


def test_a_change_of_status() -> None:
    assert changes((listed(),), (listed(status="SETTLING"),)) == (
        InstrumentChange(ChangeKind.STATUS, "FILUSDT", "status", "TRADING", "SETTLING"),
    )


@pytest.mark.parametrize("field", FIELDS)
def test_every_rule_that_an_order_has_to_keep_to_is_compared(field: str) -> None:
    old = getattr(listed(), field)
    new = old + 1 if isinstance(old, int) else "7"
    assert changes((listed(),), (listed(**{field: new}),)) == (
        InstrumentChange(ChangeKind.FILTER, "FILUSDT", field, str(old), str(new)),
    )


def test_brackets_are_compared_row_by_row_and_only_where_both_sides_know_them() -> None:
    lower = (LeverageBracket(0.0, 5_000.0, 0.02, 0.0, 25),)
    assert changes((listed(),), (listed(brackets=lower),)) == (
        InstrumentChange(ChangeKind.BRACKET, "FILUSDT", "1", "0–5,000, 1 %, 50×", "0–5,000, 2 %, 25×"),
        InstrumentChange(ChangeKind.BRACKET, "FILUSDT", "2", "5,000–25,000, 2.5 %, 20×", "–"),
    )
    assert changes((listed(brackets=()),), (listed(),)) == () == changes((listed(),), (listed(brackets=()),))


def test_the_limits_of_prices_are_read() -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.001", "minPrice": "0.010", "maxPrice": "2000"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.1000", "multiplierDown": "0.9000", "multiplierDecimal": "4"},
    ]
    answer = {"symbols": [{"symbol": "FILUSDT", "contractType": "PERPETUAL", "filters": filters}], "rateLimits": []}
    ((found,), _, _) = instruments(answer)
    assert (found.min_price, found.max_price) == ("0.010", "2000")
    assert (found.multiplier_up, found.multiplier_down) == ("1.1000", "0.9000")
