"""Currency Analysis: an analysis that trading itself uses, live: its chart with its lines and signals, and the fills made on them."""

from __future__ import annotations

import math

import numpy as np
from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.analysis_choice import Known, known_analyses, lines_of
from atm.gui.analysis_rows import AnalysisRow, RowsOnce
from atm.gui.chart_analysis import Wish
from atm.gui.live_chart import LiveChart
from atm.gui.pages.accounts import newest_first
from atm.gui.pages.indicator_list import learn_indicators
from atm.gui.pages.running_analyses import state_tone
from atm.gui.result.chart_marks import held_marks, trade_marks
from atm.gui.theme import Color
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import IndicatorsUpdated
from atm.model.account import TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.interval import Interval

LIST_WIDTH = 300.0
_ROW = 46.0
_CYCLE, _STRENGTH, _CHANGE = "PIP.0.cycle", "PIP.0.filtered", "PIP.0.impulse"
NO_ACCOUNT = ""


class CurrencyAnalysisPage:
    """selected: id of the analysis; interval: of its configuration; account: whose fills are drawn, "" = nobody's."""

    def __init__(self) -> None:
        self.selected = ""
        self.interval = ""
        self.account = NO_ACCOUNT
        self.live = LiveChart("currency")
        self._query = ""
        self._once = RowsOnce()
        self._known: dict[str, Known] = known_analyses(())
        self._known_of: IndicatorsUpdated | None = None
        self._wished: Wish | None = None
        self._wish_of: tuple[object, ...] = ()
        self._marks_of: tuple[object, ...] = ()

    def draw(self, ui: Ui) -> None:
        self._learn(ui)
        rows = self._once.get(ui.model, ui.model.market_ms(ui.now_ms))
        wanted = ui.take_selection(PageName.ANALYSIS)
        if any(row.analysis == wanted for row in rows):
            self._choose(wanted)
        if not rows:
            self._nothing(ui)
            return
        if all(row.analysis != self.selected for row in rows):
            self._choose(rows[0].analysis)
        row = next(row for row in rows if row.analysis == self.selected)
        with widgets.card(ui, "analyses", ui.px(LIST_WIDTH), 0, ui.t("running.analyses")):
            self._list(ui, rows)
        imgui.same_line(0, ui.px(12))
        imgui.begin_child("analysis", ImVec2(0, 0))
        configuration = ui.model.analysis_configurations.get(row.configuration)
        with widgets.card(ui, "head", 0, -1):
            self._head(ui, row, configuration)
        with widgets.card(ui, "chart", 0, max(ui.px(320), imgui.get_content_region_avail().y)):
            if configuration is None:
                title = ui.t("live_analysis.no_configuration_title")
                widgets.empty(ui, icons.ANALYSIS, title, ui.t("live_analysis.no_configuration", code=row.configuration))
            else:
                self._chart(ui, row, configuration)
        imgui.end_child()

    def _choose(self, analysis: str) -> None:
        self.selected, self.interval = analysis, ""

    def _nothing(self, ui: Ui) -> None:
        """Says where analyses come from."""
        widgets.empty(ui, icons.ANALYSIS, ui.t("running.none_title"), ui.t("live_analysis.none"))
        imgui.dummy(ImVec2(0, ui.px(8)))
        widgets.centre_next(ui.t("page.accounts"))
        if widgets.button(ui, "live_analysis.accounts", ui.t("page.accounts"), "primary"):
            ui.go(PageName.ACCOUNTS)

    # --- list

    def _list(self, ui: Ui, rows: list[AnalysisRow]) -> None:
        self._query = widgets.text_field(ui, "live_analysis.search", "", self._query, hint=ui.t("running.search"))
        wanted = self._query.strip().upper()
        found = [row for row in rows if wanted in f"{row.analysis} {row.analyzer}".upper()]
        if not found:
            ui.wrapped(ui.t("live_analysis.none_found"))
        clipper = imgui.ListClipper()
        clipper.begin(len(found))
        while clipper.step():
            for row in found[clipper.display_start : clipper.display_end]:
                self._entry(ui, row)

    def _entry(self, ui: Ui, row: AnalysisRow) -> None:
        low = imgui.get_cursor_pos()
        low = ImVec2(low.x, low.y)
        if imgui.selectable(f"##{row.analysis}", row.analysis == self.selected, 0, ImVec2(0, ui.px(_ROW)))[0]:
            self._choose(row.analysis)
        ui.mark(f"live_analysis.pick.{row.analysis}")
        after = imgui.get_cursor_pos()
        after = ImVec2(after.x, after.y)
        imgui.set_cursor_pos(ImVec2(low.x + ui.px(8), low.y + ui.px(4)))
        ui.text(row.symbol, bold=True)
        imgui.same_line(0, ui.px(8))
        ui.text(row.configuration, ui.colors.muted, size=ui.theme.SMALL)
        imgui.set_cursor_pos(ImVec2(low.x + ui.px(8), low.y + ui.px(25)))
        ui.text(icons.CIRCLE, state_tone(ui, row.state), size=8)
        imgui.same_line()
        said = ui.texts(f"analysis.{row.state}")
        share = "" if row.progress is None or row.progress >= 1.0 else f"  {formats.percent(row.progress, 0)}"
        ui.text(f"{said}{share}", ui.colors.muted, size=ui.theme.SMALL)
        imgui.set_cursor_pos(after)
        imgui.dummy(ImVec2(0, 0))

    # --- one analysis

    def _head(self, ui: Ui, row: AnalysisRow, configuration: AnalysisConfiguration | None) -> None:
        ui.text(row.symbol, size=ui.theme.BODY + 2, bold=True)
        imgui.same_line(0, ui.px(10))
        widgets.badge(ui, row.configuration, ui.colors.info)
        imgui.same_line(0, ui.px(10))
        widgets.badge(ui, ui.texts(f"analysis.{row.state}"), state_tone(ui, row.state))
        imgui.same_line(0, ui.px(14))
        users = ", ".join(row.accounts) or formats.UNKNOWN
        last = formats.moment(row.last_close_ms)
        said = ui.t("live_analysis.about", analyzer=row.analyzer or formats.UNKNOWN, accounts=users, time=last)
        ui.text(said, ui.colors.muted, size=ui.theme.SMALL)
        if row.error:
            ui.wrapped(f"{icons.WARNING}  {row.error}", ui.colors.bad)
        if configuration is not None and any(each.pip is not None for each in configuration.intervals):
            self._signals(ui)

    def _signals(self, ui: Ui) -> None:
        """The newest values of the classical signal; dashes while they are not computed, so that nothing moves when they are."""
        series = self.live.analysis.series
        places = [None if series is None else series.place(name) for name in (_CYCLE, _STRENGTH, _CHANGE)]
        cycle, strength, change = (
            math.nan if series is None or place is None else series.value_at(place, len(series) - 1) for place in places
        )
        since = formats.UNKNOWN
        if series is not None and places[0] is not None and len(changes := series.changes(places[0])):
            since = formats.moment(int(series.time[changes[-1]]))
        word, color = _cycle(ui, cycle)
        widgets.stats(
            ui,
            [
                (ui.t("live_analysis.cycle"), word, color),
                (ui.t("live_analysis.since"), since, None),
                (ui.t("live_analysis.strength"), formats.number(strength, 4, sign=True), ui.signed(strength)),
                (ui.t("live_analysis.change"), formats.number(change, 4, sign=True), ui.signed(change)),
            ],
            150,
        )

    def _chart(self, ui: Ui, row: AnalysisRow, configuration: AnalysisConfiguration) -> None:
        intervals = sorted(configuration.intervals, key=lambda each: each.interval.nominal_ms)
        names = [each.interval.value for each in intervals]
        if self.interval not in names:
            self.interval = configuration.decision.value
        self.interval = widgets.segments(ui, "live_analysis.interval", self.interval, [(each, each) for each in names])
        imgui.same_line(0, ui.px(12))
        if widgets.button(ui, "live_analysis.newest", ui.t("market.newest")):
            self.live.chart.go_to_newest()
        imgui.same_line()
        if widgets.button(ui, "live_analysis.edit", ui.t("running.edit")):
            ui.go(PageName.AUTO_TRADE, f"analysis:{row.configuration}")
        imgui.same_line()
        if widgets.button(ui, "live_analysis.market", ui.t("live_analysis.market")):
            ui.go(PageName.MARKET, row.symbol)
        imgui.same_line(0, ui.px(12))
        self._accounts(ui, row)
        self._mark(ui, row)
        interval = Interval(self.interval)
        self.live.draw(
            ui, row.symbol, interval, lambda of, on: self._wish(of, on, configuration), lambda: self._note(ui, row)
        )

    def _accounts(self, ui: Ui, row: AnalysisRow) -> None:
        """Whose fills are drawn."""
        options = [(NO_ACCOUNT, ui.t("live_analysis.no_fills")), *((each, each) for each in row.accounts)]
        if self.account not in row.accounts:
            self.account = row.accounts[0] if row.accounts else NO_ACCOUNT
        chosen = widgets.choice(ui, "live_analysis.account", "", self.account or NO_ACCOUNT, options, width=ui.px(170))
        self.account = chosen
        widgets.tooltip(ui.t("live_analysis.fills_hint"))

    def _mark(self, ui: Ui, row: AnalysisRow) -> None:
        """Draw the fills of the chosen account at this symbol."""
        view, results, name = ui.model.accounts.get(self.account), ui.results, self.account
        trades: tuple[TradeRecord, ...] = ()
        if view is not None:
            stored = ui.stored.get(("account trades", name), lambda: results.account_trades(name)).value
            key = (name, row.symbol, stored, len(view.trades), view.trades[-1].index if view.trades else -1)
            if key == self._marks_of:
                return
            self._marks_of = key
            joined = newest_first(stored or (), view.trades)
            trades = tuple(trade for trade in reversed(joined) if trade.symbol == row.symbol)
        self.live.chart.trades = trade_marks(trades) if trades else None
        self.live.chart.held = held_marks(trades) if trades else None

    def _note(self, ui: Ui, row: AnalysisRow) -> str:
        if row.state == "preparing":
            return ui.t("live_analysis.preparing", share=formats.percent(row.caught_up, 0))
        return self.live.problem(ui)

    def _wish(self, symbol: str, interval: Interval, configuration: AnalysisConfiguration) -> Wish | None:
        """Its lines on this interval, the same object while nothing has changed."""
        key = symbol, interval, configuration, self._known
        if key != self._wish_of:
            part = next((each for each in configuration.intervals if each.interval is interval), None)
            self._wish_of, self._wished = key, None
            if part is not None:
                one = AnalysisConfiguration(configuration.code, (part,))
                self._wished = Wish(symbol, one, tuple(lines_of(part, self._known)), interval.nominal_ms)
        return self._wished

    def _learn(self, ui: Ui) -> None:
        """Users' indicators are lines as well."""
        learn_indicators(ui)
        indicators = ui.model.indicators
        if indicators is not None and indicators is not self._known_of:
            self._known_of, self._known = indicators, known_analyses(indicators.indicators)


def _cycle(ui: Ui, value: float) -> tuple[str, Color]:
    """The cycle of the classical signal in a word."""
    if math.isnan(value) or np.sign(value) == 0:
        return ui.t("live_analysis.no_cycle"), ui.colors.muted
    return (ui.t("live_analysis.high"), ui.colors.up) if value > 0 else (ui.t("live_analysis.low"), ui.colors.down)
