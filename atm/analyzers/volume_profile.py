"""IVP: the interpreted volume profile with its boundaries (spec: analysis §4.10, §7.6, defects D12, D13, D22).

Traded base volume by price, in bins of constant ratio: bin j holds the prices [q^j, q^(j+1)) with q = 1 + γ/10, so the geometry never
changes and needs no running maximum. A bar spreads its volume evenly over [low, high]. Over the first n bars volumes are summed;
from then on each bar first takes 1/n off everything:  mass = (1 − 1/n) · mass + V.

The state has a fixed size: a ring of `bins` bins around the bin of the last close. What comes to lie farther away than half of
that is dropped, from the mass too: at the defaults (γ = 0.01, 1,024 bins) beyond −40 % and +67 % of the price. Decay is one
common factor; smoothing adds, with each touched bin, its share of a Gaussian to the bins around it; so a bar costs the bins
that it touches, whatever the number of bins and bars.

Boundaries (`profile_boundaries`) are searched every `search_every` bars of the clock; which of them are near is seen at every
bar, from the bin of its open, so that they do not change sides within a bar. `below_1` … `below_5` are the prices of those
below it, nearest first, `above_1` … `above_5` of those at or above; NaN where there is none. `value` is the smoothed volume
of the bin of the close, `peak` the largest one. A missing bar only decays, and holds what is published.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from atm.analyzers.contract import NUMBER, Floats, Indicator
from atm.analyzers.normalisers import bars_to_forget
from atm.analyzers.profile_boundaries import find_boundaries
from atm.model.analysis_configuration import VolumeProfile
from atm.model.bars import Column
from atm.model.kernel import kernel

OPEN, HIGH, LOW, CLOSE, VOLUME = (
    int(column) for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE, Column.VOLUME)
)
NEAR = 5
_FIELDS = 2 * NEAR + 3
_HEAD = 8 + _FIELDS
_PARAMS = 7
_RENORMALISE = 1e100
_SHARE_THAT_ROUNDS = 1e-3


@kernel
def _clear(state: Floats, profile: Floats, smooth: Floats, first: int, stop: int) -> None:
    """Drop the bins first … stop − 1. The mass and the maximum are taken anew where a difference would not be exact."""
    size = len(profile)
    dropped, at_top = 0.0, False
    for b in range(first, stop):
        slot = b % size
        dropped += profile[slot]
        at_top = at_top or smooth[slot] >= state[3]
        profile[slot], smooth[slot] = 0.0, 0.0
    if dropped > _SHARE_THAT_ROUNDS * state[4]:
        state[4] = profile.sum()
    else:
        state[4] -= dropped
    if at_top:
        state[3] = smooth.max()


@kernel
def _move(state: Floats, profile: Floats, smooth: Floats, centre: int) -> None:
    """Let the kept bins lie around the bin `centre`."""
    size = len(profile)
    low = centre - size // 2
    before = low if state[0] != state[0] else int(state[0])
    state[0] = low
    if low > before:
        _clear(state, profile, smooth, before, min(low, before + size))
    elif low < before:
        _clear(state, profile, smooth, max(low + size, before), before + size)


@kernel
def _add(state: Floats, profile: Floats, smooth: Floats, gaussian: Floats, b: int, volume: float) -> None:
    """Add a volume, already in units of the common factor, to bin b, which is one of those kept."""
    size, low, radius = len(profile), int(state[0]), len(gaussian) // 2
    profile[b % size] += volume
    state[4] += volume
    first, last = max(b - radius, low), min(b + radius, low + size - 1)
    slot = first % size
    for j in range(first, last + 1):
        smooth[slot] += volume * gaussian[j - b + radius]
        state[3] = max(state[3], smooth[slot])
        slot = slot + 1 if slot + 1 < size else 0


@kernel
def _spread(
    state: Floats,
    profile: Floats,
    smooth: Floats,
    gaussian: Floats,
    width: float,
    low: float,
    high: float,
    volume: float,
) -> None:
    """Spread a volume evenly over the prices low … high; what lies outside of the kept bins is dropped."""
    first, last = math.floor(math.log(low) / width), math.floor(math.log(high) / width)
    begin, end = int(state[0]), int(state[0]) + len(profile) - 1
    if first == last:
        if begin <= first <= end:
            _add(state, profile, smooth, gaussian, first, volume)
        return
    density = volume / (high - low)
    left = low if first >= begin else math.exp(begin * width)
    for b in range(max(first, begin), min(last, end) + 1):
        right = high if b == last else math.exp((b + 1) * width)
        if right > left:
            _add(state, profile, smooth, gaussian, b, density * (right - left))
            left = right


@kernel
def _search(state: Floats, smooth: Floats, params: Floats, places: Floats) -> None:
    """Find the boundaries anew: their bins go to `places`, their number to the state."""
    size, low = len(smooth), int(state[0])
    at = low % size
    ordered = np.concatenate((smooth[at:], smooth[:at]))
    count = find_boundaries(ordered, params[4], params[5], params[6], places)
    for j in range(count):
        places[j] += low
    state[6] = count


@kernel
def _near(state: Floats, places: Floats, reference: float, width: float) -> None:
    """Publish the prices of the boundaries next to the bin `reference`."""
    count = int(state[6])
    at, beyond = 0, count
    while at < beyond:
        middle = (at + beyond) // 2
        if places[middle] < reference:
            at = middle + 1
        else:
            beyond = middle
    for j in range(NEAR):
        below, above = at - 1 - j, at + j
        state[8 + j] = math.exp((places[below] + 0.5) * width) if below >= 0 else np.nan
        state[8 + NEAR + j] = math.exp((places[above] + 0.5) * width) if above < count else np.nan
    state[7] = reference


@kernel
def _renormalise(state: Floats, profile: Floats, smooth: Floats) -> None:
    factor = 1.0 / state[2]
    profile *= factor
    smooth *= factor
    state[2], state[3], state[4] = 1.0, state[3] * factor, state[4] * factor


@kernel
def advance_profile(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, ln q, bins, search every, prominence, distance, height, Gaussian…]; out as `IVP.fields`.

    state [first kept bin (NaN before the first bar), bars seen, common factor of the weights, largest smoothed volume, mass
    (both in its units), clock block of the last search, boundaries, bin of the open at which they were published, the fields
    as last published, profile ring…, smoothed ring…, bins of the boundaries…].
    """
    n, width, size = params[0], params[1], int(params[2])
    gaussian = params[_PARAMS:]
    profile, smooth = state[_HEAD : _HEAD + size], state[_HEAD + size : _HEAD + 2 * size]
    places = state[_HEAD + 2 * size :]
    for i in range(start, stop):
        if state[1] >= n:
            state[2] /= 1.0 - 1.0 / n
            if state[2] > _RENORMALISE:
                _renormalise(state, profile, smooth)
        low, close = values[LOW, i], values[CLOSE, i]
        if close == close and low > 0.0:
            centre = math.floor(math.log(close) / width)
            _move(state, profile, smooth, centre)
            volume = values[VOLUME, i] * state[2]
            if volume > 0.0:
                _spread(state, profile, smooth, gaussian, width, low, values[HIGH, i], volume)
            state[1] = min(state[1] + 1.0, n)
            if state[1] == n:
                block = math.floor(values[NUMBER, i] / params[3])
                reference = math.floor(math.log(values[OPEN, i]) / width)
                if block != state[5]:
                    state[5] = block
                    _search(state, smooth, params, places)
                    _near(state, places, reference, width)
                elif reference != state[7]:
                    _near(state, places, reference, width)
                state[8 + 2 * NEAR] = smooth[centre % size] / state[2]
                state[9 + 2 * NEAR] = state[3] / state[2]
                state[10 + 2 * NEAR] = state[4] / state[2]
        for field in range(_FIELDS):
            out[field, i] = state[8 + field]


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole volume profile. edges (bins + 1,): prices between the bins, ascending; volume, smoothed (bins,): base asset;
    boundaries: prices of the peaks and valleys, ascending."""

    edges: Floats
    volume: Floats
    smoothed: Floats
    boundaries: Floats


def profile_of(params: Floats, state: Floats) -> Profile | None:
    """The profile that an IVP state holds, as after its last bar; None before the first."""
    if math.isnan(state[0]):
        return None
    width, size, low = params[1], int(params[2]), int(state[0])
    order = np.arange(low, low + size) % size
    profile, smooth = state[_HEAD : _HEAD + size], state[_HEAD + size : _HEAD + 2 * size]
    places = state[_HEAD + 2 * size :][: int(state[6])]
    return Profile(
        edges=np.exp(width * np.arange(low, low + size + 1)),
        volume=profile[order] / state[2],
        smoothed=smooth[order] / state[2],
        boundaries=np.exp(width * (places + 0.5)),
    )


def _pack(line: VolumeProfile) -> Floats:
    radius = int(4.0 * line.sigma + 0.5)
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / line.sigma) ** 2)
    own = [line.window, math.log1p(line.gamma / 10), line.bins, line.search_every]
    return np.concatenate([own, [line.prominence, line.distance, line.height], gaussian / gaussian.sum()])


def _state(params: Floats) -> Floats:
    size = int(params[2])
    state = np.zeros(_HEAD + 3 * size + 2)
    state[0], state[2], state[5] = np.nan, 1.0, np.nan
    state[7:_HEAD] = np.nan
    return state


IVP = Indicator[VolumeProfile](
    name="IVP",
    fields=(
        *(f"below_{j}" for j in range(1, NEAR + 1)),
        *(f"above_{j}" for j in range(1, NEAR + 1)),
        "value", "peak", "mass",
    ),
    lines=lambda configuration: () if configuration.volume_profile is None else (configuration.volume_profile,),
    pack=_pack,
    state=_state,
    advance=advance_profile,
    warm_up=lambda line: line.window,
    settle=lambda line: line.window + bars_to_forget(1.0 / line.window) + line.search_every,
    singleton=True,
)  # fmt: skip
