"""The account side of the fault campaign: somebody who trades a little, and a mirror of the account that is kept from the user
stream and, whenever events may have been missed, from REST.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import Any

from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.user_stream import UserStream
from atm.model.errors import ATMError, Refused, Unknown
from atm.model.order import OrderTicket, OrderType, Side, TimeInForce

PERIOD_S = 60.0
RETRY_S = 1.0
TRADE_GAP_S = (8.0, 20.0)
QUERY_TRIES = 60
ENDED = frozenset(("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"))
AccountFacts = tuple[dict[str, float], dict[str, float], set[str]]
"""Wallet balances by asset, amounts of open positions by symbol, client ids of open orders."""


class AccountMirror:
    """Balances, positions and open orders as the client knows them."""

    def __init__(self, rest: FuturesClient, base: str) -> None:
        self._rest = rest
        self.wallets: dict[str, float] = {}
        self.positions: dict[str, float] = {}
        self.orders: set[str] = set()
        self.events = self.corrections = 0
        self._wanted = asyncio.Event()
        self._asking = False
        self.stream = UserStream(rest, base, self._take, self._wanted.set)
        self._task = asyncio.create_task(self._reconcile())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self.stream.close()

    def facts(self) -> AccountFacts:
        """What the client knows."""
        return dict(self.wallets), {symbol: amount for symbol, amount in self.positions.items() if amount}, self.orders

    @property
    def is_settled(self) -> bool:
        """Connected, and nothing remains to be asked."""
        return self.stream.connected and not self._wanted.is_set() and not self._asking

    def _take(self, event: dict[str, Any]) -> None:
        self.events += 1
        if event["e"] == "ACCOUNT_UPDATE":
            self.wallets |= {row["a"]: float(row["wb"]) for row in event["a"].get("B", ())}
            self.positions |= {row["s"]: float(row["pa"]) for row in event["a"].get("P", ())}
        elif event["e"] == "ORDER_TRADE_UPDATE":
            order = event["o"]
            if order["X"] in ENDED:
                self.orders.discard(order["c"])
            else:
                self.orders.add(order["c"])

    async def _reconcile(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._wanted.wait()
            doubtful = not self._wanted.is_set()
            self._wanted.clear()
            self._asking = True
            if not await self._asked(doubtful):
                self._wanted.set()
                await asyncio.sleep(RETRY_S)
            self._asking = False

    async def _asked(self, doubtful: bool) -> bool:
        """Take over what REST says, if no event has come meanwhile. doubtful: a difference speaks against the stream."""
        before = self.events
        try:
            wallets = {row.asset: row.balance for row in await self._rest.balance()}
            positions = {row.symbol: row.position_amt for row in await self._rest.position_risk() if row.position_amt}
            orders = {order.client_order_id for order in await self._rest.open_orders()}
        except ATMError:
            return False
        if self.events != before:
            return False
        if doubtful and (wallets, positions, orders) != self.facts():
            self.corrections += 1
            self.stream.doubt()
        self.wallets, self.positions, self.orders = wallets, positions, orders
        return True


class Trader:
    """Sends an order now and then; what became of one whose outcome is unknown is asked until it is known."""

    def __init__(
        self, rest: FuturesClient, symbols: tuple[str, ...], prices: Callable[[str], float], seed: int
    ) -> None:
        self._rest, self._symbols, self._prices = rest, symbols, prices
        self._draws = Random(seed)
        self.sent: dict[str, str] = {}
        """Client id to "done", "refused", "failed", "absent" or "unknown"."""
        self.is_stopped = False
        self._task = asyncio.create_task(self._trade())

    async def stop(self) -> None:
        """Send no more, and wait until the last one is known."""
        self.is_stopped = True
        await asyncio.wait((self._task,))

    async def _trade(self) -> None:
        number = 0
        while not self.is_stopped:
            await asyncio.sleep(self._draws.uniform(*TRADE_GAP_S))
            number += 1
            ticket = self._ticket(f"campaign-{number}")
            self.sent[ticket.client_order_id] = "unknown"
            self.sent[ticket.client_order_id] = await self._send(ticket)
            if ticket.type is OrderType.LIMIT and self._draws.random() < 0.5:
                await self._cancel(ticket)

    def _ticket(self, client_id: str) -> OrderTicket:
        symbol = self._symbols[self._draws.randrange(len(self._symbols))]
        side = Side.BUY if self._draws.random() < 0.5 else Side.SELL
        quantity = str(self._draws.randrange(10, 40))
        if self._draws.random() < 0.6:
            return OrderTicket(symbol, side, OrderType.MARKET, quantity, client_id)
        away = 0.97 if side is Side.BUY else 1.03
        price = f"{round(self._prices(symbol) * away, 2):.2f}"
        return OrderTicket(
            symbol, side, OrderType.LIMIT, quantity, client_id, price=price, time_in_force=TimeInForce.GTC
        )

    async def _send(self, ticket: OrderTicket) -> str:
        try:
            await self._rest.place(ticket)
            return "done"
        except Refused:
            return "refused"
        except Unknown:
            return await self._find_out(ticket)
        except ATMError:
            return "failed"

    async def _find_out(self, ticket: OrderTicket) -> str:
        """An order that is not there at the end of the tries may never have been."""
        for _ in range(QUERY_TRIES):
            await asyncio.sleep(RETRY_S)
            try:
                await self._rest.get_order(ticket.symbol, ticket.client_order_id)
                return "done"
            except ATMError:
                continue
        return "absent"

    async def _cancel(self, ticket: OrderTicket) -> None:
        with contextlib.suppress(ATMError):
            await self._rest.cancel_order(ticket.symbol, ticket.client_order_id)
