from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose

from atm.analyzers import AnalysisPipeline
from atm.analyzers.bollinger import BOL
from atm.analyzers.moving_averages import EMA, SMA, VOL, WMA
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    Average,
    BollingerLine,
    MovingAverageLine,
    ParabolicLine,
    VolumeLine,
    VolumeType,
)
from atm.model.errors import Invalid
from tests.analyzers.market import frame


def evaluate(indicator, line, close):
    params = indicator.pack(line)
    out = np.empty((len(indicator.fields), len(close)))
    indicator.advance(params, indicator.state(params), frame(close), 0, len(close), out)
    return out


@pytest.fixture(scope="module")
def close():
    return 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 2e-3, 5_000)))


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_sma_and_ema_are_those_of_talib(close, n):
    assert_allclose(evaluate(SMA, MovingAverageLine(n), close)[0], talib.SMA(close, n), rtol=1e-10)
    assert_allclose(evaluate(EMA, MovingAverageLine(n), close)[0], talib.EMA(close, n), rtol=1e-10)


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_wma_is_that_of_talib(close, n):
    assert_allclose(evaluate(WMA, MovingAverageLine(n), close)[0], talib.WMA(close, n), rtol=1e-10)


@pytest.mark.parametrize(("average", "matype"), [(Average.SMA, 0), (Average.EMA, 1), (Average.WMA, 2)])
def test_bands_about_any_average_are_those_of_talib(close, average, matype):
    lower, middle, upper = evaluate(BOL, BollingerLine(20, 2.0, average), close)
    high, centre, low = talib.BBANDS(close, 20, 2.0, 2.0, matype)
    assert_allclose(middle, centre, rtol=1e-10)
    assert_allclose(lower, low, rtol=1e-7)
    assert_allclose(upper, high, rtol=1e-7)


@pytest.mark.parametrize(("kind", "row"), list(zip(VolumeType, [4, 5, 7, 8], strict=True)))
@pytest.mark.parametrize(
    ("average", "theirs"), [(Average.SMA, talib.SMA), (Average.EMA, talib.EMA), (Average.WMA, talib.WMA)]
)
def test_volume_averages_are_those_of_talib_on_the_chosen_volume(kind, row, average, theirs):
    values = frame(np.full(300, 100.0))
    values[4:9] = np.random.default_rng(5).lognormal(0, 3, (5, 300))
    line = VolumeLine(12, kind, average)
    params = VOL.pack(line)
    out = np.empty((1, 300))
    VOL.advance(params, VOL.state(params), values, 0, 300, out)
    assert_allclose(out[0], theirs(values[row], 12), rtol=1e-9)


@pytest.mark.parametrize("average", [Average.SMA, Average.WMA])
def test_volume_averages_survive_a_million_bars_of_every_size(average):
    """Volumes over 20 orders of magnitude: what has left the window leaves nothing behind (D36)."""
    random = np.random.default_rng(6)
    volume = 10.0 ** random.uniform(-8, 12, 1_000_000)
    volume[700_000:] = random.random(300_000) * 1e-6
    values = np.zeros((11, len(volume)))
    values[4] = volume
    params = VOL.pack(VolumeLine(50, VolumeType.BASE, average))
    out = np.empty((1, len(volume)))
    VOL.advance(params, VOL.state(params), values, 0, len(volume), out)
    weights = np.ones(50) if average is Average.SMA else np.arange(1, 51)
    for end in [1_000, 699_999, 700_060, 999_999]:
        part = volume[end - 49 : end + 1]
        assert out[0, end] == pytest.approx(np.average(part, weights=weights), rel=1e-9)


def test_a_weighted_mean_keeps_the_weights_of_the_places_of_present_closes():
    close = np.array([1.0, 2, 3, np.nan, 5, 6])
    value = evaluate(WMA, MovingAverageLine(4), close)[0]
    assert_allclose(value[3:], [(1 * 1 + 2 * 2 + 3 * 3) / 6, (1 * 2 + 2 * 3 + 4 * 5) / 7, (1 * 3 + 3 * 5 + 4 * 6) / 8])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sma": tuple(MovingAverageLine(n) for n in range(2, 13))}, "sma"),
        ({"wma": (MovingAverageLine(5), MovingAverageLine(7), MovingAverageLine(5))}, "wma.3"),
        ({"psar": tuple(ParabolicLine(step=0.01 * i) for i in range(1, 7))}, "psar"),
        ({"bollinger": (BollingerLine(20), BollingerLine(20))}, "bollinger.2"),
        ({"volume": tuple(VolumeLine(n) for n in range(2, 8))}, "volume"),
    ],
)
def test_too_many_and_equal_lines_are_refused_by_field(changes, field):
    with pytest.raises(Invalid) as caught:
        AnalysisPipeline(AnalysisConfiguration.of_one("x", **changes))
    assert caught.value.field == field


def test_lines_that_differ_in_their_average_alone_are_two_lines():
    lines = (BollingerLine(20), BollingerLine(20, average=Average.EMA))
    assert "15m.BOL.2.upper" in AnalysisPipeline(AnalysisConfiguration.of_one("x", bollinger=lines)).columns


@pytest.mark.parametrize("n", [2, 20, 100])
def test_bollinger_bands_are_those_of_numpy_and_talib(close, n):
    """TA-Lib's and pandas' running variances lose digits where two closes nearly coincide; numpy's two passes do not."""
    lower, middle, upper = evaluate(BOL, BollingerLine(n, 2.5), close)
    windows = sliding_window_view(close, n)
    assert_allclose(middle[n - 1 :], windows.mean(axis=1), rtol=1e-12)
    assert_allclose((upper - middle)[n - 1 :], 2.5 * windows.std(axis=1), rtol=1e-9, atol=1e-11)
    high, _, low = talib.BBANDS(close, n, 2.5, 2.5)
    assert_allclose(lower, low, rtol=1e-6)
    assert_allclose(upper, high, rtol=1e-6)


def test_missing_closes_leave_the_mean_of_those_present_while_half_are(close):
    close = close.copy()
    close[np.random.default_rng(4).random(len(close)) < 0.2] = np.nan
    close[0] = 100.0
    n = 10
    rolling = pd.Series(close).rolling(n, min_periods=5)
    expected = rolling.mean()
    expected[: n - 1] = np.nan
    deviation = rolling.std(ddof=0).where(expected.notna())
    lower, middle, upper = evaluate(BOL, BollingerLine(n, 1.0), close)
    assert_allclose(evaluate(SMA, MovingAverageLine(n), close)[0], expected.ffill(), rtol=1e-12)
    assert_allclose(middle, expected.ffill(), rtol=1e-12)
    assert_allclose((upper - lower) / 2, deviation.ffill(), rtol=1e-6, atol=1e-9)


def test_a_hole_longer_than_half_the_window_holds_the_value():
    close = np.array([1.0, 2, 3, 4, np.nan, np.nan, np.nan, np.nan, np.nan, 8, 9])
    value = evaluate(SMA, MovingAverageLine(4), close)[0]
    assert_allclose(value[3:], [2.5, 3.0, 3.5, 3.5, 3.5, 3.5, 3.5, 8.5])


def test_ema_holds_over_a_missing_close_and_goes_on():
    close = np.array([2.0, np.nan, 4.0, 6.0, np.nan, 8.0])
    # k = 1/2, seeded by (2 + 4 + 6) / 3 = 4 once three closes are there
    assert_allclose(evaluate(EMA, MovingAverageLine(3), close)[0], [np.nan, np.nan, np.nan, 4.0, 4.0, 6.0])


def test_a_million_bars_do_not_drift():
    random = np.random.default_rng(5)
    n, window = 1_000_000, 50
    close = 1e5 * np.exp(np.cumsum(random.normal(-2.5e-5, 1e-3, n)))
    close[400_000:400_010] *= 1e6  # an absurd spike must leave nothing behind
    mean = evaluate(SMA, MovingAverageLine(window), close)[0]
    lower, middle, upper = evaluate(BOL, BollingerLine(window, 1.0), close)
    for end in [400_061, 500_000, 750_001, 1_000_000]:
        part = close[end - window : end]
        assert mean[end - 1] == pytest.approx(part.mean(), rel=1e-12)
        assert middle[end - 1] == pytest.approx(part.mean(), rel=1e-12)
        assert upper[end - 1] - lower[end - 1] == pytest.approx(2 * part.std(), rel=1e-9)


@pytest.mark.parametrize("price", [1e-8, 0.1, 61_234.5, 1e6])
def test_a_motionless_market_has_its_price_as_mean_and_no_band(price):
    close = np.concatenate([price * (1 + 0.3 * np.random.default_rng(6).random(100)), np.full(100, price)])
    assert_allclose(evaluate(SMA, MovingAverageLine(30), close)[0, 130:], price, rtol=1e-15)
    assert_allclose(evaluate(WMA, MovingAverageLine(30), close)[0, 130:], price, rtol=1e-14)
    lower, middle, upper = evaluate(BOL, BollingerLine(30, 2.0), close)
    assert (upper[130:] == price).all() and (lower[130:] == price).all() and (middle[130:] == price).all()
    assert (evaluate(EMA, MovingAverageLine(30), np.full(100, price))[0, 29:] == price).all()
