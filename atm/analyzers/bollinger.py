"""Bollinger bands of closes around a simple, weighted or exponential mean (spec: analysis §4.5, §7.3, D34).

The band is the middle ∓ width · population standard deviation of the window about its own mean, whatever the middle is. (The
ancestor took the root mean square about the middle, which is wider and no standard deviation, unless the middle is the
simple mean.) Missing closes count as in `moving_averages`.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.analyzers.lines import distinct
from atm.analyzers.moving_averages import CLOSE, KINDS, add_exactly, average, fresh_average, settle_average
from atm.analyzers.normalisers import weight
from atm.model.analysis_configuration import Average, BollingerLine
from atm.model.kernel import lean_kernel

_HEAD = 11
_CANCELLATION = 1e-6


@lean_kernel
def _sum_about(reference: float, ring: Floats) -> tuple[float, float]:
    """Σ(x − reference) and Σ(x − reference)² over the present values of the ring."""
    first, second = 0.0, 0.0
    for x in ring:
        if x == x:
            first += x - reference
            second += (x - reference) * (x - reference)
    return first, second


@lean_kernel
def _moments(n: int, closes: Floats, state: Floats, start: int, stop: int, mean_out: Floats, sd_out: Floats) -> None:
    """Mean and population standard deviation of the window.

    state [reference, Σd, error, Σd², error, bars seen, closes present, ring position, mean, deviation, last close, ring…],
    d = close − reference. When the variance is a millionth of the mean square of d or less, its digits have cancelled:
    then the last close becomes the reference and the sums are taken anew. That happens when the price has moved a thousand
    deviations away, so the cost per bar stays constant.
    """
    reference, s1, e1, s2, e2 = state[0], state[1], state[2], state[3], state[4]
    seen, present, at = int(state[5]), int(state[6]), int(state[7])
    middle, deviation, last = state[8], state[9], state[10]
    ring = state[_HEAD : _HEAD + n]
    for i in range(start, stop):
        close = closes[i]
        expired = ring[at]
        ring[at] = close
        at = at + 1 if at + 1 < n else 0
        if expired == expired:
            d = expired - reference
            s1, e1 = add_exactly(s1, e1, -d)
            s2, e2 = add_exactly(s2, e2, -(d * d))
            present -= 1
        if close == close:
            if present == 0:
                reference, s1, e1, s2, e2 = close, 0.0, 0.0, 0.0, 0.0
            d = close - reference
            s1, e1 = add_exactly(s1, e1, d)
            s2, e2 = add_exactly(s2, e2, d * d)
            present += 1
            last = close
        if seen < n and (seen > 0 or close == close):
            seen += 1
        if seen == n and 2 * present >= n:
            mean, square = (s1 + e1) / present, (s2 + e2) / present
            variance = square - mean * mean
            if variance <= _CANCELLATION * square and square > 0.0:
                reference, e1, e2 = last, 0.0, 0.0
                s1, s2 = _sum_about(reference, ring)
                mean = s1 / present
                variance = s2 / present - mean * mean
            middle, deviation = reference + mean, math.sqrt(max(variance, 0.0))
        mean_out[i], sd_out[i] = middle, deviation
    state[0], state[1], state[2], state[3], state[4] = reference, s1, e1, s2, e2
    state[5], state[6], state[7] = seen, present, at
    state[8], state[9], state[10] = middle, deviation, last


@lean_kernel
def advance_bollinger(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [kind, n, k, width]; out [lower, middle, upper]. state: that of the moments, then that of the middle."""
    n = int(params[1])
    closes, lower, middle, upper = values[CLOSE], out[0], out[1], out[2]
    _moments(n, closes, state, start, stop, middle, lower)
    if params[0] > 0.0:
        average(params[0], n, params[2], closes, state[_HEAD + n :], start, stop, middle)
    for i in range(start, stop):
        band = params[3] * lower[i]
        lower[i], upper[i] = middle[i] - band, middle[i] + band


def _state(params: Floats) -> Floats:
    kind, n = KINDS[int(params[0])], int(params[1])
    moments = np.full(_HEAD + n, np.nan)
    moments[:8] = 0.0
    return moments if kind is Average.SMA else np.concatenate([moments, fresh_average(kind, n)])


BOL = Indicator[BollingerLine](
    name="BOL",
    field="bollinger",
    fields=("lower", "middle", "upper"),
    lines=lambda configuration: distinct(configuration.bollinger, "bollinger", 10),
    pack=lambda line: np.array([KINDS.index(line.average), line.window, weight(line.window), line.width]),
    state=_state,
    advance=advance_bollinger,
    warm_up=lambda line: line.window,
    settle=lambda line: settle_average(line.average, line.window),
)
