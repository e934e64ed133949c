"""The positions of an account: three sets of columns, why one of them opens nothing, closing by hand."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.accounts.suspension import Suspension, all_suspensions
from atm.gui.accounts.wording import protection_word, sentence
from atm.gui.pages.account_positions import ON_PAPER, Shown, position_tables
from atm.gui.read_model import AccountView
from atm.gui.table import Table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import TRADE, ForceClear
from atm.model.account import AccountKind, PositionState

COLUMN_SETS = ("basic", "trader", "detail")
MOST_REASONS = 4


class PositionsTab:
    """selected: symbol of the position that was clicked."""

    def __init__(self) -> None:
        self.selected = ""
        self._columns = COLUMN_SETS[0]
        self._search = ""
        self._language = ""
        self._tables: dict[str, Table[PositionState]] = {}
        self._shown = Shown()
        self._rows: tuple[PositionState, ...] = ()
        self._reasons: dict[str, list[Suspension]] = {}
        self._why_of: tuple[int, str, int] = (0, "", -1)

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        if self._language != ui.t.language:
            self._language, self._tables = ui.t.language, position_tables(ui, self._shown)
        why = self._why(ui, view)
        self._shown.take(ui, view, why)
        self._tools(ui)
        self._find(view)
        if not view.snapshot.positions:
            ui.wrapped(ui.t("accounts.not_opened" if view.snapshot.state == "FAILED" else "accounts.no_positions"))
            return
        chosen = next((p for p in view.snapshot.positions if p.symbol == self.selected), None)
        table = self._tables[self._columns if view.setup.kind is AccountKind.ACTUAL else f"{self._columns}{ON_PAPER}"]
        table.selected = self.selected
        line = imgui.get_frame_height_with_spacing()
        reasons = len(why[chosen.symbol][:MOST_REASONS]) if chosen is not None else 0
        stopped = chosen is not None and view.setup.kind is AccountKind.ACTUAL and bool(chosen.quantity)
        below = line + (reasons + stopped) * imgui.get_text_line_height_with_spacing() + ui.px(4)
        height = max(ui.px(110), imgui.get_content_region_avail().y - below)
        clicked = table.draw(ui, self._rows, height)
        if clicked:
            self.selected = "" if clicked == self.selected else clicked
        self._actions(ui, view, chosen)
        if chosen is not None:
            self._about(ui, chosen, why[chosen.symbol])

    def _why(self, ui: Ui, view: AccountView) -> dict[str, list[Suspension]]:
        """Looked for anew when anything has been heard."""
        key = (id(ui.model), view.snapshot.name, ui.model.revision)
        if key != self._why_of:
            self._why_of, self._reasons = key, all_suspensions(ui.model, view)
        return self._reasons

    def _tools(self, ui: Ui) -> None:
        """Set of columns and search, at the right end of the heading's line."""
        options = [(each, ui.texts(f"columns.{each}")) for each in COLUMN_SETS]
        self._columns = widgets.segments(ui, "accounts.columns", self._columns, options)
        imgui.same_line(0, ui.px(14))
        self._search = widgets.text_field(
            ui, "accounts.search", "", self._search, width=ui.px(220), hint=ui.t("accounts.search")
        )

    def _find(self, view: AccountView) -> None:
        wanted = self._search.strip().upper()
        uses = {each.symbol: f"{each.symbol} {each.analysis} {each.trade}".upper() for each in view.setup.positions}
        rows = tuple(each for each in view.snapshot.positions if wanted in uses.get(each.symbol, each.symbol))
        if rows != self._rows:
            self._rows = rows

    def _actions(self, ui: Ui, view: AccountView, chosen: PositionState | None) -> None:
        why = ui.t("accounts.choose_position")
        if chosen is not None:
            why = "" if chosen.quantity else ui.t("accounts.position_flat")
        label = ui.t("accounts.clear", symbol=self.selected) if chosen is not None else ui.t("accounts.clear_position")
        if widgets.button(ui, "accounts.clear", label, "danger", why_not=why):
            imgui.open_popup("accounts.confirm_clear")
        if chosen is None:
            imgui.same_line()
            imgui.align_text_to_frame_padding()
            ui.text(ui.t("accounts.choose_hint"), ui.colors.faint, size=ui.theme.SMALL)
            return
        imgui.same_line()
        if widgets.button(ui, "accounts.chart", ui.t("accounts.show_chart")):
            ui.go(PageName.MARKET, chosen.symbol)
        setup = next((each for each in view.setup.positions if each.symbol == chosen.symbol), None)
        if setup is not None:
            imgui.same_line()
            if widgets.button(ui, "accounts.analysis", ui.t("accounts.show_analysis")):
                ui.go(PageName.ANALYSIS, f"{chosen.symbol}/{setup.analysis}")
        self._confirm(ui, view, chosen)

    def _confirm(self, ui: Ui, view: AccountView, chosen: PositionState) -> None:
        consequence = ui.t(
            "accounts.clear_consequence",
            quantity=formats.quantity(chosen.quantity, ui.model.quantity_decimals(chosen.symbol)),
            symbol=chosen.symbol,
            price=formats.number(chosen.mark_price, ui.model.price_decimals(chosen.symbol)),
            profit=formats.number(chosen.unrealized_profit, sign=True),
        )
        title = ui.t("accounts.clear", symbol=chosen.symbol)
        if widgets.confirmation(ui, "accounts.confirm_clear", title, consequence, title):
            send_clear(ui, view.snapshot.name, chosen.symbol)

    def _about(self, ui: Ui, chosen: PositionState, why: list[Suspension]) -> None:
        """The stop on the exchange, and why nothing is opened, each in a line."""
        stop = self._shown.stops.get(chosen.symbol)
        if stop is not None and chosen.quantity:
            word, color = protection_word(ui, stop)
            decimals = ui.model.price_decimals(chosen.symbol)
            trigger, wanted = (formats.number(price, decimals) for price in (stop.trigger, stop.wanted))
            ui.text(ui.t("protection.line", state=word, trigger=trigger, wanted=wanted), color, size=ui.theme.SMALL)
        for each in why[:MOST_REASONS]:
            color = ui.colors.bad if each.grave else ui.colors.warning
            ui.text(f"{icons.PAUSE}  {sentence(ui, each)}", color, size=ui.theme.SMALL)
        imgui.dummy(ImVec2(0, 0))


def send_clear(ui: Ui, name: str, symbol: str) -> None:
    """Close one position, or all when symbol is ""."""
    parameters = {"account": name, "symbol": symbol}
    key = "done.cleared" if symbol else "done.cleared_all"
    ui.commands.send(TRADE, ForceClear(name, symbol), "accounts.clear", key, parameters)
