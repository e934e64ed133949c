"""Trades of an account: filtered by time, asset, symbol, side and reason, with counts and totals; a click leads to the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imgui_bundle import ImVec2, ImVec4, imgui

from atm.gui import formats, icons, widgets
from atm.gui.calendar import MomentField
from atm.gui.history.trade_filter import Filtered, HistoryFilter, filtered
from atm.gui.result.trades import fill_table
from atm.gui.result.view import Totals
from atm.gui.table import Table
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui
from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side

TABLE_WIDTH = 1_010.0
"""Of all columns; in a narrower window they are scrolled."""


@dataclass(slots=True)
class HistoryTrades:
    """See the module. Rows, counts and totals are made anew when the trades or the filter have changed."""

    filter: HistoryFilter = field(default_factory=HistoryFilter)
    selected: int = -1
    begin: MomentField = field(default_factory=lambda: MomentField("history.from"))
    end: MomentField = field(default_factory=lambda: MomentField("history.to"))
    found: Filtered = field(default_factory=Filtered)
    _of: tuple[object, HistoryFilter] | None = None
    _symbols: Sequence[str] = ()
    _table: Table[TradeRecord] | None = None
    _language: str = ""

    def select(self, trade: TradeRecord) -> None:
        """Mark a fill, whatever the filter was."""
        self.clear()
        self.selected = trade.index

    def clear(self) -> None:
        """Show all."""
        self.filter = HistoryFilter()
        self.begin.text = self.end.text = ""

    def draw(self, ui: Ui, trades: Sequence[TradeRecord], assets: Sequence[str]) -> TradeRecord | None:
        """trades: oldest first, another sequence whenever there are more. Returns the fill to be shown on the chart."""
        if self._table is None or self._language != ui.t.language:
            self._language, self._table = ui.t.language, fill_table(ui, "history.trades")
            self._table.inner_width = TABLE_WIDTH
        if self._of is None or self._of[0] is not trades:
            self._symbols = sorted({trade.symbol for trade in trades})
        with widgets.card(ui, "trades", 0, 0):
            if not trades:
                widgets.empty(ui, icons.LIST, ui.t("history.no_trades_title"), ui.t("history.no_trades"))
                return None
            self._where(ui, trades, assets)
            self._find(trades, assets)
            self._kinds(ui)
            self._find(trades, assets)
            wanted = self._sums(ui)
            if not self.found.rows:
                ui.wrapped(ui.t("history.none_pass"))
                return wanted
            self._table.selected = str(self.selected)
            clicked = self._table.draw(ui, self.found.rows)
            if clicked:
                self.selected = int(clicked)
        return wanted

    def _find(self, trades: Sequence[TradeRecord], assets: Sequence[str]) -> None:
        if self._of is None or self._of[0] is not trades or self._of[1] != self.filter:
            self._of = trades, self.filter
            self.found = filtered(trades, self.filter, assets)

    def _where(self, ui: Ui, trades: Sequence[TradeRecord], assets: Sequence[str]) -> None:
        """Time, asset, symbol."""
        t, width = ui.t, ui.px(176)
        first, last = trades[0].time_ms, trades[-1].time_ms
        begin, end = _typed(self.begin), _typed(self.end)
        crossed = isinstance(begin, int) and isinstance(end, int) and begin >= end
        wrong = t("history.no_time")
        self.begin.draw(ui, t("history.from"), first, last, width=width, error=wrong if begin is False else "")
        imgui.same_line()
        note = wrong if end is False else t("history.crossed") if crossed else ""
        self.end.draw(ui, t("history.to"), first, last, width=width, error=note)
        if begin is not False and end is not False and not crossed:
            self.filter = replace(self.filter, start_ms=begin, end_ms=end)
        every = ("", t("result.all"))
        imgui.same_line()
        options = [every, *((asset, asset) for asset in assets)]
        asset = widgets.choice(ui, "history.asset", t("history.asset"), self.filter.asset, options, width=ui.px(110))
        imgui.same_line()
        options = [every, *((symbol, symbol) for symbol in self._symbols)]
        symbol = widgets.choice(ui, "history.symbol", t("field.symbol"), self.filter.symbol, options, width=ui.px(150))
        self.filter = replace(self.filter, asset=asset, symbol=symbol)
        if self.filter != HistoryFilter() or self.begin.text or self.end.text:
            imgui.same_line()
            imgui.begin_group()
            widgets.label_above(ui, " ")
            if widgets.button(ui, "history.clear", f"{icons.CLOSE}  {t('history.clear')}"):
                self.clear()
            imgui.end_group()

    def _kinds(self, ui: Ui) -> None:
        """A switch for each side and each reason, with its count."""
        t, kinds = ui.t, self.found.kinds
        for side in Side:
            color = ui.colors.up if side is Side.BUY else ui.colors.down
            self._switch(ui, f"history.side.{side.value}", side, t(f"side.{side.value}"), color)
            imgui.same_line(0, ui.px(6))
        imgui.dummy(ImVec2(ui.px(8), 0))
        for reason in TradeReason:
            if kinds.get(reason) or reason in self.filter.hidden:
                label = t(f"trade_reason.{reason.value}")
                widgets.same_line_if_room(f"{label}  {kinds.get(reason, 0):,}")
                self._switch(ui, f"history.reason.{reason.value}", reason, label, ui.colors.accent)

    def _switch(self, ui: Ui, mark: str, kind: Side | TradeReason, label: str, color: Color) -> None:
        on = kind not in self.filter.hidden
        ground = fade(color, 0.2) if on else fade(ui.colors.raised, 0.6)
        imgui.push_style_color(imgui.Col_.button, ImVec4(*ground))
        imgui.push_style_color(imgui.Col_.text, ImVec4(*(color if on else ui.colors.faint)))
        if imgui.button(f"{label}  {self.found.kinds.get(kind, 0):,}##{mark}"):
            self.filter = self.filter.with_switched(kind)
        imgui.pop_style_color(2)
        ui.mark(mark)
        widgets.tooltip(ui.t("history.hide" if on else "history.show"))

    def _sums(self, ui: Ui) -> TradeRecord | None:
        """How many are shown, their totals by asset, and the way to the chart."""
        t, found = ui.t, self.found
        imgui.align_text_to_frame_padding()
        ui.text(t("history.shown", shown=f"{len(found.rows):,}", total=f"{found.total:,}"), bold=True)
        for key, count, applied in (
            ("history.in_time", found.in_time, self.filter.start_ms is not None or self.filter.end_ms is not None),
            ("history.in_asset", found.in_asset, bool(self.filter.asset)),
            ("history.in_symbol", found.in_symbol, bool(self.filter.symbol)),
        ):
            imgui.same_line(0, ui.px(16))
            ui.text(ui.texts(key, count=f"{count:,}"), ui.colors.text if applied else ui.colors.faint)
        chosen = next((trade for trade in found.rows if trade.index == self.selected), None)
        why = "" if chosen is not None else t("result.choose_trade")
        label = f"{icons.MARKET}  {t('result.to_chart')}"
        room = imgui.calc_text_size(label).x + ui.px(20)
        imgui.same_line()
        widgets.same_line_right(imgui.get_content_region_avail().x + imgui.get_cursor_pos_x(), room)
        pressed = widgets.button(ui, "history.chart", label, why_not=why)
        for asset, sums in found.sums.items():
            _line(ui, asset, sums)
        return chosen if pressed else None


def _typed(moment: MomentField) -> int | bool | None:
    """Unix ms; None for nothing, False for what is no time."""
    if not moment.text.strip():
        return None
    found = moment.moment()
    return False if found is None else found


def _line(ui: Ui, asset: str, sums: Totals) -> None:
    t, muted = ui.t, ui.colors.muted
    ui.text(asset, bold=True)
    for name, text, color in (
        (t("result.net"), formats.number(sums.net, sign=True), ui.signed(sums.net)),
        (t("result.gains"), formats.number(sums.gains), ui.colors.up),
        (t("result.losses"), formats.number(sums.losses), ui.colors.down),
        (t("result.fees"), formats.number(sums.fees), None),
        (t("result.bought"), formats.compact(sums.bought), None),
        (t("result.sold"), formats.compact(sums.sold), None),
    ):
        imgui.same_line(0, ui.px(20))
        ui.text(name, muted)
        imgui.same_line(0, ui.px(6))
        ui.text(text, color)
