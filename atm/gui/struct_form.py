"""Draws a form of `struct_draft`: plain fields side by side, tables, structs and variants each under its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.form_fields import CELL, Label, draw_field, draw_fields, error_at, label_of, named, option_of
from atm.gui.struct_draft import CHOSEN, ON, Tree, add_row, choose, chosen, is_plain, is_table, join
from atm.gui.ui import Ui
from atm.model.parameter import Parameter

_INDENT = 18.0
_TABLE_CELL = 110.0
Errors = Mapping[str, str]


def draw_tree(
    ui: Ui,
    mark: str,
    parameters: Sequence[Parameter],
    tree: Tree,
    errors: Errors,
    path: str = "",
    label: Label = named,
) -> None:
    """Edit `tree` in place. errors: sentences by path; path: of this struct; label: names its plain fields."""
    plain = [each for each in parameters if is_plain(each)]
    if plain:
        width = imgui.get_content_region_avail().x
        draw_fields(ui, mark, plain, tree, errors, lambda name: join(path, name), width, label)
    tables = [each for each in parameters if is_table(each)]
    if tables:
        _tables(ui, mark, tables, tree, errors, path)
    for each in parameters:
        if each.kind == "struct":
            _struct(ui, f"{mark}.{each.name}", each, tree[each.name], errors, join(path, each.name))
        elif each.kind == "variant":
            _variant(ui, f"{mark}.{each.name}", each, tree[each.name], errors, join(path, each.name))


def _title(ui: Ui, parameter: Parameter) -> str:
    """The name of what is more than a field, as the beginning of a line."""
    name = label_of(ui.t, parameter.name)
    return name[:1].upper() + name[1:]


def _struct(ui: Ui, mark: str, parameter: Parameter, node: Tree, errors: Errors, path: str) -> None:
    imgui.dummy(ImVec2(0, ui.px(2)))
    title = _title(ui, parameter)
    if parameter.optional:
        node[ON] = widgets.toggle(ui, mark, title, bool(node[ON]))
    else:
        ui.text(title, bold=True)
    widgets.field_note(ui, errors.get(path, ""))
    if node.get(ON, True):
        imgui.indent(ui.px(_INDENT))
        draw_tree(ui, mark, parameter.fields, node, errors, path)
        imgui.unindent(ui.px(_INDENT))


def _variant(ui: Ui, mark: str, parameter: Parameter, node: Tree, errors: Errors, path: str) -> None:
    imgui.dummy(ImVec2(0, ui.px(2)))
    options = [(one.key, option_of(ui.t, one.key)) for one in parameter.variants]
    key = widgets.choice(ui, mark, _title(ui, parameter), node[CHOSEN], options, width=ui.px(2 * CELL))
    if key != node[CHOSEN]:
        choose(parameter, node, key)
    about = f"about.{node[CHOSEN].lower()}"
    if ui.t.has(about):
        with ui.font(ui.theme.SMALL):
            ui.wrapped(ui.t(about))
    form = chosen(parameter, node)
    for place in (path, *(join(path, name) for name in form.fixed)):
        widgets.field_note(ui, errors.get(place, ""))
    imgui.indent(ui.px(_INDENT))
    draw_tree(ui, mark, form.fields, node[form.key], errors, path)
    imgui.unindent(ui.px(_INDENT))


def _tables(ui: Ui, mark: str, tables: Sequence[Parameter], tree: Tree, errors: Errors, path: str) -> None:
    """Side by side, as many as fit."""
    gap = ui.px(26)
    right = imgui.get_cursor_screen_pos().x + imgui.get_content_region_avail().x
    imgui.dummy(ImVec2(0, ui.px(4)))
    for number, each in enumerate(tables):
        columns = len(each.member.fields) if each.member is not None else 0
        room = columns * (ui.px(_TABLE_CELL) + ui.px(8)) + ui.px(36)
        if number and imgui.get_item_rect_max().x + gap + room <= right:
            imgui.same_line(0, gap)
        imgui.begin_group()
        _table(ui, f"{mark}.{each.name}", each, tree[each.name], errors, join(path, each.name))
        imgui.dummy(ImVec2(room, 0))
        imgui.end_group()


def _table(ui: Ui, mark: str, parameter: Parameter, rows: list[Tree], errors: Errors, path: str) -> None:
    fields = parameter.member.fields if parameter.member is not None else ()
    ui.text(_title(ui, parameter), bold=True)
    removed = -1
    cell = ui.px(_TABLE_CELL)
    for number, row in enumerate(rows):
        imgui.align_text_to_frame_padding()
        for index, each in enumerate(fields):
            if index:
                imgui.same_line(0, ui.px(8))
            place, key = f"{path}[{number}].{each.name}", f"{mark}.{number}.{each.name}"
            error = error_at(errors, place)
            row[each.name] = draw_field(ui, key, each, row[each.name], error, cell, named if number == 0 else None)
        imgui.same_line(0, ui.px(8))
        imgui.begin_group()
        if number == 0:
            widgets.label_above(ui, " ")
        few = ui.t("form.least_rows", least=int(parameter.least or 0)) if len(rows) <= (parameter.least or 0) else ""
        if widgets.button(ui, f"{mark}.{number}.remove", icons.CLOSE, why_not=few):
            removed = number
        imgui.end_group()
    if removed >= 0:
        del rows[removed]
    full = parameter.most is not None and len(rows) >= parameter.most
    why = ui.t("form.most_rows", most=int(parameter.most or 0)) if full else ""
    if widgets.button(ui, f"{mark}.add", f"{icons.ADD} {ui.t('form.add_row')}", why_not=why):
        add_row(parameter, rows)
    widgets.field_note(ui, errors.get(path, ""))
