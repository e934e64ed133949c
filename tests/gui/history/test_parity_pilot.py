"""The parity tab driven as a person drives it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atm.gui.pages.account_history import AccountHistoryPage
from atm.gui.parity.parity_csv import write_day
from atm.gui.parity.parity_tab import ParityTab
from atm.gui.ui import PageName
from atm.ipc.messages import (
    DayOfParity,
    Failed,
    LookAtParity,
    ParityHead,
    ParityShown,
    ParityUpdated,
    ParityWorked,
    Reply,
    Request,
    SetDrift,
)
from atm.model.drift import DriftState
from atm.model.parity import ParityDay, Verdict
from tests.gui.filled import FilledResults, filled_model
from tests.gui.history.worked_days import TODAY, YESTERDAY, day, drift, heads
from tests.gui.pilot import Pilot, bare_context


class Desk:
    """Answers as the simulation manager does; `silent` answers nothing."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.days: tuple[ParityHead, ...] = heads()
        self.drift: DriftState = drift()
        self.failure: Failed | None = None
        self.silent = False

    def ask(self, _to: str, request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
        if not isinstance(request, LookAtParity | DayOfParity | SetDrift):
            return
        self.requests.append(request)
        if self.silent:
            return
        if self.failure is not None:
            on_reply(self.failure)
        elif isinstance(request, DayOfParity):
            on_reply(ParityWorked(day()))
        else:
            on_reply(ParityShown(self.days, self.drift))


class Exporting(FilledResults):
    written: ParityDay | None = None

    def export_parity(self, worked: ParityDay) -> Path:
        self.written = worked
        return Path("/exports/paper-1/parity-day")


def opened(desk: Desk, results: FilledResults | None = None) -> tuple[Pilot, ParityTab]:
    pilot = Pilot(filled_model(), results, (1600, 1200))
    pilot.ui.ask = desk.ask
    pilot.show(PageName.HISTORY)
    pilot.click("history.tab.parity")
    page = pilot.shell.pages[PageName.HISTORY]
    assert isinstance(page, AccountHistoryPage)
    return pilot, page.parity


@pytest.fixture
def context() -> Iterator[None]:
    with bare_context():
        yield


pytestmark = pytest.mark.usefixtures("context")


def test_the_newest_worked_day_is_shown_with_its_differences() -> None:
    desk = Desk()
    pilot, tab = opened(desk)
    pilot.frames(3)
    assert desk.requests == [LookAtParity("paper-1"), DayOfParity("paper-1", YESTERDAY)]
    assert tab.client.day == day()
    pilot.click("parity.what.decisions")
    pilot.frames(2)
    assert tab.what == "decisions"


def test_a_day_is_worked_again_and_the_list_is_read_anew() -> None:
    desk = Desk()
    pilot, tab = opened(desk)
    tab.client.choose(pilot.ui, TODAY)
    pilot.frames(2)
    assert tab.client.day is None, "today was not worked again yet"
    desk.silent = True
    pilot.click("parity.again")
    pilot.frames(2)
    assert desk.requests[-1] == DayOfParity("paper-1", TODAY, again=True)
    assert tab.client.working == TODAY
    asked = len(desk.requests)
    pilot.click("parity.again")
    assert len(desk.requests) == asked, "a day that is being worked is not asked for twice"


def test_a_day_that_was_worked_meanwhile_is_asked_for() -> None:
    desk = Desk()
    pilot, _ = opened(desk)
    asked = sum(isinstance(each, LookAtParity) for each in desk.requests)
    pilot.ui.model.apply(ParityUpdated("paper-1", heads()[1], drift()))
    pilot.frames(2)
    assert sum(isinstance(each, LookAtParity) for each in desk.requests) == asked + 1


def test_errors_are_said_and_can_be_retried() -> None:
    desk = Desk()
    desk.failure = Failed("Unavailable", "the database is locked")
    pilot, tab = opened(desk)
    pilot.frames(2)
    assert (tab.client.days, tab.client.error) == (None, "the database is locked")
    desk.failure = None
    pilot.click("parity.retry")
    pilot.frames(2)
    assert tab.client.days == heads() and tab.client.error == ""
    desk.failure = Failed("Refused", "nothing was recorded")
    pilot.click("parity.again")
    pilot.frames(2)
    assert tab.client.day_error == "nothing was recorded" and tab.client.working == 0


def test_without_a_recorded_day_the_tab_says_so() -> None:
    desk = Desk()
    desk.days = ()
    pilot, tab = opened(desk)
    pilot.frames(2)
    assert tab.client.days == () and tab.client.chosen_ms == 0


def test_an_alarm_is_reset_and_another_baseline_is_chosen() -> None:
    desk = Desk()
    desk.drift = drift(alarmed=True)
    pilot, tab = opened(desk)
    pilot.frames(2)
    assert tab.client.drift is not None and tab.client.drift.alarms
    pilot.click("drift.reset")
    assert desk.requests[-1] == SetDrift("paper-1", "", reset=True)
    done = pilot.ui.model.completed_simulations()[0].code
    pilot.click("drift.baseline")
    pilot.frames(2)
    pilot.click(f"drift.baseline.{done}")
    assert desk.requests[-1] == SetDrift("paper-1", done)


def test_the_day_is_exported(tmp_path: Path) -> None:
    results = Exporting()
    pilot, _ = opened(Desk(), results)
    pilot.frames(2)
    pilot.click("export.csv")
    pilot.frames(2)
    assert results.written == day()
    folder = write_day(day(Verdict.UNEXPLAINED), tmp_path)
    read = {path.stem: list(csv.DictReader(path.open())) for path in folder.iterdir()}
    amounts = {row["what"]: float(row["amount"]) for row in read["money"]}
    causes = sum(value for name, value in amounts.items() if name not in ("begin", "backtest", "live"))
    assert amounts["live"] - amounts["backtest"] == pytest.approx(causes, abs=1e-8)
    assert len(read["decisions"]) == 3 and read["decisions"][0]["cause"] == "LATE_BAR"
    assert sum(float(row["amount"]) for row in read["fills"]) == pytest.approx(sum(
        amount for each in day().money.fills for amount in each.causes.values()  # type: ignore[union-attr]
    ))  # fmt: skip
