"""Days are worked again by themselves after their end, and on demand; what cannot be explained and a drift are told once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from atm.ipc.messages import (
    DayOfParity,
    LookAtParity,
    NoticeRaised,
    ParityShown,
    ParityUpdated,
    ParityWorked,
    SetDrift,
)
from atm.managers import parity_desk
from atm.managers.parity_desk import ParityDesk
from atm.model.drift import DriftTest
from atm.model.errors import Invalid, Refused
from atm.model.interval import DAY_MS
from atm.model.parity import Observations, ParityDay, Verdict
from atm.storage.database import Database
from tests.managers.trade_harness import Program
from tests.simulators.parity.recorded import FIRST, HISTORY, SECOND, finish, program


class Immediately:
    def submit(self, function: Callable[[], None], /) -> None:
        function()


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """An account whose first day has been over for eleven minutes; the desk listens."""
    made = program(tmp_path, 1_440 - HISTORY + 12)
    monkeypatch.setattr(parity_desk, "open_store", lambda *_args, **_named: type(made.reader)(tmp_path / "market"))
    made.heard = []  # type: ignore[attr-defined]
    made.told = []  # type: ignore[attr-defined]
    ParityDesk(made.bus.assistant("simulation"), made.context, Immediately(), lambda: 0)
    made.user.subscribe(ParityUpdated, made.heard.append)  # type: ignore[attr-defined]
    made.user.subscribe(NoticeRaised, lambda event: made.told.append(event.notice))  # type: ignore[attr-defined]
    made.play(1_440 - HISTORY + 12)
    finish(made)
    return made


def ask(ran: Program, request: object) -> object:
    return ran.user.request("simulation", request)  # type: ignore[arg-type]


def test_a_day_is_worked_again_by_itself_and_today_on_demand(ran: Program) -> None:
    heard: list[ParityUpdated] = ran.heard  # type: ignore[attr-defined]
    assert [(each.account, each.head.day_ms, each.head.verdict) for each in heard] == [("paper", FIRST, Verdict.EQUAL)]
    shown = ask(ran, LookAtParity("paper"))
    assert isinstance(shown, ParityShown)
    assert [(head.day_ms, head.verdict) for head in shown.days] == [(SECOND, None), (FIRST, Verdict.EQUAL)]
    assert shown.days[1].decisions > 100 and shown.days[1].unexplained == 0.0
    assert {gauge.test for gauge in shown.drift.gauges} == set(DriftTest)
    stored = ask(ran, DayOfParity("paper", FIRST))
    assert isinstance(stored, ParityWorked) and stored.day.money is not None
    with pytest.raises(Refused, match="has not been worked again yet"):
        ask(ran, DayOfParity("paper", SECOND))
    today = ask(ran, DayOfParity("paper", SECOND, again=True))
    assert isinstance(today, ParityWorked)
    assert today.day.verdict is Verdict.EQUAL and today.day.end_ms - SECOND == 12 * 60_000
    with pytest.raises(Invalid, match="a stored account"):
        ask(ran, LookAtParity("nobody"))
    with pytest.raises(Refused, match="nothing that could be worked again"):
        ask(ran, DayOfParity("paper", SECOND + DAY_MS, again=True))


def test_what_cannot_be_explained_is_told_with_day_and_amount(ran: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parity_desk.stored_day

    def leaking(*arguments: object) -> object:
        """The record of a day with a fill of which nobody knows."""
        day = whole(*arguments)  # type: ignore[arg-type]
        lost = next(fill for fill in day.fills if fill.time_ms >= day.begin_ms)
        object.__setattr__(day, "fills", [fill for fill in day.fills if fill is not lost])
        return day

    monkeypatch.setattr(parity_desk, "stored_day", leaking)
    reply = ask(ran, DayOfParity("paper", FIRST, again=True))
    assert isinstance(reply, ParityWorked) and reply.day.verdict is Verdict.UNEXPLAINED
    (notice,) = [each for each in ran.told if each.text == "notice.parity_failed"]  # type: ignore[attr-defined]
    assert notice.parameters["day"] == "2023-08-01" and float(notice.parameters["amount"]) != 0.0


def test_only_of_an_explained_day_it_is_told_that_each_difference_has_a_cause(
    ran: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked = parity_desk.worked_again
    for verdict, told in ((Verdict.INCOMPLETE, 0), (Verdict.EXPLAINED, 1)):
        differs = {"verdict": verdict, "differing": 3}
        monkeypatch.setattr(
            parity_desk, "worked_again", lambda *given, by=differs: msgspec.structs.replace(worked(*given), **by)
        )
        ask(ran, DayOfParity("paper", FIRST, again=True))
        assert [each.text for each in ran.told].count("notice.parity_differs") == told  # type: ignore[attr-defined]


def drifting(day: ParityDay, day_ms: int) -> ParityDay:
    seen = Observations((3e-4,) * 40, 40, 40, (), ())
    return msgspec.structs.replace(day, day_ms=day_ms, begin_ms=day_ms, observations=seen)


def test_a_drift_is_told_once_stands_and_can_be_reset(ran: Program) -> None:
    database = Database(ran.url)
    day = database.parity.day("paper", FIRST)
    assert day is not None
    database.parity.put_day(drifting(day, FIRST - DAY_MS))
    database.close()
    for _ in range(2):
        ask(ran, DayOfParity("paper", FIRST, again=True))
    told = [(each.text, each.parameters) for each in ran.told if each.text.startswith("notice.drift")]  # type: ignore[attr-defined]
    assert told == [("notice.drift_slippage", {"account": "paper"})]
    shown = ask(ran, LookAtParity("paper"))
    assert isinstance(shown, ParityShown)
    assert shown.drift.alarms == (DriftTest.SLIPPAGE,)
    reset = ask(ran, SetDrift("paper", "", reset=True))
    assert isinstance(reset, ParityShown)
    assert reset.drift.alarms == () and reset.drift.setup.since_ms > SECOND
    with pytest.raises(Invalid, match="at least 20 round trips"):
        ask(ran, SetDrift("paper", "no such simulation"))
