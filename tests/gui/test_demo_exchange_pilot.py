"""The Demo exchange page by mouse and keys: what it shows of the state it was told, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from imgui_bundle import imgui

from atm.gui.pages.demo_exchange import DemoExchangePage
from atm.gui.read_model import ReadModel
from atm.gui.ui import PageName
from atm.ipc.messages import (
    BINANCE_API,
    ControlDemo,
    ControlFaults,
    DemoKeyMade,
    DemoUpdated,
    DescribeDemo,
    Done,
    Failed,
    FaultsTold,
    MakeDemoKey,
    Reply,
    Request,
)
from atm.model.demo_state import DemoAccount, DemoCommand, DemoDeposit, DemoKeyPair, DemoState
from atm.model.endpoint import Endpoint
from atm.model.fault import (
    Fault,
    FaultCommand,
    FaultConnection,
    FaultKind,
    FaultRecord,
    FaultReport,
    FaultSchedule,
)
from atm.model.interval import parse_time
from tests.gui.filled import MARKET_MS, WALL_MS
from tests.gui.pilot import Pilot

REPORT = FaultReport(
    WALL_MS,
    (
        FaultRecord(1, Fault(FaultKind.LATE, amount=500), "over", WALL_MS - 9_000, WALL_MS - 1_000, {"delayed": 7}),
        FaultRecord(2, Fault(FaultKind.MISSING, probability=0.5), "active", WALL_MS, WALL_MS + 9_000, {"left_out": 3}),
    ),
    (FaultConnection(4, "public", 6, 0),),
)


class Exchange:
    """Answers what the page asks."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.failing: str = ""

    def __call__(self, to: str, request: Request, on_reply: Callable[[Reply], None], _timeout: float) -> None:
        assert to == BINANCE_API
        self.asked.append(request)
        if self.failing:
            on_reply(Failed("Unavailable", self.failing))
        elif isinstance(request, ControlFaults):
            on_reply(FaultsTold(REPORT))
        elif isinstance(request, MakeDemoKey):
            on_reply(DemoKeyMade(DemoKeyPair(request.account, "k" * 64, "s" * 64)))
        else:
            on_reply(Done())

    def commands(self) -> list[FaultCommand]:
        asked = [request.command for request in self.asked if isinstance(request, ControlFaults)]
        return [command for command in asked if command != FaultCommand()]


def state(**changes: Any) -> DemoUpdated:
    values = {
        "market_ms": MARKET_MS, "speed": 60.0, "paused": False, "first_ms": parse_time("2023-08-01"),
        "last_ms": parse_time("2023-10-01"), "sockets": 2,
        "accounts": (DemoAccount("demo", 10_000.0, 1, 2, ("demo",)),),
    }  # fmt: skip
    return DemoUpdated(DemoState(**(values | changes)), WALL_MS, "http://127.0.0.1:8787")


@pytest.fixture
def exchange(pilot: Pilot) -> Exchange:
    made = Exchange()
    pilot.ui.ask = made
    pilot.ui.model.apply(state())
    pilot.show(PageName.DEMO)
    return made


def sent(pilot: Pilot) -> DemoCommand:
    request = pilot.sent[-1].request
    assert isinstance(request, ControlDemo)
    return request.command


def test_it_asks_once_a_second_while_it_is_shown(pilot: Pilot, exchange: Exchange) -> None:
    assert [type(request) for request in exchange.asked] == [DescribeDemo, ControlFaults]
    pilot.frames(30)
    assert len(exchange.asked) == 2
    pilot.ui.now_ms += 1_000
    pilot.frames(30)
    assert len(exchange.asked) == 4
    pilot.show(PageName.MARKET)
    asked = len(exchange.asked)
    pilot.ui.now_ms += 1_000
    pilot.frames(5)
    assert not any(isinstance(request, DescribeDemo) for request in exchange.asked[asked:])


def test_hold_go_on_and_step(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("demo.pause")
    assert sent(pilot) == DemoCommand(pause=True)
    pilot.ui.commands.answered(pilot.sent[-1], Failed("Refused", "no"))
    pilot.ui.model.apply(state(paused=True))
    pilot.frames(2)
    assert pilot.ui.model.market_ms(WALL_MS + 60_000) == MARKET_MS  # a held market stands still
    pilot.click("demo.step.5")
    assert sent(pilot) == DemoCommand(step=5)
    pilot.ui.commands.answered(pilot.sent[-1], Failed("Refused", "no"))
    pilot.frames(2)
    pilot.click("demo.pause")
    assert sent(pilot) == DemoCommand(pause=False)


def test_the_speed_is_sent_once_when_the_slider_is_let_go_and_by_a_preset(pilot: Pilot, exchange: Exchange) -> None:
    before = len(pilot.sent)
    pilot.click("demo.speed")
    assert [type(command.request) for command in pilot.sent[before:]] == [ControlDemo]
    speed = sent(pilot).speed
    assert speed is not None and 25 <= speed <= 40  # the middle of 1 to 1000 in decades
    pilot.click("demo.speed.300")
    assert sent(pilot) == DemoCommand(speed=300.0)


def test_a_jump_goes_forward_only_and_within_the_recording(pilot: Pilot, exchange: Exchange) -> None:
    for wrong in ("", "soon", "2023-09-14 12:00", "2023-10-01 00:01"):
        pilot.type("demo.jump.time", wrong)
        count = len(pilot.sent)
        pilot.click("demo.jump")
        assert len(pilot.sent) == count, wrong
    pilot.type("demo.jump.time", "2023-09-20 08:30")
    pilot.click("demo.jump")
    assert sent(pilot) == DemoCommand(jump=parse_time("2023-09-20 08:30"))


def test_a_day_is_chosen_on_the_calendar_and_days_outside_cannot_be(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("demo.jump.time.calendar")
    pilot.click("demo.jump.time.day.3")  # has passed
    assert pilot.sees("demo.jump.time.day.20")
    pilot.click("demo.jump.time.day.20")
    pilot.click("demo.jump")
    assert sent(pilot) == DemoCommand(jump=parse_time("2023-09-20"))


def test_a_secret_is_shown_once(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("demo.key.demo")
    assert exchange.asked[-1] == MakeDemoKey("demo")
    pilot.click("demo.made.secret.copy")
    assert imgui.get_clipboard_text() == "s" * 64
    pilot.show(PageName.MARKET)
    pilot.show(PageName.DEMO)
    assert not pilot.sees("demo.made.secret.copy")


def test_a_new_account_is_made_by_its_name(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("demo.account.new")
    pilot.type("demo.account.name", "second")
    pilot.click("demo.account.send")
    assert exchange.asked[-1] == MakeDemoKey("second")
    assert pilot.sees("demo.made.api_key.copy") and not pilot.sees("demo.account.send")


def test_money_is_paid_in_and_out_and_a_reset_asks_first(pilot: Pilot, exchange: Exchange) -> None:
    pilot.click("demo.deposit.demo")
    pilot.type("demo.deposit.amount", "much")
    pilot.click("demo.deposit.send")
    assert pilot.sees("demo.deposit.amount")
    pilot.type("demo.deposit.amount", "-1,500")
    pilot.click("demo.deposit.send")
    assert sent(pilot) == DemoCommand(deposit=DemoDeposit("demo", -1_500.0))
    pilot.answer(Failed("Refused", "amount: at most 3 USDT"))
    pilot.click("demo.deposit.cancel")
    pilot.click("demo.reset.demo")
    count = len(pilot.sent)
    pilot.click("demo.reset.cancel")
    assert len(pilot.sent) == count
    pilot.click("demo.reset.demo")
    pilot.click("demo.reset.confirm")
    assert sent(pilot) == DemoCommand(reset="demo")


def test_a_fault_is_started_as_typed_and_a_wrong_value_stays_with_its_sentence(
    pilot: Pilot, exchange: Exchange
) -> None:
    pilot.click("fault.group.message")
    pilot.choose("fault.kind", "late")
    pilot.type("fault.late_ms", "0")
    pilot.click("fault.start")
    assert exchange.commands() == []
    pilot.type("fault.late_ms", "700")
    pilot.type("fault.probability", "25")
    pilot.type("fault.target", "*@aggTrade")
    pilot.click("fault.start")
    assert exchange.commands() == [
        FaultCommand(Fault(FaultKind.LATE, duration_ms=10_000, target="*@aggTrade", amount=700, probability=0.25))
    ]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_the_form_of_every_kind_starts_it_with_its_defaults(pilot: Pilot, exchange: Exchange, kind: FaultKind) -> None:
    page = pilot.shell.pages[PageName.DEMO]
    assert isinstance(page, DemoExchangePage)
    page._form.kind = kind
    pilot.frames(3)
    pilot.click("fault.start")
    (command,) = exchange.commands()
    assert command.fault is not None and command.fault.kind is kind


def test_a_connection_is_chosen_by_its_number(pilot: Pilot, exchange: Exchange) -> None:
    pilot.choose("fault.target", "#4")
    pilot.click("fault.start")
    (command,) = exchange.commands()
    assert command.fault is not None and command.fault.target == "#4"


def test_a_schedule_is_started_by_its_number(pilot: Pilot, exchange: Exchange) -> None:
    pilot.type("fault.schedule.seed", "4711")
    pilot.type("fault.schedule.minutes", "2.5")
    pilot.click("fault.schedule.start")
    assert exchange.commands() == [FaultCommand(schedule=FaultSchedule(4711, 2.5))]


def test_faults_that_stand_can_be_cleared(pilot: Pilot, exchange: Exchange) -> None:
    assert pilot.sees("fault.clear.2") and not pilot.sees("fault.clear.1")
    pilot.click("fault.clear.2")
    pilot.click("fault.clear_all")
    assert exchange.commands() == [FaultCommand(clear=(2,)), FaultCommand(clear_faults=True)]


def test_what_is_refused_is_said(pilot: Pilot, exchange: Exchange) -> None:
    exchange.failing = "target: 'x' is not allowed"
    pilot.click("fault.start")
    page = pilot.shell.pages[PageName.DEMO]
    assert isinstance(page, DemoExchangePage) and page._failed == exchange.failing


def test_it_is_there_on_the_demo_endpoint_only(pilot: Pilot, exchange: Exchange) -> None:
    assert pilot.sees("page.demo_exchange")
    pilot.ui.model.endpoint = Endpoint.TESTNET
    pilot.frames(2)
    assert not pilot.sees("page.demo_exchange") and not pilot.sees("demo.pause")


def test_before_the_exchange_has_answered_it_says_so(newcomer: Pilot) -> None:
    newcomer.show(PageName.DEMO)
    assert not newcomer.sees("demo.pause")
    newcomer.ui.model = ReadModel()
    newcomer.ui.model.apply(state())
    newcomer.frames(2)
    assert newcomer.sees("demo.pause")
