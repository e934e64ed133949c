"""What a trial of other parameters gives: the figures that are quick to compute, while somebody drags a slider."""

from __future__ import annotations

import msgspec


class TrialFigures(msgspec.Struct, frozen=True):
    """Money in the quote asset, ratios as fractions; funding > 0 was paid; sharpe None where it is not defined. Defined as in
    `SimulationSummary` and `SimulationStatistics`; of shares None = nothing was held, or no stamp charged."""

    net_profit: float
    total_return: float
    max_drawdown: float
    sharpe: float | None
    trades: int
    fees: float
    funding: float
    liquidations: int
    unmarked_share: float | None = None
    constant_share: float | None = None
