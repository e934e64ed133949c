"""When the next stream connection may be opened. Pure: time is an argument (monotonic seconds).

The exchange takes 300 new connections in 5 minutes of one address and bans who opens more (spec: exchange §2.1). Here never
more than that are opened, however many connections fail at once: `AT_ONCE` straight away, then one every `REFILL_S`. Between
two there is always a moment, so that hundreds of symbols do not start in one burst.
"""

from __future__ import annotations

WINDOW_S = 300.0
MOST_IN_WINDOW = 300
AT_ONCE = 100
REFILL_S = WINDOW_S / (MOST_IN_WINDOW - AT_ONCE)


class HandshakePace:
    """stagger_s: least time between two connections."""

    def __init__(self, stagger_s: float) -> None:
        self._stagger_s = stagger_s
        self._paid_s = float("-inf")
        self._next_s = float("-inf")

    def book(self, now_s: float) -> float:
        """Book the next place; seconds to wait for it."""
        self._paid_s = max(self._paid_s, now_s) + REFILL_S
        start_s = max(now_s, self._next_s, self._paid_s - AT_ONCE * REFILL_S)
        self._next_s = start_s + self._stagger_s
        return start_s - now_s
