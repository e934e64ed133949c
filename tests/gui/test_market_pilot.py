"""The Market page's chart, driven as a user drives it: choosing analyses, their parameters, panes, values at the pointer."""

from __future__ import annotations

import numpy as np
import pytest
from imgui_bundle import imgui

from atm.analyzers import AnalysisPipeline
from atm.gui.chart import CandleChart
from atm.gui.commands import Command
from atm.gui.pages.market import MarketPage
from atm.gui.preferences import QuickAnalysis
from atm.gui.results import AnalysedStretch
from atm.gui.ui import PageName
from atm.ipc.messages import (
    MAIN,
    AnalyseBars,
    AnalyzerLoad,
    ConfigurationsUpdated,
    Failed,
    IndicatorsUpdated,
    KnownIndicator,
    ListIndicators,
    OpenBar,
    ProcessState,
    StartWorker,
    UserIndicatorList,
    WorkerStarted,
)
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MovingAverageLine
from atm.model.bars import Bar
from atm.model.errors import Invalid, Unavailable
from atm.model.interval import MINUTE_MS, Interval
from tests.gui import filled
from tests.gui.pilot import Pilot

ADD, LIST, FORM = "market.analysis.add", "market.analysis.list", "market.analysis.form"


def page_of(pilot: Pilot) -> MarketPage:
    page = pilot.shell.pages[PageName.MARKET]
    assert isinstance(page, MarketPage)
    return page


def chart_of(pilot: Pilot) -> CandleChart:
    return page_of(pilot).chart


def wait(pilot: Pilot) -> None:
    """A second passes."""
    pilot.ui.now_ms += 1_100
    pilot.frames(3)


def add(pilot: Pilot, name: str) -> None:
    pilot.click(ADD)
    pilot.click(f"{LIST}.{name}")
    wait(pilot)


def shown(pilot: Pilot) -> set[str]:
    return set(chart_of(pilot).readings)


def starts(pilot: Pilot) -> list[Command]:
    """What was sent to have an analyzer started."""
    return [command for command in pilot.sent if isinstance(command.request, StartWorker)]


def whole(configuration: AnalysisConfiguration, column: str, symbol: str = "AVAXUSDT") -> np.ndarray:
    return AnalysisPipeline(configuration).run(filled.sample_bars(symbol)).column(column)


@pytest.fixture
def market(pilot: Pilot) -> Pilot:
    pilot.show(PageName.MARKET)
    pilot.preferences.chart.quick = ()
    wait(pilot)
    return pilot


def test_an_indicator_is_chosen_from_the_list_drawn_and_remembered(market: Pilot) -> None:
    add(market, "SMA")
    add(market, "MFI")
    add(market, "SMA")
    assert market.preferences.chart.quick == (
        QuickAnalysis("SMA", {"window": 10}),
        QuickAnalysis("MFI", {"window": 10, "normaliser": 0, "peak_since_ms": 0}),
        QuickAnalysis("SMA", {"window": 20}),
    )
    assert market.stored_preferences >= 3
    assert shown(market) == {"SMA.1.value", "SMA.2.value", "MFI.1.value"}
    assert list(chart_of(market).areas) == ["prices", "MFI", "VOL"]


def test_the_list_is_searched_by_what_an_indicator_is_called(market: Pilot) -> None:
    market.click(ADD)
    market.type(f"{LIST}.search", "bollinger")
    assert market.sees(f"{LIST}.BOL")
    assert not market.sees(f"{LIST}.SMA")


def test_an_indicator_of_ones_own_is_chosen_like_any_other(market: Pilot) -> None:
    add(market, "ROC")
    assert list(chart_of(market).areas) == ["prices", "ROC", "VOL"]
    assert shown(market) == {"ROC.1.value"}


def test_a_file_that_was_added_is_in_the_list_when_it_is_opened(market: Pilot) -> None:
    add(market, "SMA")
    asked = len(market.ui.results.requests)  # type: ignore[attr-defined]
    market.click(ADD)
    assert market.sent[-1].request == ListIndicators()
    assert not market.sees(f"{LIST}.FRESH")
    found = filled.indicators()
    fresh = KnownIndicator("FRESH", ("value",), state="passed")
    market.ui.model.apply(IndicatorsUpdated((*found.indicators, fresh), found.files))
    market.answer(UserIndicatorList(found.files))
    market.frames(2)
    assert market.sees(f"{LIST}.FRESH")
    assert len(market.ui.results.requests) == asked, "what is shown is not computed again"  # type: ignore[attr-defined]


def test_users_indicators_follow_when_the_trade_manager_has_told_of_them(newcomer: Pilot) -> None:
    newcomer.show(PageName.MARKET)
    newcomer.frames(3)
    page = page_of(newcomer)
    assert [command.request for command in newcomer.sent].count(ListIndicators()) == 1, "asked once"
    assert "SMA" in page._known
    assert "ROC" not in page._known
    newcomer.ui.model.apply(filled.indicators())
    newcomer.frames(2)
    assert "ROC" in page._known


def test_a_parameter_is_edited_and_the_line_computed_anew(market: Pilot) -> None:
    add(market, "SMA")
    market.click("market.analysis.0")
    market.type(f"{FORM}.window", "35")
    market.click(f"{FORM}.apply")
    wait(market)
    assert not market.sees(f"{FORM}.apply")
    assert market.preferences.chart.quick == (QuickAnalysis("SMA", {"window": 35}),)
    configuration = AnalysisConfiguration.of_one("x", sma=(MovingAverageLine(35),))
    series = page_of(market).analysis.series
    assert series is not None
    expected = whole(configuration, "SMA.1.value")
    np.testing.assert_array_equal(series.column(series.place("SMA.1.value") or 0)[: len(expected)], expected)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("1", "“1” – allowed: a whole number 2 … 10,000"), ("20", "same parameters")],
)
def test_what_is_wrong_is_said_at_the_field_and_nothing_changes(market: Pilot, typed: str, sentence: str) -> None:
    add(market, "SMA")
    add(market, "SMA")
    before = market.preferences.chart.quick
    market.click("market.analysis.0")
    market.type(f"{FORM}.window", typed)
    market.click(f"{FORM}.apply")
    assert market.sees(f"{FORM}.apply"), "the form stays"
    draft = page_of(market)._analyses._draft
    assert draft is not None
    assert sentence in draft.errors["window"]
    assert market.preferences.chart.quick == before
    market.click(f"{FORM}.defaults")
    assert draft.values == {"window": "10"}
    market.click(f"{FORM}.cancel")
    assert market.preferences.chart.quick == before


def test_a_network_is_named_before_it_is_added(market: Pilot) -> None:
    market.click(ADD)
    market.click(f"{LIST}.NNA")
    assert market.preferences.chart.quick == ()
    market.click(f"{FORM}.apply")
    assert market.preferences.chart.quick == ()
    market.type(f"{FORM}.network", "my net")
    market.click(f"{FORM}.apply")
    assert market.preferences.chart.quick == (QuickAnalysis("NNA", {"network": "my net"}),)


def test_what_an_analyzer_refuses_is_said_and_asked_again_only_when_it_has_changed(market: Pilot) -> None:
    asked: list[AnalyseBars] = []
    analysed = market.ui.results.analysis

    def refusing(analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        asked.append(request)
        if request.configuration.intervals[0].psar:
            raise Invalid("psar.start", 0.5, "at most psar.maximum (0.2)")
        return analysed(analyzer, request)

    market.ui.results.analysis = refusing  # type: ignore[method-assign]
    market.preferences.chart.quick = (QuickAnalysis("PSAR", {"start": 0.5}),)
    wait(market)
    wait(market)
    assert len(asked) == 1
    assert "psar.start" in page_of(market)._note(market.ui)
    market.preferences.chart.quick = (QuickAnalysis("SMA"),)
    wait(market)
    assert page_of(market)._note(market.ui) == ""
    assert shown(market) == {"SMA.1.value"}


def test_a_chosen_line_is_removed_by_its_cross(market: Pilot) -> None:
    add(market, "SMA")
    add(market, "DMIxADX")
    market.click("market.analysis.0.remove")
    wait(market)
    assert [quick.name for quick in market.preferences.chart.quick] == ["DMIxADX"]
    assert "SMA.1.value" not in shown(market)
    market.click("market.analysis.0.remove")
    wait(market)
    assert shown(market) == set()
    assert list(chart_of(market).areas) == ["prices", "VOL"]


def test_a_pane_is_put_away_and_brought_back(market: Pilot) -> None:
    add(market, "MFI")
    market.click("market.pane.MFI.close")
    market.click("market.pane.VOL.close")
    assert list(chart_of(market).areas) == ["prices"]
    assert market.preferences.chart.closed == ("MFI", "VOL")
    market.click("market.analysis.reopen")
    market.frames(2)
    assert list(chart_of(market).areas) == ["prices", "MFI", "VOL"]


def test_a_pane_shows_another_form(market: Pilot) -> None:
    add(market, "MFI")
    market.choose("market.pane.MFI.form", "peak_relative")
    market.frames(2)
    assert shown(market) == {"MFI.1.peak_relative"}
    assert market.preferences.chart.forms == {"MFI": "peak_relative"}


def test_the_legends_tell_the_values_at_the_pointer_in_all_panes(market: Pilot) -> None:
    add(market, "SMA")
    add(market, "MFI")
    chart = chart_of(market)
    series = page_of(market).analysis.series
    assert series is not None
    left, top, right, bottom = chart.areas["MFI"]
    for share in (0.25, 0.6):
        x = left + share * (right - left)
        imgui.get_io().add_mouse_pos_event(x, (top + bottom) / 2)
        market.frames(3)
        time_ms = chart.view.start_ms + share * (chart.view.end_ms - chart.view.start_ms)
        index = int(np.searchsorted(series.time, time_ms, "right")) - 1
        for name in ("SMA.1.value", "MFI.1.value"):
            assert chart.readings[name] == series.column(series.place(name) or 0)[index], "one time for all panes"
    imgui.get_io().add_mouse_pos_event(5, 5)
    market.frames(2)
    assert chart.readings["MFI.1.value"] == series.column(series.place("MFI.1.value") or 0)[-1], "else the newest"


def test_dragging_the_line_between_panes_changes_their_heights_and_is_remembered(market: Pilot) -> None:
    add(market, "MFI")
    chart = chart_of(market)
    before = chart.areas["MFI"]
    stored = market.stored_preferences
    io = imgui.get_io()
    middle, edge = (before[0] + before[2]) / 2, (chart.areas["prices"][3] + before[1]) / 2
    io.add_mouse_pos_event(middle, edge)
    market.frames(3)
    io.add_mouse_button_event(0, True)
    market.frames(2)
    for step in range(1, 7):
        io.add_mouse_pos_event(middle, edge - 10 * step)
        market.frames(1)
    io.add_mouse_button_event(0, False)
    market.frames(3)
    after = chart.areas["MFI"]
    assert (after[3] - after[1]) - (before[3] - before[1]) == pytest.approx(60, abs=12)
    assert market.preferences.chart.heights["MFI"] > 0.24
    assert market.stored_preferences > stored
    market.frames(5)
    assert chart.areas["MFI"] == after, "it stays where it was put"


def test_the_newest_value_follows_the_running_minute(market: Pilot) -> None:
    add(market, "SMA")
    name, chart = "SMA.1.value", chart_of(market)
    running = market.ui.model.open_bars["AVAXUSDT"]
    values = []
    for close in (running.close, running.close * 1.01):
        bar = Bar(running.open_time, running.open, close * 1.02, running.low, close, 900.0, 8_000.0, 5.0, 1.0, 1.0)
        market.ui.model.apply(OpenBar("AVAXUSDT", bar))
        imgui.get_io().add_mouse_pos_event(5, 5)
        wait(market)
        values.append(chart.readings[name])
    assert values[1] - values[0] == pytest.approx(0.01 * running.close / 10)
    asked = market.ui.results.requests[-1]  # type: ignore[attr-defined]
    assert asked.end_ms - asked.start_ms < 15 * MINUTE_MS, "only what has come since"


def test_a_stored_configuration_is_shown_on_its_interval(market: Pilot) -> None:
    both = AnalysisConfiguration(
        "TWO",
        (
            IntervalAnalyses(interval=Interval.H1, sma=(MovingAverageLine(7),)),
            IntervalAnalyses(interval=Interval.H4, ema=(MovingAverageLine(9),)),
        ),
    )
    market.ui.model.apply(ConfigurationsUpdated((both,), ()))
    market.frames(2)
    market.choose("market.analysis.configuration", "code.TWO")
    wait(market)
    assert market.preferences.interval == "1h"
    assert shown(market) == {"SMA.1.value", "SWING.0.price"}
    assert not market.sees(ADD)
    market.click("market.interval.4h")
    wait(market)
    assert shown(market) == {"EMA.1.value", "SWING.0.price"}
    market.click("market.interval.5m")
    wait(market)
    assert shown(market) == set()
    assert "1h, 4h" in page_of(market)._note(market.ui)


def test_without_an_analyzer_one_is_started_and_the_analyses_follow(market: Pilot) -> None:
    market.ui.model.apply(ProcessState("analyzer-0", "stopped", 100, 0))
    add(market, "SMA")
    assert starts(market) == [], "one may be on its way"
    wait(market)
    wait(market)
    assert [(command.to, command.request) for command in starts(market)] == [(MAIN, StartWorker("analyzer"))]
    assert shown(market) == set()
    market.answer(WorkerStarted("analyzer-0"))
    market.ui.model.apply(ProcessState("analyzer-0", "running", 101, 0))
    wait(market)
    assert len(starts(market)) == 1
    assert shown(market) == set(), "it loads its kernels and cannot be asked yet"
    market.ui.model.apply(AnalyzerLoad("analyzer-0", ()))
    market.ui.now_ms += 10_000
    market.frames(3)
    assert shown(market) == {"SMA.1.value"}


def test_a_refused_start_is_tried_again_after_a_while(market: Pilot) -> None:
    market.ui.model.apply(ProcessState("analyzer-0", "dead", 100, 0))
    add(market, "SMA")
    wait(market)
    wait(market)
    market.answer(Failed("Refused", "all 0 analyzers are running"))
    wait(market)
    assert len(starts(market)) == 1
    for _ in range(9):
        wait(market)
    assert len(starts(market)) == 2


def test_an_analyzer_that_does_not_answer_is_asked_again(market: Pilot) -> None:
    answers = iter([Unavailable("no answer within 5 s")])
    analysed = market.ui.results.analysis

    def slow(analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        for error in answers:
            raise error
        return analysed(analyzer, request)

    market.ui.results.analysis = slow  # type: ignore[method-assign]
    add(market, "SMA")
    assert "no answer" in page_of(market)._note(market.ui)
    market.ui.now_ms += 6_000
    market.frames(3)
    assert shown(market) == {"SMA.1.value"}


def test_everything_at_once_is_drawn_at_every_zoom(market: Pilot) -> None:
    names = [name for name in page_of(market)._known if name != "NNA"]
    market.preferences.chart.quick = tuple(QuickAnalysis(name) for name in names)
    market.click("market.interval.1m")
    wait(market)
    view = chart_of(market).view
    for minutes in (30, 2_000, 19_000):
        view.start_ms = view.end_ms - minutes * MINUTE_MS
        view.force = True
        market.frames(3)
        assert {key.partition(".")[0] for key in shown(market)} >= {"PIP", "IVP", "SWING", "BOL", "NES", "ROC"}
