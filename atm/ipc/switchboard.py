"""Main's side of the queues: the hub of `atm.ipc.flow`, and two threads for each child.

The reader thread takes what its child sends and never waits for another child; the writer thread takes from the outlet and
waits only for its own. One thread for all would be fewer, but a child that is stopped in the middle of a message would then
hold up all others.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atm.ipc.envelope import Envelope, open_letter
from atm.ipc.flow import Hub
from atm.ipc.queues import Channel

log = logging.getLogger(__name__)

_LAST_WORDS_SECONDS = 1.0
"""How long the messages of a dead child, still in its pipe, are waited for."""


class _Child:
    """The threads of one child. `signal` wakes the writer; `awake`: it has been signalled and has not looked yet."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        self.channel = channel
        self.signal: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.awake = False
        self.gone = False
        self.reader: threading.Thread | None = None


class Switchboard:
    """Main's router with its threads. Thread-safe.

    `local` takes what is addressed to main itself; `overdue` is told a child that is hopelessly behind.
    """

    def __init__(self, main: str, local: Callable[[Envelope], None], overdue: Callable[[str], None]) -> None:
        self._hub = Hub(main, local, self._wake, overdue)
        self._children: dict[str, _Child] = {}
        self._woken: list[_Child] = []
        self._lock = threading.RLock()

    def connect(self, name: str, channel: Channel) -> None:
        """A child is about to be started with this channel. Call `channel.keep_main_ends()` when it has been."""
        child = _Child(name, channel)
        with self._lock:
            self._hub.add(name)
            self._children[name] = child
        child.reader = threading.Thread(target=self._read, args=(child,), name=f"from-{name}", daemon=True)
        child.reader.start()
        threading.Thread(target=self._write, args=(child,), name=f"to-{name}", daemon=True).start()

    def disconnect(self, name: str) -> None:
        """A child has died; its last messages are taken in, its channel is given up and requests to it fail."""
        child = self._children.get(name)
        if child is None:
            return
        if child.reader is not None:
            child.reader.join(_LAST_WORDS_SECONDS)
        with self._changes():
            del self._children[name]
            child.gone = True
            self._hub.remove(name)
        child.signal.put(None)

    def send(self, data: bytes) -> None:
        """From main's own assistant."""
        letter = open_letter(data)
        with self._changes():
            self._hub.arrived(letter)

    def pump(self) -> None:
        """Nothing to do: the threads work by themselves."""

    def waits(self, name: str) -> bool:
        """Whether this child may be silent because it waits for receivers that are behind."""
        with self._lock:
            return self._hub.waits(name)

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Hold the lock; writers are woken when it is free again, so that they do not run into it."""
        with self._lock:
            yield
            woken, self._woken = self._woken, []
        for child in woken:
            child.signal.put(None)

    def _wake(self, name: str) -> None:
        child = self._children.get(name)
        if child is not None and not child.awake:
            child.awake = True
            self._woken.append(child)

    def _read(self, child: _Child) -> None:
        while True:
            try:
                letter = open_letter(child.channel.outbox.get())
            except (EOFError, OSError):
                break
            with self._changes():
                if not child.gone:
                    self._hub.arrived(letter)
        child.channel.outbox.close()

    def _write(self, child: _Child) -> None:
        while (data := self._next(child)) is not None:
            try:
                child.channel.inbox.put(data)
            except OSError as error:
                log.info("%s takes no more messages: %s", child.name, error)
                break
        child.channel.inbox.close()

    def _next(self, child: _Child) -> bytes | None:
        """Wait for the next bytes; None when the child has gone."""
        while not child.gone:
            with self._changes():
                data = self._hub.take(child.name)
                if data is None:
                    child.awake = False
            if data is not None:
                return data
            child.signal.get()
        return None
