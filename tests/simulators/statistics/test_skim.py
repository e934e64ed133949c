"""One pass says what the statistics say in many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.interval import MINUTE_MS
from atm.simulators.statistics.equity import daily_returns, drawdown, sharpe_ratio
from atm.simulators.statistics.skim import MOST_POINTS, skimmed


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12_000), st.integers(0, 1_439), st.integers(0, 10_000), st.booleans())
def test_figures_are_those_of_the_statistics(n: int, minute: int, seed: int, ruin: bool) -> None:
    random = np.random.default_rng(seed)
    equity = 1_000.0 * np.exp(np.cumsum(random.normal(0, 0.003, n)))
    if ruin:
        equity[random.integers(0, n) :] -= 5_000.0
    start = minute * MINUTE_MS
    fall, sharpe, kept = skimmed(equity, 1_000.0, start)
    assert fall == pytest.approx(drawdown(equity, 1_000.0).largest, abs=1e-12)
    expected = sharpe_ratio(daily_returns(equity, 1_000.0, start))
    assert sharpe == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))
    assert len(kept) <= n


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60_000), st.integers(0, 10_000))
def test_the_picture_keeps_extremes_and_the_end(n: int, seed: int) -> None:
    equity = 1_000.0 + np.cumsum(np.random.default_rng(seed).normal(0, 1, n))
    kept = skimmed(equity, 1_000.0, 0)[2]
    assert np.all(np.diff(kept) > 0)
    assert kept[-1] == n - 1
    assert len(kept) <= MOST_POINTS + 2
    assert equity[kept].min() == equity.min()
    assert equity[kept].max() == equity.max()
