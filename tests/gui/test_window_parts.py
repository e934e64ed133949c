"""Formats, colours, preferences, stored results, picker, curve and feed."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from imgui_bundle import imgui, implot

from atm.analyzers import AnalysisPipeline
from atm.gui import formats, preferences
from atm.gui.chart import CandleChart
from atm.gui.equity_chart import EquityCurve, thin
from atm.gui.market_feed import MarketFeed
from atm.gui.results import newest_stretch
from atm.gui.stored import Immediately, Stored
from atm.gui.symbol_picker import match
from atm.gui.theme import DIRECTION_COLORS, LINE_COLORS, Color, Theme, hexa, palette
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar, Bars, TimeRange
from atm.model.interval import DAY_MS, MINUTE_MS, Interval
from tests.gui import filled


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.number(1234.567), "1,234.57"),
        (formats.number(-0.001), "0.00"),
        (formats.number(-12.5, 1), "−12.5"),
        (formats.number(3.0, sign=True), "+3.00"),
        (formats.number(0.0, sign=True), "0.00"),
        (formats.number(None), "—"),
        (formats.number(float("nan")), "—"),
        (formats.number(float("inf")), "∞"),
        (formats.percent(0.1234), "12.34%"),
        (formats.percent(None), "—"),
        (formats.compact(7_250_000), "7.25M"),
        (formats.quantity(1_200.0), "1,200"),
        (formats.quantity(0.25), "0.25"),
        (formats.moment(0), "—"),
        (formats.moment(1_694_693_250_000, seconds=True), "2023-09-14 12:07:30"),
        (formats.countdown(13_950_000), "03:52:30"),
        (formats.countdown(-5), "00:00:00"),
        (formats.size(45 << 20), "45.0 MB"),
        (str(formats.decimals_of("0.00100")), "3"),
    ],
)
def test_numbers_and_times(shown: str, expected: str) -> None:
    assert shown == expected


def luminance(color: Color) -> float:
    """Relative luminance, WCAG 2.1."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("pair", list(DIRECTION_COLORS["dark"]))
def test_text_and_graphics_have_contrast(theme: str, pair: str) -> None:
    colors = palette(theme, pair)
    for ground in (colors.panel, colors.window, colors.raised):
        for name in ("text", "muted", "up", "down", "warning", "info", "good", "bad"):
            assert contrast(getattr(colors, name), ground) >= 4.5, (name, ground)
        assert contrast(colors.accent, ground) >= 3
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    for index in range(len(LINE_COLORS[theme])):
        assert contrast(Theme.of(theme, pair, 1.0).line_color(index), colors.panel) >= 3


COLOR_BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""What is seen of linear red, green and blue: Machado, Oliveira and Fernandes 2009, severity 1."""


def lab(color: Color, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as it is seen."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]])
    linear = np.clip(seen @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    scaled = xyz / np.array([0.9505, 1.0, 1.089])
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("eye", list(COLOR_BLINDNESS))
def test_lines_are_told_apart_by_every_eye(theme: str, eye: str) -> None:
    colors = [lab(hexa(code), COLOR_BLINDNESS[eye]) for code in LINE_COLORS[theme]]
    for first, second in itertools.combinations(colors, 2):
        assert np.linalg.norm(first - second) > 10, "a difference of 2.3 is just noticed, 10 at a glance"


def test_preferences_survive_and_a_broken_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "home" / "window.json"
    assert preferences.load(path, "ko", "light").theme == "light"
    chosen = preferences.Preferences(language="ko", symbol="FILUSDT", scale=1.25)
    preferences.store(path, chosen)
    assert preferences.load(path, "en", "dark") == chosen
    path.write_text('{"scale": 9}')
    assert preferences.load(path, "en", "dark") == preferences.Preferences()
    assert path.with_suffix(".unreadable").read_text() == '{"scale": 9}'


def test_stored_results_are_read_in_the_background_once() -> None:
    with ThreadPoolExecutor(1) as executor:
        woken, go = threading.Event(), threading.Event()
        stored = Stored(executor, woken.set)
        calls: list[int] = []

        def read() -> str:
            go.wait(5)
            calls.append(threading.get_ident())
            return "result"

        assert stored.get("key", read).loading
        assert stored.get("key", read).loading
        go.set()
        assert woken.wait(5)
        assert stored.get("key", read).value == "result"
        assert len(calls) == 1
        assert calls[0] != threading.get_ident()


def test_a_failed_read_says_why_and_can_be_tried_again() -> None:
    stored = Stored(Immediately())
    answers = iter([OSError("disk on fire"), "fine"])

    def read() -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert stored.get("key", read).error == "disk on fire"
    assert stored.get("key", read).error == "disk on fire"
    stored.forget("key")
    assert stored.get("key", read).value == "fine"


def test_the_picker_finds_by_parts_without_regard_to_case() -> None:
    symbols = ["AVAXUSDT", "BTCUSDT", "BTCUSDC", "WBTCUSDT"]
    assert match("btc", symbols) == ["BTCUSDT", "BTCUSDC", "WBTCUSDT"]
    assert match("axt", symbols) == ["AVAXUSDT"]
    assert match("", symbols) == symbols
    assert match("zzz", symbols) == []


def test_a_thinned_curve_keeps_its_extremes_and_its_drawdown() -> None:
    random = np.random.default_rng(1)
    equity = 1_000 + np.cumsum(random.normal(0, 1, 100_003))
    curve = EquityCurve.of(np.arange(len(equity), dtype=np.int64) * MINUTE_MS, equity)
    assert len(curve.time) <= 3_000
    assert curve.equity.max() == equity.max()
    assert curve.equity.min() == equity.min()
    assert curve.equity[0] == equity[0]
    assert curve.equity[-1] == equity[-1]
    deepest = (equity / np.maximum.accumulate(equity) - 1).min()
    assert curve.drawdown.min() == pytest.approx(deepest, rel=0.01)
    assert thin(np.empty(0), 10).size == 0
    assert EquityCurve.of(np.empty(0, np.int64), np.empty(0)).equity.size == 0


def followed(bars: Bars, interval: Interval) -> tuple[MarketFeed, CandleChart]:
    """A feed that knew 3,001 minutes and followed the rest one by one."""
    imgui.create_context()
    implot.create_context()
    feed = MarketFeed(bars.slice(0, 3_001), interval)
    chart = CandleChart("feed")
    chart.set_bars(feed.bars())
    recent: deque[Bar] = deque(maxlen=1_500)
    for index in range(2_950, len(bars)):  # the first fifty are known already
        recent.append(bars.bar(index))
        running = bars.bar(index + 1) if index + 1 < len(bars) else None
        feed.follow(recent, running, chart)
    implot.destroy_context()
    imgui.destroy_context()
    return feed, chart


@pytest.mark.parametrize("interval", [Interval.M1, Interval.M5, Interval.H4, Interval.D1, Interval.W1, Interval.MONTH])
def test_the_candles_are_those_of_the_pipeline_however_the_minutes_come(interval: Interval) -> None:
    bars = filled.sample_bars("AVAXUSDT").slice(0, 4_000)
    whole = AnalysisPipeline(AnalysisConfiguration.of_one("bars", interval=interval)).run(bars)
    feed, chart = followed(bars, interval)
    assert chart._pyramid is not None
    n = len(whole)
    for shown in (feed.bars(), chart._pyramid.base):
        np.testing.assert_array_equal(
            np.asarray(shown.time if hasattr(shown, "time") else shown.open_time)[:n], whole.open_time
        )
        np.testing.assert_allclose(shown.values[:5, :n], whole.values[:5], rtol=1e-12)
    assert feed.bars().close[-1] == bars.close[-1]
    assert len(feed) == len({interval.open_time(int(time)) for time in bars.open_time})


def test_minutes_that_were_not_stored_yet_when_the_bars_were_read_leave_a_hole_that_is_told() -> None:
    bars = filled.sample_bars("AVAXUSDT").slice(0, 200)
    imgui.create_context()
    implot.create_context()
    feed, chart = MarketFeed(bars.slice(0, 100), Interval.M1), CandleChart("hole")
    chart.set_bars(feed.bars())
    recent = deque([bars.bar(index) for index in range(95, 103)])
    feed.follow(recent, None, chart)
    assert feed.hole_ms == 0
    recent.extend(bars.bar(index) for index in range(110, 113))  # the seven before came to the store alone
    recent = deque(list(recent)[-3:])
    feed.follow(recent, bars.bar(113), chart)
    assert feed.hole_ms == bars.open_time[103]
    feed.follow(recent, bars.bar(113), chart)
    again = MarketFeed(bars.slice(0, 111), Interval.M1)
    again.follow(recent, bars.bar(113), chart)
    assert again.hole_ms == 0
    implot.destroy_context()
    imgui.destroy_context()


def test_the_day_is_measured_from_twenty_four_hours_ago() -> None:
    bars = filled.sample_bars("AVAXUSDT")
    day = MarketFeed(bars, Interval.M1).day()
    assert day is not None
    last = bars.slice(len(bars) - 1_440, len(bars))
    assert day.change == pytest.approx(last.close[-1] / last.open[0] - 1)
    assert day.high == last.high.max()
    assert day.low == last.low.min()
    assert day.volume == pytest.approx(last.volume.sum())


def test_the_newest_stretch_ends_before_a_long_hole() -> None:
    ranges = (TimeRange(0, DAY_MS), TimeRange(40 * DAY_MS, 41 * DAY_MS), TimeRange(42 * DAY_MS, 43 * DAY_MS))
    assert newest_stretch(ranges, 100 * DAY_MS) == TimeRange(40 * DAY_MS, 43 * DAY_MS)
    assert newest_stretch(ranges, DAY_MS // 2) == TimeRange(43 * DAY_MS - DAY_MS // 2, 43 * DAY_MS)
    assert newest_stretch((), DAY_MS) is None
