"""The gate before every REST request: waits by timer until the budget allows it, orders first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from atm.exchange.client.rate_budget import Cost, RateBudget, RequestClass
from atm.model.errors import Banned, Throttled

MAX_WAITING = 2_000
MAX_WAIT_MS = 120_000.0


class RateGate:
    """Lets requests through by class, inside a class in order of arrival.

    A class whose first request must wait waits as a whole; other classes are judged by themselves, because the
    floors already keep the lower ones from taking what the higher ones need. `now_ms`: the clock of the budget's
    windows. At most `MAX_WAITING` requests wait; one that would have to wait longer than `max_wait_ms` fails at once,
    and during a ban every one does.
    """

    def __init__(self, budget: RateBudget, now_ms: Callable[[], float], max_wait_ms: float = MAX_WAIT_MS) -> None:
        self.budget = budget
        self.now_ms = now_ms
        self._max_wait_ms = max_wait_ms
        self._waiting: dict[RequestClass, deque[tuple[Cost, asyncio.Future[None]]]] = {
            kind: deque() for kind in RequestClass
        }
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, kind: RequestClass, cost: Cost) -> None:
        """Return when the request has been booked. Raises Banned, or Throttled when it would wait too long."""
        queue = self._waiting[kind]
        wait_ms = self.budget.wait_ms(kind, cost, self.now_ms())
        if wait_ms <= 0 and not queue:
            self.budget.take(kind, cost, self.now_ms())
            return
        self._refuse_if_hopeless(wait_ms)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append((cost, future))
        self._arm(wait_ms)
        await future

    def waiting(self) -> dict[str, int]:
        """How many requests wait, by the name of their class; classes of which none waits are absent."""
        return {kind.name.lower(): len(queue) for kind, queue in self._waiting.items() if queue}

    def reconsider(self) -> None:
        """To be called when the budget has changed from outside (new limits)."""
        self._admit()

    def close(self) -> None:
        """Let nobody wait any more."""
        if self._timer is not None:
            self._timer.cancel()
        for queue in self._waiting.values():
            for _, future in queue:
                future.cancel()
            queue.clear()

    def _refuse_if_hopeless(self, wait_ms: float) -> None:
        if self.budget.banned(self.now_ms()):
            raise Banned("the exchange has banned this address", int(self.budget.banned_until_ms))
        waiting = sum(map(len, self._waiting.values()))
        if wait_ms > self._max_wait_ms or waiting >= MAX_WAITING:
            raise Throttled(f"the rate budget is used up and {waiting} requests wait", wait_ms / 1000)

    def _arm(self, wait_ms: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + max(wait_ms, 1.0) / 1000
        if self._timer is not None and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._admit)

    def _admit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kind, queue in self._waiting.items():
            while queue:
                cost, future = queue[0]
                wait_ms = 0.0 if future.done() else self.budget.take(kind, cost, self.now_ms())
                if wait_ms > 0:
                    self._arm(wait_ms)
                    break
                queue.popleft()
                if not future.done():  # a caller that was cancelled meanwhile has not been booked
                    future.set_result(None)
