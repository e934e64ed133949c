"""The kill switch in the Binance API manager: has the trade manager close everything of actual accounts, and closes it on the
exchange itself when that does not answer or does not get it done. What it cannot close it goes on closing, ever more slowly, until the
account is flat or the user lets it trade again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from atm.exchange.client.direct_clear import DirectClear
from atm.exchange.client.rest import FuturesClient
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import TRADE, AccountUpdated, Done, Failed, KillSwitch, NoticeRaised, Reply
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.journal import KILLED, WHOLE_ACCOUNT
from atm.model.live_request import PlaceOrder
from atm.model.notice import Notice, Severity
from atm.trading.live.order_machine import SEND_PATIENCE_MS

log = logging.getLogger(__name__)

TRADE_PATIENCE_S = 2.0
"""How long the trade manager may take to say that it closes everything."""
TRADE_CLOSES_S = 5.0
"""How long it may take to have closed everything."""
LEFT_BEHIND_S = SEND_PATIENCE_MS / 1000 + 0.5
"""How long an order that a trade manager which has died had sent off may wait for the rate limits, and go out after all."""
TELL_AGAIN_S = 1.0
LOOK_S = 0.5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0
"""Before the account is cleared again; in between the trade manager may close and protect, but not open."""
ALARM_EVERY_S = 300.0


class Clients(Protocol):
    """Who has the clients of actual accounts."""

    def names(self) -> Iterable[str]:
        """Accounts that are connected."""

    async def client(self, name: str) -> FuturesClient:
        """That of an account, connected or not. Raises ATMError."""


class KillDesk:
    """stored(): names of the actual accounts in the store, whether they are connected or not."""

    def __init__(
        self,
        assistant: IPCAssistant,
        clients: Clients,
        stored: Callable[[], Iterable[str]],
        spawn: Callable[[Coroutine[None, None, None]], None],
        wall_ms: Callable[[], int],
    ) -> None:
        self._assistant, self._clients, self._stored, self._spawn = assistant, clients, stored, spawn
        self._wall_ms = wall_ms
        self._untold: set[str] = set()
        self._clearing: set[str] = set()
        self._wanted: set[str] = set()
        self._halted: set[str] = set()
        self._going_on: set[str] = set()
        assistant.answer(KillSwitch, self._on_kill)
        assistant.subscribe(AccountUpdated, self._on_account, keys=())

    def holds(self, name: str, order: PlaceOrder) -> bool:
        """Whether an order must not be sent: any while the account is being cleared here; one that opens as long as it is not clear, or the
        trade manager has not heard of the kill switch."""
        if name in self._clearing:
            return True
        opens = not order.intent.reduce_only and not order.intent.is_conditional
        return opens and (name in self._wanted or not self._untold.isdisjoint((name, "")))

    def _on_account(self, event: AccountUpdated) -> None:
        """Whether the trade manager still holds an account halted: the user may let it trade again before it is clear."""
        name = event.snapshot.name
        is_halted = any(halt.scope == WHOLE_ACCOUNT and halt.reason == KILLED for halt in event.snapshot.halts)
        if is_halted and not event.removed:
            self._halted.add(name)
        elif name in self._halted:
            self._halted.discard(name)
            self._wanted.discard(name)

    def _on_kill(self, request: KillSwitch) -> Deferred:
        log.warning("kill switch: %s", request.account or "all accounts")
        self._untold.add(request.account)
        deferred = Deferred()
        self._spawn(self._kill(request.account, deferred))
        return deferred

    async def _kill(self, account: str, deferred: Deferred) -> None:
        listed = {*self._clients.names(), *await self._stored_names()}
        self._assistant.subscribe(AccountUpdated, _listening, keys=sorted(listed))
        reply = await self._tell(account)
        told = account not in self._untold
        if not told:
            self._spawn(self._keep_telling(account))
        known = {*self._clients.names(), *listed}
        names = sorted(known if not account else known & {account})
        if not names and isinstance(reply, Failed) and reply.kind == "Invalid":
            deferred.reply(reply)
            return
        left = [line for line in await asyncio.gather(*(self._clear(name, told) for name in names)) if line]
        if left:
            deferred.fail(Unavailable("; ".join(left)))
        else:
            deferred.reply(Done())

    async def _stored_names(self) -> Iterable[str]:
        try:
            return await asyncio.to_thread(self._stored)
        except ATMError as error:
            log.error("the stored accounts cannot be read: %s", error)
            return ()

    async def _clear(self, name: str, told: bool) -> str:
        """What went wrong, "" for nothing. Whatever the trade manager does, in the end orders of others are cancelled as well."""
        self._wanted.add(name)
        wrong = await self._run(name, watched=told)
        if not wrong and not told and name in self._wanted:
            await asyncio.sleep(LEFT_BEHIND_S)
            wrong = await self._run(name, watched=False)
        if not wrong:
            self._wanted.discard(name)
        elif name in self._wanted and name not in self._going_on:
            self._going_on.add(name)
            self._spawn(self._go_on(name, wrong))
        return f"{name}: {wrong}" if wrong else ""

    async def _run(self, name: str, *, watched: bool) -> str:
        """Clear an account; watched: after the trade manager had its time. What went wrong, "" for nothing."""
        try:
            clear = DirectClear(await self._clients.client(name))
        except ATMError as error:
            if isinstance(error, Refused):  # without keys there is nothing to try again
                self._wanted.discard(name)
            return str(error)
        try:
            if watched:
                await self._watch(clear)
            self._clearing.add(name)
            await clear.run(lambda: name in self._wanted)
        except ATMError as error:
            log.error("the account %s could not be cleared: %s", name, error)
            return str(error)
        finally:
            self._clearing.discard(name)
        return ""

    async def _go_on(self, name: str, wrong: str) -> None:
        """Clear an account that could not be cleared, again and again, with an alarm that comes again."""
        pause_s, told_s = FIRST_PAUSE_S, math.inf
        while name in self._wanted:
            if told_s >= ALARM_EVERY_S:
                self._notify(Severity.CRITICAL, "notice.not_cleared", name, reason=wrong)
                told_s = 0.0
            await asyncio.sleep(pause_s)
            told_s, pause_s = told_s + pause_s, min(2 * pause_s, LONGEST_PAUSE_S)
            if name in self._wanted:
                wrong = await self._run(name, watched=False)
                if not wrong and name in self._wanted:
                    self._wanted.discard(name)
                    self._notify(Severity.WARNING, "notice.cleared", name)
        self._going_on.discard(name)

    def _notify(self, severity: Severity, text: str, name: str, **parameters: str) -> None:
        notice = Notice(self._wall_ms(), self._assistant.name, severity, text, {"account": name, **parameters}, name)
        self._assistant.publish(NoticeRaised(notice))

    @staticmethod
    async def _watch(clear: DirectClear) -> None:
        """Let the trade manager close the positions."""
        for _ in range(int(TRADE_CLOSES_S / LOOK_S)):
            try:
                if not await clear.positions():
                    return
            except ATMError as error:
                log.info("positions are not known while they are being closed: %s", error)
            await asyncio.sleep(LOOK_S)

    # --- the trade manager ------------------------------------------------------------------------------------

    async def _tell(self, account: str) -> Reply:
        """What the trade manager says; untold no more once it has taken it over, or knows no such account."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def take(reply: Reply) -> None:
            if not answered.done():
                answered.set_result(reply)

        self._assistant.request_async(TRADE, KillSwitch(account), take, timeout=TRADE_PATIENCE_S)
        reply = await answered
        if isinstance(reply, Failed):
            log.warning("the trade manager does not take the kill switch: %s", reply.message)
        if not isinstance(reply, Failed) or reply.kind == "Invalid":
            self._untold.discard(account)
        return reply

    async def _keep_telling(self, account: str) -> None:
        """Until it has journalled that nothing is opened any more."""
        while account in self._untold:
            await asyncio.sleep(TELL_AGAIN_S)
            await self._tell(account)


def _listening(_: AccountUpdated) -> None:
    """Only widens the subscription; the handler is that of the first one."""
