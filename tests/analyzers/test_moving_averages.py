from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose

from atm.analyzers.moving_averages import BOL, EMA, SMA
from atm.model.analysis_configuration import BollingerLine, MovingAverageLine
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
    lower, middle, upper = evaluate(BOL, BollingerLine(30, 2.0), close)
    assert (upper[130:] == price).all() and (lower[130:] == price).all() and (middle[130:] == price).all()
    assert (evaluate(EMA, MovingAverageLine(30), np.full(100, price))[0, 29:] == price).all()
