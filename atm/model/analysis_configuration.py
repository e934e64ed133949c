"""Analysis configurations: which analyses run on a symbol, with which parameters (spec: analysis §3, §7.2).

Every number carries its bounds, from which forms, validation and documentation are made. Windows are counted in bars
of their interval. A tuple of lines may be empty: then the analysis is off.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

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


class IntervalAnalyses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The analyses of one interval, derived from one-minute bars.

    user: lines of users' indicators by the indicator's name, each a mapping of its own parameters.
    """

    interval: Interval = Interval.M15
    user: dict[str, tuple[dict[str, Any], ...]] = {}
    sma: tuple[MovingAverageLine, ...] = ()
    ema: tuple[MovingAverageLine, ...] = ()
    bollinger: tuple[BollingerLine, ...] = ()
    psar: tuple[ParabolicLine, ...] = ()
    mmacd_short: MultiMACD | None = None
    mmacd_long: MultiMACD | None = None
    swing_range: Annotated[float, msgspec.Meta(ge=0.0001, le=0.5)] = 0.025
    pip: ClassicalSignal | None = None


Intervals = Annotated[tuple[IntervalAnalyses, ...], msgspec.Meta(min_length=1, max_length=len(Interval))]


class AnalysisConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All analyses of one symbol, on one or more intervals, each of which stands once.

    decision_interval: one row of results is made at each close of a bar of this interval, which must be one of
    `intervals`; None: the shortest of them. In a row the columns of another interval are those of its last closed bar.
    """

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    intervals: Intervals = (IntervalAnalyses(),)
    decision_interval: Interval | None = None

    @classmethod
    def of_one(cls, code: str, **analyses: Any) -> AnalysisConfiguration:
        """A configuration of one interval, from the fields of `IntervalAnalyses`."""
        return cls(code, (IntervalAnalyses(**analyses),))

    @property
    def decision(self) -> Interval:
        """The interval whose closes make rows."""
        return self.decision_interval or min((each.interval for each in self.intervals), key=_length)

    @property
    def decisive(self) -> IntervalAnalyses | None:
        """The analyses of the decision interval; None when it is not among the intervals."""
        return next((each for each in self.intervals if each.interval is self.decision), None)

    @property
    def in_order(self) -> tuple[IntervalAnalyses, ...]:
        """The intervals in the order of their columns: the decision interval, then the others from short to long."""
        return tuple(
            sorted(self.intervals, key=lambda each: (each.interval is not self.decision, _length(each.interval)))
        )


def _length(interval: Interval) -> int:
    return interval.nominal_ms


def expanded(raw: Any) -> Any:
    """A configuration as it stands in a file or in the database, the short form written out.

    In the short form, the only one of earlier versions, the fields of the one interval stand beside `code`. Anything else
    is returned as it is.
    """
    if not isinstance(raw, dict) or "intervals" in raw:
        return raw
    own = ("code", "decision_interval")
    outer = {name: value for name, value in raw.items() if name in own}
    return {**outer, "intervals": [{name: value for name, value in raw.items() if name not in own}]}
