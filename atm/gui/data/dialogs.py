"""The dialogs of the Database page: what each asks for and the request that it makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import imgui

from atm.gui import formats, widgets
from atm.gui.data.fields_dialog import FieldsDialog
from atm.gui.ui import Ui
from atm.ipc.messages import (
    DATA,
    DeleteMinutes,
    ExportMinutes,
    ImportPath,
    Request,
    SetCollection,
    SetRetention,
    StartDownload,
)
from atm.model.bars import TimeRange
from atm.model.data_job import Collection, Retention
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS, format_time

BYTES_A_MONTH = 1_300_000
"""Of the bars of one symbol, as measured on recorded months."""
FLOW_BYTES_A_MONTH = 1_900_000
MARKS_BYTES_A_MONTH = 1_100_000
MINUTES_A_SECOND = 1_500
"""What a download gets through under the half of the rate budget that history may use: 120 requests of 1,500 a minute, every other
one for mark prices."""
FIRST_BAR_S = 100.0
FORMS = ("parquet", "csv")
DELETED = ("all", "bars", "flow", "marks")
SHOWN_CONFIRM = "database.shown.confirm"


class DataDialogs:
    """One of them is open at most."""

    def __init__(self) -> None:
        self._symbol = ""
        self._shown: tuple[str, ...] = ()
        self._collect_shown = False
        self._ask_shown = False
        self._download = FieldsDialog("database.download", ("start", "end"))
        self._import = FieldsDialog("database.import", ("path", "symbol"))
        self._export = FieldsDialog("database.export", ("start", "end", "export_form"), {"export_form": FORMS})
        self._delete = FieldsDialog("database.delete", ("start", "end", "deleted"), {"deleted": DELETED})
        self._retention = FieldsDialog("database.retention", ("flow_months", "bar_months"))

    def open_download(self, ui: Ui, symbol: str) -> None:
        self._symbol = symbol
        self._download.open(ui, start="", end="")

    def open_import(self, ui: Ui) -> None:
        self._import.open(ui, symbol="")

    def open_export(self, ui: Ui, symbol: str, stored: TimeRange) -> None:
        self._symbol = symbol
        start, end = format_time(stored.start_ms), format_time(stored.end_ms)
        self._export.open(ui, start=start, end=end, export_form=FORMS[0])

    def open_delete(self, ui: Ui, symbol: str, within: TimeRange | None = None, what: str = "all") -> None:
        """within: the range to begin with, None = everything."""
        self._symbol = symbol
        start, end = ("", "") if within is None else (format_time(within.start_ms), format_time(within.end_ms))
        self._delete.open(ui, start=start, end=end, deleted=what)

    def open_retention(self, ui: Ui) -> None:
        kept = ui.model.retention
        self._retention.open(ui, flow_months=str(kept.flow_months), bar_months=str(kept.bar_months))

    def ask_shown(self, symbols: Sequence[str], collect: bool) -> None:
        """Whether all these symbols are to be collected from now on, or none of them."""
        self._shown, self._collect_shown, self._ask_shown = tuple(symbols), collect, True

    def draw(self, ui: Ui) -> None:
        """All that are open."""
        t, symbol = ui.t, self._symbol
        hints = {"start": t("database.hint_first"), "end": t("database.hint_now")}
        body = t("database.download_body", rate=f"{MINUTES_A_SECOND * 60:,}", size=formats.size(BYTES_A_MONTH))
        title = t("database.download_title", symbol=symbol)
        if self._download.draw(ui, title, body, t("database.download"), hints=hints):
            self._send(ui, self._download, FIRST_BAR_S)
        hints = {"path": t("database.hint_path"), "symbol": t("database.hint_symbol")}
        if self._import.draw(
            ui, t("database.import_title"), t("database.import_body"), t("database.import"), hints=hints
        ):
            self._send(ui, self._import)
        title = t("database.export_title", symbol=symbol)
        if self._export.draw(ui, title, t("database.export_body"), t("database.export")):
            self._send(ui, self._export)
        hints = {"start": t("database.hint_all"), "end": t("database.hint_all")}
        title, body = t("database.delete_title", symbol=symbol), t("database.delete_body", symbol=symbol)
        if self._delete.draw(ui, title, body, t("database.delete"), kind="danger", hints=hints):
            self._send(ui, self._delete)
        title = t("database.retention_title")
        if self._retention.draw(ui, title, t("database.retention_body"), t("database.retention_set"), kind="danger"):
            self._send(ui, self._retention)
        self._draw_shown(ui)

    def _send(self, ui: Ui, dialog: FieldsDialog, timeout_s: float = 5.0) -> None:
        try:
            request = self._request(dialog)
        except Invalid as error:
            dialog.refuse(ui, error)
        else:
            ui.commands.send(DATA, request, dialog.scope, timeout_s=timeout_s)

    def _request(self, dialog: FieldsDialog) -> Request:
        """Raises `Invalid`, by field."""
        symbol = self._symbol
        if dialog is self._import:
            return ImportPath(dialog.values["path"].strip(), dialog.values["symbol"].strip().upper())
        if dialog is self._retention:
            return SetRetention(Retention(dialog.whole("flow_months"), dialog.whole("bar_months")))
        start, end = dialog.moment("start"), dialog.moment("end")
        if end and end <= start:
            raise Invalid("end", dialog.values["end"], "a time after the start")
        if dialog is self._download:
            return StartDownload(symbol, start, end)
        if dialog is self._export:
            if not end:
                raise Invalid("end", "", "a time after the start")
            return ExportMinutes(symbol, start, end, dialog.values["export_form"])
        if start and not end:
            raise Invalid("end", "", "a time after the start, or no start either")
        return DeleteMinutes(symbol, max(start, MINUTE_MS) if end else 0, end, dialog.values["deleted"])

    def _draw_shown(self, ui: Ui) -> None:
        if self._ask_shown:
            imgui.open_popup(SHOWN_CONFIRM)
            self._ask_shown = False
        t, count = ui.t, len(self._shown)
        size = formats.size(count * (BYTES_A_MONTH + FLOW_BYTES_A_MONTH + MARKS_BYTES_A_MONTH))
        which = "collect_shown" if self._collect_shown else "stop_shown"
        title = t(f"database.{which}_title", count=count)
        body = t(f"database.{which}_body", size=size)
        if widgets.confirmation(ui, SHOWN_CONFIRM, title, body, t(f"database.{which}")):
            on = self._collect_shown
            wanted = tuple(Collection(symbol, on, on) for symbol in self._shown)
            ui.commands.send(DATA, SetCollection(wanted), "database.shown", timeout_s=12.0)
