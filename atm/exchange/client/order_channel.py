"""Carries out what the core of live trading asks: calls of the REST interface, each answered once, whatever happens."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

from atm.exchange.client import live_calls
from atm.exchange.client.live_calls import Call
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.model.errors import ATMError, Unavailable, Unknown
from atm.model.live_request import Answer, CancelOrder, FindOrder, LiveRequest, PlaceOrder, QueryOrder

log = logging.getLogger(__name__)

_OF_ORDERS = (PlaceOrder, CancelOrder, QueryOrder, FindOrder)


class OrderChannel:
    """The account of one client."""

    def __init__(self, rest: FuturesClient) -> None:
        self._rest = rest

    def now_ms(self) -> int:
        """The exchange's clock."""
        return int(self._rest.clock.now_ms(self._rest.wall_ms()))

    async def carry_out(self, number: int, request: LiveRequest) -> Answer:
        """The answer, a failure included; raises nothing of the ATMError family."""
        asked_ms, documents = self.now_ms(), []
        kind = RequestClass.ORDERS if isinstance(request, _OF_ORDERS) else RequestClass.ACCOUNT
        send_before_ms = request.send_before_ms if isinstance(request, PlaceOrder) else math.inf
        try:
            for call in live_calls.calls(request):
                documents.append(await self._call(call, kind, send_before_ms))
            return live_calls.answer(request, number, asked_ms, self.now_ms(), documents)
        except ATMError as error:
            return live_calls.failed(request, number, asked_ms, error)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            log.warning("an answer to %s cannot be read: %s", type(request).__name__, error)
            return live_calls.failed(request, number, asked_ms, Unknown("the answer cannot be read"))

    async def _call(self, call: Call, kind: RequestClass, send_before_ms: float) -> Any:
        """One call; a query again where it does no harm. Raises ATMError."""
        for left in reversed(range(call.tries)):
            try:
                async with asyncio.timeout(call.patience_ms / 1000):
                    return await self._rest.call(
                        call.method, call.version, call.path, call.parameters, kind, send_before_ms
                    )  # fmt: skip
            except TimeoutError:
                if call.places:
                    raise Unknown("no answer in time: the order may exist") from None
                if not left:
                    raise Unavailable("no answer in time") from None
            except Unavailable:
                if not left:
                    raise
        raise Unavailable("no answer")
