"""The list of all symbols with price and 24 hours: search, filter, favourites; any column sorts."""

from __future__ import annotations

from dataclasses import dataclass

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.read_model import ReadModel
from atm.gui.symbol_picker import match
from atm.gui.table import Column, Table
from atm.gui.ui import PageName, Ui
from atm.ipc.messages import BINANCE_API, LookAtMarket, Reply

FILTERS = ("all", "favourites", "trading", "halted", "stored")
TRADING = "TRADING"
ASK_MS = 30_000
"""All symbols cost the exchange's weight 40 each time: 80 of 2,400 a minute while the page is shown."""
ASK_S = 10.0
REFRESH_MS = 1_000
INNER_WIDTH = 490.0
_DETAIL_LINES = 3


@dataclass(frozen=True, slots=True)
class SymbolLine:
    """A symbol as the list shows it. first_ms: of its stored minutes, 0 = none; listed_ms: on the exchange since."""

    symbol: str
    favourite: bool
    price: float
    change: float
    turnover: float
    status: str
    first_ms: int
    listed_ms: int


def lines_of(model: ReadModel, favourites: tuple[str, ...], filter_: str, query: str) -> list[SymbolLine]:
    """Those found, in the order in which the search finds them; with an empty query favourites first, then by name."""
    chosen = set(favourites)
    found = []
    for name in match(query, model.symbols()):
        line = _line(model, name, name in chosen)
        if _passes(line, filter_):
            found.append(line)
    return found if query.strip() else sorted(found, key=lambda line: not line.favourite)


def _line(model: ReadModel, name: str, favourite: bool) -> SymbolLine:
    ticker, instrument, stored = model.tickers.get(name), model.instruments.get(name), model.coverage.get(name)
    price = model.last_price(name)
    if price is None:
        price = ticker.last if ticker is not None else float("nan")
    return SymbolLine(
        name,
        favourite,
        price,
        ticker.change if ticker is not None else float("nan"),
        ticker.quote_volume if ticker is not None else float("nan"),
        instrument.status if instrument is not None else "",
        stored[0].start_ms if stored else 0,
        instrument.onboard_ms if instrument is not None else 0,
    )


def _passes(line: SymbolLine, filter_: str) -> bool:
    match filter_:
        case "favourites":
            return line.favourite
        case "trading":
            return line.status == TRADING
        case "halted":
            return line.status not in ("", TRADING)
        case "stored":
            return line.first_ms > 0
    return True


class SymbolList:
    """Keeps search and filter."""

    def __init__(self) -> None:
        self.filter = FILTERS[0]
        self.query = ""
        self._table: Table[SymbolLine] | None = None
        self._made_for: tuple[str, str] = ("", "")
        self._lines: list[SymbolLine] = []
        self._version: tuple[object, ...] = ()
        self._asked_ms = 0
        self._known = 0

    def ask(self, ui: Ui, symbol: str) -> None:
        """Have 24 hours and open interest told now and then, while the page is shown."""
        if 0 <= ui.now_ms - self._asked_ms < ASK_MS:
            return
        self._asked_ms = ui.now_ms
        ui.ask(BINANCE_API, LookAtMarket(symbol), _nothing, ASK_S)

    def forget(self) -> None:
        """Ask at once when the page is shown again."""
        self._asked_ms = 0

    def draw(self, ui: Ui, symbol: str) -> str:
        """Into the present card; returns the symbol that was chosen in this frame, else ""."""
        if self._made_for != (ui.t.language, ui.theme.name):
            self._made_for, self._table = (ui.t.language, ui.theme.name), _table(ui)
        self.query = widgets.text_field(ui, "market.list.search", "", self.query, hint=ui.t("market.search"))
        options = [(name, ui.t(f"market_filter.{name}")) for name in FILTERS]
        self.filter = widgets.choice(ui, "market.list.filter", "", self.filter, options, width=ui.px(140))
        self._renew(ui)
        imgui.same_line()
        shown = ui.t("market.list_shown", shown=len(self._lines), all=self._known)
        imgui.align_text_to_frame_padding()
        ui.text(shown, ui.colors.muted, size=ui.theme.SMALL)
        if not self._lines:
            key = "favourites" if self.filter == "favourites" and not self.query else "nothing"
            if not self._known:
                key = "none"
            ui.wrapped(ui.t(f"market.list_{key}"))
            return ""
        assert self._table is not None
        self._table.selected = symbol
        room = _DETAIL_LINES * imgui.get_text_line_height_with_spacing() + ui.px(6)
        chosen = self._table.draw(ui, self._lines, imgui.get_content_region_avail().y - room)
        _draw_details(ui, symbol)
        return chosen

    def _renew(self, ui: Ui) -> None:
        """Prices move more often than a list can be read."""
        favourites = ui.preferences.market.favourites
        version = (ui.now_ms // REFRESH_MS, id(ui.model), self.filter, self.query, favourites)
        if version == self._version:
            return
        self._version = version
        self._known = len(ui.model.symbols())
        lines = lines_of(ui.model, favourites, self.filter, self.query)
        self._lines = lines if lines != self._lines else self._lines


def _draw_details(ui: Ui, symbol: str) -> None:
    """What is stored of the chosen symbol, and its steps."""
    t, model = ui.t, ui.model
    instrument, ranges = model.instruments.get(symbol), model.coverage.get(symbol, ())
    with ui.font(ui.theme.SMALL):
        if instrument is not None:
            ui.text(t("market.steps", tick=instrument.tick_size, step=instrument.step_size), ui.colors.muted)
        if ranges:
            first, last = formats.moment(ranges[0].start_ms)[:10], formats.moment(ranges[-1].end_ms)[:10]
            stored = t("market.stored_range", first=first, last=last, gaps=len(ranges) - 1)
        else:
            stored = t("market.not_stored")
        ui.text(stored, ui.colors.muted)
        imgui.push_style_var(imgui.StyleVar_.frame_padding, ImVec2(ui.px(6), ui.px(1)))
        if widgets.button(ui, "market.list.database", t("market.to_database")):
            ui.go(PageName.DATABASE, symbol)
        imgui.pop_style_var()


def _table(ui: Ui) -> Table[SymbolLine]:
    t, c = ui.t, ui.colors

    def price(line: SymbolLine) -> str:
        return formats.number(line.price, ui.model.price_decimals(line.symbol))

    def status(line: SymbolLine) -> str:
        return line.status or formats.UNKNOWN

    return Table(
        "market.symbols",
        (
            Column(
                t("field.symbol"), lambda r: f"{icons.STAR} {r.symbol}" if r.favourite else r.symbol, lambda r: r.symbol, False,
                1.16,
            ),
            Column(t("field.price"), price, lambda r: r.price, True, 0.8),
            Column(
                t("market.change"), lambda r: formats.percent(r.change, sign=True), lambda r: r.change, True, 0.76,
                lambda r: ui.signed(r.change),
            ),
            Column(t("market.turnover"), lambda r: formats.compact(r.turnover), lambda r: r.turnover, True, 0.84),
            Column(
                t("field.status"), status, status, False, 0.92, lambda r: c.good if r.status == TRADING else c.warning,
            ),
            Column(t("market.listed"), lambda r: formats.moment(r.listed_ms)[:10], lambda r: r.listed_ms, True, 1.0),
        ),
        key=lambda r: r.symbol,
        inner_width=INNER_WIDTH,
    )  # fmt: skip


def _nothing(_: Reply) -> None:
    """What was asked for comes as events; a refusal leaves what was known."""
