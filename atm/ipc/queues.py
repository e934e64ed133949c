"""The star of queues: every child has an inbox that only main writes and an outbox that only main reads.

A `multiprocessing.Queue` guards its ends with locks that its users share. With one reader and one writer a process that
is killed inside a queue takes along its own two queues and nothing else.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from typing import NamedTuple

from atm.ipc.envelope import Envelope, decode_envelope, encode
from atm.ipc.routing import Outlet, Router

log = logging.getLogger(__name__)

QUEUE_LIMIT = 2_000
_END = b""


class Channel(NamedTuple):
    """The two queues of one child. An empty message ends a queue."""

    inbox: Queue[bytes]
    outbox: Queue[bytes]


def make_channel(context: BaseContext) -> Channel:
    return Channel(context.Queue(QUEUE_LIMIT), context.Queue(QUEUE_LIMIT))


class ChildTransport:
    """A child's end of its channel: `send` to the router; `start` a thread that hands arrivals to the assistant."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, data: bytes) -> None:
        self._channel.outbox.put(data)

    def pump(self) -> None:
        """Nothing to do: the receiver thread works by itself."""

    def start(self, deliver: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """Receive until main ends the inbox or is gone, then call `ended`."""

        def receive() -> None:
            while True:
                try:
                    data = self._channel.inbox.get()
                except (EOFError, OSError):
                    break
                if data == _END:
                    break
                deliver(data)
            ended()

        threading.Thread(target=receive, name="ipc-receiver", daemon=True).start()

    def close(self) -> None:
        """Flush what was sent and let main's reader end."""
        self._channel.outbox.put(_END)
        self._channel.outbox.close()
        self._channel.outbox.join_thread()


class _Child:
    """Main's end of one child's channel: a reader thread, a writer thread and the outlet between router and inbox."""

    def __init__(self, name: str, channel: Channel, arrived: Callable[[str, bytes], None]) -> None:
        self.name = name
        self.channel = channel
        self._outlet = Outlet()
        self._condition = threading.Condition()
        self._closed = False
        self._arrived = arrived
        threading.Thread(target=self._read, name=f"from-{name}", daemon=True).start()
        threading.Thread(target=self._write, name=f"to-{name}", daemon=True).start()

    def put(self, envelope: Envelope) -> None:
        with self._condition:
            if self._closed:
                return
            if not self._outlet.put(envelope) and self._outlet.dropped in (1, 1_000, 100_000):
                log.error("%s does not read its inbox: %d messages dropped", self.name, self._outlet.dropped)
            self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        self.channel.inbox.cancel_join_thread()
        self.channel.outbox.cancel_join_thread()

    def _read(self) -> None:
        while not self._closed:
            try:
                data = self.channel.outbox.get()
            except (EOFError, OSError, ValueError):
                return
            if data == _END:
                return
            self._arrived(self.name, data)

    def _write(self) -> None:
        while True:
            with self._condition:
                while not self._closed and not len(self._outlet):
                    self._condition.wait()
                if self._closed:
                    return
                envelope = self._outlet.take()
            if envelope is not None:
                self._hand_over(encode(envelope))

    def _hand_over(self, data: bytes) -> None:
        while not self._closed:
            try:
                self.channel.inbox.put(data, timeout=1.0)
            except queue.Full:
                continue
            except (OSError, ValueError):
                return
            return


class Switchboard:
    """Main's router with its threads. `local` takes what is addressed to main itself. Thread-safe."""

    def __init__(self, main: str, local: Callable[[bytes], None]) -> None:
        self._main = main
        self._local = local
        self._router = Router()
        self._router.add(main)
        self._children: dict[str, _Child] = {}
        self._lock = threading.RLock()

    def connect(self, name: str, channel: Channel) -> None:
        """A child has been started with this channel."""
        with self._lock:
            self._router.add(name)
            self._children[name] = _Child(name, channel, self._on_arrival)

    def disconnect(self, name: str) -> None:
        """A child has gone; its channel is given up and requests to it fail."""
        with self._lock:
            child = self._children.pop(name, None)
            if child is not None:
                child.close()
            self._deliver(self._router.remove(name))

    def send(self, data: bytes) -> None:
        """From main's own assistant."""
        self._on_arrival(self._main, data)

    def pump(self) -> None:
        """Nothing to do: the reader threads work by themselves."""

    def _on_arrival(self, _name: str, data: bytes) -> None:
        envelope = decode_envelope(data)
        with self._lock:
            self._deliver(self._router.route(envelope))

    def _deliver(self, deliveries: list[tuple[str, Envelope]]) -> None:
        for receiver, envelope in deliveries:
            if receiver == self._main:
                self._local(encode(envelope))
            elif (child := self._children.get(receiver)) is not None:
                child.put(envelope)
