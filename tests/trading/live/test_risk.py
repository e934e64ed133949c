import pytest
from msgspec.structs import replace

from atm.model.journal import WHOLE_ACCOUNT
from atm.model.risk import RiskLimits
from atm.trading.live.risk import RiskView, breach

LIMITS = RiskLimits(
    max_leverage=5,
    max_notional=8_000,
    orders_per_minute=10,
    daily_loss=0.05,
    drawdown=0.2,
    price_deviation=0.01,
    stale_s=5,
)
FINE = RiskView("X", 8_000, 9_000, 9_600, 10_000, 10_000, 9, 100.9, 100, 5_000)


def test_what_is_within_all_limits_passes() -> None:
    assert breach(LIMITS, FINE) is None


@pytest.mark.parametrize(
    ("change", "limit", "scope", "lasting"),
    [
        ({"equity": 9_500.0}, "daily_loss", WHOLE_ACCOUNT, True),
        ({"equity": 9_600.0, "peak_equity": 12_001.0}, "drawdown", WHOLE_ACCOUNT, True),
        ({"account_worth": 48_001.0}, "max_leverage", "X", True),
        ({"position_worth": 8_000.01}, "max_notional", "X", True),
        ({"equity": 0.0}, "equity", WHOLE_ACCOUNT, False),
        ({"equity": -50.0}, "equity", WHOLE_ACCOUNT, False),
        ({"orders_last_minute": 10}, "orders_per_minute", WHOLE_ACCOUNT, False),
        ({"last": 101.01}, "price_deviation", "X", False),
        ({"price_age_ms": 5_001}, "stale_s", "X", False),
        ({"mark": 0.0}, "stale_s", "X", False),
    ],
)
def test_each_limit_stops_its_scope(change: dict[str, float], limit: str, scope: str, lasting: bool) -> None:
    found = breach(LIMITS, replace(FINE, **change))
    assert found is not None
    assert (found.limit, found.scope, found.lasting) == (limit, scope, lasting)
    assert limit in found.reason


def test_without_limits_nothing_is_stopped() -> None:
    none = RiskLimits(None, None, None, None, None, None, None)
    assert breach(none, RiskView("X", 1e9, 1e9, 1, 1e9, 1e9, 1_000, 0, 0, 0)) is None
