"""The equity curve with its drawdown below, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, implot
from numpy.typing import NDArray

from atm.gui import formats, time_axis, value_axis
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui
from atm.model.interval import format_time
from atm.simulators.statistics.time_weighted import flows_between, time_weighted

MOST_POINTS = 3_000
_LOG_TICKS = 8
_PLOT = int(implot.Flags_.no_menus | implot.Flags_.no_mouse_text)


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """time float64 s (n,), equity float64 (n,), drawdown float64 (n,): fraction below the peak so far, ≤ 0; worth, paid_in float64 (n,):
    the equity as if nothing had been paid in or out, and what was until then."""

    time: NDArray[np.float64]
    equity: NDArray[np.float64]
    drawdown: NDArray[np.float64]
    worth: NDArray[np.float64]
    paid_in: NDArray[np.float64]

    @staticmethod
    def of(
        time_ms: NDArray[np.int64], equity: NDArray[np.float64], transfers: tuple[tuple[int, float], ...] = ()
    ) -> EquityCurve:
        """From a curve of any length: at most `MOST_POINTS` points, among them every block's lowest and highest. transfers: (Unix ms,
        paid in, out below 0)."""
        flows = flows_between(time_ms, transfers)
        worth = equity
        if len(equity):
            worth = np.concatenate((equity[:1], time_weighted(equity[1:], float(equity[0]), flows[1:])[0]))
        peak = np.maximum.accumulate(worth) if len(worth) else worth
        with np.errstate(divide="ignore", invalid="ignore"):
            drawdown = np.where(peak > 0, worth / peak - 1, 0.0)
        chosen = thin(equity, MOST_POINTS)
        return EquityCurve(
            time_ms[chosen] / 1000.0,
            equity[chosen].copy(),
            drawdown[chosen].copy(),
            worth[chosen].copy(),
            np.cumsum(flows)[chosen],
        )


def thin(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Ascending positions, at most `most`: all, or the first, the last, and the extremes of equal blocks."""
    n = len(values)
    if n <= most:
        return np.arange(n)
    blocks = max(1, (most - 2) // 2)
    size = -(-n // blocks)
    whole = n // size * size
    grid = values[:whole].reshape(-1, size)
    starts = np.arange(len(grid)) * size
    found = np.concatenate([[0, n - 1], starts + grid.argmin(axis=1), starts + grid.argmax(axis=1)])
    return np.unique(found)


@dataclass(frozen=True, slots=True)
class Beside:
    """A further curve in the plot of the equity. weight: of its line."""

    label: str
    curve: EquityCurve
    color: Color
    weight: float = 1.2


def draw_equity(
    ui: Ui,
    name: str,
    curve: EquityCurve,
    size: tuple[float, float],
    *,
    label: str = "",
    beside: Sequence[Beside] = (),
    logarithmic: bool = False,
    limits: tuple[float, float] | None = None,
) -> tuple[float, float] | None:
    """Draw into the present window; transfers are upright lines. size on the screen; label: the curve's name in the legend, beside
    others; limits: times that come into sight whatever was there (Unix seconds), None = the user's.

    Returns the times in sight (Unix seconds). The wheel zooms, dragging pans, a double click shows everything again.
    """
    flags = int(implot.SubplotFlags_.no_title | implot.SubplotFlags_.link_all_x | implot.SubplotFlags_.no_menus)
    ratios = implot.SubplotsRowColRatios()
    ratios.row_ratios = [0.72, 0.28]
    if not len(curve.time) or not implot.begin_subplots(f"##{name}", 2, 1, ImVec2(*size), flags, ratios):
        return None
    lowest = min(float(each.equity.min()) for each in (curve, *(other.curve for other in beside)) if len(each.equity))
    sight = _draw_value(ui, curve, label, beside, limits, logarithmic=logarithmic and lowest > 0)
    _draw_falls(ui, curve, beside, sight, limits)
    implot.end_subplots()
    return sight


def _draw_value(
    ui: Ui,
    curve: EquityCurve,
    label: str,
    beside: Sequence[Beside],
    limits: tuple[float, float] | None,
    *,
    logarithmic: bool,
) -> tuple[float, float]:
    c = ui.colors
    sight = float(curve.time[0]), float(curve.time[-1])
    plot = _PLOT if beside else _PLOT | int(implot.Flags_.no_legend)
    if not implot.begin_plot("##equity", ImVec2(-1, -1), plot):
        return sight
    _axes(curve, "%.0f", sight, limits, labels=False)
    if logarithmic:
        implot.setup_axis_scale(implot.ImAxis_.y1, implot.Scale_.log10)
        _round_ticks([curve, *(other.curve for other in beside)])
    implot.setup_legend(implot.Location_.north_west, int(implot.LegendFlags_.horizontal))
    implot.setup_finish()
    seen = implot.get_plot_limits()
    sight = seen.x.min, seen.x.max
    start = implot.Spec(
        line_color=ImVec4(*fade(c.muted, 0.5)),
        flags=int(implot.InfLinesFlags_.horizontal) | int(implot.ItemFlags_.no_legend),
    )
    implot.plot_inf_lines("##start", curve.equity[:1].copy(), start)
    for color, moved in ((c.good, np.diff(curve.paid_in) > 0.0), (c.bad, np.diff(curve.paid_in) < 0.0)):
        if moved.any():
            line = implot.Spec(line_color=ImVec4(*fade(color, 0.7)), flags=int(implot.ItemFlags_.no_legend))
            implot.plot_inf_lines(f"##transfers {color}", curve.time[:-1][moved].copy(), line)
    for other in beside:
        spec = implot.Spec(line_color=ImVec4(*other.color), line_weight=other.weight)
        implot.plot_line(other.label, other.curve.time, other.curve.equity, spec)
    implot.plot_line(
        label or "##equity", curve.time, curve.equity, implot.Spec(line_color=ImVec4(*c.accent), line_weight=1.7)
    )
    _read_out(ui, curve)
    implot.end_plot()
    return sight


def _round_ticks(curves: Sequence[EquityCurve]) -> None:
    """Round values on a logarithmic axis: ImPlot would write powers of ten alone."""
    low = min(float(each.equity.min()) for each in curves if len(each.equity))
    high = max(float(each.equity.max()) for each in curves if len(each.equity))
    ticks = value_axis.ticks(low, high, _LOG_TICKS)
    if ticks:
        implot.setup_axis_ticks(implot.ImAxis_.y1, ticks, [f"{tick:.10g}" for tick in ticks], False)


def _draw_falls(
    ui: Ui,
    curve: EquityCurve,
    beside: Sequence[Beside],
    sight: tuple[float, float],
    limits: tuple[float, float] | None,
) -> None:
    c = ui.colors
    if not implot.begin_plot("##drawdown", ImVec2(-1, -1), _PLOT | int(implot.Flags_.no_legend)):
        return
    _axes(curve, "%.1f%%", sight, limits, labels=True)
    implot.setup_finish()
    percent = 100 * curve.drawdown
    shade = implot.Spec(fill_color=ImVec4(*fade(c.down, 0.28)), line_weight=0)
    implot.plot_shaded("##shade", curve.time, percent, 0.0, shade)
    for other in beside:
        spec = implot.Spec(line_color=ImVec4(*fade(other.color, 0.7)), line_weight=1.0)
        implot.plot_line(f"##{other.label}", other.curve.time, 100 * other.curve.drawdown, spec)
    implot.plot_line("##drawdown", curve.time, percent, implot.Spec(line_color=ImVec4(*c.down), line_weight=1.0))
    implot.end_plot()


def _axes(
    curve: EquityCurve,
    value_format: str,
    sight: tuple[float, float],
    limits: tuple[float, float] | None,
    *,
    labels: bool,
) -> None:
    time = implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus
    if not labels:
        time |= implot.AxisFlags_.no_tick_labels
    implot.setup_axis(implot.ImAxis_.x1, None, int(time))
    begin, end = limits or (float(curve.time[0]), float(curve.time[-1]) + 1.0)
    implot.setup_axis_limits(implot.ImAxis_.x1, begin, end, implot.Cond_.always if limits else implot.Cond_.once)
    time_axis.set_up(*sight)
    value = implot.AxisFlags_.opposite | implot.AxisFlags_.no_highlight | implot.AxisFlags_.auto_fit
    value |= implot.AxisFlags_.range_fit
    implot.setup_axis(implot.ImAxis_.y1, None, int(value | implot.AxisFlags_.no_menus))
    implot.setup_axis_format(implot.ImAxis_.y1, value_format)


def _read_out(ui: Ui, curve: EquityCurve) -> None:
    """Time, equity and drawdown under the pointer."""
    if not implot.is_plot_hovered() or not len(curve.time):
        return
    mouse = implot.get_plot_mouse_pos()
    index = int(np.clip(np.searchsorted(curve.time, mouse.x), 0, len(curve.time) - 1))
    x, y = float(curve.time[index]), float(curve.equity[index])
    text = f"{format_time(int(x * 1000))}   {formats.number(y)}   {formats.percent(float(curve.drawdown[index]))}"
    implot.annotation(x, y, ImVec4(*ui.colors.raised), ImVec2(0, ui.px(-16)), True, text)
