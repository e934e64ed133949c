"""A mean reverter, with a user's indicator among its columns: it buys what has fallen too far and sells what has risen too far.

REVERSION enters when a bar closes outside of its Bollinger band, the money-flow index (MFI) says that the move is spent, and the
rate of change (ROC, from example_indicator.py in this folder) is not so large that it may be a crash. It leaves at the middle
of the band, or after `patience` bars. Its memory is one number: how many bars it still waits after a position. In a simulation:

    [trade.method]
    type = "USER"
    name = "REVERSION"

examples/method_reversion.toml runs it; docs/plugins.md explains every part.
"""

from typing import Annotated

import msgspec
import numpy as np

from atm.analyzers import Registry
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

WAIT = 0


class Reversion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can set, with its bounds."""

    flow: Annotated[
        float, msgspec.Meta(ge=0, le=50, description="distance of MFI from 50 at which a move counts as spent")
    ] = 20.0
    crash: Annotated[
        float,
        msgspec.Meta(gt=0, le=1, description="rate of change beyond which nothing is opened", extra={"unit": "%"}),
    ] = 0.08
    stop: Annotated[
        float,
        msgspec.Meta(gt=0, lt=1, description="distance of the protective stop from the close", extra={"unit": "%"}),
    ] = 0.025
    patience: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="bars after which a position is given up")] = 96
    rest: Annotated[int, msgspec.Meta(ge=0, le=10_000, description="bars without entry after a position")] = 8
    at_limit: Annotated[bool, msgspec.Meta(description="entries as limit orders at the close that decides")] = False


@kernel
def decide(params, memory, row, position, out):
    lower, middle, upper, flow, change = row[0], row[1], row[2], row[3], row[4]
    spent, crash, stop, patience, rest, at_limit = params[0], params[1], params[2], params[3], params[4], params[5]
    close = position[Held.CLOSE]
    if np.isnan(lower) or np.isnan(flow) or np.isnan(change):
        return  # no opinion: `out` is NaN
    held = position[Held.QUANTITY]
    out[Answer.TARGET] = 0.0
    if held != 0.0:
        memory[WAIT] = rest
        back = close >= middle if held > 0.0 else close <= middle
        if not back and position[Held.BARS] < patience:
            out[Answer.TARGET] = position[Held.TARGET]
        return
    memory[WAIT] = max(0.0, memory[WAIT] - 1.0)
    if memory[WAIT] > 0.0 or abs(change) > crash:
        return
    side = 0.0
    if close < lower and flow < 50.0 - spent:
        side = 1.0
    elif close > upper and flow > 50.0 + spent:
        side = -1.0
    out[Answer.TARGET] = side
    if side != 0.0:
        out[Answer.STOP] = close * (1.0 - side * stop)
        if at_limit > 0.5:
            out[Answer.LIMIT] = close


REVERSION = TradeMethod[Reversion](
    name="REVERSION",
    parameters=Reversion,
    columns=lambda _line: ("BOL.1.lower", "BOL.1.middle", "BOL.1.upper", "MFI.1.value", "ROC.1.value"),
    pack=lambda line: np.array([line.flow, line.crash, line.stop, line.patience, line.rest, line.at_limit], np.float64),
    decide=decide,
    memory=1,
    description="buys below the Bollinger band and sells above it",
)


def register(registry: Registry) -> None:
    registry.register(REVERSION)
