"""The book ladder and the tape beside the chart."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui

_Level = tuple[float, float]


def draw_book(ui: Ui, symbol: str) -> None:
    """Asks above, bids below, the spread between; bars show the share of the deepest level."""
    book = ui.model.books.get(symbol)
    if book is None or not book.bids or not book.asks:
        ui.wrapped(ui.t("market.no_book"))
        return
    line = ui.px(19)
    rows = max(1, min(10, int((imgui.get_content_region_avail().y - ui.px(60)) / line / 2)))
    most = max(quantity for _, quantity in (*book.bids[:rows], *book.asks[:rows]))
    _header(ui, (ui.t("field.price"), ui.t("field.quantity")))
    _ladder(ui, symbol, list(reversed(book.asks[:rows])), most, ui.colors.down, line)
    spread = book.asks[0][0] - book.bids[0][0]
    middle = (book.asks[0][0] + book.bids[0][0]) / 2
    decimals = ui.model.price_decimals(symbol)
    text = f"{formats.number(middle, decimals)}   {ui.t('market.spread')} {formats.percent(spread / middle, 3)}"
    ui.text(text, bold=True)
    _ladder(ui, symbol, book.bids[:rows], most, ui.colors.up, line)


def _header(ui: Ui, titles: Sequence[str]) -> None:
    width = imgui.get_content_region_avail().x
    start = imgui.get_cursor_pos_x()
    imgui.push_font(ui.fonts.regular, ui.theme.SMALL)
    for index, title in enumerate(titles):
        right = start + width * (index + 1) / len(titles)
        if index:
            imgui.same_line()
            imgui.set_cursor_pos_x(right - imgui.calc_text_size(title).x)
        ui.text(title, ui.colors.faint)
    imgui.pop_font()


def _ladder(ui: Ui, symbol: str, levels: Sequence[_Level], most: float, color: Color, line: float) -> None:
    draw = imgui.get_window_draw_list()
    width = imgui.get_content_region_avail().x
    price_decimals = ui.model.price_decimals(symbol)
    quantity_decimals = ui.model.quantity_decimals(symbol)
    origin = imgui.get_cursor_screen_pos()
    x, y = origin.x, origin.y
    ground, ink, plain = widgets.u32(fade(color, 0.14)), widgets.u32(color), widgets.u32(ui.colors.text)
    room = (line - imgui.get_text_line_height()) / 2
    for price, quantity in levels:
        share = quantity / most if most else 0.0
        draw.add_rect_filled(ImVec2(x + width * (1 - share), y), ImVec2(x + width, y + line - 1), ground)
        draw.add_text(ImVec2(x, y + room), ink, formats.number(price, price_decimals))
        text = formats.quantity(quantity, quantity_decimals)
        draw.add_text(ImVec2(x + width - imgui.calc_text_size(text).x, y + room), plain, text)
        y += line
    imgui.dummy(ImVec2(width, line * len(levels)))


def draw_tape(ui: Ui, symbol: str) -> None:
    """The newest trades, newest first, in the colour of their aggressor."""
    tape = ui.model.tape.get(symbol)
    if not tape:
        ui.wrapped(ui.t("market.no_trades"))
        return
    _header(ui, (ui.t("field.price"), ui.t("field.quantity"), ui.t("field.time")))
    line = ui.px(19)
    rows = int(imgui.get_content_region_avail().y / line)
    draw = imgui.get_window_draw_list()
    width = imgui.get_content_region_avail().x
    origin = imgui.get_cursor_screen_pos()
    x, y = origin.x, origin.y
    plain, faint = widgets.u32(ui.colors.text), widgets.u32(ui.colors.muted)
    for trade in list(tape)[:rows]:
        tone = ui.colors.down if trade.buyer_is_maker else ui.colors.up
        draw.add_text(ImVec2(x, y), widgets.u32(tone), formats.number(trade.price, ui.model.price_decimals(symbol)))
        for text, right, ink in (
            (formats.quantity(trade.quantity, ui.model.quantity_decimals(symbol)), 0.64, plain),
            (formats.clock(trade.time_ms), 1.0, faint),
        ):
            draw.add_text(ImVec2(x + width * right - imgui.calc_text_size(text).x, y), ink, text)
        y += line
