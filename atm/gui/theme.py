"""Colours, spacing and rounding of the window, in one place. Two themes; three pairs of colours for up and down.

Colours are (red, green, blue, alpha) in 0 … 1. Text has a contrast of at least 4.5 : 1 on the panels of its theme,
graphics at least 3 : 1 (tested).
"""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import ImVec2, ImVec4, imgui, implot

from atm.gui.chart_colors import ChartColors

Color = tuple[float, float, float, float]


def hexa(code: str, alpha: float = 1.0) -> Color:
    """A colour from "rrggbb"."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return (red, green, blue, alpha)


def fade(color: Color, alpha: float) -> Color:
    """The same colour with another opacity."""
    return (*color[:3], alpha)


@dataclass(frozen=True, slots=True)
class Palette:
    """Roles of colour. window: behind everything; panel: cards; raised: fields and headers on cards; border; text,
    muted (secondary), faint (decoration); accent (selection, links), on_accent (text on it); up, down; warning; info."""

    window: Color
    panel: Color
    raised: Color
    hovered: Color
    border: Color
    text: Color
    muted: Color
    faint: Color
    accent: Color
    on_accent: Color
    up: Color
    down: Color
    warning: Color
    info: Color
    good: Color
    bad: Color


DIRECTION_COLORS: dict[str, dict[str, tuple[str, str]]] = {
    "dark": {
        "green_red": ("2ebd85", "f6465d"),
        "red_blue": ("f6465d", "5b9bff"),
        "blue_orange": ("4aa8ff", "ff9a3d"),
    },
    "light": {
        "green_red": ("0b7a52", "c9223c"),
        "red_blue": ("c9223c", "1c5fd1"),
        "blue_orange": ("1265c4", "a85208"),
    },
}

LINE_COLORS = {
    "dark": ("f0b90b", "56b4e9", "d783b5", "00a37a", "d55e00", "f7f3b0", "6a6aff", "a6f0d8"),
    "light": ("b06a00", "0072b2", "c2549b", "00694f", "8a1c00", "2b2b2b", "4b1d9e", "2b98c8"),
}
"""Told apart by colour-blind eyes too (tested), after the palette of Okabe and Ito."""


def palette(theme: str, direction_colors: str) -> Palette:
    """The colours of a theme ("dark" or "light") with a pair for up and down."""
    up, down = (hexa(code) for code in DIRECTION_COLORS[theme][direction_colors])
    if theme == "light":
        return Palette(
            window=hexa("eef1f5"), panel=hexa("ffffff"), raised=hexa("f3f5f8"), hovered=hexa("e4e9f0"),
            border=hexa("d5dbe4"), text=hexa("161b24"), muted=hexa("566071"), faint=hexa("8f99a8"),
            accent=hexa("1f5fd6"), on_accent=hexa("ffffff"), up=up, down=down,
            warning=hexa("8f5a00"), info=hexa("1f5fd6"), good=hexa("0b7a52"), bad=hexa("c9223c"),
        )  # fmt: skip
    return Palette(
        window=hexa("0b0e13"), panel=hexa("12161d"), raised=hexa("1a2029"), hovered=hexa("232b37"),
        border=hexa("252c38"), text=hexa("e6eaf0"), muted=hexa("96a1b2"), faint=hexa("6b7688"),
        accent=hexa("4c8dff"), on_accent=hexa("08101f"), up=up, down=down,
        warning=hexa("f0b429"), info=hexa("6ea8fe"), good=hexa("2ebd85"), bad=hexa("f6465d"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme as chosen. scale: of all sizes; text sizes in unscaled pixels."""

    name: str
    colors: Palette
    scale: float = 1.0

    SMALL = 13.0
    BODY = 15.0
    TITLE = 20.0
    FIGURE = 24.0

    @staticmethod
    def of(name: str, direction_colors: str, scale: float) -> Theme:
        return Theme(name, palette(name, direction_colors), scale)

    def px(self, pixels: float) -> float:
        """A length on the screen."""
        return pixels * self.scale

    def chart_colors(self) -> ChartColors:
        c = self.colors
        return ChartColors(
            up=c.up, down=c.down, text=c.text, muted=c.muted, grid=fade(c.border, 0.6), crosshair=c.faint,
            buy=c.up, sell=c.down, panel=c.panel,
        )  # fmt: skip

    def line_color(self, index: int) -> Color:
        """Distinct colours for lines, in a fixed order."""
        codes = LINE_COLORS[self.name]
        return hexa(codes[index % len(codes)])

    def apply(self) -> None:
        """Make the present ImGui and ImPlot contexts look like this theme."""
        style = imgui.get_style()
        imgui.style_colors_dark() if self.name == "dark" else imgui.style_colors_light()
        fresh = imgui.Style()
        for name in _LENGTHS:
            setattr(style, name, getattr(fresh, name))
        _set_lengths(style)
        style.scale_all_sizes(self.scale)
        style.font_size_base = self.BODY
        style.font_scale_main = self.scale
        self._apply_colors(style)
        self._apply_plot()

    def _apply_colors(self, style: imgui.Style) -> None:
        c = self.colors
        clear = fade(c.panel, 0.0)
        by_role = {
            "text": c.text, "text_disabled": c.faint, "window_bg": c.window, "child_bg": clear, "popup_bg": c.panel,
            "border": c.border, "border_shadow": clear, "frame_bg": c.raised, "frame_bg_hovered": c.hovered,
            "frame_bg_active": c.hovered, "title_bg": c.panel, "title_bg_active": c.panel, "menu_bar_bg": c.panel,
            "scrollbar_bg": clear, "scrollbar_grab": fade(c.faint, 0.45), "scrollbar_grab_hovered": fade(c.faint, 0.7),
            "scrollbar_grab_active": c.faint, "check_mark": c.accent, "slider_grab": c.accent,
            "slider_grab_active": c.accent, "button": c.raised, "button_hovered": c.hovered, "button_active": c.border,
            "header": fade(c.accent, 0.18), "header_hovered": fade(c.accent, 0.12), "header_active": fade(c.accent, 0.25),
            "separator": c.border, "separator_hovered": c.accent, "separator_active": c.accent,
            "resize_grip": clear, "tab": c.raised, "tab_hovered": c.hovered, "tab_selected": c.panel,
            "table_header_bg": c.raised, "table_border_strong": c.border, "table_border_light": fade(c.border, 0.6),
            "table_row_bg": clear, "table_row_bg_alt": fade(c.raised, 0.5), "text_selected_bg": fade(c.accent, 0.35),
            "plot_histogram": c.accent, "plot_lines": c.accent, "nav_cursor": c.accent,
            "modal_window_dim_bg": (0.0, 0.0, 0.0, 0.55), "drag_drop_target": c.accent,
        }  # fmt: skip
        for role, color in by_role.items():
            style.set_color_(getattr(imgui.Col_, role), ImVec4(*color))

    def _apply_plot(self) -> None:
        c = self.colors
        style = implot.get_style()
        style.plot_padding = ImVec2(self.px(6), self.px(6))
        style.plot_border_size = 0
        style.legend_padding = ImVec2(self.px(6), self.px(4))
        style.legend_inner_padding = ImVec2(self.px(3), self.px(1))
        style.legend_spacing = ImVec2(self.px(8), 0)
        style.use24_hour_clock = True
        style.use_iso8601 = True
        style.use_local_time = False
        style.minor_alpha = 0.15
        style.plot_min_size = ImVec2(self.px(60), self.px(30))
        clear = fade(c.panel, 0.0)
        by_role = {
            "frame_bg": clear, "plot_bg": clear, "plot_border": c.border, "legend_bg": fade(c.panel, 0.6),
            "legend_border": clear, "legend_text": c.muted, "title_text": c.text, "inlay_text": c.text,
            "axis_text": c.muted, "axis_grid": fade(c.border, 0.8), "axis_tick": c.border, "axis_bg": clear,
            "axis_bg_hovered": fade(c.hovered, 0.6), "axis_bg_active": c.hovered, "selection": c.accent,
            "crosshairs": c.faint,
        }  # fmt: skip
        for role, color in by_role.items():
            style.set_color_(getattr(implot.Col_, role), ImVec4(*color))


_LENGTHS = (
    "window_padding", "frame_padding", "item_spacing", "item_inner_spacing", "cell_padding", "indent_spacing",
    "scrollbar_size", "grab_min_size", "window_rounding", "child_rounding", "frame_rounding", "popup_rounding",
    "scrollbar_rounding", "grab_rounding", "tab_rounding", "columns_min_spacing", "touch_extra_padding",
    "tab_min_width_base", "tab_bar_overline_size", "log_slider_deadzone", "separator_text_padding",
    "display_window_padding", "display_safe_area_padding", "mouse_cursor_scale", "window_min_size",
    "window_border_hover_padding", "separator_text_border_size", "image_border_size", "tree_lines_rounding",
)  # fmt: skip
"""Lengths that `scale_all_sizes` multiplies: they start from ImGui's own before each scaling."""


def _set_lengths(style: imgui.Style) -> None:
    style.window_padding = ImVec2(16, 14)
    style.frame_padding = ImVec2(10, 6)
    style.item_spacing = ImVec2(10, 8)
    style.item_inner_spacing = ImVec2(8, 6)
    style.cell_padding = ImVec2(8, 4)
    style.scrollbar_size = 11
    style.window_rounding = 0
    style.child_rounding = 8
    style.frame_rounding = 5
    style.popup_rounding = 8
    style.scrollbar_rounding = 6
    style.grab_rounding = 4
    style.tab_rounding = 5
    style.window_border_size = 0
    style.child_border_size = 1
    style.frame_border_size = 0
    style.popup_border_size = 1
