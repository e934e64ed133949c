"""A moving chart of a symbol with analyses: bars from the store, then as they come; analyses from an analyzer."""

from __future__ import annotations

from collections.abc import Callable

from imgui_bundle import imgui

from atm.gui import icons, widgets
from atm.gui.analysis_layout import lay_out
from atm.gui.chart import CandleChart
from atm.gui.chart_analysis import ChartAnalysis, Wish
from atm.gui.chart_panes import draw_pane_controls
from atm.gui.market_feed import Day, MarketFeed
from atm.gui.ui import Ui
from atm.model.interval import DAY_MS, Interval

MOST_MINUTES = 180 * DAY_MS // 60_000
"""Minutes read for the chart (half a year)."""

_Key = tuple[str, str, str]


class LiveChart:
    """name: of the chart, by which its series is kept; day: what the last 24 hours were, None while not known."""

    def __init__(self, name: str) -> None:
        self.chart = CandleChart(name)
        self.analysis = ChartAnalysis()
        self.day: Day | None = None
        self._name = name
        self._feed: MarketFeed | None = None
        self._shown: _Key | None = None
        self._read_again_ms = 0
        self._drawn_revision = -1
        self._laid_out: tuple[object, ...] = ()
        self._heights_changed = False

    def draw(
        self,
        ui: Ui,
        symbol: str,
        interval: Interval,
        wish: Callable[[str, Interval], Wish | None],
        note: Callable[[], str],
    ) -> None:
        """In what is left of the window. wish: what is to be computed for a symbol on an interval; note: why less is shown than was
        chosen, "" when all is."""
        self._load(ui, symbol, interval)
        if self._feed is None:
            return
        self._follow(ui, symbol)
        self._analyse(ui, wish)
        if not len(self._feed):
            widgets.empty(ui, icons.MARKET, ui.t("market.no_bars_title", symbol=symbol), ui.t("market.no_bars"))
            return
        said = note()
        if said:
            ui.text(said, ui.colors.warning, size=ui.theme.SMALL)
        self._lay_out(ui)
        size = imgui.get_content_region_avail()
        heights = dict(ui.preferences.chart.heights)
        self.chart.heights = ui.preferences.chart.heights
        self.chart.draw((size.x, size.y), ui.theme.chart_colors())
        self._heights_changed |= heights != ui.preferences.chart.heights
        dragged = self._heights_changed and not imgui.is_mouse_down(imgui.MouseButton_.left)
        if draw_pane_controls(ui, self.chart) or dragged:
            self._heights_changed = False
            ui.on_preferences()

    def problem(self, ui: Ui) -> str:
        """What keeps the analyses from being computed; "" when nothing does."""
        if self.analysis.problem:
            return self.analysis.problem
        if self.analysis.series is None and self.analysis.wanted and ui.model.analyzer() is None:
            return ui.t("market.analyzer_starting")
        return ""

    def _lay_out(self, ui: Ui) -> None:
        """Put the traces where they belong, when anything of it has changed."""
        chosen, analysis = ui.preferences.chart, self.analysis
        key = (analysis.revision, ui.theme, tuple(chosen.forms.items()), chosen.closed)
        if key == self._laid_out:
            return
        self._laid_out = key
        self.chart.series = analysis.series
        self.chart.layout = lay_out(analysis.lines, analysis.series, chosen.forms, chosen.closed, ui.theme)

    def _load(self, ui: Ui, symbol: str, interval: Interval) -> None:
        """Have the series of this symbol and interval read on the reader thread."""
        key: _Key = (self._name, symbol, interval.value)
        if key == self._shown:
            return
        running = ui.model.open_bars.get(symbol)
        if running is None:
            ui.text(ui.t("market.loading", symbol=symbol), ui.colors.muted)
            return
        results, now = ui.results, running.open_time
        loaded = ui.stored.get(key, lambda: MarketFeed(results.bars(symbol, MOST_MINUTES, now), interval))
        if loaded.value is None:
            if self._shown is not None and self._shown[1] != symbol:
                self._feed = None
            message = ui.t("market.loading", symbol=symbol) if loaded.loading else loaded.error
            ui.text(message, ui.colors.muted if loaded.loading else ui.colors.bad)
            return
        ui.stored.forget(key)
        self._feed, self._shown = loaded.value, key
        self.chart.price_format = f"%.{ui.model.price_decimals(symbol)}f"
        self.chart.set_bars(self._feed.bars())
        self._drawn_revision = -1

    def _follow(self, ui: Ui, symbol: str) -> None:
        feed = self._feed
        if feed is None or self._drawn_revision == ui.model.revision:
            return
        if self._shown is not None and self._shown[1] == symbol:
            was = len(feed)
            feed.follow(ui.model.closed_bars.get(symbol), ui.model.open_bars.get(symbol), self.chart)
            if was == 0 and len(feed):
                self.chart.set_bars(feed.bars())
            if feed.hole_ms not in (0, self._read_again_ms):
                # once for each hole: what the exchange never had stays one
                self._read_again_ms, self._shown = feed.hole_ms, None
        self._drawn_revision = ui.model.revision
        self.day = feed.day()

    def _analyse(self, ui: Ui, wish: Callable[[str, Interval], Wish | None]) -> None:
        """Have the chosen analyses computed by an analyzer; meanwhile the bars are shown without."""
        feed, shown = self._feed, self._shown
        if feed is None or shown is None or not len(feed):
            return
        self.analysis.wish(wish(shown[1], feed.interval))
        self.analysis.follow(ui, feed.range, ui.model.open_bars.get(shown[1]))
