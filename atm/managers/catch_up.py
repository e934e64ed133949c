"""Whether an actual account is still on its way through minutes that it has missed. What it decides in them is not traded one after the
other: the market has gone on, and each would pay its fees to be undone by the next. Only where it arrives counts. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable

from atm.model.interval import MINUTE_MS

LATE_MS = 5 * MINUTE_MS
"""A decision that is older than this is one of the past. A slow minute, with bars and rows that had to be asked for, is not."""
PATIENCE_S = 300.0
"""An account that has not arrived by then is traded as it is: what it wants closed must not wait for good."""


class CatchUp:
    """clock(): monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since_s: dict[str, float] = {}

    def holds_back(self, name: str, market_ms: int, now_ms: int) -> bool:
        """Whether what the account wants is kept until later. market_ms: end of its last minute; now_ms: the exchange's clock."""
        if now_ms - market_ms <= LATE_MS:
            self._since_s.pop(name, None)
            return False
        return self._clock() - self._since_s.setdefault(name, self._clock()) < PATIENCE_S
