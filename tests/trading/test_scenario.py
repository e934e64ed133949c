"""TS: the situations of the specification (trading §4.3), each with what has to happen."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from atm.model.account import CostModel, TradeReason, TradeRecord
from atm.model.trade_configuration import (
    MOST_ROWS,
    Direction,
    ReachAndFall,
    ScenarioRow,
    Sense,
    TradeConfiguration,
    TradeScenario,
    WeightReduce,
)
from atm.trading.layout import MOST_FILLS
from tests.trading.scene import Scene, engine, flip, row

ENTRY, EXIT, PARTIAL = TradeReason.ENTRY, TradeReason.EXIT, TradeReason.PARTIAL_STOP
CLEAR, STOP = TradeReason.CLEAR, TradeReason.STOP_IMMEDIATE


def rows(*pairs: tuple[float, float]) -> tuple[ScenarioRow, ...]:
    return tuple(ScenarioRow(*pair) for pair in pairs)


EXAMPLE = TradeScenario(
    entry=rows((0.1, 0.5), (0.2, 1.0)),
    exit=rows((0.1, 0.7), (0.2, 0.3), (0.3, 0.1), (0.4, 0)),
    partial_stop_loss=rows((0.3, 0.5), (0.4, 0.2), (0.5, 0)),
)
"""The example of the ancestor's documentation (§4.1)."""
PLAIN = TradeScenario(entry=rows((0, 0.5), (0.02, 1.0)), exit=rows((0.03, 0.4), (0.05, 0)), partial_stop_loss=())


def scene(method: TradeScenario, costs: CostModel | None = None, **trade: object) -> Scene:
    configuration = TradeConfiguration("t", method=method, **trade)
    return Scene(engine(configuration) if costs is None else engine(configuration, costs))


def targets(fills: Sequence[TradeRecord]) -> list[tuple[float, float]]:
    return [(f.target_before, f.target_after) for f in fills]


def test_the_example_of_the_specification_to_the_step() -> None:
    s = scene(EXAMPLE)
    assert s.decide(flip(1, 4000)) == []
    fills = s.walk(4000, 3600, 3200, 4400, 4800, 3720, 4700)
    s.decide(flip(-1, 4700))
    fills += s.walk(4700, 4700)
    assert [(f.reason, f.side.value, f.quantity, f.price) for f in fills] == [
        (ENTRY, "BUY", 0.138, 3600),
        (ENTRY, "BUY", 0.157, 3200),
        (EXIT, "SELL", 0.089, 4400),
        (EXIT, "SELL", 0.118, 4800),
        (CLEAR, "SELL", 0.088, 4700),
    ]
    assert fills[1].entry_price_after == pytest.approx(3387.1186, abs=1e-4)
    assert targets(fills) == [(0, 0.5), (0.5, 1), (1, 0.7), (0.7, 0.3), (0.3, 0)]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("path", "shares"),
    [
        # the default tables overlap: partial stops take over where they ask for less than the entries (§4.3)
        ((100, 98.9, 97.9, 96.9, 95.9, 94.9), [0.2, 0.4, 0.6, 0.4, 0.2, 0.0]),
        ((100, 94.9), [0.2, 0.4, 0.6, 0.4, 0.2, 0.0]),  # the same within one minute
        ((100, 98.9, 101.1, 97.9), [0.2, 0.4, 0.6]),  # 0.8 at +1 % asks for nothing: entries go on
        ((100, 102.1), [0.2]),
    ],
)
def test_the_default_tables_level_by_level(side: int, path: tuple[float, ...], shares: list[float]) -> None:
    s = scene(TradeScenario())
    mirrored = [100 + side * (price - 100) for price in path]
    s.decide(flip(side, 100))
    fills = s.walk(*mirrored)
    invested = [abs(f.quantity_after) * f.entry_price_after / 1_000 if f.quantity_after else 0 for f in fills]
    assert invested == pytest.approx(shares, abs=2e-3)
    assert all(math.copysign(1, f.quantity_after) == side for f in fills if f.quantity_after)


@pytest.mark.parametrize("side", [1, -1])
def test_each_fill_of_a_cycle_names_the_exposure_that_its_level_asks_for(side: int) -> None:
    method = TradeScenario(
        entry=rows((0, 0.5), (0.02, 1.0)),
        exit=rows((0.05, 0)),
        partial_stop_loss=rows((0.04, 0.3), (0.06, 0.1)),
        weight_reduce=WeightReduce(0.03, 0.2),
        reach_and_fall=ReachAndFall(0.02, 0.01),
    )
    s = scene(method)
    s.decide(flip(side, 100))
    fills = s.walk(100, *(100 + side * move for move in (-2.5, -4.5, 2, 3.5, -1)))
    assert [f.reason for f in fills] == [
        ENTRY, ENTRY, PARTIAL, TradeReason.WEIGHT_REDUCE, TradeReason.REACH_AND_FALL
    ]  # fmt: skip
    wanted = [0, 0.5, 1, 0.3, 0.2, 0]
    assert targets(fills) == [(side * a, side * b) for a, b in itertools.pairwise(wanted)]


def test_what_a_stop_or_the_user_closes_is_for_no_target_and_a_later_cycle_begins_from_none() -> None:
    s = scene(PLAIN, full_stop_loss_immediate=0.05, full_stop_loss_close=0.03)
    s.decide(flip(1, 100))
    fills = s.walk(100, 98, 93)
    s.decide(flip(-1, 93))
    fills += s.walk(93, 93)
    s.engine.force_clear("XUSDT")
    fills += s.walk(93, 93)
    s.decide(flip(1, 93))
    fills += s.walk(93, 93, 89)
    s.decide(row(89, cycle=1))
    fills += s.walk(89, 89)
    assert [(f.reason, f.target_before, f.target_after) for f in fills] == [
        (ENTRY, 0, 0.5),
        (ENTRY, 0.5, 1),
        (STOP, 1, 0),
        (ENTRY, 0, -0.5),
        (TradeReason.FORCE_CLEAR, -0.5, 0),
        (ENTRY, 0, 0.5),
        (ENTRY, 0.5, 1),
        (TradeReason.STOP_CLOSE, 1, 0),
    ]


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        # (open, high, low, close) after 0.5 were bought at 100; levels: entry 98, exits 103 and 105, stop 90
        ((100, 103, 100, 102), [(EXIT, 103)]),
        ((100, 102.99, 100, 102), []),
        ((100, 106, 100, 105), [(EXIT, 103), (EXIT, 105)]),
        ((104, 104, 104, 104), [(EXIT, 104)]),  # opened beyond: filled at the open
        ((106, 106, 106, 106), [(EXIT, 106)]),  # both rows in one gap: the last one's target, in one order
        ((100, 100, 98, 99), [(ENTRY, 98)]),
        ((97, 97, 97, 97), [(ENTRY, 97)]),
        ((100, 103, 98, 99), [(EXIT, 103)]),  # an exit and an entry: the exit closes the entries
        ((100, 103, 89, 95), [(STOP, 90)]),  # an exit and the stop: the stop
        ((100, 100, 88.8, 95), [(ENTRY, 98), (STOP, 89)]),  # the entry lies on the way to the stop, which it moves
        ((88, 103, 88, 95), [(STOP, 88)]),  # opened beyond the stop: at the open, and no entry at the same price
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_what_happens_inside_a_minute(
    side: int, minute: tuple[float, float, float, float], expected: list[tuple[TradeReason, float]]
) -> None:
    s = scene(PLAIN, full_stop_loss_immediate=0.1)
    s.decide(flip(side, 100))
    assert [f.reason for f in s.play(100, 100, 100, 100)] == [ENTRY]
    if side < 0:
        o, high, low, c = (200 - price for price in minute)
        minute = (o, low, high, c)
    fills = s.play(*minute)
    mirrored = [(reason, price if side > 0 else 200 - price) for reason, price in expected]
    found = [(f.reason, f.price) for f in fills]
    assert [reason for reason, _ in found] == [reason for reason, _ in mirrored]
    # the average entry is 98.99 of a long and 100.99 of a short, so the stops are at 89.09 and 111.09
    assert [price for _, price in found] == pytest.approx([price for _, price in mirrored], abs=0.1)


def test_an_exit_closes_the_entries_unless_reenter_is_set() -> None:
    for reenter, expected in ((False, [ENTRY, EXIT]), (True, [ENTRY, EXIT, ENTRY])):
        s = scene(TradeScenario(entry=PLAIN.entry, exit=PLAIN.exit, partial_stop_loss=(), reenter=reenter))
        s.decide(flip(1, 100))
        assert [f.reason for f in s.walk(100, 100, 103, 97)] == expected


def test_a_spent_cycle_is_over_until_the_next_flip() -> None:
    s = scene(PLAIN)
    s.decide(flip(1, 100))
    assert [f.quantity_after for f in s.walk(100, 105)][-1] == 0
    assert s.walk(105, 90, 110) == []
    s.decide(flip(1, 110))  # the signal has left its side and come back
    assert [f.reason for f in s.walk(110, 110)] == [ENTRY]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((100, 104, 101.9), [(ENTRY, 100), (TradeReason.REACH_AND_FALL, 102)]),
        ((100, 103.9, 101.9), [(ENTRY, 100)]),  # not reached
        ((100, 104, 102.1, 107), [(ENTRY, 100)]),  # not fallen
    ],
)
def test_reach_and_fall(path: tuple[float, ...], expected: list[tuple[TradeReason, float]]) -> None:
    method = TradeScenario(
        entry=rows((0, 1)), exit=(), partial_stop_loss=(), reach_and_fall=ReachAndFall(reach=0.04, fall=0.02)
    )
    s = scene(method)
    s.decide(flip(1, 100))
    assert [(f.reason, f.price) for f in s.walk(*path)] == expected


def test_a_gain_counts_as_reached_from_the_next_minute_on() -> None:
    method = TradeScenario(
        entry=rows((0, 1)), exit=(), partial_stop_loss=(), reach_and_fall=ReachAndFall(reach=0.04, fall=0.02)
    )
    s = scene(method)
    s.decide(flip(1, 100))
    fills = s.play(100, 104, 101, 101.5)
    assert [f.reason for f in fills] == [ENTRY]
    assert [(f.reason, f.price) for f in s.walk(101.5, 101.5)] == [(TradeReason.REACH_AND_FALL, 101.5)]


def test_the_weight_is_reduced_once_and_to_what_is_kept() -> None:
    method = TradeScenario(
        entry=rows((0, 1)), exit=(), partial_stop_loss=(), weight_reduce=WeightReduce(activation=0.03, amount=0.25)
    )
    s = scene(method)
    s.decide(flip(1, 100))
    fills = s.walk(100, 103, 99, 104)
    assert [(f.reason, f.price, f.quantity_after) for f in fills] == [
        (ENTRY, 100, 10.0),
        (TradeReason.WEIGHT_REDUCE, 103, 2.5),
    ]


@pytest.mark.parametrize(("reentry", "expected"), [(False, []), (True, [(ENTRY, 96)])])
def test_after_a_stop_only_rows_not_used_remain_and_only_if_allowed(
    reentry: bool, expected: list[tuple[TradeReason, float]]
) -> None:
    method = TradeScenario(entry=rows((0, 0.5), (0.04, 1)), exit=(), partial_stop_loss=())
    s = scene(method, full_stop_loss_immediate=0.02, post_stop_reentry=reentry)
    s.decide(flip(1, 100))
    assert [(f.reason, f.price) for f in s.walk(100, 97.5)] == [(ENTRY, 100), (STOP, 98)]
    assert [(f.reason, f.price) for f in s.walk(97.5, 99.9, 96)] == expected


def test_the_stop_on_close_asks_the_close_and_the_next_open_fills_it() -> None:
    s = scene(TradeScenario(entry=rows((0, 1)), exit=(), partial_stop_loss=()), full_stop_loss_close=0.05)
    s.decide(flip(1, 100))
    s.play(100, 100, 94, 96, row(96, cycle=1, cycle_begin=100))
    assert s.play(96, 96, 94.9, 94.9, row(94.9, cycle=1, cycle_begin=100)) == []
    assert [(f.reason, f.price) for f in s.play(94.5, 95, 94, 95)] == [(TradeReason.STOP_CLOSE, 94.5)]


def test_liquidation_and_force_clear_spend_the_cycle() -> None:
    for forced in (False, True):
        s = scene(TradeScenario(entry=rows((0, 0.5), (0.3, 1)), exit=(), partial_stop_loss=()), leverage=20)
        s.decide(flip(1, 100))
        s.play(100, 100, 100, 100)
        if forced:
            s.engine.force_clear("XUSDT")
        fills = s.walk(100, 50)
        assert [f.reason for f in fills] == [TradeReason.FORCE_CLEAR if forced else TradeReason.LIQUIDATION]
        assert s.walk(50, 100, 60) == []


def test_a_cycle_that_is_left_clears_and_the_next_one_is_waited_for() -> None:
    s = scene(PLAIN)
    s.decide(flip(1, 100))
    s.play(100, 100, 100, 100, row(100, cycle_updated=1))
    assert [f.reason for f in s.walk(100, 97)] == [CLEAR]


def test_contrarian_and_forbidden_sides() -> None:
    s = scene(TradeScenario(sense=Sense.CONTRARIAN))
    s.decide(flip(1, 100))
    assert [f.side.value for f in s.walk(100, 100)] == ["SELL"]
    s = scene(TradeScenario(), direction=Direction.LONG)
    s.decide(flip(-1, 100))
    assert s.walk(100, 105) == []


def test_a_cycle_under_way_is_joined_only_on_request() -> None:
    for join, expected in ((False, []), (True, [(ENTRY, 97.5)])):
        s = scene(TradeScenario(entry=PLAIN.entry, exit=(), partial_stop_loss=(), join=join))
        s.decide(row(97.5, cycle=1, cycle_index=7, cycle_begin=100))
        assert [(f.reason, f.price) for f in s.walk(97.5, 97.5)] == expected


def test_while_trading_is_off_nothing_is_added_and_protection_goes_on() -> None:
    s = scene(PLAIN, full_stop_loss_immediate=0.1)
    s.decide(flip(1, 100))
    s.play(100, 100, 100, 100)
    s.engine.set_trading(False)
    assert s.walk(100, 97, 99) == []
    s.engine.set_trading(True)
    assert s.walk(99, 99) == []  # the touch was missed, and the price is not beyond the level any more
    assert [(f.reason, f.price) for f in s.walk(99, 98)] == [(ENTRY, 98)]


def test_an_increase_below_the_minimum_is_carried_to_the_next_row() -> None:
    method = TradeScenario(entry=rows((0, 0.1), (0.1, 0.3), (0.2, 1)), exit=(), partial_stop_loss=())
    s = Scene(engine(TradeConfiguration("t", method=method), min_notional="250"))
    s.decide(flip(1, 100))
    fills = s.walk(100, 90, 80)
    assert [(f.price, f.quantity) for f in fills] == [(90, 3.333), (80, 8.750)]


def test_levels_lie_on_the_tick_that_is_harder_to_reach() -> None:
    method = TradeScenario(entry=rows((0, 0.5), (0.0333, 1)), exit=rows((0.0333, 0)), partial_stop_loss=())
    s = scene(method)
    s.decide(flip(1, 99.99))  # 96.6603…, 103.3196…
    assert [f.reason for f in s.walk(99.99, 96.67, 103.31)] == [ENTRY]
    assert [(f.reason, f.price) for f in s.walk(103.31, 103.32)] == [(EXIT, 103.32)]


def test_costs_are_paid_on_touches_as_on_orders() -> None:
    s = scene(PLAIN, CostModel(taker_fee=0.001, slippage=0.01, funding_rate=0))
    s.decide(flip(1, 100))
    s.play(100, 100, 100, 100)
    (fill,) = s.walk(100, 98)
    assert fill.price == pytest.approx(98 * 1.01)
    assert fill.fee == pytest.approx(fill.quantity * fill.price * 0.001)


def test_a_missing_minute_is_made_up_at_the_next_price() -> None:
    s = scene(PLAIN, full_stop_loss_immediate=0.1)
    s.decide(flip(1, 100))
    s.play(100, 100, 100, 100)
    s.engine.minute(s.minute * 60_000, {}, {})
    s.minute += 1
    assert [(f.reason, f.price) for f in s.play(85, 101, 85, 100)] == [(STOP, 85)]


def test_the_state_shows_the_target() -> None:
    s = scene(PLAIN)
    s.decide(flip(-1, 100))
    s.walk(100, 102)
    assert s.engine.snapshot().positions[0].target_exposure == -1.0
    assert not np.isnan(s.engine.snapshot().assets[0].wallet_balance)


def test_a_minute_that_crosses_everything_has_room_for_all_its_fills() -> None:
    entries = rows(*((0.02 * (n + 1), (n + 1) / MOST_ROWS) for n in range(MOST_ROWS)))
    method = TradeScenario(entry=entries, exit=(), partial_stop_loss=())
    s = scene(method, full_stop_loss_immediate=0.005, post_stop_reentry=True)
    s.decide(flip(1, 100))
    reasons = [f.reason for f in s.play(100, 100, 50, 50)]
    assert reasons == [ENTRY, STOP] * MOST_ROWS
    assert len(reasons) <= MOST_FILLS
