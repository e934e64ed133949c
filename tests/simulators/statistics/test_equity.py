"""Equity figures against an independent library on the same curve, against hand calculations, and at the edges."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from atm.simulators.statistics import equity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

MINUTE, DAY = 60_000, 86_400_000
YEAR = 365


def curve(days: int = 200, seed: int = 3, drift: float = 0.0) -> np.ndarray:
    g = np.random.default_rng(seed)
    return 1_000 * np.exp(np.cumsum(g.normal(drift, 0.001, days * 1440)))


@pytest.mark.parametrize("drift", [2e-6, -2e-6])
def test_figures_agree_with_an_independent_library(drift: float) -> None:
    minutes = curve(drift=drift)
    daily = pd.Series(np.concatenate(([1_000.0], minutes[1439::1440]))).pct_change().dropna()
    returns = equity.daily_returns(minutes, 1_000, 0)
    np.testing.assert_allclose(returns, daily, rtol=1e-12)
    assert equity.sharpe_ratio(returns) == pytest.approx(empyrical.sharpe_ratio(daily, annualization=YEAR))
    assert equity.sortino_ratio(returns) == pytest.approx(empyrical.sortino_ratio(daily, annualization=YEAR))
    assert equity.volatility(returns) == pytest.approx(empyrical.annual_volatility(daily, annualization=YEAR))
    assert equity.annual_growth(minutes, 1_000) == pytest.approx(empyrical.cagr(daily, annualization=YEAR))
    per_minute = pd.Series(np.concatenate(([1_000.0], minutes))).pct_change().dropna()
    assert equity.drawdown(minutes, 1_000).largest == pytest.approx(-empyrical.max_drawdown(per_minute))


def test_drawdown_durations_and_ulcer_agree_with_pandas() -> None:
    minutes = curve(30)
    series = pd.Series(np.concatenate(([1_000.0], minutes)))
    fall = 1 - series / series.cummax()
    under = fall > 0
    longest = under.groupby((~under).cumsum()).sum().max() + 1  # from the peak itself
    found = equity.drawdown(minutes, 1_000)
    assert found.ulcer == pytest.approx(float(np.sqrt((fall**2).mean())))
    assert found.longest_minutes in (longest, longest - 1)  # −1: still under water at the end
    deepest = int(fall.idxmax())
    before = series[:deepest].idxmax()
    later = series[deepest:]
    recovered = later[later >= series[before]]
    end = recovered.index[0] if len(recovered) else len(series) - 1
    assert found.minutes == end - before


def test_a_drawdown_by_hand() -> None:
    # 100 ↑ 120 ↓ 90 ↑ 120 (recovered) ↑ 150 ↓ 140: deepest 25 % from minute 1 to 4; the last one is still open
    found = equity.drawdown(np.array([120.0, 90, 100, 120, 150, 140]), 100)
    assert found.largest == pytest.approx(0.25)
    assert (found.minutes, found.longest_minutes) == (3, 3)
    assert found.ulcer == pytest.approx(math.sqrt((0.25**2 + (20 / 120) ** 2 + (10 / 150) ** 2) / 7))


def test_returns_are_those_between_midnights_utc() -> None:
    minutes = np.linspace(100, 300, 3 * 1440)
    start = DAY - 90 * MINUTE  # 22:30
    found = equity.daily_returns(minutes, 99, start)
    at_midnight = minutes[[89, 89 + 1440, 89 + 2880]]
    np.testing.assert_allclose(found, at_midnight[1:] / at_midnight[:-1] - 1)


def test_growth_of_a_steady_rate_is_that_rate() -> None:
    minutes = 100 * np.exp(0.001 * np.arange(1, 50 * 1440 + 1) / 1440)
    growth, deviation = equity.growth_fit(minutes, 100, 0)
    assert growth == pytest.approx(math.expm1(0.001))
    assert deviation == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("end", [0.0, -50.0])
def test_ruin_ends_the_series_and_is_never_hidden(end: float) -> None:
    minutes = np.full(10 * 1440, 100.0)
    minutes[5 * 1440 + 7 :] = end
    minutes[-1] = 400.0  # what an account without equity "earns" afterwards does not count
    returns = equity.daily_returns(minutes, 100, 0)
    np.testing.assert_array_equal(returns, [0, 0, 0, 0, 0, -1])
    assert equity.annual_growth(minutes, 100) == -1
    found = equity.drawdown(minutes, 100)
    assert found.largest == 1
    assert found.longest_minutes == 5 * 1440 - 7
    assert equity.growth_fit(minutes, 100, 0) == (0, 0)


def test_what_is_not_defined_is_none_and_nothing_is_infinite() -> None:
    flat = np.full(5 * 1440, 100.0)
    returns = equity.daily_returns(flat, 100, 0)
    assert equity.sharpe_ratio(returns) is None
    assert equity.sortino_ratio(returns) is None
    assert (equity.volatility(returns), equity.annual_growth(flat, 100)) == (0, 0)
    assert equity.drawdown(flat, 100) == equity.Drawdown()
    nothing = np.zeros(0)
    assert len(equity.daily_returns(nothing, 100, 0)) == 0
    assert equity.annual_growth(nothing, 100) == 0
    assert equity.drawdown(nothing, 100) == equity.Drawdown()
    only_up = np.geomspace(101, 200, 10 * 1440)
    assert equity.sortino_ratio(equity.daily_returns(only_up, 100, 0)) is None
    assert math.isfinite(equity.annual_growth(np.array([100.0, 1e9]), 100))


def test_a_thinned_curve_keeps_its_extremes_and_its_end() -> None:
    g = np.random.default_rng(1)
    values = np.cumsum(g.normal(0, 1, 200_000))
    time, kept = equity.thin(np.arange(200_000), values, 3_000)
    assert len(kept) <= 3_000
    assert (kept.max(), kept.min(), kept[-1]) == (values.max(), values.min(), values[-1])
    assert (values[time] == kept).all()
