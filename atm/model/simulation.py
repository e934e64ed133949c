"""Simulations: their specification (also the TOML of `./run.sh backtest`) and their summary."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import msgspec

from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, expanded
from atm.model.statistics import Finding, SimulationStatistics
from atm.model.trade_configuration import TradeConfiguration, expanded_trade


class SimulationSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A self-contained simulation.

    start, end: "YYYY-MM-DD[ HH:MM]" UTC, half-open; assets by name; positions refer by code to the
    configurations given here.
    """

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\w .-]+$")]
    start: str
    end: str
    assets: dict[str, AssetSetup]
    positions: Annotated[tuple[PositionSetup, ...], msgspec.Meta(min_length=1)]
    analysis: Annotated[tuple[AnalysisConfiguration, ...], msgspec.Meta(min_length=1)]
    trade: Annotated[tuple[TradeConfiguration, ...], msgspec.Meta(min_length=1)]
    costs: CostModel = CostModel()


def expanded_specification(raw: Any) -> Any:
    """A specification as it stands in a file or in the database, the short forms of its configurations written out."""
    if not isinstance(raw, dict):
        return raw
    shapes = {"analysis": expanded, "trade": expanded_trade}
    long = {
        name: [shape(one) for one in raw[name]] for name, shape in shapes.items() if isinstance(raw.get(name), list)
    }
    return {**raw, **long}


class SimulationStatus(Enum):
    """PAUSED: held, either in the queue or on the simulator that has it."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class SimulationPhase(Enum):
    """What a simulator is doing; analyses are read and computed position by position."""

    READING = "READING"
    ANALYSING = "ANALYSING"
    SIMULATING = "SIMULATING"
    EVALUATING = "EVALUATING"


class SimulationSummary(msgspec.Struct, frozen=True):
    """What `./run.sh backtest --json` prints. Money in the quote asset; ratios as fractions.

    trades counts fills; win_rate and profit_factor are over round trips (flat to flat) net of fees and funding;
    net_profit = final_equity - initial equity; funding > 0 was paid; max_drawdown a fraction of the peak of the
    minute equity; trade_hash a SHA-256 over the trade list, equal for equal trades; sharpe and profit_factor are 0 where they
    are not defined (`statistics` says None). statistics and findings (worst first) are missing in results of earlier versions.
    methods: versions (hashes of their files) of the users' methods that it traded by, by name. sources: minutes of all symbols by
    where they came from (names of `Source` in lower case; {} = not known).
    """

    code: str
    symbols: tuple[str, ...]
    start: str
    end: str
    bars: int
    missing_bars: int
    trades: int
    round_trips: int
    win_rate: float
    net_profit: float
    total_return: float
    fees: float
    funding: float
    profit_factor: float
    max_drawdown: float
    sharpe: float
    exposure: float
    final_equity: float
    liquidations: int
    wall_seconds: float
    trade_hash: str
    warnings: tuple[str, ...] = ()
    statistics: SimulationStatistics | None = None
    findings: tuple[Finding, ...] = ()
    methods: dict[str, str] = {}
    sources: dict[str, int] = {}


class SimulationState(msgspec.Struct, frozen=True):
    """A simulation in the queue or done. progress 0 … 1; error "" unless FAILED; created_ms wall clock; start, end: its range.

    rank: its place among those that wait, lowest first (not consecutive). While it runs: phase; rate, minutes of single
    positions a second; seconds_left, estimated, None while nothing can be said.
    """

    code: str
    status: SimulationStatus
    progress: float
    created_ms: int
    error: str = ""
    summary: SimulationSummary | None = None
    start: str = ""
    end: str = ""
    rank: int = 0
    phase: SimulationPhase | None = None
    rate: float = 0.0
    seconds_left: float | None = None
