"""Keeps the planned stream connections alive: reconnects, renews before the exchange cuts, follows the plan.

Reconnection waits 0.25 s to 30 s, exponential with full jitter, without end. A renewal opens the new socket first and
closes the old one when each stream has delivered on the new one or 30 s have passed; the reduction drops duplicates.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set

import msgspec

from atm.exchange.client.connection import FrameSink, StreamSocket, open_socket
from atm.exchange.client.handshake_pace import HandshakePace
from atm.exchange.client.stream_plan import ROUTES, Connection, replan
from atm.exchange.client.stream_watch import StreamWatch

logger = logging.getLogger(__name__)

LOST_WINDOW_S = 5.0
LOST_DEGRADED = 3


class StreamTimes(msgspec.Struct, frozen=True):
    """Seconds. Binance cuts every connection after 24 h.

    silence: of a whole connection; check: single streams are looked at so often; stagger: between two connections that are
    opened; renewal_retry: after a renewal for which no socket could be had; longest_silent_wait: between sockets that open
    and then say nothing.
    """

    silence: float = 10.0
    check: float = 5.0
    stagger: float = 0.1
    renewal: float = 23 * 3_600.0
    renewal_jitter: float = 1_800.0
    renewal_retry: float = 60.0
    overlap: float = 30.0
    first_wait: float = 0.25
    longest_wait: float = 30.0
    longest_silent_wait: float = 5.0


def reconnect_wait(attempt: int, times: StreamTimes, draw: float) -> float:
    """Seconds before attempt number `attempt` (0 first): full jitter, `draw` uniform in [0, 1)."""
    return float(draw * min(times.longest_wait, times.first_wait * 2.0 ** min(attempt, 20)))


class _Runner:
    """One planned connection over its sockets' lives."""

    def __init__(self, supervisor: StreamSupervisor, plan: Connection) -> None:
        self.plan = plan
        self.connected = False
        self.reason = "connecting"
        self._supervisor = supervisor
        self._changed = asyncio.Event()
        self._renew = asyncio.Event()
        self._hurried = asyncio.Event()
        self._watch = StreamWatch(plan.streams, asyncio.get_running_loop().time())
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nothing should end a runner but its cancellation; a defect must not leave its streams dead."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("stream connection %d failed", self.plan.number, exc_info=error)
            self.connected, self.reason = False, f"{type(error).__name__} in the program"
            asyncio.get_running_loop().call_later(self._supervisor.times.longest_wait, self._supervisor.restart, self)

    def follow(self, plan: Connection) -> None:
        self.plan = plan
        self._watch.follow(plan.streams, asyncio.get_running_loop().time())
        self._changed.set()

    def hurry(self) -> None:
        """Do not wait any longer before the next try."""
        self._hurried.set()

    async def _run(self) -> None:
        times, attempt = self._supervisor.times, 0
        while True:
            outcome = await self._open()
            longest = times.longest_wait
            if isinstance(outcome, StreamSocket):
                reason, delivered = await self._attend(outcome)
                attempt = 0 if delivered else attempt + 1
                longest = times.longest_silent_wait
            else:
                reason, attempt = outcome, attempt + 1
            was_connected, self.connected, self.reason = self.connected, False, reason
            self._supervisor.lost(self, was_connected)
            wait = min(reconnect_wait(attempt, times, self._supervisor.draw()), longest)
            if await self._hurried_within(wait):
                attempt = 0

    async def _hurried_within(self, seconds: float) -> bool:
        self._hurried.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return False
        return True

    async def _open(self) -> StreamSocket | str:
        supervisor = self._supervisor
        await supervisor.admitted()
        return await open_socket(
            supervisor.base, self.plan.route, supervisor.sink, supervisor.times.silence, self._watch, supervisor.is_held
        )

    async def _attend(self, socket: StreamSocket) -> tuple[str, bool]:
        """Follow one socket and those that relieve it; (why the last one ended, whether it ever delivered)."""
        self.connected, self.reason = True, ""
        self._supervisor.opened(self)
        held = [socket]
        due = self._next_renewal()
        loop = asyncio.get_running_loop()
        try:
            while not socket.closed.done():
                await self._wait(socket, min(max(0.0, due - loop.time()), self._supervisor.times.check))
                if socket.closed.done():
                    break
                if self._changed.is_set():
                    self._changed.clear()
                    await socket.follow(self.plan.streams)
                await self._revive(socket)
                if self._renew.is_set() or loop.time() >= due:
                    self._renew.clear()
                    held.append(await self._relieve(socket))
                    due = loop.time() + self._supervisor.times.renewal_retry
                    if held[-1] is not socket:
                        due = self._next_renewal()
                        self._changed.set()  # the plan may have changed while it was being opened
                        await socket.close()
                        self._supervisor.renewals += 1
                    socket = held[-1]
                    held = [socket]
            return socket.end_reason(), socket.messages > 0
        finally:
            for entry in held:
                await entry.close()

    async def _revive(self, socket: StreamSocket) -> None:
        """Streams that are silent on a living socket are asked for anew; where that did not help, a new socket is."""
        now_s = asyncio.get_running_loop().time()
        if self._supervisor.is_held():
            self._watch.opened(now_s)
        silent = self._watch.silent(now_s)
        if not silent:
            return
        some = ", ".join(sorted(silent)[:3])
        logger.warning("%d streams of connection %d are silent: %s", len(silent), self.plan.number, some)
        if 2 in silent.values():
            self._renew.set()
        else:
            await socket.resubscribe(silent)

    def _next_renewal(self) -> float:
        times = self._supervisor.times
        return asyncio.get_running_loop().time() + times.renewal - times.renewal_jitter * self._supervisor.draw()

    async def _wait(self, socket: StreamSocket, seconds: float) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._changed, self._renew)]
        try:
            await asyncio.wait((socket.closed, *waits), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _relieve(self, old: StreamSocket) -> StreamSocket:
        """Make before break. If no new socket can be had, the old one stays until the next try."""
        new = await self._open()
        if not isinstance(new, StreamSocket):
            logger.warning("renewal of stream connection %d failed: %s", self.plan.number, new)
            return old
        delivered = asyncio.create_task(new.all_delivered.wait())
        relieved = False
        try:
            await asyncio.wait(
                (delivered, new.closed), timeout=self._supervisor.times.overlap, return_when=asyncio.FIRST_COMPLETED
            )
            relieved = not new.closed.done()
        finally:
            delivered.cancel()
            if not relieved:
                await new.close()
        return new if relieved else old


class StreamSupervisor:
    """All stream connections. `on_change(restored)` is called when a connection was opened, lost or renewed.

    base: e.g. wss://fstream.binance.com; sink takes every frame with its time of arrival and returns its stream name; is_held:
    whether the market stands still, so that silence says nothing; pace: of all connections of this address, where others open
    some too.
    """

    def __init__(
        self,
        base: str,
        sink: FrameSink,
        on_change: Callable[[Connection, bool], None],
        times: StreamTimes | None = None,
        draw: Callable[[], float] = random.random,
        routes: Mapping[str, tuple[str, ...]] = ROUTES,
        is_held: Callable[[], bool] = lambda: False,
        pace: HandshakePace | None = None,
    ) -> None:
        self.base = base
        self._routes = routes
        self.sink = sink
        self.times = times or StreamTimes()
        self.draw = draw
        self.reconnects = 0
        self.renewals = 0
        self.is_held = is_held
        self.pace = pace or HandshakePace(self.times.stagger)
        self._on_change = on_change
        self._runners: dict[int, _Runner] = {}
        self._lost_s: deque[float] = deque(maxlen=LOST_DEGRADED + 1)

    @property
    def planned(self) -> tuple[Connection, ...]:
        return tuple(runner.plan for runner in self._runners.values())

    @property
    def streams(self) -> int:
        return sum(len(plan.streams) for plan in self.planned)

    @property
    def connected(self) -> int:
        """How many of the planned connections stand."""
        return sum(runner.connected for runner in self._runners.values())

    @property
    def reason(self) -> str:
        """Why a connection is missing, "" when none is."""
        return next((runner.reason for runner in self._runners.values() if not runner.connected), "")

    def shaken(self, now_s: float) -> bool:
        """More than three sockets were lost within 5 s."""
        return len(self._lost_s) > LOST_DEGRADED and now_s - self._lost_s[0] <= LOST_WINDOW_S

    async def collect(self, symbols: Iterable[str], without_books: Set[str] = frozenset()) -> None:
        """Stream exactly these symbols from now on, some of them without their books."""
        planned = replan(self.planned, symbols, routes=self._routes, without_books=without_books)
        plans = {plan.number: plan for plan in planned}
        await self._end([self._runners.pop(number) for number in self._runners.keys() - plans.keys()])
        for number, plan in plans.items():
            runner = self._runners.get(number)
            if runner is None:
                self._runners[number] = _Runner(self, plan)
            elif runner.plan != plan:
                runner.follow(plan)

    def hurry(self) -> None:
        """The exchange is back: connections that wait for their next try have it now."""
        for runner in self._runners.values():
            runner.hurry()

    async def close(self) -> None:
        """Close all connections."""
        await self._end(list(self._runners.values()))
        self._runners.clear()

    async def _end(self, runners: list[_Runner]) -> None:
        """Cancel once and wait: a second cancellation would interrupt the closing of the sockets."""
        for runner in runners:
            runner.task.cancel()
        if runners:
            await asyncio.wait([runner.task for runner in runners])

    async def admitted(self) -> None:
        """Wait until one more connection may be opened."""
        await asyncio.sleep(self.pace.book(asyncio.get_running_loop().time()))

    def restart(self, runner: _Runner) -> None:
        """Replace a runner that has failed, if its connection is still wanted."""
        if self._runners.get(runner.plan.number) is runner:
            self._runners[runner.plan.number] = _Runner(self, runner.plan)

    def opened(self, runner: _Runner) -> None:
        """A runner has a socket."""
        self._on_change(runner.plan, True)

    def lost(self, runner: _Runner, was_connected: bool) -> None:
        """A runner has lost its socket, or got none."""
        if was_connected:
            self.reconnects += 1
            self._lost_s.append(asyncio.get_running_loop().time())
            logger.warning("stream connection %d (%s): %s", runner.plan.number, runner.plan.route, runner.reason)
        self._on_change(runner.plan, False)
