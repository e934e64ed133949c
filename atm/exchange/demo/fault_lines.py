"""What faults do to stream connections: messages on their way out, dead, slow and flooded sockets, cuts, refused handshakes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from itertools import count

from aiohttp import WSCloseCode

from atm.exchange.demo.fault_state import Delivery, FaultState, Standing
from atm.exchange.demo.streams import Subscriber
from atm.model.fault import USER_PREFIX, FaultConnection, FaultKind

FLOOD_STEP_S = 0.01
_ROUTES = ("public", "market", "private")


class _Behind:
    """A message that lets so many others pass."""

    def __init__(self, passing: int, content: str | bytes) -> None:
        self.passing, self.content = passing, content


class _Waiting:
    """Messages of one connection that are held back: (due, order, content) by time, others by count."""

    def __init__(self) -> None:
        self.late: list[tuple[float, int, str | bytes]] = []
        self.behind: list[_Behind] = []
        self.timer: asyncio.TimerHandle | None = None


class FaultLines:
    """The stream side of all faults. subscribers(): the connections that are open."""

    def __init__(self, state: FaultState, subscribers: Callable[[], Iterable[Subscriber]]) -> None:
        self._state, self._subscribers = state, subscribers
        self._waiting: dict[Subscriber, _Waiting] = {}
        self._newest: dict[Subscriber, dict[str, str]] = {}
        self._dead: dict[int, list[Subscriber]] = {}
        self._order = count()

    def struck(self, target: str, standing: Standing) -> list[Subscriber]:
        """The connections that a target means, in the order of their opening."""
        found = sorted(self._subscribers(), key=lambda each: each.number)
        if target in _ROUTES:
            return [each for each in found if each.route == target]
        if target.startswith("#"):
            return [each for each in found if f"#{each.number}" == target]
        if target == "one" and found:
            return [found[int(standing.draws.random() * len(found))]]
        return found if not target else []

    def connections(self) -> tuple[FaultConnection, ...]:
        """As they are told."""
        found = sorted(self._subscribers(), key=lambda each: each.number)
        return tuple(FaultConnection(each.number, each.route, len(each.streams), len(each.users)) for each in found)

    # --- messages ---------------------------------------------------------------------------------------------

    @property
    def needed(self) -> bool:
        """Whether messages have to come by here."""
        return bool(self._state.messages or self._waiting or self._state.active(FaultKind.FLOOD))

    def deliver(self, subscriber: Subscriber, stream: str, closing: bool, text: str) -> None:
        """Send a message as the active faults let it."""
        if not stream.startswith(USER_PREFIX):
            self._newest.setdefault(subscriber, {})[stream] = text
        for each in self._state.message(subscriber.number, stream, closing, text):
            self._send(subscriber, each)

    def _send(self, subscriber: Subscriber, delivery: Delivery) -> None:
        if delivery.late_ms:
            self._hold(subscriber, delivery)
        elif delivery.behind:
            self._waiting.setdefault(subscriber, _Waiting()).behind.append(_Behind(delivery.behind, delivery.content))
        else:
            subscriber.send(delivery.content)
            self._passed(subscriber)

    def _passed(self, subscriber: Subscriber) -> None:
        """A message has gone out: those that waited for it come after it."""
        waiting = self._waiting.get(subscriber)
        if waiting is None or not waiting.behind:
            return
        for held in waiting.behind:
            held.passing -= 1
        for held in [each for each in waiting.behind if each.passing <= 0]:
            waiting.behind.remove(held)
            subscriber.send(held.content)

    def _hold(self, subscriber: Subscriber, delivery: Delivery) -> None:
        waiting = self._waiting.setdefault(subscriber, _Waiting())
        due = asyncio.get_running_loop().time() + delivery.late_ms / 1000
        heapq.heappush(waiting.late, (due, next(self._order), delivery.content))
        self._wake(subscriber, waiting)

    def _wake(self, subscriber: Subscriber, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None
        if waiting.late:
            loop = asyncio.get_running_loop()
            waiting.timer = loop.call_at(waiting.late[0][0], self._due, subscriber, waiting)

    def _due(self, subscriber: Subscriber, waiting: _Waiting) -> None:
        now = asyncio.get_running_loop().time()
        while waiting.late and waiting.late[0][0] <= now:
            subscriber.send(heapq.heappop(waiting.late)[2])
        self._wake(subscriber, waiting)
        if not waiting.late and not waiting.behind:
            self._waiting.pop(subscriber, None)

    def settle(self) -> None:
        """Faults have ended: what waited for later messages goes out where none is moved back any more, and what is not needed is
        forgotten. Late messages stay late."""
        reordering = any(each.fault.kind is FaultKind.REORDER for each in self._state.messages)
        open_now = set(self._subscribers())
        for subscriber, waiting in list(self._waiting.items()):
            if subscriber not in open_now:
                self._forget(subscriber)
                continue
            if not reordering:
                for held in waiting.behind:
                    subscriber.send(held.content)
                waiting.behind.clear()
            if not waiting.late and not waiting.behind:
                del self._waiting[subscriber]
        if not self._state.active(FaultKind.FLOOD):
            self._newest.clear()

    def gone(self, subscriber: Subscriber) -> None:
        """A connection has ended."""
        self._forget(subscriber)
        self._newest.pop(subscriber, None)

    def _forget(self, subscriber: Subscriber) -> None:
        waiting = self._waiting.pop(subscriber, None)
        if waiting is not None and waiting.timer is not None:
            waiting.timer.cancel()

    # --- connections ------------------------------------------------------------------------------------------

    def cut(self, standing: Standing) -> None:
        """Cut what a fault strikes, by a reset or with a close frame."""
        struck = self.struck(standing.fault.target, standing)
        for subscriber in struck:
            if standing.fault.variant == "close":
                subscriber.say_goodbye(WSCloseCode.GOING_AWAY)
            else:
                subscriber.cut()
        standing.count("cut", len(struck))

    async def cut_again(self, standing: Standing) -> None:
        """Cut every so many seconds."""
        while True:
            await asyncio.sleep(standing.fault.amount)
            self.cut(standing)

    def kill(self, standing: Standing) -> None:
        """Let connections stand that nothing comes through any more."""
        struck = [each for each in self.struck(standing.fault.target, standing) if not each.dead]
        for subscriber in struck:
            subscriber.die()
        self._dead[standing.number] = struck
        standing.count("dead", len(struck))

    def bury(self, standing: Standing) -> None:
        """End the connections that a fault has killed."""
        for subscriber in self._dead.pop(standing.number, ()):
            subscriber.cut()

    def pace(self) -> None:
        """Give every connection the speed that the active faults allow it."""
        slow = self._state.active(FaultKind.SLOW_CONNECTION)
        for subscriber in self._subscribers():
            subscriber.bytes_per_s = 0.0
        for standing in slow:
            for subscriber in self.struck(standing.fault.target, standing):
                own, amount = subscriber.bytes_per_s, standing.fault.amount
                subscriber.bytes_per_s = min(own, amount) if own else amount

    async def flood(self, standing: Standing) -> None:
        """Repeat the newest message of each stream, so many a second on all connections together."""
        clock = asyncio.get_running_loop().time
        sent, began = 0, clock()
        while True:
            await asyncio.sleep(FLOOD_STEP_S)
            due = int((clock() - began) * standing.fault.amount) - sent
            sent += due
            struck = self.struck(standing.fault.target, standing)
            rows = [(each, text) for each in struck for text in self._newest.get(each, {}).values()]
            for place in range(due if rows else 0):
                subscriber, text = rows[place % len(rows)]
                subscriber.send(text)
            standing.count("messages", due if rows else 0)
