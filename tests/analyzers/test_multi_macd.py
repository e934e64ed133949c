from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from atm.analyzers.multi_macd import MMACDSHORT
from atm.model.analysis_configuration import MultiMACD
from atm.model.errors import Invalid
from tests.analyzers.market import frame

LINE = MultiMACD(windows=(5, 3, 8, 4), signal=4, multiplier=6, normaliser=7)


def evaluate(line, values):
    params = MMACDSHORT.pack(line)
    out = np.empty((5, values.shape[1]))
    MMACDSHORT.advance(params, MMACDSHORT.state(params), values, 0, values.shape[1], out)
    return out


def seeded(series, n):
    """Exponential average of a list, seeded by the mean of its first n values; None while there are fewer."""
    if len(series) < n:
        return None
    value = sum(series[:n]) / n
    for x in series[n:]:
        value = 2 / (n + 1) * x + (1 - 2 / (n + 1)) * value
    return value


def rewrite(line, number, close):
    """MMACD by definition: lists of block closes, every average from scratch at every bar."""
    windows = sorted(line.windows)
    blocks, lines, differences, rows = [], [], [], []
    for c in range(len(close)):
        if c and number[c] // line.multiplier != number[c - 1] // line.multiplier:
            blocks.append(close[c - 1])
            if m is not None:  # noqa: F821  bound by the bar before
                lines.append(m)  # noqa: F821
        averages = [seeded([*blocks, close[c]], n) for n in windows]
        m = None
        if None not in averages:
            m = sum(a - b for i, a in enumerate(averages) for b in averages[i + 1 :])
        g = None if m is None else seeded([*lines, m], line.signal)
        row = [np.nan if x is None else x for x in (m, g)]
        if g is not None:
            differences.append(abs(m - g))
        row.append(row[0] - row[1])
        k = 2 / (line.normaliser * line.multiplier + 1)
        weights = k * (1 - k) ** np.arange(len(differences))[::-1]
        if weights.sum() >= 0.5:
            mean = float(weights @ differences / weights.sum())
            row += [mean, row[2] / mean]
        else:
            row += [np.nan, np.nan]
        rows.append(row)
    return np.array(rows).T


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_mmacd_equals_an_independent_rewrite(offset):
    """The blocks lie on the clock, wherever the first bar lies in them."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(9).normal(0, 2e-3, 400)))
    values = frame(close)[:, offset:]
    assert_allclose(evaluate(LINE, values), rewrite(LINE, values[-1], values[3]), rtol=1e-8, atol=1e-12)


def test_blocks_do_not_depend_on_the_first_bar():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(10).normal(0, 2e-3, 6_000)))
    values = frame(close)
    whole, later = evaluate(LINE, values), evaluate(LINE, np.ascontiguousarray(values[:, 1_003:]))
    assert_allclose(later[:, 2_000:], whole[:, 3_003:], rtol=1e-6, atol=1e-9)


def test_the_legacy_signal_averages_the_line_with_that_of_the_block_before():
    line = MultiMACD(windows=(3, 5, 8), signal=4, multiplier=6, normaliser=7, legacy_signal=True)
    values = frame(100 * np.exp(np.cumsum(np.random.default_rng(9).normal(0, 2e-3, 400))))
    mmacd, signal, delta, _, relative = evaluate(line, values)
    last_of_block_before = values[-1] // 6 * 6 - values[-1][0] - 1
    ready = np.arange(400) >= (8 + 4 - 1) * 6 + 6
    before = mmacd[last_of_block_before[ready].astype(int)]
    assert_allclose(delta[ready], (1 - 2 / 5) * (mmacd[ready] - before), rtol=1e-9, atol=1e-12)
    assert_allclose(signal[ready], mmacd[ready] - delta[ready], rtol=1e-9, atol=1e-12)
    assert not np.isnan(relative[-1])


def test_warm_up_is_as_declared():
    values = frame(100 + np.sin(np.arange(600)))
    defined = np.flatnonzero(~np.isnan(evaluate(LINE, values)).any(axis=0))
    assert defined[0] == MMACDSHORT.warm_up(LINE) - 1


def test_rising_prices_give_a_positive_line_and_a_flat_market_zero():
    assert evaluate(LINE, frame(100 * 1.001 ** np.arange(300)))[0, -1] > 0
    flat = evaluate(LINE, frame(np.full(600, 0.1)))
    assert (flat[[0, 2, 4], -1] == 0.0).all()
    assert np.isfinite(flat[:, -1]).all()


def test_the_first_normalised_values_are_not_huge():
    """The original began at ±1/k, here ±105."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(11).normal(0, 2e-3, 20_000)))
    relative = evaluate(MultiMACD(windows=(5, 10, 20), signal=10, multiplier=48), frame(close))[4]
    relative = relative[~np.isnan(relative)]
    assert abs(relative[:1_000]).max() < 8
    assert 0.5 < abs(relative).mean() < 2


def test_a_missing_close_holds_and_a_block_ends_with_its_last_present_close():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(12).normal(0, 2e-3, 300)))
    holed = close.copy()
    holed[293:296] = np.nan
    repeated = close.copy()
    repeated[293:296] = close[292]
    out = evaluate(LINE, frame(holed))
    assert (out[:, 293:296] == out[:, [292]]).all()
    assert_allclose(out[:2, 296:], evaluate(LINE, frame(repeated))[:2, 296:])


def test_equal_windows_are_refused():
    with pytest.raises(Invalid, match="distinct"):
        MMACDSHORT.pack(MultiMACD(windows=(20, 20)))
