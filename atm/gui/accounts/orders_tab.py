"""Orders of an actual account: those under way and the newest that have ended, and the story of the chosen one from its journal."""

from __future__ import annotations

from imgui_bundle import imgui

from atm.gui import formats, icons, widgets
from atm.gui.accounts.order_story import StoryLine, story_line
from atm.gui.read_model import AccountView
from atm.gui.result.tables import Cell, plain_table
from atm.gui.table import Column, Table
from atm.gui.theme import Color
from atm.gui.ui import Ui
from atm.model.live_view import LiveView, OrderView
from atm.model.order import Side

SCOPES = ("all", "open", "ended")
WIDTH = 1_000.0


class OrdersTab:
    """selected: client id of the order whose story is told."""

    def __init__(self) -> None:
        self.selected = ""
        self._scope = SCOPES[0]
        self._language = ""
        self._table: Table[OrderView] | None = None
        self._rows: tuple[OrderView, ...] = ()

    def draw(self, ui: Ui, view: AccountView) -> None:
        """The inside of the card."""
        live = ui.model.live.get(view.snapshot.name)
        if live is None or not live.orders:
            title, body = (
                ("orders.waiting_title", "orders.waiting") if live is None else ("orders.none_title", "orders.none")
            )
            widgets.empty(ui, icons.LIST, ui.texts(title), ui.texts(body))
            return
        if self._table is None or self._language != ui.t.language:
            self._language, self._table = ui.t.language, _table(ui)
        self._tools(ui, live)
        chosen = next((order for order in self._rows if order.client_id == self.selected), None)
        self._table.selected = self.selected
        share = 0.52 if chosen is not None else 1.0
        clicked = self._table.draw(ui, self._rows, max(ui.px(120), imgui.get_content_region_avail().y * share))
        if clicked:
            self.selected = "" if clicked == self.selected else clicked
        if chosen is not None:
            self._story(ui, view.snapshot.name, chosen)

    def _tools(self, ui: Ui, live: LiveView) -> None:
        open_ = tuple(order for order in live.orders if not order.is_final)
        ended = tuple(order for order in live.orders if order.is_final)
        rows = {"all": live.orders, "open": open_, "ended": ended}
        options = [(each, f"{ui.texts(f'orders.{each}')}  {len(rows[each])}") for each in SCOPES]
        self._scope = widgets.segments(ui, "orders.scope", self._scope, options)
        imgui.same_line(0, ui.px(14))
        imgui.align_text_to_frame_padding()
        ui.text(ui.t("orders.hint"), ui.colors.faint, size=ui.theme.SMALL)
        if rows[self._scope] != self._rows:
            self._rows = rows[self._scope]

    def _story(self, ui: Ui, name: str, order: OrderView) -> None:
        results, key = ui.results, ("order story", name, order.client_id, order.state, order.heard_ms, order.executed)
        loaded = ui.stored.get(key, lambda: results.order_story(name, order.client_id))
        ui.text(ui.t("orders.story", order=order.client_id), bold=True)
        if loaded.value is None:
            text = ui.t("accounts.loading_trades") if loaded.loading else loaded.error
            ui.wrapped(text, ui.colors.muted if loaded.loading else ui.colors.bad)
            return
        lines = [story_line(ui.t, entry) for entry in loaded.value]
        titles = (ui.t("orders.time"), ui.t("orders.event"), ui.t("orders.details"))
        imgui.begin_child("story")
        plain_table(ui, "orders.story", titles, [_cells(ui, line) for line in lines], left=3)
        imgui.end_child()
        ui.mark("orders.story")


def _cells(ui: Ui, line: StoryLine) -> list[Cell]:
    color = ui.colors.bad if line.is_bad else ui.colors.text
    return [(formats.moment(line.time_ms, seconds=True), ui.colors.muted), (line.what, color), (line.details, None)]


def _table(ui: Ui) -> Table[OrderView]:
    t, c, model = ui.t, ui.colors, ui.model

    def tone(order: OrderView) -> Color:
        tones = {
            "FILLED": c.good,
            "REJECTED": c.bad,
            "EXPIRED": c.warning,
            "UNKNOWN": c.warning,
            "NOT_PLACED": c.warning,
        }
        return tones.get(order.state, c.muted if order.is_final else c.info)

    def price(order: OrderView) -> str:
        decimals = model.price_decimals(order.symbol)
        if order.trigger is not None:
            return t("story.trigger", price=formats.number(order.trigger, decimals))
        return t("orders.market") if order.price is None else formats.number(order.price, decimals)

    def quantity(order: OrderView) -> str:
        return (
            formats.quantity(order.quantity, model.quantity_decimals(order.symbol))
            if order.quantity
            else t("orders.everything")
        )

    return Table(
        "orders",
        (
            Column(t("orders.time"), lambda o: formats.moment(o.sent_ms, seconds=True), lambda o: o.sent_ms, False, 1.7),
            Column(t("field.symbol"), lambda o: o.symbol, lambda o: o.symbol, False, 1.1),
            Column(t("orders.purpose"), lambda o: t(f"order_purpose.{o.purpose}"), lambda o: o.purpose, False, 1.2),
            Column(
                t("field.side"), lambda o: t(f"side.{o.side.value}"), lambda o: o.side.value, False, 0.6,
                lambda o: c.up if o.side is Side.BUY else c.down,
            ),
            Column(t("field.quantity"), quantity, lambda o: o.quantity),
            Column(
                t("orders.executed"), lambda o: formats.quantity(o.executed, model.quantity_decimals(o.symbol)),
                lambda o: o.executed,
            ),
            Column(t("field.price"), price, lambda o: o.trigger or o.price or 0.0, width=1.2),
            Column(
                t("orders.mean_price"), lambda o: formats.number(o.mean_price, model.price_decimals(o.symbol)),
                lambda o: o.mean_price or 0.0,
            ),
            Column(t("field.state"), lambda o: t(f"order_state.{o.state}"), lambda o: o.state, False, 1.3, tone),
            Column(t("orders.reason"), _reason, lambda o: o.code, False, 1.4, lambda o: c.bad if o.code else c.muted),
        ),
        key=lambda o: o.client_id,
        inner_width=WIDTH,
    )  # fmt: skip


def _reason(order: OrderView) -> str:
    """The exchange's words for a refusal or an early end; its mere name of the state says nothing new."""
    if order.code:
        return f"{order.reason} ({order.code})"
    return "" if order.reason.isupper() else order.reason
