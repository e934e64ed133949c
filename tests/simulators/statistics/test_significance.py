"""Against scipy, against the definition written out, and for what must hold of every resample."""

import numpy as np
import pytest
from scipy import stats

from atm.simulators.statistics import significance as s


@pytest.mark.parametrize("t", [0.0, 0.3, -1.96, 4.5, 40.0])
@pytest.mark.parametrize("freedom", [1, 5, 91, 1825])
def test_the_p_value_is_that_of_students_distribution(t: float, freedom: int) -> None:
    assert s.two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9, abs=1e-300)


def test_without_lags_it_is_the_ordinary_t_test() -> None:
    returns = np.random.default_rng(2).normal(0.001, 0.02, 60)
    n = len(returns)
    t = returns.mean() / np.sqrt(s.long_run_variance(returns, 0) / n) * np.sqrt((n - 1) / n)
    assert t == pytest.approx(stats.ttest_1samp(returns, 0).statistic)


def test_the_robust_error_is_the_definition_written_out() -> None:
    returns = np.random.default_rng(2).normal(0.001, 0.02, 100)
    u = returns - returns.mean()
    expected = sum(
        (1 - abs(k) / 5) * sum(u[i] * u[i + k] for i in range(100) if 0 <= i + k < 100) / 100 for k in range(-4, 5)
    )
    assert s.long_run_variance(returns, 4) == pytest.approx(expected)
    found = s.significance(returns)
    assert found is not None
    assert found.lags == 4
    assert found.t == pytest.approx(returns.mean() / np.sqrt(expected / 100))


def test_positive_autocorrelation_makes_the_same_mean_less_certain() -> None:
    noise = np.random.default_rng(4).normal(0, 0.01, 400)
    wave = np.convolve(noise, np.ones(5), "valid")
    assert s.long_run_variance(wave, 5) > 2 * wave.var()


def test_resamples_are_runs_of_days_with_the_mean_length() -> None:
    index = s.stationary_bootstrap(50, 2_000, 5.0, np.random.default_rng(1))
    assert index.shape == (2_000, 50)
    assert (index.min(), index.max()) == (0, 49)
    follows = (index[:, 1:] == (index[:, :-1] + 1) % 50).mean()
    assert follows == pytest.approx(0.8 + 0.2 / 50, abs=0.01)  # goes on, or begins anew by chance at the next day
    np.testing.assert_allclose(np.bincount(index.ravel(), minlength=50) / index.size, 0.02, atol=0.002)


def test_the_interval_covers_what_it_should_and_is_the_same_every_time() -> None:
    returns = np.random.default_rng(9).normal(0.002, 0.01, 365)
    found = s.significance(returns)
    assert found == s.significance(returns)
    assert found is not None
    sharpe = returns.mean() / returns.std(ddof=1) * np.sqrt(365)
    assert found.sharpe_low < sharpe < found.sharpe_high
    # of independent days the standard error of a Sharpe ratio is about √(1/T) in years
    assert found.sharpe_high - found.sharpe_low == pytest.approx(2 * 1.96, rel=0.2)
    assert found.return_low < np.expm1(np.log1p(returns).sum()) < found.return_high


def test_too_few_days_or_no_variance_is_not_judged_and_ruin_is_finite() -> None:
    assert s.significance(np.full(19, 0.01)) is None
    assert s.significance(np.full(100, 0.01)) is None
    ruined = np.append(np.random.default_rng(0).normal(0, 0.01, 30), -1.0)
    found = s.significance(ruined)
    assert found is not None
    assert np.isfinite([found.t, found.p, found.sharpe_low, found.return_low, found.return_high]).all()
