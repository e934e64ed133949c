"""Columns that come from outside the bars: order flow and a neural network (spec: analysis §1.6, §5.1, §7.1, §7.10).

They are indicators, so that others may name them as inputs, but nothing computes them here: `external` is set, and whoever
owns the frame writes the supplied values into their rows. `advance` is for bars for which nothing was supplied: NaN, which
means *not recorded*, never zero.

* FLOW.0.imbalance   mean over the present minutes of the bar of each minute's time-weighted order-book imbalance in [−1, 1]:
                     (Σ bids ω·q − Σ asks ω·q) / (Σ bids ω·q + Σ asks ω·q), ω = ½ ^ (distance from the mid / 2.5 %)
                     (D5, D24: the current book only, free of the price's and the market's scale)
* NNA.0.output       output of the configured network for the window that ends with the bar, in [−1, 1]
"""

from __future__ import annotations

import msgspec
import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.model.analysis_configuration import NetworkSignal
from atm.model.kernel import kernel

IMBALANCE = "FLOW.0.imbalance"
NETWORK = "NNA.0.output"


@kernel
def advance_absent(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """Nothing was supplied."""
    for i in range(start, stop):
        out[0, i] = np.nan


def _nothing(_params: object) -> Floats:
    return np.empty(0)


class Flow(msgspec.Struct, frozen=True):
    """The order-flow input has no parameters."""


FLOW = Indicator[Flow](
    name="FLOW",
    fields=("imbalance",),
    lines=lambda configuration: (Flow(),) if configuration.woi else (),
    pack=_nothing,
    state=_nothing,
    advance=advance_absent,
    warm_up=lambda _line: 1,
    settle=lambda _line: 1,
    singleton=True,
    external=True,
)

NNA = Indicator[NetworkSignal](
    name="NNA",
    field="neural_network",
    fields=("output",),
    lines=lambda configuration: () if configuration.neural_network is None else (configuration.neural_network,),
    pack=_nothing,
    state=_nothing,
    advance=advance_absent,
    warm_up=lambda _line: 1,
    settle=lambda _line: 1,
    singleton=True,
    external=True,
)
