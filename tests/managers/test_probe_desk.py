"""Order types of actual accounts tried by the trade manager: when, what the user hears, and through to the demo exchange."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from atm.exchange.client import order_probe
from atm.ipc.local import LocalBus
from atm.ipc.messages import BINANCE_API, TRADE, OrdersProbed, OrderTypesShown, ProbeOrders, Reply
from atm.managers.probe_channel import ProbeChannel
from atm.managers.probe_desk import ProbeDesk
from atm.model.errors import Refused, Unavailable, Unknown
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from atm.model.order_probe import Probe, ProbeOutcome, ProbeResult, ProbeTarget
from tests.managers.test_live_desk import Managers, X, managers  # noqa: F401

NAME = "first"
TARGET = ProbeTarget("AUSDT", Decimal(2), Decimal(3))
OTHER = ProbeTarget("BUSDT", Decimal(2), Decimal(3))
HOLDS = (ProbeResult("AUSDT", Probe.MARKET, ProbeOutcome.HOLDS),)
BROKEN = (*HOLDS, ProbeResult("AUSDT", Probe.STOP, ProbeOutcome.BROKEN, "Order type not supported (-4120)"))


class Stage:
    """The desk between an account and an exchange that answers what it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.bus = LocalBus(lambda: self.seconds)
        self.targets: tuple[ProbeTarget, ...] = (TARGET,)
        self.results: tuple[ProbeResult, ...] | None = HOLDS
        self.asked: list[ProbeOrders] = []
        self.notices: list[dict[str, str]] = []
        self.shown: list[OrderTypesShown] = []
        self.bus.assistant(BINANCE_API).answer(ProbeOrders, self._answer)
        self.bus.assistant("gui").subscribe(OrderTypesShown, self.shown.append)
        self.desk = ProbeDesk(self.bus.assistant(TRADE), self, self._notify)

    @property
    def now_ms(self) -> int:
        return 20_000 * DAY_MS + 5 * HOUR_MS + int(self.seconds * 1_000)

    def names(self) -> tuple[str, ...]:
        return (NAME,)

    def probe_targets(self, name: str) -> tuple[ProbeTarget, ...]:
        return self.targets

    def _notify(self, severity: object, text: str, subject: str, **parameters: str) -> None:
        self.notices.append({"text": text, **parameters})

    def _answer(self, request: ProbeOrders) -> Reply:
        self.asked.append(request)
        if self.results is None:
            raise Unavailable("no connection")
        return OrdersProbed(self.results)

    def run(self, seconds: float, step: float = 2.0) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += step
            self.bus.pump()


def test_order_types_are_tried_at_once_once_a_day_and_when_a_symbol_comes(home: object) -> None:
    stage = Stage()
    stage.run(60)
    assert len(stage.asked) == 1 and not stage.notices
    assert stage.shown[-1].results == HOLDS
    stage.run(18 * 3_600, 60.0)
    assert len(stage.asked) == 1
    stage.run(90 * 60, 60.0)
    assert len(stage.asked) == 2, "00:10 of the next day"
    stage.targets = (TARGET, OTHER)
    stage.run(60)
    assert len(stage.asked) == 3
    assert stage.asked[-1].targets == (TARGET, OTHER)


def test_a_broken_order_type_is_an_alarm_with_the_exchanges_words() -> None:
    stage = Stage()
    stage.results = BROKEN
    stage.run(10)
    (notice,) = stage.notices
    assert (notice["text"], notice["count"]) == ("notice.order_types_broken", "1")
    assert notice["details"] == "AUSDT STOP: Order type not supported (-4120)"


def test_where_nothing_was_learnt_it_is_tried_again_soon_without_an_alarm() -> None:
    stage = Stage()
    stage.results = None
    stage.run(10)
    assert len(stage.asked) == 1 and not stage.notices and not stage.shown
    stage.results = (ProbeResult("AUSDT", Probe.MARKET, ProbeOutcome.UNKNOWN, "busy"),)
    stage.run(11 * MINUTE_MS / 1_000)
    assert len(stage.asked) == 2 and not stage.notices
    stage.run(11 * MINUTE_MS / 1_000)
    assert len(stage.asked) == 3


async def test_the_demo_exchange_takes_all_of_them_and_nothing_is_left_behind(
    managers: Managers,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ProbeChannel(managers.exchange._assistant, managers.exchange, managers._spawn)
    shown: list[OrderTypesShown] = []
    managers.bus.assistant("gui").subscribe(OrderTypesShown, shown.append)
    ProbeDesk(managers.desk._assistant, managers.desk, managers._notify)
    await managers.until(lambda: bool(shown))
    found = {each.probe: each for each in shown[-1].results}
    assert {each.outcome for each in found.values()} == {ProbeOutcome.HOLDS}, found
    assert found.keys() == set(Probe)
    client = await managers.exchange.client("first")
    assert await client.open_orders() == () and await client.position_risk() == ()
    assert not managers.notices

    monkeypatch.setattr(order_probe, "PASSED", Decimal("0.5"))  # a stop that is no mistake: it rests, which is one
    (target,) = managers.desk.probe_targets("first")
    replies: list[Reply] = []
    managers.desk._assistant.request_async(BINANCE_API, ProbeOrders("first", (target,)), replies.append)
    await managers.until(lambda: bool(replies))
    assert isinstance(replies[0], OrdersProbed)
    broken = {each.probe for each in replies[0].results if each.outcome is ProbeOutcome.BROKEN}
    assert broken == {Probe.STOP, Probe.BRIDGE}
    waiting = await client.call("GET", 1, "openAlgoOrders", {}, 2, float("inf"))
    assert waiting == [], "what was taken by mistake is cancelled at once"
    assert target.symbol == X


@pytest.mark.parametrize(("cancel", "outcome"), [(-2011, ProbeOutcome.UNKNOWN), (-1000, ProbeOutcome.BROKEN)])
async def test_a_stop_of_which_no_answer_came_is_cancelled_lest_it_stays(cancel: int, outcome: ProbeOutcome) -> None:
    calls: list[tuple[str, str]] = []

    class Client:
        async def exchange_rules(self) -> dict[str, object]:
            return {"symbols": []}

        async def call(self, method: str, version: int, path: str, *_: object) -> object:
            calls.append((method, path))
            if (method, path) == ("POST", "algoOrder"):
                raise Unknown("no answer")
            if (method, path) == ("DELETE", "algoOrder"):
                raise Refused("no such order", cancel)
            return {}

    class Accounts:
        def names(self) -> tuple[str, ...]:
            return (NAME,)

        async def client(self, _: str) -> Client:
            return Client()

    bus, tasks, replies = LocalBus(lambda: 0.0), [], []
    ProbeChannel(bus.assistant(BINANCE_API), Accounts(), lambda work: tasks.append(asyncio.create_task(work)))
    bus.assistant(TRADE).request_async(BINANCE_API, ProbeOrders(NAME, (TARGET,)), replies.append)
    bus.pump()
    await tasks[0]
    bus.pump()
    found = {each.probe: each.outcome for each in replies[0].results}
    assert found[Probe.STOP] is found[Probe.BRIDGE] is outcome
    assert calls[-4:] == [("POST", "algoOrder"), ("DELETE", "algoOrder")] * 2
