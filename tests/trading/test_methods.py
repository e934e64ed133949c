"""RQPM maps and rules, and target-exposure functions, against the specification's numbers (trading §3, §16)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atm.model.account import TradeReason
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.trade_configuration import (
    Direction,
    MacdLine,
    MmacdDefault,
    MmacdLongDefault,
    ProfitReference,
    RemainingQuantity,
    RotationalGaussian1,
    RotationalGaussian2,
    ScenarioRow,
    Sense,
    Span,
    SwingDefault,
    SwingSide,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
)
from atm.trading.exposure import function_exposure
from atm.trading.layout import POSITION_WIDTH, Position
from atm.trading.method_setup import check_analysis, method_row
from atm.trading.rqpm import rotational_gaussian_1, rotational_gaussian_1d, rotational_gaussian_2
from tests.trading.scene import ANALYSIS, Scene, engine, flip, row

WIDE = RotationalGaussian1(theta=0.5, alpha=100, beta0=100, beta1=100)
ENTRY, EXIT, CLEAR = TradeReason.ENTRY, TradeReason.EXIT, TradeReason.CLEAR


@pytest.mark.parametrize(
    ("inputs", "parameters", "expected"),
    [
        ((50, 0.02), (0.5, 0.02, 0.01, 0.03, 2), 0.016148),
        ((50, -0.02), (0.5, 0.02, 0.01, 0.03, 2), 0.937772),
        ((40, 0.01), (0.1, 0.02, 0.01, 0.03, 1), 0.723795),
        ((100, 0.05), (0.5, 0.5, 0.5, 0.5, 1), 0.994813),
        ((0, 0), (0.3, 0, 0, 0, 10), 1.0),
    ],
)
def test_rotational_gaussian_1(inputs: tuple[float, float], parameters: tuple[float, ...], expected: float) -> None:
    assert rotational_gaussian_1(*inputs, *parameters) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ((0, 0.02), 0.748521),
        ((0, -0.02), 0.000230),
        ((100, 0), 0.796960),
        ((100, 0.01), 0.855466),
        ((100, -0.01), 0.021388),
    ],
)
def test_rotational_gaussian_1d(inputs: tuple[float, float], expected: float) -> None:
    assert rotational_gaussian_1d(*inputs, 0.1, 0.0005, 0.0001, 0.001, 2) == pytest.approx(expected, abs=5e-7)


@given(
    inputs=st.tuples(st.floats(0, 1e5), *[st.floats(-1, 10)] * 2, st.floats(-1, 1)),
    theta=st.tuples(*[st.floats(0, 1)] * 3),
    shift=st.tuples(*[st.floats(-1, 1)] * 4),
    sigma=st.tuples(*[st.floats(1e-4, 1)] * 4),
)
def test_every_map_stays_within_0_and_1(
    inputs: tuple[float, ...], theta: tuple[float, ...], shift: tuple[float, ...], sigma: tuple[float, ...]
) -> None:
    assert 0 <= rotational_gaussian_2(*inputs, np.array([*theta, *shift, *sigma])) <= 1
    for function in (rotational_gaussian_1, rotational_gaussian_1d):
        assert 0 <= function(inputs[0], inputs[1], theta[0], sigma[0], sigma[1], sigma[2], 10) <= 1


def test_rotational_gaussian_2() -> None:
    at = np.array([0.1, 0.2, 0.3, 0, 0, 0, 0, 0.1, 0.05, 0.05, 0.5])
    assert rotational_gaussian_2(20, 0.02, -0.01, 0.3, at) == 0  # Q = 4.27
    assert rotational_gaussian_2(0, 0, 0, 0, at) == 1
    # unrotated: Q = ½(a/σ)², so that the edge (1/e) lies at √2·σ of each input
    plain = np.array([0, 0, 0, 0, 0, 0, 0, 0.1, 0.05, 0.05, 0.5], float)
    edge = math.sqrt(2)
    assert rotational_gaussian_2(0, edge * 0.05, 0, 0, plain) == pytest.approx(math.exp(-1))
    assert rotational_gaussian_2(0, 0, 0, edge * 0.5 * 0.99, plain) == pytest.approx(1, abs=0.13)
    assert math.isnan(rotational_gaussian_2(0, 0, math.nan, 0, plain))


def held(method: RemainingQuantity, **trade: object) -> Scene:
    """A scene that is long from 100 on, for 1,000."""
    s = Scene(engine(TradeConfiguration("t", method=method, **trade)))
    s.decide(flip(1, 100))
    return s


NARROW = RotationalGaussian1(theta=0.5, alpha=100, beta0=0.02, beta1=0.02)


@pytest.mark.parametrize(
    ("tests", "decision", "reduces"),
    [
        ({}, {}, True),
        ({"exit_on_impulse": 0.1}, {"filtered_delta": 0.1}, True),
        ({"exit_on_impulse": 0.1}, {"filtered_delta": 0.09}, False),
        ({"exit_on_aligned": 0.01}, {"open": 101.9}, False),
        ({"exit_on_aligned": 0.01}, {"open": 100.9}, True),
        ({"exit_on_profitable": 0.02}, {}, True),
        ({"exit_on_profitable": 0.021}, {}, False),
        ({"exit_on_profitable": 0.015, "profit_reference": ProfitReference.ENTRY}, {}, False),  # bought at 101
        ({"exit_on_profitable": 0.009, "profit_reference": ProfitReference.ENTRY}, {}, True),
        ({"exit_on_profitable": 0.02, "exit_on_impulse": 0.1}, {"filtered_delta": 0.0}, False),  # all must hold
    ],
)
def test_the_tests_that_a_reduction_must_pass(
    tests: dict[str, object], decision: dict[str, float], reduces: bool
) -> None:
    s = held(RemainingQuantity(long=NARROW, short=NARROW, **tests))
    assert [f.price for f in s.play(101, 101, 101, 101)] == [101]
    fields = {"cycle": 1.0, "cycle_begin": 100.0, "cycle_index": 1.0} | decision
    s.play(101, 102, 101, 102, row(102, **fields))
    assert [f.reason for f in s.play(102, 102, 102, 102)] == ([EXIT] if reduces else [])
    s.play(102, 102, 102, 102, flip(-1, 102))  # a flip asks no test
    assert s.play(102, 102, 102, 102)[0].reason is CLEAR


@pytest.mark.parametrize(
    ("sense", "direction", "cycle", "sides"),
    [
        (Sense.TREND, Direction.BOTH, 1, ["BUY"]),
        (Sense.TREND, Direction.BOTH, -1, ["SELL"]),
        (Sense.CONTRARIAN, Direction.BOTH, 1, ["SELL"]),
        (Sense.CONTRARIAN, Direction.BOTH, -1, ["BUY"]),
        (Sense.TREND, Direction.LONG, -1, []),
        (Sense.CONTRARIAN, Direction.LONG, -1, ["BUY"]),
        (Sense.TREND, Direction.SHORT, 1, []),
        (Sense.TREND, Direction.SHORT, -1, ["SELL"]),
        (Sense.TREND, Direction.BOTH, 0, []),
    ],
)
def test_sense_and_direction(sense: Sense, direction: Direction, cycle: float, sides: list[str]) -> None:
    method = RemainingQuantity(sense=sense, long=WIDE, short=WIDE)
    s = Scene(engine(TradeConfiguration("t", direction=direction, method=method)))
    s.decide(flip(cycle, 100))
    assert [f.side.value for f in s.walk(100, 100)] == sides


def test_a_round_goes_on_through_the_other_regime_and_begins_anew_with_the_next_of_its_kind() -> None:
    age = RotationalGaussian1(theta=0.5, alpha=0.0002, beta0=100, beta1=100)  # e^(−½) after 2 bars
    s = held(RemainingQuantity(span=Span.ROUND, long=age, short=age), direction=Direction.LONG)
    s.play(100, 100, 100, 100, flip(-1, 100))
    after = s.play(100, 100, 100, 100, row(100, cycle=-1, cycle_index=1, cycle_begin=100))
    assert [f.reason for f in after] == [EXIT]
    assert after[0].quantity_after == pytest.approx(10 * math.exp(-0.125), abs=2e-3)
    assert s.play(100, 100, 100, 100, flip(1, 100))[0].quantity_after == pytest.approx(10 * math.exp(-0.5), abs=2e-3)
    assert s.walk(100, 100)[0].quantity_after == pytest.approx(10, abs=2e-3)


def test_the_swing_and_the_signal_enter_the_four_input_map() -> None:
    inside = RotationalGaussian2(theta=(0, 0, 0), sigma=(1, 1, 0.05, 1))
    s = Scene(engine(TradeConfiguration("t", method=RemainingQuantity(long=inside, short=inside))))
    more = {"filtered": 0.3, "cycle_updated": 1, "cycle_begin": 100, "cycle": 1}
    s.decide(row(100, swing_price=99, **more))
    assert [f.reason for f in s.walk(100, 100)] == [ENTRY]
    s.decide(row(100, swing_price=90, **more | {"cycle_updated": 0}))  # (100 − 90)/100 = 2σ: outside
    assert [f.reason for f in s.walk(100, 100)] == [CLEAR]


def test_without_a_swing_the_four_input_map_has_no_opinion() -> None:
    s = Scene(engine(TradeConfiguration("t", method=RemainingQuantity(long=RotationalGaussian2()))))
    s.decide(flip(1, 100))
    assert s.walk(100, 100) == []


def series(function: object, name: str, values: list[float], **more: float) -> list[float]:
    """Exposures of a function over a series of one input."""
    s = method_row(TradeConfiguration("t", method=TargetExposure(function=function)))
    p = np.zeros(POSITION_WIDTH)
    return [function_exposure(p, s, row(**({"close": 100.0} | more | {name: value}))) for value in values]


def test_mmacd_default_is_the_specifications_example() -> None:
    z = [0.2, 0.6, 0.9, 0.7, 0.5, 0.6, -0.1, -0.8, -0.5, -0.55, 0.3]
    expected = [
        0.197375, 0.537050, 0.716298, 0.604368, 0.462117, 0.462117, -0.099668, -0.664037, -0.462117, -0.462117, 0.291313,
    ]  # fmt: skip
    assert series(MmacdDefault(), "mmacd_short", z) == pytest.approx(expected, abs=1e-6)
    assert series(MmacdDefault(line=MacdLine.LONG), "mmacd_long", z) == pytest.approx(expected, abs=1e-6)


def test_mmacd_long_default_thins_out_and_never_grows_within_a_side() -> None:
    found = series(MmacdLongDefault(), "mmacd_long", [0.1, 0.5, 0.2, -0.1])
    full, half = 1 - math.tanh(0.1), 1 - math.tanh(0.5)
    assert found == pytest.approx([full, half, half, -full], abs=1e-6)


def test_swing_default_is_the_specifications_example() -> None:
    side = SwingSide(length=0.1)
    s = method_row(TradeConfiguration("t", method=TargetExposure(function=SwingDefault(long=side, short=side))))
    p = np.zeros(POSITION_WIDTH)
    found = [function_exposure(p, s, row(c, swing_price=100, swing_type=1)) for c in (99, 97, 98, 95, 100.5, 99)]
    assert found == pytest.approx([-0.9, -0.7, -0.7, -0.5, 0, 0], abs=1e-6)
    assert function_exposure(p, s, row(96.9, swing_price=95, swing_type=-1)) == pytest.approx(0.8)


def test_the_first_leg_is_traded_whatever_its_side() -> None:
    assert series(SwingDefault(), "close", [101.0], swing_price=100, swing_type=-1)[0] == pytest.approx(0.99)


@pytest.mark.parametrize("method", [MmacdDefault(), MmacdLongDefault(), SwingDefault()])
def test_without_an_opinion_the_position_is_kept(method: object) -> None:
    s = Scene(engine(TradeConfiguration("t", method=TargetExposure(function=method))))
    known = {"mmacd_short": 1.0, "mmacd_long": 0.1, "swing_price": 100.0, "swing_type": -1.0}
    s.decide(row(100, **known))
    assert [f.reason for f in s.walk(100, 100)] == [ENTRY]
    s.decide(row(100))
    assert s.walk(100, 100) == []
    s.decide(row(100, **known | {"mmacd_short": -1.0, "mmacd_long": -0.1, "swing_type": 1.0}))
    assert [f.reason for f in s.walk(100, 100)] == [CLEAR, ENTRY]


@pytest.mark.parametrize(("reentry", "expected"), [(False, []), (True, [ENTRY])])
def test_after_a_stop_the_function_must_change_its_mind(reentry: bool, expected: list[TradeReason]) -> None:
    method = TargetExposure(function=MmacdDefault())
    s = Scene(engine(TradeConfiguration("t", full_stop_loss_immediate=0.05, post_stop_reentry=reentry, method=method)))
    s.decide(row(100, mmacd_short=1.0))
    assert [f.reason for f in s.walk(100, 94)] == [ENTRY, TradeReason.STOP_IMMEDIATE]
    s.decide(row(94, mmacd_short=1.1))
    assert [f.reason for f in s.walk(94, 94)] == expected
    s.decide(row(94, mmacd_short=-1.0))
    assert [f.reason for f in s.walk(94, 94)][-1] is ENTRY


@pytest.mark.parametrize(
    ("trade", "field"),
    [
        (TradeConfiguration("t", method=RemainingQuantity(span=Span.ROUND)), "trade.method.span"),
        (TradeConfiguration("t", method=TradeScenario(exit=(ScenarioRow(0, 0),))), "trade.method.exit[0].deviation"),
        (
            TradeConfiguration("t", method=TradeScenario(entry=(ScenarioRow(0.1, 0.5), ScenarioRow(0.1, 0.6)))),
            "trade.method.entry[1].deviation",
        ),
        (
            TradeConfiguration("t", method=TradeScenario(exit=(ScenarioRow(0.1, 0.5), ScenarioRow(0.2, 0.6)))),
            "trade.method.exit[1].target",
        ),
    ],
)
def test_a_method_that_contradicts_itself_is_refused_by_field(trade: TradeConfiguration, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        engine(trade)
    assert refused.value.field == field


def test_an_analysis_that_the_method_lacks_is_refused_by_name() -> None:
    bare = AnalysisConfiguration.of_one("bare")
    for method, field in (
        (TradeScenario(), "analysis.pip"),
        (RemainingQuantity(), "analysis.pip"),
        (TargetExposure(function=MmacdDefault()), "analysis.mmacd_short"),
        (TargetExposure(function=MmacdLongDefault()), "analysis.mmacd_long"),
    ):
        with pytest.raises(Invalid) as refused:
            check_analysis(TradeConfiguration("t", method=method), bare)
        assert refused.value.field == field
        check_analysis(TradeConfiguration("t", method=method), ANALYSIS)
    check_analysis(TradeConfiguration("t", method=TargetExposure(function=SwingDefault())), bare)


def test_a_changed_method_forgets_what_the_old_one_remembered() -> None:
    before = engine(TradeConfiguration("t", method=TargetExposure(function=MmacdDefault())))
    Scene(before).decide(row(100, mmacd_short=0.0001))
    after = engine(TradeConfiguration("t", method=RemainingQuantity()))
    after.adopt(before)
    assert after._positions[0, Position.CYCLE_SIDE] == 0
    assert after._positions[0, Position.REMAINING] == 1
