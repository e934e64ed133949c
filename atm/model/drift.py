"""Whether a live account drifts away from what its backtest promised: set-up and state of the alarm (docs/parity.md)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

FALSE_ALARMS = 0.05
"""Share of stretches of `HORIZON` observations in which an alarm is raised although nothing has changed, at most."""
HORIZON = 250
"""Observations in such a stretch: round trips, or orders."""
LEAST_BASELINE = 20
"""Round trips that a baseline has at least."""


class DriftTest(Enum):
    """RETURNS: of round trips, falling; SLIPPAGE: fills dearer than the backtest's; FILL_RATE: orders that the backtest fills and live
    does not."""

    RETURNS = "RETURNS"
    SLIPPAGE = "SLIPPAGE"
    FILL_RATE = "FILL_RATE"


class DriftSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of an account. simulation: code of the simulation that it is measured by, "" = the parity backtests of its own days; since_ms:
    what was before is not looked at (Unix ms); told: tests whose alarm was told."""

    simulation: str = ""
    since_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    told: tuple[DriftTest, ...] = ()


class DriftGauge(msgspec.Struct, frozen=True):
    """One test. observations since the reset; level: of the statistic, threshold: at which the alarm is raised; alarm_ms: day of the
    first alarm since then (0 = none); live, expected: means of what is observed (None = nothing observed); why: a text key,
    what the test waits for ("" = it runs)."""

    test: DriftTest
    observations: int = 0
    level: float = 0.0
    threshold: float = 0.0
    alarm_ms: int = 0
    live: float | None = None
    expected: float | None = None
    why: str = ""


class DriftState(msgspec.Struct, frozen=True):
    """Of an account: what it is measured by and how it stands."""

    account: str
    setup: DriftSetup = DriftSetup()
    gauges: tuple[DriftGauge, ...] = ()

    @property
    def alarms(self) -> tuple[DriftTest, ...]:
        return tuple(gauge.test for gauge in self.gauges if gauge.alarm_ms)
