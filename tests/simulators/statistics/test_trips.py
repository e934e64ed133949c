import pytest

from atm.model.account import TradeReason
from atm.model.order import Side
from atm.model.statistics import SideStatistics
from atm.simulators.statistics import trips
from tests.simulators.statistics.fills import fill

FILLS = [
    fill(0, 2, 100, 2, 100, fee=1),
    fill(10, -1, 105, 1, 100, profit=5, fee=1, reason=TradeReason.EXIT),
    fill(20, -1, 106, 0, profit=6, fee=1, reason=TradeReason.CLEAR),  # + 11 − 3 = 8
    fill(20, -2, 106, -2, 106, fee=1),
    fill(50, 2, 108, 0, profit=-4, fee=1, reason=TradeReason.STOP_CLOSE),  # − 6
]


def test_round_trips_from_flat_to_flat_net_of_fees() -> None:
    long, short = trips.round_trips(FILLS)
    assert (long.profit, long.fees, long.side, long.fills, long.notional) == (8, 3, Side.BUY, 3, 200)
    assert (short.profit, short.side, short.exit_reason, short.notional) == (-6, Side.SELL, TradeReason.STOP_CLOSE, 212)
    assert trips.win_rate([long, short]) == 0.5
    assert trips.profit_factor([long, short]) == pytest.approx(8 / 6)
    assert trips.exposure(FILLS, 0, 100 * 60_000) == 0.5
    assert trips.by_side([long, short], Side.SELL) == SideStatistics(1, 0.0, -6.0, -6.0, 0.0)
    assert trips.holding_minutes([long, short]) == (25, 25, 30)


def test_trips_of_symbols_do_not_mix_and_open_ones_are_left_out() -> None:
    mixed = [fill(0, 1, 1, 1, 1, symbol="A"), fill(1, 1, 1, 1, 1, symbol="B"), fill(2, -1, 1, 0, symbol="A", profit=3)]
    (only,) = trips.round_trips(mixed)
    assert (only.symbol, only.profit, only.fills) == ("A", 3, 2)


def outcomes(*profits: float) -> list:
    fills = []
    for k, profit in enumerate(profits):
        fills += [fill(2 * k, 1, 10, 1, 10), fill(2 * k + 1, -1, 10, 0, profit=profit)]
    return trips.round_trips(fills)


def test_outcome_and_streaks_by_hand() -> None:
    some = outcomes(5, 3, -2, -1, 0, 4)
    assert trips.outcome(some) == {
        "expectancy": 1.5, "average_win": 4, "average_loss": -1.5, "payoff": pytest.approx(4 / 1.5), "best": 5,
        "worst": -2,
    }  # fmt: skip
    assert trips.streak(some, True) == 2
    assert trips.streak(some, False) == 3  # nothing gained is no win


@pytest.mark.parametrize("profits", [(), (5.0,), (-5.0,), (0.0,), (1.0, 2.0, 3.0)])
def test_few_or_one_sided_trips_give_defined_values(profits: tuple[float, ...]) -> None:
    some = outcomes(*profits)
    found = trips.outcome(some)
    assert found["expectancy"] == (sum(profits) / len(profits) if profits else 0)
    if not any(profit < 0 for profit in profits):
        assert found["payoff"] is None
        assert trips.profit_factor(some) is None
    assert all(value is None or abs(value) < 10 for value in found.values())
    assert trips.win_rate(some) == (sum(p > 0 for p in profits) / len(profits) if profits else 0)
    assert len(trips.holding_minutes(some)) == 3


def test_fills_are_counted_by_every_reason() -> None:
    counted = trips.fills_by_reason(FILLS)
    assert set(counted) == {reason.value for reason in TradeReason}
    assert (counted["ENTRY"], counted["STOP_CLOSE"], counted["LIQUIDATION"]) == (2, 1, 0)


def test_the_hash_tells_trades_apart_but_not_how_they_were_explained() -> None:
    import msgspec

    assert trips.trade_hash(FILLS) == trips.trade_hash(list(FILLS))
    assert trips.trade_hash(FILLS) != trips.trade_hash(FILLS[:-1])
    explained = [msgspec.structs.replace(t, target_before=0.0, target_after=1.0) for t in FILLS]
    assert trips.trade_hash(FILLS) == trips.trade_hash(explained)
