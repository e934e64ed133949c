"""Synthetic minutes for the tests of this folder."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    ClassicalSignal,
    MovingAverageLine,
    MultiMACD,
    ParabolicLine,
)
from atm.model.bars import N_COLUMNS, Bars, Source
from atm.model.interval import MINUTE_MS, Interval, parse_time

START_MS = parse_time("2023-08-01")

SMALL = AnalysisConfiguration.of_one(
    code="small",
    interval=Interval.M5,
    sma=(MovingAverageLine(4), MovingAverageLine(11)),
    ema=(MovingAverageLine(5),),
    bollinger=(BollingerLine(7, 2.0),),
    psar=(ParabolicLine(),),
    mmacd_short=MultiMACD(windows=(3, 5, 8), signal=4, multiplier=2, normaliser=8),
    mmacd_long=MultiMACD(windows=(3, 6), signal=3, multiplier=4, normaliser=6),
    swing_range=0.004,
    pip=ClassicalSignal(alpha=1.0, beta=2, window=6, sigma=2.0, enter_threshold=0.2, leave_threshold=0.05),
)


def changed(configuration: AnalysisConfiguration, **fields: Any) -> AnalysisConfiguration:
    """A configuration of one interval with other analyses."""
    (analyses,) = configuration.intervals
    return msgspec.structs.replace(configuration, intervals=(msgspec.structs.replace(analyses, **fields),))


def minutes(
    n: int, seed: int = 1, *, start_ms: int = START_MS, price: float = 100.0, step: float = 1e-3, missing: float = 0.0
) -> Bars:
    """A random walk of n minutes; `missing`: share of minutes that are NaN."""
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0.0, step, n)))
    opened = np.concatenate([[price], close[:-1]])
    high = np.maximum(opened, close) * (1 + random.random(n) * step)
    low = np.minimum(opened, close) * (1 - random.random(n) * step)
    values = np.vstack([opened, high, low, close, random.random((N_COLUMNS - 4, n)) * 50])
    values[:, random.random(n) < missing] = np.nan
    return of_matrix(values, start_ms)


def of_matrix(values: NDArray[np.float64], start_ms: int = START_MS) -> Bars:
    n = values.shape[1]
    return Bars(Interval.M1, start_ms + np.arange(n) * MINUTE_MS, values, np.full(n, int(Source.SAMPLE), np.uint8))


def flat(n: int, price: float) -> Bars:
    """A motionless market without volume."""
    values = np.zeros((N_COLUMNS, n))
    values[:4] = price
    return of_matrix(values)


def frame(close: NDArray[np.float64], high: NDArray[np.float64] | None = None, low: NDArray[np.float64] | None = None):  # type: ignore[no-untyped-def]
    """The `values` that a kernel gets, for minutes from START_MS on: nine bar rows, open times, numbers."""
    n = len(close)
    bar = np.zeros((N_COLUMNS, n))
    bar[0], bar[3] = close, close
    bar[1] = close if high is None else high
    bar[2] = close if low is None else low
    opens = START_MS + np.arange(n) * float(MINUTE_MS)
    return np.vstack([bar, opens, opens // MINUTE_MS])
