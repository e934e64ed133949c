"""The rows of positions in the forms of accounts."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.drafts import MOST_POSITIONS, PositionDraft
from atm.gui.ui import Ui
from atm.ipc.messages import Failed


def error_at(failed: Failed | None, field: str) -> str:
    """The sentence to show at this field."""
    return failed.message if failed is not None and failed.field == field else ""


def draw_positions(ui: Ui, mark: str, rows: list[PositionDraft], symbols: Sequence[str], failed: Failed | None) -> None:
    """Edit `rows` in place."""
    t = ui.t
    flags = imgui.TableFlags_.sizing_stretch_prop
    if not imgui.begin_table(f"##{mark}", 6, int(flags)):
        return
    for weight in (1.15, 1.2, 1.45, 0.85, 1.0):
        imgui.table_setup_column("", int(imgui.TableColumnFlags_.width_stretch), weight)
    imgui.table_setup_column("", int(imgui.TableColumnFlags_.width_fixed), ui.px(40))
    analyses = [(code, code) for code in ui.model.analysis_configurations]
    trades = [(code, code) for code in ui.model.trade_configurations]
    removed = -1
    for index, row in enumerate(rows):
        place = f"{mark}.{index}"
        first = index == 0
        imgui.table_next_row()
        imgui.table_next_column()
        names = [(symbol, symbol) for symbol in symbols]
        row.symbol = widgets.choice(
            ui, f"{place}.symbol", t("field.symbol") if first else "", row.symbol, names, hint=t("form.choose")
        )
        widgets.field_note(ui, error_at(failed, f"positions.{index}.symbol"))
        imgui.table_next_column()
        row.analysis = widgets.choice(
            ui, f"{place}.analysis", t("field.analysis") if first else "", row.analysis, analyses, hint=t("form.choose")
        )
        widgets.field_note(ui, error_at(failed, f"positions.{index}.analysis"))
        imgui.table_next_column()
        row.trade = widgets.choice(
            ui, f"{place}.trade", t("field.trade") if first else "", row.trade, trades, hint=t("form.choose")
        )
        widgets.field_note(ui, error_at(failed, f"positions.{index}.trade"))
        imgui.table_next_column()
        row.assumed_ratio = widgets.text_field(
            ui, f"{place}.ratio", t("field.assumed_ratio") if first else "", row.assumed_ratio, unit="%",
            error=error_at(failed, f"positions.{index}.assumed_ratio"),
        )  # fmt: skip
        imgui.table_next_column()
        row.max_allocated = widgets.text_field(
            ui, f"{place}.most", t("field.max_allocated") if first else "", row.max_allocated,
            hint=t("accounts.no_cap"), error=error_at(failed, f"positions.{index}.max_allocated"),
        )  # fmt: skip
        imgui.table_next_column()
        if first:
            widgets.label_above(ui, " ")
        alone = t("form.one_position") if len(rows) == 1 else ""
        if widgets.button(ui, f"{place}.remove", icons.TRASH, why_not=alone):
            removed = index
    imgui.end_table()
    if removed >= 0:
        del rows[removed]
    _many(ui, mark, rows, symbols)
    widgets.field_note(ui, error_at(failed, "positions"))


def _many(ui: Ui, mark: str, rows: list[PositionDraft], symbols: Sequence[str]) -> None:
    """One more row, a row for every symbol, all rows like the first, equal shares."""
    t = ui.t
    full = t("form.most_positions", most=MOST_POSITIONS) if len(rows) >= MOST_POSITIONS else ""
    if widgets.button(ui, f"{mark}.add", f"{icons.ADD} {t('form.add_position')}", why_not=full):
        rows.append(_next(rows, symbols))
    left = [name for name in symbols if name not in {row.symbol for row in rows}]
    imgui.same_line()
    if widgets.button(ui, f"{mark}.add_all", t("form.add_all"), why_not=full or ("" if left else t("form.all_added"))):
        rows.extend(_next(rows, [name]) for name in left[: MOST_POSITIONS - len(rows)])
    single = t("form.single_row") if len(rows) < 2 else ""
    imgui.same_line()
    if widgets.button(ui, f"{mark}.alike", t("form.alike"), why_not=single):
        make_alike(rows)
    imgui.same_line()
    if widgets.button(ui, f"{mark}.even", t("form.even"), why_not=single):
        for row in rows:
            row.assumed_ratio = f"{100 // len(rows)}"


def make_alike(rows: list[PositionDraft]) -> None:
    """Every row as the first one, but for its symbol."""
    first = rows[0]
    for row in rows[1:]:
        row.analysis, row.trade = first.analysis, first.trade
        row.assumed_ratio, row.max_allocated = first.assumed_ratio, first.max_allocated


def _next(rows: list[PositionDraft], symbols: Sequence[str]) -> PositionDraft:
    """A row like the last one, for the first symbol not used yet."""
    used = {row.symbol for row in rows}
    symbol = next((name for name in symbols if name not in used), "")
    last = rows[-1]
    return PositionDraft(symbol, last.analysis, last.trade, last.assumed_ratio)


def prefill(ui: Ui, rows: list[PositionDraft]) -> None:
    """Fill blank fields of the first row with what there is, so that the form is ready to be sent."""
    first = rows[0]
    first.symbol = first.symbol or next((symbol for symbol in sorted(ui.model.coverage)), "")
    first.analysis = first.analysis or next(iter(ui.model.analysis_configurations), "")
    first.trade = first.trade or next(iter(ui.model.trade_configurations), "")
