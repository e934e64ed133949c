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
Reversal = Annotated[
    float,
    msgspec.Meta(
        ge=0.0001,
        le=0.5,
        description="reversal that confirms a swing, as a fraction of the price",
        extra={"unit": "%"},
    ),
]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
UpTo3, UpTo5, UpTo10 = (msgspec.Meta(max_length=most) for most in (3, 5, 10))


class MovingAverageLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    window: Window = 10


class Average(Enum):
    """How a window is averaged: simple, linearly weighted (newest heaviest) or exponential (seeded by a simple mean)."""

    SMA = "SMA"
    WMA = "WMA"
    EMA = "EMA"


class BollingerLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bollinger bands: average ± width standard deviations of the window about its own mean, whatever the average (D34)."""

    window: Window = 20
    width: Annotated[float, msgspec.Meta(gt=0, le=10, description="band width in standard deviations")] = 2.0
    average: Annotated[
        Average, msgspec.Meta(description="how the window is averaged: simple, linearly weighted or exponential")
    ] = Average.SMA


class ParabolicLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parabolic stop and reverse: acceleration start, step and maximum."""

    start: Annotated[float, msgspec.Meta(gt=0, le=1, description="acceleration at the start and after a reversal")] = (
        0.02
    )
    step: Annotated[float, msgspec.Meta(gt=0, le=1, description="what each new extreme adds to the acceleration")] = (
        0.02
    )
    maximum: Annotated[float, msgspec.Meta(gt=0, le=1, description="largest acceleration, at least the start")] = 0.2


class MultiMACD(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Multi-average convergence/divergence. Windows in blocks of `multiplier` bars, at least two distinct averages.

    signal: window of the signal average; normaliser: window of the mean magnitude that the difference is divided by;
    both in blocks. legacy_signal: the ancestor's signal, which averages the line with its value at the end of the block
    before instead of with the last signal (D3); only for parameters that were found with it.
    """

    windows: Annotated[
        tuple[Window, ...],
        msgspec.Meta(min_length=2, max_length=6, description="windows of the averages in blocks, all different"),
    ] = (20, 40, 60)
    signal: Annotated[int, msgspec.Meta(ge=1, le=1_000, description="window of the signal average in blocks")] = 10
    multiplier: Annotated[int, msgspec.Meta(ge=1, le=1_000, description="bars of one block")] = 12
    normaliser: Annotated[
        int, msgspec.Meta(ge=2, le=10_000, description="blocks of the mean magnitude that the difference is divided by")
    ] = 60
    legacy_signal: Annotated[
        bool, msgspec.Meta(description="the ancestor's signal; only for parameters that were found with it")
    ] = False


class VolumeType(Enum):
    """Traded volume in base or quote asset, or the part of it that takers bought."""

    BASE = "BASE"
    QUOTE = "QUOTE"
    BASETB = "BASETB"
    QUOTETB = "QUOTETB"


class VolumeLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Average of a volume."""

    window: Window = 20
    volume_type: Annotated[
        VolumeType, msgspec.Meta(description="volume in base or quote asset, or the part of it that takers bought (TB)")
    ] = VolumeType.BASE
    average: Annotated[
        Average, msgspec.Meta(description="how the window is averaged: simple, linearly weighted or exponential")
    ] = Average.SMA


class OscillatorLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """DMI×ADX or MFI over `window` bars, normalised in two ways.

    normaliser: window in bars of the mean magnitude; 0 = ten times `window`. peak_since_ms: the peak counts from the first
    value of a bar that opens at or after this time (Unix ms UTC); 0 = from the first value there is, which depends on
    where the analysis began (D8).
    """

    window: Window = 10
    normaliser: Annotated[
        int, msgspec.Meta(ge=0, le=100_000, description="bars of the mean magnitude; 0 = ten times the window")
    ] = 0
    peak_since_ms: Annotated[
        int, msgspec.Meta(ge=0, description="the peak counts from this time on (Unix ms UTC); 0 = from the first value")
    ] = 0


class OrderFlowLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WOI or NES: exponential average over `window` samples, then the edge Gaussian of `window` samples and `sigma`.

    normaliser: window in bars of the mean magnitude; 0 = ten times `window`.
    """

    window: Annotated[
        int, msgspec.Meta(ge=2, le=500, description="samples of the average and of the edge Gaussian")
    ] = 10
    sigma: Annotated[float, msgspec.Meta(gt=0, le=100, description="width of the edge Gaussian in bars")] = 2.5
    normaliser: Annotated[
        int, msgspec.Meta(ge=0, le=100_000, description="bars of the mean magnitude; 0 = ten times the window")
    ] = 0


class MeanReturnLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TPD: mean over `window` bars of the return over `horizon` bars, smoothed exponentially over `smoothing` bars."""

    horizon: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="bars over which a return is taken")] = 10
    window: Annotated[int, msgspec.Meta(ge=2, le=10_000, description="returns that are averaged")] = 100
    smoothing: Annotated[int, msgspec.Meta(ge=2, le=10_000, description="bars of the exponential smoothing")] = 20


class VolumeProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """IVP: volume by price in bins of constant ratio, forgotten over `window` bars (D12, D13).

    gamma: ten bins span this fraction of the price; bins: how many bins around the last close are kept (what lies farther
    is dropped); sigma: smoothing in bins. Boundaries are peaks and valleys of the smoothed profile: prominence and height
    as shares of its maximum, distance in bins. search_every: bars between two searches for boundaries.
    """

    window: Annotated[int, msgspec.Meta(ge=2, le=10_000, description="bars over which volume is forgotten")] = 500
    gamma: Annotated[
        float,
        msgspec.Meta(ge=0.0005, le=0.1, description="ten bins span this fraction of the price", extra={"unit": "%"}),
    ] = 0.01
    bins: Annotated[int, msgspec.Meta(ge=64, le=16_384, description="bins kept around the last close")] = 1_024
    sigma: Annotated[float, msgspec.Meta(gt=0, le=20, description="smoothing in bins")] = 1.0
    prominence: Annotated[
        float,
        msgspec.Meta(ge=0.01, le=1, description="least prominence of a boundary, as a share of the largest value"),
    ] = 0.1
    distance: Annotated[int, msgspec.Meta(ge=1, le=100, description="least distance of two boundaries in bins")] = 5
    height: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="least height of a peak, as a share of the largest value")
    ] = 0.5
    search_every: Annotated[
        int, msgspec.Meta(ge=1, le=1_000, description="bars between two searches for boundaries")
    ] = 10


class NetworkSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Slot of a neural network, whose output in [−1, 1] comes from outside; −1 near a low, +1 near a high."""

    network: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, description="code of the network whose output is used")
    ]


class ActionMode(Enum):
    """CYCLIC acts on every bar of a cycle, IMPULSIVE on the bar that changes the impulse."""

    CYCLIC = "CYCLIC"
    IMPULSIVE = "IMPULSIVE"


class ActionSense(Enum):
    """CONTRARIAN buys a low (negative) cycle or impulse, TREND buys a high one (D30)."""

    CONTRARIAN = "CONTRARIAN"
    TREND = "TREND"


class Contribution(Enum):
    """How DMI×ADX and MFI enter the classical signal.

    MEAN_RELATIVE: divided by their mean magnitude, like the others (D7). LEGACY: as the ancestor had it, by the share of
    their peak, DMI×ADX within ±1 and MFI within ±0.5; only for parameters that were found with it.
    """

    MEAN_RELATIVE = "MEAN_RELATIVE"
    LEGACY = "LEGACY"


Weight = Annotated[float, msgspec.Meta(ge=0, le=100, description="weight in the classical signal, 0 = left out")]


class ClassicalSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PIP: the classical signal, its edge-Gaussian filter and its cycle with hysteresis (analysis §6, D17).

    alpha, beta: scale and exponent of the squash; window, sigma: the edge Gaussian in bars; enter_threshold and
    leave_threshold: |F| that begins a cycle of the other side, and below which the present one is left
    (leave <= enter; both 0 flips on every change of sign). sense: which side of a cycle or impulse is bought.

    woi_threshold: an entry must have the order-book imbalance signal on its side by this much (0 = not asked for).
    impulse_threshold: change of F, in mean magnitudes over `impulse_window` bars, that turns the impulse.
    nna_alpha, nna_beta: squash of the network's output. flow_window: bars of the mean magnitude of the WOI and NES signals.
    """

    alpha: Annotated[float, msgspec.Meta(gt=0, le=10, description="scale of the squash of the classical signal")] = 2.0
    beta: Annotated[int, msgspec.Meta(ge=1, le=20, description="exponent of the squash of the classical signal")] = 2
    window: Annotated[int, msgspec.Meta(ge=2, le=500, description="bars of the edge Gaussian")] = 10
    sigma: Annotated[float, msgspec.Meta(gt=0, le=100, description="width of the edge Gaussian in bars")] = 3.5
    enter_threshold: Annotated[
        float, msgspec.Meta(ge=0, le=0.95, description="filtered signal beyond which a cycle begins")
    ] = 0.0
    leave_threshold: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=0.95, description="filtered signal below which a cycle is left; at most the one to enter"
        ),
    ] = 0.0
    action_mode: Annotated[
        ActionMode,
        msgspec.Meta(description="CYCLIC acts on every bar of a cycle, IMPULSIVE on the bar that turns the impulse"),
    ] = ActionMode.CYCLIC
    sense: Annotated[
        ActionSense, msgspec.Meta(description="CONTRARIAN buys a low cycle or impulse, TREND a high one")
    ] = ActionSense.CONTRARIAN
    woi_threshold: Annotated[
        float, msgspec.Meta(ge=0, le=0.95, description="what the order book must say for an entry; 0 = it is not asked")
    ] = 0.0
    impulse_threshold: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=10, description="change of the filtered signal, in mean magnitudes, that turns the impulse"
        ),
    ] = 1.0
    impulse_window: Annotated[
        int, msgspec.Meta(ge=2, le=10_000, description="bars of the mean magnitude of that change")
    ] = 50
    nna_alpha: Annotated[float, msgspec.Meta(gt=0, le=1, description="scale of the squash of the network's output")] = (
        0.25
    )
    nna_beta: Annotated[
        int, msgspec.Meta(ge=1, le=20, description="exponent of the squash of the network's output")
    ] = 10
    flow_window: Annotated[
        int, msgspec.Meta(ge=2, le=10_000, description="bars of the mean magnitude of the order-flow signals")
    ] = 288
    contribution: Annotated[
        Contribution,
        msgspec.Meta(description="how DMIxADX and MFI enter: by their mean magnitude, or as the ancestor had it"),
    ] = Contribution.MEAN_RELATIVE
    mmacd_short_weight: Weight = 1.0
    mmacd_long_weight: Weight = 1.0
    dmi_adx_weight: Weight = 1.0
    mfi_weight: Weight = 1.0


class IntervalAnalyses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The analyses of one interval, derived from one-minute bars.

    user: lines of users' indicators by the indicator's name, each a mapping of its own parameters.
    """

    interval: Interval = Interval.M15
    user: dict[str, tuple[dict[str, Any], ...]] = {}
    sma: Annotated[tuple[MovingAverageLine, ...], UpTo10] = ()
    ema: Annotated[tuple[MovingAverageLine, ...], UpTo10] = ()
    bollinger: Annotated[tuple[BollingerLine, ...], UpTo10] = ()
    psar: Annotated[tuple[ParabolicLine, ...], UpTo5] = ()
    mmacd_short: MultiMACD | None = None
    mmacd_long: MultiMACD | None = None
    swing_range: Reversal = 0.025
    pip: ClassicalSignal | None = None
    wma: Annotated[tuple[MovingAverageLine, ...], UpTo10] = ()
    volume: Annotated[tuple[VolumeLine, ...], UpTo5] = ()
    volume_profile: VolumeProfile | None = None
    dmi_adx: Annotated[tuple[OscillatorLine, ...], UpTo5] = ()
    mfi: Annotated[tuple[OscillatorLine, ...], UpTo5] = ()
    woi: Annotated[tuple[OrderFlowLine, ...], UpTo3] = ()
    nes: Annotated[tuple[OrderFlowLine, ...], UpTo3] = ()
    mean_return: Annotated[tuple[MeanReturnLine, ...], UpTo10] = ()
    neural_network: NetworkSignal | None = None


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
