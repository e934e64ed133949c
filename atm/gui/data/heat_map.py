"""The calendar of a symbol's minutes: a column a month, a row a day, coloured by the commonest source of the day, red from
below by the share that is missing. Days of one colour are drawn as one rectangle, so five years are some hundred of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.data import sources
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.bars import Source
from atm.model.interval import DAY_MS
from atm.model.provenance import DayCounts

DAYS = 31
LEAST_SHOWN = 0.4
"""A hole of one minute takes this share of its cell, or it would not be seen."""


@dataclass(frozen=True, slots=True)
class Run:
    """Days first … last (0 = the 1st) of a month's column with the same source."""

    column: int
    first: int
    last: int
    source: int


@dataclass(frozen=True, slots=True)
class Hole:
    """A day that is not whole. absent: most of what is missing the exchange lacks."""

    column: int
    row: int
    share: float
    absent: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is drawn. first: (year, month) of the first column."""

    first: tuple[int, int]
    columns: int
    runs: tuple[Run, ...]
    holes: tuple[Hole, ...]
    days: DayCounts

    def day_at(self, column: int, row: int) -> int | None:
        """Index of the day of a cell; None where there is none."""
        month = self.first[1] - 1 + column
        try:
            day = date(self.first[0] + month // 12, month % 12 + 1, row + 1)
        except ValueError:
            return None
        index = (day - _date(self.days.first_ms)).days
        return index if 0 <= index < len(self.days) else None


def calendar(days: DayCounts) -> Calendar:
    """Of any number of days."""
    begin = _date(days.first_ms)
    dominant, missing = days.dominant, days.missing
    more_absent = days.counts[:, Source.ABSENT] > days.counts[:, Source.MISSING]
    runs: list[Run] = []
    holes: list[Hole] = []
    column = 0
    for index, (source, share) in enumerate(zip(dominant.tolist(), missing.tolist(), strict=True)):
        day = begin + timedelta(index)
        column, row = 12 * (day.year - begin.year) + day.month - begin.month, day.day - 1
        if source != Source.MISSING:
            last = runs[-1] if runs else None
            if last is not None and (last.column, last.last, last.source) == (column, row - 1, source):
                runs[-1] = Run(column, last.first, row, source)
            else:
                runs.append(Run(column, row, row, source))
        if share > 0.0:
            holes.append(Hole(column, row, share, bool(more_absent[index])))
    return Calendar((begin.year, begin.month), column + 1 if len(days) else 0, tuple(runs), tuple(holes), days)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the cells lie on the screen."""

    left: float
    top: float
    step_x: float
    step_y: float

    def corner(self, column: float, row: float) -> ImVec2:
        return ImVec2(self.left + column * self.step_x, self.top + row * self.step_y)


def _date(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def draw_calendar(ui: Ui, picture: Calendar, chosen_ms: int, height: float) -> int:
    """Draw into what is left of the width; the day (Unix ms) that was clicked, else 0. height on the screen."""
    axis = imgui.calc_text_size("00").x + ui.px(8)
    head = imgui.get_text_line_height() + ui.px(2)
    room = imgui.get_content_region_avail().x - axis
    step_y = max(ui.px(3), (height - head) / DAYS)
    step_x = min(ui.px(28), room / max(1, picture.columns))
    place = imgui.get_cursor_screen_pos()
    grid = _Grid(place.x + axis, place.y + head, step_x, step_y)
    imgui.invisible_button("##calendar", ImVec2(axis + step_x * picture.columns, head + step_y * DAYS))
    clicked, hovered = imgui.is_item_clicked(), imgui.is_item_hovered()
    ui.mark("database.calendar")
    _draw_cells(ui, picture, grid)
    _draw_axes(ui, picture, grid, ImVec2(place.x, place.y))
    if chosen_ms:
        _frame_day(ui, picture, chosen_ms, grid)
    if not hovered:
        return 0
    mouse = imgui.get_mouse_pos()
    day = picture.day_at(int((mouse.x - grid.left) // step_x), int((mouse.y - grid.top) // step_y))
    if day is None:
        return 0
    imgui.set_tooltip(day_text(ui, picture.days, day))
    return picture.days.first_ms + day * DAY_MS if clicked else 0


def _draw_cells(ui: Ui, picture: Calendar, grid: _Grid) -> None:
    """Numbers are worked out here and not by helpers: there may be three thousand pieces of the most ragged recording."""
    fill = imgui.get_window_draw_list().add_rect_filled
    colors = [widgets.u32(fade(sources.color(ui, source), 0.8)) for source in Source]
    missing, absent = (widgets.u32(sources.color(ui, source)) for source in (Source.MISSING, Source.ABSENT))
    left, top, step_x, step_y = grid.left, grid.top, grid.step_x, grid.step_y
    wide = step_x - (1.0 if step_x > 4 else 0.0)
    for run in picture.runs:
        x = left + run.column * step_x
        low = ImVec2(x, top + run.first * step_y)
        fill(low, ImVec2(x + wide, top + (run.last + 1) * step_y), colors[run.source])
    for hole in picture.holes:
        x, bottom = left + hole.column * step_x, top + (hole.row + 1) * step_y
        low = ImVec2(x, bottom - step_y * max(LEAST_SHOWN, hole.share))
        fill(low, ImVec2(x + wide, bottom), absent if hole.absent else missing)
    if step_y > 4:
        draw, panel = imgui.get_window_draw_list(), widgets.u32(ui.colors.panel)
        for row in range(1, DAYS):
            draw.add_line(grid.corner(0, row), grid.corner(picture.columns, row), panel)


def _draw_axes(ui: Ui, picture: Calendar, grid: _Grid, corner: ImVec2) -> None:
    draw, ink = imgui.get_window_draw_list(), widgets.u32(ui.colors.muted)
    line = imgui.get_text_line_height()
    with ui.font(ui.theme.SMALL):
        for row in (0, 9, 19, 29):
            y = grid.corner(0, row + 0.5).y - line / 2
            draw.add_text(ImVec2(corner.x, y), ink, f"{row + 1:2d}")
        free = grid.left - 1.0
        for column in range(picture.columns):
            month = picture.first[1] - 1 + column
            begins = month % 12 == 0 or column == 0
            text = str(picture.first[0] + month // 12) if begins else f"{month % 12 + 1:02d}"
            x = grid.corner(column, 0).x
            if x >= free:
                draw.add_text(ImVec2(x, corner.y), widgets.u32(ui.colors.text) if begins else ink, text)
                free = x + imgui.calc_text_size(text).x + ui.px(8)


def _frame_day(ui: Ui, picture: Calendar, day_ms: int, grid: _Grid) -> None:
    day = _date(day_ms)
    column = 12 * (day.year - picture.first[0]) + day.month - picture.first[1]
    low, high = grid.corner(column, day.day - 1), grid.corner(column + 1, day.day)
    draw = imgui.get_window_draw_list()
    draw.add_rect(ImVec2(low.x - 1, low.y - 1), ImVec2(high.x, high.y), widgets.u32(ui.colors.text), 0.0, 2.0)


def day_text(ui: Ui, days: DayCounts, day: int) -> str:
    """The counts of a day, a source a line."""
    counts = days.counts[day]
    lines = [formats.moment(days.first_ms + day * DAY_MS)[:10]]
    lines += [f"{sources.name(ui, source)}: {int(counts[source]):,}" for source in sources.SHOWN if counts[source]]
    return "\n".join(lines)
