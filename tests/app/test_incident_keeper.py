"""Incidents that main has exported: asked for, and by itself after an alarm."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from atm.app.incident_keeper import AFTER_S, MOST_AUTOMATIC, PAUSE_S, IncidentKeeper
from atm.ipc.local import LocalBus
from atm.ipc.messages import MAIN, Done, ExportIncident, Failed, NoticeRaised, Reply
from atm.model.endpoint import Addresses, Endpoint
from atm.model.incident import Wanted
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from atm.storage.home import incidents


class Main:
    """The keeper on a bus whose clock is set by hand; exports write an empty file, or fail as `error` says."""

    def __init__(self, home: Path) -> None:
        self.now, self.error = 1_000.0, ""
        self.made: list[tuple[Wanted, Path]] = []
        self.done = threading.Semaphore(0)
        self.bus = LocalBus(lambda: self.now)
        context = ProgramContext(home, home, Endpoint.DEMO, Addresses("", ""), 1, 1, ())
        main = self.bus.assistant(MAIN)
        self.keeper = IncidentKeeper(main, context, self._export, lambda: self.now, lambda: int(self.now * 1000))
        self.trade = self.bus.assistant("trade")
        self.notices: list[Notice] = []
        self.trade.subscribe(NoticeRaised, lambda event: self.notices.append(event.notice))

    def _export(self, context: ProgramContext, wanted: Wanted, path: Path) -> str:
        self.made.append((wanted, path))
        if not self.error:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self.done.release()
        return self.error

    def alarm(self, account: str, text: str = "notice.live_unprotected") -> None:
        self.trade.publish(NoticeRaised(Notice(0, "trade", Severity.CRITICAL, text, {}, account)))
        self.bus.pump()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.bus.pump()

    def exported(self, count: int) -> None:
        """Exports have been carried out, and main has heard of it."""
        for _ in range(count):
            assert self.done.acquire(timeout=10)
        for thread in threading.enumerate():
            if thread.name == "incident":
                thread.join(10)
        self.bus.pump()

    def ask(self, request: ExportIncident) -> list[Reply]:
        replies: list[Reply] = []
        self.trade.request_async(MAIN, request, replies.append, 300.0)
        self.bus.pump()
        return replies


@pytest.fixture
def main(tmp_path: Path) -> Main:
    return Main(tmp_path)


def test_what_is_asked_for_is_exported_and_answered(main: Main, tmp_path: Path) -> None:
    replies = main.ask(ExportIncident("first", 60.0, "a.atmincident"))
    main.exported(1)
    assert replies == [Done()]
    ((wanted, path),) = main.made
    assert path == incidents(tmp_path) / "a.atmincident"
    assert (wanted.from_ms, wanted.to_ms, wanted.accounts) == (940_000, 1_000_000, frozenset({"first"}))


def test_a_failure_is_answered_in_words(main: Main) -> None:
    main.error = "the disk is full"
    replies = main.ask(ExportIncident("", 60.0, "a.atmincident"))
    main.exported(1)
    assert isinstance(replies[0], Failed)
    assert "the disk is full" in replies[0].message


@pytest.mark.parametrize("file", ["../a.atmincident", "/tmp/a.atmincident", "a.txt", ""])
def test_a_name_with_a_folder_is_refused(main: Main, file: str) -> None:
    (reply,) = main.ask(ExportIncident("", 60.0, file))
    assert isinstance(reply, Failed)
    assert main.made == []


def test_an_alarm_is_exported_with_what_follows_it_and_once_an_hour(main: Main) -> None:
    main.alarm("first")
    main.alarm("first", "notice.killed")
    main.alarm("second")
    main.alarm("third", "notice.fill")
    main.wait(AFTER_S - 1)
    assert main.made == []
    main.wait(2)
    main.exported(1)
    main.exported(1)
    assert [(sorted(wanted.accounts), wanted.reason) for wanted, _ in main.made] == [
        (["first"], "notice.live_unprotected"),
        (["second"], "notice.live_unprotected"),
    ]
    assert main.made[0][0].to_ms - main.made[0][0].from_ms == (3_600 + AFTER_S) * 1000
    assert [each.text for each in main.notices if "incident" in each.text] == ["notice.incident_exported"] * 2
    main.wait(PAUSE_S)
    main.alarm("first")
    main.wait(AFTER_S + 1)
    main.exported(1)
    assert len(main.made) == 3


def test_of_a_day_that_cannot_be_explained_the_day_is_exported(main: Main) -> None:
    main.alarm("first", "notice.parity_failed")
    main.wait(AFTER_S + 1)
    main.exported(1)
    ((wanted, _),) = main.made
    assert wanted.to_ms - wanted.from_ms >= 24 * 3_600_000


def test_what_the_user_asks_for_does_not_wait_behind_alarms(main: Main) -> None:
    gate = threading.Event()

    def held(context: ProgramContext, wanted: Wanted, path: Path) -> str:
        assert gate.wait(10)
        return whole(context, wanted, path)

    whole, main.keeper._export = main.keeper._export, held
    for name in ("first", "second", "third"):
        main.alarm(name)
    main.wait(AFTER_S + 1)
    main.ask(ExportIncident("fourth", 60.0, "a.atmincident"))
    gate.set()
    for _ in range(4):
        main.exported(1)
    assert [sorted(wanted.accounts) for wanted, _ in main.made] == [["first"], ["fourth"], ["second"], ["third"]]


def test_files_made_by_itself_are_bounded(main: Main, tmp_path: Path) -> None:
    for number in range(MOST_AUTOMATIC + 3):
        main.alarm(f"account-{number}")
        main.wait(AFTER_S + 1)
        main.exported(1)
    kept = sorted(path.name for path in incidents(tmp_path).iterdir())
    assert len(kept) == MOST_AUTOMATIC
    assert not any(name.endswith("account-0.atmincident") for name in kept)


def test_main_loads_no_kernels_for_it() -> None:
    code = "import sys, atm.app.program, atm.app.command_line; print('loaded', *({'numba', 'sqlalchemy'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["loaded"]
