"""Toasts and the list of notices."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.notice_sentence import notice_sentence
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.notice import Severity

TOAST_WIDTH = 380.0
LIST_WIDTH = 440.0


def tone(ui: Ui, severity: Severity) -> tuple[str, Color]:
    """Icon and colour of a severity."""
    return {
        Severity.INFO: (icons.INFO, ui.colors.info),
        Severity.SUCCESS: (icons.SUCCESS, ui.colors.good),
        Severity.WARNING: (icons.WARNING, ui.colors.warning),
        Severity.CRITICAL: (icons.CRITICAL, ui.colors.bad),
    }[severity]


def draw_toasts(ui: Ui, corner: tuple[float, float]) -> None:
    """Stack the toasts upwards from the lower right corner given. A click takes one away."""
    y = corner[1]
    flags = int(
        imgui.WindowFlags_.no_decoration
        | imgui.WindowFlags_.no_move
        | imgui.WindowFlags_.no_saved_settings
        | imgui.WindowFlags_.no_focus_on_appearing
        | imgui.WindowFlags_.no_nav
    )
    for toast in list(reversed(ui.model.toasts)):
        icon, color = tone(ui, toast.notice.severity)
        lines = widgets.wrap(notice_sentence(ui.t, toast.notice), ui.px(TOAST_WIDTH - 74))
        tall, gap = imgui.get_text_line_height(), imgui.get_style().item_spacing.y
        height = ui.px(28) + len(lines) * (tall + gap) - gap
        y -= height
        imgui.set_next_window_pos(ImVec2(corner[0] - ui.px(TOAST_WIDTH), y))
        imgui.set_next_window_size(ImVec2(ui.px(TOAST_WIDTH), height))
        imgui.push_style_color(imgui.Col_.window_bg, ImVec4(*ui.colors.raised))
        imgui.push_style_var(imgui.StyleVar_.window_rounding, ui.px(8))
        name = f"##toast{toast.notice.time_ms}{toast.notice.text}{id(toast)}"
        imgui.begin(name, None, flags)
        imgui.pop_style_var()
        imgui.pop_style_color()
        low, size = imgui.get_window_pos(), imgui.get_window_size()
        imgui.get_window_draw_list().add_rect_filled(
            ImVec2(low.x, low.y), ImVec2(low.x + ui.px(4), low.y + size.y), widgets.u32(color), ui.px(2)
        )
        ui.text(icon, color)
        imgui.same_line(ui.px(44))
        imgui.begin_group()
        for line in lines:
            ui.text(line)
        imgui.end_group()
        if imgui.is_window_hovered() and imgui.is_mouse_clicked(0):
            ui.model.toasts.remove(toast)
        imgui.end()
        y -= ui.px(10)


def draw_list(ui: Ui, corner: tuple[float, float], height: float) -> bool:
    """The list of notices below the bell; corner: its upper right. Returns whether it stays open."""
    width = ui.px(LIST_WIDTH)
    imgui.set_next_window_pos(ImVec2(corner[0] - width, corner[1]))
    imgui.set_next_window_size(ImVec2(width, min(ui.px(560), height - ui.px(24))))
    imgui.push_style_color(imgui.Col_.window_bg, ImVec4(*ui.colors.panel))
    imgui.push_style_color(imgui.Col_.border, ImVec4(*ui.colors.border))
    imgui.push_style_var(imgui.StyleVar_.window_rounding, ui.px(8))
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1)
    flags = imgui.WindowFlags_.no_title_bar | imgui.WindowFlags_.no_resize | imgui.WindowFlags_.no_move
    imgui.begin("##notices", None, int(flags | imgui.WindowFlags_.no_saved_settings))
    imgui.pop_style_var(2)
    imgui.pop_style_color(2)
    ui.text(ui.t("notices.title"), bold=True)
    if ui.model.notices:
        imgui.same_line(width - ui.px(36) - imgui.calc_text_size(ui.t("notices.clear")).x)
        if widgets.button(ui, "notices.clear", ui.t("notices.clear")):
            ui.model.notices.clear()
            ui.model.toasts.clear()
    draw_notices(ui, 100)
    stays = imgui.is_window_focused() or not imgui.is_mouse_clicked(0) or imgui.is_window_hovered()
    imgui.end()
    return stays


def draw_notices(ui: Ui, most: int) -> None:
    """The newest notices, one or two lines each."""
    if not ui.model.notices:
        ui.wrapped(ui.t("notices.none"))
    for index, notice in enumerate(ui.model.notices):
        if index >= most:
            break
        icon, color = tone(ui, notice.severity)
        ui.text(icon, color)
        imgui.same_line(ui.px(28) + imgui.get_style().window_padding.x)
        imgui.begin_group()
        ui.wrapped(notice_sentence(ui.t, notice), ui.colors.text)
        ui.text(
            f"{formats.moment(notice.time_ms, seconds=True)} UTC · {notice.sender}",
            ui.colors.faint,
            size=ui.theme.SMALL,
        )
        imgui.end_group()
        imgui.dummy(ImVec2(0, ui.px(2)))
