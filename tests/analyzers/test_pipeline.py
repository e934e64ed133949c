from __future__ import annotations

import dataclasses
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from atm.analyzers import AnalysisPipeline, Indicator, Registry
from atm.analyzers.builtin import built_in
from atm.analyzers.table import concatenate
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MovingAverageLine, MultiMACD
from atm.model.bars import Bars
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, Interval
from tests.analyzers.market import FULL, NETWORKS, SMALL, START_MS, changed, flat, minutes, of_matrix

EVENTS = ("SWING", "PSAR", ".cycle", "cycle_", "impulse_cycle", "nna_", "woi_", "nes_", "boundary_")
"""Columns that wait for an event, depend on the path since the last one, or whose source is not configured."""


@pytest.fixture(scope="module")
def bars():
    return minutes(6_000, 21, missing=0.15)


@pytest.fixture(scope="module")
def table(bars):
    return AnalysisPipeline(SMALL).run(bars)


def same(left, right):
    assert left.columns == right.columns
    assert_array_equal(left.open_time, right.open_time)
    assert_array_equal(left.close_time, right.close_time)
    assert_array_equal(left.values, right.values)


def test_columns_are_named_and_begin_with_the_bar(table):
    assert table.columns[:5] == tuple(f"5m.KLINE.0.{name}" for name in ("open", "high", "low", "close", "volume"))
    for name in (
        "5m.SMA.2.value", "5m.EMA.1.value", "5m.BOL.1.upper", "5m.PSAR.1.direction", "5m.SWING.0.time",
        "5m.MMACDSHORT.0.abs_mean_relative", "5m.MMACDLONG.0.delta", "5m.PIP.0.cycle_begin_price",
    ):  # fmt: skip
        assert name in table.columns
    assert len(set(table.columns)) == len(table.columns) == len(table.values)
    assert_array_equal(table.column("SMA.1.value"), table.column("5m.SMA.1.value"))
    with pytest.raises(Invalid, match=r"column: 'SMA\.9\.value'"):
        table.column("SMA.9.value")


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 1_500), max_size=8), seed=st.integers(0, 50), missing=st.sampled_from([0.0, 0.2, 0.9])
)
def test_any_chunks_give_the_same_bits(cuts, seed, missing):
    bars = minutes(1_500, seed, missing=missing)
    whole = AnalysisPipeline(SMALL).run(bars)
    pipeline = AnalysisPipeline(SMALL)
    edges = [0, *sorted(cuts), 1_500]
    same(concatenate([pipeline.run(bars.slice(a, b)) for a, b in pairwise(edges)]), whole)


def test_bar_by_bar_gives_the_same_bits_and_a_row_at_every_close(bars, table):
    pipeline = AnalysisPipeline(SMALL)
    rows = [row for row in (pipeline.advance(bars.bar(i)) for i in range(len(bars))) if row is not None]
    assert_array_equal([row.open_time for row in rows], table.open_time)
    assert_array_equal([row.close_time for row in rows], table.close_time)
    assert_array_equal(np.array([row.values for row in rows]).T, table.values)
    assert_array_equal(table.row(7).values, table.values[:, 7])


def test_minutes_left_out_are_minutes_that_are_missing(bars, table):
    present = ~np.isnan(bars.close)
    present[[0, -1]] = True
    columns = bars.values[:, present], bars.source[present], bars.flow[:, present]
    holed = Bars(bars.interval, bars.open_time[present], *columns)
    same(AnalysisPipeline(SMALL).run(holed), table)


def test_cutting_or_changing_the_future_leaves_the_past(bars, table):
    cut = 3_003
    same(AnalysisPipeline(SMALL).run(bars.slice(0, cut)), table.slice(0, cut // 5))
    values = bars.values.copy()
    values[:, cut:] = 1e6 * np.random.default_rng(1).random((9, len(bars) - cut))
    same(AnalysisPipeline(SMALL).run(of_matrix(values)).slice(0, cut // 5), table.slice(0, cut // 5))


def test_a_preview_leaves_the_state_and_the_last_one_is_the_row(bars):
    watched, plain = AnalysisPipeline(SMALL), AnalysisPipeline(SMALL)
    for i in range(3_000):
        bar = bars.bar(i)
        before = watched.dump()
        watched.preview(msgspec.structs.replace(bar, close=bar.close * 1.5, high=bar.high * 1.5))
        provisional = watched.preview(bar)
        assert watched.dump() == before
        row, expected = watched.advance(bar), plain.advance(bar)
        if expected is None:
            assert row is None
            continue
        assert (provisional.open_time, provisional.close_time) == (expected.open_time, expected.close_time)
        assert_array_equal(provisional.values, expected.values)
        assert_array_equal(row.values, expected.values)


def test_a_preview_of_a_later_minute_counts_the_ones_between_as_missing(bars):
    pipeline, reference = AnalysisPipeline(SMALL), AnalysisPipeline(SMALL)
    pipeline.run(bars.slice(0, 2_003))
    reference.run(bars.slice(0, 2_003))
    later = bars.bar(int(np.flatnonzero(~np.isnan(bars.close[2_024:]))[0]) + 2_024)
    end = later.open_time // (5 * MINUTE_MS) * 5 * MINUTE_MS + 4 * MINUTE_MS
    values = np.array([later.row()]).T
    parts = [of_matrix(values, later.open_time)]
    if end > later.open_time:
        parts.append(of_matrix(np.full((9, 1), np.nan), end))
    expected = reference.run(Bars.concatenate(parts))
    assert_array_equal(pipeline.preview(later).values, expected.values[:, -1])


def test_a_dumped_state_goes_on_to_the_same_bits(bars, table):
    first, second = AnalysisPipeline(SMALL), AnalysisPipeline(SMALL)
    head = first.run(bars.slice(0, 2_222))
    second.load(first.dump())
    assert second.next_ms == START_MS + 2_222 * MINUTE_MS
    same(concatenate([head, second.run(bars.slice(2_222, len(bars)))]), table)
    other = AnalysisPipeline(changed(SMALL, swing_range=0.005))
    with pytest.raises(Invalid, match="dumped under the same configuration"):
        other.load(first.dump())


def test_every_value_is_there_after_the_declared_look_back():
    pipeline = AnalysisPipeline(SMALL)
    bars = minutes(pipeline.look_back_minutes + 3, 5, start_ms=START_MS + 2 * MINUTE_MS)
    table = pipeline.run(bars)
    last = dict(zip(table.columns, table.values[:, -1], strict=True))
    missing = [name for name, value in last.items() if np.isnan(value) and not any(event in name for event in EVENTS)]
    assert not missing
    assert pipeline.look_back_minutes < pipeline.settle_minutes


def test_the_start_is_forgotten_after_the_declared_time():
    bars = minutes(6_000, 6)
    skipped = 1_111
    whole, later = AnalysisPipeline(SMALL), AnalysisPipeline(SMALL)
    one, other = whole.run(bars), later.run(bars.slice(skipped, len(bars)))
    settled = (skipped + whole.settle_minutes) // 5 + 1
    left, right = one.values[:, settled:], other.values[:, settled - skipped // 5 - 1 :]
    plain = [i for i, name in enumerate(one.columns) if not any(event in name for event in EVENTS)]
    assert left.shape[1] > 100
    assert_allclose(right[plain], left[plain], rtol=2e-5, atol=2e-5)
    path = [i for i, name in enumerate(one.columns) if any(event in name for event in EVENTS)]
    assert_allclose(right[path, -50:], left[path, -50:], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("price", [1e-8, 3.3, 1e6])
def test_a_motionless_market_gives_its_price_and_zeros(price):
    table = AnalysisPipeline(SMALL).run(flat(3_000, price))
    last = {name.split(".", 1)[1]: value for name, value in zip(table.columns, table.values[:, -1], strict=True)}
    for name in ("SMA.1.value", "EMA.1.value", "BOL.1.lower", "BOL.1.upper", "PSAR.1.value"):
        assert last[name] == pytest.approx(price, rel=1e-14)
    for name in ("MMACDSHORT.0.abs_mean_relative", "MMACDLONG.0.mmacd", "PIP.0.classical_signal", "PIP.0.filtered"):
        assert last[name] == 0.0
    assert np.isnan(last["PIP.0.cycle"])
    assert last["PIP.0.cycle_updated"] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    prices=st.lists(st.sampled_from([1e-8, 2e-8, 1.0, 1e6, np.nan]), min_size=1, max_size=400),
    volume=st.sampled_from([0.0, 1e-8, 1e12]),
)
def test_absurd_bars_give_no_infinity_and_no_value_that_goes_missing_again(prices, volume):
    values = np.repeat(np.array([prices * (1 + 400 // len(prices))]), 9, axis=0)[:, :800]
    values[4:] = np.where(np.isnan(values[4:]), np.nan, volume)
    table = AnalysisPipeline(changed(SMALL, interval=Interval.M1)).run(of_matrix(values))
    assert not np.isinf(table.values).any()
    for name, row in zip(table.columns, table.values, strict=True):
        if not any(part in name for part in ("KLINE", ".cycle", "FLOW", "WOI", "woi_")):
            defined = ~np.isnan(row)
            assert (defined[1:] >= defined[:-1]).all(), name


def test_what_does_not_follow_is_refused_and_changes_nothing(bars):
    pipeline = AnalysisPipeline(SMALL)
    pipeline.run(bars.slice(0, 100))
    before = pipeline.dump()
    for wrong in (bars.slice(99, 120), Bars.empty(Interval.M5)):
        with pytest.raises(Invalid):
            pipeline.run(wrong)
    swapped = Bars(bars.interval, bars.open_time[[101, 100]], bars.values[:, [101, 100]], bars.source[:2])
    for call in (
        lambda: pipeline.run(swapped),
        lambda: pipeline.advance(bars.bar(99)),
        lambda: pipeline.advance(bars.bar(101)),
        lambda: pipeline.preview(bars.bar(99)),
    ):
        with pytest.raises(Invalid):
            call()
    assert pipeline.dump() == before
    assert len(pipeline.run(Bars.empty())) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mmacd_short": MultiMACD(windows=(5, 5))}, "mmacd_short.windows"),
        ({"mmacd_short": None, "mmacd_long": None}, "pip"),
        ({"pip": ClassicalSignal(enter_threshold=0.1, leave_threshold=0.3)}, "pip.leave_threshold"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_field(changes, field):
    with pytest.raises(Invalid) as caught:
        AnalysisPipeline(changed(SMALL, **changes))
    assert caught.value.field == field


def test_an_indicator_from_outside_enters_through_the_same_door(bars):
    class Range(msgspec.Struct, frozen=True):
        factor: float

    def advance(params, state, values, start, stop, out):
        for i in range(start, stop):
            out[0, i] = params[0] * (values[1, i] - values[2, i])

    registry = built_in()
    indicator = Indicator[Range](
        name="RANGE",
        fields=("value",),
        lines=lambda _configuration: (Range(2.0), Range(3.0)),
        pack=lambda line: np.array([line.factor]),
        state=lambda _params: np.empty(0),
        advance=advance,
        warm_up=lambda _line: 1,
        settle=lambda _line: 1,
    )
    registry.register(indicator)
    table = AnalysisPipeline(SMALL, registry).run(bars.slice(0, 500))
    expected = table.column("KLINE.0.high") - table.column("KLINE.0.low")
    assert_allclose(table.column("RANGE.2.value"), 3 * expected)
    with pytest.raises(Invalid, match="RANGE"):
        registry.register(indicator)


def test_a_pipeline_without_any_line_gives_the_bars_alone():
    pipeline = AnalysisPipeline(AnalysisConfiguration.of_one("x"), Registry())
    assert pipeline.run(minutes(45)).values.shape == (9, 3)
    assert pipeline.look_back_minutes == 15
    assert AnalysisPipeline(AnalysisConfiguration.of_one("x", sma=(MovingAverageLine(10),))).look_back_minutes == 165


def test_the_sample_of_a_bar_is_the_mean_of_its_recorded_minutes():
    bars = minutes(15)
    imbalances = [0.1, 0.2, np.nan, 0.4, 0.9, *[np.nan] * 5, 0.6, 0.5, -0.2, 0.3, 0.8]
    known = [1.0, 0.5, np.nan, 1.0, 0.49, *[np.nan] * 5, 1.0, 1.0, 1.0, 1.0, 1.0]
    bars.flow[:] = imbalances, known
    bars.values[:, 11] = np.nan
    table = AnalysisPipeline(SMALL).run(bars)
    # the fifth minute was known too briefly, the twelfth has no bar
    expected = [(0.1 + 0.2 + 0.4) / 3, np.nan, (0.6 - 0.2 + 0.3 + 0.8) / 4]
    assert_allclose(table.column("FLOW.0.imbalance"), expected, rtol=1e-14)
    assert_array_equal(table.column("WOI.1.sample"), table.column("FLOW.0.imbalance"))


def test_bars_without_flow_are_not_recorded_and_never_zero():
    bars = dataclasses.replace(minutes(500), flow=None)
    table = AnalysisPipeline(SMALL).run(bars)
    for name in ("FLOW.0.imbalance", "WOI.1.sample", "WOI.1.filtered", "PIP.0.woi_signal"):
        assert np.isnan(table.column(name)).all()


NETWORKED = changed(FULL, interval=Interval.M5)


def test_a_network_gets_its_window_of_columns_and_gives_a_column():
    bars = minutes(100)
    table = AnalysisPipeline(NETWORKED, networks=NETWORKS).run(bars)
    inputs = np.array([table.column(name) for name in NETWORKS["test"].inputs])
    expected = NETWORKS["test"].outputs(np.concatenate([np.full((2, 2), np.nan), inputs], axis=1))
    assert_array_equal(table.column("NNA.0.output"), expected)
    assert not np.isnan(expected[6:]).any()


def test_without_its_network_the_column_is_empty_and_a_state_with_it_is_another():
    without, other = AnalysisPipeline(NETWORKED), AnalysisPipeline(NETWORKED, networks={"another": NETWORKS["test"]})
    for pipeline in (without, other):
        assert np.isnan(pipeline.run(minutes(100)).column("NNA.0.output")).all()
    with pytest.raises(Invalid):
        AnalysisPipeline(NETWORKED, networks=NETWORKS).load(without.dump())


def test_a_network_that_reads_what_is_not_there_is_refused():
    class Wrong(type(NETWORKS["test"])):  # type: ignore[misc]
        inputs = ("KLINE.0.close", "PIP.0.filtered")

    with pytest.raises(Invalid, match=r"PIP\.0\.filtered"):
        AnalysisPipeline(NETWORKED, networks={"test": Wrong()})
