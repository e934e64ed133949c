from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d

from atm.analyzers.classical_signal import next_cycle, squash
from atm.analyzers.edge_gaussian import edge_gaussian, mean_lag
from atm.analyzers.pip import PIP, Composite
from atm.model.analysis_configuration import ClassicalSignal, IntervalAnalyses, MultiMACD
from atm.model.errors import Invalid
from tests.analyzers.market import frame

NONE = float("nan")


def test_edge_gaussian_has_the_reference_weights():
    reference = (0.22342, 0.20625, 0.17576, 0.13827, 0.10041, 0.06735, 0.04180, 0.02422, 0.01368, 0.00884)
    assert_allclose(edge_gaussian(10, 3.5), reference, atol=5e-6)


@pytest.mark.parametrize(
    ("window", "sigma", "lag"), [(10, 3.5, 2.320), (10, 2.5, 1.547), (20, 5.0, 3.515), (30, 7.5, 5.501)]
)
def test_edge_gaussian_has_the_stated_delay(window, sigma, lag):
    assert mean_lag(window, sigma) == pytest.approx(lag, abs=5e-4)
    assert edge_gaussian(window, sigma).sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(("window", "sigma"), [(2, 0.1), (2, 5.0), (7, 1.3), (10, 3.5), (40, 100.0)])
def test_edge_gaussian_is_the_right_edge_of_scipys_filter(window, sigma):
    x = np.random.default_rng(1).normal(size=window)
    assert edge_gaussian(window, sigma) @ x[::-1] == pytest.approx(gaussian_filter1d(x, sigma)[-1], abs=1e-12)


def test_squash_has_the_reference_values():
    assert squash(2.0, 2.0, 7.0) == pytest.approx(0.5)
    assert squash(3.0, 2.0, 10.0) == pytest.approx(0.98896, abs=5e-6)
    assert squash(1.0, 2.0, 10.0) == pytest.approx(0.00062, abs=5e-6)
    assert squash(-3.0, 2.0, 10.0) == -squash(3.0, 2.0, 10.0)


def cycles(filtered, enter, leave):
    result, cycle = [], NONE
    for value in filtered:
        cycle = next_cycle(cycle, value, enter, leave)
        result.append(cycle)
    return result


def test_without_thresholds_the_cycle_flips_at_every_change_of_sign():
    assert_allclose(cycles([0.0, 0.1, 0.0, -1e-9, 0.0, 1e-9], 0.0, 0.0), [NONE, 1, 1, -1, -1, 1])


def test_thresholds_make_a_hysteresis():
    path = [0.4, 0.6, 0.3, 0.19, 0.4, -0.4, -0.51, -0.21, 0.51, -0.6, 0.1]
    assert_allclose(cycles(path, 0.5, 0.2), [NONE, 1, 1, NONE, NONE, NONE, -1, -1, 1, -1, NONE])


def run_pip(pip, contributors, close):
    own = PIP.pack(Composite(pip, (1, len(contributors) - 1, 0, 0, 0, 0, 0, 0)))
    rows = 9 + np.arange(len(contributors))
    params = np.concatenate([[len(rows)], rows, own]).astype(float)
    base = frame(np.asarray(close, float))
    values = np.vstack([base[:9], np.asarray(contributors, float), base[9:]])
    out = np.empty((len(PIP.fields), len(close)))
    PIP.advance(params, PIP.state(params), values, 0, len(close), out)
    return dict(zip(PIP.fields, out, strict=True))


def test_signal_filter_deltas_and_cycle_of_a_short_series():
    pip = ClassicalSignal(alpha=1.0, beta=1, window=2, sigma=0.5)
    short, long = [np.nan, 1, 1, -1, -3, -99], [np.nan, np.nan, 1, 1, -1, -1]
    close = [10.0, 11, 12, 13, 14, 15]
    got = run_pip(pip, [short, long], close)
    # means: 1, 0, −2, then (−5 − 1)/2 = −3 because one contributor is clipped at −5
    cs = np.array([np.nan, np.nan, *(2 / np.pi * np.arctan([1.0, 0.0, -2.0, -3.0]))])
    newest, older = edge_gaussian(2, 0.5)
    filtered = newest * cs[1:] + older * cs[:-1]
    assert_allclose(got["classical_signal"], cs)
    assert_allclose(got["classical_delta"][1:], np.diff(cs))
    assert_allclose(got["filtered"][1:], filtered)
    assert_allclose(got["filtered_delta"][2:], np.diff(filtered))
    assert_allclose(got["cycle"], [NONE, NONE, NONE, 1, -1, -1])
    assert_allclose(got["cycle_updated"], [NONE, NONE, NONE, 1, 1, 0])
    assert_allclose(got["cycle_index"], [NONE, NONE, NONE, 0, 0, 1])
    assert_allclose(got["cycle_begin_price"], [NONE, NONE, NONE, 13, 14, 14])


def test_a_missing_bar_holds_the_signal_and_changes_no_cycle():
    pip = ClassicalSignal(alpha=1.0, beta=1, window=2, sigma=0.5)
    got = run_pip(pip, [[1, 1, 1, -1, -1]], [10.0, 11, np.nan, np.nan, 12])
    assert_allclose(got["filtered"], [NONE, 0.5, 0.5, 0.5, got["filtered"][4]])
    assert_allclose(got["filtered_delta"][2:4], [NONE, NONE])
    assert_allclose(got["classical_delta"], [NONE, 0, 0, 0, -1])
    assert_allclose(got["cycle"], [NONE, 1, 1, 1, -1])
    assert_allclose(got["cycle_updated"], [NONE, 1, 0, 0, 1])
    assert_allclose(got["cycle_index"], [NONE, 0, 1, 2, 0])
    assert_allclose(got["cycle_begin_price"], [NONE, 11, 11, 11, 12])


def test_bad_set_ups_are_refused_with_a_sentence():
    short = MultiMACD()
    with pytest.raises(Invalid, match=r"pip.leave_threshold: 0.5 .* at most pip.enter_threshold \(0.2\)"):
        PIP.pack(Composite(ClassicalSignal(enter_threshold=0.2, leave_threshold=0.5), (1, 0, 0, 0, 0, 0, 0, 0)))
    with pytest.raises(Invalid, match="mmacd_short, mmacd_long, dmi_adx or mfi"):
        PIP.lines(IntervalAnalyses(pip=ClassicalSignal()))
    with pytest.raises(Invalid, match="weighted"):
        PIP.lines(IntervalAnalyses(mmacd_short=short, pip=ClassicalSignal(mmacd_short_weight=0.0)))
    assert PIP.inputs(IntervalAnalyses(mmacd_long=short, pip=ClassicalSignal())) == ("MMACDLONG.0.abs_mean_relative",)
