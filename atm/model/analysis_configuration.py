"""Analysis configurations: which analyses run on a symbol, with which parameters (spec: analysis §3).

Every number carries its bounds, from which forms, validation and documentation are made. Windows are counted in bars
of `interval`. A tuple of lines may be empty: then the analysis is off.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

from atm.model.interval import Interval

Window = Annotated[int, msgspec.Meta(ge=2, le=10_000, description="window length in bars")]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]


class MovingAverageLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    window: Window = 10


class BollingerLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    window: Window = 20
    width: Annotated[float, msgspec.Meta(gt=0, le=10, description="band width in standard deviations")] = 2.0


class ParabolicLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parabolic stop and reverse: acceleration start, step and maximum."""

    start: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.02
    step: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.02
    maximum: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2


class MultiMACD(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Multi-average convergence/divergence. Windows in blocks of `multiplier` bars, at least two distinct averages.

    signal: window of the signal average; normaliser: window of the mean magnitude that the difference is divided by;
    both in blocks.
    """

    windows: Annotated[tuple[Window, ...], msgspec.Meta(min_length=2, max_length=6)] = (20, 40, 60)
    signal: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    multiplier: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 12
    normaliser: Window = 60


class ActionMode(Enum):
    CYCLIC = "CYCLIC"


class ClassicalSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PIP: the classical signal, its edge-Gaussian filter and its cycle with hysteresis (analysis §6, D17).

    alpha, beta: scale and exponent of the squash; window, sigma: the edge Gaussian in bars; enter_threshold and
    leave_threshold: |F| that begins a cycle of the other side, and below which the present one is left
    (leave <= enter; both 0 flips on every change of sign).
    """

    alpha: Annotated[float, msgspec.Meta(gt=0, le=10)] = 2.0
    beta: Annotated[int, msgspec.Meta(ge=1, le=20)] = 2
    window: Annotated[int, msgspec.Meta(ge=2, le=500)] = 10
    sigma: Annotated[float, msgspec.Meta(gt=0, le=100)] = 3.5
    enter_threshold: Annotated[float, msgspec.Meta(ge=0, le=0.95)] = 0.0
    leave_threshold: Annotated[float, msgspec.Meta(ge=0, le=0.95)] = 0.0
    action_mode: ActionMode = ActionMode.CYCLIC


class AnalysisConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All analyses of one symbol on one interval, derived from one-minute bars."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    interval: Interval = Interval.M15
    sma: tuple[MovingAverageLine, ...] = ()
    ema: tuple[MovingAverageLine, ...] = ()
    bollinger: tuple[BollingerLine, ...] = ()
    psar: tuple[ParabolicLine, ...] = ()
    mmacd_short: MultiMACD | None = None
    mmacd_long: MultiMACD | None = None
    swing_range: Annotated[float, msgspec.Meta(ge=0.0001, le=0.5)] = 0.025
    pip: ClassicalSignal | None = None
