"""Compiles every kernel of this package with the types it is called with, so that no user waits for the compiler later.

The C entries of lines, for backtests that decide at every minute, are left to the first of those: about a second each, once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from atm.analyzers.aggregate import PARTIAL, aggregate, aggregate_flow, fold, fold_flow, mean_flow
from atm.analyzers.contract import CLOCK_ROWS
from atm.analyzers.every_minute import unfold, unfold_flow
from atm.analyzers.pipeline import AnalysisPipeline
from atm.model.analysis_configuration import (
    AnalysisConfiguration,
    BollingerLine,
    ClassicalSignal,
    IntervalAnalyses,
    MeanReturnLine,
    MovingAverageLine,
    MultiMACD,
    NetworkSignal,
    OrderFlowLine,
    OscillatorLine,
    ParabolicLine,
    VolumeLine,
    VolumeProfile,
)
from atm.model.bars import N_COLUMNS
from atm.model.fingerprint import fingerprint
from atm.model.interval import MINUTE_MS

EVERYTHING = AnalysisConfiguration(
    "everything",
    (
        IntervalAnalyses(
            sma=(MovingAverageLine(),),
            ema=(MovingAverageLine(),),
            bollinger=(BollingerLine(),),
            psar=(ParabolicLine(),),
            mmacd_short=MultiMACD(),
            mmacd_long=MultiMACD(multiplier=48),
            pip=ClassicalSignal(),
            wma=(MovingAverageLine(),),
            volume=(VolumeLine(),),
            volume_profile=VolumeProfile(),
            dmi_adx=(OscillatorLine(),),
            mfi=(OscillatorLine(),),
            woi=(OrderFlowLine(),),
            nes=(OrderFlowLine(),),
            mean_return=(MeanReturnLine(),),
            neural_network=NetworkSignal("none"),
        ),
    ),
)
"""One line of every analysis at its defaults."""


def warm_up(progress: Callable[[str], None]) -> None:
    """Compile (or load from the disk cache) all kernels; `progress` is told the name of each before it is compiled."""
    progress("interval bars")
    minutes = np.ones((N_COLUMNS, 2))
    partial, edges = np.full(PARTIAL, np.nan), np.array([0, MINUTE_MS, 2 * MINUTE_MS])
    bar, frame = partial[:N_COLUMNS], np.empty((N_COLUMNS, 2))
    fold(bar, minutes, 0)
    aggregate(bar, 0, minutes, edges, frame)
    fold_flow(partial, 1.0, 1.0)
    mean_flow(partial)
    aggregate_flow(partial, 0, minutes[0], minutes[1], edges, frame[0])
    unfold(bar, 0, minutes, edges, frame, np.zeros(2, np.int64))
    unfold_flow(partial, 0, minutes[0], minutes[1], edges, frame[0])
    fingerprint(np.ones(8))
    pipeline = AnalysisPipeline(EVERYTHING)
    frame = np.full((len(pipeline.columns) + CLOCK_ROWS, 1), np.nan)
    for line in pipeline.lines:
        progress(line.name)
        line.advance(line.params, line.fresh.copy(), frame, 0, 1, frame[line.rows])
