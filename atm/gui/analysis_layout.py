"""What is drawn where: the traces of the chosen lines over the candles and in panes below. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atm.gui.analysis_choice import Line
from atm.gui.analysis_series import AnalysisSeries
from atm.gui.theme import Color, Theme
from atm.model.indicator_style import Form, Mark, Trace

VOLUME = "VOL"
"""Key of the pane of the candles' volume."""
_NEWEST = 1_000
_BY_SIGN = (Mark.HISTOGRAM, Mark.SHADE, Mark.ARROWS)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace with its colour. key: name of its column, under which the chart gives its value; place, until, at: rows of
    the series; shared: the legend entry of an earlier trace stands for it too."""

    key: str
    label: str
    mark: Mark
    color: Color
    place: int
    until: int | None = None
    at: int | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Pane:
    """A pane below the prices. bars: row of the series with the bars beneath its traces, −1: the candles' volume; empty:
    none of its traces has a value."""

    key: str
    drawn: tuple[Drawn, ...] = ()
    levels: tuple[float, ...] = ()
    forms: tuple[str, ...] = ()
    form: str = ""
    bars: int | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    main: tuple[Drawn, ...] = ()
    panes: tuple[Pane, ...] = (Pane(VOLUME, bars=-1),)


class _Colors:
    """The palette, one colour after the other."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._next = 0
        self.plain = theme.colors.muted

    def next(self) -> Color:
        self._next += 1
        return self._theme.line_color(self._next - 1)


def lay_out(
    lines: Sequence[Line], series: AnalysisSeries | None, forms: Mapping[str, str], closed: Sequence[str], theme: Theme
) -> Layout:
    """forms: what the user wants a pane to show; closed: panes that are put away."""
    main: list[Drawn] = []
    panes: dict[str, Pane] = {VOLUME: Pane(VOLUME, bars=-1)}
    colors: dict[str, _Colors] = {"": _Colors(theme)}
    for line in lines if series is not None else ():
        assert series is not None
        over, form, chosen, names = _traces(line, series, forms)
        main += _drawn(line, over, series, colors[""])
        if form is None:
            continue
        key = _pane_key(line)
        drawn = _drawn(line, form.traces, series, colors.setdefault(key, _Colors(theme)))
        before = panes.get(key, Pane(key, bars=_bars(line, series)))
        levels = dict.fromkeys((*before.levels, *form.levels, *_thresholds(line, form)))
        panes[key] = Pane(key, (*before.drawn, *drawn), tuple(levels), names, chosen, before.bars)
    shown = (_with_emptiness(pane, series) for key, pane in panes.items() if key not in closed)
    return Layout(tuple(main), tuple(sorted(shown, key=lambda pane: pane.key == VOLUME)))


def _traces(
    line: Line, series: AnalysisSeries, forms: Mapping[str, str]
) -> tuple[tuple[Trace, ...], Form | None, str, tuple[str, ...]]:
    """Traces over the candles, what the pane shows, its name, and what else it can show."""
    style = line.known.style
    if style is None:
        traces = tuple(Trace(field) for field in line.known.fields)
        if _among_prices(line, series):
            return traces, None, "", ()
        return (), Form("value", traces), "", ()
    if not style.forms:
        return style.main, None, "", ()
    names = tuple(form.name for form in style.forms)
    wanted = forms.get(line.known.name, "")
    form = next((form for form in style.forms if form.name == wanted), style.forms[0])
    return style.main, form, form.name if len(names) > 1 else "", names if len(names) > 1 else ()


def _among_prices(line: Line, series: AnalysisSeries) -> bool:
    """Whether the newest values of all fields lie about where the prices were."""
    low, high = series.place("KLINE.0.low"), series.place("KLINE.0.high")
    if low is None or high is None or not len(series):
        return False
    bottom, top = _range(series, low)[0], _range(series, high)[1]
    ranges = [_range(series, place) for field in line.known.fields if (place := series.place(line.column(field)))]
    return bool(ranges) and all(0.9 * bottom <= least and most <= 1.1 * top for least, most in ranges)


def _range(series: AnalysisSeries, place: int) -> tuple[float, float]:
    newest = series.column(place)[-_NEWEST:]
    newest = newest[~np.isnan(newest)]
    return (float(newest.min()), float(newest.max())) if len(newest) else (np.nan, np.nan)


def _drawn(line: Line, traces: Sequence[Trace], series: AnalysisSeries, colors: _Colors) -> list[Drawn]:
    found: list[Drawn] = []
    labels: set[str] = set()
    color: Color | None = None
    for trace in traces:
        place = series.place(line.column(trace.field))
        if place is None:
            continue
        if trace.mark in _BY_SIGN:
            tint = colors.plain
        else:
            tint = color = color if trace.same and color is not None else colors.next()
        label = line.label if len(traces) == 1 else f"{line.label} {trace.label or trace.field}"
        until = series.place(line.column(trace.until)) if trace.until else None
        at = series.place(line.column(trace.at)) if trace.at else None
        key = line.column(trace.field)
        found.append(Drawn(key, label, trace.mark, tint, place, until, at, label in labels))
        labels.add(label)
    return found


def _pane_key(line: Line) -> str:
    style = line.known.style
    if style is None or not style.column_of:
        return line.known.name
    kind = str(line.parameters[style.column_of])
    return line.known.name if kind == next(iter(style.columns)) else f"{line.known.name} {kind}"


def _bars(line: Line, series: AnalysisSeries) -> int | None:
    style = line.known.style
    if style is None or not style.column_of:
        return None
    return series.place(f"KLINE.0.{style.columns[str(line.parameters[style.column_of])]}")


def _thresholds(line: Line, form: Form) -> list[float]:
    found = [float(line.parameters.get(name, 0.0)) for name in form.thresholds]
    return [signed for value in found if value for signed in (value, -value)]


def _with_emptiness(pane: Pane, series: AnalysisSeries | None) -> Pane:
    if pane.bars is not None or series is None or any(_has_values(series, each.place) for each in pane.drawn):
        return pane
    return Pane(pane.key, pane.drawn, pane.levels, pane.forms, pane.form, pane.bars, empty=True)


def _has_values(series: AnalysisSeries, place: int) -> bool:
    values = series.column(place)
    return bool(len(values)) and (not np.isnan(values[-1]) or not bool(np.isnan(values).all()))
