"""Parabolic stop and reverse (spec: analysis §7.4) and swings (§4.11, confirmed by the close as L8 recommends)."""

from __future__ import annotations

import msgspec
import numpy as np

from atm.analyzers.contract import OPEN_TIME, Floats, Indicator
from atm.analyzers.lines import distinct
from atm.model.analysis_configuration import ParabolicLine
from atm.model.bars import Column
from atm.model.errors import Invalid
from atm.model.kernel import lean_kernel

HIGH, LOW, CLOSE = int(Column.HIGH), int(Column.LOW), int(Column.CLOSE)


@lean_kernel
def _step_psar(
    rising: bool, f: float, e: float, s: float, high: float, low: float, h1: float, h2: float, l1: float, l2: float,
    a0: float, step: float, top: float,
) -> tuple[bool, float, float, float]:  # fmt: skip
    """One bar: (rising, acceleration, extreme, value). The value is clamped to the two bars before, then tested."""
    s += f * (e - s)
    if rising:
        s = min(s, l1, l2)
        if low < s:
            return False, a0, low, e
        if high > e:
            return True, min(top, f + step), high, s
    else:
        s = max(s, h1, h2)
        if high > s:
            return True, a0, high, e
        if low < e:
            return False, min(top, f + step), low, s
    return rising, f, e, s


@lean_kernel
def advance_psar(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [start, step, maximum]; out [value, direction], direction +1 rising, −1 falling.

    state [valid bars in a row (≤ 3), high and low of the two bars before, rising, acceleration, extreme, value,
    value out, direction out]. A missing bar holds the outputs and begins the start-up sequence anew.
    """
    a0, step, top = params[0], params[1], params[2]
    run = int(state[0])
    h1, l1, h2, l2 = state[1], state[2], state[3], state[4]
    rising, f, e, s = state[5] > 0.0, state[6], state[7], state[8]
    value, direction = state[9], state[10]
    for i in range(start, stop):
        high, low = values[HIGH, i], values[LOW, i]
        if high == high and low == low:
            if run == 1:
                rising = max(0.0, l1 - low) <= max(0.0, high - h1)
            elif run == 2:
                f = a0
                e, s = (max(h1, h2), min(l1, l2)) if rising else (min(l1, l2), max(h1, h2))
            elif run == 3:
                rising, f, e, s = _step_psar(rising, f, e, s, high, low, h1, h2, l1, l2, a0, step, top)
            if run >= 2:
                value, direction = s, 1.0 if rising else -1.0
            run = min(run + 1, 3)
            h2, l2, h1, l1 = h1, l1, high, low
        else:
            run = 0
        out[0, i], out[1, i] = value, direction
    state[0] = run
    state[1], state[2], state[3], state[4] = h1, l1, h2, l2
    state[5], state[6], state[7], state[8] = 1.0 if rising else -1.0, f, e, s
    state[9], state[10] = value, direction


@lean_kernel
def advance_swings(params: Floats, state: Floats, values: Floats, start: int, stop: int, out: Floats) -> None:
    """params [range]; out [price, type, time] of the last confirmed swing, type +1 high, −1 low, time Unix ms of its bar.

    state [sought type (NaN before the first bar), candidate price, candidate time, price, type, time]. A bar that moves
    the candidate cannot confirm it; a missing bar changes nothing.
    """
    reach = params[0]
    sought, extreme, moment = state[0], state[1], state[2]
    price, kind, when = state[3], state[4], state[5]
    for i in range(start, stop):
        close = values[CLOSE, i]
        if close == close:
            high, low, time = values[HIGH, i], values[LOW, i], values[OPEN_TIME, i]
            if sought != sought:
                sought, extreme, moment = -1.0, low, time
            elif sought < 0.0:
                if low < extreme:
                    extreme, moment = low, time
                elif close > extreme * (1.0 + reach):
                    price, kind, when = extreme, -1.0, moment
                    sought, extreme, moment = 1.0, high, time
            elif high > extreme:
                extreme, moment = high, time
            elif close < extreme * (1.0 - reach):
                price, kind, when = extreme, 1.0, moment
                sought, extreme, moment = -1.0, low, time
        out[0, i], out[1, i], out[2, i] = price, kind, when
    state[0], state[1], state[2] = sought, extreme, moment
    state[3], state[4], state[5] = price, kind, when


class Swing(msgspec.Struct, frozen=True):
    """range: reversal that confirms a swing, as a fraction of its price."""

    range: float


def _pack_psar(line: ParabolicLine) -> Floats:
    if line.start > line.maximum:
        raise Invalid("psar.start", line.start, f"at most psar.maximum ({line.maximum:g})")
    return np.array([line.start, line.step, line.maximum])


def _psar_state(_params: Floats) -> Floats:
    state = np.full(11, np.nan)
    state[0] = 0.0
    return state


PSAR = Indicator[ParabolicLine](
    name="PSAR",
    field="psar",
    fields=("value", "direction"),
    lines=lambda configuration: distinct(configuration.psar, "psar", 5),
    pack=_pack_psar,
    state=_psar_state,
    advance=advance_psar,
    warm_up=lambda _line: 3,
    settle=lambda _line: None,
)

SWING = Indicator[Swing](
    name="SWING",
    field="swing_range",
    fields=("price", "type", "time"),
    lines=lambda configuration: (Swing(configuration.swing_range),),
    pack=lambda swing: np.array([swing.range]),
    state=lambda _params: np.full(6, np.nan),
    advance=advance_swings,
    warm_up=lambda _swing: 2,
    settle=lambda _swing: None,
    singleton=True,
)
