"""The order book: rows of a chosen height with what lies up to each; the best twenty levels, or the whole book on demand."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, widgets
from atm.gui.market.book_levels import MULTIPLES, Row, rows_of
from atm.gui.read_model import ReadModel
from atm.gui.theme import Color, fade
from atm.gui.ui import Ui
from atm.ipc.messages import BINANCE_API, BookTop, FollowBooks, Reply, WholeBook

FOLLOWER = "market page"
LEVELS = 500
SILENT_S = 10.0
"""A book that is streamed comes twice a second."""
QUIET_S = 60.0
"""Differences come when something changes: of a thin market rarely, but not as rarely as this."""
BEHIND_S = 3.0
"""Differences of a market that has changed come within this time."""
FOLLOW_MS = 20_000
"""What is followed must be asked for again within 60 s."""
ASK_S = 5.0
LINE = 19.0
_COLUMNS = (0.0, 0.62, 1.0)


class BookPanel:
    """Keeps what is followed."""

    def __init__(self) -> None:
        self._followed = ""
        self._asked_ms = 0
        self._rows: tuple[list[Row], list[Row]] = ([], [])
        self._rows_of: tuple[object, float, int] = (None, 0.0, 0)

    def draw(self, ui: Ui, symbol: str) -> None:
        """Into the present card: its head, then asks above bids."""
        chosen = ui.preferences.market
        self._follow(ui, symbol if chosen.whole_book else "")
        self._head(ui, symbol)
        book: BookTop | WholeBook | None = ui.model.books.get(symbol)
        if chosen.whole_book:
            whole = ui.model.whole_books.get(symbol)
            if whole is None:
                ui.text(ui.t("market.book_coming"), ui.colors.muted, size=ui.theme.SMALL)
            elif is_behind(ui.model, whole):
                ui.text(ui.t("market.book_behind"), ui.colors.warning, size=ui.theme.SMALL)
            elif whole.is_short:
                ui.text(ui.t("market.book_short"), ui.colors.muted, size=ui.theme.SMALL)
            if whole is not None and whole.bids and whole.asks:
                book = whole
        elif _is_off(ui.model, symbol):
            ui.wrapped(ui.t("market.book_off"))
            return
        if book is None or not book.bids or not book.asks:
            ui.wrapped(ui.t("market.no_book"))
            return
        self._ladder(ui, symbol, book)

    def left(self, ui: Ui) -> None:
        """Nobody looks any more."""
        self._follow(ui, "")

    # --- following

    def _follow(self, ui: Ui, symbol: str) -> None:
        due = bool(symbol) and not 0 <= ui.now_ms - self._asked_ms < FOLLOW_MS
        if symbol == self._followed and not due:
            return
        self._followed, self._asked_ms = symbol, ui.now_ms
        ui.ask(BINANCE_API, FollowBooks(FOLLOWER, (symbol,) if symbol else (), LEVELS), _nothing, ASK_S)

    # --- drawing

    def _head(self, ui: Ui, symbol: str) -> None:
        chosen = ui.preferences.market
        tick = ui.model.tick(symbol)
        decimals = ui.model.price_decimals(symbol)
        options = [(str(each), _height(tick * each, decimals)) for each in MULTIPLES]
        step = widgets.choice(ui, "market.book_step", "", str(chosen.book_step), options, width=ui.px(96))
        imgui.same_line()
        whole = widgets.toggle(ui, "market.whole_book", ui.t("market.whole_book"), chosen.whole_book)
        widgets.tooltip(ui.t("market.whole_book_hint"))
        if whole != chosen.whole_book or step != str(chosen.book_step):
            chosen.whole_book, chosen.book_step = whole, int(step)
            ui.on_preferences()

    def _ladder(self, ui: Ui, symbol: str, book: BookTop | WholeBook) -> None:
        line = ui.px(LINE)
        room = imgui.get_content_region_avail().y - 2 * line - imgui.get_style().item_spacing.y * 3
        most = max(1, int(room / line / 2))
        step = ui.model.tick(symbol) * ui.preferences.market.book_step
        asks, bids = self._put_together(book, step, most)
        deepest = max(asks[-1].total, bids[-1].total)
        _titles(ui)
        self._side(ui, symbol, list(reversed(asks)), deepest, ui.colors.down, line)
        best_ask, best_bid = book.asks[0][0], book.bids[0][0]
        middle = (best_ask + best_bid) / 2
        text = formats.number(middle, ui.model.price_decimals(symbol))
        ui.text(f"{text}   {ui.t('market.spread')} {formats.percent((best_ask - best_bid) / middle, 3)}", bold=True)
        self._side(ui, symbol, bids, deepest, ui.colors.up, line)

    def _put_together(self, book: BookTop | WholeBook, step: float, most: int) -> tuple[list[Row], list[Row]]:
        """Asks and bids, once for each book that has come."""
        if self._rows_of[0] is not book or self._rows_of[1:] != (step, most):
            self._rows = rows_of(book.asks, step, False, most), rows_of(book.bids, step, True, most)
            self._rows_of = book, step, most
        return self._rows

    def _side(self, ui: Ui, symbol: str, rows: Sequence[Row], deepest: float, color: Color, line: float) -> None:
        draw = imgui.get_window_draw_list()
        width = imgui.get_content_region_avail().x
        prices, amounts = ui.model.price_decimals(symbol), ui.model.quantity_decimals(symbol)
        origin = imgui.get_cursor_screen_pos()
        x, y = origin.x, origin.y
        ground, ink = widgets.u32(fade(color, 0.14)), widgets.u32(color)
        plain, muted = widgets.u32(ui.colors.text), widgets.u32(ui.colors.muted)
        room = (line - imgui.get_text_line_height()) / 2
        for row in rows:
            share = row.total / deepest if deepest else 0.0
            draw.add_rect_filled(ImVec2(x + width * (1 - share), y), ImVec2(x + width, y + line - 1), ground)
            draw.add_text(ImVec2(x, y + room), ink, formats.number(row.price, prices))
            for value, right, shade in ((row.quantity, _COLUMNS[1], plain), (row.total, _COLUMNS[2], muted)):
                text = short(value, amounts)
                draw.add_text(ImVec2(x + width * right - imgui.calc_text_size(text).x, y + room), shade, text)
            y += line
        imgui.dummy(ImVec2(width, line * len(rows)))


def _is_off(model: ReadModel, symbol: str) -> bool:
    """Whether the order flow of a symbol is switched off and nobody else has its books streamed."""
    collection, book, mark = model.collection.get(symbol), model.books.get(symbol), model.marks.get(symbol)
    if collection is None or collection.flow:
        return False
    return book is None or mark is None or is_old(model, symbol, book.time_ms, SILENT_S)


def is_old(model: ReadModel, symbol: str, book_ms: int, seconds: float) -> bool:
    """Whether a book stands still for so long while the mark price goes on: what was right then must not pass for the market."""
    mark = model.marks.get(symbol)
    speed = model.demo.state.speed if model.demo is not None else 1.0
    return mark is not None and mark.time_ms - book_ms > seconds * 1000 * speed


def is_behind(model: ReadModel, whole: WholeBook) -> bool:
    """Whether a whole book is not the market's: it says so, or the best twenty levels have gone on to other prices without it."""
    best, speed = model.books.get(whole.symbol), model.demo.state.speed if model.demo is not None else 1.0
    moved = (
        best is not None
        and best.time_ms - whole.time_ms > BEHIND_S * 1000 * speed
        and (best.bids[:1], best.asks[:1]) != (whole.bids[:1], whole.asks[:1])
    )
    return not whole.is_synchronised or moved or is_old(model, whole.symbol, whole.time_ms, QUIET_S)


def short(value: float, decimals: int) -> str:
    """A quantity that fits its column: from a hundred thousand on with K, M or B."""
    return formats.compact(value) if value >= 100_000 else formats.quantity(value, decimals)


def _height(step: float, decimals: int) -> str:
    """The height of a row as a price."""
    return formats.number(step, 0) if step >= 1 else formats.quantity(step, max(decimals, 1))


def _titles(ui: Ui) -> None:
    width, start = imgui.get_content_region_avail().x, imgui.get_cursor_pos_x()
    with ui.font(ui.theme.SMALL):
        for key, right in zip(("field.price", "field.quantity", "market.total"), _COLUMNS, strict=True):
            title = ui.t(key)
            if right:
                imgui.same_line()
                imgui.set_cursor_pos_x(start + width * right - imgui.calc_text_size(title).x)
            ui.text(title, ui.colors.faint)


def _nothing(_: Reply) -> None:
    """The book comes as an event; a refusal leaves the best levels."""
