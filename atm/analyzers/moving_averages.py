"""Moving averages of closes and of volumes: SMA, WMA, EMA, VOL (spec: analysis §4.1 … §4.3, §4.6, §7.3, §7.4).

Missing bars. A simple or weighted mean is that of the values present among the last n bars, as long as at least half of them
are; below that the last value is held. (§7.3 holds the value for n bars after every hole, which leaves it stale and
unmarked, defect L5; a shrunk window is that defect's second resolution, and keeps the look-back exactly n bars.) The weights
of a weighted mean stay those of the bars' places. An exponential mean holds over a missing bar and goes on with the next.

Sums run over a ring buffer and carry their rounding errors along, so they do not drift (D36): neither over millions
of bars nor after a spike that was a million times larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.analyzers.lines import distinct
from atm.analyzers.normalisers import bars_to_forget, weight
from atm.model.analysis_configuration import Average, IntervalAnalyses, MovingAverageLine, VolumeLine, VolumeType
from atm.model.bars import Column
from atm.model.kernel import lean_kernel

CLOSE = int(Column.CLOSE)
KINDS = (Average.SMA, Average.WMA, Average.EMA)
_SMA, _WMA, _EMA = range(3)
_SMA_HEAD = 6
_WMA_HEAD = 9
_EMA_HEAD = 4
_VOLUME_ROW = {
    VolumeType.BASE: Column.VOLUME,
    VolumeType.QUOTE: Column.QUOTE_VOLUME,
    VolumeType.BASETB: Column.TAKER_BUY_VOLUME,
    VolumeType.QUOTETB: Column.TAKER_BUY_QUOTE_VOLUME,
}


@lean_kernel
def add_exactly(high: float, low: float, value: float) -> tuple[float, float]:
    """high + low + value as a sum and the sum of the roundings so far (Knuth's two-sum, Neumaier's compensation)."""
    total = high + value
    part = total - high
    return total, low + ((high - (total - part)) + (value - part))


@lean_kernel
def add_double(high: float, low: float, value: float) -> tuple[float, float]:
    """The same as a double-double: the roundings never grow beyond the last digit of the sum. Slower."""
    total, low = add_exactly(high, low, value)
    high = total + low
    return high, low - (high - total)


@lean_kernel
def product_error(a: float, b: float) -> float:
    """a · b minus its rounded value, exactly (Dekker's product, Veltkamp's split)."""
    t = 134_217_729.0 * a
    a1 = t - (t - a)
    t = 134_217_729.0 * b
    b1 = t - (t - b)
    a2, b2 = a - a1, b - b1
    return ((a1 * b1 - a * b) + a1 * b2 + a2 * b1) + a2 * b2


@lean_kernel
def simple_mean(series: Floats, n: int, state: Floats, start: int, stop: int, result: Floats) -> None:
    """state [sum, its error, bars seen, values present, ring position, mean, ring…]."""
    high, low, seen, present, at, value = state[0], state[1], int(state[2]), int(state[3]), int(state[4]), state[5]
    ring = state[_SMA_HEAD:]
    for i in range(start, stop):
        x = series[i]
        expired = ring[at]
        ring[at] = x
        at = at + 1 if at + 1 < n else 0
        if expired == expired:
            high, low = add_exactly(high, low, -expired)
            present -= 1
        if x == x:
            high, low = add_exactly(high, low, x)
            present += 1
        if seen < n and (seen > 0 or x == x):
            seen += 1
        if present == 0:
            high, low = 0.0, 0.0
        if seen == n and 2 * present >= n:
            value = (high + low) / present
        result[i] = value
    state[0], state[1], state[2], state[3], state[4], state[5] = high, low, seen, present, at, value


@lean_kernel
def weighted_mean(series: Floats, n: int, state: Floats, start: int, stop: int, result: Floats) -> None:
    """Newest value with weight n, oldest with 1: each bar takes the plain sum off the weighted one and adds n · value.

    state [sum, its error, weighted sum, its error, sum of weights, bars seen, values present, ring position, mean, ring…].
    """
    s1, e1, s2, e2, weights = state[0], state[1], state[2], state[3], state[4]
    seen, present, at, value = int(state[5]), int(state[6]), int(state[7]), state[8]
    ring = state[_WMA_HEAD:]
    for i in range(start, stop):
        x = series[i]
        expired = ring[at]
        ring[at] = x
        at = at + 1 if at + 1 < n else 0
        s2, e2 = add_double(s2, e2 - e1, -s1)
        weights -= present
        if expired == expired:
            s1, e1 = add_double(s1, e1, -expired)
            present -= 1
        if x == x:
            s1, e1 = add_double(s1, e1, x)
            s2, e2 = add_double(s2, e2 + product_error(n, x), n * x)
            weights += n
            present += 1
        if seen < n and (seen > 0 or x == x):
            seen += 1
        if present == 0:
            s1, e1, s2, e2, weights = 0.0, 0.0, 0.0, 0.0, 0.0
        if seen == n and 2 * present >= n:
            value = (s2 + e2) / weights
        result[i] = value
    state[0], state[1], state[2], state[3], state[4] = s1, e1, s2, e2, weights
    state[5], state[6], state[7], state[8] = seen, present, at, value


@lean_kernel
def exponential_mean(series: Floats, n: int, k: float, state: Floats, start: int, stop: int, result: Floats) -> None:
    """state [first value, Σ(value − first), values seen, mean]. Seeded by the mean of n values.

    Sums run about the first value, and steps towards the value, so that a motionless market gives exactly its price.
    """
    first, total, seen, value = state[0], state[1], int(state[2]), state[3]
    for i in range(start, stop):
        x = series[i]
        if x == x:
            if seen < n:
                if seen == 0:
                    first = x
                total += x - first
                seen += 1
                if seen == n:
                    value = first + total / n
            else:
                value += k * (x - value)
        result[i] = value
    state[0], state[1], state[2], state[3] = first, total, seen, value


@lean_kernel
def average(
    kind: float, n: int, k: float, series: Floats, state: Floats, start: int, stop: int, result: Floats
) -> None:
    """The average of `KINDS[kind]`; k is the weight of an exponential one."""
    if kind == _SMA:
        simple_mean(series, n, state, start, stop, result)
    elif kind == _WMA:
        weighted_mean(series, n, state, start, stop, result)
    else:
        exponential_mean(series, n, k, state, start, stop, result)


@lean_kernel
def advance_average(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [kind, n, k, row of `values`]; out [value]."""
    average(params[0], int(params[1]), params[2], values[int(params[3])], state, start, stop, out[0])


def fresh_average(kind: Average, window: int) -> Floats:
    """State of an average before the first bar."""
    if kind is Average.EMA:
        return np.array([np.nan, 0.0, 0.0, np.nan])
    head = _SMA_HEAD if kind is Average.SMA else _WMA_HEAD
    state = np.full(head + window, np.nan)
    state[: head - 1] = 0.0
    return state


def settle_average(kind: Average, window: int) -> int:
    """Bars after which an average has forgotten its start."""
    return window + bars_to_forget(weight(window)) if kind is Average.EMA else window


def pack_average(kind: Average, window: int, row: Column) -> Floats:
    return np.array([KINDS.index(kind), window, weight(window), row], np.float64)


def _state(params: Floats) -> Floats:
    return fresh_average(KINDS[int(params[0])], int(params[1]))


def _indicator(
    name: str, kind: Average, lines: Callable[[IntervalAnalyses], Sequence[MovingAverageLine]]
) -> Indicator[MovingAverageLine]:
    return Indicator[MovingAverageLine](
        name=name,
        field=name.lower(),
        fields=("value",),
        lines=lines,
        pack=lambda line: pack_average(kind, line.window, Column.CLOSE),
        state=_state,
        advance=advance_average,
        warm_up=lambda line: line.window,
        settle=lambda line: settle_average(kind, line.window),
    )


SMA = _indicator("SMA", Average.SMA, lambda configuration: distinct(configuration.sma, "sma", 10))
WMA = _indicator("WMA", Average.WMA, lambda configuration: distinct(configuration.wma, "wma", 10))
EMA = _indicator("EMA", Average.EMA, lambda configuration: distinct(configuration.ema, "ema", 10))

VOL = Indicator[VolumeLine](
    name="VOL",
    field="volume",
    fields=("value",),
    lines=lambda configuration: distinct(configuration.volume, "volume", 5),
    pack=lambda line: pack_average(line.average, line.window, _VOLUME_ROW[line.volume_type]),
    state=_state,
    advance=advance_average,
    warm_up=lambda line: line.window,
    settle=lambda line: settle_average(line.average, line.window),
)
