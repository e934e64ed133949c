"""Sequential tests of a live account against its backtest. Pure; what is drawn comes from a fixed seed.

All are one-sided cumulative sums (Page, "Continuous Inspection Schemes", Biometrika 41, 1954):

    S₀ = 0,   Sₜ = max(0, Sₜ₋₁ + xₜ),   alarm when Sₜ > h

Returns: x = (μ − r) / σ − k, mean and deviation those of the baseline's round trips, k half the shift that is to be found soonest.
Slippage and fill rate: x = ln(p₁/p₀) for a bad order, ln((1−p₁)/(1−p₀)) for a good one, the log likelihood ratio of shares p₁ and p₀ of
bad orders. A bad order: one dearer than the backtest's, or one that only the backtest has filled.

h is found by simulation: the level that paths of `HORIZON` observations without any drift exceed with probability `FALSE_ALARMS`. Paths
of returns are drawn from the baseline with replacement (bootstrap; Efron, 1979), each against mean and deviation of a resample of its
size, so that what a short baseline does not know makes the threshold higher instead of the alarm false.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from atm.model.drift import FALSE_ALARMS, HORIZON, LEAST_BASELINE, DriftGauge, DriftTest
from atm.model.parity import Observations, ParityDay

Floats = NDArray[np.float64]
Observed = tuple[int, float]
"""(day, Unix ms; value)."""

SHIFT = 0.5
"""Fall of the mean return, in deviations of a round trip, that is found soonest."""
DEARER = (0.5, 0.65)
"""Share of orders dearer than the backtest's: without drift (the costs of a backtest are meant to be rather too dear), with it."""
UNFILLED = (0.02, 0.1)
"""Share of the backtest's orders that live does not fill: without drift, with it."""
PATHS = 4_000
SEED = 20_230_801
_EXACT = 1e-9


def returns_gauge(baseline: Sequence[float], live: Sequence[Observed]) -> DriftGauge:
    """baseline: returns of the backtest's round trips; live: those of the account, in the order in which they ended."""
    known = np.asarray(baseline, np.float64)
    mean = float(known.mean()) if len(known) else None
    if mean is None or len(known) < LEAST_BASELINE or not known.std() > 0.0:
        return DriftGauge(DriftTest.RETURNS, len(live), live=_mean(live), expected=mean, why="drift.baseline_short")
    deviation = float(known.std(ddof=1))
    steps = [(day, (mean - value) / deviation - SHIFT / 2) for day, value in live]
    return _gauge(DriftTest.RETURNS, steps, returns_threshold(known), _mean(live), mean)


def slippage_gauge(live: Sequence[Observed]) -> DriftGauge:
    """live: of each order, by which share of its price it was dearer than the backtest's."""
    bad = [(day, float(value > 0.0)) for day, value in live]
    return _share_gauge(DriftTest.SLIPPAGE, bad, DEARER, _mean(live), 0.0)


def fill_gauge(live: Sequence[Observed]) -> DriftGauge:
    """live: 1 for an order that only the backtest has filled, 0 for one that both have."""
    share = _mean(live)
    return _share_gauge(DriftTest.FILL_RATE, live, UNFILLED, None if share is None else 1.0 - share, 1.0 - UNFILLED[0])


def returns_threshold(baseline: Floats, horizon: int = HORIZON, paths: int = PATHS) -> float:
    """Of the returns' sum, see the module."""
    random = np.random.default_rng(SEED)
    resampled = random.choice(baseline, (paths, len(baseline)))
    mean, deviation = resampled.mean(axis=1), np.maximum(resampled.std(axis=1, ddof=1), 1e-12)
    steps = (mean[:, None] - random.choice(baseline, (paths, horizon))) / deviation[:, None] - SHIFT / 2
    return _level(steps)


@cache
def share_threshold(shares: tuple[float, float], horizon: int = HORIZON, paths: int = PATHS) -> float:
    """Of a likelihood ratio of two shares, see the module."""
    random = np.random.default_rng(SEED)
    bad, good = _weights(shares)
    return _level(np.where(random.random((paths, horizon)) < shares[0], bad, good))


def highest(steps: Floats) -> Floats:
    """The largest sum of each path: float64 (paths, n) → (paths,)."""
    level, most = np.zeros(len(steps)), np.zeros(len(steps))
    for column in steps.T:
        level = np.maximum(0.0, level + column)
        most = np.maximum(most, level)
    return most


def _level(steps: Floats) -> float:
    """What at most the share `FALSE_ALARMS` of the paths exceeds."""
    ordered = np.sort(highest(steps))
    return float(ordered[math.ceil((1.0 - FALSE_ALARMS) * len(ordered)) - 1])


def _weights(shares: tuple[float, float]) -> tuple[float, float]:
    before, after = shares
    return math.log(after / before), math.log((1.0 - after) / (1.0 - before))


def _share_gauge(
    test: DriftTest, bad: Sequence[Observed], shares: tuple[float, float], live: float | None, expected: float
) -> DriftGauge:
    worse, better = _weights(shares)
    steps = [(day, worse if value > 0.5 else better) for day, value in bad]
    return _gauge(test, steps, share_threshold(shares), live, expected)


def _gauge(
    test: DriftTest, steps: Iterable[Observed], threshold: float, live: float | None, expected: float | None
) -> DriftGauge:
    level, count, alarm_ms = 0.0, 0, 0
    for day, step in steps:
        level, count = max(0.0, level + step), count + 1
        if level > threshold and not alarm_ms:
            alarm_ms = day
    return DriftGauge(test, count, level, threshold, alarm_ms, live, expected)


def _mean(observed: Sequence[Observed]) -> float | None:
    return math.fsum(value for _, value in observed) / len(observed) if observed else None


def drift_gauges(days: Iterable[ParityDay], since_ms: int, baseline: Sequence[float] | None) -> tuple[DriftGauge, ...]:
    """All tests over the days that begin at `since_ms` or later. baseline: returns of a simulation's round trips, None = those of the
    backtests of all these days."""
    looked_at = [day for day in days if day.begin_ms >= since_ms]
    if baseline is None:
        baseline = [value for day in looked_at for value in day.observations.expected]
    trips = [(day.day_ms, value) for day in looked_at for value in day.observations.trips]
    slippages = [(day.day_ms, value) for day in looked_at for value in day.observations.slippages]
    missed = [(day.day_ms, value) for day in looked_at for value in _missed(day.observations)]
    return returns_gauge(baseline, trips), slippage_gauge(slippages), fill_gauge(missed)


def _missed(seen: Observations) -> list[float]:
    """1 for each order that live has not filled, spread evenly over the day."""
    if not seen.wanted:
        return []
    share = (seen.wanted - seen.filled) / seen.wanted
    return [float(math.floor((n + 1) * share + _EXACT) - math.floor(n * share + _EXACT)) for n in range(seen.wanted)]
