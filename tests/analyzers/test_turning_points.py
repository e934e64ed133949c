from __future__ import annotations

import numpy as np
import pytest
import talib
from numpy.testing import assert_allclose

from atm.analyzers.turning_points import PSAR, SWING, Swing
from atm.model.analysis_configuration import ParabolicLine
from atm.model.errors import Invalid
from tests.analyzers.market import START_MS, frame


def evaluate(indicator, line, values):
    params = indicator.pack(line)
    out = np.empty((len(indicator.fields), values.shape[1]))
    indicator.advance(params, indicator.state(params), values, 0, values.shape[1], out)
    return out


def walk(n, seed):
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 2e-3, n)))
    return close, close * (1 + random.random(n) * 2e-3), close * (1 - random.random(n) * 2e-3)


def psar_of_the_spec(high, low, a0, step, top):
    """§7.4 word by word, without a precision."""
    value, direction = [np.nan, np.nan], [np.nan, np.nan]
    up, down = max(0, high[1] - high[0]), max(0, low[0] - low[1])
    rising = down <= up
    f = a0
    e = max(high[:2]) if rising else min(low[:2])
    s = min(low[:2]) if rising else max(high[:2])
    value.append(s)
    direction.append(1 if rising else -1)
    for c in range(3, len(high)):
        s = s + f * (e - s)
        s = min(s, low[c - 1], low[c - 2]) if rising else max(s, high[c - 1], high[c - 2])
        if (rising and low[c] < s) or (not rising and high[c] > s):
            s, f, rising = e, a0, not rising
            e = high[c] if rising else low[c]
        elif rising and high[c] > e:
            e, f = high[c], min(top, f + step)
        elif not rising and low[c] < e:
            e, f = low[c], min(top, f + step)
        value.append(s)
        direction.append(1 if rising else -1)
    return value, direction


@pytest.mark.parametrize("seed", range(4))
def test_psar_is_that_of_the_specification(seed):
    close, high, low = walk(1_000, seed)
    value, direction = evaluate(PSAR, ParabolicLine(0.02, 0.01, 0.2), frame(close, high, low))
    expected = psar_of_the_spec(high, low, 0.02, 0.01, 0.2)
    assert_allclose(value, expected[0], rtol=1e-12)
    assert_allclose(direction, expected[1])


def test_psar_agrees_with_talib_but_for_the_start_and_outside_bars():
    """TA-Lib begins one bar earlier, and lifts the value of a reversal over the reversing bar's own range."""
    close, high, low = walk(5_000, 7)
    value, _ = evaluate(PSAR, ParabolicLine(0.02, 0.02, 0.2), frame(close, high, low))
    theirs = talib.SAR(high, low, 0.02, 0.2)
    assert np.isclose(value[200:], theirs[200:], rtol=1e-9).mean() > 0.99


def test_psar_holds_over_a_missing_bar_and_starts_up_again():
    close, high, low = walk(60, 8)
    high[30] = low[30] = np.nan
    value, direction = evaluate(PSAR, ParabolicLine(), frame(close, high, low))
    assert (value[30:33] == value[29]).all() and (direction[30:33] == direction[29]).all()
    again, _ = evaluate(PSAR, ParabolicLine(), frame(close[31:], high[31:], low[31:]))
    assert_allclose(value[33:], again[2:])


def test_psar_start_above_its_maximum_is_refused():
    with pytest.raises(Invalid, match=r"psar.start: 0.3 .*psar.maximum \(0.2\)"):
        PSAR.pack(ParabolicLine(start=0.3, maximum=0.2))


def test_swings_of_a_hand_example():
    """10 % range. Candidate low 90 at bar 1; bar 2 closes above 99: low confirmed; high 120 at bar 4, confirmed at bar 6."""
    low = np.array([95.0, 90, 95, 105, 110, 109, 100, 96, 97, np.nan, 107])
    high = np.array([101.0, 99, 101, 112, 120, 119, 115, 104, 103, np.nan, 112])
    close = np.array([100.0, 98, 100, 110, 105, 109, 107, 98, 102, np.nan, 108])
    price, kind, time = evaluate(SWING, Swing(0.1), frame(close, high, low))
    nan = np.nan
    assert_allclose(price, [nan, nan, 90, 90, 90, 90, 120, 120, 120, 120, 96])
    assert_allclose(kind, [nan, nan, -1, -1, -1, -1, 1, 1, 1, 1, -1])
    assert_allclose((time - START_MS) / 60_000, [nan, nan, 1, 1, 1, 1, 4, 4, 4, 4, 7])


def test_a_bar_that_moves_the_candidate_does_not_confirm_it():
    low, high, close = np.array([100.0, 80, 95]), np.array([101.0, 105, 99]), np.array([100.0, 104, 97])
    price, kind, _ = evaluate(SWING, Swing(0.1), frame(close, high, low))
    assert np.isnan(price[1])
    assert (price[2], kind[2]) == (80.0, -1.0)
