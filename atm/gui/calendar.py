"""A moment typed as text or chosen on a calendar: days outside of what is allowed cannot be chosen."""

from __future__ import annotations

import calendar as months
from datetime import UTC, date, datetime

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import icons, widgets
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.interval import parse_time

_CELL = 34.0


class MomentField:
    """One field. mark: of the text; its calendar is `<mark>.calendar`, a day on it `<mark>.day.<n>`. text: what stands in it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.text = ""
        self._month = (1970, 1)

    def moment(self) -> int | None:
        """Unix ms (UTC) of what was typed; None where it is no time."""
        try:
            return parse_time(self.text.strip())
        except ValueError:
            return None

    def draw(self, ui: Ui, label: str, first_ms: int, last_ms: int, *, width: float = 0.0, error: str = "") -> None:
        """first_ms, last_ms: the days that can be chosen; width on the screen, 0 = what is left."""
        width = width or imgui.get_content_region_avail().x
        imgui.begin_group()
        widgets.label_above(ui, label)
        button = imgui.get_frame_height()
        imgui.set_next_item_width(width - button - ui.px(4))
        _, text = imgui.input_text_with_hint(f"##{self.mark}", "YYYY-MM-DD HH:MM", self.text)
        self.text = str(text)
        ui.mark(self.mark)
        imgui.same_line(0, ui.px(4))
        imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(0, ui.px(6)))
        if imgui.button(f"{icons.CALENDAR}##{self.mark}", ImVec2(button, 0)):
            shown = self.moment() or first_ms
            self._month = _month_of(min(max(shown, first_ms), last_ms))
            imgui.open_popup(f"{self.mark}.popup")
        imgui.pop_style_var()
        ui.mark(f"{self.mark}.calendar")
        widgets.field_note(ui, error, width)
        imgui.end_group()
        if imgui.begin_popup(f"{self.mark}.popup"):
            self._draw_month(ui, _day_of(first_ms), _day_of(last_ms))
            imgui.end_popup()

    def _draw_month(self, ui: Ui, first: date, last: date) -> None:
        year, month = self._month
        self._arrow(ui, icons.LEFT, "previous", -1, (year, month) > (first.year, first.month))
        imgui.same_line()
        title = f"{year}-{month:02d}"
        room = 7 * ui.px(_CELL) - 2 * (ui.px(_CELL) + imgui.get_style().item_spacing.x)
        start = imgui.get_cursor_pos_x()
        imgui.set_cursor_pos_x(start + max(0.0, (room - imgui.calc_text_size(title).x) / 2))
        imgui.align_text_to_frame_padding()
        ui.text(title, bold=True)
        imgui.same_line()
        imgui.set_cursor_pos_x(start + room + imgui.get_style().item_spacing.x)
        self._arrow(ui, icons.RIGHT, "next", 1, (year, month) < (last.year, last.month))
        cell = ImVec2(ui.px(_CELL), ui.px(_CELL - 6))
        flags = imgui.TableFlags_.sizing_fixed_same | imgui.TableFlags_.no_host_extend_x
        imgui.push_style_var(imgui.StyleVar_.cell_padding, ImVec2(0, ui.px(1)))
        if imgui.begin_table(f"##{self.mark}.days", 7, int(flags)):
            for name in ui.t("calendar.weekdays").split():
                imgui.table_next_column()
                imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + (cell.x - imgui.calc_text_size(name).x) / 2)
                ui.text(name, ui.colors.faint, size=ui.theme.SMALL)
            lead, count = months.monthrange(year, month)
            for _ in range(lead):
                imgui.table_next_column()
            for number in range(1, count + 1):
                imgui.table_next_column()
                self._day(ui, date(year, month, number), cell, first <= date(year, month, number) <= last)
            imgui.end_table()
        imgui.pop_style_var()

    def _day(self, ui: Ui, day: date, size: ImVec2, allowed: bool) -> None:
        chosen = self.text.strip().startswith(day.isoformat())
        ground = fade(ui.colors.accent, 0.25) if chosen else fade(ui.colors.panel, 0.0)
        imgui.push_style_color(imgui.Col_.button, ImVec4(*ground))
        imgui.begin_disabled(not allowed)
        if imgui.button(f"{day.day}##{self.mark}", size):
            clock = self.text.strip()[10:] or " 00:00"
            self.text = f"{day.isoformat()}{clock}"
            imgui.close_current_popup()
        imgui.end_disabled()
        imgui.pop_style_color()
        ui.mark(f"{self.mark}.day.{day.day}")

    def _arrow(self, ui: Ui, icon: str, name: str, step: int, possible: bool) -> None:
        imgui.begin_disabled(not possible)
        if imgui.button(f"{icon}##{self.mark}.{name}", ImVec2(ui.px(_CELL), 0)):
            index = self._month[0] * 12 + self._month[1] - 1 + step
            self._month = (index // 12, index % 12 + 1)
        imgui.end_disabled()
        ui.mark(f"{self.mark}.{name}")


def _day_of(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def _month_of(time_ms: int) -> tuple[int, int]:
    day = _day_of(time_ms)
    return day.year, day.month
