"""Whether the mean daily return differs from zero: a t-test that allows for autocorrelation, and a stationary bootstrap.

Sources: Newey & West 1987 (Bartlett weights, lag length by the rule 4·(n/100)^(2/9)); Politis & Romano 1994 (blocks of
geometric length, circular; mean length n^(1/3)). Student's distribution by the continued fraction of the incomplete beta
function (Abramowitz & Stegun 26.5.8, evaluated by Lentz's method), so that nothing heavy is imported.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import kernel
from atm.model.statistics import Significance
from atm.simulators.statistics.equity import DAYS_PER_YEAR

Floats = NDArray[np.float64]

FEWEST_DAYS = 20
SAMPLES = 500
SEED = 20_230_801
_MOST_DRAWS = 1_000_000
_NOISE = 1e-12


def significance(returns: Floats, samples: int = SAMPLES, seed: int = SEED) -> Significance | None:
    """None with fewer than 20 days or without variance. Equal input gives equal output: the seed is fixed."""
    n = len(returns)
    if n < FEWEST_DAYS or float(np.std(returns)) <= _NOISE:
        return None
    lags = int(4 * (n / 100) ** (2 / 9))
    error = math.sqrt(long_run_variance(returns, lags) / n)
    t = float(np.mean(returns)) / error if error > _NOISE / n else 0.0
    block = max(1.0, n ** (1 / 3))
    samples = max(100, min(samples, _MOST_DRAWS // n))
    drawn = returns[stationary_bootstrap(n, samples, block, np.random.default_rng(seed))]
    deviation = np.std(drawn, axis=1, ddof=1)
    sharpe = np.divide(drawn.mean(axis=1), deviation, out=np.zeros(samples), where=deviation > _NOISE)
    growth = np.log1p(np.maximum(drawn, -1 + 1e-9)).sum(axis=1) * DAYS_PER_YEAR / n
    annual = np.expm1(np.minimum(growth, math.log(1e9)))
    low, high = np.quantile(sharpe * math.sqrt(DAYS_PER_YEAR), (0.025, 0.975))
    low_return, high_return = np.quantile(annual, (0.025, 0.975))
    return Significance(
        n, t, two_sided(t, n - 1), lags, samples, block, float(low), float(high), float(low_return), float(high_return)
    )


def long_run_variance(values: Floats, lags: int) -> float:
    """Newey–West: γ₀ + 2 Σ (1 − l/(L+1)) γ_l, autocovariances with divisor n; never negative."""
    centred = values - values.mean()
    n = len(values)
    total = float(centred @ centred) / n
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag]) / n
    return max(0.0, total)


def stationary_bootstrap(n: int, samples: int, block: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices (samples, n): runs of consecutive days (circular) of geometric length with mean `block`."""
    begins = random.random((samples, n)) < 1.0 / block
    return runs(begins, random.integers(0, n, (samples, n)))


@kernel
def runs(begins: NDArray[np.bool_], origin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of runs that begin where `begins` says (and first of all) with `origin`, going round."""
    found = np.empty_like(origin)
    n = origin.shape[1]
    for sample in range(origin.shape[0]):
        at = 0
        for i in range(n):
            at = origin[sample, i] if i == 0 or begins[sample, i] else (at + 1) % n
            found[sample, i] = at
    return found


def two_sided(t: float, freedom: int) -> float:
    """Probability that |Student's t| with `freedom` degrees (>= 1) is at least |t|."""
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised I_x(a, b), a and b > 0, 0 <= x <= 1."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / _bounded(1.0 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _bounded(1.0 + term * d, tiny)
            c = _bounded(1.0 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _bounded(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
