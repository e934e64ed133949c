"""The newest trades of a symbol, or the newest liquidations of all symbols."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.market.book_panel import short
from atm.gui.theme import Color
from atm.gui.ui import Ui

VIEWS = ("trades", "liquidations")
LINE = 19.0

_Cell = tuple[str, Color]


class TapePanel:
    """Keeps which of the two is shown."""

    def __init__(self) -> None:
        self.view = VIEWS[0]

    def draw(self, ui: Ui, symbol: str) -> None:
        """Into the present card."""
        options = [(name, ui.t(f"market.{name}")) for name in VIEWS]
        self.view = widgets.segments(ui, "market.tape", self.view, options)
        if self.view == "trades":
            _draw_trades(ui, symbol)
        else:
            _draw_liquidations(ui, symbol)


def _draw_trades(ui: Ui, symbol: str) -> None:
    """Newest first, in the colour of their aggressor."""
    tape = ui.model.tape.get(symbol)
    if not tape:
        ui.wrapped(ui.t("market.no_trades"))
        return
    places = (0.0, 0.64, 1.0)
    _titles(ui, ("field.price", "field.quantity", "field.time"), places)
    prices, amounts = ui.model.price_decimals(symbol), ui.model.quantity_decimals(symbol)
    c = ui.colors
    rows: list[tuple[_Cell, ...]] = [
        (
            (formats.number(trade.price, prices), c.down if trade.buyer_is_maker else c.up),
            (short(trade.quantity, amounts), c.text),
            (formats.clock(trade.time_ms), c.muted),
        )
        for trade in list(tape)[: _fitting(ui)]
    ]
    _rows(ui, rows, places)


def _draw_liquidations(ui: Ui, symbol: str) -> None:
    """Newest first; those of the shown symbol stand out. A sold one was a long position."""
    found = list(ui.model.liquidations)
    if not found:
        ui.wrapped(ui.t("market.no_liquidations"))
        return
    places = (0.0, 0.62, 1.0)
    _titles(ui, ("field.symbol", "field.price", "market.worth"), places)
    c = ui.colors
    rows: list[tuple[_Cell, ...]] = [
        (
            (each.symbol, c.text if each.symbol == symbol else c.muted),
            (formats.number(each.price, ui.model.price_decimals(each.symbol)), c.down if each.side == "SELL" else c.up),
            (formats.compact(each.price * each.quantity), c.text),
        )
        for each in found[: _fitting(ui)]
    ]
    _rows(ui, rows, places)


def _fitting(ui: Ui) -> int:
    return max(0, int(imgui.get_content_region_avail().y / ui.px(LINE)))


def _titles(ui: Ui, keys: Sequence[str], places: Sequence[float]) -> None:
    width, start = imgui.get_content_region_avail().x, imgui.get_cursor_pos_x()
    with ui.font(ui.theme.SMALL):
        for key, right in zip(keys, places, strict=True):
            title = ui.t(key)
            if right:
                imgui.same_line()
                imgui.set_cursor_pos_x(start + width * right - imgui.calc_text_size(title).x)
            ui.text(title, ui.colors.faint)


def _rows(ui: Ui, rows: Sequence[Sequence[_Cell]], places: Sequence[float]) -> None:
    draw = imgui.get_window_draw_list()
    width, line = imgui.get_content_region_avail().x, ui.px(LINE)
    origin = imgui.get_cursor_screen_pos()
    x, y = origin.x, origin.y
    for row in rows:
        for (text, color), right in zip(row, places, strict=True):
            left = x + width * right - (imgui.calc_text_size(text).x if right else 0.0)
            draw.add_text(ImVec2(left, y), widgets.u32(color), text)
        y += line
