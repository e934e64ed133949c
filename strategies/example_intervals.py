"""Two intervals in one method: the trend of four hours says which way, fifteen minutes say when.

INTERVALS holds long only while the close of the last *whole* bar of the long interval is above its average (short: below). In
that direction it buys the dip: when the short-term MMACD turns back into the direction of the trend. It scales out as the
position gains, and follows it with a stop. A column of another interval is that of its last closed bar, so nothing here
knows of later minutes. In a simulation:

    [trade.method]
    type = "USER"
    name = "INTERVALS"
    parameters = { trend = "4h" }

examples/method_intervals.toml runs it; docs/plugins.md explains every part.
"""

from typing import Annotated, Literal

import msgspec
import numpy as np

from atm.analyzers import Registry
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

BEFORE = 0


class Intervals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can set, with its bounds."""

    trend: Annotated[
        Literal["1h", "2h", "4h", "6h", "12h", "1d"], msgspec.Meta(description="interval of the trend")
    ] = "4h"
    target: Annotated[
        float, msgspec.Meta(gt=0, lt=1, description="gain at which half is given up", extra={"unit": "%"})
    ] = 0.03
    trail: Annotated[
        float, msgspec.Meta(gt=0, lt=1, description="distance of the stop from the close", extra={"unit": "%"})
    ] = 0.025


@kernel
def side_of_trend(close, average):
    """+1 above the average, −1 below, 0 without a value."""
    return 1.0 if close > average else -1.0 if close < average else 0.0


@kernel
def decide(params, memory, row, position, out):
    trend = side_of_trend(row[0], row[1])
    delta, before = row[2], memory[BEFORE]
    if np.isnan(delta) or trend == 0.0:
        return  # no opinion: `out` is NaN
    memory[BEFORE] = delta
    held, close = position[Held.QUANTITY], position[Held.CLOSE]
    if held * trend < 0.0:
        out[Answer.TARGET] = 0.0
    elif held == 0.0:
        turned = delta * trend > 0.0 and before * trend <= 0.0
        out[Answer.TARGET] = trend if turned else 0.0
        out[Answer.STOP] = close * (1.0 - trend * params[1])
    else:
        gained = position[Held.RETURN] >= params[0]
        out[Answer.TARGET] = 0.5 * trend if gained else position[Held.TARGET]
        stop = close * (1.0 - trend * params[1])
        if position[Held.STOP] > 0.0:
            stop = max(stop, position[Held.STOP]) if trend > 0.0 else min(stop, position[Held.STOP])
        out[Answer.STOP] = stop


INTERVALS = TradeMethod[Intervals](
    name="INTERVALS",
    parameters=Intervals,
    columns=lambda line: (f"{line.trend}.KLINE.0.close", f"{line.trend}.EMA.1.value", "MMACDSHORT.0.delta"),
    pack=lambda line: np.array([line.target, line.trail], np.float64),
    decide=decide,
    memory=1,
    description="buys dips of a trend on a longer interval",
)


def register(registry: Registry) -> None:
    registry.register(INTERVALS)
