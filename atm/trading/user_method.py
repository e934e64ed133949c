"""A user's method at a close: what it sees, and what is made of its answer. Numba kernels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import kernel, lean_kernel
from atm.model.trade_method import Answer, Held
from atm.trading.fills import stop_level
from atm.trading.layout import MEMORY, Input, Meta, Position, Setup, UserParameters
from atm.trading.method_call import call_method

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_INPUTS = len(Input)
_HELD, _ANSWER = len(Held), len(Answer)


@lean_kernel
def inside_bar(row: Floats) -> bool:
    """Whether this is the provisional row of a bar that is still open."""
    return bool(0.0 < row[Input.ELAPSED] < 1.0)


@lean_kernel
def count_bars(p: Floats, provisional: bool) -> float:
    """Closes of a decision bar since the entry, this one included if it is one; 0 when flat."""
    if p[Position.QUANTITY] == 0.0:
        return 0.0
    if not provisional:
        p[Position.BARS_HELD] += 1.0
    return float(p[Position.BARS_HELD])


@kernel
def seen_position(p: Floats, s: Floats, row: Floats) -> Floats:
    """The numbers of `Held`."""
    seen = np.zeros(_HELD)
    q, entry, close = p[Position.QUANTITY], p[Position.ENTRY], row[Input.CLOSE]
    side = 1.0 if q > 0.0 else -1.0
    if q != 0.0:
        if p[Position.ALLOCATED] > 0.0:
            seen[Held.EXPOSURE] = q * entry / s[Setup.LEVERAGE] / p[Position.ALLOCATED]
        seen[Held.QUANTITY] = q
        seen[Held.ENTRY] = entry
        seen[Held.RETURN] = side * (close / entry - 1.0)
        seen[Held.STOP] = p[Position.STOP]
    seen[Held.BARS] = count_bars(p, inside_bar(row))
    seen[Held.STOPPED] = p[Position.STOP_MARK]
    seen[Held.ALLOCATED] = p[Position.ALLOCATED]
    seen[Held.TARGET] = p[Position.TARGET]
    seen[Held.CLOSE] = close
    seen[Held.ELAPSED] = row[Input.ELAPSED] if inside_bar(row) else 1.0
    return seen


@lean_kernel
def place_protective(p: Floats, s: Floats, target: float, price: float) -> None:
    """The protective stop that was answered: of the held position at once, of one to be opened with its first fill.

    On the tick. At or beyond the market's price it acts at the next price, as any stop does.
    """
    if price > 0.0 and price < math.inf:
        price = round(price * s[Setup.TICK_UNITS]) / s[Setup.TICK_UNITS]
    elif not math.isnan(price):
        price = 0.0
    q = p[Position.QUANTITY]
    held = q != 0.0 and (math.isnan(target) or target * q >= 0.0)
    if held and not math.isnan(price):
        p[Position.PROTECTIVE] = price
        stop_level(p, s)
    if not held and not math.isnan(target):
        p[Position.NEXT_PROTECTIVE] = 0.0 if math.isnan(price) else price


@lean_kernel
def allowed_exposure(p: Floats, s: Floats, target: float) -> float:
    """The exposure wanted, within its bounds; 0 where its side may not be entered. After a stop a side stays closed until the
    method has wanted something else, unless re-entry is on."""
    target = max(-1.0, min(1.0, target))
    side = 0.0 if target == 0.0 else math.copysign(1.0, target)
    if p[Position.STOP_MARK] != side:
        p[Position.STOP_MARK] = 0.0
    if side == 0.0 or p[Position.STOP_MARK] == side or s[Setup.LONG if side > 0.0 else Setup.SHORT] < 0.5:
        return 0.0
    return float(target)


@kernel
def method_exposure(p: Floats, s: Floats, meta: Ints, i: int, row: Floats) -> float:
    """Signed exposure in [−1, 1] wanted after this bar or minute; NaN = no opinion. Places the protective stop, notes the limit.

    What the method sees of parameters and row are copies. One that fails has no opinion, and `meta` names its position i.
    """
    params = s[UserParameters.FIRST : UserParameters.FIRST + int(s[UserParameters.COUNT])].copy()
    memory = p[MEMORY : MEMORY + int(s[UserParameters.MEMORY])]
    seen = row[_INPUTS : _INPUTS + int(s[UserParameters.COLUMNS])].copy()
    position = seen_position(p, s, row)
    answer = np.full(_ANSWER, np.nan)
    if call_method(int(s[UserParameters.ADDRESS]), params, memory, seen, position, answer) == 0:
        meta[Meta.FAILED] = i + 1
        return math.nan
    target = answer[Answer.TARGET]
    if not math.isnan(target):
        target = allowed_exposure(p, s, target)
        p[Position.LIMIT] = answer[Answer.LIMIT] if 0.0 < answer[Answer.LIMIT] < math.inf else 0.0
    place_protective(p, s, target, answer[Answer.STOP])
    return float(target)


@lean_kernel
def price_orders(p: Floats) -> None:
    """Hand the limit that the method wants over to the orders that its decision has made."""
    limit = p[Position.LIMIT]
    if limit > 0.0 and p[Position.PENDING_OPEN] != 0.0:
        p[Position.OPEN_LIMIT] = limit
    if limit > 0.0 and p[Position.PENDING_CLOSE] != 0.0:
        p[Position.CLOSE_LIMIT] = limit
    p[Position.LIMIT] = 0.0
