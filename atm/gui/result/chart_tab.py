"""Chart: candles of one position with its fills, and the analysis it was traded on, computed anew by an analyzer.

At most `MOST_MINUTES` are looked at at a time, about the fill that was chosen or at the end of the simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imgui_bundle import imgui

from atm.gui import formats, icons, widgets
from atm.gui.analysis_choice import known_analyses, lines_of
from atm.gui.analysis_layout import lay_out
from atm.gui.chart import CandleChart
from atm.gui.chart_analysis import ChartAnalysis, Wish
from atm.gui.market_feed import MarketFeed
from atm.gui.result.chart_marks import held_marks, trade_marks
from atm.gui.result.trades import signal
from atm.gui.result.view import ShownResult
from atm.gui.ui import Ui
from atm.model.account import PositionSetup, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses
from atm.model.interval import DAY_MS, Interval, format_time, parse_time

MOST_MINUTES = 180 * DAY_MS // 60_000
AHEAD_MS = 30 * DAY_MS
"""What is read beyond the fill that was chosen."""

_Key = tuple[str, str, str, str, int]


@dataclass(slots=True)
class ChartTab:
    """See the module. symbol, interval: what is shown; focus_ms: the moment it is about, 0 = the end."""

    chart: CandleChart = field(default_factory=lambda: CandleChart("result"))
    analysis: ChartAnalysis = field(default_factory=ChartAnalysis)
    symbol: str = ""
    interval: str = ""
    focus_ms: int = 0
    _result: ShownResult | None = None
    _feed: MarketFeed | None = None
    _shown: _Key | None = None
    _trades: Sequence[TradeRecord] = ()
    _marked: tuple[object, str] = (None, "")
    _wished: tuple[object, ...] = ()
    _laid_out: tuple[object, ...] = ()
    _go_to: int = 0

    def show(self, trade: TradeRecord) -> None:
        """Go to a fill."""
        self.symbol, self.focus_ms, self._go_to = trade.symbol, trade.time_ms, trade.time_ms

    def draw(self, ui: Ui, result: ShownResult) -> TradeRecord | None:
        """Returns the fill that was clicked."""
        self._follow(result)
        position = next(each for each in result.spec.positions if each.symbol == self.symbol)
        configuration = next(each for each in result.spec.analysis if each.code == position.analysis)
        with widgets.card(ui, "chart", 0, 0):
            self._toolbar(ui, result, configuration)
            self._load(ui, result)
            feed = self._feed
            if feed is None:
                return None
            if not len(feed):
                empty = ui.t("market.no_bars_title", symbol=self.symbol)
                widgets.empty(ui, icons.MARKET, empty, ui.t("market.no_bars"))
                return None
            self._analyse(ui, feed, position, configuration)
            size = imgui.get_content_region_avail()
            self.chart.draw((size.x, size.y), ui.theme.chart_colors())
            return self._pointed(ui)

    def _follow(self, result: ShownResult) -> None:
        """Another result begins with its first position on the interval that decides; one that has grown (of an account) goes on."""
        symbols = [position.symbol for position in result.spec.positions]
        if result is not self._result:
            grown = self._result is not None and self._result.spec.code == result.spec.code and self.symbol in symbols
            self._result = result
            if not grown:
                self._shown, self._feed = None, None
                if self.symbol not in symbols or not self._go_to:
                    self.symbol, self.focus_ms = symbols[0], 0
                position = next(each for each in result.spec.positions if each.symbol == self.symbol)
                deciding = {each.code: each.decision.value for each in result.spec.analysis}
                self.interval = deciding[position.analysis]
        if self._marked[0] is not result or self._marked[1] != self.symbol:
            self._marked = result, self.symbol
            self._trades = [trade for trade in result.trades if trade.symbol == self.symbol]
            self.chart.trades, self.chart.held = trade_marks(self._trades), held_marks(self._trades)

    def _toolbar(self, ui: Ui, result: ShownResult, configuration: AnalysisConfiguration) -> None:
        symbols = [(position.symbol, position.symbol) for position in result.spec.positions]
        before = self.symbol
        self.symbol = widgets.segments(ui, "chart.symbol", self.symbol, symbols)
        if self.symbol != before:
            self.focus_ms = self._go_to = 0
        imgui.same_line(0, ui.px(20))
        deciding = [each.interval.value for each in configuration.intervals]
        others = [name for name in ("1m", "5m", "15m", "1h", "4h", "1d") if name not in deciding]
        options = [(name, name) for name in sorted((*deciding, *others), key=lambda name: Interval(name).nominal_ms)]
        self.interval = widgets.segments(ui, "chart.interval", self.interval, options)
        imgui.same_line(0, ui.px(20))
        for mark, icon_text, step in (
            ("chart.before", "result.trade_before", -1),
            ("chart.after", "result.trade_after", 1),
        ):
            if widgets.button(ui, mark, ui.t(icon_text)):
                self._step(step)
            imgui.same_line()
        ui.text(self._note(ui, configuration), ui.colors.muted, size=ui.theme.SMALL)

    def _step(self, step: int) -> None:
        """To the fill before or after the middle of what is in sight."""
        middle = (self.chart.view.start_ms + self.chart.view.end_ms) / 2
        times = [trade.time_ms for trade in self._trades]
        if step > 0:
            following = [time for time in times if time > middle + 1]
            target = following[0] if following else 0
        else:
            earlier = [time for time in times if time < middle - 1]
            target = earlier[-1] if earlier else 0
        if target:
            self.focus_ms = self._go_to = target

    def _note(self, ui: Ui, configuration: AnalysisConfiguration) -> str:
        """What is going on, or what keeps the analysis from being there."""
        if self.interval not in {each.interval.value for each in configuration.intervals}:
            intervals = ", ".join(each.interval.value for each in configuration.intervals)
            return ui.t("market.not_on_interval", code=configuration.code, intervals=intervals)
        if self.analysis.problem:
            return self.analysis.problem
        if self.analysis.wanted and self.analysis.series is None:
            starting = ui.model.analyzer() is None
            return ui.t("market.analyzer_starting" if starting else "result.analysing", code=configuration.code)
        return configuration.code

    def _load(self, ui: Ui, result: ShownResult) -> None:
        """Have the minutes about the focus read; what is shown stays while they do not reach it."""
        end = parse_time(result.spec.end)
        start = parse_time(result.spec.start)
        before = end if not self.focus_ms else min(end, _ceil(self.focus_ms + AHEAD_MS))
        key: _Key = ("result", result.spec.code, self.symbol, self.interval, before)
        inside = self._feed is not None and self._shown is not None and self._shown[:4] == key[:4]
        if inside and self.focus_ms and self._feed is not None:
            lo, hi = self._feed.range
            inside = lo <= self.focus_ms < hi
        step = Interval(self.interval).nominal_ms
        current = self._shown is not None and 0 <= before - self._shown[4] < step
        if inside and (self.focus_ms or current):
            self._focus(ui)
            return
        results, symbol, interval = ui.results, self.symbol, Interval(self.interval)
        least = (before - start) // 60_000 + 1_000 * interval.nominal_ms // 60_000
        minutes = min(MOST_MINUTES, least)
        loaded = ui.stored.get(key, lambda: MarketFeed(results.bars(symbol, minutes, before), interval))
        if loaded.value is None:
            if inside and loaded.loading:
                return
            message = ui.t("market.loading", symbol=symbol) if loaded.loading else loaded.error
            ui.text(message, ui.colors.muted if loaded.loading else ui.colors.bad)
            return
        ui.stored.forget(key)
        self._feed, self._shown = loaded.value, key
        self.chart.price_format = f"%.{ui.model.price_decimals(symbol)}f"
        if inside:
            self.chart.grow(self._feed.bars())
            return
        self.chart.set_bars(self._feed.bars())
        self._go_to = self._go_to or self.focus_ms
        self._focus(ui)

    def _focus(self, ui: Ui) -> None:
        if self._go_to:
            self.chart.go_to(self._go_to)
            self._go_to = 0

    # --- analysis

    def _analyse(self, ui: Ui, feed: MarketFeed, position: PositionSetup, configuration: AnalysisConfiguration) -> None:
        part = next((each for each in configuration.intervals if each.interval.value == self.interval), None)
        key = (feed, position, configuration, self.interval, ui.model.indicators)
        if any(a is not b for a, b in zip(key, self._wished, strict=False)) or not self._wished:
            self._wished = key
            self.analysis.wish(None if part is None else self._wish(ui, part, configuration.code))
        self.analysis.follow(ui, feed.range, None)
        chosen = ui.preferences.chart
        laid_out = (self.analysis.revision, ui.theme, tuple(chosen.forms.items()), chosen.closed)
        if laid_out != self._laid_out:
            self._laid_out = laid_out
            self.chart.series = self.analysis.series
            self.chart.layout = lay_out(
                self.analysis.lines, self.analysis.series, chosen.forms, chosen.closed, ui.theme
            )

    def _wish(self, ui: Ui, part: IntervalAnalyses, code: str) -> Wish:
        indicators = () if ui.model.indicators is None else ui.model.indicators.indicators
        lines = tuple(lines_of(part, known_analyses(indicators)))
        one = AnalysisConfiguration(code, (part,))
        return Wish(self.symbol, one, lines, part.interval.nominal_ms)

    # --- the fill under the pointer

    def _pointed(self, ui: Ui) -> TradeRecord | None:
        if not 0 <= self.chart.pointed < len(self._trades):
            return None
        trade = self._trades[self.chart.pointed]
        imgui.set_tooltip("\n".join(_told(ui, trade)))
        return trade if imgui.is_mouse_clicked(imgui.MouseButton_.left) else None


def _told(ui: Ui, trade: TradeRecord) -> list[str]:
    t = ui.t
    decimals = ui.model.price_decimals(trade.symbol)
    lines = [
        f"#{trade.index}  {format_time(trade.time_ms)}",
        f"{t(f'side.{trade.side.value}')}  {formats.quantity(trade.quantity)} @ {formats.number(trade.price, decimals)}",
        f"{t('field.reason')}: {t(f'trade_reason.{trade.reason.value}')}",
        f"{t('result.signal')}: {signal(trade)}",
    ]
    if trade.profit:
        lines.append(f"{t('field.profit')}: {formats.number(trade.profit, sign=True)}")
    return [*lines, f"{t('field.fee')}: {formats.number(trade.fee, 4)}", t("result.click_trade")]


def _ceil(time_ms: int) -> int:
    """The next midnight, so that neighbouring fills share what is read."""
    return -(-time_ms // DAY_MS) * DAY_MS
