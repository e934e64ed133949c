"""Multi-average convergence/divergence, MMACDSHORT and MMACDLONG (spec: analysis §4.7, §7.4, defects D3, D14, D15, D37).

Averages count in blocks of `multiplier` bars that are aligned to the clock, so every session has the same blocks. Inside a
block they are those of a coarser bar whose running close is the newest close. With windows n₁ < … < n_r, seeded by simple
means:

    M = Σ (r + 1 − 2j) · E_j          line: the sum over all pairs, shorter minus longer
    G = EMA of M over S blocks        signal, seeded by the mean of its first S values
    D = M − G
    A = exponential mean of |D|, bar by bar, weight κ(normaliser · multiplier), divided by 1 − (1 − k)^age
    Q = D / A

With `legacy_signal` G is the ancestor's: κ(S)·M + (1 − κ(S))·M at the end of the block before, from S booked lines on (D3).

A and Q are published once the bars seen make up half of the weight of A: neither the huge first values nor the undocumented
factor 1/10 of the original come back. Q is 0 where A is below the resolution of the price (a motionless market).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from atm.analyzers.contract import NUMBER, Floats, Indicator
from atm.analyzers.normalisers import bars_to_forget, mean_magnitude, relative, weight
from atm.model.analysis_configuration import IntervalAnalyses, MultiMACD
from atm.model.bars import Column
from atm.model.errors import Invalid
from atm.model.kernel import lean_kernel

CLOSE = int(Column.CLOSE)
_HEAD = 15
_PARAMS = 5
_RESOLUTION = 1e-12


@lean_kernel
def _averages(
    count: float, first: float, total: float, averages: Floats, windows: Floats, close: float, out: Floats
) -> None:
    """Averages with `close` as the close of block number `count` (0 = the first block), NaN where too few blocks.

    `total` is Σ(block close − first) over the blocks before.
    """
    for j in range(len(windows)):
        n = windows[j]
        if count + 1.0 < n:
            out[j] = np.nan
        elif count + 1.0 == n:
            out[j] = first + (total + (close - first)) / n
        else:
            out[j] = averages[j] + 2.0 / (n + 1.0) * (close - averages[j])


@lean_kernel
def _line(averages: Floats) -> float:
    """Σ (r + 1 − 2j) E_j, written about the last average so that equal averages give exactly 0."""
    r = len(averages)
    line = 0.0
    for j in range(r - 1):
        line += (r - 1 - 2 * j) * (averages[j] - averages[r - 1])
    return line


@lean_kernel
def _signal(count: float, total: float, signal: float, line: float, window: float) -> float:
    """Signal with `line` as value number `count` (0 = the first), NaN where too few."""
    if count + 1.0 < window:
        return np.nan
    if count + 1.0 == window:
        return (total + line) / window
    return signal + 2.0 / (window + 1.0) * (line - signal)


@lean_kernel
def _close_block(state: Floats, windows: Floats, signal_window: float, scratch: Floats) -> None:
    """Book the running block's last close: averages, line and signal take the step that has been provisional so far."""
    close = state[1]
    averages = state[_HEAD : _HEAD + len(windows)]
    _averages(state[2], state[3], state[4], averages, windows, close, scratch)
    for j in range(len(averages)):
        averages[j] = scratch[j]
    state[4] += close - state[3]
    state[2] += 1.0
    line = _line(averages)
    if line == line:
        state[7] = _signal(state[5], state[6], state[7], line, signal_window)
        state[6] += line
        state[5] += 1.0
        state[14] = line
    state[1] = np.nan


@lean_kernel
def advance_mmacd(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [r, signal window, bars per block, normaliser weight, legacy, windows…]; a missing bar holds everything.

    state [block number (NaN before the first bar), close of the running block (NaN = none yet), blocks closed, first close,
    Σ(block close − first), lines booked, Σ line, signal, exponential sum of |D|, weight not yet seen, mmacd, signal out,
    A, Q, line at the end of the block before, averages…, scratch…].
    """
    r, signal_window, per_block, k, legacy = int(params[0]), params[1], params[2], params[3], params[4] > 0.0
    windows = params[_PARAMS : _PARAMS + r]
    averages, scratch = state[_HEAD : _HEAD + r], state[_HEAD + r : _HEAD + 2 * r]
    for i in range(start, stop):
        block = np.floor(values[NUMBER, i] / per_block)
        if block != state[0]:
            if state[1] == state[1]:
                _close_block(state, windows, signal_window, scratch)
            state[0] = block
        close = values[CLOSE, i]
        if close == close:
            if state[3] != state[3]:
                state[3] = close
            state[1] = close
            _averages(state[2], state[3], state[4], averages, windows, close, scratch)
            line = _line(scratch)
            state[10] = line
            if line == line:
                if legacy:
                    step = 2.0 / (signal_window + 1.0) * (line - state[14])
                    state[11] = state[14] + step if state[5] >= signal_window else np.nan
                else:
                    state[11] = _signal(state[5], state[6], state[7], line, signal_window)
            difference = state[10] - state[11]
            if difference == difference:
                state[8], state[9], state[12] = mean_magnitude(state[8], state[9], k, difference)
                state[13] = relative(difference, state[12], _RESOLUTION * close)
        out[0, i], out[1, i], out[2, i] = state[10], state[11], state[10] - state[11]
        out[3, i], out[4, i] = state[12], state[13]


def _pack(line: MultiMACD, field: str) -> Floats:
    windows = sorted(line.windows)
    if len(set(windows)) != len(windows):
        raise Invalid(f"{field}.windows", line.windows, "distinct windows")
    k = weight(line.normaliser * line.multiplier)
    return np.array([len(windows), line.signal, line.multiplier, k, line.legacy_signal, *windows])


def _state(params: Floats) -> Floats:
    state = np.full(_HEAD + 2 * int(params[0]), np.nan)
    state[[2, 4, 5, 6, 8]] = 0.0
    state[9] = 1.0
    return state


def _first_difference(line: MultiMACD) -> int:
    """Bars until M − G has its first value, blocks counted in full."""
    return (max(line.windows) + line.signal - 2) * line.multiplier + 1


def _warm_up(line: MultiMACD) -> int:
    return _first_difference(line) - 1 + bars_to_forget(weight(line.normaliser * line.multiplier), 0.5)


def _settle(line: MultiMACD) -> int:
    blocks = bars_to_forget(weight(max(line.windows))) + bars_to_forget(weight(line.signal))
    return (
        _first_difference(line) + blocks * line.multiplier + bars_to_forget(weight(line.normaliser * line.multiplier))
    )


def _lines(configuration: IntervalAnalyses, field: Literal["mmacd_short", "mmacd_long"]) -> tuple[MultiMACD, ...]:
    line = configuration.mmacd_short if field == "mmacd_short" else configuration.mmacd_long
    return () if line is None else (line,)


def _indicator(name: str, field: Literal["mmacd_short", "mmacd_long"]) -> Indicator[MultiMACD]:
    return Indicator[MultiMACD](
        name=name,
        field=field,
        fields=("mmacd", "signal", "delta", "abs_mean", "abs_mean_relative"),
        lines=partial(_lines, field=field),
        pack=partial(_pack, field=field),
        state=_state,
        advance=advance_mmacd,
        warm_up=_warm_up,
        settle=_settle,
        singleton=True,
    )


MMACDSHORT = _indicator("MMACDSHORT", "mmacd_short")
MMACDLONG = _indicator("MMACDLONG", "mmacd_long")
