"""The one symbol picker: a button that opens a searchable list. Search ignores case and accepts parts out of order."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons
from atm.gui.ui import Ui

MOST_SHOWN = 200


def match(query: str, symbols: Sequence[str]) -> list[str]:
    """Symbols whose letters contain those of `query` in order; those that begin with it first, then those that contain
    it, each in the order given."""
    wanted = query.strip().upper()
    ranked = [(rank, symbol) for symbol in symbols if (rank := _rank(wanted, symbol)) is not None]
    ranked.sort(key=lambda item: item[0])
    return [symbol for _, symbol in ranked]


def _rank(wanted: str, symbol: str) -> int | None:
    if symbol.startswith(wanted):
        return 0
    if wanted in symbol:
        return 1
    letters = iter(symbol)
    return 2 if all(letter in letters for letter in wanted) else None


class SymbolPicker:
    """See the module. mark: the name under which tests find the button."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._query = ""

    def draw(self, ui: Ui, symbol: str) -> str:
        """Draw; returns the symbol chosen in this frame, else ""."""
        ui_label = symbol or ui.t("market.choose")
        with ui.font(ui.theme.TITLE, bold=True):
            if imgui.button(f"{ui_label}  {icons.SEARCH}##{self._mark}") or self._called():
                self._query = ""
                imgui.open_popup(self._mark)
        ui.mark(self._mark)
        imgui.set_next_window_size(ImVec2(ui.px(380), ui.px(420)))
        if not imgui.begin_popup(self._mark):
            return ""
        chosen = self._list(ui, symbol)
        if chosen:
            imgui.close_current_popup()
        imgui.end_popup()
        return chosen

    def _called(self) -> bool:
        """Ctrl+K, while nothing is open over the page."""
        pressed = imgui.get_io().key_ctrl and imgui.is_key_pressed(imgui.Key.k, False)
        return bool(pressed and not imgui.is_popup_open("", int(imgui.PopupFlags_.any_popup)))

    def _list(self, ui: Ui, symbol: str) -> str:
        if imgui.is_window_appearing():
            imgui.set_keyboard_focus_here()
        imgui.set_next_item_width(-1)
        flags = int(imgui.InputTextFlags_.enter_returns_true)
        entered, self._query = imgui.input_text_with_hint(
            f"##{self._mark}.q", ui.t("market.search"), self._query, flags
        )
        ui.mark(f"{self._mark}.search")
        found = match(self._query, ui.model.symbols())
        favourites = set(ui.preferences.market.favourites)
        if not self._query.strip():
            found.sort(key=lambda name: name not in favourites)
        if entered and found:
            return found[0]
        if not found:
            ui.wrapped(ui.t("market.nothing_found", query=self._query))
        chosen = ""
        for name in found[:MOST_SHOWN]:
            label = f"{icons.STAR} {name}" if name in favourites else name
            if imgui.selectable(f"{label}##{self._mark}{name}", name == symbol)[0]:
                chosen = name
            ui.mark(f"{self._mark}.{name}")
            _note(ui, name)
        return chosen


def _note(ui: Ui, name: str) -> None:
    """Price and change of 24 hours at the right; that it does not trade, or is not stored, where that is so."""
    model, ticker = ui.model, ui.model.tickers.get(name)
    instrument = model.instruments.get(name)
    price = model.last_price(name) or (ticker.last if ticker is not None else None)
    parts = [(formats.number(price, model.price_decimals(name)), ui.colors.text)]
    if ticker is not None:
        parts.append((formats.percent(ticker.change, sign=True), ui.signed(ticker.change)))
    if instrument is not None and instrument.status != "TRADING":
        parts.append((instrument.status, ui.colors.warning))
    elif name not in model.coverage:
        parts.append((ui.t("market.not_stored"), ui.colors.muted))
    gap = ui.px(12)
    imgui.same_line(ui.px(344) - sum(imgui.calc_text_size(text).x + gap for text, _ in parts))
    for text, color in parts:
        imgui.same_line(0, gap)
        ui.text(text, color)
