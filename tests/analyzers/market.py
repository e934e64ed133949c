"""Synthetic minutes for the tests of this folder."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    Average,
    BollingerLine,
    ClassicalSignal,
    MeanReturnLine,
    MovingAverageLine,
    MultiMACD,
    NetworkSignal,
    OrderFlowLine,
    OscillatorLine,
    ParabolicLine,
    VolumeLine,
    VolumeProfile,
    VolumeType,
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
    woi=(OrderFlowLine(4, 1.0, 10),),
    pip=ClassicalSignal(
        alpha=1.0,
        beta=2,
        window=6,
        sigma=2.0,
        enter_threshold=0.2,
        leave_threshold=0.05,
        impulse_window=12,
        flow_window=10,
    ),
)

FULL = AnalysisConfiguration.of_one(
    code="full",
    interval=Interval.M1,
    sma=(MovingAverageLine(4), MovingAverageLine(11)),
    wma=(MovingAverageLine(4), MovingAverageLine(11)),
    ema=(MovingAverageLine(5),),
    bollinger=(BollingerLine(7), BollingerLine(7, 1.5, Average.WMA), BollingerLine(6, 2.0, Average.EMA)),
    psar=(ParabolicLine(),),
    volume=(VolumeLine(6), VolumeLine(5, VolumeType.QUOTE, Average.WMA), VolumeLine(4, VolumeType.BASETB, Average.EMA)),
    volume_profile=VolumeProfile(window=20, gamma=0.02, bins=256, prominence=0.05, distance=1, search_every=3),
    mmacd_short=SMALL.intervals[0].mmacd_short,
    mmacd_long=SMALL.intervals[0].mmacd_long,
    dmi_adx=(OscillatorLine(4, 12), OscillatorLine(6, 20, peak_since_ms=START_MS + 90 * MINUTE_MS)),
    mfi=(OscillatorLine(5, 15),),
    woi=(OrderFlowLine(4, 1.0, 10), OrderFlowLine(5, 1.5, 12)),
    nes=(OrderFlowLine(4, 1.0, 10),),
    mean_return=(MeanReturnLine(5, 12, 4),),
    swing_range=0.004,
    neural_network=NetworkSignal("test"),
    pip=SMALL.intervals[0].pip,
)
"""Every analysis with short windows, on one-minute bars."""


class Tendency:
    """A network in a formula: which way close and average went from the last bar but one, in [−1, 1]."""

    inputs = ("KLINE.0.close", "SMA.1.value")
    window = 3
    fingerprint = "tendency"

    def outputs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        before, now = values[:, :-2], values[:, 2:]
        moved = np.tanh(100.0 * (now - before) / (np.abs(now) + np.abs(before) + 1e-9))
        return 0.5 * (moved[0] + moved[1])


NETWORKS = {"test": Tendency()}


def flow(open_times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Order flow by the number of the minute; every 13th was not recorded, every 17th for a quarter of the minute only."""
    number = open_times // MINUTE_MS
    values = np.vstack([np.sin(1.7 * number) * (1 + np.sin(0.01 * number)) / 2, np.where(number % 17, 1.0, 0.25)])
    values[:, number % 13 == 0] = np.nan
    return values


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
    times = start_ms + np.arange(n) * MINUTE_MS
    return Bars(Interval.M1, times, values, np.full(n, int(Source.SAMPLE), np.uint8), flow(times))


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
