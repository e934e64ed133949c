from __future__ import annotations

import numpy as np
import pytest
import talib
from numpy.testing import assert_allclose

from atm.analyzers.oscillators import DMI_ADX, MFI
from atm.model.analysis_configuration import OscillatorLine
from tests.analyzers.market import START_MS, frame

MINUTE = 60_000


def evaluate(indicator, line, values):
    params = indicator.pack(line)
    out = np.empty((len(indicator.fields), values.shape[1]))
    indicator.advance(params, indicator.state(params), values, 0, values.shape[1], out)
    return dict(zip(indicator.fields, out, strict=True))


def market(n, seed=1):
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 3e-3, n)))
    values = frame(close, close * (1 + random.random(n) * 4e-3), close * (1 - random.random(n) * 4e-3))
    values[4] = random.lognormal(5, 1, n)
    return values


@pytest.mark.parametrize("n", [2, 10, 14, 50])
def test_directional_movement_converges_to_that_of_talib(n):
    """TA-Lib seeds Wilder's sums by n − 1 bars instead of n; after 35 windows that is forgotten."""
    values = market(4_000)
    got = evaluate(DMI_ADX, OscillatorLine(n), values)
    high, low, close = values[1], values[2], values[3]
    settled = slice(35 * n + 50, None)
    assert_allclose(got["plus_di"][settled], talib.PLUS_DI(high, low, close, n)[settled], rtol=1e-9, atol=1e-9)
    assert_allclose(got["minus_di"][settled], talib.MINUS_DI(high, low, close, n)[settled], rtol=1e-9, atol=1e-9)
    assert_allclose(got["dx"][settled], talib.DX(high, low, close, n)[settled], rtol=1e-8, atol=1e-8)
    assert_allclose(got["adx"][settled], talib.ADX(high, low, close, n)[settled], rtol=1e-8, atol=1e-8)
    strength = (got["plus_di"] - got["minus_di"]) * got["adx"] / 100
    assert_allclose(got["value"], strength)


@pytest.mark.parametrize("n", [2, 10, 14, 50])
def test_mfi_is_that_of_talib(n):
    values = market(3_000)
    got = evaluate(MFI, OscillatorLine(n), values)
    assert_allclose(got["value"], talib.MFI(values[1], values[2], values[3], values[4], n), rtol=1e-8, atol=1e-8)


def test_mfi_survives_a_million_bars_with_volumes_of_every_size():
    n, count = 14, 1_000_000
    values = market(count, seed=4)
    values[:4] /= values[3].max() / 100
    volume = 10.0 ** np.random.default_rng(5).uniform(-6, 8, count)
    volume[700_000:] = np.random.default_rng(6).random(300_000) * 1e-4
    values[4] = volume
    got = evaluate(MFI, OscillatorLine(n), values)["value"]
    typical = values[1:4].mean(axis=0)
    flow = typical * volume
    for end in [5_000, 699_999, 700_020, 999_999]:
        window = slice(end - n + 1, end + 1)
        up = flow[window][np.diff(typical)[end - n : end] > 0].sum()
        assert got[end] == pytest.approx(100 * up / flow[window].sum(), rel=1e-8)


@pytest.mark.parametrize(("indicator", "centre"), [(DMI_ADX, 0.0), (MFI, 50.0)])
def test_both_normalisations_by_definition(indicator, centre):
    n = 8
    got = evaluate(indicator, OscillatorLine(n, normaliser=30), market(600))
    x = got["value"] - centre
    first = int(np.flatnonzero(~np.isnan(x))[0])
    x = x[first:]
    peak = np.maximum.accumulate(abs(x))
    assert_allclose(got["peak"][first:], peak)
    assert_allclose(got["peak_relative"][first:], 100 * x / peak)
    k = 2 / 31
    for age in [11, 12, 50, 400]:
        weights = (1 - k) ** np.arange(age)[::-1]
        mean = np.average(abs(x[:age]), weights=weights)
        assert got["abs_mean"][first + age - 1] == pytest.approx(mean, rel=1e-9)
        assert got["abs_mean_relative"][first + age - 1] == pytest.approx(x[age - 1] / mean, rel=1e-9)
    assert np.isnan(got["abs_mean"][first + 9])


def test_the_peak_counts_from_its_declared_start():
    values = market(600)
    whole = evaluate(DMI_ADX, OscillatorLine(8), values)
    since = evaluate(DMI_ADX, OscillatorLine(8, peak_since_ms=START_MS + 400 * MINUTE), values)
    assert np.isnan(since["peak"][:400]).all()
    assert_allclose(since["peak"][400:], np.maximum.accumulate(abs(whole["value"][400:])))
    later = evaluate(DMI_ADX, OscillatorLine(8, peak_since_ms=START_MS + 400 * MINUTE), values[:, 100:].copy())
    assert later["peak"][-1] == pytest.approx(since["peak"][-1], rel=1e-6)


def test_the_default_normaliser_is_ten_windows():
    values = market(400)
    assert_allclose(
        evaluate(MFI, OscillatorLine(7), values)["abs_mean"], evaluate(MFI, OscillatorLine(7, 70), values)["abs_mean"]
    )


@pytest.mark.parametrize(("indicator", "neutral"), [(DMI_ADX, 0.0), (MFI, 50.0)])
@pytest.mark.parametrize("moved", [0, 300])
def test_a_motionless_market_is_neutral(indicator, neutral, moved):
    """Also after it has moved; the original reported full strength (D11)."""
    values = market(8_000)
    values[:4, moved:] = values[3, moved]
    values[4, moved:] = 0.0
    got = evaluate(indicator, OscillatorLine(10), values)
    assert got["value"][-1] == neutral
    assert got["abs_mean_relative"][-1] == 0.0
    if indicator is DMI_ADX:
        assert got["dx"][-1] == got["plus_di"][-1] == 0.0


def test_rising_prices_give_positive_strength_and_flow():
    close = 100 * 1.001 ** np.arange(100)
    values = frame(close, close * 1.0005, close * 0.9995)
    values[4] = 1.0
    strength = evaluate(DMI_ADX, OscillatorLine(10), values)
    assert strength["value"][-1] == pytest.approx(strength["plus_di"][-1])
    assert strength["value"][-1] > 30
    assert evaluate(MFI, OscillatorLine(10), values)["value"][-1] == 100.0


def test_mfi_shrinks_towards_neutral_with_the_comparisons_that_are_missing():
    close = 100 * 1.001 ** np.arange(12)
    close[[6, 9]] = np.nan
    values = frame(close)
    values[4] = 1.0
    got = evaluate(MFI, OscillatorLine(4), values)["value"]
    # bars 5 … 8: 6 is missing and 7 follows it, so 2 of 4 comparisons; a missing bar holds
    assert_allclose(got[[5, 8, 9]], [100, 75, 75])


def test_directional_movement_skips_a_hole_and_restarts_after_a_long_one():
    n = 5
    values = market(200)
    holed = values.copy()
    holed[:9, 100] = np.nan
    got, plain = evaluate(DMI_ADX, OscillatorLine(n), holed), evaluate(DMI_ADX, OscillatorLine(n), values)
    assert got["adx"][100] == got["adx"][101] == got["adx"][99] == plain["adx"][99]
    holed[:9, 100 : 100 + n + 1] = np.nan
    got = evaluate(DMI_ADX, OscillatorLine(n), holed)
    anew = evaluate(DMI_ADX, OscillatorLine(n), values[:, 100 + n + 1 :].copy())
    first = 100 + n + 1 + 2 * n - 1
    assert_allclose(got["adx"][first:], anew["adx"][2 * n - 1 :])


@pytest.mark.parametrize("indicator", [DMI_ADX, MFI])
def test_warm_up_is_as_declared(indicator):
    line = OscillatorLine(6, 20)
    got = np.array(list(evaluate(indicator, line, market(300)).values()))
    assert np.flatnonzero(~np.isnan(got).any(axis=0))[0] == indicator.warm_up(line) - 1
