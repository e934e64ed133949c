"""When a dead child is started again: back-off, and giving up on a crash loop. Pure; time in seconds is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
CALM_SECONDS = 60.0
"""A child that has lived this long counts as healthy; its history is forgotten."""
LOOP_DEATHS = 8
"""Deaths in a row after which a child is no longer restarted by itself."""


@dataclass(slots=True)
class RestartPolicy:
    deaths: int = 0
    restarts: int = field(default=0)

    def died(self, lived: float) -> float | None:
        """Seconds until the next start, or None when it is a crash loop."""
        self.deaths = 1 if lived >= CALM_SECONDS else self.deaths + 1
        if self.deaths >= LOOP_DEATHS:
            return None
        self.restarts += 1
        if self.deaths == 1:
            return 0.0
        delay: float = FIRST_DELAY * 2 ** (self.deaths - 2)
        return min(LONGEST_DELAY, delay)
