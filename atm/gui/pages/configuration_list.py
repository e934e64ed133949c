"""The stored configurations of one kind: searched, sorted, and what can be done with one as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.dialogs import TextDialog
from atm.gui.read_model import ReadModel
from atm.gui.symbol_picker import match
from atm.gui.table import Column, Table
from atm.gui.ui import Ui
from atm.ipc.messages import (
    TRADE,
    CopyConfiguration,
    ExportConfiguration,
    ImportConfiguration,
    RemoveConfiguration,
    RenameConfiguration,
)

Kind = Literal["analysis", "trade"]


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """about: the intervals of an analysis configuration from short to long, the method of a trade configuration; used:
    "account: SYMBOL" of every position that uses it."""

    code: str
    about: tuple[str, ...]
    used: tuple[str, ...]


def uses_of(model: ReadModel, kind: Kind = "analysis") -> dict[str, list[str]]:
    """The positions that use a configuration as "account: SYMBOL", by its code."""
    uses: dict[str, list[str]] = {}
    for name, view in model.accounts.items():
        for position in view.setup.positions:
            code = position.analysis if kind == "analysis" else position.trade
            uses.setdefault(code, []).append(f"{name}: {position.symbol}")
    return uses


def configuration_rows(model: ReadModel, query: str, kind: Kind = "analysis") -> list[ConfigurationRow]:
    """The configurations whose code matches the query, the best match first; all by code without one."""
    uses = uses_of(model, kind)
    about = _intervals(model) if kind == "analysis" else _methods(model)
    by_letters: dict[str, list[str]] = {}
    for code in sorted(about):
        by_letters.setdefault(code.upper(), []).append(code)
    codes = [code for letters in match(query, list(by_letters)) for code in by_letters[letters]]
    return [ConfigurationRow(code, about[code], tuple(uses.get(code, ()))) for code in codes]


def _intervals(model: ReadModel) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for code, configuration in model.analysis_configurations.items():
        analyses = sorted(configuration.intervals, key=lambda each: each.interval.nominal_ms)
        found[code] = tuple(each.interval.value for each in analyses)
    return found


def _methods(model: ReadModel) -> Mapping[str, tuple[str, ...]]:
    """A user's method goes by its own name, ours by the name of its kind."""
    known = model.trade_configurations
    return {code: (str(getattr(one.method, "name", one.method.__struct_config__.tag)),) for code, one in known.items()}


class ConfigurationList:
    """See the module. chosen: called with the code that was clicked; made: with that of a copy, a new name or an import.
    remove: scope of the command that deletes."""

    def __init__(self, chosen: Callable[[str], None], made: Callable[[str], None], kind: Kind = "analysis") -> None:
        self.kind = kind
        self.remove = f"{kind}.delete"
        self._chosen = chosen
        self._made = made
        self.query = ""
        self._language = ""
        self._table: Table[ConfigurationRow] | None = None
        self._rows: list[ConfigurationRow] = []
        self._copy, self._rename = TextDialog(f"{kind}.copy"), TextDialog(f"{kind}.rename")
        self._import, self._export = TextDialog(f"{kind}.import"), TextDialog(f"{kind}.export")
        self._file = "~/"

    def draw(self, ui: Ui, selected: str, new: Callable[[], None]) -> None:
        """selected: code that is shown; new: called when a new configuration is wanted."""
        if self._language != ui.t.language:
            self._language, self._table = ui.t.language, _table(ui, self.kind)
        half = (imgui.get_content_region_avail().x - ui.px(8)) / 2
        if widgets.button(ui, f"{self.kind}.new", f"{icons.ADD}  {ui.t('analysis.new')}", "primary", width=half):
            new()
        imgui.same_line(0, ui.px(8))
        if widgets.button(ui, f"{self.kind}.import", ui.t("analysis.import"), width=half):
            self._import.open(ui, self._file)
        imgui.set_next_item_width(-1)
        _, self.query = imgui.input_text_with_hint("##search", f"{icons.SEARCH}  {ui.t('analysis.search')}", self.query)
        ui.mark(f"{self.kind}.search")
        rows = configuration_rows(ui.model, self.query, self.kind)
        if rows != self._rows:
            self._rows = rows
        room = 2 * imgui.get_frame_height_with_spacing()
        failed = ui.commands.failure(self.remove)
        if failed is not None:
            room += imgui.calc_text_size(failed.message, wrap_width=imgui.get_content_region_avail().x).y + ui.px(10)
        if self._table is not None:
            self._table.selected = selected
            clicked = self._table.draw(ui, self._rows, max(ui.px(80), imgui.get_content_region_avail().y - room))
            if clicked:
                self._chosen(clicked)
        self._actions(ui, next((row for row in rows if row.code == selected), None), half)
        widgets.field_note(ui, failed.message if failed is not None else "")
        self._dialogs(ui, selected)

    def _actions(self, ui: Ui, row: ConfigurationRow | None, half: float) -> None:
        none = ui.t("analysis.choose") if row is None else ""
        code, used = (row.code, row.used) if row is not None else ("", ())
        in_use = ui.t("analysis.in_use", uses=", ".join(used)) if used else ""
        if widgets.button(ui, f"{self.kind}.copy", f"{icons.COPY}  {ui.t('analysis.copy')}", why_not=none, width=half):
            self._copy.open(ui, f"{code}-2")
        imgui.same_line(0, ui.px(8))
        if widgets.button(ui, f"{self.kind}.rename", ui.t("analysis.rename"), why_not=none or in_use, width=half):
            self._rename.open(ui, code)
        if widgets.button(ui, f"{self.kind}.export", ui.t("analysis.export"), why_not=none, width=half):
            self._export.open(ui, f"~/{code}.toml")
        imgui.same_line(0, ui.px(8))
        label = f"{icons.TRASH}  {ui.t('analysis.delete')}"
        if widgets.button(ui, self.remove, label, "danger", why_not=none or in_use, width=half):
            ui.commands.forget(self.remove)
            imgui.open_popup(f"{self.kind}.confirm")
        title = ui.t("analysis.delete_title", code=code)
        consequence = ui.t("analysis.delete_consequence")
        if widgets.confirmation(ui, f"{self.kind}.confirm", title, consequence, ui.t("analysis.delete")):
            request = RemoveConfiguration(self.kind, code)
            ui.commands.send(TRADE, request, self.remove, "done.configuration_removed", {"code": code})

    def _dialogs(self, ui: Ui, selected: str) -> None:
        for dialog, command, key in (
            (self._copy, CopyConfiguration, "copy"),
            (self._rename, RenameConfiguration, "rename"),
        ):
            title = ui.t(f"analysis.{key}_title", code=selected)
            code = dialog.draw(ui, title, ui.t("analysis.new_code"), ui.t(f"analysis.{key}"))
            if code:
                done = "done.configuration_copied" if key == "copy" else "done.configuration_renamed"
                request = command(self.kind, selected, code)
                ui.commands.send(TRADE, request, dialog.scope, done, {"code": selected, "new_code": code})
            if dialog.done:
                self._made(dialog.text.strip())
        title = ui.t("analysis.export_title", code=selected)
        path = self._export.draw(ui, title, ui.t("analysis.file"), ui.t("analysis.export"), hint=f"~/{self.kind}.toml")
        if path:
            request_export = ExportConfiguration(selected, path, self.kind)
            ui.commands.send(TRADE, request_export, self._export.scope, "done.configuration_exported", {"path": path})
        path = self._import.draw(
            ui, ui.t("analysis.import_title"), ui.t("analysis.file"), ui.t("analysis.import"), hint=f"~/{self.kind}.toml",
            option=ui.t("analysis.replace"),
        )  # fmt: skip
        if path:
            self._file = path
            ui.commands.send(
                TRADE, ImportConfiguration(path, self._import.on, self.kind), self._import.scope, "done.configuration_imported",
                {"path": path}, timeout_s=600.0,
            )  # fmt: skip


def _table(ui: Ui, kind: Kind) -> Table[ConfigurationRow]:
    t, c = ui.t, ui.colors
    return Table(
        f"{kind}.list",
        (
            Column(t("field.code"), lambda r: r.code, lambda r: r.code, right=False, width=1.7),
            Column(
                t("analysis.intervals") if kind == "analysis" else t("parameter.method"),
                lambda r: ", ".join(r.about),
                lambda r: len(r.about) if kind == "analysis" else r.about[0],
                right=False, width=1.2,
            ),
            Column(
                t("analysis.used"), lambda r: str(len(r.used)) if r.used else "–", lambda r: len(r.used),
                width=0.6, color=lambda r: None if r.used else c.faint,
            ),
        ),
        lambda r: r.code,
    )  # fmt: skip
