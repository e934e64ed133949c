"""The figures of a result by name and kind: one list for the terminal, the tear sheet and the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from atm.model.simulation import SimulationSummary

UNDEFINED = "–"
_MINUTES_PER_HOUR, _MINUTES_PER_DAY = 60.0, 1_440.0


class Kind(Enum):
    PERCENT = "percent"
    MONEY = "money"
    RATIO = "ratio"
    COUNT = "count"
    DAYS = "days"
    MINUTES = "minutes"


@dataclass(frozen=True, slots=True)
class Figure:
    """name: of the field of the statistics or else the summary, and of the text `statistic.<name>`; better: +1 more is
    better, −1 less, 0 neither."""

    name: str
    kind: Kind
    better: int

    def of(self, summary: SimulationSummary) -> float | None:
        """The figure of a result; None where it is not defined, or the result of an earlier version lacks it."""
        known = summary.statistics is not None and hasattr(summary.statistics, self.name)
        value: float | None = getattr(summary.statistics if known else summary, self.name, None)
        return value


P, M, R, C, D, T = Kind.PERCENT, Kind.MONEY, Kind.RATIO, Kind.COUNT, Kind.DAYS, Kind.MINUTES

GROUPS: dict[str, tuple[Figure, ...]] = {
    "result": (
        Figure("net_profit", M, 1),
        Figure("total_return", P, 1),
        Figure("cagr", P, 1),
        Figure("final_equity", M, 1),
        Figure("benchmark_return", P, 0),
        Figure("alpha", P, 1),
        Figure("beta", R, 0),
        Figure("growth_per_day", P, 1),
    ),
    "risk": (
        Figure("sharpe", R, 1),
        Figure("sortino", R, 1),
        Figure("calmar", R, 1),
        Figure("volatility", P, -1),
        Figure("max_drawdown", P, -1),
        Figure("max_drawdown_days", D, -1),
        Figure("longest_under_water_days", D, -1),
        Figure("ulcer", P, -1),
        Figure("liquidations", C, -1),
    ),
    "trades": (
        Figure("round_trips", C, 0),
        Figure("trades", C, 0),
        Figure("win_rate", P, 1),
        Figure("profit_factor", R, 1),
        Figure("expectancy", M, 1),
        Figure("payoff", R, 1),
        Figure("average_win", M, 1),
        Figure("average_loss", M, 1),
        Figure("best", M, 1),
        Figure("worst", M, 1),
        Figure("win_streak", C, 1),
        Figure("loss_streak", C, -1),
    ),
    "path": (
        Figure("mean_minutes", T, 0),
        Figure("median_minutes", T, 0),
        Figure("longest_minutes", T, 0),
        Figure("average_adverse", P, 1),
        Figure("worst_adverse", P, 1),
        Figure("average_favourable", P, 1),
        Figure("best_favourable", P, 1),
    ),
    "costs": (
        Figure("exposure", P, 0),
        Figure("mean_leverage", R, 0),
        Figure("peak_leverage", R, -1),
        Figure("traded_notional", M, 0),
        Figure("turnover", R, 0),
        Figure("fees", M, -1),
        Figure("funding", M, -1),
        Figure("cost_share", P, -1),
        Figure("unmarked_share", P, -1),
        Figure("constant_share", P, -1),
    ),
}
"""Figures by group; a group's name is that of the text `statistic_group.<name>`."""

FIGURES = {figure.name: figure for group in GROUPS.values() for figure in group}


def shown(figure: Figure, value: float | None) -> str:
    """A value as text, the same in every language."""
    if value is None:
        return UNDEFINED
    if figure.kind is Kind.PERCENT:
        return f"{value:.2%}" if abs(value) < 10 else f"{value:,.0%}"
    if figure.kind is Kind.COUNT:
        return f"{value:,.0f}"
    if figure.kind is Kind.DAYS:
        return f"{value:,.1f} d"
    if figure.kind is Kind.MINUTES:
        return duration(value)
    return f"{value:,.2f}"


def duration(minutes: float) -> str:
    """Minutes as minutes, hours or days."""
    if minutes < _MINUTES_PER_HOUR:
        return f"{minutes:.0f} min"
    if minutes < 2 * _MINUTES_PER_DAY:
        return f"{minutes / _MINUTES_PER_HOUR:.1f} h"
    return f"{minutes / _MINUTES_PER_DAY:.1f} d"
