"""Trades: every fill with the signal that caused it, filtered, with its totals; a click leads to the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imgui_bundle import imgui

from atm.gui import formats, icons, widgets
from atm.gui.result.view import ShownResult, Totals, TradeFilter, occurring, totals
from atm.gui.table import Column, Table
from atm.gui.trade_table import trade_columns
from atm.gui.ui import Ui
from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side


def signal(trade: TradeRecord) -> str:
    """Target exposure before and after, in percent; unknown in records of earlier versions."""
    if trade.target_before is None or trade.target_after is None:
        return formats.UNKNOWN
    before, after = (formats.percent(value, 0, sign=True) for value in (trade.target_before, trade.target_after))
    return f"{before} → {after}"


@dataclass(slots=True)
class TradesTab:
    """See the module. Rows and totals are made anew when the filter or the result has changed."""

    filter: TradeFilter = field(default_factory=TradeFilter)
    selected: int = -1
    _table: Table[TradeRecord] | None = None
    _language: str = ""
    _of: tuple[object, TradeFilter] | None = None
    _rows: Sequence[TradeRecord] = ()
    _totals: Totals = field(default_factory=Totals)
    _choices: tuple[tuple[str, ...], tuple[TradeReason, ...]] = ((), ())

    def select(self, trade: TradeRecord) -> None:
        """Mark a fill, whatever the filter was."""
        self.filter, self.selected = TradeFilter(), trade.index

    def draw(self, ui: Ui, result: ShownResult) -> TradeRecord | None:
        """Returns the fill that is to be shown on the chart."""
        if self._table is None or self._language != ui.t.language:
            self._language, self._table = ui.t.language, fill_table(ui, "result.trades")
        if self._of is None or self._of[0] is not result:
            if self._of is not None:
                self.selected = -1
            self._choices = occurring(result.trades)
        if self._of is None or self._of[0] is not result or self._of[1] != self.filter:
            self._of = result, self.filter
            self._rows = [trade for trade in result.trades if self.filter.passes(trade)]
            self._totals = totals(self._rows)
        with widgets.card(ui, "trades", 0, 0):
            if not result.trades:
                ui.wrapped(ui.t("result.no_trades"))
                return None
            self._filters(ui)
            wanted = self._sums(ui, result)
            self._table.selected = str(self.selected)
            clicked = self._table.draw(ui, self._rows)
            if clicked:
                self.selected = int(clicked)
        return wanted

    def _chosen(self, result: ShownResult) -> TradeRecord | None:
        """The selected fill; its number is its place, but for records that were cut off."""
        trades = result.trades
        if 0 <= self.selected < len(trades) and trades[self.selected].index == self.selected:
            return trades[self.selected]
        return next((trade for trade in trades if trade.index == self.selected), None) if self.selected >= 0 else None

    def _filters(self, ui: Ui) -> None:
        t, now = ui.t, self.filter
        every = ("", t("result.all"))
        symbols, reasons = self._choices
        width = ui.px(170)
        symbol = widgets.choice(
            ui,
            "trades.symbol",
            t("field.symbol"),
            now.symbol,
            [every, *((name, name) for name in symbols)],
            width=width,
        )
        imgui.same_line()
        sides = [every, *((side.value, t(f"side.{side.value}")) for side in Side)]
        side = widgets.choice(ui, "trades.side", t("field.side"), now.side, sides, width=width)
        imgui.same_line()
        options = [every, *((reason.value, t(f"trade_reason.{reason.value}")) for reason in reasons)]
        reason = widgets.choice(ui, "trades.reason", t("field.reason"), now.reason, options, width=width)
        imgui.same_line()
        text = widgets.text_field(
            ui, "trades.search", t("result.search"), now.text, width=ui.px(230), hint=t("result.search_hint")
        )
        self.filter = TradeFilter(symbol, side, reason, text)

    def _sums(self, ui: Ui, result: ShownResult) -> TradeRecord | None:
        """Totals of what passes, and the way to the chart."""
        t, sums = ui.t, self._totals
        for text, color in (
            (t("result.trades", count=f"{sums.count:,}"), None),
            (f"{t('result.bought')} {formats.compact(sums.bought)}", ui.colors.muted),
            (f"{t('result.sold')} {formats.compact(sums.sold)}", ui.colors.muted),
            (f"{t('result.gains')} {formats.number(sums.gains)}", ui.colors.up),
            (f"{t('result.losses')} {formats.number(sums.losses)}", ui.colors.down),
            (f"{t('result.fees')} {formats.number(sums.fees)}", ui.colors.muted),
            (f"{t('result.net')} {formats.number(sums.net, sign=True)}", ui.signed(sums.net)),
        ):
            imgui.align_text_to_frame_padding()
            ui.text(text, color)
            imgui.same_line(0, ui.px(22))
        chosen = self._chosen(result)
        why = "" if chosen is not None else t("result.choose_trade")
        label = f"{icons.MARKET}  {t('result.to_chart')}"
        return chosen if widgets.button(ui, "trades.chart", label, why_not=why) else None


def fill_table(ui: Ui, name: str) -> Table[TradeRecord]:
    """The columns of a trade log, and the signal after the reason."""
    columns = [replace(column, width=1.75) if "UTC" in column.title else column for column in trade_columns(ui)]
    caused: Column[TradeRecord] = Column(ui.t("result.signal"), signal, lambda r: r.target_after or 0.0, False, 1.4)
    decided: Column[TradeRecord] = Column(
        ui.t("result.decided"),
        lambda r: formats.moment(r.decision_ms)[5:] or formats.UNKNOWN,
        lambda r: r.decision_ms,
        False,
        1.2,
    )
    at = next(index for index, column in enumerate(columns) if column.title == ui.t("field.reason")) + 1
    return Table(name, (*columns[:at], caused, decided, *columns[at:]), key=lambda r: str(r.index))
