"""From configurations to the constant tables of the account engine, with every check that a position needs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import bracket_table, max_notional
from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import HOUR_MS
from atm.model.trade_configuration import Direction, RotationalGaussian1, Sense, TradeConfiguration
from atm.trading.layout import Setup

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """Constant tables. positions in priority order; `brackets[first[i]:first[i + 1]]` belong to position i."""

    positions: tuple[PositionSetup, ...]
    trade: tuple[TradeConfiguration, ...]
    assets: tuple[str, ...]
    setups: Floats
    ratios: Floats
    balances: Floats
    brackets: Floats
    first: NDArray[np.int64]


def build(
    assets: Mapping[str, AssetSetup],
    positions: Iterable[PositionSetup],
    analysis: Iterable[AnalysisConfiguration],
    trade: Iterable[TradeConfiguration],
    instruments: Iterable[Instrument],
    costs: CostModel,
) -> EngineSetup:
    """Check everything against everything. Raises `Invalid` naming the field, the value and what is allowed."""
    ordered = tuple(sorted(positions, key=lambda position: (position.priority, position.symbol)))
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    analyses = {configuration.code: configuration for configuration in analysis}
    trades = {configuration.code: configuration for configuration in trade}
    names = tuple(sorted(assets))
    rows, tables = [], []
    chosen = []
    for position in ordered:
        if sum(other.symbol == position.symbol for other in ordered) > 1:
            raise Invalid("positions.symbol", position.symbol, "each symbol once")
        instrument = _known("positions.symbol", position.symbol, by_symbol)
        configuration = _known("positions.analysis", position.analysis, analyses)
        if configuration.decisive is None or configuration.decisive.pip is None:
            where = f"set for {configuration.decision.value} in {configuration.code}"
            raise Invalid(
                "analysis.pip", None, f"{where}: RQPM trades on the classical signal of the decision interval"
            )
        settings = _known("positions.trade", position.trade, trades)
        if instrument.quote_asset not in names:
            allowed = f"an initial balance in {instrument.quote_asset}, in which {position.symbol} is settled"
            raise Invalid("assets", ", ".join(names), allowed)
        table = bracket_table(instrument.brackets)
        _check(settings, instrument, table)
        chosen.append(settings)
        tables.append(table)
        rows.append(_row(position, settings, instrument, table, costs, names.index(instrument.quote_asset)))
    first = np.cumsum([0] + [len(table) for table in tables]).astype(np.int64)
    return EngineSetup(
        ordered,
        tuple(chosen),
        names,
        np.array(rows, np.float64).reshape(len(rows), len(Setup)),
        np.array([assets[name].allocation_ratio for name in names], np.float64),
        np.array([assets[name].initial_balance for name in names], np.float64),
        np.concatenate(tables) if tables else np.zeros((0, 5)),
        first,
    )


def _known(field: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise Invalid(field, name, (", ".join(sorted(known)) or "nothing: none is defined") + hint)
    return known[name]


def _check(settings: TradeConfiguration, instrument: Instrument, table: Floats) -> None:
    if not settings.isolated:
        raise Invalid("trade.isolated", False, "true; cross margin is not simulated yet")
    if max_notional(table, float(settings.leverage)) <= 0:
        most = int(table[:, 4].max())
        raise Invalid("trade.leverage", settings.leverage, f"1 to {most} for {instrument.symbol}")
    immediate, close = settings.full_stop_loss_immediate, settings.full_stop_loss_close
    if immediate is not None and close is not None and close >= immediate:
        allowed = f"less than full_stop_loss_immediate ({immediate}), or it could never act"
        raise Invalid("trade.full_stop_loss_close", close, allowed)


def _units(step: str) -> float:
    """Steps per one: 1/step, as a whole number wherever the step is a power of ten below one."""
    size = float(step)
    return float(round(1 / size)) if size < 1 else 1 / size


def _map(function: RotationalGaussian1) -> list[float]:
    return [function.theta, function.alpha, function.beta0, function.beta1, float(function.gamma)]


def _row(
    position: PositionSetup,
    settings: TradeConfiguration,
    instrument: Instrument,
    table: Floats,
    costs: CostModel,
    asset: int,
) -> list[float]:
    def optional(value: float | None, off: float) -> float:
        return off if value is None else value

    return [
        float(asset),
        float(settings.leverage),
        float(settings.direction in (Direction.LONG, Direction.BOTH)),
        float(settings.direction in (Direction.SHORT, Direction.BOTH)),
        1.0 if settings.sense is Sense.TREND else -1.0,
        optional(settings.full_stop_loss_immediate, 0.0),
        optional(settings.full_stop_loss_close, 0.0),
        float(settings.post_stop_reentry),
        float(settings.regrow),
        optional(settings.exit_on_impulse, math.nan),
        optional(settings.exit_on_aligned, math.nan),
        optional(settings.exit_on_profitable, math.nan),
        settings.rebalance_band,
        *_map(settings.long),
        *_map(settings.short),
        position.assumed_ratio,
        optional(position.max_allocated, math.inf),
        _units(instrument.market_step_size),
        float(instrument.min_quantity),
        float(instrument.max_market_quantity),
        float(instrument.min_notional),
        _units(instrument.tick_size),
        float(instrument.liquidation_fee),
        costs.taker_fee,
        costs.half_spread + costs.slippage,
        max_notional(table, float(settings.leverage)),
        costs.funding_rate,
        float(costs.funding_hours * HOUR_MS),
    ]
