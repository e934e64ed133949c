"""The alarm is as rarely false as it says, and finds a stated drift within a stated number of observations."""

from __future__ import annotations

import numpy as np
import pytest

from atm.model.drift import FALSE_ALARMS, HORIZON
from atm.simulators.parity.drift import (
    DEARER,
    SHIFT,
    UNFILLED,
    fill_gauge,
    highest,
    returns_gauge,
    returns_threshold,
    share_threshold,
    slippage_gauge,
)

RUNS = 1_500
SAMPLING = 3 * np.sqrt(FALSE_ALARMS * (1 - FALSE_ALARMS) / RUNS)
"""Three standard errors of a share of `RUNS` runs."""


def skewed(random: np.random.Generator, size: object) -> np.ndarray:
    """Many small losses, few large gains: returns of a trend follower."""
    wins = random.random(size) < 0.35
    return np.where(wins, random.exponential(0.02, size), -random.exponential(0.008, size))


def drawn(random: np.random.Generator, baseline: np.ndarray, horizon: int, shift: float, runs: int) -> np.ndarray:
    """Steps of live runs whose mean is `shift` true deviations below that of the backtest."""
    big = skewed(np.random.default_rng(1), 200_000)
    live = skewed(random, (runs, horizon)) - shift * big.std()
    return (baseline.mean() - live) / baseline.std(ddof=1) - SHIFT / 2


def test_returns_without_drift_raise_no_more_false_alarms_than_stated() -> None:
    """Over many baselines too: a short one is not taken for the truth."""
    random = np.random.default_rng(7)
    for length, repeats in ((40, 60), (400, 20)):
        alarms = 0
        for _ in range(repeats):
            baseline = skewed(random, length)
            threshold = returns_threshold(baseline, paths=1_000)
            alarms += int((highest(drawn(random, baseline, HORIZON, 0.0, 25)) > threshold).sum())
        assert alarms / (25 * repeats) <= 1.5 * FALSE_ALARMS + SAMPLING


def test_a_fall_of_the_mean_return_is_found() -> None:
    """By half a deviation: in nine of ten runs within 100 round trips, with a baseline of 300."""
    random = np.random.default_rng(3)
    baseline = skewed(random, 300)
    threshold = returns_threshold(baseline)
    found = highest(drawn(random, baseline, 100, 0.5, RUNS)) > threshold
    assert found.mean() > 0.9


@pytest.mark.parametrize(("shares", "bad", "within", "least"), [(DEARER, 0.75, 80, 0.9), (UNFILLED, 0.15, 100, 0.9)])
def test_shares_are_calibrated_and_drift_is_found(
    shares: tuple[float, float], bad: float, within: int, least: float
) -> None:
    random = np.random.default_rng(11)
    threshold = share_threshold(shares)
    weights = np.log(shares[1] / shares[0]), np.log((1 - shares[1]) / (1 - shares[0]))
    quiet = highest(np.where(random.random((RUNS, HORIZON)) < shares[0], *weights)) > threshold
    assert quiet.mean() <= FALSE_ALARMS + SAMPLING
    drifting = highest(np.where(random.random((RUNS, within)) < bad, *weights)) > threshold
    assert drifting.mean() > least


def test_gauges_say_when_and_what() -> None:
    baseline = skewed(np.random.default_rng(5), 200).tolist()
    fine = [(day, float(np.mean(baseline))) for day in range(1, 30)]
    calm = returns_gauge(baseline, fine)
    assert (calm.alarm_ms, calm.observations, calm.level) == (0, 29, 0.0)
    assert calm.live == pytest.approx(calm.expected or 0.0)
    losing = returns_gauge(baseline, [*fine, *((day, -0.05) for day in range(30, 60))])
    assert 30 <= losing.alarm_ms < 45 and losing.level > losing.threshold
    dear = slippage_gauge([(day, 2e-4) for day in range(1, 60)])
    assert 0 < dear.alarm_ms < 40 and dear.live == pytest.approx(2e-4)
    assert slippage_gauge([(day, 0.0) for day in range(1, 60)]).alarm_ms == 0
    missing = fill_gauge([(day, float(day % 4 == 0)) for day in range(1, 80)])
    assert missing.alarm_ms > 0 and missing.live == pytest.approx(1 - 19 / 79)
    assert fill_gauge([]).live is None


def test_without_enough_of_a_baseline_there_is_no_alarm() -> None:
    gauge = returns_gauge([0.01] * 5, [(1, -0.5)] * 50)
    assert gauge.why == "drift.baseline_short" and gauge.alarm_ms == 0
