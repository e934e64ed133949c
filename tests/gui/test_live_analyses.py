"""Analyses as they run: rows of the AutoTrade page, and the Currency Analysis page with the chart of one of them."""

from __future__ import annotations

import math

import pytest

from atm.gui.analysis_rows import analysis_rows, counts
from atm.gui.pages.auto_trade import AutoTradePage
from atm.gui.pages.currency_analysis import CurrencyAnalysisPage
from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import AnalysisLoad, AnalysisReady, AnalyzerLoad, Coverage, ProcessState
from atm.model.bars import TimeRange
from atm.model.interval import DAY_MS, HOUR_MS
from tests.gui import filled
from tests.gui.pilot import Pilot

NAME = "FILUSDT/DEMO-15M"


def ready(state: str, last_ms: int, **more: object) -> AnalysisReady:
    return AnalysisReady(
        NAME,
        "FILUSDT",
        "analyzer-0",
        state,
        last_close_time=last_ms,
        start_ms=DAY_MS,
        settle_ms=10 * HOUR_MS,
        **more,  # type: ignore[arg-type]
    )


def model_of(*events: object) -> ReadModel:
    model = ReadModel()
    model.apply(filled.account())
    for event in events:
        model.apply(event)  # type: ignore[arg-type]
    return model


def row_of(model: ReadModel, now_ms: int = 2 * DAY_MS):  # type: ignore[no-untyped-def]
    return next(row for row in analysis_rows(model, now_ms) if row.symbol == "FILUSDT")


def test_progress_is_that_of_catching_up_then_of_settling() -> None:
    row = row_of(model_of(ready("preparing", DAY_MS + 6 * HOUR_MS)))
    assert (row.caught_up, row.settled, row.progress) == (0.25, 0.6, 0.25)
    row = row_of(model_of(ready("running", DAY_MS + 5 * HOUR_MS)))
    assert row.progress == 0.5
    assert row_of(model_of(ready("running", 2 * DAY_MS))).progress == 1.0


def test_coverage_is_the_stored_share_of_its_own_minutes() -> None:
    ranges = (TimeRange(0, DAY_MS + HOUR_MS), TimeRange(DAY_MS + 3 * HOUR_MS, 2 * DAY_MS))
    row = row_of(model_of(ready("running", DAY_MS + 4 * HOUR_MS), Coverage("FILUSDT", ranges)))
    assert row.covered == 0.5


def test_what_is_wanted_and_on_no_analyzer_is_shown_as_waiting_with_its_users() -> None:
    rows = analysis_rows(model_of(), 2 * DAY_MS)
    assert [(row.symbol, row.state, row.analyzer) for row in rows] == [(s, "waiting", "") for s in filled.SYMBOLS]
    assert rows[0].accounts == ("paper-1",) and math.isnan(rows[0].minute_us)


def test_an_analysis_of_a_dead_analyzer_waits_for_another() -> None:
    load = AnalyzerLoad("analyzer-0", (AnalysisLoad(NAME, 21.0, 30.0),))
    model = model_of(ProcessState("analyzer-0", "running", 7, 0), ready("running", 2 * DAY_MS), load)
    row = row_of(model)
    assert (row.state, row.analyzer, row.minute_us) == ("running", "analyzer-0", 21.0)
    model.apply(ProcessState("analyzer-0", "dead", 7, 1))
    row = row_of(model)
    assert (row.state, row.analyzer) == ("waiting", "")
    assert counts(analysis_rows(model, 2 * DAY_MS)) == {"waiting": 3}
    model.apply(ProcessState("analyzer-0", "running", 8, 1))
    assert row_of(model).state == "waiting", "the new process has not taken it yet"
    model.apply(load)
    assert row_of(model).state == "running"


def test_one_that_has_ended_is_gone() -> None:
    model = ReadModel()
    model.apply(ready("running", 2 * DAY_MS))
    model.apply(AnalyzerLoad("analyzer-0", ()))
    assert analysis_rows(model, 2 * DAY_MS) == []
    model.apply(AnalyzerLoad("analyzer-0", (AnalysisLoad(NAME, 21.0, 30.0),)))
    assert [row.symbol for row in analysis_rows(model, 2 * DAY_MS)] == ["FILUSDT"]


def test_from_the_list_to_the_chart_and_to_the_form(pilot: Pilot) -> None:
    pilot.show(PageName.AUTO_TRADE)
    pilot.click("running.open")
    assert pilot.ui.page is PageName.AUTO_TRADE, "none is chosen"
    pilot.click("analysis.running.row.FILUSDT DEMO-15M")
    pilot.click("running.open")
    page = pilot.shell.pages[PageName.ANALYSIS]
    assert isinstance(page, CurrencyAnalysisPage)
    assert (pilot.ui.page, page.selected) == (PageName.ANALYSIS, "FILUSDT DEMO-15M")
    pilot.click("live_analysis.edit")
    auto = pilot.shell.pages[PageName.AUTO_TRADE]
    assert isinstance(auto, AutoTradePage)
    assert (pilot.ui.page, auto.tab, auto.analysis.editor.selected) == (PageName.AUTO_TRADE, "analysis", "DEMO-15M")


def test_the_chart_shows_the_lines_of_the_configuration_and_the_fills_of_its_account(pilot: Pilot) -> None:
    pilot.show(PageName.ANALYSIS)
    page = pilot.shell.pages[PageName.ANALYSIS]
    assert isinstance(page, CurrencyAnalysisPage)
    pilot.click("live_analysis.pick.NEARUSDT DEMO-15M")
    pilot.frames(4)
    assert {line.known.name for line in page.live.analysis.lines} == {"MMACDSHORT", "PIP", "SWING"}
    assert page.live.chart.trades is not None
    shown = len(page.live.chart.trades.time)
    assert shown == sum(trade.symbol == "NEARUSDT" for trade in filled.trades())
    pilot.choose("live_analysis.account", "")
    assert page.live.chart.trades is None


def test_without_analyses_the_page_says_where_they_come_from(newcomer: Pilot) -> None:
    newcomer.show(PageName.ANALYSIS)
    newcomer.click("live_analysis.accounts")
    assert newcomer.ui.page is PageName.ACCOUNTS


@pytest.mark.parametrize("tab", ["analyses", "indicators"])
def test_another_tab_asks_before_anything_unsaved_is_lost(pilot: Pilot, tab: str) -> None:
    pilot.show(PageName.AUTO_TRADE)
    page = pilot.shell.pages[PageName.AUTO_TRADE]
    assert isinstance(page, AutoTradePage)
    pilot.click("auto.tab.trade")
    pilot.type("trade.leverage", "9")
    pilot.click(f"auto.tab.{tab}")
    assert page.tab == "trade"
    pilot.click("trade.unsaved.discard")
    assert page.tab == tab
