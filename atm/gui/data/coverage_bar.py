"""The whole stored range of a symbol as one bar: a piece for every stretch of one source, red from below where something is
missing. Made once of the days, drawn in every frame."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.data import sources
from atm.gui.theme import fade
from atm.gui.ui import Ui
from atm.model.bars import Source
from atm.model.provenance import DayCounts

BLOCKS = 400
LEAST_SHOWN = 0.35


@dataclass(frozen=True, slots=True)
class CoverageBar:
    """pieces: (first block, block after the last, source); holes: (block, worst share missing on a day of it)."""

    blocks: int
    pieces: tuple[tuple[int, int, int], ...]
    holes: tuple[tuple[int, float], ...]

    @staticmethod
    def of(days: DayCounts) -> CoverageBar:
        """Of any number of days, in at most `BLOCKS` blocks."""
        blocks = np.array_split(np.arange(len(days)), min(len(days), BLOCKS)) if len(days) else []
        dominant, missing = days.dominant, days.missing
        values = [int(np.bincount(dominant[block], minlength=len(Source)).argmax()) for block in blocks]
        edges = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1]), len(values)]
        pieces = tuple((a, b, values[a]) for a, b in itertools.pairwise(edges) if b > a)
        worst = ((i, float(missing[block].max())) for i, block in enumerate(blocks))
        return CoverageBar(len(blocks), pieces, tuple((i, share) for i, share in worst if share > 0.0))


def draw_coverage(ui: Ui, bar: CoverageBar, height: float = 12.0) -> None:
    """As wide as what is left. height unscaled."""
    place = imgui.get_cursor_screen_pos()
    left, top = place.x, place.y
    width, tall = imgui.get_content_region_avail().x, ui.px(height)
    imgui.dummy(ImVec2(width, tall))
    ui.mark("database.coverage_bar")
    fill, step = imgui.get_window_draw_list().add_rect_filled, width / max(1, bar.blocks)
    colors = [widgets.u32(fade(sources.color(ui, source), 0.8)) for source in Source]
    for first, stop, source in bar.pieces:
        fill(ImVec2(left + step * first, top), ImVec2(left + step * stop, top + tall), colors[source])
    missing = widgets.u32(sources.color(ui, Source.MISSING))
    for block, share in bar.holes:
        x = left + step * block
        fill(ImVec2(x, top + tall * (1 - max(LEAST_SHOWN, share))), ImVec2(x + max(2.0, step), top + tall), missing)
