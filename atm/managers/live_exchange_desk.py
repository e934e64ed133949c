"""What the Binance API manager does for actual accounts: a client and a user stream each, requests carried out, events handed on."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import msgspec

from atm.exchange.client.demo_control import control
from atm.exchange.client.live_facts import read_event
from atm.exchange.client.order_channel import OrderChannel
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.client.user_stream import UserStream
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    CarriedOut,
    CarryOut,
    CloseLiveAccount,
    Done,
    LiveClock,
    LiveHeard,
    LiveMissed,
    OpenLiveAccount,
    Reply,
)
from atm.managers.kill_desk import KillDesk
from atm.model.demo_state import DemoCommand
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.live_request import Answer, Failure, FailureKind, PlaceOrder

log = logging.getLogger(__name__)

CLOCK_S = 1.0
REQUESTS_A_TURN = 4


class _Connected(msgspec.Struct):
    rest: FuturesClient
    channel: OrderChannel
    stream: UserStream


class LiveExchangeDesk:
    """spawn: runs a coroutine on the manager's loop; market: the client of market data, whose clock and rate budget all share;
    stored(): names of the actual accounts in the store; activated(account): keys of an account, None where it was never activated; raises
    Refused."""

    def __init__(
        self,
        assistant: IPCAssistant,
        endpoint: Endpoint,
        addresses: Addresses,
        market: FuturesClient,
        spawn: Callable[[Coroutine[None, None, None]], None],
        stored: Callable[[], Iterable[str]] = tuple,
        activated: Callable[[str], Credentials | None] = lambda _: None,
        closing: Callable[[str], Credentials | None] | None = None,
    ) -> None:
        self._activated, self._closing = activated, closing or activated
        self._renewals: dict[str, int] = {}
        self._assistant, self._endpoint, self._addresses = assistant, endpoint, addresses
        self._market, self._spawn = market, spawn
        self._accounts: dict[str, _Connected] = {}
        self._opening: dict[str, list[Deferred]] = {}
        self._ticking = False
        self._spare: dict[str, FuturesClient] = {}
        self._waiting: deque[Coroutine[None, None, None]] = deque()
        self._kill = KillDesk(assistant, self, stored, spawn, lambda: int(market.wall_ms()))
        assistant.answer(OpenLiveAccount, self._on_open)
        assistant.answer(CloseLiveAccount, self._on_close)
        assistant.answer(CarryOut, self._on_carry_out)

    async def close(self) -> None:
        """Disconnect all; what has not begun is not begun any more."""
        while self._waiting:
            self._waiting.popleft().close()
        for name in list(self._accounts):
            await self._disconnect(name)
        for rest in self._spare.values():
            await rest.close()
        self._spare.clear()

    def names(self) -> Iterable[str]:
        """Accounts that are connected."""
        return tuple(self._accounts)

    async def client(self, name: str) -> FuturesClient:
        """That of an account; one without a user stream where the account is not connected. Raises ATMError."""
        if name in self._accounts:
            return self._accounts[name].rest
        if name not in self._spare:
            self._spare[name] = await self._make_client(name, self._closing)
        return self._spare[name]

    # --- connecting -------------------------------------------------------------------------------------------

    def _on_open(self, request: OpenLiveAccount) -> Reply | Deferred:
        if request.account in self._accounts:
            # Whoever asks again has begun anew and knows nothing.
            self._assistant.publish(LiveMissed(request.account), key=request.account)
            return Done()
        deferred = Deferred()
        waiting = self._opening.setdefault(request.account, [])
        waiting.append(deferred)
        if len(waiting) == 1:
            self._spawn(self._connect(request.account))
        return deferred

    async def _connect(self, name: str) -> None:
        try:
            rest = await self._make_client(name, self._activated)
        except ATMError as error:
            for deferred in self._opening.pop(name):
                deferred.fail(error)
            return
        missed = partial(self._assistant.publish, LiveMissed(name), key=name)
        stream = UserStream(rest, self._addresses.stream, partial(self._heard, name), missed)
        self._accounts[name] = _Connected(rest, OrderChannel(rest), stream)
        for deferred in self._opening.pop(name):
            deferred.reply(Done())
        if not self._ticking:
            self._ticking = True
            self._spawn(self._tell_time())

    async def _make_client(self, name: str, keys: Callable[[str], Credentials | None]) -> FuturesClient:
        """Signs with the newest keys: never with those that `renew` has made old meanwhile."""
        while True:
            renewal = self._renewals.get(name, 0)
            credentials = await self._credentials(name, keys)
            if self._market.clock.samples == 0:
                await self._market.synchronise()
            if renewal == self._renewals.get(name, 0):
                return FuturesClient(self._addresses, credentials, shared=self._market)

    async def _credentials(self, name: str, keys: Callable[[str], Credentials | None]) -> Credentials:
        """Keys of an account. On the demo exchange one that was never activated gets an account and a pair of its own. Raises
        ATMError."""
        activated = keys(name)
        if activated is not None:
            return activated
        if self._endpoint is not Endpoint.DEMO:
            raise Refused(f"the account {name} has no API key: activate it on the Accounts page")
        _, pair = await control(self._addresses.rest, DemoCommand(make_key=name))
        if pair is None:
            raise Unavailable("the demo exchange has made no key")
        return Credentials(pair.key, pair.secret)

    def _on_close(self, request: CloseLiveAccount) -> Reply:
        self._spawn(self._disconnect(request.account))
        return Done()

    def renew(self, name: str) -> None:
        """Other keys count from now on, or none: what is connected by the old ones is given up at once."""
        self._renewals[name] = self._renewals.get(name, 0) + 1
        connected = self._accounts.pop(name, None)
        if connected is not None:
            self._spawn(self._hang_up(connected))
        spare = self._spare.pop(name, None)
        if spare is not None:
            self._spawn(spare.close())

    async def _disconnect(self, name: str) -> None:
        connected = self._accounts.pop(name, None)
        if connected is not None:
            await self._hang_up(connected)

    @staticmethod
    async def _hang_up(connected: _Connected) -> None:
        await connected.stream.close()
        await connected.rest.close()

    # --- in between -------------------------------------------------------------------------------------------

    def _heard(self, name: str, event: dict[str, Any]) -> None:
        facts = read_event(event)
        if facts is None:
            log.warning("an event of the user stream of %s cannot be read: %s", name, event.get("e"))
            self._assistant.publish(LiveMissed(name), key=name)
        elif facts:
            self._assistant.publish(LiveHeard(name, facts), key=name)

    def _on_carry_out(self, request: CarryOut) -> Reply | Deferred:
        connected = self._accounts.get(request.account)
        if connected is None:
            raise Unavailable(f"the account {request.account} is not connected")
        wanted = request.request
        if isinstance(wanted, PlaceOrder) and self._kill.holds(request.account, wanted):
            reason = "the kill switch was pressed"
            return CarriedOut(Answer(request.number, 0, failure=Failure(FailureKind.NOT_DONE, reason=reason)))
        deferred = Deferred()
        self._waiting.append(self._carry_out(connected.channel, request, deferred))
        if len(self._waiting) == 1:
            self._spawn(self._let_in())
        return deferred

    async def _let_in(self) -> None:
        """Begin few requests a turn of the loop: those of a minute come together, and the first is not to wait on the wire for the last
        to be signed."""
        while self._waiting:
            for _ in range(min(REQUESTS_A_TURN, len(self._waiting))):
                self._spawn(self._waiting.popleft())
            await asyncio.sleep(0)

    @staticmethod
    async def _carry_out(channel: OrderChannel, request: CarryOut, deferred: Deferred) -> None:
        deferred.reply(CarriedOut(await channel.carry_out(request.number, request.request)))

    async def _tell_time(self) -> None:
        while True:
            clock = self._market.clock
            now_ms = int(clock.now_ms(self._market.wall_ms()))
            self._assistant.publish(LiveClock(now_ms, clock.rate))
            await asyncio.sleep(CLOCK_S)
