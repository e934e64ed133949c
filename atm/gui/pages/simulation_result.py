"""Simulation Result: the figures of a completed backtest, its equity curve and its trades."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.equity_chart import EquityCurve, draw_equity
from atm.gui.pages.simulation_table import simulation_table
from atm.gui.results import SimulationResult
from atm.gui.table import Table
from atm.gui.theme import Color
from atm.gui.trade_table import trade_table
from atm.gui.ui import PageName, Ui
from atm.model.account import TradeRecord
from atm.model.simulation import SimulationSpec, SimulationState, SimulationSummary

_Figure = tuple[str, str, Color | None]


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A result as the page draws it."""

    spec: SimulationSpec
    curve: EquityCurve
    trades: tuple[TradeRecord, ...]


class SimulationResultPage:
    """See the module."""

    def __init__(self) -> None:
        self.selected = ""
        self._list: Table[SimulationState] | None = None
        self._trades: Table[TradeRecord] | None = None
        self._language = ""
        self._rows: list[SimulationState] = []

    def draw(self, ui: Ui) -> None:
        self._tables(ui)
        rows = ui.model.completed_simulations()
        if rows != self._rows:
            self._rows = rows
        self.selected = ui.take_selection(PageName.RESULT) or self.selected
        state = next((state for state in self._rows if state.code == self.selected), None)
        if state is None and self._rows:
            state = self._rows[0]
            self.selected = state.code
        if state is None:
            widgets.empty(ui, icons.RESULT, ui.t("result.empty_title"), ui.t("result.empty"))
            return
        width = ui.px(430)
        imgui.begin_child("left", ImVec2(width, 0))
        with widgets.card(ui, "list", 0, imgui.get_content_region_avail().y * 0.36, ui.t("result.completed")):
            if self._list is not None:
                self._list.selected = self.selected
                self.selected = self._list.draw(ui, self._rows) or self.selected
        with widgets.card(ui, "summary", 0, 0, state.code):
            if state.summary is not None:
                self._summary(ui, state.summary)
        imgui.end_child()
        imgui.same_line(0, ui.px(14))
        imgui.begin_child("right", ImVec2(0, 0))
        self._detail(ui, state.code)
        imgui.end_child()

    def _tables(self, ui: Ui) -> None:
        if self._language != ui.t.language:
            self._language = ui.t.language
            self._list = simulation_table(ui, "result.list", completed=True)
            self._trades = trade_table(ui, "result.trades")

    # --- figures

    def _summary(self, ui: Ui, summary: SimulationSummary) -> None:
        for warning in summary.warnings:
            ui.wrapped(f"{icons.WARNING}  {warning}", ui.colors.warning)
        flags = imgui.TableFlags_.sizing_stretch_same | imgui.TableFlags_.borders_inner_h
        if not imgui.begin_table("##figures", 2, int(flags)):
            return
        for label, value, color in figures(ui, summary):
            imgui.table_next_row()
            imgui.table_next_column()
            ui.text(label, ui.colors.muted)
            imgui.table_next_column()
            room = imgui.get_content_region_avail().x - imgui.calc_text_size(value).x
            if room > 0:
                imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + room)
            ui.text(value, color)
        imgui.end_table()
        widgets.label_above(ui, ui.t("result.trade_hash"))
        if widgets.button(ui, "result.copy_hash", f"{icons.COPY}  {summary.trade_hash[:24]}…"):
            imgui.set_clipboard_text(summary.trade_hash)
        widgets.tooltip(ui.t("result.copy_hash"))

    # --- curve and trades

    def _detail(self, ui: Ui, code: str) -> None:
        results = ui.results
        loaded = ui.stored.get(("simulation", code), lambda: _shown(results.simulation(code)))
        result = loaded.value
        if result is None:
            with widgets.card(ui, "state", 0, 0):
                title = ui.t("result.loading" if loaded.loading else "result.unreadable")
                widgets.empty(ui, icons.WAITING if loaded.loading else icons.WARNING, title, loaded.error)
                if loaded.error and widgets.button(ui, "result.retry", ui.t("action.retry")):
                    ui.stored.forget(("simulation", code))
            return
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "curve", 0, height * 0.55, ui.t("result.equity")):
            if len(result.curve.time):
                size = imgui.get_content_region_avail()
                draw_equity(ui, f"equity {code}", result.curve, (size.x, size.y))
            else:
                ui.wrapped(ui.t("result.no_curve"))
        with widgets.card(ui, "trades", 0, 0, ui.t("result.trades", count=f"{len(result.trades):,}")):
            if not result.trades:
                ui.wrapped(ui.t("result.no_trades"))
            elif self._trades is not None:
                self._trades.draw(ui, result.trades)


def _shown(result: SimulationResult) -> ShownResult:
    return ShownResult(result.spec, EquityCurve.of(result.equity_time, result.equity), result.trades)


def figures(ui: Ui, s: SimulationSummary) -> list[_Figure]:
    """Every figure of a summary with its name, its text and its colour."""
    t = ui.t
    return [
        (t("field.net_profit"), formats.number(s.net_profit, sign=True), ui.signed(s.net_profit)),
        (t("result.total_return"), formats.percent(s.total_return, sign=True), ui.signed(s.total_return)),
        (t("result.final_equity"), formats.number(s.final_equity), None),
        (t("result.max_drawdown"), formats.percent(-abs(s.max_drawdown)), ui.signed(-abs(s.max_drawdown))),
        (t("result.sharpe"), formats.number(s.sharpe), None),
        (t("result.profit_factor"), formats.number(s.profit_factor), None),
        (t("result.win_rate"), formats.percent(s.win_rate, 1), None),
        (t("result.fills"), f"{s.trades:,}", None),
        (t("result.round_trips"), f"{s.round_trips:,}", None),
        (t("result.exposure"), formats.percent(s.exposure, 1), None),
        (t("result.fees"), formats.number(s.fees), None),
        (t("result.funding"), formats.number(s.funding, sign=True), None),
        (t("result.liquidations"), str(s.liquidations), ui.colors.bad if s.liquidations else None),
        (t("result.symbols"), ", ".join(s.symbols), None),
        (t("field.start"), s.start, None),
        (t("field.end"), s.end, None),
        (t("result.bars"), f"{s.bars:,}", None),
        (t("result.missing_bars"), f"{s.missing_bars:,}", ui.colors.warning if s.missing_bars else None),
        (t("result.wall_seconds"), f"{formats.number(s.wall_seconds, 3)} s", None),
    ]
