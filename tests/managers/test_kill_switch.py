"""The kill switch with the demo exchange behind real sockets: with the trade manager alive, dead, and saying yes but doing nothing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from atm.exchange.client import direct_clear
from atm.exchange.client.rate_budget import RequestClass
from atm.ipc.messages import BINANCE_API, TRADE, AccountUpdated, Done, Failed, KillSwitch, NoticeRaised, Reply
from atm.managers import kill_desk
from atm.managers.live_desk import LiveDesk
from atm.managers.live_exchange_desk import LiveExchangeDesk
from atm.model.account import AccountKind, AccountSnapshot
from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid, Unavailable
from atm.model.journal import KILLED, Adjusted
from tests.managers.test_live_desk import SETUP, TRADE_CONFIGURATION, Managers, X, on_demo

FAR = {"symbol": X, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "50", "price": "2.5"}


class Killable(Managers):
    """With a trade manager that obeys the kill switch unless it is `deaf`, and a user who presses it."""

    deaf = False

    def begin_exchange(self) -> None:
        assistant = self.bus.assistant(BINANCE_API)
        self.exchange = LiveExchangeDesk(
            assistant, Endpoint.DEMO, self.addresses, self.market, self._spawn, lambda: ("first",)
        )
        self.publish = assistant.publish
        self.user = self.bus.assistant("gui")

    def begin_trade(self) -> None:
        assistant = self.bus.assistant(TRADE)
        assistant.answer(KillSwitch, self._on_kill)
        self.desk = LiveDesk(assistant, self.journal, self._notify, lambda: None)
        self.desk.open(SETUP, {"t": TRADE_CONFIGURATION}, self.instruments)

    def _on_kill(self, request: KillSwitch) -> Reply:
        if request.account not in ("", "first"):
            raise Invalid("account", request.account, "first")
        if not self.deaf:
            self.desk.flatten("first", KILLED)
        return Done()

    def show(self) -> None:
        """The trade manager tells what the account looks like."""
        halts = self.desk.halts("first")
        shown = AccountSnapshot("first", AccountKind.ACTUAL, True, 0, halts=halts)
        self.bus.assistants[TRADE].publish(AccountUpdated(shown, SETUP), key="first")

    async def press(self, account: str = "") -> Reply:
        answers: list[Reply] = []
        self.user.request_async(BINANCE_API, KillSwitch(account), answers.append, timeout=60)
        await self.until(lambda: bool(answers))
        return answers[0]

    async def ask(self, method: str, path: str, version: int = 1, **parameters: str) -> list[dict]:
        rest = await self.exchange.client("first")
        return await rest.call(method, version, path, parameters, RequestClass.ORDERS, math.inf)

    async def is_clear(self) -> bool:
        held = [row for row in await self.ask("GET", "positionRisk", 3) if float(row["positionAmt"])]
        return not held and not await self.ask("GET", "openOrders") and not await self.ask("GET", "openAlgoOrders")

    async def hold(self) -> None:
        """A position with its stop, and an order that somebody else has made."""
        await self.until(lambda: self.desk.facts("first") is not None)
        self.aim("100")
        await self.until(lambda: self.quantity() == 100.0)
        async with asyncio.timeout(30):
            while not await self.ask("GET", "openAlgoOrders"):
                await asyncio.sleep(0.1)
        await self.ask("POST", "order", **FAR)


@pytest.fixture
async def managers(home: Path) -> AsyncIterator[Killable]:
    async with on_demo(Killable, home) as made:
        yield made


async def test_with_the_trade_manager_alive_everything_is_closed_by_the_journal_and_nothing_opened_until_resumed(
    managers: Killable,
) -> None:
    await managers.hold()
    assert await managers.press() == Done()
    assert await managers.is_clear()
    await managers.until(lambda: managers.quantity() == 0.0)
    assert not any(isinstance(entry, Adjusted) for entry in managers.journal.load("first"))
    managers.aim("40")
    await asyncio.sleep(1)
    assert await managers.is_clear()
    assert [halt.reason for halt in managers.desk.halts("first")] == [KILLED]
    managers.desk.resume("first", "")
    managers.aim("40")
    await managers.until(lambda: managers.quantity() == 40.0)


async def test_with_the_trade_manager_dead_the_exchange_is_cleared_and_the_journal_learns_of_it(
    managers: Killable,
) -> None:
    await managers.hold()
    managers.bus.kill(TRADE)
    assert await managers.press() == Done()
    assert await managers.is_clear()
    managers.begin_trade()
    await managers.until(lambda: bool(managers.desk.halts("first")))
    await managers.until(lambda: managers.quantity() == 0.0)
    assert sum(e.quantity for e in managers.journal.load("first") if isinstance(e, Adjusted)) == -100
    managers.aim("40")
    await asyncio.sleep(1)
    assert await managers.is_clear()


async def test_what_a_dead_trade_manager_had_sent_off_and_goes_out_late_is_closed_as_well(
    managers: Killable, monkeypatch: pytest.MonkeyPatch
) -> None:
    await managers.hold()
    managers.bus.kill(TRADE)
    late = [{"symbol": X, "side": "BUY", "type": "MARKET", "quantity": "40"}]
    run = kill_desk.DirectClear.run

    async def cleared(*given: object) -> None:
        await run(*given)
        if late:
            await managers.ask("POST", "order", **late.pop())

    monkeypatch.setattr(kill_desk.DirectClear, "run", cleared)
    assert await managers.press() == Done()
    assert not late and await managers.is_clear()


async def test_looks_of_the_kill_switch_do_not_wait_behind_comparisons(managers: Killable) -> None:
    """The weight that comparisons may use is used up: only the reserve of orders is left of this minute."""
    await managers.hold()
    managers.bus.kill(TRADE)
    market = managers.market
    market.budget.set_limits(weight=6_000)
    now_ms = market.gate.now_ms()
    market.budget.feed(now_ms, now_ms, 5_200, None, None)
    waits = [asyncio.create_task(market.call("GET", 1, "openOrders", {}, RequestClass.ACCOUNT, math.inf)) for _ in "ab"]
    assert await managers.press() == Done()
    assert await managers.is_clear()
    for task in waits:
        task.cancel()


async def test_an_account_that_nobody_knows_is_refused(managers: Killable) -> None:
    answer = await managers.press("nobody")
    assert isinstance(answer, Failed)
    assert answer.field == "account"


async def test_an_account_that_is_not_connected_is_cleared_as_well(managers: Killable) -> None:
    await managers.hold()
    managers.bus.kill(TRADE)
    await managers.exchange.close()
    managers.bus.kill(BINANCE_API)
    managers.begin_exchange()
    assert await managers.press() == Done()
    assert await managers.is_clear()


async def test_a_trade_manager_that_only_says_yes_is_not_waited_for(managers: Killable) -> None:
    await managers.hold()
    managers.deaf = True
    assert await managers.press() == Done()
    assert await managers.is_clear()


async def test_what_cannot_be_closed_is_said(managers: Killable) -> None:
    await managers.hold()
    managers.bus.kill(TRADE)
    rest = await managers.exchange.client("first")

    async def unreachable(*_: object) -> None:
        raise Unavailable("the exchange cannot be reached")

    rest.call = unreachable  # type: ignore[method-assign]
    answer = await managers.press()
    assert isinstance(answer, Failed)
    assert "first" in answer.message
    assert "cannot be reached" in answer.message


async def test_what_cannot_be_closed_is_tried_again_until_it_is(
    managers: Killable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_desk, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(direct_clear, "ROUNDS", 2)
    monkeypatch.setattr(direct_clear, "LOOK_S", 0.1)
    told: list[str] = []
    managers.user.subscribe(NoticeRaised, lambda event: told.append(event.notice.text))
    await managers.hold()
    managers.bus.kill(TRADE)
    rest = await managers.exchange.client("first")
    call = rest.call

    async def unreachable(*_: object) -> None:
        raise Unavailable("the exchange cannot be reached")

    rest.call = unreachable  # type: ignore[method-assign]
    assert isinstance(await managers.press(), Failed)
    await managers.until(lambda: told == ["notice.not_cleared"])
    rest.call = call  # type: ignore[method-assign]
    await managers.until(lambda: "notice.cleared" in told)
    assert await managers.is_clear()


async def test_who_lets_the_account_trade_again_is_not_cleared_any_more(
    managers: Killable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_desk, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(kill_desk, "TRADE_CLOSES_S", 0.5)
    monkeypatch.setattr(direct_clear, "ROUNDS", 2)
    await managers.hold()
    rest = await managers.exchange.client("first")
    call = rest.call

    async def refuses_to_close(method: str, *rest: object) -> object:
        if method != "GET":
            raise Unavailable("the exchange cannot be reached")
        return await call(method, *rest)

    rest.call = refuses_to_close  # type: ignore[method-assign]
    pressed = asyncio.create_task(managers.press())
    managers.show()
    assert isinstance(await pressed, Failed)
    managers.show()
    managers.desk.resume("first", "")
    managers.show()
    rest.call = call  # type: ignore[method-assign]
    managers.aim("40")
    await managers.until(lambda: managers.quantity() == 40.0)
    await asyncio.sleep(1.0)
    assert managers.quantity() == 40.0
