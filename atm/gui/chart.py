"""The candle chart: candles, volume, overlays and trade marks in one ImPlot figure.

Everything is drawn from numpy columns: wicks and bodies are two `plot_line` calls of segments each (bodies as thick
segments), so a frame costs the same for five hundred candles and for five million (see `chart_pyramid`).
Times on the axis are seconds UTC. The pointer wheel zooms about the pointer, dragging pans; ←/→ pan, ↑/↓ zoom,
Home/End go to the oldest and the newest bar. While the newest bar is in sight the chart follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot
from numpy.typing import NDArray

from atm.gui import time_axis
from atm.gui.chart_pyramid import CLOSE, HIGH, LOW, OPEN, VOLUME, Level, Pyramid
from atm.model.bars import Bar, Bars
from atm.model.interval import format_time

Color = tuple[float, float, float, float]

MOST_CANDLES = 1_600
MOST_OVERLAY_POINTS = 4_000
_FIRST_VIEW = 180
_SEGMENTS = int(implot.LineFlags_.segments)
_NO_LEGEND = int(implot.ItemFlags_.no_legend)


@dataclass(frozen=True, slots=True)
class ChartColors:
    """Colours of a theme. up and down are the user's pair; the rest follows the theme."""

    up: Color
    down: Color
    text: Color
    grid: Color
    crosshair: Color
    buy: Color
    sell: Color


@dataclass(frozen=True, slots=True)
class Overlay:
    """A line (or dots) over the candles. time int64 ms (n,), value float64 (n,), NaN where there is none."""

    label: str
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    color: Color
    dots: bool = False
    width: float = 1.4


@dataclass(frozen=True, slots=True)
class TradeMarks:
    """Fills on the chart. time int64 ms (n,), price float64 (n,), buy bool (n,)."""

    time: NDArray[np.int64]
    price: NDArray[np.float64]
    buy: NDArray[np.bool_]


@dataclass(slots=True)
class View:
    """The visible time range in ms and what the next frame shall do with it."""

    start_ms: float = 0.0
    end_ms: float = 1.0
    force: bool = True
    fit_price: bool = True

    def pan(self, share: float) -> None:
        width = self.end_ms - self.start_ms
        self.start_ms += share * width
        self.end_ms += share * width
        self.force = True

    def zoom(self, factor: float) -> None:
        """Zoom about the right edge; factor < 1 comes nearer."""
        self.start_ms = self.end_ms - (self.end_ms - self.start_ms) * factor
        self.force = True


@dataclass(slots=True)
class CandleChart:
    """One chart. Feed it with `set_bars`, then `put` for every change of the running bar and every new bar."""

    identifier: str
    price_format: str = "%.4f"
    overlays: Sequence[Overlay] = ()
    trades: TradeMarks | None = None
    levels: Sequence[tuple[str, float, Color]] = ()
    view: View = field(default_factory=View)
    _pyramid: Pyramid | None = None
    _step_ms: int = 60_000

    def set_bars(self, bars: Bars, *, keep_view: bool = False) -> None:
        """Replace all bars; the view goes to the newest unless `keep_view`."""
        self._pyramid = Pyramid(bars) if len(bars) else None
        self._step_ms = bars.interval.nominal_ms
        if self._pyramid is not None and not keep_view:
            self.go_to_newest()

    def put(self, bar: Bar) -> None:
        """The running bar has changed, or a new one has begun. Follows it if the newest bar was in sight."""
        if self._pyramid is None:
            return
        newest = int(self._pyramid.base.time[-1])
        following = self.view.start_ms <= newest <= self.view.end_ms
        self._pyramid.put(bar)
        moved = int(self._pyramid.base.time[-1]) - newest
        if following and moved > 0:
            self.view.start_ms += moved
            self.view.end_ms += moved
            self.view.force = True

    def go_to_newest(self, bars: int = _FIRST_VIEW) -> None:
        """Show the newest `bars` bars with some room to the right."""
        if self._pyramid is None:
            return
        newest = int(self._pyramid.base.time[-1])
        self.view.end_ms = newest + 0.06 * bars * self._step_ms
        self.view.start_ms = newest - bars * self._step_ms
        self.view.force = True
        self.view.fit_price = True

    def draw(self, size: tuple[float, float], colors: ChartColors) -> None:
        """Draw into the present ImGui window. size in pixels (width, height)."""
        if self._pyramid is None:
            return
        self._handle_keys()
        level = self._pyramid.visible(self.view.start_ms, self.view.end_ms, MOST_CANDLES)
        flags = int(implot.SubplotFlags_.no_title | implot.SubplotFlags_.link_all_x | implot.SubplotFlags_.no_menus)
        ratios = implot.SubplotsRowColRatios()
        ratios.row_ratios = [0.8, 0.2]
        forced = self.view.force
        self.view.force = False
        if implot.begin_subplots(f"##{self.identifier}", 2, 1, ImVec2(*size), flags, ratios):
            self._draw_prices(level, colors, forced)
            self._draw_volume(level, colors, forced)
            implot.end_subplots()

    def _handle_keys(self) -> None:
        if not imgui.is_window_focused() or imgui.get_io().want_text_input:
            return
        far = 0.5 if imgui.get_io().key_shift else 0.1
        if imgui.is_key_pressed(imgui.Key.left_arrow):
            self.view.pan(-far)
        if imgui.is_key_pressed(imgui.Key.right_arrow):
            self.view.pan(far)
        if imgui.is_key_pressed(imgui.Key.up_arrow):
            self.view.zoom(0.8)
        if imgui.is_key_pressed(imgui.Key.down_arrow):
            self.view.zoom(1.25)
        if imgui.is_key_pressed(imgui.Key.end):
            self.go_to_newest()
        if imgui.is_key_pressed(imgui.Key.home) and self._pyramid is not None:
            width = self.view.end_ms - self.view.start_ms
            self.view.start_ms = float(self._pyramid.base.time[0])
            self.view.end_ms = self.view.start_ms + width
            self.view.force = True

    def _setup_time_axis(self, forced: bool, *, labels: bool) -> None:
        flags = implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus
        if not labels:
            flags |= implot.AxisFlags_.no_tick_labels
        implot.setup_axis(implot.ImAxis_.x1, None, int(flags))
        implot.setup_axis_scale(implot.ImAxis_.x1, implot.Scale_.time)
        time_axis.set_up(self.view.start_ms / 1000, self.view.end_ms / 1000)
        condition = implot.Cond_.always if forced else implot.Cond_.once
        implot.setup_axis_limits(implot.ImAxis_.x1, self.view.start_ms / 1000, self.view.end_ms / 1000, condition)

    def _draw_prices(self, level: Level, colors: ChartColors, forced: bool) -> None:
        flags = int(implot.Flags_.no_menus | implot.Flags_.no_mouse_text | implot.Flags_.no_title)
        if not implot.begin_plot("##prices", ImVec2(-1, -1), flags):
            return
        self._setup_time_axis(forced, labels=False)
        opposite = int(implot.AxisFlags_.opposite | implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus)
        implot.setup_axis(implot.ImAxis_.y1, None, opposite)
        implot.setup_axis_format(implot.ImAxis_.y1, self.price_format)
        if self.view.fit_price and level.time.shape[0]:
            low, high = float(np.nanmin(level.values[LOW])), float(np.nanmax(level.values[HIGH]))
            room = 0.06 * (high - low) or 0.001 * high or 1.0
            implot.setup_axis_limits(implot.ImAxis_.y1, low - room, high + room, implot.Cond_.always)
        implot.setup_legend(implot.Location_.north_west, int(implot.LegendFlags_.horizontal))
        implot.setup_finish()
        self._remember_view()
        draw_candles(level, self._block_ms(level), colors)
        self._draw_overlays()
        self._draw_trades(colors)
        self._draw_levels(level, colors)
        if implot.is_plot_hovered():
            self._draw_crosshair(level, colors)
        implot.end_plot()

    def _remember_view(self) -> None:
        limits = implot.get_plot_limits()
        self.view.start_ms = limits.x.min * 1000
        self.view.end_ms = limits.x.max * 1000

    def _block_ms(self, level: Level) -> float:
        if level.time.shape[0] < 2:
            return float(self._step_ms)
        return float(np.median(np.diff(level.time)))

    def _draw_overlays(self) -> None:
        for overlay in self.overlays:
            lo = max(0, int(np.searchsorted(overlay.time, self.view.start_ms)) - 1)
            hi = int(np.searchsorted(overlay.time, self.view.end_ms, "right")) + 1
            stride = max(1, (hi - lo) // MOST_OVERLAY_POINTS)
            xs = overlay.time[lo:hi:stride] / 1000.0
            ys = np.ascontiguousarray(overlay.value[lo:hi:stride])
            color = ImVec4(*overlay.color)
            if overlay.dots:
                spec = implot.Spec(
                    marker=implot.Marker_.circle, marker_size=1.8, marker_fill_color=color, marker_line_color=color
                )
                implot.plot_scatter(overlay.label, xs, ys, spec)
            else:
                implot.plot_line(overlay.label, xs, ys, implot.Spec(line_color=color, line_weight=overlay.width))

    def _draw_trades(self, colors: ChartColors) -> None:
        if self.trades is None:
            return
        lo, hi = np.searchsorted(self.trades.time, (self.view.start_ms, self.view.end_ms))
        for name, side, marker, color in (
            ("##buys", True, implot.Marker_.up, colors.buy),
            ("##sells", False, implot.Marker_.down, colors.sell),
        ):
            chosen = np.flatnonzero(self.trades.buy[lo:hi] == side) + lo
            xs = self.trades.time[chosen] / 1000.0
            ys = np.ascontiguousarray(self.trades.price[chosen])
            spec = implot.Spec(
                marker=marker,
                marker_size=7,
                marker_fill_color=ImVec4(*color),
                marker_line_color=ImVec4(*colors.text),
                flags=_NO_LEGEND,
            )
            implot.plot_scatter(name, xs, ys, spec)

    def _draw_levels(self, level: Level, colors: ChartColors) -> None:
        for label, price, color in self.levels:
            self._price_line(f"##{label}", price, color, label)
        if level.time.shape[0] and self._pyramid is not None:
            values = self._pyramid.base.values
            rising = values[CLOSE, -1] >= values[OPEN, -1]
            self._price_line("##last", float(values[CLOSE, -1]), colors.up if rising else colors.down, "")

    def _price_line(self, identifier: str, price: float, color: Color, label: str) -> None:
        flags = _NO_LEGEND | int(implot.InfLinesFlags_.horizontal)
        spec = implot.Spec(line_color=ImVec4(*color[:3], 0.7), line_weight=1.0, flags=flags)
        implot.plot_inf_lines(identifier, np.array([price]), spec)
        implot.tag_y(price, ImVec4(*color), f"{label} {self.price_format % price}".strip())

    def _draw_crosshair(self, level: Level, colors: ChartColors) -> None:
        mouse = implot.get_plot_mouse_pos()
        if not level.time.shape[0]:
            return
        limits = implot.get_plot_limits()
        color = imgui.get_color_u32(ImVec4(*colors.crosshair))
        draw_list = implot.get_plot_draw_list()
        implot.push_plot_clip_rect()
        draw_list.add_line(
            implot.plot_to_pixels(mouse.x, limits.y.min), implot.plot_to_pixels(mouse.x, limits.y.max), color
        )
        draw_list.add_line(
            implot.plot_to_pixels(limits.x.min, mouse.y), implot.plot_to_pixels(limits.x.max, mouse.y), color
        )
        index = int(np.clip(np.searchsorted(level.time, mouse.x * 1000, "right") - 1, 0, level.time.shape[0] - 1))
        o, h, lo, c, v = (float(x) for x in level.values[:, index])
        p = self.price_format
        text = f"{format_time(int(level.time[index]))}   O {p % o}   H {p % h}   L {p % lo}   C {p % c}   V {v:,.0f}"
        corner = implot.plot_to_pixels(limits.x.min, limits.y.min)
        tone = imgui.get_color_u32(ImVec4(*(colors.up if c >= o else colors.down)))
        draw_list.add_text(ImVec2(corner.x + 10, corner.y - 24), tone, text)
        implot.pop_plot_clip_rect()
        implot.tag_y(mouse.y, ImVec4(*colors.crosshair), p % mouse.y)

    def _draw_volume(self, level: Level, colors: ChartColors, forced: bool) -> None:
        flags = int(implot.Flags_.no_menus | implot.Flags_.no_mouse_text | implot.Flags_.no_legend)
        if not implot.begin_plot("##volume", ImVec2(-1, -1), flags):
            return
        self._setup_time_axis(forced, labels=True)
        opposite = int(
            implot.AxisFlags_.opposite
            | implot.AxisFlags_.no_highlight
            | implot.AxisFlags_.no_menus
            | implot.AxisFlags_.no_tick_labels
        )
        implot.setup_axis(implot.ImAxis_.y1, None, opposite)
        top = float(np.nanmax(level.values[VOLUME])) if level.time.shape[0] else 1.0
        implot.setup_axis_limits(implot.ImAxis_.y1, 0, 1.15 * top or 1.0, implot.Cond_.always)
        implot.setup_finish()
        rising = level.values[CLOSE] >= level.values[OPEN]
        centre = (level.time + self._block_ms(level) / 2) / 1000.0
        for name, chosen, color in (("##up", rising, colors.up), ("##down", ~rising, colors.down)):
            spec = implot.Spec(fill_color=ImVec4(*color[:3], 0.55), line_weight=0.0)
            width = 0.7 * self._block_ms(level) / 1000
            implot.plot_bars(name, centre[chosen], np.ascontiguousarray(level.values[VOLUME][chosen]), width, spec)
        implot.end_plot()


def draw_candles(level: Level, block_ms: float, colors: ChartColors) -> None:
    """Wicks and bodies of all blocks of `level`, inside an ImPlot plot. block_ms: length of one block on the axis."""
    limits = implot.get_plot_limits()
    pixels = implot.get_plot_size()
    per_second = pixels.x / max(limits.x.max - limits.x.min, 1e-9)
    body_width = max(1.0, 0.7 * per_second * block_ms / 1000)
    one_pixel = (limits.y.max - limits.y.min) / max(pixels.y, 1.0)
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
        if body_width > 1.0:
            body = implot.Spec(line_color=tint, line_weight=body_width, flags=_SEGMENTS | _NO_LEGEND)
            implot.plot_line(f"##body-{name}", xs, interleave(bottom[chosen], top[chosen]), body)


def interleave(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """a0 b0 a1 b1 …"""
    both = np.empty(2 * first.shape[0])
    both[0::2] = first
    both[1::2] = second
    return both
