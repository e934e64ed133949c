"""Python time of one frame of every page, without a back end, beside an empty ImGui frame of the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from imgui_bundle import imgui

from atm.app.bench import BenchRow
from atm.gui.ui import PageName
from atm.model.bars import N_COLUMNS, Bars, Source
from atm.model.interval import MINUTE_MS, Interval
from tests.gui.filled import MARKET_MS, FilledResults, filled_model
from tests.gui.pilot import Pilot, bare_context

FRAMES = 120
BARS = 2_630_000
BUDGET_MS = 6.0


class ManyBars(FilledResults):
    """Five years of minutes, and long trade logs."""

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
        begun = time.perf_counter()
        frame()
        times.append(time.perf_counter() - begun)
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
        for page in PageName:
            pilot.show(page)
            value = _median_ms(lambda: pilot.frames(1))
            found.append(
                BenchRow(
                    f"frame of {page.value}",
                    value,
                    "ms",
                    "empty frame",
                    floor,
                    value / floor,
                    BUDGET_MS,
                    value <= BUDGET_MS,
                )
            )
    return found
