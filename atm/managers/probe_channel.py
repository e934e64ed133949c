"""Tries order types for the trade manager: sends what proves them without trading, in the low priority lane, one after another."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine

from atm.exchange.client import order_probe
from atm.exchange.client.live_calls import Call
from atm.exchange.client.order_probe import TAKEN
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import OrdersProbed, ProbeOrders
from atm.managers.income_channel import Clients
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.order_probe import Probe, ProbeOutcome, ProbeResult

PATIENCE_S = 10.0
"""How long one answer is waited for."""


class ProbeChannel:
    """spawn: runs a coroutine on the manager's loop."""

    def __init__(
        self, assistant: IPCAssistant, clients: Clients, spawn: Callable[[Coroutine[None, None, None]], None]
    ) -> None:
        self._clients, self._spawn = clients, spawn
        assistant.answer(ProbeOrders, self._on_probe)

    def _on_probe(self, request: ProbeOrders) -> Deferred:
        if request.account not in self._clients.names():
            raise Unavailable(f"the account {request.account} is not connected")
        deferred = Deferred()
        self._spawn(self._answer(request, deferred))
        return deferred

    async def _answer(self, request: ProbeOrders, deferred: Deferred) -> None:
        try:
            client = await self._clients.client(request.account)
            rules = await client.exchange_rules()
            results = [order_probe.listed(rules, target.symbol) for target in request.targets]
            for target in request.targets:
                for probe, call in order_probe.plan(target):
                    results.append(await self._try(client, target.symbol, probe, call))
        except ATMError as error:
            deferred.fail(error)
        except (AttributeError, TypeError) as error:
            deferred.fail(Unavailable(f"the exchange's rules cannot be read: {error}"))
        else:
            deferred.reply(OrdersProbed(tuple(results)))

    async def _try(self, client: FuturesClient, symbol: str, probe: Probe, call: Call) -> ProbeResult:
        try:
            await self._call(client, call)
        except Refused as refusal:
            return order_probe.judge(symbol, probe, refusal.code, refusal.message)
        except (ATMError, TimeoutError) as error:
            result = ProbeResult(symbol, probe, ProbeOutcome.UNKNOWN, str(error) or "no answer in time")
        else:
            result = order_probe.judge(symbol, probe, TAKEN, "")
        undo = order_probe.undo(probe)
        if undo is None or result.outcome is ProbeOutcome.HOLDS:
            return result
        return await self._undone(client, undo, result)

    async def _undone(self, client: FuturesClient, undo: Call, result: ProbeResult) -> ProbeResult:
        """Without the order that was taken, or may have been: a stop that is left behind keeps ours from being one."""
        try:
            await self._call(client, undo)
        except (ATMError, TimeoutError) as error:
            if isinstance(error, Refused) and error.code in order_probe.NOT_THERE:
                return result
            details = f"{result.details}, and could not be cancelled: {str(error) or 'no answer in time'}"
            return ProbeResult(result.symbol, result.probe, ProbeOutcome.BROKEN, details)
        return result

    @staticmethod
    async def _call(client: FuturesClient, call: Call) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await client.call(call.method, call.version, call.path, call.parameters, RequestClass.HISTORY, math.inf)
