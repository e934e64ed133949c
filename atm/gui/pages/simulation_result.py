"""Simulation Result: a completed backtest in nine tabs, from its curve to sliders that compute it anew."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import icons, widgets
from atm.gui.pages.simulation_table import simulation_table
from atm.gui.result.chart_tab import ChartTab
from atm.gui.result.compare import CompareTab
from atm.gui.result.doctor import draw_doctor
from atm.gui.result.export_bar import ExportBar
from atm.gui.result.overview import Overview
from atm.gui.result.reports import ReportsTab
from atm.gui.result.setup import SetupTab
from atm.gui.result.statistics_tab import StatisticsTab
from atm.gui.result.trades import TradesTab
from atm.gui.result.trial_tab import TrialTab
from atm.gui.result.view import ShownResult, shown
from atm.gui.stored import Loaded
from atm.gui.table import Table
from atm.gui.ui import PageName, Ui
from atm.model.simulation import SimulationState, SimulationSummary

TABS = ("overview", "doctor", "statistics", "trades", "chart", "reports", "setup", "compare", "trial")
LIST_WIDTH = 330.0
_SHARE = 0.25
"""Part of the page that the list may take."""


class SimulationResultPage:
    """See the module. selected: code of the result; tab: one of `TABS`."""

    def __init__(self) -> None:
        self.selected = ""
        self.tab = "overview"
        self.search = ""
        self.overview = Overview()
        self.statistics = StatisticsTab()
        self.trades = TradesTab()
        self.chart = ChartTab()
        self.reports = ReportsTab()
        self.setup = SetupTab()
        self.compare = CompareTab()
        self.trial = TrialTab()
        self._export = ExportBar()
        self._list: Table[SimulationState] | None = None
        self._language = ""
        self._rows: list[SimulationState] = []
        self._found: list[SimulationState] = []
        self._trying = False

    def draw(self, ui: Ui) -> None:
        self._tables(ui)
        rows = ui.model.completed_simulations()
        if rows != self._rows:
            self._rows = self._found = rows
        self.selected = ui.take_selection(PageName.RESULT) or self.selected
        state = next((state for state in self._rows if state.code == self.selected), None)
        if state is None and self._rows:
            state = self._rows[0]
            self.selected = state.code
        if state is None or state.summary is None:
            self.left(ui)
            widgets.empty(ui, icons.RESULT, ui.t("result.empty_title"), ui.t("result.empty"))
            return
        with widgets.card(ui, "list", min(ui.px(LIST_WIDTH), imgui.get_content_region_avail().x * _SHARE), 0):
            self._choose(ui)
        imgui.same_line(0, ui.px(12))
        imgui.begin_child("right", ImVec2(0, 0))
        self._result(ui, state, state.summary)
        imgui.end_child()

    def left(self, ui: Ui) -> None:
        """See `atm.gui.shell.Leavable`."""
        if self._trying:
            self._trying = False
            self.trial.left(ui)

    def _tables(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language = ui.t.language
            self._list = simulation_table(ui, "result.list", completed=True)

    def _choose(self, ui: Ui) -> None:
        """The list with its search."""
        widgets.heading(ui, ui.t("result.completed"))
        before = self.search
        self.search = widgets.text_field(ui, "result.search", "", self.search, hint=ui.t("result.search_list"))
        if self.search != before or self._found is self._rows:
            self._found = [state for state in self._rows if _passes(state, self.search)]
        if self._list is not None:
            self._list.selected = self.selected
            self.selected = self._list.draw(ui, self._found) or self.selected

    def _result(self, ui: Ui, state: SimulationState, summary: SimulationSummary) -> None:
        ui.text(state.code, size=ui.theme.BODY + 2, bold=True)
        imgui.same_line(0, ui.px(14))
        about = ui.t("tear_sheet.range", symbols=", ".join(summary.symbols), start=summary.start, end=summary.end)
        ui.text(about, ui.colors.muted)
        self._export.draw(ui, state.code)
        options = [(tab, ui.t(f"result_tab.{tab}")) for tab in TABS]
        self.tab = widgets.segments(ui, "result.tab", self.tab, options)
        if self.tab != "trial":
            self.left(ui)
        loaded = _load(ui, state)
        if loaded.value is None:
            self._missing(ui, state, loaded)
            return
        self._tab(ui, state, summary, loaded.value)

    def _missing(self, ui: Ui, state: SimulationState, loaded: Loaded[ShownResult]) -> None:
        with widgets.card(ui, "state", 0, 0):
            title = ui.t("result.loading" if loaded.loading else "result.unreadable")
            widgets.empty(ui, icons.WAITING if loaded.loading else icons.WARNING, title, loaded.error)
            if loaded.error and widgets.button(ui, "result.retry", ui.t("action.retry")):
                ui.stored.forget(_key(state))

    def _tab(self, ui: Ui, state: SimulationState, summary: SimulationSummary, result: ShownResult) -> None:
        match self.tab:
            case "overview":
                self.overview.draw(ui, summary, result)
            case "doctor":
                draw_doctor(ui, summary)
            case "statistics":
                self.statistics.draw(ui, summary, result)
            case "trades":
                trade = self.trades.draw(ui, result)
                if trade is not None:
                    self.chart.show(trade)
                    self.tab = "chart"
            case "chart":
                clicked = self.chart.draw(ui, result)
                if clicked is not None:
                    self.trades.select(clicked)
                    self.tab = "trades"
            case "reports":
                self.reports.draw(ui, result)
            case "setup":
                self.setup.draw(ui, result.spec)
            case "compare":
                self.compare.draw(ui, state.code, self._rows, lambda other: _load(ui, other))
            case "trial":
                self._trying = True
                self.trial.draw(ui, result)


def _key(state: SimulationState) -> tuple[str, str, int]:
    """What is kept of a result; another simulation may have the code of one that was removed."""
    return ("simulation", state.code, state.created_ms)


def _load(ui: Ui, state: SimulationState) -> Loaded[ShownResult]:
    results = ui.results
    return ui.stored.get(_key(state), lambda: shown(results.simulation(state.code)))


def _passes(state: SimulationState, search: str) -> bool:
    """Whether every word of the search is in the code or a symbol."""
    symbols = " ".join(state.summary.symbols) if state.summary is not None else ""
    words = f"{state.code} {symbols}".casefold()
    return all(word in words for word in search.casefold().split())
