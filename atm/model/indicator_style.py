"""How an indicator is drawn on a chart: plain data, which an indicator may declare and the window carries out.

A field is drawn by a *trace*. Traces of `main` lie over the candles; those of the `forms` in a pane of the indicator's
own, one form at a time, chosen by the user. An indicator without a style has its fields drawn as lines, over the candles
while their values lie within the range of the prices, else in a pane.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Mark(Enum):
    """How a field is drawn.

    LINE; DOTS: a point per bar; BAND: a line, the room up to the line of `Trace.until` filled; HISTOGRAM: bars from zero,
    coloured by their sign; LEVEL: a short horizontal line per bar; POINTS: a zigzag through the points (`Trace.at` names
    the field of their Unix ms), a new one where that changes; SHADE: the background, coloured by the sign; ARROWS: an
    arrow where the sign becomes another than it was, under the bar for +1, above it for −1; PROFILE: the volume profile
    of the newest bar at the right edge.
    """

    LINE = "line"
    DOTS = "dots"
    BAND = "band"
    HISTOGRAM = "histogram"
    LEVEL = "level"
    POINTS = "points"
    SHADE = "shade"
    ARROWS = "arrows"
    PROFILE = "profile"


class Trace(msgspec.Struct, frozen=True):
    """field: of the indicator; label: in the legend, "" = the field's name (traces of one label are one entry);
    until: the other edge of a BAND; at: the field of a point's time; same: in the colour of the trace before it."""

    field: str
    mark: Mark = Mark.LINE
    label: str = ""
    until: str = ""
    at: str = ""
    same: bool = False


class Form(msgspec.Struct, frozen=True):
    """One way to fill the indicator's pane. name: an identifier; levels: horizontal lines; thresholds: names of parameters
    at whose value, above and below zero, there is one."""

    name: str
    traces: tuple[Trace, ...]
    levels: tuple[float, ...] = ()
    thresholds: tuple[str, ...] = ()


class IndicatorStyle(msgspec.Struct, frozen=True):
    """See the module. title: parameters whose values follow the name in the legend; column: a column of the bar
    (`KLINE.0.volume` and so on, by the value of the parameter `column_of`) drawn as bars beneath the traces of the pane."""

    main: tuple[Trace, ...] = ()
    forms: tuple[Form, ...] = ()
    title: tuple[str, ...] = ()
    column_of: str = ""
    columns: dict[str, str] = {}

    def fields(self) -> frozenset[str]:
        """All fields that it names."""
        traces = [*self.main, *(trace for form in self.forms for trace in form.traces)]
        return frozenset(name for each in traces for name in (each.field, each.until, each.at) if name)
