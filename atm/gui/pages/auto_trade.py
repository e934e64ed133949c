"""AutoTrade: what is analysed where, how it is analysed, how its signals become orders, and the indicators that there are."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import widgets
from atm.gui.pages.analysis_configurations import AnalysisConfigurations
from atm.gui.pages.draft_editor import DraftEditor
from atm.gui.pages.indicator_list import IndicatorList, learn_indicators
from atm.gui.pages.running_analyses import RunningAnalyses
from atm.gui.pages.trade_configurations import TradeConfigurations
from atm.gui.ui import PageName, Ui

TABS = ("analyses", "analysis", "trade", "indicators")


class AutoTradePage:
    """tab: one of `TABS`. What another page wants to see here is "TAB" or "TAB:SELECTION"."""

    def __init__(self) -> None:
        self.tab = TABS[0]
        self.running = RunningAnalyses()
        self.analysis = AnalysisConfigurations()
        self.trade = TradeConfigurations()
        self._indicators = IndicatorList()

    def draw(self, ui: Ui) -> None:
        learn_indicators(ui)
        tab, _, selection = ui.take_selection(PageName.AUTO_TRADE).partition(":")
        if tab in TABS:
            self._show(tab, selection)
        options = [(name, ui.texts(f"auto_tab.{name}")) for name in TABS]
        wanted = widgets.segments(ui, "auto.tab", self.tab, options)
        if wanted != self.tab:
            self._leave_for(wanted)
        imgui.dummy(ImVec2(0, 0))
        match self.tab:
            case "analyses":
                self.running.draw(ui)
            case "analysis":
                self.analysis.draw(ui)
            case "trade":
                self.trade.draw(ui)
            case _:
                self._indicators.draw(ui)

    def _show(self, tab: str, selection: str = "") -> None:
        self.tab = tab
        editor = self._editor()
        if editor is not None and selection:
            editor.choose(selection)
        elif selection:
            self.running.selected = selection

    def _leave_for(self, tab: str) -> None:
        """Another tab, after a question when something would be lost: so one form alone can be unsaved."""
        editor = self._editor()
        if editor is None:
            self.tab = tab
        else:
            editor.leave(lambda: self._show(tab))

    def _editor(self) -> DraftEditor | None:  # type: ignore[type-arg]
        return {"analysis": self.analysis.editor, "trade": self.trade.editor}.get(self.tab)  # type: ignore[return-value]
