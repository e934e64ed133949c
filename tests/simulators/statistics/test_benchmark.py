import math

import numpy as np
import pytest

from atm.simulators.statistics import benchmark
from atm.simulators.statistics.reports import hour_ends
from tests.simulators.statistics.fills import facts_of
from tests.simulators.statistics.test_reports import path


def test_buy_and_hold_by_weight_from_the_first_price() -> None:
    rising, falling = np.linspace(10, 20, 120), np.full(120, 8.0)
    falling[:10] = math.nan
    falling[60:] = 4.0
    seen = facts_of([], {"A": path(rising), "B": path(falling)}, hour_ends(0, 120))
    held = benchmark.buy_and_hold(seen, {"A": 0.75, "B": 0.25}, 1_000)
    assert held[-1] == pytest.approx(750 * 2 + 250 * 0.5)
    assert held[0] == pytest.approx(750 * rising[59] / 10 + 250)


def test_alpha_and_beta_are_those_of_a_line() -> None:
    market = np.random.default_rng(1).normal(0, 0.02, 200)
    alpha, beta = benchmark.alpha_beta(0.0005 + 1.5 * market, market, 365)
    assert (alpha, beta) == (pytest.approx(0.0005 * 365), pytest.approx(1.5))
    assert benchmark.alpha_beta(market, np.zeros(200), 365) == (None, None)
    assert benchmark.alpha_beta(market[:3], market[:3], 365) == (None, None)


def test_days_are_told_apart_by_trend_and_volatility() -> None:
    days = 30
    hours = np.arange(24 * days)
    g = np.random.default_rng(0)
    steps = np.where(hours % 2, -0.01, 0.01) * (1 + g.random(len(hours)) * 0.1)
    trending = (hours // 24) % 3 == 0
    steps[trending] = 0.002
    closes = np.repeat(np.exp(np.cumsum(steps)), 60)
    ends = hour_ends(0, len(closes))
    seen = facts_of([], {"A": path(closes)}, ends)
    gains = np.where((np.arange(days) % 3) == 0, 10.0, -1.0)  # earned on the straight, calm days
    found = {(r.kind, r.third): r for r in benchmark.regimes(seen, gains, 0)}
    assert found["trend", 2].profit == 100
    assert found["volatility", 0].profit == 100
    assert sum(r.days for r in found.values()) == 2 * days
    assert sum(found["trend", third].profit for third in range(3)) == pytest.approx(gains.sum())
    assert benchmark.regimes(seen, gains[:10], 0) == ()
