"""What surrounds every page: side bar, title with mode badge, status bar, toasts, notification list, shortcuts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.kill_switch import draw_kill_switch
from atm.gui.notifications import draw_list, draw_toasts
from atm.gui.rate_limit import draw_rate_limit
from atm.gui.theme import Color, fade
from atm.gui.ui import PageName, Ui
from atm.model.endpoint import Endpoint

ICONS = {
    PageName.DASHBOARD: icons.DASHBOARD,
    PageName.MARKET: icons.MARKET,
    PageName.ANALYSIS: icons.ANALYSIS,
    PageName.AUTO_TRADE: icons.AUTO_TRADE,
    PageName.ACCOUNTS: icons.ACCOUNTS,
    PageName.HISTORY: icons.HISTORY,
    PageName.SIMULATION: icons.SIMULATION,
    PageName.RESULT: icons.RESULT,
    PageName.DATABASE: icons.DATABASE,
    PageName.NETWORK: icons.NETWORK,
    PageName.DEMO: icons.SERVER,
    PageName.SETTINGS: icons.SETTINGS,
}
SIDE_BAR = 216.0
SIDE_BAR_CLOSED = 60.0
NARROW = 1_100.0
"""Below this width (unscaled) the side bar shows icons only."""
TOP_BAR = 54.0
STATUS_BAR = 32.0
_FIXED = int(
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_bring_to_front_on_focus
    | imgui.WindowFlags_.no_nav_focus
)


class Page(Protocol):
    """Draws itself into the present ImGui window, of which it may use all that is left."""

    def draw(self, ui: Ui) -> None: ...


@runtime_checkable
class Leavable(Protocol):
    """A page that holds something of other processes while it is shown."""

    def left(self, ui: Ui) -> None:
        """Another page is shown from now on."""


@dataclass(slots=True)
class Shell:
    """Draws one whole frame. pages: every page by its name."""

    pages: dict[PageName, Page]
    notices_open: bool = False
    _shown: PageName | None = field(default=None)

    def draw(self, ui: Ui) -> None:
        """Build the frame between ImGui's new_frame and render."""
        ui.model.expire_toasts(ui.now_ms)
        self._shortcuts(ui)
        display = imgui.get_io().display_size
        side = ui.px(SIDE_BAR if _side_bar_open(ui) else SIDE_BAR_CLOSED)
        top, bottom = ui.px(TOP_BAR), ui.px(STATUS_BAR)
        self._region(ui, "side bar", (0, 0, side, display.y), ui.colors.panel, self._side_bar)
        self._region(ui, "top bar", (side, 0, display.x - side, top), ui.colors.panel, self._top_bar)
        page = (side, top, display.x - side, display.y - top - bottom)
        self._region(ui, "page", page, ui.colors.window, self._page)
        status = (side, display.y - bottom, display.x - side, bottom)
        self._region(ui, "status bar", status, ui.colors.panel, self._status_bar)
        self._lines(ui, side, top, bottom, display)
        draw_toasts(ui, (display.x - ui.px(18), display.y - bottom - ui.px(14)))
        if self.notices_open:
            self.notices_open = draw_list(ui, (display.x - ui.px(12), top + ui.px(8)), display.y - top - bottom)

    def _region(self, ui: Ui, name: str, place: tuple[float, ...], color: Color, draw: object) -> None:
        x, y, width, height = place
        imgui.set_next_window_pos(ImVec2(x, y))
        imgui.set_next_window_size(ImVec2(width, height))
        imgui.push_style_color(imgui.Col_.window_bg, ImVec4(*color))
        flags = _FIXED
        if name != "page":
            flags |= int(imgui.WindowFlags_.no_scroll_with_mouse)
        else:
            flags &= ~int(imgui.WindowFlags_.no_scrollbar)
        imgui.begin(f"##{name}", None, flags)
        imgui.pop_style_color()
        draw(ui)  # type: ignore[operator]
        imgui.end()

    def _lines(self, ui: Ui, side: float, top: float, bottom: float, display: ImVec2) -> None:
        """Hairlines between the regions."""
        draw = imgui.get_foreground_draw_list()
        color = widgets.u32(ui.colors.border)
        draw.add_line(ImVec2(side, 0), ImVec2(side, display.y), color)
        draw.add_line(ImVec2(side, top), ImVec2(display.x, top), color)
        draw.add_line(ImVec2(side, display.y - bottom), ImVec2(display.x, display.y - bottom), color)

    def _shortcuts(self, ui: Ui) -> None:
        if imgui.is_key_pressed(imgui.Key.f11, False):
            ui.on_full_screen()
        if imgui.get_io().key_ctrl:
            for number, name in enumerate(list(PageName)[:9], 1):
                if imgui.is_key_pressed(getattr(imgui.Key, f"_{number}"), False):
                    ui.go(name)

    # --- side bar

    def _side_bar(self, ui: Ui) -> None:
        opened = _side_bar_open(ui)
        self._brand(ui, opened)
        imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(0, ui.px(3)))
        for number, name in enumerate(PageName, 1):
            if name is PageName.DEMO and ui.model.endpoint is not Endpoint.DEMO:
                continue
            if name is PageName.SETTINGS:
                last = imgui.get_window_height() - ui.px(52)
                imgui.set_cursor_pos_y(max(imgui.get_cursor_pos_y(), last))
            self._entry(ui, name, number, opened)
        imgui.pop_style_var()

    def _brand(self, ui: Ui, opened: bool) -> None:
        imgui.set_cursor_pos(ImVec2(ui.px(14), ui.px(13)))
        imgui.push_style_color(imgui.Col_.button, ImVec4(*fade(ui.colors.panel, 0)))
        if imgui.button(f"{icons.MENU}##side", ImVec2(ui.px(32), ui.px(28))):
            ui.preferences.side_bar_open = not opened
            ui.on_preferences()
        ui.mark("side.toggle")
        imgui.pop_style_color()
        if opened:
            imgui.same_line()
            imgui.set_cursor_pos_y(ui.px(15))
            ui.text("Auto Trade Machine", size=ui.theme.BODY, bold=True)
        imgui.set_cursor_pos_y(ui.px(TOP_BAR + 10))

    def _entry(self, ui: Ui, name: PageName, number: int, opened: bool) -> None:
        c = ui.colors
        chosen = ui.page is name
        height = ui.px(38)
        width = imgui.get_window_width() - ui.px(20)
        imgui.set_cursor_pos_x(ui.px(10))
        low = imgui.get_cursor_screen_pos()
        low = ImVec2(low.x, low.y)
        if imgui.invisible_button(f"##{name.value}", ImVec2(width, height)):
            ui.go(name)
        ui.mark(f"page.{name.value}")
        label = ui.t(f"page.{name.value}")
        if not opened:
            widgets.tooltip(label)
        draw = imgui.get_window_draw_list()
        high = ImVec2(low.x + width, low.y + height)
        if chosen or imgui.is_item_hovered():
            draw.add_rect_filled(low, high, widgets.u32(fade(c.accent, 0.16) if chosen else c.raised), ui.px(6))
        ink = widgets.u32(c.accent if chosen else c.muted)
        line = imgui.get_text_line_height()
        middle = low.y + (height - line) / 2
        icon = imgui.calc_text_size(ICONS[name]).x
        draw.add_text(ImVec2(low.x + ui.px(20) - icon / 2, middle), ink, ICONS[name])
        if opened:
            draw.add_text(ImVec2(low.x + ui.px(40), middle), widgets.u32(c.text if chosen else c.muted), label)
            if number <= 9 and imgui.is_item_hovered():
                hint = f"Ctrl {number}"
                size = imgui.calc_text_size(hint).x
                draw.add_text(ImVec2(high.x - size - ui.px(10), middle), widgets.u32(c.faint), hint)

    # --- title and status

    def _top_bar(self, ui: Ui) -> None:
        imgui.set_cursor_pos(ImVec2(ui.px(20), ui.px(13)))
        ui.text(ui.t(f"page.{ui.page.value}"), size=ui.theme.TITLE, bold=True)
        imgui.same_line(0, ui.px(14))
        imgui.set_cursor_pos_y(ui.px(16))
        endpoint = ui.model.endpoint
        color = {Endpoint.DEMO: ui.colors.info, Endpoint.TESTNET: ui.colors.warning, Endpoint.LIVE: ui.colors.bad}
        widgets.badge(ui, endpoint.name, color[endpoint], filled=endpoint is Endpoint.LIVE)
        demo = ui.model.demo
        if demo is not None:
            imgui.same_line(0, ui.px(6))
            imgui.set_cursor_pos_y(ui.px(16))
            held = demo.state.paused
            pace = ui.t("demo.held") if held else f"{demo.state.speed:g}×"
            widgets.badge(ui, pace, ui.colors.warning if held else ui.colors.muted)
        widgets.tooltip(ui.t(f"endpoint.{endpoint.value}"))
        draw_kill_switch(ui, self._bell(ui))

    def _bell(self, ui: Ui) -> float:
        """Its left edge in the window."""
        label = f"{icons.BELL}  {ui.model.unread}" if ui.model.unread else icons.BELL
        width = imgui.calc_text_size(label).x + ui.px(24)
        imgui.set_cursor_pos(ImVec2(imgui.get_window_width() - width - ui.px(14), ui.px(11)))
        imgui.push_style_color(imgui.Col_.button, ImVec4(*(ui.colors.raised)))
        ink = ui.colors.warning if ui.model.unread else ui.colors.muted
        imgui.push_style_color(imgui.Col_.text, ImVec4(*ink))
        if imgui.button(f"{label}##bell", ImVec2(width, ui.px(32))):
            self.notices_open = not self.notices_open
            ui.model.unread = 0
        ui.mark("bell")
        imgui.pop_style_color(2)
        widgets.tooltip(ui.t("notices.title"))
        return imgui.get_window_width() - width - ui.px(14)

    def _status_bar(self, ui: Ui) -> None:
        imgui.push_style_var(imgui.StyleVar_.item_spacing, ImVec2(ui.px(8), 0))
        imgui.push_font(ui.fonts.regular, ui.theme.SMALL)
        imgui.set_cursor_pos(ImVec2(ui.px(20), (ui.px(STATUS_BAR) - imgui.get_text_line_height()) / 2))
        self._connection(ui)
        draw_rate_limit(ui)
        self._processes(ui)
        self._clock(ui)
        imgui.pop_font()
        imgui.pop_style_var()

    def _connection(self, ui: Ui) -> None:
        connection = ui.model.connection
        c = ui.colors
        state = connection.state if connection is not None else "connecting"
        tone = {"connected": c.good, "degraded": c.warning, "connecting": c.warning}.get(state, c.bad)
        ui.text(icons.CIRCLE, tone)
        imgui.same_line()
        ui.text(ui.t(f"connection.{state}"))
        if connection is None:
            imgui.same_line(0, ui.px(26))
            return
        if connection.reason:
            widgets.tooltip(connection.reason)
        imgui.same_line()
        ui.text(f"{formats.number(connection.latency_ms, 0)} ms", c.muted)
        widgets.tooltip(
            ui.t(
                "status.connection_detail",
                endpoint=connection.endpoint,
                streams=connection.streams,
                age=formats.number(connection.message_age_ms / 1000, 1),
                reconnects=connection.reconnects,
            )
        )
        imgui.same_line(0, ui.px(26))

    def _processes(self, ui: Ui) -> None:
        processes = ui.model.processes.values()
        alive = sum(process.state == "running" for process in processes)
        c = ui.colors
        ui.text(f"{icons.CHIP}  {alive} / {len(processes)}", c.muted if alive == len(processes) else c.warning)
        memory = sum(process.pss_bytes for process in processes)
        lines = [ui.t("status.processes", alive=alive, all=len(processes), memory=formats.size(memory))]
        lines += [f"{process.name}: {ui.t(f'process.{process.state}')}" for process in processes]
        widgets.tooltip("\n".join(lines))

    def _clock(self, ui: Ui) -> None:
        market = ui.model.market_ms(ui.now_ms)
        text = f"{icons.CLOCK}  {formats.moment(market, seconds=True)} UTC"
        imgui.same_line()
        imgui.set_cursor_pos_x(imgui.get_window_width() - imgui.calc_text_size(text).x - ui.px(20))
        ui.text(text)
        offset = market - ui.now_ms
        widgets.tooltip(ui.t("status.clock", offset=formats.number(offset / 1000, 1, sign=True)))

    # --- the page itself

    def _page(self, ui: Ui) -> None:
        if self._shown is not ui.page:
            imgui.set_scroll_y(0)
            before: object = None if self._shown is None else self.pages[self._shown]
            if isinstance(before, Leavable):
                before.left(ui)
            self._shown = ui.page
        ui.unsaved = False
        self.pages[ui.page].draw(ui)


def _side_bar_open(ui: Ui) -> bool:
    return ui.preferences.side_bar_open and imgui.get_io().display_size.x >= ui.px(NARROW)
