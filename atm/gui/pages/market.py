"""Market: the moving chart of a symbol with analyses of the user's choice, its price header, book and tape."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import icons, widgets
from atm.gui.analysis_choice import Known, Line, known_analyses, lines_of, quick_configuration, quick_lines
from atm.gui.analysis_picker import AnalysisPicker
from atm.gui.chart import CandleChart
from atm.gui.chart_analysis import ChartAnalysis, Wish
from atm.gui.live_chart import LiveChart
from atm.gui.market.book_panel import BookPanel
from atm.gui.market.freshness import Freshness, freshness
from atm.gui.market.header import draw_figures, draw_freshness, draw_price, figures
from atm.gui.market.symbol_list import SymbolList
from atm.gui.market.tape_panel import TapePanel
from atm.gui.pages.indicator_list import RELOAD, ask_for_indicators, learn_indicators
from atm.gui.symbol_picker import SymbolPicker
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import IndicatorsUpdated
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.interval import Interval

INTERVALS = tuple(interval.value for interval in Interval)
SIDE, LIST = 286.0, 288.0
LEAST_CHART = 560.0
"""The list of symbols gives way where less would be left for the chart."""
BOOK_SHARE = 0.56


class MarketPage:
    """See the module. Keeps one chart; symbol, interval and what is shown beside the candles are the user's preferences."""

    def __init__(self) -> None:
        self.picker = SymbolPicker("market.symbol")
        self.live = LiveChart("market")
        self.symbols = SymbolList()
        self.book = BookPanel()
        self.tape = TapePanel()
        self._analyses = AnalysisPicker()
        self._known: dict[str, Known] = known_analyses(())
        self._known_of: IndicatorsUpdated | None = None
        self._lines: list[Line] = []
        self._lines_of: tuple[object, object] = (None, None)
        self._wished: Wish | None = None
        self._wish_of: tuple[object, ...] = ()

    def draw(self, ui: Ui) -> None:
        wanted = ui.take_selection(PageName.MARKET)
        if ui.model.knows(wanted):
            self._choose(ui, wanted)
        if not ui.model.knows(ui.preferences.symbol) and (symbols := ui.model.symbols()):
            self._choose(ui, symbols[0])
        symbol = ui.preferences.symbol
        self.symbols.ask(ui, symbol)
        gap, side = ui.px(12), ui.px(SIDE)
        room = imgui.get_content_region_avail().x - side - gap
        has_room = room - ui.px(LIST) - gap >= ui.px(LEAST_CHART)
        with widgets.card(ui, "header", 0, -1):
            self._header(ui, symbol, freshness(ui.model, symbol, ui.now_ms), has_room)
        if ui.preferences.market.list_open and has_room:
            with widgets.card(ui, "symbols", ui.px(LIST), 0):
                chosen = self.symbols.draw(ui, symbol)
            if chosen:
                self._choose(ui, chosen)
            imgui.same_line(0, gap)
            room -= ui.px(LIST) + gap
        with widgets.card(ui, "chart", room, 0):
            self._learn_indicators(ui)
            self._toolbar(ui)
            self._draw_chart(ui)
        imgui.same_line(0, gap)
        imgui.begin_child("side", ImVec2(0, 0))
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "book", 0, height * BOOK_SHARE, ui.t("market.book")):
            self.book.draw(ui, symbol)
        with widgets.card(ui, "tape", 0, 0):
            self.tape.draw(ui, symbol)
        imgui.end_child()

    @property
    def chart(self) -> CandleChart:
        return self.live.chart

    @property
    def analysis(self) -> ChartAnalysis:
        return self.live.analysis

    def left(self, ui: Ui) -> None:
        """Nobody looks at book and statistics any more."""
        self.book.left(ui)
        self.symbols.forget()

    def _choose(self, ui: Ui, symbol: str) -> None:
        ui.preferences.symbol = symbol
        ui.on_preferences()

    # --- header

    def _header(self, ui: Ui, symbol: str, fresh: Freshness, has_room: bool) -> None:
        self._list_switch(ui, "" if has_room else ui.t("market.list_no_room"))
        chosen = self.picker.draw(ui, symbol)
        if chosen:
            self._choose(ui, chosen)
        imgui.same_line(0, ui.px(6))
        self._star(ui, symbol)
        imgui.same_line(0, ui.px(18))
        draw_price(ui, symbol, self.live.day, fresh)
        draw_figures(ui, figures(ui, symbol, self.live.day))
        draw_freshness(ui, fresh)

    def _list_switch(self, ui: Ui, why_not: str) -> None:
        chosen = ui.preferences.market
        if widgets.button(ui, "market.list", icons.LIST, why_not=why_not):
            chosen.list_open = not chosen.list_open
            ui.on_preferences()
        widgets.tooltip(why_not or ui.t("market.list_switch"))
        imgui.same_line(0, ui.px(8))

    def _star(self, ui: Ui, symbol: str) -> None:
        chosen = ui.preferences.market
        is_favourite = symbol in chosen.favourites
        ink = ui.colors.warning if is_favourite else ui.colors.faint
        imgui.push_style_color(imgui.Col_.text, ImVec4(*ink))
        if imgui.button(f"{icons.STAR}##market.star") and symbol:
            others = tuple(each for each in chosen.favourites if each != symbol)
            chosen.favourites = others if is_favourite else (*others, symbol)
            ui.on_preferences()
        imgui.pop_style_color()
        ui.mark("market.star")
        widgets.tooltip(ui.t("market.unfavour" if is_favourite else "market.favour"))

    def _toolbar(self, ui: Ui) -> None:
        options = [(value, value) for value in INTERVALS]
        interval = widgets.segments(ui, "market.interval", ui.preferences.interval, options)
        if interval != ui.preferences.interval:
            ui.preferences.interval = interval
            ui.on_preferences()
        imgui.same_line(0, ui.px(16))
        if widgets.button(ui, "market.newest", ui.t("market.newest")):
            self.chart.go_to_newest()
        before = ui.preferences.chart.configuration
        examining = ui.model.indicators is None or ui.commands.pending(RELOAD)
        self._analyses.draw(ui, self._known, self._quick_lines(ui), examining)
        if self._analyses.opened:
            ask_for_indicators(ui)  # files may have been added or changed
        configuration = self._stored_configuration(ui)
        if ui.preferences.chart.configuration != before and configuration is not None:
            self._go_to_interval_of(ui, configuration)

    # --- the choice of analyses

    def _learn_indicators(self, ui: Ui) -> None:
        """What can be chosen follows the list of indicators, and stays the same object while that says the same."""
        learn_indicators(ui)
        indicators = ui.model.indicators
        if indicators is None or indicators is self._known_of:
            return
        self._known_of = indicators
        known = known_analyses(indicators.indicators)
        if known != self._known:
            self._known = known

    def _stored_configuration(self, ui: Ui) -> AnalysisConfiguration | None:
        return ui.model.analysis_configurations.get(ui.preferences.chart.configuration)

    def _go_to_interval_of(self, ui: Ui, configuration: AnalysisConfiguration) -> None:
        """A configuration is shown on an interval that it has."""
        if ui.preferences.interval not in {each.interval.value for each in configuration.intervals}:
            ui.preferences.interval = configuration.decision.value
            ui.on_preferences()

    def _quick_lines(self, ui: Ui) -> list[Line]:
        """The lines of the user's own choice, made anew when that or what is known has changed."""
        sources = ui.preferences.chart.quick, self._known
        if self._lines_of[0] is not sources[0] or self._lines_of[1] is not sources[1]:
            self._lines_of, self._lines = sources, quick_lines(*sources)
        return self._lines

    def _wish(self, ui: Ui, symbol: str, interval: Interval) -> Wish | None:
        """What is to be computed, made anew when what it is made of has changed."""
        # tuples compare their members by identity first, so this costs nothing while all is as it was
        key = symbol, interval, self._stored_configuration(ui), self._quick_lines(ui), self._known
        if key != self._wish_of:
            self._wish_of, self._wished = key, self._make_wish(ui, symbol, interval)
        return self._wished

    def _make_wish(self, ui: Ui, symbol: str, interval: Interval) -> Wish | None:
        """What is to be computed. A stored configuration is shown as it is, of its interval that the chart shows."""
        stored = self._stored_configuration(ui)
        if stored is None:
            lines = self._quick_lines(ui)
            if not lines:
                return None
            return Wish(symbol, quick_configuration(interval, lines), tuple(lines), interval.nominal_ms)
        part = next((each for each in stored.intervals if each.interval is interval), None)
        if part is None:
            return None
        one = AnalysisConfiguration(stored.code, (part,))
        return Wish(symbol, one, tuple(lines_of(part, self._known)), interval.nominal_ms)

    def _note(self, ui: Ui) -> str:
        """Why less is shown than was chosen; "" when all is."""
        stored = self._stored_configuration(ui)
        if stored is not None and ui.preferences.interval not in {each.interval.value for each in stored.intervals}:
            intervals = ", ".join(each.interval.value for each in stored.intervals)
            return ui.t("market.not_on_interval", code=stored.code, intervals=intervals)
        return self.live.problem(ui)

    # --- chart

    def _draw_chart(self, ui: Ui) -> None:
        symbol = ui.preferences.symbol
        if not symbol:
            widgets.empty(ui, icons.MARKET, ui.t("market.no_symbols_title"), ui.t("market.no_symbols"))
            return
        interval = Interval(ui.preferences.interval)
        self.live.draw(ui, symbol, interval, lambda of, on: self._wish(ui, of, on), lambda: self._note(ui))
