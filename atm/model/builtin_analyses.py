"""The built-in analyses as the window knows them: where their lines stand, their parameters, and how they are drawn.

It holds no code, so that a process can show analyses without loading the kernels that compute them. A test holds it to the
registered indicators.
"""

from __future__ import annotations

import msgspec

from atm.model.analysis_configuration import (
    BollingerLine,
    ClassicalSignal,
    MeanReturnLine,
    MovingAverageLine,
    MultiMACD,
    NetworkSignal,
    OrderFlowLine,
    OscillatorLine,
    ParabolicLine,
    Reversal,
    VolumeLine,
    VolumeProfile,
)
from atm.model.indicator_style import Form, IndicatorStyle, Mark, Trace


class SwingRange(msgspec.Struct, frozen=True):
    """The one parameter of SWING, which stands among the analyses of an interval itself."""

    swing_range: Reversal = 0.025


class BuiltIn(msgspec.Struct, frozen=True):
    """place: field of `IntervalAnalyses` that holds its lines, at most `most`; 0: a single one, which has line 0."""

    place: str
    most: int
    parameters: type[msgspec.Struct]
    style: IndicatorStyle


_AVERAGE = IndicatorStyle(main=(Trace("value"),), title=("window",))
_MEAN_RELATIVE = Form("mean_relative", (Trace("abs_mean_relative", Mark.HISTOGRAM),))
_PEAK_RELATIVE = Form("peak_relative", (Trace("peak_relative", Mark.HISTOGRAM),), levels=(-100, 100))
_MACD = IndicatorStyle(
    forms=(
        Form("value", (Trace("delta", Mark.HISTOGRAM), Trace("mmacd"), Trace("signal"))),
        _MEAN_RELATIVE,
    ),
    title=("windows",),
)
_FLOW = IndicatorStyle(
    forms=(
        Form("value", (Trace("sample", Mark.HISTOGRAM), Trace("average"), Trace("filtered"))),
        _MEAN_RELATIVE,
    ),
    title=("window", "sigma"),
)

BUILT_IN: dict[str, BuiltIn] = {
    "SMA": BuiltIn("sma", 10, MovingAverageLine, _AVERAGE),
    "WMA": BuiltIn("wma", 10, MovingAverageLine, _AVERAGE),
    "EMA": BuiltIn("ema", 10, MovingAverageLine, _AVERAGE),
    "PSAR": BuiltIn(
        "psar", 5, ParabolicLine, IndicatorStyle(main=(Trace("value", Mark.DOTS),), title=("start", "step", "maximum"))
    ),
    "BOL": BuiltIn(
        "bollinger",
        10,
        BollingerLine,
        IndicatorStyle(
            main=(Trace("upper", Mark.BAND, until="lower"), Trace("middle", same=True), Trace("lower", same=True)),
            title=("window", "width"),
        ),
    ),
    "VOL": BuiltIn(
        "volume",
        5,
        VolumeLine,
        IndicatorStyle(
            forms=(Form("value", (Trace("value"),)),),
            title=("window", "volume_type"),
            column_of="volume_type",
            columns={
                "BASE": "volume",
                "QUOTE": "quote_volume",
                "BASETB": "taker_buy_volume",
                "QUOTETB": "taker_buy_quote_volume",
            },
        ),
    ),
    "IVP": BuiltIn(
        "volume_profile",
        0,
        VolumeProfile,
        IndicatorStyle(
            main=(
                Trace("value", Mark.PROFILE, label="profile"),
                *(
                    Trace(f"{side}_{number}", Mark.LEVEL, label="boundaries", same=True)
                    for side in ("below", "above")
                    for number in range(1, 6)
                ),
            ),
            title=("window",),
        ),
    ),
    "MMACDSHORT": BuiltIn("mmacd_short", 0, MultiMACD, _MACD),
    "MMACDLONG": BuiltIn("mmacd_long", 0, MultiMACD, _MACD),
    "DMIxADX": BuiltIn(
        "dmi_adx",
        5,
        OscillatorLine,
        IndicatorStyle(
            forms=(
                Form("value", (Trace("value", Mark.HISTOGRAM), Trace("plus_di"), Trace("minus_di"), Trace("adx"))),
                _MEAN_RELATIVE,
                _PEAK_RELATIVE,
            ),
            title=("window",),
        ),
    ),
    "MFI": BuiltIn(
        "mfi",
        5,
        OscillatorLine,
        IndicatorStyle(
            forms=(Form("value", (Trace("value"),), levels=(20, 50, 80)), _MEAN_RELATIVE, _PEAK_RELATIVE),
            title=("window",),
        ),
    ),
    "WOI": BuiltIn("woi", 3, OrderFlowLine, _FLOW),
    "NES": BuiltIn("nes", 3, OrderFlowLine, _FLOW),
    "TPD": BuiltIn(
        "mean_return",
        10,
        MeanReturnLine,
        IndicatorStyle(
            forms=(Form("value", (Trace("mean_return"), Trace("value")), levels=(0,)), _MEAN_RELATIVE),
            title=("horizon", "window", "smoothing"),
        ),
    ),
    "SWING": BuiltIn(
        "swing_range",
        0,
        SwingRange,
        IndicatorStyle(main=(Trace("price", Mark.POINTS, at="time"),), title=("swing_range",)),
    ),
    "NNA": BuiltIn(
        "neural_network",
        0,
        NetworkSignal,
        IndicatorStyle(forms=(Form("value", (Trace("output"),), levels=(-1, 0, 1)),), title=("network",)),
    ),
    "PIP": BuiltIn(
        "pip",
        0,
        ClassicalSignal,
        IndicatorStyle(
            main=(Trace("cycle", Mark.SHADE), Trace("action", Mark.ARROWS)),
            forms=(
                Form(
                    "signal",
                    (Trace("classical_signal"), Trace("filtered")),
                    levels=(0,),
                    thresholds=("enter_threshold", "leave_threshold"),
                ),
                Form("impulse", (Trace("impulse", Mark.HISTOGRAM),), thresholds=("impulse_threshold",)),
                Form(
                    "order_flow",
                    (Trace("woi_relative"), Trace("nes_relative"), Trace("nna_signal")),
                    levels=(0,),
                    thresholds=("woi_threshold",),
                ),
            ),
            title=(),
        ),
    ),
}
"""By name, in the order of their evaluation."""
