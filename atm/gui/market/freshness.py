"""How fresh what a page shows of a symbol is, and why it is not. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from atm.gui.read_model import ReadModel
from atm.ipc.messages import BINANCE_API

STALE_AFTER_S = 20.0
"""The mark price of a streamed symbol comes once a second; this is many times that."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """state: "live", "held" (a demo market that stands), "connecting", "degraded", "stale", "disconnected", "banned" or "restarting".
    last_ms: market time of the newest of the symbol, 0 = none yet; age_s: wall seconds since; reason: in the exchange's words."""

    state: str
    last_ms: int = 0
    age_s: float = 0.0
    reason: str = ""

    @property
    def is_live(self) -> bool:
        return self.state in ("live", "held")


def freshness(model: ReadModel, symbol: str, wall_ms: int) -> Freshness:
    """Of a symbol at a wall time."""
    last_ms = newest_ms(model, symbol)
    speed = model.demo.state.speed if model.demo is not None else 1.0
    age_s = max(0.0, (model.market_ms(wall_ms) - last_ms) / 1000 / speed) if last_ms else 0.0
    process = model.processes.get(BINANCE_API)
    if process is not None and process.state != "running":
        return Freshness("restarting", last_ms, age_s)
    connection = model.connection
    if connection is None:
        return Freshness("connecting", last_ms, age_s)
    if connection.state not in ("connected", "degraded"):
        return Freshness(connection.state, last_ms, age_s, connection.reason)
    if model.demo is not None and model.demo.state.paused:
        return Freshness("held", last_ms, age_s)
    if last_ms and age_s > STALE_AFTER_S:
        return Freshness("stale", last_ms, age_s)
    if connection.state == "degraded":
        return Freshness("degraded", last_ms, age_s, connection.reason)
    return Freshness("live", last_ms, age_s)


def newest_ms(model: ReadModel, symbol: str) -> int:
    """Market time of the newest thing that is known of a symbol."""
    found = [event.time_ms for by in (model.marks, model.last_trades, model.books) if (event := by.get(symbol))]
    return max(found, default=0)
