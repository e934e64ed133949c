"""Simple and exponential moving averages and Bollinger bands of closes (spec: analysis §4.1, §4.3, §4.5, §7.3, §7.4).

Missing bars. A simple mean and a band are those of the closes that are present among the last n bars, as long as at least
half of them are; below that the last value is held. (§7.3 holds the value for n bars after every hole, which leaves it
stale and unmarked, defect L5; a shrunk window is that defect's second resolution, and keeps the look-back exactly n bars.)
An exponential average holds over a missing bar and goes on with the next close.

Sums run over a ring buffer and carry their rounding errors along (Neumaier), so they do not drift.
"""

from __future__ import annotations

import math

import numpy as np

from atm.analyzers.contract import FORGOTTEN, Floats, Indicator
from atm.model.analysis_configuration import BollingerLine, MovingAverageLine
from atm.model.bars import Column
from atm.model.kernel import kernel

CLOSE = int(Column.CLOSE)
_SMA_HEAD = 6
_BOL_HEAD = 12
_CANCELLATION = 1e-6


@kernel
def add_exactly(high: float, low: float, value: float) -> tuple[float, float]:
    """high + low + value as a sum and the sum of the roundings so far (Knuth's two-sum, Neumaier's compensation)."""
    total = high + value
    part = total - high
    return total, low + ((high - (total - part)) + (value - part))


@kernel
def advance_sma(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n]; state [sum, its error, bars seen, closes present, ring position, value, ring…]; out [value]."""
    n = int(params[0])
    high, low, seen, present, at, value = state[0], state[1], int(state[2]), int(state[3]), int(state[4]), state[5]
    ring = state[_SMA_HEAD:]
    for i in range(start, stop):
        close = values[CLOSE, i]
        expired = ring[at]
        ring[at] = close
        at = at + 1 if at + 1 < n else 0
        if expired == expired:
            high, low = add_exactly(high, low, -expired)
            present -= 1
        if close == close:
            high, low = add_exactly(high, low, close)
            present += 1
        if seen < n and (seen > 0 or close == close):
            seen += 1
        if present == 0:
            high, low = 0.0, 0.0
        if seen == n and 2 * present >= n:
            value = (high + low) / present
        out[0, i] = value
    state[0], state[1], state[2], state[3], state[4], state[5] = high, low, seen, present, at, value


@kernel
def advance_ema(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, k]; state [first close, Σ(close − first), closes seen, value]; out [value]. Seeded by the mean of n closes.

    Sums run about the first close, and steps towards the close, so that a motionless market gives exactly its price.
    """
    n, k = int(params[0]), params[1]
    first, total, seen, value = state[0], state[1], int(state[2]), state[3]
    for i in range(start, stop):
        close = values[CLOSE, i]
        if close == close:
            if seen < n:
                if seen == 0:
                    first = close
                total += close - first
                seen += 1
                if seen == n:
                    value = first + total / n
            else:
                value += k * (close - value)
        out[0, i] = value
    state[0], state[1], state[2], state[3] = first, total, seen, value


@kernel
def _sum_about(reference: float, ring: Floats) -> tuple[float, float]:
    """Σ(x − reference) and Σ(x − reference)² over the present values of the ring."""
    first, second = 0.0, 0.0
    for x in ring:
        if x == x:
            first += x - reference
            second += (x - reference) * (x - reference)
    return first, second


@kernel
def advance_bollinger(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [n, width]; out [lower, middle, upper] = mean ∓ width · population standard deviation.

    state [reference, Σd, error, Σd², error, bars seen, closes present, ring position, lower, middle, upper, last close,
    ring…], d = close − reference. When the variance is a millionth of the mean square of d or less, its digits have
    cancelled: then the last close becomes the reference and the sums are taken anew. That happens when the price has
    moved a thousand deviations away, so the cost per bar stays constant.
    """
    n, width = int(params[0]), params[1]
    reference, s1, e1, s2, e2 = state[0], state[1], state[2], state[3], state[4]
    seen, present, at = int(state[5]), int(state[6]), int(state[7])
    lower, middle, upper, last = state[8], state[9], state[10], state[11]
    ring = state[_BOL_HEAD:]
    for i in range(start, stop):
        close = values[CLOSE, i]
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
            middle = reference + mean
            deviation = width * math.sqrt(max(variance, 0.0))
            lower, upper = middle - deviation, middle + deviation
        out[0, i], out[1, i], out[2, i] = lower, middle, upper
    state[0], state[1], state[2], state[3], state[4] = reference, s1, e1, s2, e2
    state[5], state[6], state[7] = seen, present, at
    state[8], state[9], state[10], state[11] = lower, middle, upper, last


def weight(window: float) -> float:
    """κ(n) = 2 / (n + 1), the weight of the newest value in an n-bar exponential average."""
    return 2.0 / (window + 1.0)


def bars_to_forget(k: float, remaining: float = FORGOTTEN) -> int:
    """Steps after which a start weighs at most `remaining` in an exponential average of weight k."""
    return 0 if k >= 1.0 else math.ceil(math.log(remaining) / math.log1p(-k))


def _sma_state(params: Floats) -> Floats:
    state = np.full(_SMA_HEAD + int(params[0]), np.nan)
    state[:5] = 0.0
    return state


def _bollinger_state(params: Floats) -> Floats:
    state = np.full(_BOL_HEAD + int(params[0]), np.nan)
    state[:8] = 0.0
    return state


SMA = Indicator[MovingAverageLine](
    name="SMA",
    fields=("value",),
    lines=lambda configuration: configuration.sma,
    pack=lambda line: np.array([line.window], np.float64),
    state=_sma_state,
    advance=advance_sma,
    warm_up=lambda line: line.window,
    settle=lambda line: line.window,
)

EMA = Indicator[MovingAverageLine](
    name="EMA",
    fields=("value",),
    lines=lambda configuration: configuration.ema,
    pack=lambda line: np.array([line.window, weight(line.window)]),
    state=lambda _params: np.array([np.nan, 0.0, 0.0, np.nan]),
    advance=advance_ema,
    warm_up=lambda line: line.window,
    settle=lambda line: line.window + bars_to_forget(weight(line.window)),
)

BOL = Indicator[BollingerLine](
    name="BOL",
    fields=("lower", "middle", "upper"),
    lines=lambda configuration: configuration.bollinger,
    pack=lambda line: np.array([line.window, line.width]),
    state=_bollinger_state,
    advance=advance_bollinger,
    warm_up=lambda line: line.window,
    settle=lambda line: line.window,
)
