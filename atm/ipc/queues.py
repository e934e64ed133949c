"""The queues of the star: every child has an inbox that only main writes and an outbox that only main reads.

A queue between processes guards its ends with locks that its users share. With one reader and one writer a process that
is killed inside a queue takes along its own two queues and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.queues import SimpleQueue
from typing import NamedTuple

log = logging.getLogger(__name__)


class OneWayQueue(SimpleQueue[bytes]):
    """A `multiprocessing.SimpleQueue` of which each of the two processes keeps one end.

    So the death of one side ends the queue for the other: `get` raises EOFError or OSError, `put` an OSError. There is no
    feeder thread: `put` writes, and waits while the pipe is full.
    """

    _reader: Connection
    _writer: Connection

    def keep_reader(self) -> None:
        """This process only reads."""
        self._writer.close()

    def keep_writer(self) -> None:
        """This process only writes."""
        self._reader.close()


class Channel(NamedTuple):
    """The two queues of one child."""

    inbox: OneWayQueue
    outbox: OneWayQueue

    def keep_main_ends(self) -> None:
        """In main, when the child has been started."""
        self.inbox.keep_writer()
        self.outbox.keep_reader()

    def keep_child_ends(self) -> None:
        self.inbox.keep_reader()
        self.outbox.keep_writer()


def make_channel(context: BaseContext) -> Channel:
    return Channel(OneWayQueue(ctx=context), OneWayQueue(ctx=context))


class ChildTransport:
    """A child's end of its channel: `send` to the router; `start` a thread that hands arrivals to the assistant."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._main_is_gone = False
        channel.keep_child_ends()

    def send(self, data: bytes) -> None:
        """Waits only while the pipe is full, which main always empties."""
        if self._main_is_gone:
            return
        try:
            self._channel.outbox.put(data)
        except OSError as error:
            self._main_is_gone = True
            log.warning("main cannot be reached any more: %s", error)

    def pump(self) -> None:
        """Nothing to do: the receiver thread works by itself."""

    def start(self, deliver: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """Receive until main closes the inbox or is gone, then call `ended`. `deliver` must not wait."""

        def receive() -> None:
            while True:
                try:
                    data = self._channel.inbox.get()
                except (EOFError, OSError):
                    break
                deliver(data)
            ended()

        threading.Thread(target=receive, name="ipc-receiver", daemon=True).start()

    def close(self) -> None:
        """Let main's reader end after what was sent."""
        self._channel.outbox.close()
