"""Several intervals at once: their bars, the row at each decision close, no look-ahead, open bars, restarts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from atm.analyzers import AnalysisPipeline
from atm.analyzers.table import concatenate
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine, expanded
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, Interval, parse_time
from tests.analyzers.market import SMALL, START_MS, changed, minutes, of_matrix

ALL = AnalysisConfiguration(
    "all",
    tuple(IntervalAnalyses(interval=interval, sma=(MovingAverageLine(2),)) for interval in Interval),
    decision_interval=Interval.H1,
)
(SMALL_LINES,) = SMALL.intervals
THREE = AnalysisConfiguration(
    "three",
    (
        IntervalAnalyses(interval=Interval.H1, ema=(MovingAverageLine(3),)),
        SMALL_LINES,
        IntervalAnalyses(interval=Interval.M15, sma=(MovingAverageLine(2),), swing_range=0.01),
    ),
)
"""5m decides; 7 minutes of the first hour are missing at the start of the series below."""


@pytest.fixture(scope="module")
def bars():
    return minutes(3_000, 8, start_ms=START_MS + 7 * MINUTE_MS, missing=0.1)


@pytest.fixture(scope="module")
def table(bars):
    return AnalysisPipeline(THREE).run(bars)


def test_the_shortest_interval_decides_unless_one_is_named_and_its_columns_come_first(table):
    assert (THREE.decision, ALL.decision) == (Interval.M5, Interval.H1)
    prefixes = [name.split(".", 1)[0] for name in table.columns]
    assert sorted(set(prefixes), key=prefixes.index) == ["5m", "15m", "1h"]
    assert table.interval is Interval.M5
    assert_array_equal(table.column("SWING.0.price"), table.column("5m.SWING.0.price"))
    assert AnalysisPipeline(ALL).columns[:9] == tuple(c for c in AnalysisPipeline(ALL).columns if c.startswith("1h.K"))


@pytest.mark.parametrize("start", ["2023-12-30 07:13", "2024-02-26", "2024-12-29"])
def test_each_interval_in_a_row_is_its_last_closed_bar_over_year_ends(start):
    bars = minutes(70 * 1_440, 3, start_ms=parse_time(start), missing=0.2)
    table = AnalysisPipeline(ALL).run(bars)
    for interval in Interval:
        alone = AnalysisPipeline(AnalysisConfiguration("x", tuple(a for a in ALL.intervals if a.interval is interval)))
        own = alone.run(bars)
        assert_array_equal(own.close_time, [interval.next_open(int(time)) for time in own.open_time])
        names = [name for name in table.columns if name.startswith(f"{interval.value}.")]
        got = np.array([table.column(name) for name in names])
        expected = np.full(got.shape, np.nan)
        for row, moment in enumerate(table.close_time):
            closed = np.flatnonzero(own.close_time <= moment)
            if len(closed):
                expected[:, row] = own.values[:, closed[-1]]
        assert_array_equal(got, expected)


def test_a_bar_that_began_before_the_first_minute_is_left_out(bars, table):
    assert table.open_time[0] == START_MS + 10 * MINUTE_MS
    hours = table.column("1h.KLINE.0.close")
    first = int(np.flatnonzero(~np.isnan(hours))[0])
    assert table.close_time[first] == START_MS + 120 * MINUTE_MS
    begun = AnalysisPipeline(THREE)
    begun.begin(START_MS)
    whole = begun.run(bars)
    assert whole.open_time[0] == START_MS
    assert np.isfinite(whole.column("1h.KLINE.0.close")[11])
    for wrong in (START_MS, START_MS + 1):
        with pytest.raises(Invalid, match="origin_ms"):
            begun.begin(wrong)


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3_000), max_size=6), seed=st.integers(0, 9), missing=st.sampled_from([0.0, 0.3, 0.97])
)
def test_any_pieces_give_the_same_bits(cuts, seed, missing):
    bars = minutes(3_000, seed, start_ms=START_MS + 7 * MINUTE_MS, missing=missing)
    pipeline = AnalysisPipeline(THREE)
    parts = [pipeline.run(bars.slice(a, b)) for a, b in pairwise([0, *sorted(cuts), 3_000])]
    assert_array_equal(concatenate(parts).values, AnalysisPipeline(THREE).run(bars).values)


def test_one_by_one_with_previews_and_a_restart_gives_the_same_bits(bars, table):
    pipeline, rows = AnalysisPipeline(THREE), []
    for i in range(len(bars)):
        if i % 501 == 500:
            fresh = AnalysisPipeline(THREE)
            fresh.load(pipeline.dump())
            pipeline = fresh
        before = pipeline.dump()
        provisional = pipeline.preview(bars.bar(i))
        for interval in (Interval.M5, Interval.M15, Interval.H1):
            assert pipeline.preview_bar(interval, bars.bar(i)).provisional
        assert provisional.provisional
        assert pipeline.dump() == before
        row = pipeline.advance(bars.bar(i))
        if row is not None:
            assert not row.provisional
            assert_array_equal(provisional.values, row.values)
            rows.append(row)
    assert_array_equal([row.close_time for row in rows], table.close_time)
    assert_array_equal(np.array([row.values for row in rows]).T, table.values)


@pytest.mark.parametrize("cut", [61, 1_000, 1_733, 2_993])
def test_cutting_or_changing_the_future_leaves_the_past(bars, table, cut):
    known = table.between(0, int(bars.open_time[cut]))
    values = bars.values.copy()
    values[:, cut:] = 1e6 * np.random.default_rng(1).random((9, len(bars) - cut))
    for other in (bars.slice(0, cut), of_matrix(values, int(bars.open_time[0]))):
        rows = AnalysisPipeline(THREE).run(other).between(0, int(bars.open_time[cut]))
        assert_array_equal(rows.close_time, known.close_time)
        assert_array_equal(rows.values, known.values)


def test_a_preview_of_a_later_minute_knows_the_bars_that_missing_minutes_have_closed(bars):
    for later in (1_985, 2_035, 2_100):
        pipeline, reference = AnalysisPipeline(THREE), AnalysisPipeline(THREE)
        pipeline.run(bars.slice(0, 1_980))
        reference.run(bars.slice(0, 1_980))
        bar = bars.bar(next(i for i in range(later, later + 9) if not np.isnan(bars.close[i])))
        end_ms = Interval.M5.next_open(Interval.M5.open_time(bar.open_time))
        of_bar = of_matrix(np.array([bar.row()]).T, bar.open_time)
        filled = of_bar.dense(bar.open_time, end_ms)
        expected = reference.run(filled)
        # an hour that ends after the minute itself is not closed for the preview
        if end_ms % Interval.H1.nominal_ms and end_ms % Interval.M15.nominal_ms:
            assert_array_equal(pipeline.preview(bar).values, expected.values[:, -1])


def test_a_preview_before_any_minute_knows_no_closed_bar(bars):
    last_of_the_hour = minutes(1, start_ms=START_MS + 59 * MINUTE_MS).bar(0)
    pipeline = AnalysisPipeline(THREE)
    row = pipeline.preview(last_of_the_hour)
    hour = [i for i, name in enumerate(pipeline.columns) if name.startswith("1h.")]
    assert row.values[3] == last_of_the_hour.close
    assert np.isnan(row.values[hour]).all()
    assert pipeline.advance(last_of_the_hour) is None


def test_an_open_coarse_bar_can_be_looked_at(bars):
    pipeline = AnalysisPipeline(THREE)
    pipeline.run(bars.slice(0, 1_990))
    row = pipeline.preview_bar(Interval.H1, bars.bar(1_990))
    inside = bars.between(row.open_time, int(bars.open_time[1_990]) + 1)
    assert row.values[1] == np.nanmax(inside.high)
    assert len(row.values) == 9 + 1 + 3
    with pytest.raises(Invalid, match="'4h'"):
        pipeline.preview_bar(Interval.H4, bars.bar(1_990))


def test_intervals_that_stand_twice_or_do_not_decide_are_refused():
    with pytest.raises(Invalid, match=r"intervals\[1\]\.interval: '5m'"):
        AnalysisPipeline(AnalysisConfiguration("x", (SMALL_LINES, SMALL_LINES)))
    with pytest.raises(Invalid, match="decision_interval: '1h'"):
        AnalysisPipeline(AnalysisConfiguration("x", (SMALL_LINES,), Interval.H1))


def test_the_look_back_is_that_of_the_longest_interval():
    assert AnalysisPipeline(THREE).look_back_minutes == max(
        AnalysisPipeline(AnalysisConfiguration("x", (analyses,))).look_back_minutes for analyses in THREE.intervals
    )


def test_the_short_form_is_written_out_and_the_long_one_left():
    flat = {"code": "x", "interval": "5m", "decision_interval": "5m", "nonsense": 1}
    long = {"code": "x", "decision_interval": "5m", "intervals": [{"interval": "5m", "nonsense": 1}]}
    assert expanded(flat) == long
    assert expanded(long) is long
    assert expanded([1]) == [1]
    assert changed(SMALL, swing_range=0.1).intervals[0].swing_range == 0.1
