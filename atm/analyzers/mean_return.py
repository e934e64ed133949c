"""TPD: mean trailing return, smoothed (spec: analysis §7.8; the ancestor called it temporal probability distribution).

    r = C / C[V bars ago] − 1;  mean_return = mean of the last n values of r;  value = exponential mean of it, seeded simply
    (A, Q) = mean magnitude of value over ten smoothing windows, and value over it

A return without both closes is missing. The mean is that of the returns present as long as they are half of n; below that, and on
a missing bar, everything is held.
"""

from __future__ import annotations

import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.analyzers.lines import distinct
from atm.analyzers.moving_averages import CLOSE, add_exactly
from atm.analyzers.normalisers import bars_to_forget, mean_magnitude, relative, weight
from atm.model.analysis_configuration import MeanReturnLine
from atm.model.kernel import lean_kernel

_HEAD = 14
_RESOLUTION = 1e-15


@lean_kernel
def _smooth(state: Floats, n: float, k: float, k_mean: float, mean: float) -> None:
    """Book one mean return: smoothing and normaliser, see `advance_mean_return`."""
    if state[6] < n:
        state[7] += mean
        state[6] += 1.0
        if state[6] < n:
            return
        state[11] = state[7] / n
    else:
        state[11] += k * (mean - state[11])
    state[8], state[9], state[12] = mean_magnitude(state[8], state[9], k_mean, state[11])
    state[13] = relative(state[11], state[12], _RESOLUTION)


@lean_kernel
def advance_mean_return(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [V, n, smoothing window, its weight, normaliser weight]; out as `TPD.fields`.

    state [bars seen, ring positions of closes and returns, Σr, its error, returns present, means seen, Σ means, normaliser
    (2), mean return, value, A, Q, closes…, returns…].
    """
    horizon, n = int(params[0]), int(params[1])
    closes, returns = state[_HEAD : _HEAD + horizon], state[_HEAD + horizon :]
    seen, at, to = int(state[0]), int(state[1]), int(state[2])
    high, low, present = state[3], state[4], int(state[5])
    for i in range(start, stop):
        close = values[CLOSE, i]
        change = close / closes[at] - 1.0 if closes[at] > 0.0 else np.nan
        closes[at] = close
        at = at + 1 if at + 1 < horizon else 0
        expired = returns[to]
        returns[to] = change
        to = to + 1 if to + 1 < n else 0
        if expired == expired:
            high, low = add_exactly(high, low, -expired)
            present -= 1
        if change == change:
            high, low = add_exactly(high, low, change)
            present += 1
        if present == 0:
            high, low = 0.0, 0.0
        if seen < horizon + n and (seen > 0 or close == close):
            seen += 1
        if seen == horizon + n and 2 * present >= n and close == close:
            state[10] = (high + low) / present
            _smooth(state, params[2], params[3], params[4], state[10])
        for field in range(4):
            out[field, i] = state[10 + field]
    state[0], state[1], state[2], state[3], state[4], state[5] = seen, at, to, high, low, present


def _pack(line: MeanReturnLine) -> Floats:
    smoothing = line.smoothing
    return np.array([line.horizon, line.window, smoothing, weight(smoothing), weight(10 * smoothing)])


def _state(params: Floats) -> Floats:
    state = np.full(_HEAD + int(params[0]) + int(params[1]), np.nan)
    state[:9] = 0.0
    state[9] = 1.0
    return state


def _start(line: MeanReturnLine) -> int:
    return line.horizon + line.window + line.smoothing - 1


TPD = Indicator[MeanReturnLine](
    name="TPD",
    field="mean_return",
    fields=("mean_return", "value", "abs_mean", "abs_mean_relative"),
    lines=lambda configuration: distinct(configuration.mean_return, "mean_return", 10),
    pack=_pack,
    state=_state,
    advance=advance_mean_return,
    warm_up=lambda line: _start(line) - 1 + max(1, bars_to_forget(weight(10 * line.smoothing), 0.5)),
    settle=lambda line: (
        _start(line) + bars_to_forget(weight(line.smoothing)) + bars_to_forget(weight(10 * line.smoothing))
    ),
)
