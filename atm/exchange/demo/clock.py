"""Market time of the demo exchange: it runs from an anchor at a chosen multiple of real time. Pure."""

from __future__ import annotations

import msgspec

from atm.model.errors import Invalid

DEFAULT_START_MS = 1_694_131_200_000  # 2023-09-08 00:00 UTC
CONTINUES_WITHIN_MS = 60_000.0
SLOWEST, FASTEST = 1.0, 1_000.0


class MarketClock(msgspec.Struct, frozen=True):
    """Market time is `market_ms` at the wall time `wall_ms` (both Unix ms) and advances `speed` times as fast."""

    market_ms: float
    wall_ms: float
    speed: float = 60.0

    def at(self, wall_ms: float) -> int:
        """Market time at a wall time."""
        return int(self.market_ms + (wall_ms - self.wall_ms) * self.speed)

    def wall_of(self, market_ms: float) -> float:
        """Wall time at which the market reaches `market_ms`."""
        return self.wall_ms + (market_ms - self.market_ms) / self.speed

    def with_speed(self, wall_ms: float, speed: float) -> MarketClock:
        """The same market, from `wall_ms` on at another speed (1 to 1000)."""
        if not SLOWEST <= speed <= FASTEST:
            raise Invalid("speed", speed, "1 to 1000")
        return MarketClock(float(self.at(wall_ms)), wall_ms, speed)


def resumed(kept: MarketClock, heartbeat_wall_ms: float, wall_ms: float) -> MarketClock:
    """The clock after a restart: within 60 s of the last heartbeat the market went on meanwhile, later it stood still."""
    if 0 <= wall_ms - heartbeat_wall_ms <= CONTINUES_WITHIN_MS:
        return kept
    return MarketClock(float(kept.at(heartbeat_wall_ms)), wall_ms, kept.speed)
