"""Database: what is collected and stored of every symbol, where it came from, and everything that can be done with it."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.data.dialogs import DataDialogs
from atm.gui.data.job_list import draw_jobs
from atm.gui.data.symbol_detail import SymbolDetail
from atm.gui.data.symbol_table import FILTERS, SymbolRow, rows_of, symbol_table
from atm.gui.table import Table
from atm.gui.theme import Color
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import DATA, CheckIntegrity
from atm.model.bars import Source

JOBS_HEIGHT, JOBS_SHARE = 176.0, 0.26
"""The less of both."""
LIST_SHARE = 0.53
HISTORY_SHARE = 0.5
"""Of the exchange's weight limit, what downloads may use (the rate budget keeps the rest for orders, accounts and repairs)."""


class DatabasePage:
    """See the module."""

    def __init__(self) -> None:
        self.selected = ""
        self.filter = FILTERS[0]
        self._query = ""
        self._dialogs = DataDialogs()
        self._detail = SymbolDetail(self._dialogs)
        self._table: Table[SymbolRow] | None = None
        self._language = ""
        self._theme = ""
        self._rows: list[SymbolRow] = []
        self._version: tuple[object, ...] = ()
        self._totals: dict[str, dict[Source, int]] = {}

    def draw(self, ui: Ui) -> None:
        if (self._language, self._theme) != (ui.t.language, ui.theme.name):
            self._table, self._language, self._theme = symbol_table(ui), ui.t.language, ui.theme.name
        self.selected = ui.take_selection(PageName.DATABASE) or self.selected
        self._read_totals(ui)
        version = (ui.model.revision, id(ui.model), self.filter, self._query, len(self._totals), ui.t.language)
        if version != self._version:
            self._version = version
            rows = rows_of(ui.model, self._totals, self.filter, self._query)
            self._rows = rows if rows != self._rows else self._rows
        if self.selected not in {row.symbol for row in self._rows} and not self._query:
            self.selected = self._rows[0].symbol if self._rows else ""
        with widgets.card(ui, "database.head", 0, -1):
            self._draw_head(ui)
        available, gap = imgui.get_content_region_avail(), imgui.get_style().item_spacing
        height = available.y - min(ui.px(JOBS_HEIGHT), available.y * JOBS_SHARE) - gap.y
        with widgets.card(ui, "database.list", available.x * LIST_SHARE, height):
            self._draw_list(ui)
        imgui.same_line()
        with widgets.card(ui, "database.detail", 0, height):
            if self.selected:
                self._detail.draw(ui, self.selected)
            else:
                widgets.empty(ui, icons.DATABASE, ui.t("database.empty_title"), ui.t("database.empty"))
        with widgets.card(ui, "database.jobs", 0, 0):
            draw_jobs(ui)
        self._dialogs.draw(ui)

    def _read_totals(self, ui: Ui) -> None:
        """Learn where the minutes of one further symbol came from; one at a time, so that the chosen one is not kept waiting."""
        picture = self._detail.picture
        if picture is not None:
            self._totals[picture.symbol] = picture.totals
        unknown = next((row.symbol for row in self._rows if row.ranges and row.symbol not in self._totals), None)
        if unknown is not None:
            found = ui.stored.get(("sources", unknown), lambda: ui.results.provenance(unknown).totals())
            if not found.loading:
                self._totals[unknown] = found.value or {}

    # --- head ---------------------------------------------------------------------------------------------------

    def _draw_head(self, ui: Ui) -> None:
        t, model = ui.t, ui.model
        collected = sum(each.bars for each in model.collection.values())
        minutes = sum(part.minutes for ranges in model.coverage.values() for part in ranges)
        figures: list[tuple[str, str, Color | None]] = [
            (t("database.collected"), str(collected), None),
            (t("database.minutes"), formats.compact(minutes), None),
            *self._disk(ui),
            self._budget(ui),
        ]
        labels = [t(f"database.{name}") for name in ("import_dots", "check_all", "retention_dots")]
        room = sum(imgui.calc_text_size(label).x for label in labels) + ui.px(110)
        width = imgui.get_content_region_avail().x
        imgui.begin_child("##figures", ImVec2(width - room, ui.px(46)))
        widgets.stats(ui, figures)
        imgui.end_child()
        imgui.same_line()
        imgui.begin_group()
        imgui.dummy(ImVec2(0, ui.px(4)))
        if widgets.button(ui, "database.open_import", labels[0], "primary"):
            self._dialogs.open_import(ui)
        imgui.same_line()
        why = "" if model.coverage else t("database.nothing_short")
        if widgets.button(ui, "database.check_all", labels[1], why_not=why):
            ui.commands.send(DATA, CheckIntegrity(), "database.check")
        imgui.same_line()
        if widgets.button(ui, "database.open_retention", labels[2]):
            self._dialogs.open_retention(ui)
        imgui.end_group()

    def _disk(self, ui: Ui) -> list[tuple[str, str, Color | None]]:
        disk = ui.model.disk
        if disk is None:
            return [(ui.t("database.on_disk"), formats.UNKNOWN, None), (ui.t("database.free"), formats.UNKNOWN, None)]
        used = sum(use.bytes for use in disk.uses)
        color = {"low": ui.colors.warning, "critical": ui.colors.bad}.get(disk.level)
        free = f"{formats.size(disk.free)} / {formats.size(disk.total)}"
        return [(ui.t("database.on_disk"), formats.size(used), None), (ui.t("database.free"), free, color)]

    def _budget(self, ui: Ui) -> tuple[str, str, Color | None]:
        """Weight used this minute of what downloads may use."""
        connection = ui.model.connection
        if connection is None:
            return ui.t("database.budget"), formats.UNKNOWN, None
        most = int(connection.weight_limit * HISTORY_SHARE)
        color = ui.colors.warning if connection.used_weight >= most else None
        return ui.t("database.budget"), f"{connection.used_weight:,} / {most:,}", color

    # --- list ---------------------------------------------------------------------------------------------------

    def _draw_list(self, ui: Ui) -> None:
        t = ui.t
        width = imgui.get_content_region_avail().x
        self._query = widgets.text_field(
            ui, "database.search", "", self._query, width=width * 0.3, hint=t("market.search")
        )
        imgui.same_line()
        options = [(name, t(f"database_filter.{name}")) for name in FILTERS]
        self.filter = widgets.segments(ui, "database.filter", self.filter, options)
        imgui.same_line(0, ui.px(12))
        ui.text(t("database.shown", count=len(self._rows)), ui.colors.muted, size=ui.theme.SMALL)
        if not self._rows:
            key = "database.empty" if self.filter == "stored" and not self._query else "database.none_shown"
            widgets.empty(
                ui, icons.DATABASE, t("database.empty_title" if key == "database.empty" else key), t(key + "_hint")
            )
            return
        assert self._table is not None
        self._table.selected = self.selected
        room = imgui.get_frame_height_with_spacing() + ui.px(4)
        self.selected = self._table.draw(ui, self._rows, imgui.get_content_region_avail().y - room) or self.selected
        names = [row.symbol for row in self._rows]
        if widgets.button(ui, "database.collect_shown", t("database.collect_shown")):
            self._dialogs.ask_shown(names, True)
        imgui.same_line()
        if widgets.button(ui, "database.stop_shown", t("database.stop_shown")):
            self._dialogs.ask_shown(names, False)
        used = used_symbols(ui)
        imgui.same_line()
        if widgets.button(
            ui, "database.collect_used", t("database.collect_used"), why_not="" if used else t("database.all_used")
        ):
            self._dialogs.ask_shown(used, True)
        failed = ui.commands.failure("database.shown")
        if failed is not None:
            imgui.same_line()
            ui.text(ui.t.said(failed.message), ui.colors.bad)


def used_symbols(ui: Ui) -> list[str]:
    """What accounts and analyses work on although its collection is not (wholly) on."""
    model = ui.model
    used = {ready.symbol for ready in model.analyses.values()}
    used |= {position.symbol for view in model.accounts.values() for position in view.setup.positions}
    return sorted(symbol for symbol in used if symbol not in model.collection or not model.collection[symbol].bars)
