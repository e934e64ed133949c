"""Rows of an analysis at every level of detail: extremes and gaps are those of the rows, however they came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from atm.gui.analysis_series import AnalysisSeries
from atm.gui.results import AnalysedStretch

BAR_MS = 60_000
COLUMNS = ("1m.A.1.value", "1m.B.0.other")


def stretch(values: NDArray[np.float64], first: int = 0) -> AnalysedStretch:
    time = (first + np.arange(values.shape[1], dtype=np.int64)) * BAR_MS
    return AnalysedStretch(COLUMNS, time, values, (first + values.shape[1]) * BAR_MS)


def market(n: int, seed: int = 3) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    values = np.cumsum(random.normal(size=(2, n)), axis=1)
    values[:, random.random(n) < 0.2] = np.nan
    values[0, n // 3 : n // 2] = np.nan
    return values


def extremes_by_block(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Lowest and highest of each block, in turn; NaN for a block without a value."""
    found = []
    for at in range(0, len(values), size):
        block = values[at : at + size][~np.isnan(values[at : at + size])]
        found += [block.min(), block.max()] if len(block) else [np.nan, np.nan]
    return np.array(found)


@given(
    pieces=st.lists(st.tuples(st.integers(1, 400), st.integers(0, 5)), min_size=1, max_size=6),
    most=st.integers(1, 60),
)
@settings(max_examples=40, deadline=None)
def test_every_level_has_the_extremes_of_the_rows_however_they_came(pieces: list[tuple[int, int]], most: int) -> None:
    whole = market(sum(n for n, _ in pieces) + 1, 7)
    n = pieces[0][0]
    series = AnalysisSeries(stretch(whole[:, :n]))
    for more, again in pieces[1:]:
        first = max(0, n - again)
        series.take_in(stretch(whole[:, first : n + more], first))
        n += more
    assert len(series) == n
    assert_array_equal(series.column(1), whole[1, :n])
    seen = series.in_sight(0, n * BAR_MS, most)
    for place in (0, 1):
        values = series.values(place, seen)
        if seen.level == 0:
            assert_array_equal(values, whole[place, :n])
            continue
        size = 4**seen.level
        expected = extremes_by_block(whole[place, :n], size)
        assert_array_equal(values, expected)
        assert len(expected) // 2 <= most + 1 or size * 8 >= n
        assert_array_equal(seen.seconds[0::2], np.arange(0, n, size) * BAR_MS / 1000)


def test_what_is_in_sight_is_the_finest_level_that_fits_and_reaches_over_both_edges() -> None:
    series = AnalysisSeries(stretch(market(10_000)), BAR_MS)
    near = series.in_sight(500 * BAR_MS, 600 * BAR_MS, 1_000)
    assert (near.level, near.first, near.last) == (0, 500, 602)
    assert near.seconds[0] == 500 * 60 + 30, "a row's place is the middle of its bar"
    far = series.in_sight(0, 10_000 * BAR_MS, 1_000)
    assert far.level == 2
    assert len(far.seconds) == 2 * 625
    assert series.index_at(-5) == 0
    assert series.index_at(77.5 * BAR_MS) == 77
    assert series.index_at(1e12) == 9_999


def test_the_running_bar_is_replaced_and_a_new_one_appended() -> None:
    values = market(1_000)
    series = AnalysisSeries(stretch(values))
    newest = np.array([[5.0, 6.0], [7.0, 8.0]])
    assert series.take_in(stretch(newest, 999)) == 999
    assert len(series) == 1_001
    assert series.column(0)[-2:].tolist() == [5.0, 6.0]
    assert series.next_ms == 1_001 * BAR_MS
    assert series.take_in(stretch(np.empty((2, 0)))) == 1_001


@pytest.mark.parametrize("cut", [1, 37, 99])
def test_changes_are_found_once_and_kept_up_to_date(cut: int) -> None:
    random = np.random.default_rng(9)
    values = np.repeat(random.integers(-1, 2, (2, 20)).astype(float), 5, axis=1)
    values[:, 40:45] = np.nan
    series = AnalysisSeries(stretch(values[:, :cut]))
    series.changes(0)
    series.take_in(stretch(values[:, cut - 1 :], cut - 1))
    expected = [i for i in range(100) if not np.isnan(values[0, i]) and (i == 0 or values[0, i] != values[0, i - 1])]
    assert series.changes(0).tolist() == expected


def test_columns_are_found_without_their_interval() -> None:
    series = AnalysisSeries(stretch(market(3)))
    assert series.place("B.0.other") == 1
    assert series.place("B.0.value") is None
