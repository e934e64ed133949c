"""TEF, target-exposure functions: side and exposure as a function of the analysis (spec: trading §3.6–3.8). Numba kernels.

CYCLE_SIDE holds the side of the last result (0 = none yet, which counts as a change), REMAINING its size.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.kernel import lean_kernel
from atm.trading.layout import ExposureMemory, ExposureParameters, Input, Method, Position, Setup

Floats = NDArray[np.float64]

_TINY_WIDTH = 1e-9
_TINY_LENGTH = 1e-6


@lean_kernel
def rounded(value: float) -> float:
    """To six decimals."""
    return round(value * 1e6) / 1e6


@lean_kernel
def macd_share(s: Floats, z: float, side: float) -> float:
    """|y − δ| / w in [0, …): how far y = sgn(z)·tanh(|z/α|^β) lies beyond the threshold δ, 1 at the end of the side's range.

    NaN when the side has no range.
    """
    delta = s[ExposureParameters.DELTA]
    width = 1.0 - side * delta
    if width == 0.0:
        return math.nan
    y = math.copysign(math.tanh(math.pow(abs(z / s[ExposureParameters.ALPHA]), s[ExposureParameters.BETA])), z)
    return float(abs(y - delta) / max(width, _TINY_WIDTH))


@lean_kernel
def macd_exposure(p: Floats, s: Floats, z: float, side: float, turned: bool) -> float:
    """MMACDDEFAULT in [0, 1]: grows with the signal; once below `downhill` of its peak it may only shrink."""
    strength = s[ExposureParameters.STRENGTH_LONG] if side > 0.0 else s[ExposureParameters.STRENGTH_SHORT]
    share = macd_share(s, z, side)
    value = 0.0 if math.isnan(share) else rounded(share * strength)
    peak = value if turned else max(p[ExposureMemory.PEAK], value)
    downhill = (not turned and p[ExposureMemory.DOWNHILL] > 0.5) or value < peak * s[ExposureParameters.DOWNHILL]
    p[ExposureMemory.PEAK] = peak
    p[ExposureMemory.DOWNHILL] = 1.0 if downhill else 0.0
    return float(min(value, p[Position.REMAINING])) if downhill else value


@lean_kernel
def macd_long_exposure(p: Floats, s: Floats, z: float, side: float, turned: bool) -> float:
    """MMACDLONGDEFAULT in [0, 1]: full at the crossing, thinning out as the signal grows, never growing again."""
    strength = s[ExposureParameters.STRENGTH_LONG] if side > 0.0 else s[ExposureParameters.STRENGTH_SHORT]
    share = macd_share(s, z, side)
    value = 0.0 if math.isnan(share) else rounded(max(1.0 - share, 0.0) * strength)
    return value if turned else float(min(value, p[Position.REMAINING]))


@lean_kernel
def swing_exposure(p: Floats, s: Floats, row: Floats, side: float, turned: bool) -> float:
    """SPDDEFAULT in [0, 1]: full at deviation δ from the swing, thinning out over λ, never growing again within the leg."""
    first = ExposureParameters.SWING_LONG if side > 0.0 else ExposureParameters.SWING_SHORT
    delta, strength, length = s[first], s[first + 1], s[first + 2]
    moved = side * (row[Input.CLOSE] / row[Input.SWING_PRICE] - 1.0)
    value = 0.0
    if moved >= delta and length != 0.0:
        value = rounded(max((1.0 - (moved - delta) / max(length, _TINY_LENGTH)) * strength, 0.0))
    return value if turned else float(min(value, p[Position.REMAINING]))


@lean_kernel
def function_exposure(p: Floats, s: Floats, row: Floats) -> float:
    """Signed exposure in [−1, 1] by the position's function; 0 where its side may not be entered; NaN = no opinion.

    After a stop the same side stays closed until the function has changed its mind, unless re-entry is on.
    """
    function = int(s[Setup.FUNCTION_LONG])
    signal = row[Input.MMACD_SHORT] if s[ExposureParameters.SHORT_LINE] > 0.5 else row[Input.MMACD_LONG]
    if function == Method.SWING:
        signal = row[Input.SWING_TYPE] + 0.0 * row[Input.SWING_PRICE]
    if math.isnan(signal):
        return math.nan
    side = 1.0 if signal >= s[ExposureParameters.DELTA] else -1.0
    if function == Method.SWING:
        side = -1.0 if signal > 0.0 else 1.0
    turned = side != p[Position.CYCLE_SIDE]
    if function == Method.SWING:
        value = swing_exposure(p, s, row, side, turned)
    elif function == Method.MMACD:
        value = macd_exposure(p, s, signal, side, turned)
    else:
        value = macd_long_exposure(p, s, signal, side, turned)
    p[Position.CYCLE_SIDE] = side
    p[Position.REMAINING] = value
    if p[Position.STOP_MARK] != side:
        p[Position.STOP_MARK] = 0.0
    allowed = s[Setup.LONG] if side > 0.0 else s[Setup.SHORT]
    if allowed < 0.5 or p[Position.STOP_MARK] == side:
        return 0.0
    return float(side * value)
