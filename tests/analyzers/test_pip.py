from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_allclose

from atm.analyzers import AnalysisPipeline
from atm.analyzers.pip import PIP, Composite
from atm.model.analysis_configuration import (
    ActionMode,
    ActionSense,
    AnalysisConfiguration,
    ClassicalSignal,
    Contribution,
    IntervalAnalyses,
    MultiMACD,
    OscillatorLine,
)
from tests.analyzers.market import frame, minutes

NONE = float("nan")
PASS = ClassicalSignal(alpha=1.0, beta=1, window=2, sigma=0.2, impulse_window=2, impulse_threshold=0.0, flow_window=2)
"""F nearly follows the contributor; the impulse turns with the sign of ΔF, from the second ΔF on."""


def run(pip, *, close=None, high=None, low=None, **groups):
    """PIP over rows of inputs: groups mmacd_short, mmacd_long, dmi, mfi, woi, nes, network, boundaries."""
    order = ("mmacd_short", "mmacd_long", "dmi", "mfi", "woi", "nes", "network", "boundaries")
    rows = [row for name in order for row in groups.get(name, [])]
    sizes = tuple(len(groups.get(name, [])) for name in order)
    n = len(rows[0])
    base = frame(np.full(n, 100.0) if close is None else np.asarray(close, float), high, low)
    values = np.vstack([base[:9], np.asarray(rows, float), base[9:]])
    own = PIP.pack(Composite(pip, sizes))
    params = np.concatenate([[len(rows)], 9 + np.arange(len(rows)), own]).astype(float)
    out = np.empty((len(PIP.fields), n))
    PIP.advance(params, PIP.state(params), values, 0, n, out)
    return dict(zip(PIP.fields, out, strict=True))


def change(pip, **changes):
    return msgspec.structs.replace(pip, **changes)


def sq(x):
    return np.sign(x) * 2 / np.pi * np.arctan(abs(x))


def test_mfi_and_dmi_contribute_each_for_itself_by_type_and_weight():
    pip = change(PASS, mmacd_short_weight=2.0, mfi_weight=0.5)
    got = run(pip, mmacd_short=[[1.0] * 3], dmi=[[2.0] * 3, [9.0] * 3], mfi=[[-1.0] * 3])
    s = (2 * 1.0 + 1 * (2 + 5) / 2 + 0.5 * -1.0) / 3.5  # the second DMI line is clipped at 5
    assert_allclose(got["classical_signal"], sq(s))
    assert_allclose(got["contributors"], 3)


def test_a_contributor_without_weight_is_not_waited_for():
    got = run(change(PASS, mfi_weight=0.0), mmacd_short=[[1.0] * 3], mfi=[[NONE] * 3])
    assert_allclose(got["classical_signal"], 0.5)
    assert_allclose(got["contributors"], 1)


def test_the_signal_begins_with_all_contributors_and_goes_on_with_those_that_have_values():
    got = run(PASS, mmacd_short=[[1.0, 1, 1, 1]], mmacd_long=[[NONE, 3, NONE, 3]])
    assert_allclose(got["classical_signal"], [NONE, sq(2.0), sq(1.0), sq(2.0)])
    assert_allclose(got["contributors"], [1, 2, 1, 2])


def test_legacy_contributions_are_shares_of_the_peak():
    configuration = IntervalAnalyses(
        dmi_adx=(OscillatorLine(),), mfi=(OscillatorLine(),), pip=change(PASS, contribution=Contribution.LEGACY)
    )
    assert PIP.inputs(configuration) == ("DMIxADX.1.peak_relative", "MFI.1.peak_relative")
    got = run(configuration.pip, dmi=[[80.0] * 3], mfi=[[-100.0] * 3])
    assert_allclose(got["classical_signal"], sq((0.8 - 0.5) / 2))


def test_order_flow_signals_are_means_of_the_lines_and_begin_anew_after_a_gap():
    woi = [[NONE, 0.2, 0.4, NONE, 0.1], [0.5, 0.4, 0.2, 0.3, 0.3]]
    got = run(PASS, mmacd_short=[[1.0] * 5], woi=woi, nes=[[-8.0] * 5])
    assert_allclose(got["woi_signal"], [NONE, 0.3, 0.3, NONE, 0.2])
    assert_allclose(got["woi_abs_mean"], [NONE, 0.3, 0.3, NONE, 0.2])
    assert_allclose(got["woi_relative"], [NONE, 0.5, 0.5, NONE, 0.5])
    assert_allclose(got["nes_relative"], -0.5)
    assert_allclose(got["nes_abs_mean"], 8)


def test_the_network_signal_is_squashed():
    got = run(change(PASS, nna_alpha=0.25, nna_beta=10), mmacd_short=[[1.0] * 3], network=[[NONE, 0.25, -1.0]])
    assert_allclose(got["nna_signal"], [NONE, 0.5, -1.0], atol=1e-5)


def test_boundaries_are_distances_from_the_close_and_touched_within_a_thousandth():
    high, low = np.array([100.5, 101.95, 100.2, 103.0]), np.array([99.5, 100.2, 98.05, 96.0])
    got = run(
        PASS, mmacd_short=[[1.0] * 4], boundaries=[[98.0, 98.0, 98.0, NONE], [102.0] * 4], close=[100.0] * 4, high=high, low=low
    )  # fmt: skip
    assert_allclose(got["boundary_below"], [-0.02, -0.02, -0.02, NONE])
    assert_allclose(got["boundary_above"], 0.02)
    # 101.95 > 0.999 · 102 and 98.05 < 1.001 · 98; the last bar crosses 102
    assert_allclose(got["boundary_touch"], [0, 1, 1, 1])


def test_absent_sources_have_no_value():
    got = run(PASS, mmacd_short=[[1.0] * 3])
    for name in ("nna_signal", "woi_signal", "woi_relative", "nes_abs_mean", "boundary_below", "boundary_touch"):
        assert np.isnan(got[name]).all()


@pytest.mark.parametrize(("sense", "side"), [(ActionSense.CONTRARIAN, -1), (ActionSense.TREND, 1)])
def test_cyclic_acts_on_every_bar_of_a_cycle_and_on_no_missing_one(sense, side):
    pip = change(PASS, sense=sense, enter_threshold=0.3, leave_threshold=0.1)
    got = run(pip, mmacd_short=[[0.0, 0, 2, 2, 0, -2, -2, -2]], close=[1.0, 1, 1, 1, 1, 1, NONE, 1])
    assert_allclose(got["cycle"], [NONE, NONE, 1, 1, NONE, -1, -1, -1])
    assert_allclose(got["action"], np.array([0, 0, 1, 1, 0, -1, 0, -1]) * side)
    assert_allclose(got["entry_allowed"], [0, 0, 1, 1, 0, 1, 0, 1])


@pytest.mark.parametrize("sense", list(ActionSense))
def test_impulsive_acts_when_the_impulse_turns_and_enters_on_the_side_of_the_cycle(sense):
    """The cycle is high from bar 2 on and low from bar 8 on; F rises and falls within them."""
    pip = change(PASS, sense=sense, action_mode=ActionMode.IMPULSIVE)
    signal = [1.0, 2, 3, 2.5, 2, 3, 4, 1, -2, -3, -2, -1, -3]
    got = run(pip, mmacd_short=[signal])
    delta = got["filtered_delta"]
    impulse, action, allowed = NONE, [], []
    for c in range(len(signal)):
        turned = not np.isnan(got["impulse"][c]) and delta[c] != 0 and np.sign(delta[c]) != impulse
        if turned:
            impulse = np.sign(delta[c])
        g = 1 if sense is ActionSense.TREND else -1
        action.append(g * impulse if turned else 0)
        allowed.append(turned and g * impulse == got["cycle"][c])
    assert_allclose(got["action"], action)
    assert_allclose(got["entry_allowed"], allowed)
    assert sum(allowed) >= 1 and sum(a != 0 for a in action) > sum(allowed)


def test_the_impulse_needs_its_threshold():
    still = change(PASS, action_mode=ActionMode.IMPULSIVE, impulse_window=20, impulse_threshold=3.0)
    signal = [0.1 * (-1) ** c for c in range(60)]
    signal[50:] = [3.0] * 10
    got = run(still, mmacd_short=[signal])
    assert np.flatnonzero(got["action"]).tolist() == [50]
    assert got["impulse"][50] > 3.0
    assert_allclose(got["impulse_cycle"][50:], 1)


@pytest.mark.parametrize(("woi", "allowed"), [(0.5, 1), (-0.5, 0), (NONE, 0)])
def test_an_entry_waits_for_the_order_book_when_a_threshold_is_set(woi, allowed):
    """A low cycle buys; positive imbalance (more bids) confirms; the action itself stays."""
    pip = change(PASS, woi_threshold=0.4)
    got = run(pip, mmacd_short=[[-1.0] * 4], woi=[[woi] * 4])
    assert_allclose(got["action"][1:], 1)
    assert_allclose(got["entry_allowed"][1:], allowed)
    assert_allclose(run(PASS, mmacd_short=[[-1.0] * 4], woi=[[woi] * 4])["entry_allowed"][1:], 1)


def test_columns_of_pip_stand_in_the_pipeline():
    configuration = AnalysisConfiguration.of_one(
        "x", mmacd_short=MultiMACD(windows=(3, 5)), mfi=(OscillatorLine(5),), pip=change(PASS, sense=ActionSense.TREND)
    )
    table = AnalysisPipeline(configuration).run(minutes(60_000))
    action, cycle = table.column("PIP.0.action"), table.column("PIP.0.cycle")
    assert_allclose(action, np.nan_to_num(cycle))
    assert set(np.unique(action)) == {-1.0, 0.0, 1.0}
