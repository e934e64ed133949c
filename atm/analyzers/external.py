"""Columns that come from outside the bars: order flow and a neural network (spec: analysis §1.6, §5.1, §7.1, §7.10).

They are indicators, so that others may name them as inputs, but no kernel makes them: the pipeline fills their rows. What was
not supplied is NaN, which means *not recorded*, never zero.

* FLOW.0.imbalance   mean over the present minutes of the bar of each minute's order-book imbalance in [−1, 1], as recorded
                     (`atm.model.flow`); a minute without a bar, or in which the book was hardly known, is left out
* NNA.0.output       output of the configured network for the window that ends with the bar, in [−1, 1]; see `Network`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import msgspec
import numpy as np

from atm.analyzers.contract import Advance, Floats, Indicator
from atm.model.analysis_configuration import IntervalAnalyses, NetworkSignal
from atm.model.errors import Invalid
from atm.model.kernel import lean_kernel

IMBALANCE = "FLOW.0.imbalance"
NETWORK = "NNA.0.output"


class Network(Protocol):
    """A trained network as an analysis sees it: columns in, outputs out. It has no state and reads no clock.

    inputs: columns that it reads, as `NAME.line.field`, of analyses that are evaluated before it (bars, averages, …, not PIP).
    window: bars that one output depends on, ≥ 1, the newest of which is the bar of the output.
    fingerprint: another one for every change of its outputs; results and states of another are void.
    """

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def window(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...

    def outputs(self, values: Floats) -> Floats:
        """(n,) outputs in [−1, 1] of the n newest bars of `values` (inputs, window − 1 + n), NaN = no value.

        An output is a function of its own window alone, to the bit, however many are asked for at once. Values before the
        beginning of the analysis are NaN.
        """


Networks = Mapping[str, Network]
"""By the name under which a configuration asks for them."""


@lean_kernel
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


def supplied(indicator: Indicator[Any], analyses: IntervalAnalyses, networks: Networks) -> Indicator[Any]:
    """NNA driven by the network that these analyses name, if there is one; any other indicator as it is.

    Raises Invalid for a network without inputs or without a window.
    """
    wanted = analyses.neural_network
    network = None if wanted is None or indicator.name != NNA.name else networks.get(wanted.network)
    if network is None:
        return indicator
    window, inputs = network.window, network.inputs
    if window < 1 or not inputs:
        raise Invalid(
            "neural_network.network", indicator.name, "a network with inputs and a window of at least one bar"
        )
    return replace(
        indicator,
        state=lambda _params: np.full(len(inputs) * (window - 1), np.nan),
        advance=_driven_by(network),
        warm_up=lambda _line: window,
        settle=lambda _line: window,
        inputs=lambda _analyses: inputs,
        version=network.fingerprint,
    )


def _driven_by(network: Network) -> Advance:
    """`advance` whose state is the inputs of the last window − 1 bars."""

    def advance(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
        rows = params[1 : 1 + int(params[0])].astype(np.intp)
        before = state.reshape(len(rows), -1)
        seen = np.concatenate([before, values[rows, start:stop]], axis=1)
        out[0, start:stop] = network.outputs(seen)
        before[:] = seen[:, seen.shape[1] - before.shape[1] :]

    return advance
