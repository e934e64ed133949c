"""Buy-and-hold beside the strategy, and how its days depend on the market's. Definitions: docs/statistics.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from atm.model.statistics import RegimeResult
from atm.simulators.statistics.path import PathFacts

Floats = NDArray[np.float64]

_THIRDS = 3
_FEWEST_DAYS = 15
_HOURS = 24


def buy_and_hold(seen: Mapping[str, PathFacts], weights: Mapping[str, float], initial: float) -> Floats:
    """Equity at the moments that `seen` holds the closes of, when `initial` buys the symbols by weight at their first price,
    without costs and without leverage."""
    total = sum(weights.values()) or 1.0
    value = np.zeros(len(next(iter(seen.values())).closes))
    for symbol, path in seen.items():
        value += (
            initial * weights[symbol] / total * np.where(np.isnan(path.closes), 1.0, path.closes / path.first_price)
        )
    return value


def alpha_beta(returns: Floats, market: Floats, days_per_year: int) -> tuple[float | None, float | None]:
    """Least squares of daily returns on those of the market → (intercept · 365, slope); None without variance."""
    n = min(len(returns), len(market))
    if n < _FEWEST_DAYS or float(np.std(market[:n])) <= 1e-12:
        return None, None
    x, y = market[:n] - market[:n].mean(), returns[:n]
    beta = float(x @ y / (x @ x))
    return float(y.mean() - beta * market[:n].mean()) * days_per_year, beta


def regimes(seen: Mapping[str, PathFacts], gains: Floats, lead: int) -> tuple[RegimeResult, ...]:
    """Gains of whole days (money) by thirds of the market's trend and volatility on the same day.

    seen: with hourly closes; lead: hours before the first midnight. Trend is the efficiency |ln C_24/C_0| /
    Σ|ln C_h/C_(h−1)| of the hourly closes, volatility √Σ(ln C_h/C_(h−1))²; the mean over the symbols.
    """
    days = len(gains)
    if days < _FEWEST_DAYS:
        return ()
    trend, risk = np.zeros(days), np.zeros(days)
    for path in seen.values():
        logs = np.log(path.closes)
        steps = np.nan_to_num(np.diff(logs, prepend=logs[:1]))[lead : lead + days * _HOURS].reshape(days, _HOURS)
        walked = np.abs(steps).sum(axis=1)
        trend += np.divide(np.abs(steps.sum(axis=1)), walked, out=np.zeros(days), where=walked > 0)
        risk += np.sqrt((steps**2).sum(axis=1))
    found = []
    for kind, measure in (("trend", trend), ("volatility", risk)):
        rank = np.argsort(np.argsort(measure, kind="stable"), kind="stable") * _THIRDS // days
        for third in range(_THIRDS):
            mine = gains[rank == third]
            found.append(RegimeResult(kind, third, len(mine), float(mine.sum())))
    return tuple(found)
