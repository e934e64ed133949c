"""The candle chart: candles, analyses over them and in panes below, and trade marks in one ImPlot figure.

All panes share the time axis (seconds UTC) and the crosshair; the legends tell the values under the pointer, or else the
newest ones. The pointer wheel zooms about the pointer, dragging pans, dragging the line between two panes changes their
heights; ←/→ pan, ↑/↓ zoom, Home/End go to the oldest and the newest bar. While the newest bar is in sight the chart follows
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atm.gui import chart_traces, time_axis, value_axis
from atm.gui.analysis_layout import Drawn, Layout, Pane
from atm.gui.analysis_series import AnalysisSeries
from atm.gui.chart_candles import (
    HeldMarks,
    TradeMarks,
    draw_candles,
    draw_held,
    draw_trades,
    draw_volume,
    nearest_trade,
)
from atm.gui.chart_colors import ChartColors, Color
from atm.gui.chart_pyramid import CLOSE, HIGH, LOW, OPEN, VOLUME, Level, Pyramid
from atm.gui.chart_traces import Sight
from atm.model.bars import Bar, Bars
from atm.model.indicator_style import Mark
from atm.model.interval import format_time

MOST_CANDLES = 1_600
MOST_BLOCKS = 1_600
PANE_HEIGHT = 0.24
"""Height of a pane that the user has not changed, as a part of the height of the prices."""
TICK_ROOM = 1.3
"""Room that a number on the axis of a pane takes, in font sizes."""
LETTER = 0.5
"""Width of a letter of a legend, in font sizes; where its entries have no room in a row they stand below each other."""
_VALUE_LETTERS = 12
_FIRST_VIEW = 180
_NO_LEGEND = int(implot.ItemFlags_.no_legend)
_PLOT = int(implot.Flags_.no_menus | implot.Flags_.no_mouse_text | implot.Flags_.no_title)
_NO_PRICES = (Mark.SHADE, Mark.ARROWS, Mark.PROFILE)
_VALUE_AXIS = implot.AxisFlags_.opposite | implot.AxisFlags_.no_highlight | implot.AxisFlags_.no_menus


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
class _Frame:
    """What all panes of one frame need. pointer: whether the pointer is over the chart; sight: None without an analysis."""

    level: Level
    colors: ChartColors
    forced: bool
    pointer: bool
    block_ms: float
    sight: Sight | None = None


@dataclass(slots=True)
class CandleChart:
    """One chart. Feed it with `set_bars`, then `put` for every change of the running bar and every new bar.

    heights: of panes by key, as parts of the height of the prices; changed by dragging. After `draw`: readings, the values
    told in the legends, by the names of their columns; areas, where each pane lies (left, top, right, bottom); pointed, the
    fill under the pointer, −1 without one.
    """

    identifier: str
    price_format: str = "%.4f"
    layout: Layout = field(default_factory=Layout)
    series: AnalysisSeries | None = None
    trades: TradeMarks | None = None
    held: HeldMarks | None = None
    pointed: int = -1
    levels: Sequence[tuple[str, float, Color]] = ()
    view: View = field(default_factory=View)
    heights: dict[str, float] = field(default_factory=dict)
    readings: dict[str, float] = field(default_factory=dict)
    areas: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    _pyramid: Pyramid | None = None
    _step_ms: int = 60_000
    _keys: tuple[str, ...] = ()
    _before: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    _spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    def set_bars(self, bars: Bars, *, keep_view: bool = False) -> None:
        """Replace all bars; the view goes to the newest unless `keep_view`."""
        self._pyramid = Pyramid(bars) if len(bars) else None
        self._step_ms = bars.interval.nominal_ms
        if self._pyramid is not None and not keep_view:
            self.go_to_newest()

    def grow(self, bars: Bars) -> None:
        """Replace all bars by those and later ones: the view stays, or follows if the newest bar was in sight."""
        newest = 0 if self._pyramid is None else int(self._pyramid.base.time[-1])
        following = self.view.start_ms <= newest <= self.view.end_ms
        self.set_bars(bars, keep_view=bool(newest))
        if newest and following and self._pyramid is not None:
            self._move(int(self._pyramid.base.time[-1]) - newest)

    def _move(self, ms: int) -> None:
        self.view.start_ms += ms
        self.view.end_ms += ms
        self.view.force = True

    def put(self, bar: Bar) -> None:
        """The running bar has changed, or a new one has begun. Follows it if the newest bar was in sight."""
        if self._pyramid is None:
            return
        newest = int(self._pyramid.base.time[-1])
        following = self.view.start_ms <= newest <= self.view.end_ms
        self._pyramid.put(bar)
        moved = int(self._pyramid.base.time[-1]) - newest
        if following and moved > 0:
            self._move(moved)

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
        self.readings.clear()
        self._before, self.areas = self.areas, {}
        panes = self.layout.panes
        keys = tuple(pane.key for pane in panes)
        if keys != self._keys:
            # ImPlot knows panes by their number: the axes of new ones begin anywhere
            self._keys, self.view.force = keys, True
        frame = self._frame(size, colors)
        flags = int(implot.SubplotFlags_.no_title | implot.SubplotFlags_.link_all_x | implot.SubplotFlags_.no_menus)
        ratios = implot.SubplotsRowColRatios()
        given = self._ratios(panes, size[1])
        ratios.row_ratios = given
        if implot.begin_subplots(f"##{self.identifier}", 1 + len(panes), 1, ImVec2(*size), flags, ratios):
            self._remember_heights(panes, given, ratios.row_ratios)
            self._draw_prices(frame, last=not panes)
            for pane in panes:
                self._draw_pane(pane, frame, last=pane is panes[-1])
            implot.end_subplots()

    def _ratios(self, panes: Sequence[Pane], height: float) -> list[float]:
        """Heights of prices and panes; the lowest one gets the room for the labels of the time axis beside."""
        ratios = [1.0, *(self.heights.get(pane.key, PANE_HEIGHT) for pane in panes)]
        labels = 2.4 * imgui.get_font_size() / max(height, 1.0)
        ratios[-1] += labels / (1 - min(labels, 0.5)) * sum(ratios)
        return ratios

    def _remember_heights(self, panes: Sequence[Pane], given: Sequence[float], dragged: Sequence[float]) -> None:
        """Take over what dragging the lines between panes has made of their heights."""
        if max(abs(a - b) for a, b in zip(given, dragged, strict=True)) < 1e-4:
            return
        for pane, before, after in zip(panes, given[1:], dragged[1:], strict=True):
            height = self.heights.get(pane.key, PANE_HEIGHT) + after - before
            self.heights[pane.key] = max(0.02, height / max(dragged[0] / given[0], 1e-3))

    def _frame(self, size: tuple[float, float], colors: ChartColors) -> _Frame:
        assert self._pyramid is not None
        level = self._pyramid.visible(self.view.start_ms, self.view.end_ms, MOST_CANDLES)
        corner, mouse = imgui.get_cursor_screen_pos(), imgui.get_mouse_pos()
        inside = 0 <= mouse.x - corner.x < size[0] and 0 <= mouse.y - corner.y < size[1]
        pointer = inside and imgui.is_window_hovered(int(imgui.HoveredFlags_.allow_when_blocked_by_active_item))
        forced, self.view.force = self.view.force, False
        block_ms = float(self._step_ms)
        if level.time.shape[0] >= 2:
            block_ms = float(np.median(np.diff(level.time)))
        return _Frame(level, colors, forced, pointer, block_ms)

    def _sight(self, frame: _Frame) -> Sight | None:
        """What is in sight of the analysis; needs a plot, for the pointer's place on the axis."""
        series = self.series
        if series is None or not len(series):
            return None
        stretch = series.in_sight(self.view.start_ms, self.view.end_ms, MOST_BLOCKS)
        index = len(series) - 1
        if frame.pointer:
            index = series.index_at(implot.get_plot_mouse_pos().x * 1000)
        return Sight(series, stretch, self._step_ms / 1000, index, frame.colors)

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

    # --- the prices

    def _draw_prices(self, frame: _Frame, *, last: bool) -> None:
        if not implot.begin_plot("##prices", ImVec2(-1, -1), _PLOT):
            return
        level, colors = frame.level, frame.colors
        self._setup_time_axis(frame.forced, labels=last)
        implot.setup_axis(implot.ImAxis_.y1, None, int(_VALUE_AXIS))
        implot.setup_axis_format(implot.ImAxis_.y1, self.price_format)
        if self.view.fit_price and level.time.shape[0]:
            low, high = float(np.nanmin(level.values[LOW])), float(np.nanmax(level.values[HIGH]))
            room = 0.06 * (high - low) or 0.001 * high or 1.0
            implot.setup_axis_limits(implot.ImAxis_.y1, low - room, high + room, implot.Cond_.always)
        left, _, right, _ = self._before.get("prices", (0.0, 0.0, 0.0, 0.0))
        room = (right - left) / (LETTER * imgui.get_font_size())
        in_a_row = sum(len(each.label) + _VALUE_LETTERS for each in self.layout.main if not each.shared) < room
        flag = implot.LegendFlags_.horizontal if in_a_row else implot.LegendFlags_.none
        implot.setup_legend(implot.Location_.north_west, int(flag))
        implot.setup_finish()
        self._remember_view()
        self._remember_area("prices")
        frame.sight = self._sight(frame)
        draw_candles(level, frame.block_ms, colors)
        self._draw_traces(self.layout.main, frame, prices=True)
        self._draw_fills(colors)
        self._draw_levels(colors)
        if frame.pointer:
            self._draw_candle_read_out(frame)
            self._draw_crosshair(frame, self.price_format, last=last)
        implot.end_plot()

    def _draw_fills(self, colors: ChartColors) -> None:
        start, end = self.view.start_ms, self.view.end_ms
        if self.held is not None:
            draw_held(self.held, start, end, colors)
        self.pointed = -1
        if self.trades is not None:
            draw_trades(self.trades, start, end, colors)
            self.pointed = nearest_trade(self.trades, start, end)

    def go_to(self, time_ms: int, bars: int = _FIRST_VIEW) -> None:
        """Show `bars` bars about a moment."""
        self.view.start_ms = time_ms - bars * self._step_ms / 2
        self.view.end_ms = time_ms + bars * self._step_ms / 2
        self.view.force = self.view.fit_price = True

    def _remember_view(self) -> None:
        limits = implot.get_plot_limits()
        self.view.start_ms = limits.x.min * 1000
        self.view.end_ms = limits.x.max * 1000

    def _remember_area(self, key: str) -> None:
        corner, size = implot.get_plot_pos(), implot.get_plot_size()
        self.areas[key] = (corner.x, corner.y, corner.x + size.x, corner.y + size.y)

    def _draw_traces(self, traces: Sequence[Drawn], frame: _Frame, *, prices: bool) -> None:
        sight = frame.sight
        if sight is None:
            return
        for drawn in traces:
            value = sight.value(drawn.place)
            self.readings[drawn.key] = value
            is_price = prices and drawn.mark not in _NO_PRICES and value == value
            chart_traces.draw(drawn, sight, self.price_format % value if is_price else chart_traces.short(value))

    def _draw_levels(self, colors: ChartColors) -> None:
        for label, price, color in self.levels:
            self._price_line(f"##{label}", price, color, label)
        if self._pyramid is not None and len(self._pyramid):
            values = self._pyramid.base.values
            rising = values[CLOSE, -1] >= values[OPEN, -1]
            self._price_line("##last", float(values[CLOSE, -1]), colors.up if rising else colors.down, "")

    def _price_line(self, identifier: str, price: float, color: Color, label: str) -> None:
        flags = _NO_LEGEND | int(implot.InfLinesFlags_.horizontal)
        spec = implot.Spec(line_color=ImVec4(*color[:3], 0.7), line_weight=1.0, flags=flags)
        implot.plot_inf_lines(identifier, np.array([price]), spec)
        implot.tag_y(price, ImVec4(*color), f"{label} {self.price_format % price}".strip())

    def _draw_crosshair(self, frame: _Frame, value_format: str, *, last: bool) -> None:
        """The line through all panes, its time below the last one; in the pane under the pointer the line across, its
        value on the axis."""
        mouse, limits = implot.get_plot_mouse_pos(), implot.get_plot_limits()
        color = imgui.get_color_u32(ImVec4(*frame.colors.crosshair))
        draw_list = implot.get_plot_draw_list()
        implot.push_plot_clip_rect()
        draw_list.add_line(
            implot.plot_to_pixels(mouse.x, limits.y.min), implot.plot_to_pixels(mouse.x, limits.y.max), color
        )
        across = limits.y.min <= mouse.y <= limits.y.max
        if across:
            draw_list.add_line(
                implot.plot_to_pixels(limits.x.min, mouse.y), implot.plot_to_pixels(limits.x.max, mouse.y), color
            )
        implot.pop_plot_clip_rect()
        if across:
            text = value_format % mouse.y if value_format else chart_traces.short(mouse.y)
            implot.tag_y(mouse.y, ImVec4(*frame.colors.crosshair), text)
        if last:
            implot.tag_x(mouse.x, ImVec4(*frame.colors.crosshair), format_time(int(mouse.x * 1000)))

    def _draw_candle_read_out(self, frame: _Frame) -> None:
        """Time and prices of the candle under the pointer, in the lower left corner."""
        level, colors = frame.level, frame.colors
        if not level.time.shape[0]:
            return
        limits = implot.get_plot_limits()
        time_ms = implot.get_plot_mouse_pos().x * 1000
        index = int(np.clip(np.searchsorted(level.time, int(time_ms), "right") - 1, 0, level.time.shape[0] - 1))
        o, h, lo, c, v = (float(x) for x in level.values[:, index])
        p = self.price_format
        text = f"{format_time(int(level.time[index]))}   O {p % o}   H {p % h}   L {p % lo}   C {p % c}   V {v:,.0f}"
        corner = implot.plot_to_pixels(limits.x.min, limits.y.min)
        tone = imgui.get_color_u32(ImVec4(*(colors.up if c >= o else colors.down)))
        implot.get_plot_draw_list().add_text(ImVec2(corner.x + 10, corner.y - 24), tone, text)

    # --- panes

    def _draw_pane(self, pane: Pane, frame: _Frame, *, last: bool) -> None:
        if not implot.begin_plot(f"##{pane.key}", ImVec2(-1, -1), _PLOT):
            return
        self._setup_time_axis(frame.forced, labels=last)
        fit = implot.AxisFlags_.auto_fit | implot.AxisFlags_.range_fit
        own = pane.bars is not None
        implot.setup_axis(implot.ImAxis_.y1, None, int(_VALUE_AXIS | (0 if own else fit)))
        if own:
            self._spans[pane.key] = (0.0, 1.15 * self._top(pane, frame))
            implot.setup_axis_limits(implot.ImAxis_.y1, *self._spans[pane.key], implot.Cond_.always)
        self._setup_ticks(pane)
        implot.setup_legend(implot.Location_.north_west, int(implot.LegendFlags_.horizontal))
        implot.setup_finish()
        self._remember_area(pane.key)
        self._draw_bars(pane, frame)
        if pane.levels:
            flags = _NO_LEGEND | int(implot.InfLinesFlags_.horizontal)
            spec = implot.Spec(line_color=ImVec4(*frame.colors.muted[:3], 0.4), line_weight=1.0, flags=flags)
            implot.plot_inf_lines("##levels", np.array(pane.levels, np.float64), spec)
        if not pane.empty:
            self._draw_traces(pane.drawn, frame, prices=False)
        if frame.pointer:
            self._draw_crosshair(frame, "", last=last)
        limits = implot.get_plot_limits()
        self._spans[pane.key] = (limits.y.min, limits.y.max)
        implot.end_plot()

    def _setup_ticks(self, pane: Pane) -> None:
        """Round numbers in the range of the last frame, as many as its height had room for."""
        _, top, _, bottom = self._before.get(pane.key, (0.0, 0.0, 0.0, 0.0))
        room = int((bottom - top) / (TICK_ROOM * imgui.get_font_size()))
        ticks = value_axis.ticks(*self._spans.get(pane.key, (0.0, 0.0)), room) if room and not pane.empty else []
        labels = [chart_traces.short(tick) for tick in ticks]
        implot.setup_axis_ticks(implot.ImAxis_.y1, ticks or [0.0], labels or [""], False)

    def _top(self, pane: Pane, frame: _Frame) -> float:
        """The tallest bar of a pane in sight; 1 without any."""
        if pane.bars == -1 or frame.sight is None or pane.bars is None:
            values = frame.level.values[VOLUME]
        else:
            values = frame.sight.series.values(pane.bars, frame.sight.stretch)
        top = float(np.fmax.reduce(values, initial=0.0)) if len(values) else 0.0
        return top or 1.0

    def _draw_bars(self, pane: Pane, frame: _Frame) -> None:
        if pane.bars == -1:
            draw_volume(frame.level, frame.block_ms, frame.colors)
        elif pane.bars is not None and frame.sight is not None:
            seconds, values, step_s = frame.sight.sparse(pane.bars)
            spec = implot.Spec(fill_color=ImVec4(*frame.colors.muted[:3], 0.45), line_weight=0.0, flags=_NO_LEGEND)
            implot.plot_bars("##bars", seconds, values, 0.7 * step_s, spec)
