"""Doctor: what a careful reader would ask of the result, worst first, each as a sentence with its number."""

from __future__ import annotations

from collections import Counter

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.notifications import tone
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.notice import Severity
from atm.model.simulation import SimulationSummary

_ORDER = (Severity.CRITICAL, Severity.WARNING, Severity.INFO, Severity.SUCCESS)


def draw_doctor(ui: Ui, summary: SimulationSummary) -> None:
    """All findings, then the cautions that hold whatever the figures are."""
    if not summary.findings and not summary.warnings:
        widgets.empty(ui, icons.INFO, ui.t("result.no_findings_title"), ui.t("result.no_findings"))
        return
    counted = Counter(finding.severity for finding in summary.findings)
    with widgets.card(ui, "doctor", 0, 0, ui.t("result.doctor_title")):
        for severity in _ORDER:
            if counted[severity]:
                icon, color = tone(ui, severity)
                widgets.badge(ui, f"{icon}  {counted[severity]}  {ui.t(f'severity.{severity.value}')}", color)
                imgui.same_line(0, ui.px(8))
        imgui.new_line()
        imgui.dummy(ImVec2(0, ui.px(4)))
        for index, finding in enumerate(summary.findings):
            ui.mark(f"finding.{index}")
            _sentence(ui, finding.severity, ui.t(finding.text, **finding.parameters))
        if summary.warnings:
            imgui.dummy(ImVec2(0, ui.px(8)))
            widgets.heading(ui, ui.t("result.cautions"))
            for warning in summary.warnings:
                ui.wrapped(f"{icons.WARNING}  {ui.t.said(warning)}", ui.colors.muted)


def _sentence(ui: Ui, severity: Severity, text: str) -> None:
    """A line with a coloured edge, as high as its text."""
    icon, color = tone(ui, severity)
    low = imgui.get_cursor_screen_pos()
    low = ImVec2(low.x, low.y)
    width = imgui.get_content_region_avail().x
    draw = imgui.get_window_draw_list()
    inset = ui.px(44)
    height = imgui.calc_text_size(text, False, width - inset - ui.px(12)).y + ui.px(16)
    high = ImVec2(low.x + width, low.y + height)
    draw.add_rect_filled(low, high, widgets.u32(fade(color, 0.07)), ui.px(5))
    draw.add_rect_filled(low, ImVec2(low.x + ui.px(3), high.y), widgets.u32(color), ui.px(2))
    draw.add_text(ImVec2(low.x + ui.px(15), low.y + ui.px(8)), widgets.u32(color), icon)
    place = imgui.get_cursor_pos()
    place = ImVec2(place.x, place.y)
    imgui.set_cursor_pos(ImVec2(place.x + inset, place.y + ui.px(8)))
    imgui.push_text_wrap_pos(place.x + width - ui.px(12))
    ui.text(text)
    imgui.pop_text_wrap_pos()
    imgui.set_cursor_pos(place)
    imgui.dummy(ImVec2(width, height))
