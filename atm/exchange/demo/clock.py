"""Market time of the demo exchange: it runs from an anchor at a chosen multiple of real time, or stands still. Pure.

Market time never goes back: it can be made faster, held, and moved forward.
"""

from __future__ import annotations

import math

import msgspec

from atm.model.demo_state import FASTEST, SLOWEST
from atm.model.errors import Invalid
from atm.model.interval import format_time

DEFAULT_START_MS = 1_694_131_200_000  # 2023-09-08 00:00 UTC
CONTINUES_WITHIN_MS = 60_000.0


class MarketClock(msgspec.Struct, frozen=True):
    """Market time is `market_ms` at the wall time `wall_ms` (both Unix ms) and advances `speed` times as fast, or not at all
    while `paused`."""

    market_ms: float
    wall_ms: float
    speed: float = 60.0
    paused: bool = False

    def at(self, wall_ms: float) -> int:
        """Market time at a wall time."""
        return int(self.market_ms if self.paused else self.market_ms + (wall_ms - self.wall_ms) * self.speed)

    def wall_of(self, market_ms: float) -> float:
        """Wall time at which the market reaches `market_ms`; infinite for a future that a paused market does not reach."""
        if self.paused:
            return self.wall_ms if market_ms <= self.market_ms else math.inf
        return self.wall_ms + (market_ms - self.market_ms) / self.speed

    def with_speed(self, wall_ms: float, speed: float) -> MarketClock:
        """The same market, from `wall_ms` on at another speed (1 to 1000). A paused one stays paused."""
        if not SLOWEST <= speed <= FASTEST:
            raise Invalid("speed", speed, f"{SLOWEST:g} to {FASTEST:g}")
        return MarketClock(float(self.at(wall_ms)), wall_ms, speed, self.paused)

    def with_pause(self, wall_ms: float, paused: bool) -> MarketClock:
        """The same market, held or going on from `wall_ms` on."""
        return MarketClock(float(self.at(wall_ms)), wall_ms, self.speed, paused)

    def moved(self, wall_ms: float, market_ms: float) -> MarketClock:
        """The same market, moved forward to `market_ms`. Raises Invalid for a time that has passed."""
        now_ms = self.at(wall_ms)
        if market_ms < now_ms:
            raise Invalid(
                "jump", format_time(int(market_ms)), f"a time after the market's present, {format_time(now_ms)}"
            )
        return MarketClock(float(market_ms), wall_ms, self.speed, self.paused)


def resumed(kept: MarketClock, heartbeat_wall_ms: float, wall_ms: float) -> MarketClock:
    """The clock after a restart: within 60 s of the last heartbeat the market went on meanwhile, later it stood still."""
    if 0 <= wall_ms - heartbeat_wall_ms <= CONTINUES_WITHIN_MS:
        return kept
    return MarketClock(float(kept.at(heartbeat_wall_ms)), wall_ms, kept.speed, kept.paused)
