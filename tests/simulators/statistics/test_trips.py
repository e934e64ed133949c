import hashlib
import struct

import msgspec
import pytest

from atm.model.account import TradeReason
from atm.model.order import Side
from atm.model.statistics import SideStatistics
from atm.simulators.statistics import trips
from atm.simulators.statistics.fill_table import FillTable
from tests.simulators.statistics.fills import fill, trips_of

FILLS = [
    fill(0, 2, 100, 2, 100, fee=1),
    fill(10, -1, 105, 1, 100, profit=5, fee=1, reason=TradeReason.EXIT),
    fill(20, -1, 106, 0, profit=6, fee=1, reason=TradeReason.CLEAR),  # + 11 − 3 = 8
    fill(20, -2, 106, -2, 106, fee=1),
    fill(50, 2, 108, 0, profit=-4, fee=1, reason=TradeReason.STOP_CLOSE),  # − 6
]


def test_round_trips_from_flat_to_flat_net_of_fees() -> None:
    long, short = trips_of(FILLS)[0]
    assert (long.profit, long.fees, long.side, long.fills, long.notional) == (8, 3, Side.BUY, 3, 200)
    assert (short.profit, short.side, short.exit_reason, short.notional) == (-6, Side.SELL, TradeReason.STOP_CLOSE, 212)
    assert trips.win_rate([long, short]) == 0.5
    assert trips.profit_factor([long, short]) == pytest.approx(8 / 6)
    assert trips.exposure(FillTable.of(FILLS), 0, 100 * 60_000) == 0.5
    assert trips.by_side([long, short], Side.SELL) == SideStatistics(1, 0.0, -6.0, -6.0, 0.0)
    assert trips.holding_minutes([long, short]) == (25, 25, 30)


def test_trips_of_symbols_do_not_mix_and_open_ones_are_left_out() -> None:
    mixed = [fill(0, 1, 1, 1, 1, symbol="A"), fill(1, 1, 1, 1, 1, symbol="B"), fill(2, -1, 1, 0, symbol="A", profit=3)]
    (only,) = trips_of(mixed)[0]
    assert (only.symbol, only.profit, only.fills) == ("A", 3, 2)


def outcomes(*profits: float) -> list:
    fills = []
    for k, profit in enumerate(profits):
        fills += [fill(2 * k, 1, 10, 1, 10), fill(2 * k + 1, -1, 10, 0, profit=profit)]
    return trips_of(fills)[0]


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
    counted = trips.fills_by_reason(FillTable.of(FILLS))
    assert set(counted) == {reason.value for reason in TradeReason}
    assert (counted["ENTRY"], counted["STOP_CLOSE"], counted["LIQUIDATION"]) == (2, 1, 0)


def test_the_hash_tells_trades_apart_but_not_how_they_were_explained() -> None:
    explained = [msgspec.structs.replace(t, target_before=0.0, target_after=1.0) for t in FILLS]
    assert FillTable.of(FILLS).hash == FillTable.of(explained).hash
    assert FillTable.of(FILLS).hash != FillTable.of(FILLS[:-1]).hash
    other = [*FILLS[:-1], msgspec.structs.replace(FILLS[-1], symbol="B")]
    assert FillTable.of(FILLS).hash != FillTable.of(other).hash


def test_the_hash_is_that_of_a_canonical_encoding() -> None:
    parts = []
    for t in FILLS:
        parts.append(f"{t.symbol}|{t.side.value}|{t.reason.value}|".encode())
        parts.append(struct.pack("<qqdddd", t.time_ms, t.decision_ms, t.quantity, t.price, t.profit, t.fee))
    assert FillTable.of(FILLS).hash == hashlib.sha256(b"".join(parts)).hexdigest()
    assert FillTable.of([]).hash == hashlib.sha256(b"").hexdigest()


def test_time_is_exposed_while_any_symbol_is_held() -> None:
    both = [
        fill(10, 1, 1, 1, 1, symbol="A"), fill(20, -1, 1, -1, 1, symbol="B"), fill(30, -1, 1, 0, symbol="A"),
        fill(40, 1, 1, 0, symbol="B"), fill(90, 1, 1, 1, 1, symbol="A"),
    ]  # fmt: skip
    assert trips.exposure(FillTable.of(both), 0, 100 * 60_000) == 0.4
    assert trips.exposure(FillTable.of([]), 0, 60_000) == 0.0


def test_trips_of_several_symbols_come_in_the_order_in_which_they_ended() -> None:
    both = [
        fill(10, 1, 1, 1, 1, symbol="B"), fill(20, -1, 1, -1, 1, symbol="A"), fill(30, 1, 1, 0, symbol="A"),
        fill(40, -1, 1, 0, symbol="B"),
    ]  # fmt: skip
    assert [trip.symbol for trip in trips_of(both)[0]] == ["A", "B"]


def test_trips_of_the_fills_alone_are_those_that_are_measured() -> None:
    mixed = [*FILLS, fill(60, 1, 1, 1, 1, symbol="B"), fill(61, -1, 1, 0, symbol="B", profit=3, fee=1)]
    assert trips.round_trips(mixed) == [
        msgspec.structs.replace(trip, adverse=0.0, favourable=0.0, liquidation_room=1.0) for trip in trips_of(mixed)[0]
    ]
