"""What every indicator must keep, run over all that are registered (spec: analysis §11)."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from atm.analyzers import AnalysisPipeline
from atm.analyzers.builtin import built_in
from atm.analyzers.table import concatenate
from atm.model.interval import MINUTE_MS
from tests.analyzers.market import FULL, NETWORKS, START_MS, changed, flat, minutes, of_matrix

NAMES = [indicator.name for indicator in built_in()]
N = 2_500

MAY_BE_NAN = {
    "IVP": ("below_", "above_"),
    "FLOW": ("imbalance",),
    "NNA": ("output",),
    "WOI": ("",),
    "NES": ("",),
    "SWING": ("",),
    "PIP": ("cycle", "boundary_", "impulse_cycle", "nna_", "woi_", "nes_"),
}
"""Fields that wait for an event, or say that there is nothing (no boundary, nothing recorded, no cycle)."""

MOVES_ON_A_MISSING_BAR = {
    **dict.fromkeys(("SMA", "WMA", "BOL", "VOL"), ("",)),
    "FLOW": ("imbalance",),
    "NNA": ("output",),
    "WOI": ("",),
    "NES": ("",),
    "PIP": ("classical_delta", "filtered_delta", "cycle_updated", "cycle_index", "action", "entry_allowed"),
}
"""Windows slide on; samples are missing themselves; PIP neither changes nor acts."""

NEUTRAL = {
    "DMIxADX": {"plus_di": 0, "minus_di": 0, "dx": 0, "adx": 0, "value": 0, "peak_relative": 0, "abs_mean_relative": 0},
    "MFI": {"value": 50, "peak_relative": 0, "abs_mean_relative": 0},
    "MMACDSHORT": {"mmacd": 0, "delta": 0, "abs_mean_relative": 0},
    "MMACDLONG": {"mmacd": 0, "delta": 0, "abs_mean_relative": 0},
    "NES": {"sample": 0, "filtered": 0, "abs_mean_relative": 0},
    "VOL": {"value": 0},
    "IVP": {"value": 0, "peak": 0, "mass": 0},
    "TPD": {"mean_return": 0, "value": 0, "abs_mean_relative": 0},
    "PIP": {"classical_signal": 0, "filtered": 0, "impulse": 0, "action": 0, "entry_allowed": 0},
}


def pipeline(**changes):
    return AnalysisPipeline(changed(FULL, **changes), networks=NETWORKS)


def exempt(table, fields):
    """Whether a column (interval.NAME.line.field) is among NAME: prefixes of fields."""
    return lambda column: column.split(".", 3)[3].startswith(fields.get(column.split(".", 2)[1], ("\0",)))


def rows_of(table, name, but=None):
    """Positions of an indicator's columns, without those that `but` exempts."""
    skip = exempt(table, but or {})
    return [i for i, column in enumerate(table.columns) if column.split(".", 2)[1] == name and not skip(column)]


@pytest.fixture(scope="module")
def bars():
    return minutes(N, 21, missing=0.1)


@pytest.fixture(scope="module")
def table(bars):
    return pipeline().run(bars)


@pytest.fixture(scope="module")
def chunked(bars):
    """The same minutes in random pieces, the odd ones bar by bar."""
    random, feeder, parts = np.random.default_rng(1), pipeline(), []
    edges = [0, *sorted(random.integers(1, N, 30)), N]
    for k, (a, b) in enumerate(pairwise(edges)):
        if k % 2:
            parts += [row for row in (feeder.advance(bars.bar(i)) for i in range(a, b)) if row is not None]
        else:
            parts.append(feeder.run(bars.slice(a, b)))
    return np.concatenate([np.atleast_2d(p.values.T) for p in parts]).T


@pytest.fixture(scope="module")
def other_future(bars):
    values = bars.values.copy()
    values[:, N // 2 :] = 1e6 * np.random.default_rng(1).random((9, N - N // 2))
    later = of_matrix(values)
    later.flow[:, N // 2 :] = np.random.default_rng(2).uniform(0.6, 1.0, (2, N - N // 2))
    return pipeline().run(later)


@pytest.fixture(scope="module")
def restarted():
    """(whole run, run that begins 777 bars later and goes on through its state)."""
    bars, whole, late = minutes(9_000, 22), pipeline(), pipeline()
    head = late.run(bars.slice(777, 4_000))
    again = pipeline()
    again.load(late.dump())
    return whole.run(bars), concatenate([head, again.run(bars.slice(4_000, 9_000))])


@pytest.fixture(scope="module")
def previews(bars):
    """(provisional rows, closed rows) of 300 bars, each previewed with other contents first."""
    feeder = pipeline()
    feeder.run(bars.slice(0, 1_000))
    provisional, closed = [], []
    for i in range(1_000, 1_300):
        bar, before = bars.bar(i), feeder.dump()
        feeder.preview(msgspec.structs.replace(bar, close=bar.close * 1.5, high=bar.high * 1.5, volume=1e6))
        provisional.append(feeder.preview(bar).values)
        assert feeder.dump() == before
        closed.append(feeder.advance(bar).values)
    return np.array(provisional).T, np.array(closed).T


def test_the_configuration_of_the_battery_has_every_indicator(table):
    assert {column.split(".", 2)[1] for column in table.columns} == {"KLINE", *NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_incremental_is_batch(name, table, chunked):
    rows = rows_of(table, name)
    assert_array_equal(chunked[rows], table.values[rows])


@pytest.mark.parametrize("name", NAMES)
def test_no_look_ahead(name, table, other_future):
    rows = rows_of(table, name)
    assert_array_equal(other_future.values[rows, : N // 2], table.values[rows, : N // 2])


@pytest.mark.parametrize("name", NAMES)
def test_previews_leave_nothing_and_the_last_is_the_row(name, table, previews):
    provisional, closed = previews
    rows = rows_of(table, name)
    assert_array_equal(provisional[rows], closed[rows])
    assert_array_equal(closed[rows], table.values[rows, 1_000:1_300])


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_forgotten_after_the_declared_time(name, restarted):
    whole, late = restarted
    lines = [line for line in pipeline().lines if line.name == name]
    # peaks are for good; cycles and the impulse cycle depend on the path since the last crossing
    rows = rows_of(
        whole, name, {name: ("peak", "cycle", "impulse_cycle", "action", "entry_allowed")} if name != "IVP" else {}
    )
    settle = max(line.settle or 3_000 for line in lines)
    assert settle < 5_000
    left, right = whole.values[rows, 777 + settle :], late.values[rows, settle:]
    assert left.shape[1] > 3_000
    for row, one, other in zip(rows, left, right, strict=True):
        # 1e-6 of the size a value usually has; NaN at the same bars
        size = np.mean(abs(one[~np.isnan(one)])) if not np.isnan(one).all() else 0.0
        assert_allclose(other, one, rtol=2e-5, atol=2e-5 * size + 1e-12, err_msg=whole.columns[row])


@pytest.mark.parametrize("name", NAMES)
def test_warm_up_is_as_declared(name):
    runner = pipeline()
    table = runner.run(minutes(1_500, 23))
    waiting = exempt(
        table, {**MAY_BE_NAN, "DMIxADX": ("peak",), "WOI": ("sample",), "NES": (), "PIP": MAY_BE_NAN["PIP"]}
    )
    for line in (line for line in runner.lines if line.name == name):
        for row in range(line.rows.start, line.rows.stop):
            if not waiting(table.columns[row]):
                assert not np.isnan(table.values[row, line.warm_up - 1 :]).any(), table.columns[row]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_bar_holds(name, bars, table):
    missing = np.flatnonzero(np.isnan(bars.close[1:])) + 1
    for row in rows_of(table, name, MOVES_ON_A_MISSING_BAR):
        values = table.values[row]
        assert_array_equal(values[missing], values[missing - 1], err_msg=table.columns[row])


@pytest.mark.parametrize("price", [1e-8, 0.1, 61_234.5, 1e6])
@pytest.mark.parametrize("name", NAMES)
def test_a_motionless_market_is_neutral(name, price):
    table = motionless(price)
    last = dict(zip(table.columns, table.values[:, -1], strict=True))
    for column, value in last.items():
        _, owner, _, field = column.split(".", 3)
        if owner == name:
            assert not np.isinf(value)
            if field in NEUTRAL.get(name, {}):
                assert value == NEUTRAL[name][field], column
            elif name in ("SMA", "WMA", "EMA", "BOL", "PSAR") and field != "direction":
                assert value == pytest.approx(price, rel=1e-13), column


_motionless = {}


def motionless(price):
    if price not in _motionless:
        _motionless[price] = pipeline().run(flat(600, price))
    return _motionless[price]


def absurd(prices, volumes, count):
    """Bars of the named closes and volumes, cyclically; each opens at the close before and reaches both."""
    close = np.resize(np.array(prices, float), count)
    opened = np.concatenate([close[:1], close[:-1]])
    opened = np.where(np.isnan(opened), close, opened)
    volume = np.resize(np.array(volumes, float), count)
    half = volume * np.resize([0.0, 1.0, 0.5], count)
    bars = np.array(
        [
            opened,
            np.fmax(opened, close),
            np.fmin(opened, close),
            close,
            volume,
            volume * close,
            volume,
            half,
            half * close,
        ]
    )
    bars[:, np.isnan(close)] = np.nan
    return of_matrix(bars)


@settings(max_examples=40, deadline=None)
@given(
    prices=st.lists(st.sampled_from([1e-8, 2e-8, 1.0, 1.001, 1e6, np.nan]), min_size=1, max_size=60),
    volumes=st.lists(st.sampled_from([0.0, 1e-8, 1.0, 1e12]), min_size=1, max_size=7),
    count=st.sampled_from([1, 2, 400]),
)
def test_absurd_bars_give_no_infinity_and_no_value_that_goes_missing_again(prices, volumes, count):
    table = pipeline().run(absurd(prices, volumes, count))
    assert not np.isinf(table.values).any()
    may = exempt(table, MAY_BE_NAN)
    for column, row in zip(table.columns, table.values, strict=True):
        if "KLINE" not in column and not may(column):
            defined = ~np.isnan(row)
            assert (defined[1:] >= defined[:-1]).all(), column


def test_ranges_hold_on_absurd_bars():
    random = np.random.default_rng(3)
    table = pipeline().run(absurd(10.0 ** random.uniform(-8, 6, 700), 10.0 ** random.uniform(-8, 12, 300), 3_000))
    bounds = {
        "plus_di": (0, 100), "minus_di": (0, 100), "dx": (0, 100), "adx": (0, 100), "peak_relative": (-100, 100),
        "classical_signal": (-1, 1), "filtered": (-1, 1), "nna_signal": (-1, 1), "woi_relative": (-1, 1),
        "nes_relative": (-1, 1), "action": (-1, 1), "entry_allowed": (0, 1), "boundary_touch": (0, 1), "mass": (0, np.inf),
    }  # fmt: skip
    for column, row in zip(table.columns, table.values, strict=True):
        _, name, _, field = column.split(".", 3)
        if field in bounds and name not in ("WOI", "NES"):
            low, high = bounds[field]
            assert np.nanmin(row) >= low - 1e-9 and np.nanmax(row) <= high + 1e-9, column


def test_signs():
    """Rising closes that takers bought: momentum, trend strength, money flow, mean return and net taker volume are positive."""
    close = 100 * 1.0005 ** np.arange(800)
    values = np.array([close, close * 1.0001, close * 0.9999, close, *[np.full(800, 5.0)] * 5])
    table = pipeline().run(of_matrix(values))
    for column in ("MMACDSHORT.0.mmacd", "MMACDLONG.0.mmacd", "DMIxADX.1.value", "TPD.1.value", "NES.1.filtered"):
        assert table.column(column)[-1] > 0, column
    assert table.column("MFI.1.value")[-1] > 50
    assert table.column("PIP.0.nes_relative")[-1] > 0


def test_the_profile_of_a_pipeline_is_that_of_its_last_bar(bars):
    runner = pipeline()
    assert runner.profile() is None
    table = runner.run(bars)
    profile = runner.profile()
    assert profile.volume.sum() == pytest.approx(table.column("IVP.0.mass")[-1], rel=1e-9)
    assert pipeline(volume_profile=None).profile() is None
    assert runner.next_ms == START_MS + N * MINUTE_MS
