"""PIP: the composite signal (spec: analysis §6, §8: D1, D2, D7, D17, D29, D30, D32).

From the other analyses of the interval, in this order:

* network      nna_signal = SQ(output; nna_alpha, nna_beta), −1 near a low, +1 near a high
* order flow   woi_signal, nes_signal = mean of the lines' filtered values; …_abs_mean its mean magnitude over `flow_window`;
               …_relative = SQ(signal / abs_mean; 1, 2). NaN, and begun anew, while a line has no value
* boundaries   boundary_below, boundary_above = distance of the nearest IVP boundaries from the close, as fraction of it;
               boundary_touch = 1 when the bar's range meets ±0.1 % around one of them
* classical    CS, F, their deltas and the cycle: `classical_signal`; contributors = how many have a value
* impulse      impulse = ΔF / mean magnitude of ΔF over `impulse_window`;  impulse_cycle = +1 from impulse > impulse_threshold
               on, −1 from impulse < −impulse_threshold on, NaN before the first
* action       +1 buy, −1 sell, 0 nothing; entry_allowed 1 when it may open a position, 0 when it may only close one

Swings are those of the SWING analysis. Let g be −1 for sense CONTRARIAN and +1 for TREND. CYCLIC: every bar of a cycle has the
action g · cycle, and may enter. IMPULSIVE: the bar on which impulse_cycle changes has the action g · impulse_cycle, and may
enter if that is the side of the cycle. So IMPULSIVE always enters with the cycle: CONTRARIAN when F recoils against it (buy
the dip of a high cycle), TREND when F accelerates along it; the opposite turn may only close. (The ancestor's IMPULSIVE read an
impulse cycle that nothing computed; its side and its entry rule, cycle ≠ impulse, are those of CONTRARIAN here.)

With woi_threshold > 0 an entry also needs action · woi_relative ≥ woi_threshold; an imbalance that is not recorded confirms
nothing. A missing bar holds everything and has no action.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from atm.analyzers.classical_signal import (
    CONTRIBUTORS,
    SIGNAL_SIZE,
    book_signal,
    contributions,
    hold_signal,
    mean_of,
    squash,
)
from atm.analyzers.contract import Floats, Indicator
from atm.analyzers.edge_gaussian import edge_gaussian
from atm.analyzers.external import NETWORK
from atm.analyzers.normalisers import bars_to_forget, mean_magnitude, relative, weight
from atm.model.analysis_configuration import (
    ActionMode,
    ActionSense,
    ClassicalSignal,
    Contribution,
    IntervalAnalyses,
)
from atm.model.bars import Column
from atm.model.errors import Invalid
from atm.model.kernel import lean_kernel

HIGH, LOW, CLOSE = int(Column.HIGH), int(Column.LOW), int(Column.CLOSE)
_TOUCH = 0.001
_PLACES = 5
"""Where the inputs behind the contributors begin: WOI, NES, network, boundaries, and their end."""
_SCALARS = 12
_LAYOUT = 4 * CONTRIBUTORS + _PLACES + _SCALARS
_READY = SIGNAL_SIZE
_NNA = _READY + 1
_WOI = _READY + 2
_NES = _READY + 5
_BOUNDARY = _READY + 8
_IMPULSE = _READY + 11
_ACTION = _READY + 13
_MEANS = _READY + 15
_HEAD = _MEANS + 6
_FIELDS = _MEANS - 2


@lean_kernel
def _network(
    state: Floats, values: Floats, row: int, alpha: float, beta: int, start: int, stop: int, out: Floats
) -> None:
    for i in range(start, stop):
        if values[CLOSE, i] == values[CLOSE, i]:
            state[_NNA] = squash(values[row, i], alpha, beta)
        out[_NNA - 2, i] = state[_NNA]


@lean_kernel
def _flow(
    state: Floats, mean: Floats, values: Floats, rows: Floats, first: int, end: int, k: float, start: int, stop: int,
    out: Floats,
) -> None:  # fmt: skip
    """Signal, mean magnitude and relative value of an order flow; NaN and begun anew while a line has no value.

    state (≥ 3,): the three as last published; mean (≥ 2,): state of the mean magnitude; out (≥ 3, n).
    """
    for i in range(start, stop):
        if values[CLOSE, i] == values[CLOSE, i]:
            x = mean_of(values, i, rows, first, end, 1.0, math.inf)
            state[0] = x
            if x == x:
                mean[0], mean[1], state[1] = mean_magnitude(mean[0], mean[1], k, x)
                q = relative(x, state[1], 0.0)
                state[2] = np.sign(q) * 2.0 / math.pi * math.atan(q * q)
            else:
                mean[0], mean[1], state[1], state[2] = 0.0, 1.0, np.nan, np.nan
        for field in range(3):
            out[field, i] = state[field]


@lean_kernel
def _boundaries(state: Floats, values: Floats, below: int, above: int, start: int, stop: int, out: Floats) -> None:
    """Distances of the nearest boundaries below and above from the close, and whether the bar touches one."""
    for i in range(start, stop):
        close, high, low = values[CLOSE, i], values[HIGH, i], values[LOW, i]
        if close == close:
            one, other = values[below, i], values[above, i]
            at_one = low < (1.0 + _TOUCH) * one and high > (1.0 - _TOUCH) * one
            at_other = low < (1.0 + _TOUCH) * other and high > (1.0 - _TOUCH) * other
            state[_BOUNDARY], state[_BOUNDARY + 1] = one / close - 1.0, other / close - 1.0
            state[_BOUNDARY + 2] = 1.0 if at_one or at_other else 0.0
        for field in range(_BOUNDARY - 2, _BOUNDARY + 1):
            out[field, i] = state[2 + field]


@lean_kernel
def _impulse(state: Floats, threshold: float, k: float) -> bool:
    """Book the change of F: impulse and impulse cycle; whether that cycle has turned."""
    delta = state[5]
    if delta != delta:
        return False
    state[_MEANS + 4], state[_MEANS + 5], mean = mean_magnitude(state[_MEANS + 4], state[_MEANS + 5], k, delta)
    impulse = relative(delta, mean, 0.0)
    state[_IMPULSE] = impulse
    if impulse > threshold and state[_IMPULSE + 1] != 1.0:
        state[_IMPULSE + 1] = 1.0
        return True
    if impulse < -threshold and state[_IMPULSE + 1] != -1.0:
        state[_IMPULSE + 1] = -1.0
        return True
    return False


@lean_kernel
def _act(state: Floats, turned: bool, impulsive: bool, sense: float, confirm: float) -> None:
    """Action and permission to enter, from the cycle, the impulse cycle (and whether it has just turned) and WOI."""
    cycle = state[6]
    side = sense * state[_IMPULSE + 1] if impulsive and turned else 0.0
    if not impulsive and cycle == cycle:
        side = sense * cycle
    allowed = side != 0.0 and (not impulsive or side == cycle)
    if confirm > 0.0:
        allowed = allowed and side * state[_WOI + 2] >= confirm
    state[_ACTION], state[_ACTION + 1] = side, 1.0 if allowed else 0.0


@lean_kernel
def _classical(
    state: Floats, values: Floats, rows: Floats, groups: Floats, scalars: Floats, gaussian: Floats,
    start: int, stop: int, out: Floats,
) -> None:  # fmt: skip
    """Classical signal, cycle, impulse and action. WOI stands in `out` already."""
    ring, beta = state[_HEAD:], int(scalars[1])
    for i in range(start, stop):
        close = values[CLOSE, i]
        if close == close:
            s, state[_READY] = contributions(values, i, rows, groups, state[0] > 0.0)
            turned = False
            if s == s:
                cs = squash(s, scalars[0], beta)
                book_signal(state, ring, gaussian, cs, close, scalars[2], scalars[3])
                turned = _impulse(state, scalars[7], scalars[11])
            else:
                hold_signal(state)
            state[_WOI + 2] = out[_WOI, i]
            _act(state, turned, scalars[4] > 0.0, scalars[5], scalars[6])
        else:
            hold_signal(state)
            state[_ACTION], state[_ACTION + 1] = 0.0, 0.0
        for field in range(_READY - 1):
            out[field, i] = state[2 + field]
        for field in range(_IMPULSE - 2, _FIELDS):
            out[field, i] = state[2 + field]


@lean_kernel
def advance_pip(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [number of inputs, their rows…, [first place, place behind, weight, scale] of the contributors (4), places (5),
    scalars (12), Gaussian…].

    Inputs: MMACDSHORT, MMACDLONG, DMIxADX, MFI, WOI, NES, network, boundaries below and above. scalars: alpha, beta, enter,
    leave, impulsive, sense, WOI threshold, impulse threshold, network's alpha and beta, weights of the means of flow and
    impulse. state [classical signal (`SIGNAL_SIZE`), the other fields as last published, mean magnitudes of WOI, NES and
    ΔF (2 each), ring…]; out as `PIP.fields`. Fields whose source is not configured have no value.
    """
    own = 1 + int(params[0])
    rows, groups = params[1:own], params[own : own + 4 * CONTRIBUTORS]
    places = own + 4 * CONTRIBUTORS
    scalars = params[places + _PLACES : own + _LAYOUT]
    woi, nes, network = int(params[places]), int(params[places + 1]), int(params[places + 2])
    boundary, end = int(params[places + 3]), int(params[places + 4])
    for field in range(_NNA, _IMPULSE):
        absent = end == boundary
        if field < _BOUNDARY:
            absent = boundary == network if field < _WOI else (nes == woi if field < _NES else network == nes)
        if absent:
            for i in range(start, stop):
                out[field - 2, i] = np.nan
    if boundary > network:
        _network(state, values, int(rows[network]), scalars[8], int(scalars[9]), start, stop, out)
    if nes > woi:
        _flow(state[_WOI:], state[_MEANS:], values, rows, woi, nes, scalars[10], start, stop, out[_WOI - 2 :])
    if network > nes:
        _flow(state[_NES:], state[_MEANS + 2 :], values, rows, nes, network, scalars[10], start, stop, out[_NES - 2 :])
    if end > boundary:
        _boundaries(state, values, int(rows[boundary]), int(rows[boundary + 1]), start, stop, out)
    _classical(state, values, rows, groups, scalars, params[own + _LAYOUT :], start, stop, out)


class Composite(msgspec.Struct, frozen=True):
    """PIP's parameters, and how many inputs each group has."""

    pip: ClassicalSignal
    sizes: tuple[int, ...]


def _input_groups(configuration: IntervalAnalyses, pip: ClassicalSignal) -> tuple[tuple[str, ...], ...]:
    legacy = pip.contribution is Contribution.LEGACY
    share = "peak_relative" if legacy else "abs_mean_relative"
    return (
        ("MMACDSHORT.0.abs_mean_relative",) if configuration.mmacd_short else (),
        ("MMACDLONG.0.abs_mean_relative",) if configuration.mmacd_long else (),
        _columns("DMIxADX", len(configuration.dmi_adx), share),
        _columns("MFI", len(configuration.mfi), share),
        _columns("WOI", len(configuration.woi), "filtered"),
        _columns("NES", len(configuration.nes), "filtered"),
        (NETWORK,) if configuration.neural_network else (),
        ("IVP.0.below_1", "IVP.0.above_1") if configuration.volume_profile else (),
    )


def _columns(name: str, lines: int, field: str) -> tuple[str, ...]:
    return tuple(f"{name}.{line}.{field}" for line in range(1, lines + 1))


def _inputs(configuration: IntervalAnalyses) -> tuple[str, ...]:
    if configuration.pip is None:
        return ()
    return tuple(name for group in _input_groups(configuration, configuration.pip) for name in group)


def _lines(configuration: IntervalAnalyses) -> tuple[Composite, ...]:
    pip = configuration.pip
    if pip is None:
        return ()
    sizes = tuple(len(group) for group in _input_groups(configuration, pip))
    if not any(size and weight for size, weight in zip(sizes, _weights(pip), strict=False)):
        raise Invalid("pip", "no contributor", "with mmacd_short, mmacd_long, dmi_adx or mfi configured and weighted")
    return (Composite(pip, sizes),)


def _weights(pip: ClassicalSignal) -> tuple[float, float, float, float]:
    return pip.mmacd_short_weight, pip.mmacd_long_weight, pip.dmi_adx_weight, pip.mfi_weight


def _pack(line: Composite) -> Floats:
    pip = line.pip
    if pip.leave_threshold > pip.enter_threshold:
        raise Invalid(
            "pip.leave_threshold", pip.leave_threshold, f"at most pip.enter_threshold ({pip.enter_threshold:g})"
        )
    impulsive = pip.action_mode is ActionMode.IMPULSIVE
    sense = 1.0 if pip.sense is ActionSense.TREND else -1.0
    scalars = [
        pip.alpha, pip.beta, pip.enter_threshold, pip.leave_threshold, impulsive, sense, pip.woi_threshold,
        pip.impulse_threshold, pip.nna_alpha, pip.nna_beta, weight(pip.flow_window), weight(pip.impulse_window),
    ]  # fmt: skip
    # the shares of the peak are percent; the ancestor's MFI lay within ±0.5
    scales = [1.0, 1.0, 0.01, 0.005] if pip.contribution is Contribution.LEGACY else [1.0] * CONTRIBUTORS
    places = np.concatenate([[0], np.cumsum(line.sizes)])
    groups = np.column_stack([places[:CONTRIBUTORS], places[1 : CONTRIBUTORS + 1], _weights(pip), scales]).ravel()
    return np.concatenate([groups, places[CONTRIBUTORS:], scalars, edge_gaussian(pip.window, pip.sigma)])


def _state(params: Floats) -> Floats:
    window = len(params) - 1 - int(params[0]) - _LAYOUT
    state = np.full(_HEAD + window, np.nan)
    state[0], state[1] = 0.0, -1.0
    state[_READY] = 0.0
    state[_ACTION : _ACTION + 2] = 0.0
    state[_MEANS:_HEAD] = np.tile([0.0, 1.0], 3)
    return state


def _later(line: Composite, remaining: float) -> int:
    """Bars behind the first F until its changes' and the flows' mean magnitudes count."""
    impulse = 1 + bars_to_forget(weight(line.pip.impulse_window), remaining)
    flows = sum(line.sizes[CONTRIBUTORS : CONTRIBUTORS + 2]) > 0
    flow = bars_to_forget(weight(line.pip.flow_window), remaining) if flows else 0
    return max(impulse, flow)


PIP = Indicator[Composite](
    name="PIP",
    field="pip",
    fields=(
        "classical_signal", "classical_delta", "filtered", "filtered_delta",
        "cycle", "cycle_updated", "cycle_index", "cycle_begin_price",
        "contributors", "nna_signal",
        "woi_signal", "woi_abs_mean", "woi_relative", "nes_signal", "nes_abs_mean", "nes_relative",
        "boundary_below", "boundary_above", "boundary_touch",
        "impulse", "impulse_cycle", "action", "entry_allowed",
    ),
    lines=_lines,
    pack=_pack,
    state=_state,
    advance=advance_pip,
    warm_up=lambda line: line.pip.window + _later(line, 0.5),
    settle=lambda line: line.pip.window + _later(line, 1e-6),
    singleton=True,
    inputs=_inputs,
)  # fmt: skip
