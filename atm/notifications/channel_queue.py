"""Messages on their way to one address: tried again with growing waits, bounded, never silently lost. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from atm.model.notification import ChannelState

FIRST_WAIT_MS, LONGEST_WAIT_MS = 5_000, 600_000
LONGEST = 50
"""Messages kept for an address that takes none; the oldest go first and are counted."""


@dataclass(frozen=True, slots=True)
class Message:
    """title and body as the channel shows them; severity: its value, for the channel's icon."""

    title: str
    body: str
    severity: str = "info"


@dataclass(slots=True)
class ChannelQueue:
    """Of one address, known by a name that may be shown."""

    name: str
    _waiting: deque[Message] = field(default_factory=deque)
    _failures: int = 0
    _retry_ms: int = 0
    _delivered: int = 0
    _lost: int = 0
    _error: str = ""

    def put(self, message: Message) -> None:
        if len(self._waiting) == LONGEST:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(message)

    def due_ms(self) -> int | None:
        """When the next try is due, Unix ms (0: at once); None while nothing waits."""
        return self._retry_ms if self._waiting else None

    def next(self, now_ms: int) -> Message | None:
        """The message to try now. It stays first until `delivered`."""
        return self._waiting[0] if self._waiting and now_ms >= self._retry_ms else None

    def delivered(self, message: Message) -> None:
        """It arrived, even if it was given up meanwhile because too many came after it."""
        if self._waiting and self._waiting[0] is message:
            self._waiting.popleft()
        else:
            self._lost -= 1
        self._failures, self._retry_ms, self._error = 0, 0, ""
        self._delivered += 1

    def failed(self, now_ms: int, error: str) -> None:
        """Try the same message again after a wait that doubles with every failure."""
        self._retry_ms = now_ms + min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(self._failures, 20))
        self._failures += 1
        self._error = error

    def state(self) -> ChannelState:
        return ChannelState(self.name, self._delivered, len(self._waiting), self._lost, self._error)
