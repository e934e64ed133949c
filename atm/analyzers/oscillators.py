"""DMI×ADX and MFI with both normalisations (spec: analysis §4.8, §4.9, §7.3 … §7.5, defects D8, D10, D11, D15, L10).

DMI×ADX, Wilder's definitions, in percent:

    u = H − H′, v = L′ − L;  DM⁺ = u if u > v and u > 0;  DM⁻ = v if v > u and v > 0;  TR = true range
    Σ = Wilder's sums (seeded by n bars);  DI± = 100 ΣDM± / ΣTR;  DX = 100 |DI⁺ − DI⁻| / (DI⁺ + DI⁻), 0 for 0 / 0
    ADX = Wilder's mean of DX (seeded by n values);  value = (DI⁺ − DI⁻) · ADX / 100, in [−100, 100]

A bar that is missing, or follows a missing one, lets the sums decay and holds everything published. After more than n missing
bars in a row the sums begin anew. A market that has not moved measurably any more has DI = DX = 0.

MFI, in percent: typical price TP = (H + L + C) / 3; F± = Σ TP·V over the last n bars whose TP rose, fell. MFI = 100 F⁺ / (F⁺ +
F⁻), 50 when nothing flowed. Bars that cannot be compared with the bar before count as missing; with m of n comparisons the
value is 50 + (MFI − 50) · m / n.

Both publish: `peak`, the largest magnitude since the declared start, and `peak_relative` = 100 · value / peak (MFI: of its
deviation from 50); `abs_mean`, the exponential mean magnitude, and `abs_mean_relative` = value / abs_mean (MFI: likewise).
"""

from __future__ import annotations

import numpy as np

from atm.analyzers.contract import OPEN_TIME, Floats, Indicator
from atm.analyzers.lines import distinct
from atm.analyzers.moving_averages import add_exactly
from atm.analyzers.normalisers import bars_to_forget, mean_magnitude, relative, weight
from atm.model.analysis_configuration import OscillatorLine
from atm.model.bars import Column
from atm.model.kernel import lean_kernel

HIGH, LOW, CLOSE, VOLUME = int(Column.HIGH), int(Column.LOW), int(Column.CLOSE), int(Column.VOLUME)
_RESOLUTION = 1e-12
_DMI_HEAD = 15
_MFI_HEAD = 11
_NORMALS = 6
"""State of `_normalise`: [Σ|x|, weight not yet seen, then the four fields as last published]."""


@lean_kernel
def _normalise(state: Floats, x: float, k: float, time: float, since: float) -> None:
    """Book x: peak, peak-relative, mean magnitude and mean-relative stand in state[2 … 5]."""
    if time >= since:
        state[2] = abs(x) if state[2] != state[2] else max(state[2], abs(x))
        state[3] = 100.0 * x / state[2] if state[2] > 0.0 else 0.0
    state[0], state[1], state[4] = mean_magnitude(state[0], state[1], k, x)
    state[5] = relative(x, state[4], _RESOLUTION)


@lean_kernel
def _directional(s: Floats, n: float, high: float, low: float, close: float) -> None:
    """Book one bar that follows a present one: sums, DI, DX, ADX and the signed strength in s, see `advance_dmi`."""
    up, down = high - s[1], s[2] - low
    plus = up if up > down and up > 0.0 else 0.0
    minus = down if down > up and down > 0.0 else 0.0
    true_range = max(high - low, abs(high - s[3]), abs(low - s[3]))
    if s[4] < n:
        s[4] += 1.0
        s[5] += plus
        s[6] += minus
        s[7] += true_range
        if s[4] < n:
            return
    else:
        decay = 1.0 - 1.0 / n
        s[5] = s[5] * decay + plus
        s[6] = s[6] * decay + minus
        s[7] = s[7] * decay + true_range
    moved = s[7] > _RESOLUTION * close
    s[10] = 100.0 * s[5] / s[7] if moved else 0.0
    s[11] = 100.0 * s[6] / s[7] if moved else 0.0
    both = s[10] + s[11]
    s[12] = 100.0 * abs(s[10] - s[11]) / both if both > 0.0 else 0.0
    if s[8] < n:
        s[8] += 1.0
        s[9] += s[12]
        if s[8] < n:
            return
        s[13] = s[9] / n
    else:
        s[13] += (s[12] - s[13]) / n
    s[14] = (s[10] - s[11]) * s[13] / 100.0


@lean_kernel
def advance_dmi(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, k, peak since]; out as `DMI_ADX.fields`.

    state [missing bars in a row (NaN before the first bar), high, low, close of the bar before, bars summed, ΣDM⁺, ΣDM⁻,
    ΣTR, DX summed, ΣDX, then DI⁺, DI⁻, DX, ADX, value as last published, normaliser…].
    """
    n, k, since = params[0], params[1], params[2]
    normals = state[_DMI_HEAD:]
    for i in range(start, stop):
        high, low, close = values[HIGH, i], values[LOW, i], values[CLOSE, i]
        if close == close:
            if state[0] > n:
                state[4], state[5], state[6], state[7], state[8], state[9] = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            if state[0] == 0.0:
                _directional(state, n, high, low, close)
                if state[8] == n:
                    _normalise(normals, state[14], k, values[OPEN_TIME, i], since)
            elif state[4] == n:
                _decay(state, n)
            state[0], state[1], state[2], state[3] = 0.0, high, low, close
        else:
            state[0] += 1.0
            if state[4] == n:
                _decay(state, n)
        for field in range(5):
            out[field, i] = state[10 + field]
        for field in range(4):
            out[5 + field, i] = normals[2 + field]


@lean_kernel
def _decay(s: Floats, n: float) -> None:
    """A bar without a movement to book."""
    decay = 1.0 - 1.0 / n
    s[5] *= decay
    s[6] *= decay
    s[7] *= decay


@lean_kernel
def _count_flow(s: Floats, flow: float, times: float) -> None:
    """Add (times = 1) or take away (−1) a signed flow: sums, and how many rose, fell and were compared."""
    if flow != flow:
        return
    s[8] += times
    if flow > 0.0:
        s[2], s[3] = add_exactly(s[2], s[3], times * flow)
        s[6] += times
        if s[6] == 0.0:
            s[2], s[3] = 0.0, 0.0
    elif flow < 0.0:
        s[4], s[5] = add_exactly(s[4], s[5], -times * flow)
        s[7] += times
        if s[7] == 0.0:
            s[4], s[5] = 0.0, 0.0


@lean_kernel
def advance_mfi(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, k, peak since]; out as `MFI.fields`.

    state [bars seen, ring position, F⁺, error, F⁻, error, rises, falls, comparisons, typical price of the bar before (NaN =
    missing), value as last published, normaliser…, ring of signed flows (0 = no change, NaN = no comparison)].
    """
    n, k, since = int(params[0]), params[1], params[2]
    seen, at, before = int(state[0]), int(state[1]), state[9]
    normals = state[_MFI_HEAD : _MFI_HEAD + _NORMALS]
    ring = state[_MFI_HEAD + _NORMALS :]
    for i in range(start, stop):
        typical = (values[HIGH, i] + values[LOW, i] + values[CLOSE, i]) / 3.0
        flow = typical * values[VOLUME, i]
        if typical < before:
            flow = -flow
        elif typical == before:
            flow = 0.0
        elif not typical > before:
            flow = np.nan
        before = typical
        if seen > 0 or typical == typical:
            seen = min(seen + 1, n + 1)
        _count_flow(state, ring[at], -1.0)
        _count_flow(state, flow, 1.0)
        ring[at] = flow
        at = at + 1 if at + 1 < n else 0
        if seen > n and typical == typical:
            up, down = max(state[2] + state[3], 0.0), max(state[4] + state[5], 0.0)
            share = up / (up + down) if up + down > 0.0 else 0.5
            state[10] = 50.0 + 100.0 * (share - 0.5) * state[8] / n
            _normalise(normals, state[10] - 50.0, k, values[OPEN_TIME, i], since)
        out[0, i] = state[10]
        for field in range(4):
            out[1 + field, i] = normals[2 + field]
    state[0], state[1], state[9] = seen, at, before


def _pack(line: OscillatorLine) -> Floats:
    return np.array([line.window, weight(_normaliser(line)), line.peak_since_ms], np.float64)


def _normaliser(line: OscillatorLine) -> int:
    return line.normaliser or 10 * line.window


def _fresh_normals() -> Floats:
    return np.array([0.0, 1.0, *[np.nan] * (_NORMALS - 2)])


def _dmi_state(_params: Floats) -> Floats:
    head = np.full(_DMI_HEAD, np.nan)
    head[4:10] = 0.0
    return np.concatenate([head, _fresh_normals()])


def _mfi_state(params: Floats) -> Floats:
    head = np.zeros(_MFI_HEAD)
    head[9:] = np.nan
    return np.concatenate([head, _fresh_normals(), np.full(int(params[0]), np.nan)])


def _forget(line: OscillatorLine, remaining: float) -> int:
    return bars_to_forget(weight(_normaliser(line)), remaining)


_PEAKS = ("peak", "peak_relative", "abs_mean", "abs_mean_relative")

DMI_ADX = Indicator[OscillatorLine](
    name="DMIxADX",
    field="dmi_adx",
    fields=("plus_di", "minus_di", "dx", "adx", "value", *_PEAKS),
    lines=lambda configuration: distinct(configuration.dmi_adx, "dmi_adx", 5),
    pack=_pack,
    state=_dmi_state,
    advance=advance_dmi,
    warm_up=lambda line: 2 * line.window + _forget(line, 0.5) - 1,
    # Wilder's sums and mean have weight 1 / n; peaks depend on their declared start for good
    settle=lambda line: 2 * line.window + 3 * bars_to_forget(1.0 / line.window) + _forget(line, 1e-6),
)

MFI = Indicator[OscillatorLine](
    name="MFI",
    field="mfi",
    fields=("value", *_PEAKS),
    lines=lambda configuration: distinct(configuration.mfi, "mfi", 5),
    pack=_pack,
    state=_mfi_state,
    advance=advance_mfi,
    warm_up=lambda line: line.window + _forget(line, 0.5),
    settle=lambda line: line.window + 1 + _forget(line, 1e-6),
)
