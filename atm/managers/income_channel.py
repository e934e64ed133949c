"""Reads for the trade manager what the exchange has booked on an account's wallets: in the low priority lane, behind orders, account
queries and repairs of the market's data."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from atm.exchange.client import income_calls
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import AccountIncome, ReadAccountIncome
from atm.model.errors import ATMError, Unavailable
from atm.model.income import ReadPage

log = logging.getLogger(__name__)

PATIENCE_S = 90.0
"""How long one question may take, waiting for the rate budget included."""


class Clients(Protocol):
    """Who has the keys."""

    def names(self) -> Iterable[str]:
        """Accounts that are connected."""

    async def client(self, name: str) -> FuturesClient:
        """That of an account. Raises ATMError."""


class IncomeChannel:
    """spawn: runs a coroutine on the manager's loop."""

    def __init__(
        self, assistant: IPCAssistant, clients: Clients, spawn: Callable[[Coroutine[None, None, None]], None]
    ) -> None:
        self._clients, self._spawn = clients, spawn
        assistant.answer(ReadAccountIncome, self._on_read)

    def _on_read(self, request: ReadAccountIncome) -> Deferred:
        if request.account not in self._clients.names():
            raise Unavailable(f"the account {request.account} is not connected")
        deferred = Deferred()
        self._spawn(self._answer(request, deferred))
        return deferred

    async def _answer(self, request: ReadAccountIncome, deferred: Deferred) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reply = await self._read(request)
        except ATMError as error:
            deferred.fail(error)
        except TimeoutError:
            deferred.fail(Unavailable("no answer in time"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("an answer about the income of %s cannot be read: %r", request.account, error)
            deferred.fail(Unavailable("the answer cannot be read"))
        else:
            deferred.reply(reply)

    async def _read(self, request: ReadAccountIncome) -> AccountIncome:
        client, question = await self._clients.client(request.account), request.question
        call = income_calls.call(question)
        document = await client.call(
            call.method, call.version, call.path, call.parameters, RequestClass.HISTORY, math.inf
        )
        if isinstance(question, ReadPage):
            return AccountIncome(records=income_calls.records(document))
        return AccountIncome(wallets=income_calls.wallets(document))
