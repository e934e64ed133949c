"""Processor time of one frame of every page, without a back end, beside an empty ImGui frame of the same run.

The Market page holds 2.63 million one-minute bars with six overlays and four panes: the newest bars, and all of them in sight
while the view moves; beside them a list of 700 symbols and a book of 500 levels a side. The Demo exchange page has 100 faults.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from imgui_bundle import imgui

from atm.analyzers import AnalysisPipeline
from atm.app.bench import BenchRow
from atm.gui.preferences import QuickAnalysis
from atm.gui.results import AnalysedStretch
from atm.gui.ui import PageName
from atm.ipc.messages import AnalyseBars, DayTicker, DayTickers, DemoUpdated, Instruments, WholeBook
from atm.model.bars import N_COLUMNS, Bars, Source
from atm.model.demo_state import DemoAccount, DemoState
from atm.model.fault import Fault, FaultKind, FaultRecord, FaultReport
from atm.model.interval import MINUTE_MS, Interval
from tests.gui.filled import MARKET_MS, FilledResults, filled_model, instrument
from tests.gui.pilot import Pilot, bare_context

FRAMES = 120
BARS = 2_630_000
BUDGET_MS = 6.0


OVERLAYS = (
    QuickAnalysis("SMA", {"window": 20}),
    QuickAnalysis("EMA", {"window": 50}),
    QuickAnalysis("WMA", {"window": 100}),
    QuickAnalysis("BOL"),
    QuickAnalysis("PSAR"),
    QuickAnalysis("SWING", {"swing_range": 0.01}),
)
PANES = (QuickAnalysis("MFI"), QuickAnalysis("DMIxADX"), QuickAnalysis("MMACDSHORT"), QuickAnalysis("VOL"))


class ManyBars(FilledResults):
    """Five years of minutes with their analyses, and long trade logs."""

    def analysis(self, analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        bars = self.bars(request.symbol, BARS, 0)
        if request.start_ms > bars.open_time[0]:
            bars = bars.slice(len(bars) - 5_000, len(bars))
        table = AnalysisPipeline(request.configuration).run(bars)
        first = int(np.searchsorted(table.open_time, request.start_ms))
        rows = [table.columns.index(name) for name in request.columns]
        return AnalysedStretch(request.columns, table.open_time[first:], table.values[rows, first:], request.end_ms)

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        end = MARKET_MS // MINUTE_MS * MINUTE_MS
        time_ms = end + np.arange(-BARS, 0, dtype=np.int64) * MINUTE_MS
        close = 9.0 + 0.0002 * np.cumsum(np.random.default_rng(2).normal(0, 1, BARS))
        values = np.tile(close, (N_COLUMNS, 1))
        values[1] += 0.002
        values[2] -= 0.002
        return Bars(Interval.M1, time_ms, values, np.full(BARS, int(Source.SAMPLE), np.uint8))


def _median_ms(frame: Callable[[], None]) -> float:
    times = []
    for _ in range(FRAMES):
        begun = time.thread_time()
        frame()
        times.append(time.thread_time() - begun)
    return statistics.median(times) * 1e3


def _empty_frame() -> None:
    imgui.new_frame()
    imgui.render()


def rows() -> list[BenchRow]:
    """One row per page; the Market page holds 2.63 million one-minute bars."""
    found: list[BenchRow] = []
    with bare_context():
        pilot = Pilot(filled_model(), ManyBars(n_trades=20_000))
        pilot.ui.probe = None
        pilot.preferences.symbol, pilot.preferences.interval = "AVAXUSDT", "1m"
        floor = _median_ms(_empty_frame)
        pilot.preferences.chart.quick = (*OVERLAYS, *PANES)
        _fill(pilot)
        for page in PageName:
            pilot.show(page)
            found.append(_row(f"frame of {page.value}", _median_ms(lambda: pilot.frames(1)), floor))
        found.append(_row("frame of market, all bars in sight, moving", _all_in_sight(pilot), floor))
    return found


def _fill(pilot: Pilot) -> None:
    """What a whole exchange tells."""
    names = [f"A{number:03d}USDT" for number in range(700)]
    model = pilot.ui.model
    model.apply(Instruments((*model.instruments.values(), *map(instrument, names))))
    model.apply(DayTickers(tuple(DayTicker(name, 1.0, 0.01, 1.1, 0.9, 1e6, 1e6) for name in names)))
    bids, asks = (tuple((9.5 + side * level * 0.001, 10.0) for level in range(1, 501)) for side in (-1, 1))
    model.apply(WholeBook("AVAXUSDT", MARKET_MS, 1, True, 0, bids, asks))
    pilot.preferences.market.whole_book, pilot.preferences.market.book_step = True, 10
    state = DemoState(MARKET_MS, 60.0, False, 0, MARKET_MS * 2, 2, (DemoAccount("demo", 10_000.0, 0, 0, ("demo",)),))
    model.apply(DemoUpdated(state, pilot.ui.now_ms))
    faults = (FaultRecord(number, Fault(FaultKind.LATE, amount=500.0), "waiting", 0, 1) for number in range(100))
    page = pilot.shell.pages[PageName.DEMO]
    page.faults = FaultReport(0, tuple(faults))  # type: ignore[attr-defined]


def _row(name: str, value: float, floor: float) -> BenchRow:
    return BenchRow(name, value, "ms", "empty frame", floor, value / floor, BUDGET_MS, value <= BUDGET_MS)


def _all_in_sight(pilot: Pilot) -> float:
    pilot.show(PageName.MARKET)
    view = pilot.shell.pages[PageName.MARKET].chart.view  # type: ignore[attr-defined]
    view.start_ms = view.end_ms - BARS * MINUTE_MS

    def frame() -> None:
        view.pan(0.001)
        pilot.frames(1)

    return _median_ms(frame)
