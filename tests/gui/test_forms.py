"""Drafts of accounts read as set-ups: percent as percent, each wrong field by its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.gui.drafts import AccountDraft, PositionDraft, common_range, new_code, percentage
from atm.model.account import AccountSetup
from atm.model.bars import TimeRange
from atm.model.errors import Invalid
from atm.model.interval import parse_time
from tests.gui import filled

FOUND = filled.configurations()
ANALYSES = {configuration.code: configuration for configuration in FOUND.analysis}
TRADES = {configuration.code: configuration for configuration in FOUND.trade}
COVERAGE = {
    "AVAXUSDT": (TimeRange(parse_time("2023-09-01"), parse_time("2023-10-01")),),
    "FILUSDT": (TimeRange(parse_time("2023-08-01"), parse_time("2023-11-01")),),
    "HOLE": (),
}


def read(account: AccountDraft) -> AccountSetup:
    return account.read(ANALYSES, TRADES, {"taken": None})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "taken"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"balance": "0"}, "balance"),
        ({"balance": "nan"}, "balance"),
        ({"balance": "much"}, "balance"),
        ({"allocation": "101"}, "allocation"),
        ({"positions": []}, "positions"),
        ({"positions": [PositionDraft("", "DEMO-15M", "DEMO-RQPM-15M")]}, "positions.0.symbol"),
        ({"positions": [PositionDraft("AVAXUSDT", "gone", "DEMO-RQPM-15M")]}, "positions.0.analysis"),
        ({"positions": [PositionDraft("AVAXUSDT", "DEMO-15M", "gone")]}, "positions.0.trade"),
        ({"positions": [PositionDraft("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M", "-1")]}, "positions.0.assumed_ratio"),
        ({"positions": [PositionDraft("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M")] * 2}, "positions.1.symbol"),
    ],
)
def test_the_first_wrong_field_is_named(change: dict[str, object], field: str) -> None:
    changed = AccountDraft("paper", positions=[PositionDraft("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M", "50")])
    assert read(changed).positions[0].assumed_ratio == 0.5
    for name, value in change.items():
        setattr(changed, name, value)
    with pytest.raises(Invalid) as caught:
        read(changed)
    assert caught.value.field == field


@given(st.integers(0, 10_000))
def test_percent_is_percent(hundredths: int) -> None:
    assert percentage("x", f"{hundredths / 100:.2f}%", 0, 100) == pytest.approx(hundredths / 10_000, abs=1e-12)


def test_the_common_range_is_the_intersection() -> None:
    assert common_range(["AVAXUSDT", "FILUSDT"], COVERAGE) == COVERAGE["AVAXUSDT"][0]
    assert common_range(["HOLE", "unknown"], COVERAGE) is None


def test_generated_codes_are_never_taken() -> None:
    first = new_code(0, {})
    second = new_code(0, {first: None})
    third = new_code(0, {first: None, second: None})
    assert len({first, second, third}) == 3


def test_an_account_starts_without_trading_and_with_a_free_name() -> None:
    account = AccountDraft("paper", positions=[PositionDraft("AVAXUSDT", "DEMO-15M", "DEMO-RQPM-15M")])
    assert not account.read(ANALYSES, TRADES, {}).trading
    with pytest.raises(Invalid, match="name"):
        account.read(ANALYSES, TRADES, {"paper": None})
    with pytest.raises(Invalid, match="name"):
        AccountDraft("two words").read(ANALYSES, TRADES, {})
