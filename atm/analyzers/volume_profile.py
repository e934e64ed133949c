"""IVP: the interpreted volume profile with its boundaries (spec: analysis §4.10, §7.6, defects D12, D13, D22).

Traded base volume by price, in bins of constant ratio: bin j holds the prices [q^j, q^(j+1)) with q = 1 + γ/10, so the geometry never
changes and needs no running maximum. A bar spreads its volume evenly over [low, high]. Over the first n bars volumes are summed;
from then on each bar first takes 1/n off everything:  mass = (1 − 1/n) · mass + V.

The state has a fixed size: a ring of `bins` bins around the bin of the last close. What comes to lie farther away than half of
that is dropped, from the mass too: at the defaults (γ = 0.01, 1,024 bins) beyond −40 % and +67 % of the price. Decay is one
common factor, so a bar costs the bins that it touches, whatever the number of bins and bars; only a search smooths.

Boundaries (`profile_boundaries`) are searched every `search_every` bars of the clock; which of them are near is seen at every
bar, from the bin of its open, so that they do not change sides within a bar. `below_1` … `below_5` are the prices of those
below it, nearest first, `above_1` … `above_5` of those at or above; NaN where there is none. `value` is the smoothed volume
of the bin of the close, `peak` the largest one (of the last search, decayed since, unless
`value` exceeds it). A missing bar only decays, and holds what is published.
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
from atm.model.errors import Invalid
from atm.model.kernel import kernel, lean_kernel

OPEN, HIGH, LOW, CLOSE, VOLUME = (
    int(column) for column in (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE, Column.VOLUME)
)
NEAR = 5
_FIELDS = 2 * NEAR + 3
_PUBLISHED = 11
_HEAD = _PUBLISHED + _FIELDS
_PARAMS = 8
_RENORMALISE = 1e100
_SHARE_THAT_ROUNDS = 1e-3


@lean_kernel
def _clear(state: Floats, profile: Floats, slot: int, count: int) -> None:
    """Drop `count` bins from a slot on. The mass is summed anew where a difference would not be exact."""
    size = len(profile)
    dropped = 0.0
    for _ in range(count):
        dropped += profile[slot]
        profile[slot] = 0.0
        slot = slot + 1 if slot + 1 < size else 0
    state[4] -= dropped
    if dropped > _SHARE_THAT_ROUNDS * state[4]:
        state[4] = 0.0
        for j in range(size):
            state[4] += profile[j]


@lean_kernel
def _move(state: Floats, profile: Floats, centre: int) -> int:
    """Let the kept bins lie around the bin `centre`; returns the slot of the first of them."""
    size = len(profile)
    low = centre - size // 2
    before = low if state[0] != state[0] else int(state[0])
    state[0] = low
    origin = low % size
    if low > before:
        gone = min(low - before, size)
        _clear(state, profile, origin - gone if origin >= gone else origin - gone + size, gone)
    elif low < before:
        _clear(state, profile, origin, min(before - low, size))
    return origin


@lean_kernel
def _spread(
    state: Floats, profile: Floats, width: float, ratio: float, origin: int, low: float, high: float, volume: float
) -> None:
    """Spread a volume, already in units of the common factor, evenly over the prices low … high.

    What lies outside of the kept bins is dropped.
    """
    size, begin = len(profile), int(state[0])
    first, last = math.floor(math.log(low) / width), math.floor(math.log(high) / width)
    state[9], state[10] = min(state[9], first), max(state[10], last)
    first -= begin
    last -= begin
    left, place, density = low, first, volume / (high - low)
    if first < 0:
        left, place = math.exp(begin * width), 0
    edge = 0.0 if first == last else math.exp((begin + place + 1) * width)
    while place <= last and place < size:
        right = high if place == last else edge
        part = volume if first == last else density * max(right - left, 0.0)
        profile[origin + place if origin + place < size else origin + place - size] += part
        state[4] += part
        left = max(left, right)
        edge *= ratio
        place += 1


@lean_kernel
def _smooth(profile: Floats, gaussian: Floats, origin: int, first: int, count: int, raw: Floats, out: Floats) -> float:
    """out[:count] = Gaussian filter of `count` bins from place `first` on, zeros outside of the kept bins; its maximum."""
    size, radius = len(profile), len(gaussian) // 2
    for j in range(count + 2 * radius):
        place = first - radius + j
        slot = origin + place if origin + place < size else origin + place - size
        raw[j] = profile[slot] if 0 <= place < size else 0.0
    for j in range(count):
        out[j] = gaussian[0] * raw[j]
    for k in range(1, len(gaussian)):
        weight = gaussian[k]
        for j in range(count):
            out[j] += weight * raw[j + k]
    top = 0.0
    for j in range(count):
        top = max(top, out[j])
    return top


@lean_kernel
def _search(
    state: Floats, profile: Floats, params: Floats, gaussian: Floats, origin: int, work: Floats, places: Floats,
    prices: Floats,
) -> None:  # fmt: skip
    """Find the boundaries anew: their bins go to `places`, their prices to `prices`, their number to the state.

    Bins below half the prominence at the ends of the profile cannot matter. A bin untouched since it was below still is,
    unless the maximum has been dropped: so only the bins that mattered or were touched are looked at, else all.
    """
    size, radius, begin = len(profile), len(gaussian) // 2, int(state[0])
    raw, smooth = work[5], work[6]
    first, stop, top = size, size, -1.0
    from_bin, to_bin = state[9], state[10]
    while top < state[3] * (1.0 - 1e-9):
        first = int(min(max(from_bin - radius - begin, 0.0), size))
        stop = int(min(max(to_bin + radius + 1.0 - begin, first), size))
        top = _smooth(profile, gaussian, origin, first, stop - first, raw, smooth)
        if stop - first == size:
            break
        from_bin, to_bin = state[0], state[0] + size
    state[3], state[6], state[7], state[8] = top, 0.0, np.inf, -np.inf
    if top <= 0.0:
        return
    least, head, tail = 0.5 * params[5] * top, 0, stop - first
    while smooth[head] < least:
        head += 1
    while smooth[tail - 1] < least:
        tail -= 1
    state[9], state[10] = begin + first + head, begin + first + tail - 1
    found = find_boundaries(smooth[head:tail], top, params[5], params[6], params[7], work, places)
    for j in range(found):
        places[j] += begin + first + head
        prices[j] = math.exp((places[j] + 0.5) * params[1])
    state[6] = found


@lean_kernel
def _near(state: Floats, places: Floats, prices: Floats, price: float, width: float) -> None:
    """Publish the prices of the boundaries next to the bin of `price`, and for which prices they are the next ones."""
    count, reference = int(state[6]), math.floor(math.log(price) / width)
    at, beyond = 0, count
    while at < beyond:
        middle = (at + beyond) // 2
        if places[middle] < reference:
            at = middle + 1
        else:
            beyond = middle
    state[7] = math.exp((places[at - 1] + 1.0) * width) if at > 0 else 0.0
    state[8] = math.exp((places[at] + 1.0) * width) if at < count else np.inf
    for j in range(NEAR):
        below, above = at - 1 - j, at + j
        state[_PUBLISHED + j] = prices[below] if below >= 0 else np.nan
        state[_PUBLISHED + NEAR + j] = prices[above] if above < count else np.nan


@lean_kernel
def _renormalise(state: Floats, profile: Floats) -> None:
    factor = 1.0 / state[2]
    for slot in range(len(profile)):
        profile[slot] *= factor
    state[2], state[3], state[4] = 1.0, state[3] * factor, state[4] * factor


@lean_kernel
def _value(profile: Floats, gaussian: Floats, at: int) -> float:
    """Smoothed volume of the bin in slot `at`, which lies in the middle of those kept."""
    size, radius = len(profile), len(gaussian) // 2
    total, slot = 0.0, at - radius if at >= radius else at - radius + size
    for k in range(len(gaussian)):
        total += gaussian[k] * profile[slot]
        slot = slot + 1 if slot + 1 < size else 0
    return total


@kernel
def advance_profile(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, ln q, bins, q, search every, prominence, distance, height, Gaussian…]; out as `IVP.fields`.

    state [first kept bin (NaN before the first bar), bars seen, common factor of the weights, largest smoothed volume at the
    last search, mass (both in its units), first bar number of that search's clock block, boundaries, from and below which price
    the published boundaries are the next, first and last bin to be searched, the fields as last published, profile ring…, bins of
    the boundaries…, their prices…].
    """
    n, width, size, ratio, every = params[0], params[1], int(params[2]), params[3], params[4]
    gaussian = params[_PARAMS:]
    profile, places, prices = state[_HEAD : _HEAD + size], state[_HEAD + size : -size], state[len(state) - size :]
    work = np.empty((7, size + len(gaussian) + 3))
    decay = 1.0 / (1.0 - 1.0 / n)
    for i in range(start, stop):
        if state[1] >= n:
            state[2] *= decay
            if state[2] > _RENORMALISE:
                _renormalise(state, profile)
        low, close, opened = values[LOW, i], values[CLOSE, i], values[OPEN, i]
        if close == close and low > 0.0:
            origin = _move(state, profile, math.floor(math.log(close) / width))
            volume = values[VOLUME, i] * state[2]
            if volume > 0.0:
                _spread(state, profile, width, ratio, origin, low, values[HIGH, i], volume)
            state[1] = min(state[1] + 1.0, n)
            if state[1] == n:
                if not state[5] <= values[NUMBER, i] < state[5] + every:
                    state[5] = math.floor(values[NUMBER, i] / every) * every
                    _search(state, profile, params, gaussian, origin, work, places, prices)
                if not state[7] <= opened < state[8]:
                    _near(state, places, prices, opened, width)
                middle = origin + size // 2
                value = _value(profile, gaussian, middle if middle < size else middle - size)
                factor = 1.0 / state[2]
                state[_PUBLISHED + 2 * NEAR] = value * factor
                state[_PUBLISHED + 2 * NEAR + 1] = max(state[3], value) * factor
                state[_PUBLISHED + 2 * NEAR + 2] = state[4] * factor
        for field in range(_FIELDS):
            out[field, i] = state[_PUBLISHED + field]


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
    volume = state[_HEAD : _HEAD + size][np.arange(low, low + size) % size] / state[2]
    return Profile(
        edges=np.exp(width * np.arange(low, low + size + 1)),
        volume=volume,
        smoothed=np.convolve(volume, params[_PARAMS:], mode="same"),
        boundaries=state[len(state) - size :][: int(state[6])].copy(),
    )


def _pack(line: VolumeProfile) -> Floats:
    radius = int(4.0 * line.sigma + 0.5)
    if radius >= line.bins // 2:
        raise Invalid("volume_profile.sigma", line.sigma, f"less than an eighth of volume_profile.bins ({line.bins})")
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / line.sigma) ** 2)
    ratio = 1.0 + line.gamma / 10
    own = [line.window, math.log(ratio), line.bins, ratio, line.search_every]
    return np.concatenate([own, [line.prominence, line.distance, line.height], gaussian / gaussian.sum()])


def _state(params: Floats) -> Floats:
    size = int(params[2])
    state = np.zeros(_HEAD + 3 * size)
    state[0], state[2], state[5] = np.nan, 1.0, np.nan
    state[7:11] = np.inf, -np.inf, np.inf, -np.inf
    state[_PUBLISHED:_HEAD] = np.nan
    return state


IVP = Indicator[VolumeProfile](
    name="IVP",
    field="volume_profile",
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
