"""The method of the kill campaign, a user's file: the side on which the close lies of its mean, and more of it where it lies far away.

It looks at prices alone, so what it must have decided at any close can be computed from the bars (`expected`).
"""

from __future__ import annotations

import msgspec
import numpy as np

from atm.analyzers import Registry
from atm.model.kernel import kernel
from atm.trading import Answer, Held, TradeMethod

LITTLE, MUCH, FAR = 0.4, 0.8, 0.0015


class Mean(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """patience: how far from the close entries wait at a limit, 0 = at market."""

    patience: float = 0.0


@kernel
def decide(params, memory, row, position, out):
    mean, close = row[0], position[Held.CLOSE]
    if np.isnan(mean):
        return
    gap = close / mean - 1.0
    side = 1.0 if gap > 0.0 else -1.0
    out[Answer.TARGET] = side * (MUCH if abs(gap) > FAR else LITTLE)
    if params[0] > 0.0:
        out[Answer.LIMIT] = close * (1.0 - side * params[0])


def register(registry: Registry) -> None:
    registry.register(
        TradeMethod[Mean](
            name="MEAN",
            parameters=Mean,
            columns=lambda _line: ("SMA.1.value",),
            pack=lambda line: np.array([line.patience], np.float64),
            decide=decide,
            memory=0,
            description="the side of the mean on which the close lies",
        )
    )
