"""Rows at every minute: provisional values of the open decision bar, the same at once, in pieces, one by one and from the disk."""

from __future__ import annotations

import dataclasses
import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from atm.analyzers import every_minute
from atm.analyzers.cache import AnalysisCache
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import concatenate
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine
from atm.model.bars import Bars
from atm.model.interval import MINUTE_MS, Interval, parse_time
from tests.analyzers.market import SMALL, START_MS, flow, minutes, of_matrix

HOUR = IntervalAnalyses(Interval.H1, ema=(MovingAverageLine(3),))
TWO = msgspec.structs.replace(SMALL, intervals=(*SMALL.intervals, HOUR), decision_interval=Interval.M5)
AVERAGE = AnalysisConfiguration.of_one("average", interval=Interval.M5, sma=(MovingAverageLine(3),))
ELAPSED = "5m.BAR.0.elapsed"


@pytest.fixture(scope="module")
def bars() -> Bars:
    made = minutes(3_001, 21, missing=0.15)
    return dataclasses.replace(made, flow=flow(made.open_time))


@pytest.fixture(scope="module")
def table(bars: Bars):
    return AnalysisPipeline(TWO).run_every_minute(bars)


def of_closes(closes: list[float], start_ms: int = START_MS) -> Bars:
    close = np.array(closes)
    rest = np.where(np.isnan(close), np.nan, 1.0)
    return of_matrix(np.vstack([close, close, close, close, *[rest] * 5]), start_ms)


def test_an_average_of_three_bars_by_hand() -> None:
    # three bars of five minutes that close at 10, 20 and 30, then the minutes of a fourth
    closes = [0.0] * 4 + [10.0] + [0.0] * 4 + [20.0] + [0.0] * 4 + [30.0] + [40.0, 70.0, np.nan, 10.0, 100.0]
    table = AnalysisPipeline(AVERAGE).run_every_minute(of_closes(closes))
    assert_array_equal(table.column("SMA.1.value")[:10], np.nan)  # an average has a value once there are three bars
    # 10, 20 and the bar so far: (10 + 20 + 0) / 3 four times, (10 + 20 + 30) / 3; then 20, 30 and 40; 70; nothing; 10; 100
    assert_array_equal(table.column("SMA.1.value")[10:15], [10.0, 10.0, 10.0, 10.0, 20.0])
    assert_array_equal(table.column("SMA.1.value")[15:], [30.0, 40.0, np.nan, 20.0, 50.0])
    assert_array_equal(table.column("KLINE.0.high")[15:], [40.0, 70.0, np.nan, 70.0, 100.0])
    assert_array_equal(table.column("KLINE.0.volume")[15:], [1.0, 2.0, np.nan, 3.0, 4.0])
    assert_array_equal(table.column(ELAPSED), [0.2, 0.4, 0.6, 0.8, 1.0] * 4)
    assert_array_equal(table.open_time, START_MS + np.arange(20) // 5 * 5 * MINUTE_MS)
    assert_array_equal(table.close_time, START_MS + np.arange(1, 21) * MINUTE_MS)


def test_the_minute_that_completes_a_bar_has_exactly_the_closed_row(bars: Bars, table) -> None:
    pipeline = AnalysisPipeline(TWO)
    closed = pipeline.run(bars)
    at = table.column(ELAPSED) == 1.0
    assert_array_equal(table.close_time[at], closed.close_time)
    assert_array_equal(table.values[:-1, at], closed.values)
    assert np.isfinite(table.column("WOI.1.filtered")[~at]).mean() > 0.5


def test_inside_of_a_bar_it_is_the_preview_and_missing_minutes_say_nothing(bars: Bars, table) -> None:
    pipeline = AnalysisPipeline(TWO)
    dense = bars.dense(int(bars.open_time[0]), int(bars.open_time[-1]) + MINUTE_MS)
    at = {int(close): index for index, close in enumerate(table.close_time)}
    compared = 0
    for index in range(len(dense)):
        bar = dense.bar(index)
        values = table.values[:-1, at[bar.open_time + MINUTE_MS]] if bar.open_time + MINUTE_MS in at else None
        if values is not None and table.column(ELAPSED)[at[bar.open_time + MINUTE_MS]] < 1.0:
            expected = pipeline.preview(bar).values if bar.close == bar.close else np.full(len(values), np.nan)
            assert_array_equal(values, expected)
            compared += 1
        pipeline.advance(bar)
    assert compared > 2_000


def test_columns_of_another_interval_are_those_of_its_last_closed_bar(bars: Bars, table) -> None:
    hours = AnalysisPipeline(AnalysisConfiguration("hour", (HOUR,), Interval.H1)).run(bars)
    for name in ("1h.KLINE.0.close", "1h.EMA.1.value"):
        seen = table.column(name)
        for index in range(len(table)):
            closed = hours.close_time <= table.close_time[index]
            if np.isnan(table.column("5m.KLINE.0.close")[index]):
                continue
            expected = hours.column(name)[closed][-1] if closed.any() else np.nan
            assert_array_equal(seen[index], expected)


@settings(max_examples=25, deadline=None)
@given(
    decision=st.sampled_from([Interval.M5, Interval.H1]),
    cuts=st.lists(st.integers(0, 700), max_size=5),
    seed=st.integers(0, 50),
    missing=st.sampled_from([0.0, 0.2, 0.9]),
)
def test_pieces_and_single_minutes_give_the_same_bits(
    decision: Interval, cuts: list[int], seed: int, missing: float
) -> None:
    configuration = msgspec.structs.replace(TWO, decision_interval=decision)
    bars = minutes(700, seed, missing=missing)
    origin = int(bars.open_time[0]) - 2 * MINUTE_MS  # the first bar is not whole
    whole, pieces, single = (AnalysisPipeline(configuration) for _ in range(3))
    for each in (whole, pieces, single):
        each.begin(origin)
    table = whole.run_every_minute(bars)
    edges = [0, *sorted(min(cut, len(bars)) for cut in cuts), len(bars)]
    joined = concatenate([pieces.run_every_minute(bars.slice(a, b)) for a, b in itertools.pairwise(edges)])
    assert_array_equal(joined.close_time, table.close_time)
    assert_array_equal(joined.values, table.values)
    dense = bars.dense(origin, int(bars.open_time[-1]) + MINUTE_MS)
    rows = [row for i in range(len(dense)) if (row := single.advance_every_minute(dense.bar(i))) is not None]
    assert [row.close_time for row in rows] == table.close_time.tolist()
    assert [row.provisional for row in rows] == (table.values[-1] < 1.0).tolist()
    assert_array_equal(np.array([row.values for row in rows]).T.reshape(-1, len(rows)), table.values[:-1])
    assert whole.dump() == pieces.dump() == single.dump()


def test_the_compiled_loop_gives_the_same_bits(bars: Bars, table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every_minute, "FEW", 0 if len(bars) <= every_minute.FEW else 10**9)
    other = AnalysisPipeline(TWO)
    assert_array_equal(other.run_every_minute(bars).values, table.values)


def test_the_future_leaves_earlier_rows_as_they_were(bars: Bars, table) -> None:
    for cut in (701, 1_333, 2_002):
        part = AnalysisPipeline(TWO).run_every_minute(bars.slice(0, cut))
        known = table.close_time <= bars.open_time[cut - 1] + MINUTE_MS
        assert_array_equal(part.values, table.values[:, known])


def test_columns_that_are_not_wanted_have_values_at_closes_alone(bars: Bars, table) -> None:
    pipeline = AnalysisPipeline(TWO)
    some = pipeline.run_every_minute(bars, ("5m.PIP.0.filtered", "5m.KLINE.0.close"))
    inside = some.column(ELAPSED) < 1.0
    for name in ("PIP.0.filtered", "KLINE.0.close"):
        assert_array_equal(some.column(name), table.column(name))
    assert np.isnan(some.column("SMA.2.value")[inside]).all()
    assert_array_equal(some.values[:, ~inside], table.values[:, ~inside])
    whole = AnalysisPipeline(TWO)
    whole.run(bars)
    assert pipeline.dump() == whole.dump()


def test_the_share_of_a_month_follows_the_calendar() -> None:
    begin = parse_time("2024-02-01")
    assert Interval.MONTH.elapsed(begin + 29 * 24 * 60 * MINUTE_MS) == 1.0
    assert Interval.MONTH.elapsed(begin + MINUTE_MS) == 1 / (29 * 24 * 60)
    assert Interval.M5.elapsed(START_MS + 7 * MINUTE_MS) == 2 / 5
    assert Interval.M1.elapsed(START_MS) == 1.0


def test_they_are_kept_on_disk_under_a_key_of_their_own(bars: Bars, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AnalysisCache(tmp_path, 10_000_000)
    wanted = ("5m.KLINE.0.close", "5m.SMA.1.value", ELAPSED)
    monkeypatch.setattr("atm.analyzers.cache.PIECE_MINUTES", 1_000)
    told: list[float] = []
    first = cache.table(TWO, bars, None, wanted, told.append)
    first = dataclasses.replace(first, values=first.values.copy())
    assert told == [0.0, 1_000 / 3_001, 2_000 / 3_001, 3_000 / 3_001]
    (file,) = tmp_path.iterdir()
    closed = cache.table(TWO, bars, None, wanted[:2])
    again = cache.table(TWO, bars, None, wanted, told.append)
    assert len(told) == 4 and len(list(tmp_path.iterdir())) == 2
    assert len(first) == len(again) > 4 * len(closed)
    assert_array_equal(again.values, first.values)
    assert isinstance(again.values.base, np.memmap) and again.values.flags.aligned
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.unlink()
    file.write_bytes(content)
    assert_array_equal(cache.table(TWO, bars, None, wanted, told.append).values, first.values)
    assert len(told) == 8, "one that is broken is computed again"
    assert_array_equal(first.values[:2], AnalysisPipeline(TWO).run_every_minute(bars).select(wanted).values[:2])


def test_whoever_watches_can_end_it(bars: Bars, tmp_path) -> None:
    class Enough(Exception):
        pass

    def enough(share: float) -> None:
        raise Enough

    cache = AnalysisCache(tmp_path, 10_000_000)
    with pytest.raises(Enough):
        cache.table(TWO, bars, None, ("5m.KLINE.0.close", ELAPSED), enough)
    assert list(tmp_path.iterdir()) == []
