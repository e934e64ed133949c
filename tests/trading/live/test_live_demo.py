"""A live account against the demo exchange over real sockets: order channel, user stream, driver and journal together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from atm.exchange.client.live_facts import user_event
from atm.exchange.client.order_channel import OrderChannel
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.client.user_stream import UserStream
from atm.model.endpoint import Addresses
from atm.model.journal import JournalEntry, Target
from atm.model.live_order import OrderState
from atm.model.live_request import FailureKind, LiveRequest, PlaceOrder, QueryOrder, TakeSnapshot
from atm.model.risk import LiveSetup, SymbolSetup
from atm.trading.live.desk import Step
from atm.trading.live.journal_fold import restored
from atm.trading.live.live_account import LiveAccount
from tests.exchange.client.test_client_demo import demo
from tests.trading.live.test_order_machine import INTENT

X = "FILUSDT"
SETUP = LiveSetup({X: SymbolSetup(5, isolated=True)}, stop_distance=0.2)


class Shell:
    """The least that carries out steps."""

    def __init__(self, rest: FuturesClient, addresses: Addresses, entries: list[JournalEntry]) -> None:
        self._rest, self.channel, self.entries = rest, OrderChannel(rest), entries
        self._stream: UserStream | None = None
        self._base = addresses.stream
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.account: LiveAccount

    async def begin(self) -> None:
        await self._rest.synchronise()
        instruments = {each.symbol: each for each in await self._rest.exchange_info()}
        self.account = LiveAccount("main", SETUP, instruments, restored(self.entries))
        self.do(self.account.start(self.channel.now_ms()))
        self._stream = UserStream(self._rest, self._base, self._heard, self._renewed)
        self._spawn(self._tick())

    async def end(self) -> None:
        if self._stream is not None:
            await self._stream.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def do(self, step: Step) -> None:
        self.entries += step.entries
        for number, request in step.requests:
            self._spawn(self._carry_out(number, request))
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def _spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, number: int, request: LiveRequest) -> None:
        answer = await self.channel.carry_out(number, request)
        self.do(self.account.answered(answer, self.channel.now_ms()))

    async def _tick(self) -> None:
        while True:
            self.account.priced(X, Decimal("3.001"), Decimal("3.001"), self.channel.now_ms())
            self.do(self.account.tick(self.channel.now_ms()))
            await asyncio.sleep(0.1)

    def _heard(self, event: dict[str, Any]) -> None:
        self.do(self.account.learned(user_event(event), self.channel.now_ms()))

    def _renewed(self) -> None:
        self.do(self.account.reconnected(self.channel.now_ms()))

    # --- what is looked at --------------------------------------------------------------------------------

    def aim(self, quantity: str) -> None:
        now_ms = self.channel.now_ms()
        self.do(self.account.aim(Target(X, Decimal(quantity), now_ms), now_ms))

    def holds(self, quantity: str, stops: int) -> bool:
        state = self.account.state
        live = [order for order in state.orders.values() if not order.is_final]
        resting = [order for order in live if order.intent.is_conditional and order.rests]
        book = state.books.get(X)
        amount = Decimal(0) if book is None else book.own
        complete = all(order.is_complete for order in state.orders.values() if order.is_final)
        return amount == Decimal(quantity) and len(live) == len(resting) == stops and complete


@pytest.fixture
async def served() -> AsyncIterator[Addresses]:
    async with demo(speed=1) as addresses:
        yield addresses


@asynccontextmanager
async def shell(addresses: Addresses, entries: list[JournalEntry]) -> AsyncIterator[Shell]:
    async with FuturesClient(addresses, Credentials("demo", "demo")) as rest:
        made = Shell(rest, addresses, entries)
        await made.begin()
        try:
            yield made
        finally:
            await made.end()


async def test_targets_become_positions_with_stops_and_survive_a_restart(served: Addresses) -> None:
    entries: list[JournalEntry] = []
    async with shell(served, entries) as first:
        first.aim("100")
        await first.until(lambda: first.holds("100", 1))
        first.aim("-40")
        await first.until(lambda: first.holds("-40", 1))
    async with shell(served, entries) as second:
        await second.until(lambda: second.account.is_ready)
        await second.until(lambda: second.holds("-40", 1))
        settings = {each.symbol: each for each in (await _snapshot(second)).settings}
        assert (settings[X].leverage, settings[X].isolated) == (5, True)
        second.aim("0")
        await second.until(lambda: second.holds("0", 0))
        (position,) = [each for each in (await _snapshot(second)).positions if each.symbol == X] or [None]
        assert position is None or position.amount == 0
    states = {order.state for order in restored(entries).orders.values()}
    assert states <= {OrderState.FILLED, OrderState.EXPIRED, OrderState.CANCELED}


async def _snapshot(shell: Shell):
    answer = await shell.channel.carry_out(10_000, TakeSnapshot((X,), 0))
    assert answer.snapshot is not None
    assert answer.snapshot.trades
    return answer.snapshot


async def test_an_order_that_waited_too_long_is_not_sent(served: Addresses) -> None:
    async with FuturesClient(served, Credentials("demo", "demo")) as rest:
        await rest.synchronise()
        channel = OrderChannel(rest)
        answer = await channel.carry_out(1, PlaceOrder(INTENT, channel.now_ms() - 1))
        assert answer.failure is not None
        assert answer.failure.kind is FailureKind.NOT_DONE
        answer = await channel.carry_out(2, QueryOrder(X, INTENT.client_id, False))
        assert answer.failure is not None
        assert answer.failure.kind is FailureKind.NOT_FOUND
