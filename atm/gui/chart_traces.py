"""Draws the traces of an analysis into the present ImPlot plot: one function a mark, each at most three calls of ImPlot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec4, implot
from numpy.typing import NDArray

from atm.gui import formats
from atm.gui.analysis_layout import Drawn
from atm.gui.analysis_series import FACTOR, AnalysisSeries, Stretch
from atm.gui.chart_colors import ChartColors, Color
from atm.model.indicator_style import Mark

Floats = NDArray[np.float64]

MOST_EVENTS = 600
"""Arrows and points drawn at once; of more, every second, third … is."""
PROFILE_SHARE = 0.22
"""Part of the width that the largest bin of a volume profile takes."""
_SEGMENTS = int(implot.LineFlags_.segments)
_NO_LEGEND = int(implot.ItemFlags_.no_legend)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is in sight of a series. step_s: seconds from one row to the next; index: the row whose values are told."""

    series: AnalysisSeries
    stretch: Stretch
    step_s: float
    index: int
    colors: ChartColors

    def sparse(self, place: int) -> tuple[Floats, Floats, float]:
        """Every row's place and value, or those of every fourth, sixteenth … row of a coarse level; seconds between."""
        step = FACTOR**self.stretch.level
        first = self.stretch.first // step * step
        rows = slice(first, self.stretch.last, step)
        return self.series.seconds[rows], self.series.column(place)[rows], self.step_s * step

    def value(self, place: int) -> float:
        return self.series.value_at(place, self.index)


def draw(drawn: Drawn, sight: Sight, text: str) -> None:
    """text: the value as the legend shows it."""
    label = f"##{drawn.key}" if drawn.shared else f"{drawn.label}  {text}###{drawn.key}"
    _DRAW[drawn.mark](drawn, sight, label)


def short(value: float) -> str:
    """A value of any size in a few letters."""
    size = abs(value)
    if not size < 10_000:
        return formats.compact(value) if np.isfinite(value) else formats.UNKNOWN
    if size >= 100 or size == 0:
        return formats.number(value, 1)
    return formats.number(value, 2 if size >= 1 else 4 if size >= 0.01 else 6)


def interleave(first: Floats, second: Floats) -> Floats:
    """a0 b0 a1 b1 …"""
    both = np.empty(2 * first.shape[0])
    both[0::2] = first
    both[1::2] = second
    return both


def body_width(step_s: float) -> float:
    """Width on the screen of a bar of so many seconds."""
    limits = implot.get_plot_limits()
    return max(1.0, 0.7 * implot.get_plot_size().x * step_s / max(limits.x.max - limits.x.min, 1e-9))


def _legend_flag(label: str) -> int:
    return _NO_LEGEND if label.startswith("##") and not label.startswith("###") else 0


def _vec(color: Color, alpha: float = 1.0) -> ImVec4:
    return ImVec4(*color[:3], color[3] * alpha)


def _line(drawn: Drawn, sight: Sight, label: str) -> None:
    values = sight.series.values(drawn.place, sight.stretch)
    spec = implot.Spec(line_color=_vec(drawn.color), line_weight=1.4, flags=_legend_flag(label))
    implot.plot_line(label, sight.stretch.seconds, values, spec)


def _band(drawn: Drawn, sight: Sight, label: str) -> None:
    if drawn.until is not None:
        upper = sight.series.values(drawn.place, sight.stretch)
        lower = sight.series.values(drawn.until, sight.stretch)
        if sight.stretch.level:
            upper, lower = np.repeat(upper[1::2], 2), np.repeat(lower[0::2], 2)
        known = ~np.isnan(upper) & ~np.isnan(lower)
        spec = implot.Spec(fill_color=_vec(drawn.color, 0.1), line_weight=0.0, flags=_NO_LEGEND)
        for piece in _runs(known):
            xs, above, below = sight.stretch.seconds[piece], upper[piece], lower[piece]
            implot.plot_shaded(f"##band{drawn.key}", xs, above, below, spec)
    _line(drawn, sight, label)


def _runs(known: NDArray[np.bool_]) -> list[slice]:
    """The unbroken stretches, at most as many as are worth a call each."""
    if known.all():
        return [slice(0, len(known))] if len(known) else []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[0:64:2], edges[1:64:2], strict=True) if b - a > 1]


def _dots(drawn: Drawn, sight: Sight, label: str) -> None:
    values = sight.series.values(drawn.place, sight.stretch)
    color = _vec(drawn.color)
    spec = implot.Spec(
        marker=implot.Marker_.circle,
        marker_size=1.8,
        marker_fill_color=color,
        marker_line_color=color,
        flags=_legend_flag(label),
    )
    implot.plot_scatter(label, sight.stretch.seconds, values, spec)


def _histogram(drawn: Drawn, sight: Sight, label: str) -> None:
    implot.plot_dummy(label, implot.Spec(line_color=_vec(drawn.color)))
    values = sight.series.values(drawn.place, sight.stretch)
    seconds = sight.stretch.seconds
    width = body_width(sight.step_s) if sight.stretch.level == 0 else 1.0
    for name, clip, color in (("+", np.fmax, sight.colors.up), ("-", np.fmin, sight.colors.down)):
        # a bar on the other side becomes one without length, which is cheaper than to choose
        ends = interleave(np.zeros(len(values)), clip(values, 0.0))
        spec = implot.Spec(line_color=_vec(color, 0.6), line_weight=width, flags=_SEGMENTS | _NO_LEGEND)
        implot.plot_line(f"##{name}{drawn.key}", np.repeat(seconds, 2), ends, spec)


def _level(drawn: Drawn, sight: Sight, label: str) -> None:
    seconds, values, step_s = sight.sparse(drawn.place)
    ends = interleave(seconds - step_s / 2, seconds + step_s / 2)
    spec = implot.Spec(line_color=_vec(drawn.color, 0.8), line_weight=1.2, flags=_SEGMENTS | _legend_flag(label))
    implot.plot_line(label, ends, np.repeat(values, 2), spec)


def _points(drawn: Drawn, sight: Sight, label: str) -> None:
    if drawn.at is None:
        return
    rows = sight.series.changes(drawn.at)
    first = max(0, int(np.searchsorted(rows, sight.stretch.first)) - 1)
    rows = rows[first : int(np.searchsorted(rows, sight.stretch.last)) + 1]
    rows = rows[:: max(1, len(rows) // MOST_EVENTS)]
    seconds = sight.series.column(drawn.at)[rows] / 1000.0 + sight.step_s / 2
    color = _vec(drawn.color)
    spec = implot.Spec(
        line_color=_vec(drawn.color, 0.7),
        line_weight=1.2,
        marker=implot.Marker_.diamond,
        marker_size=4.0,
        marker_fill_color=color,
        marker_line_color=color,
        flags=_legend_flag(label),
    )
    implot.plot_line(label, seconds, sight.series.column(drawn.place)[rows], spec)


def _shade(drawn: Drawn, sight: Sight, label: str) -> None:
    implot.plot_dummy(label, implot.Spec(line_color=_vec(drawn.color)))
    seconds, values, step_s = sight.sparse(drawn.place)
    top = implot.get_plot_limits().y.max
    for name, chosen, color in (
        ("+", values > 0, sight.colors.up),
        ("-", values < 0, sight.colors.down),
    ):
        xs = seconds[chosen]
        spec = implot.Spec(fill_color=_vec(color, 0.09), line_color=_vec(color, 0.0), line_weight=0.0, flags=_NO_LEGEND)
        implot.plot_bars(f"##{name}{drawn.key}", xs, np.full(len(xs), top), step_s, spec)


def _arrows(drawn: Drawn, sight: Sight, label: str) -> None:
    implot.plot_dummy(label, implot.Spec(line_color=_vec(drawn.color)))
    series = sight.series
    rows = series.changes(drawn.place)
    rows = rows[int(np.searchsorted(rows, sight.stretch.first)) : int(np.searchsorted(rows, sight.stretch.last))]
    rows = rows[:: max(1, len(rows) // MOST_EVENTS)]
    low, high = series.place("KLINE.0.low"), series.place("KLINE.0.high")
    if low is None or high is None:
        return
    limits = implot.get_plot_limits()
    room = 0.02 * (limits.y.max - limits.y.min)
    for name, sign, marker, beside, color in (
        ("buy", 1, implot.Marker_.up, low, sight.colors.buy),
        ("sell", -1, implot.Marker_.down, high, sight.colors.sell),
    ):
        chosen = rows[np.sign(series.column(drawn.place)[rows]) == sign]
        spec = implot.Spec(
            marker=marker,
            marker_size=5.0,
            marker_fill_color=_vec(color),
            marker_line_color=_vec(sight.colors.panel),
            flags=_NO_LEGEND,
        )
        places = series.column(beside)[chosen] - sign * room
        implot.plot_scatter(f"##{name}{drawn.key}", series.seconds[chosen], places, spec)


def _profile(drawn: Drawn, sight: Sight, label: str) -> None:
    implot.plot_dummy(label, implot.Spec(line_color=_vec(drawn.color)))
    profile = sight.series.profile
    if profile is None or profile.shape[1] < 2:
        return
    limits = implot.get_plot_limits()
    edges, _, smoothed = profile
    shown = slice(*np.searchsorted(edges, (limits.y.min, limits.y.max)))
    low, volume = edges[shown], smoothed[shown]
    if len(low) < 2 or not volume.max() > 0:
        return
    length = PROFILE_SHARE * (limits.x.max - limits.x.min) * volume / volume.max()
    height = implot.get_plot_size().y * (low[1] - low[0]) / max(limits.y.max - limits.y.min, 1e-12)
    ends = interleave(limits.x.max - length, np.full(len(low), limits.x.max))
    middle = np.repeat(low + (low[1] - low[0]) / 2, 2)
    spec = implot.Spec(
        line_color=_vec(drawn.color, 0.28), line_weight=max(1.0, 0.9 * height), flags=_SEGMENTS | _NO_LEGEND
    )
    implot.plot_line(f"##bins{drawn.key}", ends, middle, spec)


_DRAW: dict[Mark, Callable[[Drawn, Sight, str], None]] = {
    Mark.LINE: _line,
    Mark.DOTS: _dots,
    Mark.BAND: _band,
    Mark.HISTOGRAM: _histogram,
    Mark.LEVEL: _level,
    Mark.POINTS: _points,
    Mark.SHADE: _shade,
    Mark.ARROWS: _arrows,
    Mark.PROFILE: _profile,
}
