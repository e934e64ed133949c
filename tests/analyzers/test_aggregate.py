from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from atm.analyzers import AnalysisPipeline
from atm.analyzers.aggregate import numbers, open_times
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import N_COLUMNS, Column
from atm.model.interval import MINUTE_MS, Interval, parse_time
from tests.analyzers.market import minutes, of_matrix

RULES = {
    Interval.M1: "1min", Interval.M3: "3min", Interval.M5: "5min", Interval.M15: "15min", Interval.M30: "30min",
    Interval.H1: "1h", Interval.H2: "2h", Interval.H4: "4h", Interval.H6: "6h", Interval.H8: "8h", Interval.H12: "12h",
    Interval.D1: "1D", Interval.D3: "3D", Interval.W1: "W-MON", Interval.MONTH: "MS",
}  # fmt: skip


@pytest.mark.parametrize("interval", list(Interval))
def test_bars_are_those_of_pandas_over_a_year_end(interval):
    start = "2023-12-01" if interval is Interval.MONTH else "2023-12-18"
    bars = minutes(85_000, 2, start_ms=parse_time(start), missing=0.3)
    table = AnalysisPipeline(AnalysisConfiguration.of_one("x", interval=interval)).run(bars)
    index = pd.to_datetime(bars.open_time, unit="ms")
    series = pd.DataFrame(bars.values.T, index=index, columns=[column.name for column in Column])
    label = {"closed": "left", "label": "left"} | ({"origin": "epoch"} if interval is Interval.D3 else {})
    grouped = series.resample(RULES[interval], **label)
    how = dict.fromkeys(series.columns, "sum") | {"OPEN": "first", "HIGH": "max", "LOW": "min", "CLOSE": "last"}
    expected = grouped.agg(how)
    expected[grouped["CLOSE"].count() == 0] = np.nan
    opens = expected.index.as_unit("ms").asi8
    closed = (opens >= bars.open_time[0]) & (opens < table.close_time[-1])  # one that began before is not whole
    assert_array_equal(table.open_time, opens[closed])
    assert_array_equal(table.close_time[:-1], table.open_time[1:])
    assert_allclose(table.values[:N_COLUMNS], expected.to_numpy()[closed].T, rtol=1e-12)
    end_ms = int(bars.open_time[-1]) + MINUTE_MS
    assert table.close_time[-1] <= end_ms < interval.next_open(int(table.close_time[-1]))


@given(st.sampled_from(list(Interval)), st.integers(0, 2_000_000_000), st.integers(1, 10_000_000))
def test_open_times_and_numbers_are_those_of_the_calendar(interval, start_s, length_s):
    start_ms = start_s * 1000
    end_ms = start_ms + min(length_s * 1000, 200 * interval.nominal_ms)
    times = open_times(interval, start_ms, end_ms)
    assert times[0] <= start_ms < times[1]
    assert times[-2] < end_ms <= times[-1]
    for earlier, later in pairwise(times[:6].tolist()):
        assert interval.open_time(earlier) == earlier
        assert interval.next_open(earlier) == later
    assert (np.diff(numbers(interval, times)) == 1).all()


def test_months_and_weeks_at_the_turn_of_the_year():
    def dates(interval, start, end):
        times = open_times(interval, parse_time(start), parse_time(end))
        return [datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d") for time in times]

    assert dates(Interval.MONTH, "2025-11-15", "2026-02-01") == ["2025-11-01", "2025-12-01", "2026-01-01", "2026-02-01"]
    assert dates(Interval.W1, "2025-12-31", "2026-01-05") == ["2025-12-29", "2026-01-05"]


def test_a_bar_aggregates_the_minutes_that_are_present_and_none_makes_it_missing():
    values = np.tile(np.array([[10.0], [12], [9], [11], [1], [2], [3], [4], [5]]), 9)
    values[:, [0, 3, 4, 5, 8]] = np.nan
    values[0, 1], values[1, 2], values[3, 2] = 10.5, 13.0, 10.2
    table = AnalysisPipeline(AnalysisConfiguration.of_one("x", interval=Interval.M3)).run(of_matrix(values))
    assert_allclose(table.values[:N_COLUMNS, 0], [10.5, 13.0, 9, 10.2, 2, 4, 6, 8, 10])
    assert np.isnan(table.values[:N_COLUMNS, 1]).all()
    assert_allclose(table.values[:N_COLUMNS, 2], [10, 12, 9, 11, 2, 4, 6, 8, 10])
