"""Figures of the equity curve: the margin balance at each minute's close. Definitions: docs/statistics.md.

`equity` is float64 (n,), one value per minute, `initial` the equity before the first. A ruined account (equity <= 0) has
lost everything at that moment: its series ends there with the return −1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_MS = 86_400_000
MINUTES_PER_DAY = 1_440
DAYS_PER_YEAR = 365
MINUTES_PER_YEAR = DAYS_PER_YEAR * MINUTES_PER_DAY
_NOISE = 1e-12
"""A standard deviation below this is rounding, not risk."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """largest: fraction of the peak; minutes: of that drawdown from peak to recovery (or the end); longest_minutes: of any;
    ulcer: root mean square of all drawdowns."""

    largest: float = 0.0
    minutes: int = 0
    longest_minutes: int = 0
    ulcer: float = 0.0


def until_ruin(equity: Floats) -> Floats:
    """The curve up to and including the minute of ruin, which counts as 0."""
    if not len(equity) or float(np.min(equity)) > 0.0:
        return equity
    first = int(np.argmax(equity <= 0.0))
    return np.concatenate((equity[:first], [0.0]))


def daily_returns(equity: Floats, initial: float, start_ms: int) -> Floats:
    """Returns between successive midnights UTC; incomplete days at both ends are left out (but not the day of ruin)."""
    if not len(equity) or initial <= 0.0:
        return np.zeros(0)
    lead = -start_ms // MINUTE_MS % MINUTES_PER_DAY
    curve = until_ruin(equity)
    values = curve[lead - 1 if lead else MINUTES_PER_DAY - 1 :: MINUTES_PER_DAY]
    if not lead:
        values = np.concatenate(([initial], values))
    if curve[-1] == 0.0 and (not len(values) or values[-1] > 0.0):
        values = np.concatenate((values if len(values) else [initial], [0.0]))
    return values[1:] / values[:-1] - 1.0


def annual_growth(equity: Floats, initial: float) -> float:
    """CAGR: (E_n / E_0)^(1 / years) − 1; −1 after ruin. A short range with an enormous rate is capped at 1e9."""
    if not len(equity) or initial <= 0.0:
        return 0.0
    final = float(until_ruin(equity)[-1])
    if final <= 0.0:
        return -1.0
    exponent = math.log(final / initial) * MINUTES_PER_YEAR / len(equity)
    return math.expm1(min(exponent, math.log(1e9)))


def volatility(returns: Floats) -> float:
    """Sample standard deviation of the daily returns · √365."""
    return float(np.std(returns, ddof=1)) * math.sqrt(DAYS_PER_YEAR) if len(returns) > 1 else 0.0


def sharpe_ratio(returns: Floats) -> float | None:
    """mean / sample standard deviation of the daily returns · √365, risk-free rate 0; None without variance."""
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / deviation * math.sqrt(DAYS_PER_YEAR) if deviation > _NOISE else None


def sortino_ratio(returns: Floats) -> float | None:
    """mean / root mean square of the negative daily returns (over all days) · √365; None without a losing day."""
    if len(returns) < 2:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * math.sqrt(DAYS_PER_YEAR) if downside > _NOISE else None


def drawdown(equity: Floats, initial: float) -> Drawdown:
    """Falls from the running peak, the initial equity being the first one; after ruin the whole rest is under water."""
    if not len(equity) or initial <= 0.0:
        return Drawdown()
    falls = np.empty(len(equity) + 1)
    deepest, minutes, longest = fall_from_peaks(equity, initial, falls)
    largest = float(falls[deepest])
    return Drawdown(
        largest=largest,
        minutes=minutes if largest > 0.0 else 0,
        longest_minutes=longest if longest > 1 or largest > 0.0 else 0,
        ulcer=math.sqrt(float(np.dot(falls, falls)) / len(falls)),
    )


@kernel
def fall_from_peaks(equity: Floats, initial: float, falls: Floats) -> tuple[int, int, int]:
    """Writes the fall from the running peak at the start and after each minute, a fraction, into `falls` (n + 1,) →
    (place of the deepest, length of the stretch between two touches of the peak that it lies in, that of the longest).

    An end under water closes the last stretch; a touch of the old peak ends one.
    """
    falls[0] = 0.0
    peak, touched, ruined = initial, 0, False
    deepest, length, longest = 0, 0, 0
    last = falls.shape[0] - 1
    for k in range(1, last + 1):
        value = equity[k - 1]
        ruined = ruined or value <= 0.0
        if ruined:
            value = 0.0
        if value >= peak:
            longest = max(longest, k - touched)
            if deepest >= touched:
                length = k - touched
            touched, peak = k, value
        falls[k] = 1.0 - value / peak
        if falls[k] > falls[deepest]:
            deepest = k
    if deepest >= touched:
        length = last - touched
    return deepest, length, max(longest, last - touched)


def growth_fit(equity: Floats, initial: float, start_ms: int) -> tuple[float, float]:
    """Least squares of ln E (at midnights) on days → (growth per day e^g − 1, standard deviation of the residuals)."""
    returns = daily_returns(equity, initial, start_ms)
    if len(returns) < 2 or returns.min() <= -1.0:
        return 0.0, 0.0
    y = np.concatenate(([0.0], np.cumsum(np.log1p(returns))))
    x = np.arange(len(y)) - (len(y) - 1) / 2
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    return math.expm1(slope), math.sqrt(float(residual @ residual) / len(y))


def thin(time_ms: Ints, equity: Floats, most: int = 20_000) -> tuple[Ints, Floats]:
    """At most about `most` points that keep every block's lowest, highest and last value, for storing and drawing."""
    if len(equity) <= most:
        return time_ms, equity
    block = -(-len(equity) // (most // 3))
    starts = np.arange(0, len(equity), block)
    chosen = []
    for start in starts:
        part = equity[start : start + block]
        chosen += [start + int(np.argmin(part)), start + int(np.argmax(part)), start + len(part) - 1]
    kept = np.unique(np.array(chosen, np.int64))
    return time_ms[kept], equity[kept]
