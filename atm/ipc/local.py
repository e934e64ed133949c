"""A bus inside one thread: the router's own logic between assistants of one test, without processes.

`pump()` routes and dispatches until nothing more happens. `kill(name)` forgets an assistant as if its process had died.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from atm.ipc.assistant import IPCAssistant
from atm.ipc.envelope import open_letter
from atm.ipc.routing import Router

_ROUNDS = 100_000


class _LocalTransport:
    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus

    def send(self, data: bytes) -> None:
        self._bus.queue.append(data)

    def pump(self) -> None:
        self._bus.pump()


class LocalBus:
    """Router and assistants in one thread. `clock` drives the timers of all assistants."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.queue: deque[bytes] = deque()
        self.router = Router()
        self.assistants: dict[str, IPCAssistant] = {}
        self._clock = clock

    def assistant(self, name: str) -> IPCAssistant:
        """A new assistant under `name`, in place of one that was killed."""
        assistant = IPCAssistant(name, _LocalTransport(self), self._clock)
        self.assistants[name] = assistant
        self.router.add(name)
        return assistant

    def kill(self, name: str) -> None:
        """As if the process had died: what it had not yet handled is gone, its open requests fail."""
        self.assistants.pop(name, None)
        for receiver, letter in self.router.remove(name):
            self.assistants[receiver].accept(letter.envelope)

    def route(self) -> None:
        """Move everything sent so far to its receivers' inboxes."""
        while self.queue:
            for receiver, letter in self.router.route(open_letter(self.queue.popleft())):
                if receiver in self.assistants:
                    self.assistants[receiver].accept(letter.envelope)

    def pump(self) -> None:
        """Route and dispatch until nothing happens any more."""
        for _ in range(_ROUNDS):
            self.route()
            if not sum(assistant.step() for assistant in list(self.assistants.values())) and not self.queue:
                return
        raise RuntimeError("the bus does not come to rest")
