"""A sortable table of any number of rows: only the visible ones are formatted and drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui.theme import Color
from atm.gui.ui import Ui

R = TypeVar("R")
Sortable = float | int | str


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """text: what is shown; value: what is sorted by; right: aligned as numbers are; width: share of the table."""

    title: str
    text: Callable[[R], str]
    value: Callable[[R], Sortable]
    right: bool = True
    width: float = 1.0
    color: Callable[[R], Color | None] = lambda row: None


@dataclass(slots=True)
class Table(Generic[R]):
    """One table on a page; keeps its sorting and the selected row's key.

    multi: several rows may be selected (`marked`): a click selects one alone, or none when it was selected alone; with Ctrl it
    adds or takes away, with Shift it selects from the row clicked before. inner_width: of all columns together, unscaled,
    when that may be more than there is room for; the first column then stays in view.
    """

    name: str
    columns: Sequence[Column[R]]
    key: Callable[[R], str]
    descending_first: bool = False
    selected: str = ""
    multi: bool = False
    inner_width: float = 0.0
    marked: set[str] = field(default_factory=set)
    _anchor: str = ""
    _order: list[int] = field(default_factory=list)
    _sorted_rows: Sequence[R] | None = None
    _sort: tuple[int, bool] | None = None

    def draw(self, ui: Ui, rows: Sequence[R], height: float = 0.0) -> str:
        """Draw; returns the key of the row that was clicked in this frame, else "". height on the screen, 0 = what is
        left. `rows` must be a new sequence whenever its content changes."""
        flags = (
            imgui.TableFlags_.sortable | imgui.TableFlags_.row_bg | imgui.TableFlags_.scroll_y
            | imgui.TableFlags_.resizable | imgui.TableFlags_.sort_tristate | imgui.TableFlags_.reorderable
            | imgui.TableFlags_.hideable | imgui.TableFlags_.pad_outer_x | imgui.TableFlags_.sizing_stretch_prop
            | imgui.TableFlags_.borders_inner_h | imgui.TableFlags_.no_borders_in_body
        )  # fmt: skip
        inner = 0.0
        if self.inner_width:
            flags |= imgui.TableFlags_.scroll_x
            inner = max(ui.px(self.inner_width), imgui.get_content_region_avail().x - ui.px(16))
        if not imgui.begin_table(f"##{self.name}", len(self.columns), int(flags), ImVec2(0, height), inner):
            return ""
        self._head(ui)
        self._sort_rows(rows)
        clicked = ""
        clipper = imgui.ListClipper()
        clipper.begin(len(rows))
        while clipper.step():
            for position in range(clipper.display_start, clipper.display_end):
                clicked = self._row(ui, rows, position) or clicked
        imgui.end_table()
        if clicked and self.multi:
            self._mark(rows, clicked)
        return clicked

    def shown(self, rows: Sequence[R]) -> list[str]:
        """Keys of the rows in the order in which they are shown."""
        return [self.key(rows[index]) for index in self._order]

    def _mark(self, rows: Sequence[R], clicked: str) -> None:
        io, order = imgui.get_io(), self.shown(rows)
        if io.key_shift and self._anchor in order:
            ends = sorted((order.index(self._anchor), order.index(clicked)))
            self.marked = set(order[ends[0] : ends[1] + 1])
            return
        if io.key_ctrl:
            self.marked = self.marked ^ {clicked}
        else:
            self.marked = set() if self.marked == {clicked} else {clicked}
        self._anchor = clicked

    def _head(self, ui: Ui) -> None:
        imgui.table_setup_scroll_freeze(1 if self.inner_width else 0, 1)
        prefer = imgui.TableColumnFlags_.prefer_sort_descending if self.descending_first else 0
        for column in self.columns:
            imgui.table_setup_column(column.title, int(imgui.TableColumnFlags_.width_stretch | prefer), column.width)
        imgui.push_style_color(imgui.Col_.text, ImVec4(*ui.colors.muted))
        with ui.font(ui.theme.SMALL):
            imgui.table_next_row(int(imgui.TableRowFlags_.headers))
            for index, column in enumerate(self.columns):
                imgui.table_set_column_index(index)
                self._head_cell(ui, index, column)
        imgui.pop_style_color()

    def _head_cell(self, ui: Ui, index: int, column: Column[R]) -> None:
        """ImGui writes every header at the left; ours stand over the numbers, left of the sorting arrow."""
        place = imgui.get_cursor_screen_pos()
        x, y = place.x, place.y
        if column.right:
            room = imgui.get_content_region_avail().x - imgui.calc_text_size(column.title).x
            arrow = ui.px(12) if self._sort is not None and self._sort[0] == index else 0.0
            x += max(0.0, room - arrow)
        imgui.table_header(f"##{column.title}{index}")
        ui.mark(f"{self.name}.head.{index}")
        imgui.get_window_draw_list().add_text(ImVec2(x, y), imgui.get_color_u32(imgui.Col_.text), column.title)

    def _sort_rows(self, rows: Sequence[R]) -> None:
        specs = imgui.table_get_sort_specs()
        wanted: tuple[int, bool] | None = None
        if specs is not None and specs.specs_count > 0:
            spec = specs.get_specs(0)
            wanted = (int(spec.column_index), spec.sort_direction == imgui.SortDirection.descending)
        if rows is self._sorted_rows and wanted == self._sort:
            return
        self._order = list(range(len(rows)))
        if wanted is not None and wanted[0] < len(self.columns):
            value = self.columns[wanted[0]].value
            self._order.sort(key=lambda index: _sort_key(value(rows[index])), reverse=wanted[1])
        self._sorted_rows, self._sort = rows, wanted

    def _row(self, ui: Ui, rows: Sequence[R], position: int) -> str:
        row = rows[self._order[position]]
        key = self.key(row)
        imgui.table_next_row()
        clicked = ""
        for index, column in enumerate(self.columns):
            if not imgui.table_set_column_index(index):
                continue
            text = column.text(row)
            if index == 0:
                flags = imgui.SelectableFlags_.span_all_columns | imgui.SelectableFlags_.allow_overlap
                if imgui.selectable(f"##{self.name}{key}", key == self.selected or key in self.marked, int(flags))[0]:
                    clicked = key
                ui.mark(f"{self.name}.row.{key}")
                self._menu(ui, rows, row, key)
                imgui.same_line(0, 0)
            if column.right:
                room = imgui.get_content_region_avail().x - imgui.calc_text_size(text).x
                if room > 0:
                    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + room)
            color = column.color(row)
            if color is None:
                imgui.text_unformatted(text)
            else:
                imgui.push_style_color(imgui.Col_.text, ImVec4(*color))
                imgui.text_unformatted(text)
                imgui.pop_style_color()
        return clicked

    def _menu(self, ui: Ui, rows: Sequence[R], row: R, key: str) -> None:
        """Right click: copy the row or all rows as text with tabs."""
        if not imgui.begin_popup_context_item(f"##menu{self.name}{key}"):
            return
        if imgui.menu_item_simple(ui.t("action.copy_row")):
            imgui.set_clipboard_text(self._line(row))
        if imgui.menu_item_simple(ui.t("action.copy_all")):
            head = "\t".join(column.title for column in self.columns)
            imgui.set_clipboard_text("\n".join([head, *(self._line(rows[index]) for index in self._order)]))
        imgui.end_popup()

    def _line(self, row: R) -> str:
        return "\t".join(str(column.value(row)) for column in self.columns)


def _sort_key(value: Sortable) -> tuple[int, Any]:
    """Unknown (NaN) before every number; texts without regard to case."""
    if isinstance(value, str):
        return (1, value.casefold())
    return (0, 0.0) if value != value else (1, value)
