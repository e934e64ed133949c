"""Market: the moving chart of a symbol with overlays, its price header, book and tape."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atm.gui import formats, icons, widgets
from atm.gui.chart import CandleChart
from atm.gui.market_feed import OVERLAYS, Day, MarketFeed, configuration
from atm.gui.pages.market_side import draw_book, draw_tape
from atm.gui.symbol_picker import SymbolPicker
from atm.gui.theme import Theme
from atm.gui.ui import PageName, Ui
from atm.model.interval import DAY_MS, Interval

INTERVALS = tuple(interval.value for interval in Interval)
MOST_MINUTES = 180 * DAY_MS // 60_000
"""Minutes read for the chart (half a year)."""

ANALYSE_PERIOD_MS = 1_000
"""How often an analyzer is asked at most for the overlays of the newest minutes."""
RETRY_MS = 10_000

_Key = tuple[str, str, str, tuple[str, ...]]
_AnalysisKey = tuple[_Key, str, int, int]


class MarketPage:
    """See the module. Keeps one chart; symbol, interval and overlays are the user's preferences."""

    def __init__(self) -> None:
        self.picker = SymbolPicker("market.symbol")
        self.chart = CandleChart("market")
        self._feed: MarketFeed | None = None
        self._shown: _Key | None = None
        self._drawn_revision = -1
        self._theme: Theme | None = None
        self._day: Day | None = None
        self._asked: _AnalysisKey | None = None
        self._ask_from_ms = 0

    def draw(self, ui: Ui) -> None:
        wanted = ui.take_selection(PageName.MARKET)
        symbols = ui.model.symbols()
        if wanted in symbols:
            self._choose(ui, wanted)
        if ui.preferences.symbol not in symbols and symbols:
            self._choose(ui, symbols[0])
        with widgets.card(ui, "header", 0, -1):
            self._header(ui)
        side = ui.px(286)
        width = imgui.get_content_region_avail().x - side - ui.px(12)
        with widgets.card(ui, "chart", width, 0):
            self._toolbar(ui)
            self._draw_chart(ui)
        imgui.same_line(0, ui.px(12))
        imgui.begin_child("side", ImVec2(0, 0))
        height = imgui.get_content_region_avail().y
        with widgets.card(ui, "book", 0, height * 0.56, ui.t("market.book")):
            draw_book(ui, ui.preferences.symbol)
        with widgets.card(ui, "tape", 0, 0, ui.t("market.trades")):
            draw_tape(ui, ui.preferences.symbol)
        imgui.end_child()

    def _choose(self, ui: Ui, symbol: str) -> None:
        ui.preferences.symbol = symbol
        ui.on_preferences()

    # --- header

    def _header(self, ui: Ui) -> None:
        symbol = ui.preferences.symbol
        chosen = self.picker.draw(ui, symbol)
        if chosen:
            self._choose(ui, chosen)
        imgui.same_line(0, ui.px(24))
        price = ui.model.last_price(symbol)
        decimals = ui.model.price_decimals(symbol)
        day = self._day
        tone = ui.signed(day.change if day is not None else None)
        imgui.begin_group()
        ui.text(formats.number(price, decimals), tone, size=ui.theme.FIGURE, bold=True)
        imgui.end_group()
        mark = ui.model.marks.get(symbol)
        market = ui.model.market_ms(ui.now_ms)
        unknown = formats.UNKNOWN
        funding = formats.percent(mark.funding_rate, 4, sign=True) if mark else unknown
        left = formats.countdown(mark.next_funding_ms - market) if mark else unknown
        figures = [
            (ui.t("market.change"), formats.percent(day.change, sign=True) if day else unknown, tone),
            (ui.t("market.mark"), formats.number(mark.mark_price if mark else None, decimals), None),
            (ui.t("market.index"), formats.number(mark.index_price if mark else None, decimals), None),
            (ui.t("market.funding"), f"{funding}  {left}", None),
            (ui.t("market.high"), formats.number(day.high if day else None, decimals), None),
            (ui.t("market.low"), formats.number(day.low if day else None, decimals), None),
            (ui.t("market.volume"), formats.compact(day.volume if day else None), None),
        ]
        for label, value, color in figures:
            imgui.same_line(0, ui.px(28))
            widgets.stat(ui, label, value, color)

    def _toolbar(self, ui: Ui) -> None:
        options = [(value, value) for value in INTERVALS]
        interval = widgets.segments(ui, "market.interval", ui.preferences.interval, options)
        if interval != ui.preferences.interval:
            ui.preferences.interval = interval
            ui.on_preferences()
        if imgui.get_content_region_avail().x > ui.px(900):
            imgui.same_line(0, ui.px(20))
        overlays = set(ui.preferences.overlays)
        for kind in OVERLAYS:
            label = f"{icons.CHECK} {kind}" if kind in overlays else kind
            if widgets.button(ui, f"market.overlay.{kind}", label):
                overlays ^= {kind}
                ui.preferences.overlays = tuple(name for name in OVERLAYS if name in overlays)
                ui.on_preferences()
            imgui.same_line(0, ui.px(4))
        imgui.same_line(0, ui.px(16))
        if widgets.button(ui, "market.newest", ui.t("market.newest")):
            self.chart.go_to_newest()

    # --- chart

    def _draw_chart(self, ui: Ui) -> None:
        symbol = ui.preferences.symbol
        if not symbol:
            widgets.empty(ui, icons.MARKET, ui.t("market.no_symbols_title"), ui.t("market.no_symbols"))
            return
        self._load(ui, symbol)
        if self._feed is None:
            return
        self._follow(ui, symbol)
        self._analyse(ui)
        if not len(self._feed):
            widgets.empty(ui, icons.MARKET, ui.t("market.no_bars_title", symbol=symbol), ui.t("market.no_bars"))
            return
        size = imgui.get_content_region_avail()
        self.chart.draw((size.x, size.y), ui.theme.chart_colors())

    def _load(self, ui: Ui, symbol: str) -> None:
        """Have the series of this symbol, interval and overlays read on the reader thread."""
        interval, overlays = Interval(ui.preferences.interval), ui.preferences.overlays
        key: _Key = ("market", symbol, interval.value, overlays)
        if key == self._shown:
            return
        running = ui.model.open_bars.get(symbol)
        if running is None:
            ui.text(ui.t("market.loading", symbol=symbol), ui.colors.muted)
            return
        results, now = ui.results, running.open_time
        loaded = ui.stored.get(
            key, lambda: MarketFeed(results.bars(symbol, MOST_MINUTES, now), Interval(interval.value), overlays)
        )
        if loaded.value is None:
            if self._shown is not None and self._shown[1] != symbol:
                self._feed = None
            message = ui.t("market.loading", symbol=symbol) if loaded.loading else loaded.error
            ui.text(message, ui.colors.muted if loaded.loading else ui.colors.bad)
            return
        ui.stored.forget(key)
        same_axis = self._shown is not None and self._shown[1:3] == key[1:3]
        self._feed, self._shown = loaded.value, key
        self._asked, self._ask_from_ms = None, 0
        self.chart.price_format = f"%.{ui.model.price_decimals(symbol)}f"
        self.chart.set_bars(self._feed.bars(), keep_view=same_axis)
        self._drawn_revision = -1

    def _follow(self, ui: Ui, symbol: str) -> None:
        feed = self._feed
        if feed is None or (self._drawn_revision == ui.model.revision and self._theme is ui.theme):
            return
        if self._shown is not None and self._shown[1] == symbol:
            was = len(feed)
            feed.follow(ui.model.closed_bars.get(symbol), ui.model.open_bars.get(symbol), self.chart)
            if was == 0 and len(feed):
                self.chart.set_bars(feed.bars())
        self._drawn_revision, self._theme = ui.model.revision, ui.theme
        self._day = feed.day()
        self.chart.overlays = feed.lines(ui.theme)

    def _analyse(self, ui: Ui) -> None:
        """Have the overlays computed by an analyzer; while none runs the bars are shown without."""
        feed, shown = self._feed, self._shown
        if feed is None or shown is None:
            return
        if self._asked is None:
            wanted, analyzer = feed.to_analyse(), ui.model.analyzer()
            if wanted is None or analyzer is None or ui.now_ms < self._ask_from_ms:
                return
            self._asked = (shown, analyzer, *wanted)
        _, analyzer, start_ms, end_ms = key = self._asked
        results, wish = ui.results, configuration(feed.interval, feed.overlays)
        loaded = ui.stored.get(key, lambda: results.analysis(analyzer, shown[1], wish, start_ms, end_ms))
        if loaded.loading:
            return
        ui.stored.forget(key)
        self._asked = None
        self._ask_from_ms = ui.now_ms + (ANALYSE_PERIOD_MS if loaded.value is not None else RETRY_MS)
        if loaded.value is not None:
            feed.take_in(loaded.value)
            self.chart.overlays = feed.lines(ui.theme)
