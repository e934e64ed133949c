"""What waits for the dispatch thread of a process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from atm.ipc.envelope import Envelope

Call = Callable[[], None]


class _Slot(NamedTuple):
    """The place of a "latest" event in the queue."""

    topic: str
    key: str


class Inbox:
    """Envelopes and calls in order of arrival; a "latest" event takes the place of an unread older one of its key.

    `put` and `put_call` never wait; `put_call` is safe in a signal handler. Bounded from outside: ordered events by the
    window that the router keeps to (`atm.ipc.flow.WINDOW`), "latest" ones by their keys.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Envelope | _Slot | Call] = queue.SimpleQueue()
        self._latest: dict[_Slot, Envelope] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, envelope: Envelope) -> None:
        if not envelope.latest:
            self._queue.put(envelope)
            return
        slot = _Slot(envelope.topic, envelope.key)
        with self._lock:
            placed = slot in self._latest
            self._latest[slot] = envelope
        if not placed:
            self._queue.put(slot)

    def put_call(self, function: Call) -> None:
        self._queue.put(function)

    def get(self, timeout: float = 0.0) -> Envelope | Call:
        """The next item, waited for up to `timeout` seconds. Raises `queue.Empty`."""
        item = self._queue.get(timeout=timeout) if timeout > 0 else self._queue.get_nowait()
        if not isinstance(item, _Slot):
            return item
        with self._lock:
            return self._latest.pop(item)
