"""Plain tables and tiles of the result page: a few rows, drawn as they come."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, widgets
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui
from atm.model.simulation import SimulationSummary
from atm.simulators.figures import Figure, shown

Cell = tuple[str, Color | None]
_SIGNED = ("net_profit", "total_return", "cagr", "sharpe", "sortino", "calmar", "alpha", "expectancy", "growth_per_day")


def plain_table(
    ui: Ui, name: str, titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, left: int = 1, height: float = 0.0
) -> None:
    """A table whose first `left` columns are aligned left, the others right. height on the screen, 0 = as its rows."""
    flags = imgui.TableFlags_.borders_inner_h | imgui.TableFlags_.row_bg | imgui.TableFlags_.sizing_stretch_prop
    if height:
        flags |= imgui.TableFlags_.scroll_y
    if not imgui.begin_table(f"##{name}", len(titles), int(flags), ImVec2(0, height)):
        return
    if any(titles):
        imgui.table_next_row()
        for index, title in enumerate(titles):
            imgui.table_next_column()
            with ui.font(ui.theme.SMALL):
                cell(ui, title, ui.colors.muted, right=index >= left)
    for row in rows:
        imgui.table_next_row()
        for index, (text, color) in enumerate(row):
            imgui.table_next_column()
            cell(ui, text, color, right=index >= left)
    imgui.end_table()


def cell(ui: Ui, text: str, color: Color | None, *, right: bool) -> None:
    """Text in the present cell."""
    if right:
        room = imgui.get_content_region_avail().x - imgui.calc_text_size(text).x
        if room > 0:
            imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + room)
    ui.text(text, color)


def heat(ui: Ui, text: str, value: float, strongest: float) -> None:
    """Text in the present cell on a ground whose strength says how much `value` is, of `strongest` > 0."""
    share = min(abs(value) / strongest, 1.0) if strongest > 0 else 0.0
    ground = (
        fade(ui.colors.up if value > 0 else ui.colors.down, 0.08 + 0.55 * share) if value else fade(ui.colors.panel, 0)
    )
    imgui.table_set_bg_color(imgui.TableBgTarget_.cell_bg, imgui.get_color_u32(ImVec4(*ground)))
    cell(ui, text, None, right=True)


def figure_cell(ui: Ui, figure: Figure, value: float | None) -> Cell:
    """A figure as text, coloured where its sign matters."""
    return shown(figure, value), ui.signed(value) if figure.name in _SIGNED else None


def figure_rows(ui: Ui, figures: Sequence[Figure], summary: SimulationSummary) -> list[tuple[Cell, Cell]]:
    """(name, value) of figures."""
    return [
        ((ui.t(f"statistic.{figure.name}"), ui.colors.muted), figure_cell(ui, figure, figure.of(summary)))
        for figure in figures
    ]


def money(ui: Ui, value: float) -> Cell:
    """An amount with its sign and colour."""
    return formats.number(value, sign=True), ui.signed(value)


def tiles(ui: Ui, figures: Sequence[tuple[str, Cell]]) -> None:
    """Large figures side by side."""
    widgets.stats(ui, [(label, text, color) for label, (text, color) in figures], 130)
