"""The controls on a chart's panes: what a pane shows, a cross to put it away, and a word where it has nothing to show."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.chart import CandleChart
from atm.gui.ui import Ui


def draw_pane_controls(ui: Ui, chart: CandleChart) -> bool:
    """Draw over the chart that was just drawn; True when the user has changed what panes show (in the preferences)."""
    chosen = ui.preferences.chart
    place = imgui.get_cursor_screen_pos()
    end = ImVec2(place.x, place.y - imgui.get_style().item_spacing.y)
    changed = False
    imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(4), ui.px(1)))
    for pane in chart.layout.panes:
        area = chart.areas.get(pane.key)
        if area is None:
            continue
        left, top, right, bottom = area
        cross = ui.px(22)
        if pane.forms:
            width = ui.px(128)
            imgui.set_cursor_screen_pos(ImVec2(right - cross - width - ui.px(6), top + ui.px(3)))
            options = [(form, _form_name(ui, form)) for form in pane.forms]
            form = widgets.choice(ui, f"market.pane.{pane.key}.form", "", pane.form, options, width=width)
            if form != pane.form:
                chosen.forms = {**chosen.forms, pane.key: form}
                changed = True
        imgui.set_cursor_screen_pos(ImVec2(right - cross, top + ui.px(3)))
        if widgets.button(ui, f"market.pane.{pane.key}.close", icons.CLOSE):
            chosen.closed = (*chosen.closed, pane.key)
            changed = True
        if pane.empty:
            _word(ui, ui.t("market.no_values", name=pane.key), (left + right) / 2, (top + bottom) / 2)
    imgui.pop_style_var()
    imgui.set_cursor_screen_pos(end)
    return changed


def _form_name(ui: Ui, form: str) -> str:
    key = f"form.{form}"
    return ui.t(key) if ui.texts.has(key) else form.replace("_", " ")


def _word(ui: Ui, text: str, x: float, y: float) -> None:
    size = imgui.calc_text_size(text)
    place = ImVec2(x - size.x / 2, y - size.y / 2)
    imgui.get_window_draw_list().add_text(place, widgets.u32(ui.colors.muted), text)
