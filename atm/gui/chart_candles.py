"""Draws candles, their volume and fills into the present ImPlot plot.

Wicks and bodies are two lines of segments each (bodies as thick segments), so a frame costs the same for five hundred
candles and for five million (see `chart_pyramid`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot
from numpy.typing import NDArray

from atm.gui.chart_colors import ChartColors
from atm.gui.chart_pyramid import CLOSE, HIGH, LOW, OPEN, VOLUME, Level
from atm.gui.chart_traces import body_width, interleave

_SEGMENTS = int(implot.LineFlags_.segments)
_NO_LEGEND = int(implot.ItemFlags_.no_legend)


@dataclass(frozen=True, slots=True)
class TradeMarks:
    """Fills on the chart. time int64 ms (n,), price float64 (n,), buy bool (n,)."""

    time: NDArray[np.int64]
    price: NDArray[np.float64]
    buy: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HeldMarks:
    """Stretches in which a position was held, from one fill to the next. start, end int64 ms (n,), ascending; entry: average
    entry price in it, float64 (n,); leave: price at its end; won bool (n,): whether it was in profit then."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    entry: NDArray[np.float64]
    leave: NDArray[np.float64]
    won: NDArray[np.bool_]


MOST_HELD = 600
"""Stretches drawn as areas at a time; of more than that each would be a line."""
NEAR = 11.0
"""Pixels from a fill within which the pointer is on it."""


def draw_held(held: HeldMarks, start_ms: float, end_ms: float, colors: ChartColors) -> None:
    """Areas from the entry price to the price at the end, and the line between the two."""
    lo = int(np.searchsorted(held.end, int(start_ms)))
    hi = int(np.searchsorted(held.start, int(end_ms), "right"))
    for name, side, color in (("won", True, colors.up), ("lost", False, colors.down)):
        chosen = np.flatnonzero(held.won[lo:hi] == side) + lo
        if not len(chosen):
            continue
        xs = interleave(held.start[chosen] / 1000.0, held.end[chosen] / 1000.0)
        ys = interleave(held.entry[chosen], held.leave[chosen])
        line = implot.Spec(line_color=ImVec4(*color[:3], 0.8), line_weight=1.2, flags=_SEGMENTS | _NO_LEGEND)
        implot.plot_line(f"##held-{name}", xs, ys, line)
    if hi - lo > MOST_HELD:
        return
    draw = implot.get_plot_draw_list()
    implot.push_plot_clip_rect()
    for i in range(lo, hi):
        color = colors.up if held.won[i] else colors.down
        low = implot.plot_to_pixels(held.start[i] / 1000.0, held.entry[i])
        high = implot.plot_to_pixels(held.end[i] / 1000.0, held.leave[i])
        left, right, top, bottom = low.x, max(high.x, low.x + 1), min(low.y, high.y), max(low.y, high.y)
        tint = imgui.get_color_u32(ImVec4(*color[:3], 0.10))
        draw.add_rect_filled(ImVec2(left, top), ImVec2(right, max(bottom, top + 1)), tint)
    implot.pop_plot_clip_rect()


def nearest_trade(trades: TradeMarks, start_ms: float, end_ms: float) -> int:
    """Position of the fill under the pointer; −1 without one."""
    if not implot.is_plot_hovered():
        return -1
    limits, size, mouse = implot.get_plot_limits(), implot.get_plot_size(), implot.get_plot_mouse_pos()
    lo, hi = np.searchsorted(trades.time, (int(start_ms), int(end_ms)))
    if lo >= hi:
        return -1
    x = (trades.time[lo:hi] / 1000.0 - mouse.x) * size.x / max(limits.x.max - limits.x.min, 1e-9)
    y = (trades.price[lo:hi] - mouse.y) * size.y / max(limits.y.max - limits.y.min, 1e-12)
    distance = np.hypot(x, y)
    best = int(np.argmin(distance))
    return int(lo) + best if distance[best] <= NEAR else -1


def draw_candles(level: Level, block_ms: float, colors: ChartColors) -> None:
    """Wicks and bodies of all blocks of `level`. block_ms: length of one block on the axis."""
    limits = implot.get_plot_limits()
    width = body_width(block_ms / 1000)
    one_pixel = (limits.y.max - limits.y.min) / max(implot.get_plot_size().y, 1.0)
    centre = (level.time + block_ms / 2) / 1000.0
    opening, closing = level.values[OPEN], level.values[CLOSE]
    bottom, top = np.minimum(opening, closing), np.maximum(opening, closing)
    top = np.maximum(top, bottom + one_pixel)  # a body without height would not be drawn at all
    rising = closing >= opening
    for name, chosen, color in (("up", rising, colors.up), ("down", closing < opening, colors.down)):
        xs = np.repeat(centre[chosen], 2)
        tint = ImVec4(*color)
        wick = implot.Spec(line_color=tint, line_weight=1.0, flags=_SEGMENTS | _NO_LEGEND)
        implot.plot_line(f"##wick-{name}", xs, interleave(level.values[LOW][chosen], level.values[HIGH][chosen]), wick)
        if width > 1.0:
            body = implot.Spec(line_color=tint, line_weight=width, flags=_SEGMENTS | _NO_LEGEND)
            implot.plot_line(f"##body-{name}", xs, interleave(bottom[chosen], top[chosen]), body)


def draw_volume(level: Level, block_ms: float, colors: ChartColors) -> None:
    """Bars of the volume in the colours of their candles."""
    rising = level.values[CLOSE] >= level.values[OPEN]
    centre = (level.time + block_ms / 2) / 1000.0
    width = 0.7 * block_ms / 1000
    for name, chosen, color in (("##up", rising, colors.up), ("##down", ~rising, colors.down)):
        spec = implot.Spec(fill_color=ImVec4(*color[:3], 0.55), line_weight=0.0, flags=_NO_LEGEND)
        implot.plot_bars(name, centre[chosen], np.ascontiguousarray(level.values[VOLUME][chosen]), width, spec)


def draw_trades(trades: TradeMarks, start_ms: float, end_ms: float, colors: ChartColors) -> None:
    """Arrows at the fills in a range of time."""
    lo, hi = np.searchsorted(trades.time, (int(start_ms), int(end_ms)))
    for name, side, marker, color in (
        ("##buys", True, implot.Marker_.up, colors.buy),
        ("##sells", False, implot.Marker_.down, colors.sell),
    ):
        chosen = np.flatnonzero(trades.buy[lo:hi] == side) + lo
        spec = implot.Spec(
            marker=marker,
            marker_size=7,
            marker_fill_color=ImVec4(*color),
            marker_line_color=ImVec4(*colors.text),
            flags=_NO_LEGEND,
        )
        implot.plot_scatter(name, trades.time[chosen] / 1000.0, np.ascontiguousarray(trades.price[chosen]), spec)
