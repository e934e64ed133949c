"""A trade-control method of your own: copy this file, change it, and name the method in a trade configuration.

TREND follows the trend: long while the fast average is above the slow one, short while it is below, out when the two are
nearly equal. Each position has a protective stop that trails behind the price: the parabolic stop (PSAR), or the given distance
from the close where that lies on the wrong side; it never moves back. In a simulation:

    [trade.method]
    type = "USER"
    name = "TREND"
    parameters = { band = 0.002, trail = 0.03 }

examples/method_trend.toml runs it; docs/plugins.md explains every part.
"""

from typing import Annotated

import msgspec
import numpy as np

from atm.analyzers import Registry
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod


class Trend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can set, with its bounds."""

    fast: Annotated[int, msgspec.Meta(ge=1, le=10, description="line of EMA that is the fast average")] = 1
    slow: Annotated[int, msgspec.Meta(ge=1, le=10, description="line of EMA that is the slow average")] = 2
    band: Annotated[
        float,
        msgspec.Meta(ge=0, le=0.5, description="distance of the averages that makes a trend", extra={"unit": "%"}),
    ] = 0.002
    trail: Annotated[
        float, msgspec.Meta(gt=0, lt=1, description="largest distance of the stop from the close", extra={"unit": "%"})
    ] = 0.03


@kernel
def decide(params, memory, row, position, out):
    """`memory` is not needed: the stop that is in force stands in `position`."""
    fast, slow, psar = row[0], row[1], row[2]
    band, trail = params[0], params[1]
    distance = fast / slow - 1.0
    if np.isnan(distance):
        return  # no opinion: `out` is NaN
    side = 1.0 if distance > band else -1.0 if distance < -band else 0.0
    out[Answer.TARGET] = side
    if side == 0.0:
        return
    close = position[Held.CLOSE]
    stop = close * (1.0 - side * trail)
    if side * (psar - stop) > 0.0 and side * (close - psar) > 0.0:
        stop = psar
    if position[Held.STOP] > 0.0 and position[Held.QUANTITY] * side > 0.0:
        stop = max(stop, position[Held.STOP]) if side > 0.0 else min(stop, position[Held.STOP])
    out[Answer.STOP] = stop


TREND = TradeMethod[Trend](
    name="TREND",
    parameters=Trend,
    columns=lambda line: (f"EMA.{line.fast}.value", f"EMA.{line.slow}.value", "PSAR.1.value"),
    pack=lambda line: np.array([line.band, line.trail], np.float64),
    decide=decide,
    description="follows two averages, with a parabolic stop behind the price",
)


def register(registry: Registry) -> None:
    registry.register(TREND)
