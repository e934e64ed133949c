"""WOI and NES: smoothed order-book imbalance and net taker volume (spec: analysis §5, §6.2, §7.9, defects D4, D24, D28).

Samples, one a bar. WOI: the order-book imbalance in [−1, 1] that `external.FLOW` brings, positive = more near bids. NES: taker
bought minus taker sold base volume, 2 · taker_buy_volume − volume, so it can be back-tested.

    Y = exponential mean of the samples over n, seeded by a simple one
    Z = edge Gaussian of the last n values of Y;  its delay is `edge_gaussian.mean_lag`
    (A, Q) = mean magnitude of Z, and Z over it

A missing sample holds everything but `sample`. After more than n missing samples in a row the line says nothing (NaN) and
begins anew: a stale order flow is none.
"""

from __future__ import annotations

import numpy as np

from atm.analyzers.contract import Floats, Indicator
from atm.analyzers.edge_gaussian import edge_gaussian, filtered
from atm.analyzers.external import IMBALANCE
from atm.analyzers.lines import distinct
from atm.analyzers.normalisers import bars_to_forget, mean_magnitude, relative, weight
from atm.model.analysis_configuration import OrderFlowLine
from atm.model.bars import Column
from atm.model.kernel import lean_kernel

VOLUME, TAKER_BUY = int(Column.VOLUME), int(Column.TAKER_BUY_VOLUME)
_HEAD = 11
_PARAMS = 5


@lean_kernel
def _book(state: Floats, n: float, k: float, k_mean: float, weights: Floats, sample: float) -> None:
    """Take one sample: average, filter and normaliser, see `advance_order_flow`."""
    if state[4] < n:
        if state[4] == 0.0:
            state[2] = sample
        state[3] += sample - state[2]
        state[4] += 1.0
        if state[4] < n:
            return
        state[7] = state[2] + state[3] / n
    else:
        state[7] += k * (sample - state[7])
    ring = state[_HEAD:]
    at = int(state[1]) + 1
    if at == len(ring):
        at = 0
    state[1] = at
    ring[at] = state[7]
    if state[0] < n:
        state[0] += 1.0
    if state[0] == n:
        state[8] = filtered(ring, at, weights)
        state[5], state[6], state[9] = mean_magnitude(state[5], state[6], k_mean, state[8])
        state[10] = relative(state[8], state[9], 0.0)


@lean_kernel
def _forget(state: Floats) -> None:
    state[0], state[1], state[3], state[4] = 0.0, -1.0, 0.0, 0.0
    state[5], state[6] = 0.0, 1.0
    state[7], state[8], state[9], state[10] = np.nan, np.nan, np.nan, np.nan


@lean_kernel
def advance_order_flow(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [1 = imbalance, 0 = net taker volume; row of the imbalance, n, k, normaliser weight, weights…].

    out [sample, Y, Z, A, Q]. state [averages in the ring, ring position, first sample, Σ(sample − first), samples seen,
    normaliser (2), Y, Z, A, Q, ring…, missing samples in a row].
    """
    n, k, k_mean = params[2], params[3], params[4]
    weights = params[_PARAMS:]
    own, last = state[:-1], len(state) - 1
    for i in range(start, stop):
        if params[0] == 1.0:
            sample = values[int(params[1]), i]
        else:
            sample = 2.0 * values[TAKER_BUY, i] - values[VOLUME, i]
        if sample == sample:
            _book(own, n, k, k_mean, weights, sample)
            state[last] = 0.0
        else:
            state[last] += 1.0
            if state[last] == n + 1.0:
                _forget(own)
        out[0, i] = sample
        for field in range(4):
            out[1 + field, i] = state[7 + field]


def _pack(line: OrderFlowLine) -> Floats:
    own = [line.window, weight(line.window), weight(_normaliser(line))]
    return np.concatenate([own, edge_gaussian(line.window, line.sigma)])


def _normaliser(line: OrderFlowLine) -> int:
    return line.normaliser or 10 * line.window


def _state(params: Floats) -> Floats:
    state = np.full(_HEAD + int(params[2]) + 1, np.nan)
    state[[0, 3, 4, 5, -1]] = 0.0
    state[1], state[6] = -1.0, 1.0
    return state


def _warm_up(line: OrderFlowLine) -> int:
    return 2 * line.window - 2 + max(1, bars_to_forget(weight(_normaliser(line)), 0.5))


def _settle(line: OrderFlowLine) -> int:
    return 2 * line.window + bars_to_forget(weight(line.window)) + bars_to_forget(weight(_normaliser(line)))


_FIELDS = ("sample", "average", "filtered", "abs_mean", "abs_mean_relative")

WOI = Indicator[OrderFlowLine](
    name="WOI",
    field="woi",
    fields=_FIELDS,
    lines=lambda configuration: distinct(configuration.woi, "woi", 3),
    pack=_pack,
    state=_state,
    advance=advance_order_flow,
    warm_up=_warm_up,
    settle=_settle,
    inputs=lambda configuration: (IMBALANCE,) if configuration.woi else (),
)

NES = Indicator[OrderFlowLine](
    name="NES",
    field="nes",
    fields=_FIELDS,
    lines=lambda configuration: distinct(configuration.nes, "nes", 3),
    pack=lambda line: np.concatenate([[0.0, 0.0], _pack(line)]),
    state=_state,
    advance=advance_order_flow,
    warm_up=_warm_up,
    settle=_settle,
)
