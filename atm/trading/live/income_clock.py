"""When an account's income is read next: at activation, after funding stamps and transfers, each day, when it is asked for, and again
while a reading has failed or proved nothing. Pure."""

from __future__ import annotations

from atm.model.interval import HOUR_MS, MINUTE_MS

STAMP_MS = 8 * HOUR_MS
"""Between the readings that come by themselves: the funding stamps of most symbols, one of them at 00:00 UTC."""
AFTER_STAMP_MS = MINUTE_MS + MINUTE_MS // 2
"""How long the exchange may take to tell of what it has booked; in the middle of a minute, since comparing takes the time of decisions."""
AFTER_EVENT_MS = 10_000
AGAIN_MS = 10_000
FIRST_RETRY_MS, LONGEST_RETRY_MS = 30_000, 15 * MINUTE_MS
NEVER = 1 << 62


class IncomeClock:
    """See the module. next_ms: on the exchange's clock, when the next reading is due."""

    def __init__(self) -> None:
        self.next_ms = 0
        self._failures = 0

    def wanted(self, now_ms: int) -> None:
        """Somebody asks for it, or the account was activated."""
        self.next_ms = min(self.next_ms, now_ms)

    def heard(self, now_ms: int) -> None:
        """The user stream tells of funding or of a transfer."""
        self.next_ms = min(self.next_ms, now_ms + AFTER_EVENT_MS)

    def is_due(self, now_ms: int) -> bool:
        return now_ms >= self.next_ms

    def begun(self) -> None:
        """A reading is under way; the next one is due when it has ended."""
        self.next_ms = NEVER

    def ended(self, now_ms: int, *, proved: bool) -> None:
        """A reading has ended; proved: wallets and records agree, or have disagreed often enough."""
        self._failures = 0
        stamp_ms = (now_ms - AFTER_STAMP_MS) // STAMP_MS * STAMP_MS + STAMP_MS + AFTER_STAMP_MS
        self.next_ms = min(self.next_ms, stamp_ms if proved else now_ms + AGAIN_MS)

    def failed(self, now_ms: int) -> None:
        """No answer, or none that can be read."""
        self._failures += 1
        pause_ms = min(FIRST_RETRY_MS * 2 ** min(self._failures - 1, 10), LONGEST_RETRY_MS)
        self.next_ms = min(self.next_ms, now_ms + pause_ms)
