"""The Simulation Result page driven as a person drives it, on the results of the examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from imgui_bundle import imgui

from atm.gui.pages.simulation_result import TABS, SimulationResultPage
from atm.gui.ui import PageName
from atm.ipc.messages import (
    SIMULATION,
    TRADE,
    AddSimulation,
    CloseTrial,
    OpenTrial,
    ProcessState,
    PutTradeConfiguration,
    RunTrial,
    StartWorker,
)
from atm.model.trade_configuration import RemainingQuantity
from tests.gui.pilot import Pilot, bare_context
from tests.gui.result.ran import RanResults, Simulator, by_code, ran_model

FIRST = "RQPM FILUSDT"
ALPHA = "trial.trade[0].method.long.alpha"


def opened(folder: Path, *, earlier: bool = False) -> tuple[Pilot, Simulator, SimulationResultPage]:
    pilot = Pilot(ran_model(earlier=earlier), RanResults(folder, earlier=earlier), (1600, 2400))
    simulator = Simulator()
    pilot.ui.ask = simulator.ask
    pilot.show(PageName.RESULT)
    page = pilot.shell.pages[PageName.RESULT]
    assert isinstance(page, SimulationResultPage)
    return pilot, simulator, page


Opened = tuple[Pilot, Simulator, SimulationResultPage]


@pytest.fixture
def result(tmp_path: Path) -> Iterator[Opened]:
    with bare_context():
        opened_page = opened(tmp_path)
        yield opened_page
        opened_page[1].arrays.close()


def open_tab(pilot: Pilot, tab: str) -> None:
    pilot.click(f"result.tab.{tab}")
    for _ in range(3):
        pilot.ui.now_ms += 2_000
        pilot.frames(2)


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_tab_draws_new_and_old_results(tmp_path: Path, tab: str, earlier: bool, language: str) -> None:
    with bare_context():
        pilot, simulator, page = opened(tmp_path, earlier=earlier)
        pilot.ui.texts.choose(language)
        pilot.frames(2)
        open_tab(pilot, tab)
        assert page.tab == tab
        simulator.arrays.close()


def test_the_list_is_searched_and_a_result_chosen(result: Opened) -> None:
    pilot, _, page = result
    assert page.selected == FIRST
    pilot.type("result.search", "near")
    assert pilot.sees("result.list.row.TS NEARUSDT")
    assert not pilot.sees(f"result.list.row.{FIRST}")
    pilot.click("result.list.row.TS NEARUSDT")
    assert page.selected == "TS NEARUSDT"


def test_trades_are_filtered_and_lead_to_the_chart_and_back(result: Opened) -> None:
    pilot, _, page = result
    open_tab(pilot, "trades")
    pilot.choose("trades.reason", "STOP_IMMEDIATE")
    stops = [trade for trade in by_code()[FIRST][1].trades if trade.reason.value == "STOP_IMMEDIATE"]
    assert stops
    assert list(page.trades._rows) == stops
    pilot.click(f"result.trades.row.{stops[0].index}")
    pilot.click("trades.chart")
    assert page.tab == "chart"
    for _ in range(3):
        pilot.frames(2)
    view = page.chart.chart.view
    assert view.start_ms < stops[0].time_ms < view.end_ms
    left, top, right, bottom = page.chart.chart.areas["prices"]
    x = left + (right - left) * (stops[0].time_ms - view.start_ms) / (view.end_ms - view.start_ms)
    for y in range(int(top), int(bottom), 6):  # along the vertical through it, until the pointer is on it
        imgui.get_io().add_mouse_pos_event(x, y)
        pilot.frames(1)
        if page.chart.chart.pointed >= 0:
            break
    pointed = page.chart._trades[page.chart.chart.pointed]
    for down in (True, False):
        imgui.get_io().add_mouse_button_event(0, down)
        pilot.frames(1)
    assert page.tab == "trades"
    assert page.trades.selected == pointed.index


def test_the_chart_draws_the_analysis_that_was_traded_on(result: Opened) -> None:
    pilot, _, page = result
    open_tab(pilot, "chart")
    assert page.chart.interval == "15m"
    assert page.chart.analysis.series is not None
    names = {line.known.name for line in page.chart.analysis.lines}
    assert {"MMACDSHORT", "PIP"} <= names
    pilot.click("chart.before")
    pilot.frames(2)
    middle = (page.chart.chart.view.start_ms + page.chart.chart.view.end_ms) / 2
    assert any(abs(trade.time_ms - middle) < 60_000 for trade in page.chart._trades)


def test_two_results_are_compared(result: Opened) -> None:
    pilot, _, page = result
    open_tab(pilot, "compare")
    pilot.click("compare.TS NEARUSDT")
    assert page.compare.codes == ["TS NEARUSDT"]
    comparison = page.compare._compared[1]
    assert comparison is not None and comparison.codes == (FIRST, "TS NEARUSDT")
    pilot.click("compare.view.differences")
    paths = {path for path, _ in page.compare._differences}
    assert {"positions[0].symbol", "trade[0].method.type"} <= paths


@pytest.mark.parametrize(
    ("kind", "name"), [("csv", "trades.csv"), ("parquet", "hourly.parquet"), ("html", "tear-sheet.html")]
)
def test_a_result_is_exported(result: Opened, tmp_path: Path, kind: str, name: str) -> None:
    pilot, _, _ = result
    pilot.click(f"export.{kind}")
    pilot.frames(2)
    folder = tmp_path / "RQPM_FILUSDT"
    assert (folder / name).stat().st_size > 1_000
    assert json.loads((folder / "simulation.json").read_bytes())["code"] == FIRST
    assert pilot.sees("export.copy")


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    with bare_context():
        pilot, _, _ = opened(tmp_path, earlier=True)
        pilot.click("export.html")
        pilot.frames(2)
        asked = pilot.ui.stored.get(("export", FIRST, 1), lambda: Path())
        assert "earlier version" in asked.error


def drag(pilot: Pilot, mark: str, share: float, steps: int = 6) -> None:
    """Press on a slider and move to a share of its width."""
    left, top, right, bottom = pilot.probe[mark]
    io, y = imgui.get_io(), (top + bottom) / 2
    io.add_mouse_pos_event(left + 0.3 * (right - left), y)
    pilot.frames(1)
    io.add_mouse_button_event(0, True)
    pilot.frames(1)
    for step in range(1, steps + 1):
        io.add_mouse_pos_event(left + (0.3 + (share - 0.3) * step / steps) * (right - left), y)
        pilot.ui.now_ms += 16
        pilot.frames(1)
    io.add_mouse_button_event(0, False)
    pilot.frames(2)


def test_a_slider_recomputes_the_backtest_as_it_moves(result: Opened) -> None:
    pilot, simulator, page = result
    open_tab(pilot, "trial")
    opening, base = simulator.requests[:2]
    assert isinstance(opening, OpenTrial) and opening.spec.code == FIRST
    assert isinstance(base, RunTrial) and base.changes == {}
    assert page.trial.client.base is not None
    summary = by_code()[FIRST][1].summary
    assert page.trial.client.base.figures.net_profit == pytest.approx(summary.net_profit)
    before = len(simulator.requests)
    drag(pilot, ALPHA, 0.9)
    runs = [each for each in simulator.requests[before:] if isinstance(each, RunTrial)]
    assert len(runs) >= 5, "as it moves, not when it is let go"
    values = [run.changes["trade[0].method.long.alpha"] for run in runs]
    assert values == sorted(values)
    shown = page.trial.client.shown
    assert shown is not None and shown.figures.net_profit != summary.net_profit
    assert page.trial.curve is not page.trial.base
    pilot.click(f"{ALPHA}.reset")
    assert page.trial.changes == {}


def test_what_was_tried_is_kept_and_queued(result: Opened) -> None:
    pilot, _, page = result
    open_tab(pilot, "trial")
    drag(pilot, ALPHA, 0.8)
    alpha = page.trial.changes["trade[0].method.long.alpha"]
    pilot.type("trial.name", "better")
    pilot.click("trial.keep")
    kept = pilot.sent[-1]
    assert kept.to == TRADE and isinstance(kept.request, PutTradeConfiguration)
    assert kept.request.configuration.code == "better"
    assert isinstance(kept.request.configuration.method, RemainingQuantity)
    assert kept.request.configuration.method.long.alpha == alpha  # type: ignore[union-attr]
    pilot.click("trial.queue")
    queued = pilot.sent[-1]
    assert queued.to == SIMULATION and isinstance(queued.request, AddSimulation)
    assert queued.request.spec.code == "better"
    assert queued.request.spec.trade[0].method == kept.request.configuration.method
    pilot.click("trial.reset")
    assert page.trial.changes == {}
    pilot.click("trial.queue")
    assert pilot.sent[-1] is queued, "nothing to keep"


def test_the_trial_is_closed_when_the_tab_or_the_page_is_left(result: Opened) -> None:
    pilot, simulator, _ = result
    open_tab(pilot, "trial")
    open_tab(pilot, "overview")
    assert isinstance(simulator.requests[-1], CloseTrial)
    open_tab(pilot, "trial")
    pilot.show(PageName.SETTINGS)  # which asks for nothing itself
    assert isinstance(simulator.requests[-1], CloseTrial)
    assert sum(isinstance(each, CloseTrial) for each in simulator.requests) == 2


def test_a_simulator_that_dies_is_noticed(result: Opened) -> None:
    pilot, simulator, _ = result
    open_tab(pilot, "trial")
    pilot.ui.model.apply(ProcessState("simulator-0", "dead", 0, 1))
    pilot.ui.now_ms += 20_000
    pilot.frames(2)
    assert isinstance(simulator.requests[-1], StartWorker)
    pilot.ui.model.apply(ProcessState("simulator-0", "running", 301, 1))
    pilot.ui.now_ms += 5_000
    pilot.frames(3)
    assert [type(each) for each in simulator.requests[-2:]] == [OpenTrial, RunTrial]
