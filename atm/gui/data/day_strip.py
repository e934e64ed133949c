"""The minutes of one day as a strip: a piece for every stretch of one source, holes at least a pixel wide and on top."""

from __future__ import annotations

import itertools

import numpy as np
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.data import sources
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.bars import Source
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.provenance import DAY_MINUTES, Provenance

HOLES = (Source.MISSING, Source.ABSENT)


def draw_day(ui: Ui, whole: Provenance, day_ms: int, height: float = 22.0) -> None:
    """height unscaled."""
    part = whole.day(day_ms)
    ui.text(formats.moment(day_ms)[:10], size=ui.theme.SMALL, bold=True)
    imgui.same_line(0, ui.px(12))
    sources.legend(ui, part.totals())
    place = imgui.get_cursor_screen_pos()
    width, tall = imgui.get_content_region_avail().x, ui.px(height)
    imgui.invisible_button("##day", ImVec2(width, tall + imgui.get_text_line_height()))
    hovered = imgui.is_item_hovered()
    ui.mark("database.day")
    draw = imgui.get_window_draw_list()
    draw.add_rect_filled(place, ImVec2(place.x + width, place.y + tall), widgets.u32(ui.colors.raised))
    lead = (part.start_ms - day_ms) // MINUTE_MS
    step = width / DAY_MINUTES
    edges = np.concatenate(([0], np.flatnonzero(np.diff(part.source)) + 1, [len(part.source)]))
    pieces = [(int(a), int(b), Source(part.source[a])) for a, b in itertools.pairwise(edges) if b > a]
    for start, stop, source in sorted(pieces, key=lambda piece: piece[2] in HOLES):
        low = ImVec2(place.x + (lead + start) * step, place.y)
        high = ImVec2(max(low.x + 1.0, place.x + (lead + stop) * step), place.y + tall)
        strength = 1.0 if source in HOLES else 0.8
        draw.add_rect_filled(low, high, widgets.u32(fade(sources.color(ui, source), strength)))
    _hours(ui, place.x, place.y + tall, width)
    if hovered:
        minute = int((imgui.get_mouse_pos().x - place.x) / step)
        _tell(ui, part, day_ms + minute * MINUTE_MS)


def _hours(ui: Ui, left: float, top: float, width: float) -> None:
    draw, ink = imgui.get_window_draw_list(), widgets.u32(ui.colors.muted)
    with ui.font(ui.theme.SMALL):
        for hour in range(0, 24, 3):
            x = left + width * hour / 24
            draw.add_line(ImVec2(x, top), ImVec2(x, top + ui.px(3)), ink)
            draw.add_text(ImVec2(x + ui.px(3), top), ink, f"{hour:02d}:00")


def _tell(ui: Ui, part: Provenance, time_ms: int) -> None:
    index = (time_ms - part.start_ms) // MINUTE_MS
    if 0 <= index < len(part.source) and time_ms // DAY_MS == part.start_ms // DAY_MS:
        imgui.set_tooltip(f"{formats.moment(time_ms)}\n{sources.name(ui, part.source[index])}")
