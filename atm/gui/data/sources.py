"""Colours and names of where minutes came from."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.bars import Source

SHOWN = (Source.STREAM, Source.REST, Source.ARCHIVE, Source.SAMPLE, Source.ABSENT, Source.MISSING)
"""In the order of the legend."""


def color(ui: Ui, source: int) -> Color:
    """Of one source; a missing minute is as red as an error."""
    c = ui.colors
    return {
        Source.STREAM: c.good,
        Source.REST: c.info,
        Source.ARCHIVE: ui.theme.line_color(2),
        Source.SAMPLE: c.faint,
        Source.ABSENT: c.warning,
    }.get(Source(source), c.bad)


def name(ui: Ui, source: int) -> str:
    """What a source is called."""
    return ui.t(f"source.{Source(source).name.lower()}")


def share(part: int, whole: int) -> str:
    """In percent, with as many decimals as keep a small part from looking like nothing."""
    value = 100.0 * part / whole if whole else 0.0
    decimals = 0 if value >= 99.995 or value == 0 else 1 if value >= 1 else 3
    return f"{value:.{decimals}f}%"


def legend(ui: Ui, totals: dict[Source, int]) -> None:
    """A square, the name and the share of every source that there is."""
    whole, side = sum(totals.values()), ui.px(10)
    first = True
    for source in SHOWN:
        if not totals.get(source):
            continue
        if not first:
            imgui.same_line(0, ui.px(16))
        first = False
        place = imgui.get_cursor_screen_pos()
        top = place.y + (imgui.get_text_line_height() - side) / 2
        draw = imgui.get_window_draw_list()
        draw.add_rect_filled(
            ImVec2(place.x, top), ImVec2(place.x + side, top + side), widgets.u32(color(ui, source)), ui.px(2)
        )
        imgui.dummy(ImVec2(side, 1))
        imgui.same_line(0, ui.px(6))
        ui.text(f"{name(ui, source)} {share(totals[source], whole)}", ui.colors.muted, size=ui.theme.SMALL)
        widgets.tooltip(ui.t("source.minutes", count=f"{totals[source]:,}"))
