from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from atm.analyzers.profile_boundaries import find_boundaries
from atm.analyzers.volume_profile import IVP, profile_of
from atm.model.analysis_configuration import VolumeProfile
from tests.analyzers.market import frame


def evaluate(line, values):
    params = IVP.pack(line)
    state = IVP.state(params)
    out = np.empty((len(IVP.fields), values.shape[1]))
    IVP.advance(params, state, values, 0, values.shape[1], out)
    return dict(zip(IVP.fields, out, strict=True)), profile_of(params, state)


def market(n, seed=1, step=2e-3):
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, step, n)))
    values = frame(close, close * (1 + random.random(n) * 4e-3), close * (1 - random.random(n) * 4e-3))
    values[0] = values[2] + random.random(n) * (values[1] - values[2])
    values[4] = random.lognormal(5, 1, n)
    return values


def decayed(values, n):
    """Weight of every bar in the profile after the last one."""
    count = values.shape[1]
    age = np.minimum(np.arange(count)[::-1], count - n)
    return (1 - 1 / n) ** age


def test_the_profile_is_the_decayed_volume_of_the_bars_spread_over_their_ranges():
    values, n = market(400), 60
    _, profile = evaluate(VolumeProfile(window=n, gamma=0.02, bins=512), values)
    weights = decayed(values, n) * values[4]
    low, high = values[2], values[1]
    inside = np.minimum(high[:, None], profile.edges[None, 1:]) - np.maximum(low[:, None], profile.edges[None, :-1])
    expected = weights @ (np.maximum(inside, 0) / (high - low)[:, None])
    assert_allclose(profile.volume, expected, rtol=1e-8, atol=1e-9 * expected.max())
    assert_allclose(profile.edges[1:] / profile.edges[:-1], 1.002, rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.5])
def test_the_smoothed_profile_is_scipys_gaussian_filter(sigma):
    _, profile = evaluate(VolumeProfile(window=60, bins=1_024, sigma=sigma), market(500))
    expected = gaussian_filter1d(profile.volume, sigma, mode="constant")
    assert_allclose(profile.smoothed, expected, rtol=1e-9, atol=1e-9 * expected.max())


def test_the_mass_obeys_its_recurrence():
    values, n = market(3_000), 100
    out, profile = evaluate(VolumeProfile(window=n, bins=4_096), values)
    mass = 0.0
    for c, volume in enumerate(values[4]):
        mass = (mass if c < n else (1 - 1 / n) * mass) + volume
        if c >= n - 1:
            assert out["mass"][c] == pytest.approx(mass, rel=1e-9)
    assert profile.volume.sum() == pytest.approx(mass, rel=1e-9)


def test_what_is_farther_than_half_the_bins_is_dropped_from_profile_and_mass():
    values = market(600, step=2e-2)
    out, profile = evaluate(VolumeProfile(window=200, bins=64, gamma=0.01), values)
    assert profile.volume.sum() == pytest.approx(out["mass"][-1], rel=1e-9)
    assert out["mass"][-1] < 0.9 * decayed(values, 200) @ values[4]
    assert profile.edges[0] < values[3, -1] < profile.edges[-1]
    weight = (1 - 1 / 200) ** -9
    assert out["peak"][-1] < profile.smoothed.max() * weight


def test_a_spike_of_volume_far_away_leaves_nothing_behind():
    values = market(3_000)
    values[4] *= 1e-6
    values[:4, 1_000] *= 1e3
    values[4, 1_000] = 1e15
    out, profile = evaluate(VolumeProfile(window=50), values)
    assert profile.volume.sum() == pytest.approx(out["mass"][-1], rel=1e-9)
    assert out["mass"][1_500] == pytest.approx(decayed(values[:, 1_001:1_501], 50) @ values[4, 1_001:1_501], rel=1e-2)


def by_definition(profile, prominence, distance, height):
    """SciPy's peaks of the profile between zeros by prominence and height; then, per class, the nearer lesser ones go."""
    top = profile.max()
    padded = np.concatenate([[0], profile, [0]])
    peaks, _ = find_peaks(padded, prominence=prominence * top, height=height * top)
    valleys, _ = find_peaks(-padded, prominence=prominence * top / 2, height=-(1 - height) * top)
    found = []
    for places, sign in ((peaks, 1), (valleys, -1)):
        kept = []
        for place in sorted(places, key=lambda place: (sign * padded[place], place), reverse=True):
            if all(abs(place - other) >= distance for other in kept):
                kept.append(int(place))
        found += kept
    return np.array(sorted(found)) - 1


@pytest.mark.parametrize("seed", range(30))
def test_boundaries_are_the_peaks_and_valleys_that_scipy_finds(seed):
    random = np.random.default_rng(seed)
    profile = np.maximum(gaussian_filter1d(random.random(300), 1.0 + seed % 4) - 0.4, 0.0)
    if seed % 3 == 0:
        profile = np.round(profile, 2)  # plateaus
    profile[:40], profile[-30:] = 0.0, 0.0
    for prominence, distance, height in [(0.1, 5, 0.5), (0.01, 1, 0.0), (0.3, 20, 0.2), (0.05, 100, 1.0)]:
        found = np.empty(302)
        count = find_boundaries(profile, profile.max(), prominence, float(distance), height, np.empty((5, 303)), found)
        assert_allclose(found[:count], by_definition(profile, prominence, distance, height))


def test_an_empty_profile_has_no_boundaries():
    assert find_boundaries(np.zeros(10), 0.0, 0.1, 5.0, 0.5, np.empty((5, 13)), np.empty(10)) == 0
    values = market(50)
    values[4] = 0.0
    out, _ = evaluate(VolumeProfile(window=10), values)
    assert out["mass"][-1] == out["peak"][-1] == out["value"][-1] == 0.0
    assert np.isnan(out["below_1"]).all() and np.isnan(out["above_1"]).all()


def test_near_boundaries_are_the_next_ones_on_either_side_of_the_open():
    line = VolumeProfile(window=80, gamma=0.01, prominence=0.02, distance=1, height=0.2, search_every=1)
    values = market(900)
    for stop in [300, 555, 900]:
        part = values[:, :stop].copy()
        out, profile = evaluate(line, part)
        prices = profile.boundaries
        opened = np.searchsorted(profile.edges, part[0, -1], side="right") - 1
        below, above = prices[prices < profile.edges[opened]], prices[prices >= profile.edges[opened]]
        assert len(below) + len(above) > 3
        for j in range(1, 6):
            assert_allclose(out[f"below_{j}"][-1], below[-j] if j <= len(below) else np.nan)
            assert_allclose(out[f"above_{j}"][-1], above[j - 1] if j <= len(above) else np.nan)


def test_boundaries_are_searched_on_the_clock():
    values = market(900)
    out, _ = evaluate(VolumeProfile(window=80, search_every=7), values)
    every, _ = evaluate(VolumeProfile(window=80, search_every=1), values)
    searched = np.floor(values[-1] / 7)
    fresh = np.flatnonzero(np.diff(searched) > 0)[20:] + 1
    for name in ("below_1", "above_1"):
        assert_allclose(out[name][fresh], every[name][fresh])
    assert not np.array_equal(out["below_1"][200:], every["below_1"][200:], equal_nan=True)


def test_a_missing_bar_decays_and_holds():
    values, n = market(300), 50
    values[:9, [200, 201]] = np.nan
    out, _ = evaluate(VolumeProfile(window=n), values)
    for name, row in out.items():
        assert_allclose(row[200:202], [row[199]] * 2, err_msg=name)
    assert out["mass"][202] == pytest.approx(out["mass"][199] * (1 - 1 / n) ** 3 + values[4, 202])


def test_a_market_of_one_price_has_one_bin():
    values = market(100)
    values[:4] = 60_000.0
    out, profile = evaluate(VolumeProfile(window=20), values)
    assert (profile.volume > 0).sum() == 1
    assert out["value"][-1] == out["peak"][-1] > 0
    assert abs(out["above_1"][-1] / 60_000 - 1) < 1e-3
