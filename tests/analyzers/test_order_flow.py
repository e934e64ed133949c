from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d

from atm.analyzers.mean_return import TPD
from atm.analyzers.order_flow import NES, WOI
from atm.model.analysis_configuration import MeanReturnLine, OrderFlowLine
from tests.analyzers.market import frame


def evaluate(indicator, params, values):
    out = np.empty((len(indicator.fields), values.shape[1]))
    indicator.advance(params, indicator.state(params), values, 0, values.shape[1], out)
    return dict(zip(indicator.fields, out, strict=True))


def woi(line, imbalance):
    """WOI of a row of imbalances that stands behind the bar, as the pipeline lays it out."""
    base = frame(np.full(len(imbalance), 100.0))
    return evaluate(WOI, np.concatenate([[1, 9], WOI.pack(line)]), np.vstack([base[:9], imbalance, base[9:]]))


def nes(line, volume, taker_buy):
    values = frame(np.full(len(volume), 100.0))
    values[4], values[7] = volume, taker_buy
    return evaluate(NES, NES.pack(line), values)


def mean_magnitude(x, window):
    """Bias-corrected exponential mean of |x|, NaN below half weight."""
    mean = pd.Series(abs(x)).ewm(span=window, adjust=True).mean().to_numpy()
    unseen = (1 - 2 / (window + 1)) ** np.arange(1, len(x) + 1)
    return np.where(unseen <= 0.5, mean, np.nan)


@pytest.mark.parametrize(("n", "sigma"), [(2, 0.5), (10, 2.5), (30, 7.5)])
def test_woi_is_an_exponential_mean_and_then_the_right_edge_of_a_gaussian(n, sigma):
    imbalance = np.random.default_rng(1).uniform(-1, 1, 600)
    got = woi(OrderFlowLine(n, sigma, normaliser=40), imbalance)
    average = talib.EMA(imbalance, n)
    filtered = np.full(600, np.nan)
    for c in range(2 * n - 2, 600):
        filtered[c] = gaussian_filter1d(average[c - n + 1 : c + 1], sigma)[-1]
    assert_allclose(got["sample"], imbalance)
    assert_allclose(got["average"], average, rtol=1e-9)
    assert_allclose(got["filtered"], filtered, rtol=1e-9, atol=1e-12)
    mean = mean_magnitude(filtered[2 * n - 2 :], 40)
    assert_allclose(got["abs_mean"][2 * n - 2 :], mean, rtol=1e-9)
    assert_allclose(got["abs_mean_relative"][2 * n - 2 :], filtered[2 * n - 2 :] / mean, rtol=1e-9)


def test_nes_is_net_taker_volume():
    random = np.random.default_rng(2)
    volume = random.lognormal(3, 1, 300)
    taker_buy = volume * random.random(300)
    got = nes(OrderFlowLine(10, 2.5), volume, taker_buy)
    assert_allclose(got["sample"], taker_buy - (volume - taker_buy))
    assert_allclose(got["average"], talib.EMA(2 * taker_buy - volume, 10), rtol=1e-9)


def test_buyers_and_bids_are_positive():
    volume = np.full(200, 7.0)
    assert nes(OrderFlowLine(), volume, volume)["filtered"][-1] == pytest.approx(7.0)
    assert nes(OrderFlowLine(), volume, 0 * volume)["filtered"][-1] == pytest.approx(-7.0)
    assert woi(OrderFlowLine(), np.full(200, 0.9))["filtered"][-1] == pytest.approx(0.9)
    assert woi(OrderFlowLine(), np.full(200, 0.9))["abs_mean_relative"][-1] == pytest.approx(1.0)
    assert nes(OrderFlowLine(), 0 * volume, 0 * volume)["abs_mean_relative"][-1] == 0.0


def test_missing_samples_hold_and_too_many_of_them_silence_the_line():
    n = 4
    imbalance = np.random.default_rng(3).uniform(-1, 1, 200)
    imbalance[100:104], imbalance[150:155] = np.nan, np.nan
    got = woi(OrderFlowLine(n, 1.0, normaliser=8), imbalance)
    assert np.isnan(got["sample"][100:104]).all()
    for name in ("average", "filtered", "abs_mean", "abs_mean_relative"):
        assert_allclose(got[name][100:104], [got[name][99]] * 4)
        assert np.isnan(got[name][154])
    dense = woi(OrderFlowLine(n, 1.0, normaliser=8), np.delete(imbalance, np.arange(100, 104)))
    assert_allclose(got["filtered"][104:150], dense["filtered"][100:146])
    anew = woi(OrderFlowLine(n, 1.0, normaliser=8), imbalance[155:])
    assert_allclose(got["filtered"][155:], anew["filtered"])


@pytest.mark.parametrize(("indicator", "lead"), [(WOI, [1, 9]), (NES, [])])
def test_warm_up_is_as_declared(indicator, lead):
    line = OrderFlowLine(5, 1.5)
    base = frame(np.full(300, 100.0))
    base[4:9] = np.random.default_rng(4).random((5, 300))
    values = np.vstack([base[:9], np.random.default_rng(5).uniform(-1, 1, 300), base[9:]])
    out = np.array(list(evaluate(indicator, np.concatenate([lead, indicator.pack(line)]), values).values()))
    assert np.flatnonzero(~np.isnan(out).any(axis=0))[0] == indicator.warm_up(line) - 1


def test_tpd_is_a_smoothed_mean_return():
    line = MeanReturnLine(horizon=7, window=40, smoothing=9)
    close = 100 * np.exp(np.cumsum(np.random.default_rng(6).normal(0, 2e-3, 800)))
    got = evaluate(TPD, TPD.pack(line), frame(close))
    mean = pd.Series(talib.ROCP(close, 7)).rolling(40).mean().to_numpy()
    assert_allclose(got["mean_return"], mean, rtol=1e-8, atol=1e-13)
    first = 7 + 40 - 1
    value = talib.EMA(mean[first:], 9)
    assert_allclose(got["value"][first:], value, rtol=1e-8, atol=1e-13)
    size = mean_magnitude(value[8:], 90)
    assert_allclose(got["abs_mean_relative"][first + 8 :], value[8:] / size, rtol=1e-7, atol=1e-10)
    defined = np.flatnonzero(~np.isnan(np.array(list(got.values()))).any(axis=0))
    assert defined[0] == TPD.warm_up(line) - 1


def test_tpd_is_positive_while_prices_rise_and_skips_missing_returns():
    line = MeanReturnLine(horizon=3, window=6, smoothing=2)
    close = 100 * 1.01 ** np.arange(100)
    close[[50, 60, 61]] = np.nan
    got = evaluate(TPD, TPD.pack(line), frame(close))
    assert_allclose(got["mean_return"][8:], 1.01**3 - 1)
    assert_allclose(got["value"][9:], 1.01**3 - 1)


def test_tpd_does_not_drift_over_a_million_bars():
    random = np.random.default_rng(7)
    close = np.exp(np.cumsum(random.normal(0, 1e-3, 1_000_000)))
    close[400_000:400_005] *= 1e9  # an absurd spike must leave nothing behind
    got = evaluate(TPD, TPD.pack(MeanReturnLine(10, 100, 20)), frame(close))["mean_return"]
    for end in [400_200, 999_999]:
        returns = close[end - 99 : end + 1] / close[end - 109 : end - 9] - 1
        assert got[end] == pytest.approx(returns.mean(), rel=1e-9, abs=1e-15)
