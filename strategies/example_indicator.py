"""An indicator of your own: copy this file, change it, and add it to an analysis configuration under `user`.

ROC, the rate of change: by how much the close has moved since some bars ago, as a fraction (0.01 = 1 %). In a configuration:

    [[intervals]]
    interval = "15m"
    user = { ROC = [{ window = 12 }, { window = 48 }] }

Its columns are then `15m.ROC.1.value` and `15m.ROC.2.value`. docs/plugins.md explains every part.
"""

from typing import Annotated

import msgspec
import numpy as np

from atm.analyzers import Indicator, Registry
from atm.model.bars import Column
from atm.model.kernel import kernel

CLOSE = int(Column.CLOSE)


class RateOfChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user can set, with its bounds."""

    window: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="bars to look back")] = 12


@kernel
def advance(params, state, values, start, stop, out):
    """Bars start … stop − 1. `state` is all that is remembered: the position in the ring, then the last closes."""
    window = int(params[0])
    ring = state[1:]
    at = int(state[0])
    for i in range(start, stop):
        close = values[CLOSE, i]
        out[0, i] = close / ring[at] - 1.0  # no value (NaN) while the ring is not full, and where a bar is missing
        ring[at] = close
        at = at + 1 if at + 1 < window else 0
    state[0] = at


def empty_ring(params):
    """The state before the first bar."""
    state = np.full(1 + int(params[0]), np.nan)
    state[0] = 0.0
    return state


ROC = Indicator[RateOfChange](
    name="ROC",
    fields=("value",),
    parameters=RateOfChange,
    pack=lambda line: np.array([line.window], np.float64),
    state=empty_ring,
    advance=advance,
    warm_up=lambda line: line.window + 1,
    settle=lambda line: line.window + 1,
)


def register(registry: Registry) -> None:
    registry.register(ROC)
