"""What the Binance API manager does for the demo exchange's page: asks its control end point. Answers nothing elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine

import msgspec

from atm.exchange.client.clock import ExchangeClock
from atm.exchange.client.demo_control import control, control_faults
from atm.exchange.client.transport import wall_ms
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    ControlDemo,
    ControlFaults,
    DemoKeyMade,
    DemoUpdated,
    DescribeDemo,
    Done,
    FaultsTold,
    MakeDemoKey,
)
from atm.model.demo_state import DemoCommand, DemoKeyPair, DemoState
from atm.model.errors import ATMError
from atm.model.fault import FaultCommand

SHOWN_OF_KEY = 10
"""Characters."""

logger = logging.getLogger(__name__)

MOVED_S = 2.0
"""A market that is farther than it would have come by itself in so much more time was moved."""


def pace(state: DemoState) -> float:
    """Market time per real time; 0 while it is held."""
    return 0.0 if state.paused else state.speed


class DemoDesk:
    """spawn: runs a coroutine on the manager's loop; clock: of the client, told what a command has changed."""

    def __init__(
        self,
        assistant: IPCAssistant,
        rest: str,
        spawn: Callable[[Coroutine[None, None, None]], None],
        clock: ExchangeClock,
    ) -> None:
        self._assistant, self._rest, self._spawn, self._clock = assistant, rest, spawn, clock
        self._known: tuple[DemoState, float] | None = None
        assistant.answer(DescribeDemo, lambda _: self._ask(None))
        assistant.answer(ControlDemo, lambda request: self._ask(request.command))
        assistant.answer(ControlFaults, lambda request: self._ask_faults(request.command))
        assistant.answer(MakeDemoKey, lambda request: self._ask(DemoCommand(make_key=request.account)))

    def _ask_faults(self, command: FaultCommand) -> Deferred:
        answer = Deferred()
        self._spawn(self._answer_faults(command, answer))
        return answer

    async def _answer_faults(self, command: FaultCommand, answer: Deferred) -> None:
        try:
            report = await control_faults(self._rest, command if command != FaultCommand() else None)
        except ATMError as error:
            answer.fail(error)
        else:
            answer.reply(FaultsTold(report))

    async def look(self) -> None:
        """Learn and tell the state; what is no answer is left to the next look."""
        try:
            await self._carry_out(None)
        except ATMError as error:
            logger.info("the demo exchange does not tell its state: %s", error)

    def _ask(self, command: DemoCommand | None) -> Deferred:
        answer = Deferred()
        self._spawn(self._answer(command, answer))
        return answer

    async def _answer(self, command: DemoCommand | None, answer: Deferred) -> None:
        try:
            made = await self._carry_out(command)
        except ATMError as error:
            answer.fail(error)
        else:
            answer.reply(Done() if made is None else DemoKeyMade(made))

    def _is_changed(self, state: DemoState, now_ms: float) -> bool:
        """Whether somebody has changed the market since it was looked at last. A mere look tells the client nothing: what it would
        have to find out by itself (a clock that is off by a fault, say) must not depend on who watches."""
        if self._known is None:
            return False
        before, then_ms = self._known
        expected_ms = before.market_ms + (now_ms - then_ms) * pace(before)
        moved = abs(state.market_ms - expected_ms) > MOVED_S * 1000 * max(1.0, pace(before))
        return moved or pace(state) != pace(before)

    async def _carry_out(self, command: DemoCommand | None) -> DemoKeyPair | None:
        state, made = await control(self._rest, command)
        now_ms = wall_ms()
        if self._is_changed(state, now_ms):
            self._clock.tell(now_ms, float(state.market_ms), pace(state))
        self._known = state, now_ms
        self._assistant.publish(DemoUpdated(_without_keys(state), int(now_ms), self._rest))
        return made


def _without_keys(state: DemoState) -> DemoState:
    """Keys are known again by their beginnings; whoever reads the queues does not get them."""
    accounts = tuple(
        msgspec.structs.replace(account, keys=tuple(map(shortened, account.keys))) for account in state.accounts
    )
    return msgspec.structs.replace(state, accounts=accounts)


def shortened(key: str) -> str:
    """The beginning of an API key; the short one that everybody knows as it is."""
    return key if len(key) <= SHOWN_OF_KEY else f"{key[:SHOWN_OF_KEY]}…"
