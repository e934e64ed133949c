"""Sends messages to channels: a thread around the pure queues, since an address may take its time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import apprise

from atm.model.errors import Invalid
from atm.model.notice import Severity
from atm.model.notification import ChannelState
from atm.notifications.addresses import shown
from atm.notifications.channel_queue import ChannelQueue, Message

log = logging.getLogger(__name__)

Send = Callable[[Message], bool]
_KINDS = {
    Severity.INFO.value: "info",
    Severity.SUCCESS.value: "success",
    Severity.WARNING.value: "warning",
    Severity.CRITICAL.value: "failure",
}


def channel(address: str) -> Send:
    """How to send to an address. Raises Invalid, without the address, for one that no service knows."""
    # Its own log lines name addresses, and these hold tokens.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise()
    if not service.add(address):
        raise Invalid(
            "channel", f"{shown(address)}://…", "an address of a service that apprise knows, such as tgram://token/chat"
        )

    def send(message: Message) -> bool:
        return bool(service.notify(body=message.body, title=message.title, notify_type=_KINDS[message.severity]))

    return send


class Delivery:
    """All channels and the thread that serves them. `changed` is called on that thread when a channel's state has."""

    def __init__(
        self, changed: Callable[[], None], clock_ms: Callable[[], int] = lambda: int(time.time() * 1000)
    ) -> None:
        self._changed = changed
        self._clock_ms = clock_ms
        self._condition = threading.Condition()
        self._channels: list[tuple[ChannelQueue, Send]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="deliver", daemon=True)
        self._thread.start()

    def replace(self, addresses: tuple[str, ...]) -> None:
        """Serve these from now on; what waited for the earlier ones is dropped. Raises Invalid and changes nothing."""
        channels = [(ChannelQueue(shown(each)), channel(each)) for each in addresses]
        with self._condition:
            self._channels = channels
            self._condition.notify()

    def put(self, message: Message) -> None:
        """Send to every channel."""
        with self._condition:
            for queue, _ in self._channels:
                queue.put(message)
            self._condition.notify()

    def states(self) -> tuple[ChannelState, ...]:
        with self._condition:
            return tuple(queue.state() for queue, _ in self._channels)

    def close(self, patience: float) -> None:
        """End, after at most `patience` seconds in which what waits may still go out."""
        with self._condition:
            self._condition.wait_for(lambda: all(queue.due_ms() != 0 for queue, _ in self._channels), patience)
            self._stopping = True
            self._condition.notify()

    def _serve(self) -> None:
        while True:
            with self._condition:
                work = self._next()
                while work is None and not self._stopping:
                    self._condition.wait(self._pause())
                    work = self._next()
                if work is None:
                    return
            queue, send, message = work
            error = _attempt(send, message)
            with self._condition:
                if error:
                    queue.failed(self._clock_ms(), error)
                    log.warning("a message could not be sent to %s: %s", queue.name, error)
                else:
                    queue.delivered(message)
                self._condition.notify_all()
            self._changed()

    def _next(self) -> tuple[ChannelQueue, Send, Message] | None:
        if self._stopping:
            return None
        now = self._clock_ms()
        for queue, send in self._channels:
            message = queue.next(now)
            if message is not None:
                return queue, send, message
        return None

    def _pause(self) -> float | None:
        due = [each for queue, _ in self._channels if (each := queue.due_ms()) is not None]
        return max(0.0, (min(due) - self._clock_ms()) / 1000) if due else None


def _attempt(send: Send, message: Message) -> str:
    """Empty for success, else what may be said of the failure."""
    try:
        return "" if send(message) else "the service did not take it"
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        # What a service's own code may raise; its text may hold the address.
        return error.__class__.__name__
