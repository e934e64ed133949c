"""The quick figures of an equity curve and a picture of it, in one pass over the minutes. Definitions: docs/statistics.md.

The same as `equity.drawdown(…).largest`, `equity.sharpe_ratio(equity.daily_returns(…))` and a thinning; those need a dozen
passes and more time than the account engine itself.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel
from atm.simulators.statistics.equity import DAYS_PER_YEAR, MINUTES_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_POINTS = 3_000
_NOISE = 1e-12
_NEARLY = 1.0 + 1e-12
"""Whether a value is below the deepest fall so far is seen without a division; rounding must not hide one."""


@kernel
def skim(equity: Floats, initial: float, lead: int, block: int, kept: Ints) -> tuple[float, float, float, int, int]:
    """equity: at the close of each minute; lead: minutes before the first midnight; block: minutes of a stretch.

    Fills `kept` with the positions, ascending, of the lowest and highest value of each stretch and of the last one →
    (largest drawdown as a fraction, mean and sum of squared deviations of the daily returns, their number, positions kept).
    """
    n = equity.shape[0]
    peak, fall, floor = initial, 0.0, initial
    before, mean, squares, days = initial, 0.0, 0.0, 0
    ruined = False
    count = 0
    midnight = lead if lead else MINUTES_PER_DAY  # minutes until the next one
    if lead:
        days = -1  # what lies before the first midnight is no whole day
    for begin in range(0, n, block):
        end = min(n, begin + block)
        low = high = begin
        for t in range(begin, end):
            value = equity[t]
            if value < equity[low]:
                low = t
            elif value > equity[high]:
                high = t
            if value > peak and not ruined:
                peak = value
                floor = peak * (1.0 - fall) * _NEARLY
            elif value < floor or value <= 0.0:
                fall = max(fall, 1.0 - max(value, 0.0) / peak)
                floor = peak * (1.0 - fall) * _NEARLY
            midnight -= 1
            ends = value <= 0.0
            if (midnight == 0 or ends) and not ruined:
                ruined = ends
                now = max(value, 0.0)
                days += 1
                if days == 0 and ruined:
                    days = 1
                if days > 0:
                    change = now / before - 1.0
                    delta = change - mean
                    mean += delta / days
                    squares += delta * (change - mean)
                before = now
            if midnight == 0:
                midnight = MINUTES_PER_DAY
        kept[count] = min(low, high)
        count += 1
        if low != high:
            kept[count] = max(low, high)
            count += 1
    if n and kept[count - 1] != n - 1:
        kept[count] = n - 1
        count += 1
    return fall, mean, squares, max(days, 0), count


def skimmed(equity: Floats, initial: float, start_ms: int) -> tuple[float, float | None, Ints]:
    """(largest drawdown, Sharpe ratio or None, positions to draw, at most about `MOST_POINTS`) of a curve that begins after
    `start_ms` with `initial` > 0."""
    block = max(1, -(-2 * len(equity) // MOST_POINTS))
    kept = np.empty(2 * (len(equity) // block + 1) + 1, np.int64)
    lead = -start_ms // MINUTE_MS % MINUTES_PER_DAY
    fall, mean, squares, days, count = skim(equity, initial, lead, block, kept)
    deviation = math.sqrt(squares / (days - 1)) if days > 1 else 0.0
    sharpe = mean / deviation * math.sqrt(DAYS_PER_YEAR) if deviation > _NOISE else None
    return fall, sharpe, kept[:count]
