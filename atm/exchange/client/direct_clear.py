"""Clears an account on the exchange itself, whoever made its orders and positions: what the kill switch does when the trade manager
cannot. Nothing here is journalled; what is closed is found by the next comparison.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from atm.exchange.client import live_facts
from atm.exchange.client.live_calls import Call
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.model.account_facts import PositionSeen
from atm.model.errors import ATMError, Unavailable, Unknown

log = logging.getLogger(__name__)

ROUNDS = 10
"""How often it is looked whether everything is gone, and closed again what is not."""
LOOK_S = 0.5
"""Between two looks: positions follow the fills that closed them by a moment."""
PATIENCE_S = 10.0


class DirectClear:
    """Of the account of one client."""

    def __init__(self, rest: FuturesClient) -> None:
        self._rest = rest
        self._numbers = itertools.count()
        self._largest: dict[str, Decimal] = {}

    async def positions(self) -> list[PositionSeen]:
        """Those that are not flat. Raises ATMError."""
        rows = await self._ask(Call("GET", 3, "positionRisk"))
        return [seen for seen in map(live_facts.position, rows) if seen.amount]

    async def run(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Cancel orders, close positions by reduce-only orders at market, then cancel conditional orders, so that stops rest until
        there is nothing left to protect; until two looks in a row find nothing, or it is not wanted any more. Raises Unavailable
        with what is left."""
        looks, left = 0, ""
        for _ in range(ROUNDS):
            if not is_wanted():
                return
            try:
                left = await self._round()
            except ATMError as error:
                left = str(error)
                log.warning("clearing the account goes on after: %s", error)
            looks = 0 if left else looks + 1
            if looks == 2:
                return
            await asyncio.sleep(LOOK_S)
        raise Unavailable(f"not everything could be cancelled and closed: {left}")

    async def _round(self) -> str:
        """What there was to be done, in words; "" for nothing."""
        found: list[str] = []
        for order in await self._ask(Call("GET", 1, "openOrders")):
            found.append(f"order {order['orderId']} of {order['symbol']}")
            await self._try(Call("DELETE", 1, "order", {"symbol": order["symbol"], "orderId": str(order["orderId"])}))
        opened = await self.positions()
        for position in opened:
            found.append(f"position of {position.symbol}")
            await self._close(position)
        if not opened:
            for order in await self._ask(Call("GET", 1, "openAlgoOrders")):
                found.append(f"conditional order {order['algoId']} of {order['symbol']}")
                await self._try(Call("DELETE", 1, "algoOrder", {"algoId": str(order["algoId"])}))
        return ", ".join(found)

    async def _close(self, position: PositionSeen) -> None:
        if not self._largest:
            listed = await self._rest.exchange_info()
            self._largest = {each.symbol: Decimal(each.max_market_quantity) for each in listed}
        left, most = abs(position.amount), self._largest.get(position.symbol, abs(position.amount))
        while left:
            piece = min(left, most) if most else left
            left -= piece
            wanted = {
                "symbol": position.symbol, "side": "SELL" if position.amount > 0 else "BUY", "type": "MARKET",
                "quantity": format(piece, "f"), "reduceOnly": "true",
                "newClientOrderId": f"kill-{position.time_ms}-{next(self._numbers)}",
            }  # fmt: skip
            if not await self._try(Call("POST", 1, "order", wanted)):
                return

    async def _try(self, call: Call) -> bool:
        """False where the exchange refused it or may not have done it: the next look says what is left."""
        try:
            await self._ask(call)
        except Unavailable:
            raise
        except ATMError as error:
            log.info("%s %s while clearing: %s", call.method, call.path, error)
            return False
        return True

    async def _ask(self, call: Call) -> Any:
        """Looks as well have the reserve of orders: of all moments this is the one not to wait behind comparisons."""
        orders = RequestClass.ORDERS
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._rest.call(call.method, call.version, call.path, call.parameters, orders, math.inf)
        except TimeoutError:
            raise Unknown(f"no answer to {call.path} in time") from None
