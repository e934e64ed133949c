"""The kill switch in the Binance API manager: has the trade manager close everything of actual accounts, and closes it on the
exchange itself when that does not answer or does not get it done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from atm.exchange.client.direct_clear import DirectClear
from atm.exchange.client.rest import FuturesClient
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import TRADE, Done, Failed, KillSwitch, Reply
from atm.model.errors import ATMError, Unavailable
from atm.model.live_request import PlaceOrder

log = logging.getLogger(__name__)

TRADE_PATIENCE_S = 2.0
"""How long the trade manager may take to say that it closes everything."""
TRADE_CLOSES_S = 5.0
"""How long it may take to have closed everything."""
TELL_AGAIN_S = 1.0
LOOK_S = 0.5


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
    ) -> None:
        self._assistant, self._clients, self._stored, self._spawn = assistant, clients, stored, spawn
        self._untold: set[str] = set()
        self._clearing: set[str] = set()
        assistant.answer(KillSwitch, self._on_kill)

    def holds(self, name: str, order: PlaceOrder) -> bool:
        """Whether an order must not be sent: any while the account is being cleared here; one that opens as long as the trade
        manager has not heard of the kill switch."""
        if name in self._clearing:
            return True
        opens = not order.intent.reduce_only and not order.intent.is_conditional
        return opens and not self._untold.isdisjoint((name, ""))

    def _on_kill(self, request: KillSwitch) -> Deferred:
        log.warning("kill switch: %s", request.account or "all accounts")
        self._untold.add(request.account)
        deferred = Deferred()
        self._spawn(self._kill(request.account, deferred))
        return deferred

    async def _kill(self, account: str, deferred: Deferred) -> None:
        reply = await self._tell(account)
        told = account not in self._untold
        if not told:
            self._spawn(self._keep_telling(account))
        known = {*self._clients.names(), *await self._stored_names()}
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
        try:
            clear = DirectClear(await self._clients.client(name))
            if told:
                await self._watch(clear)
            self._clearing.add(name)
            await clear.run()
        except ATMError as error:
            log.error("the account %s could not be cleared: %s", name, error)
            return f"{name}: {error}"
        finally:
            self._clearing.discard(name)
        return ""

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
