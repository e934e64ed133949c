"""From configurations to the constant tables of the account engine, with every check that a position needs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atm.ledger.fill import commission_rate
from atm.ledger.margin import bracket_table, max_notional
from atm.model.account import AssetSetup, CostModel, PositionSetup, SlippageModel
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid, Problems, complain
from atm.model.instrument import Instrument
from atm.model.interval import HOUR_MS
from atm.model.trade_configuration import TradeConfiguration, UserMethod, mismatches
from atm.trading.layout import SETUP_WIDTH, Input, Setup
from atm.trading.method_choice import Chosen, Methods, choose
from atm.trading.method_setup import check_analysis, method_row

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EngineSetup:
    """Constant tables of this process. positions in priority order; `brackets[first[i]:first[i + 1]]` belong to position i;
    chosen: users' methods, None where a position has a built-in one."""

    positions: tuple[PositionSetup, ...]
    trade: tuple[TradeConfiguration, ...]
    assets: tuple[str, ...]
    setups: Floats
    ratios: Floats
    balances: Floats
    brackets: Floats
    first: NDArray[np.int64]
    chosen: tuple[Chosen | None, ...] = ()

    @property
    def row_width(self) -> int:
        """Numbers of a decision row: `Input`, then the most columns that a user's method reads."""
        return len(Input) + max((len(each.columns) for each in self.chosen if each is not None), default=0)


def build(
    assets: Mapping[str, AssetSetup],
    positions: Iterable[PositionSetup],
    analysis: Iterable[AnalysisConfiguration],
    trade: Iterable[TradeConfiguration],
    instruments: Iterable[Instrument],
    costs: CostModel,
    methods: Methods | None = None,
) -> EngineSetup:
    """Check everything against everything. Raises `Invalid` naming the field, the value and what is allowed.

    methods: users' methods by name, None: those that are loaded in this process.
    """
    ordered = tuple(sorted(positions, key=lambda position: (position.priority, position.symbol)))
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    analyses = {configuration.code: configuration for configuration in analysis}
    trades = {configuration.code: configuration for configuration in trade}
    names = tuple(sorted(assets))
    rows, tables = [], []
    traded: list[TradeConfiguration] = []
    users: list[Chosen | None] = []
    for position in ordered:
        if sum(other.symbol == position.symbol for other in ordered) > 1:
            raise Invalid("positions.symbol", position.symbol, "each symbol once")
        instrument = _known("positions.symbol", position.symbol, by_symbol)
        configuration = _known("positions.analysis", position.analysis, analyses)
        settings = _known("positions.trade", position.trade, trades)
        chosen = _users_method(settings, methods)
        check_analysis(settings, configuration, chosen)
        if instrument.quote_asset not in names:
            allowed = f"an initial balance in {instrument.quote_asset}, in which {position.symbol} is settled"
            raise Invalid("assets", ", ".join(names), allowed)
        table = bracket_table(instrument.brackets)
        _check(settings, instrument, table)
        traded.append(settings)
        users.append(chosen)
        tables.append(table)
        asset = names.index(instrument.quote_asset)
        rows.append(_row(position, method_row(settings, chosen), instrument, table, costs, asset))
    first = np.cumsum([0] + [len(table) for table in tables]).astype(np.int64)
    return EngineSetup(
        ordered,
        tuple(traded),
        names,
        np.array(rows, np.float64).reshape(len(rows), SETUP_WIDTH),
        np.array([assets[name].allocation_ratio for name in names], np.float64),
        np.array([assets[name].initial_balance for name in names], np.float64),
        np.concatenate(tables) if tables else np.zeros((0, 5)),
        first,
        tuple(users),
    )


def with_instruments(setup: EngineSetup, instruments: Mapping[str, Instrument]) -> EngineSetup:
    """The same set-up with the filters and brackets that the exchange has now; what an instrument does not say stays.

    A leverage that the new brackets do not allow any more leaves the position without room for new exposure.
    """
    setups, tables = setup.setups.copy(), []
    for i, position in enumerate(setup.positions):
        table = setup.brackets[setup.first[i] : setup.first[i + 1]]
        instrument = instruments.get(position.symbol)
        if instrument is not None:
            table = bracket_table(instrument.brackets) if instrument.brackets else table
            _write_filters(setups[i], instrument, table)
        tables.append(table)
    if not tables:
        return setup
    first = np.cumsum([0] + [len(table) for table in tables]).astype(np.int64)
    return replace(setup, setups=setups, brackets=np.concatenate(tables), first=first)


def _users_method(settings: TradeConfiguration, methods: Methods | None) -> Chosen | None:
    if not isinstance(settings.method, UserMethod):
        return None
    try:
        return choose(settings.method, methods)
    except Invalid as error:
        found = error.found if isinstance(error, Problems) else (error,)
        complain([Invalid(f"trade.{each.field}", each.value, each.allowed) for each in found])
        raise


def _known(field: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise Invalid(field, name, (", ".join(sorted(known)) or "nothing: none is defined") + hint)
    return known[name]


def _check(settings: TradeConfiguration, instrument: Instrument, table: Floats) -> None:
    if max_notional(table, float(settings.leverage)) <= 0:
        most = int(table[:, 4].max())
        raise Invalid("trade.leverage", settings.leverage, f"1 to {most} for {instrument.symbol}")
    complain([Invalid(f"trade.{each.field}", each.value, each.allowed) for each in mismatches(settings)])


def _units(step: str) -> float:
    """Steps per one: 1/step, as a whole number wherever the step is a power of ten below one."""
    size = float(step)
    return float(round(1 / size)) if size < 1 else 1 / size


def _row(
    position: PositionSetup,
    row: Floats,
    instrument: Instrument,
    table: Floats,
    costs: CostModel,
    asset: int,
) -> Floats:
    row[Setup.ASSET] = asset
    row[Setup.ASSUMED] = position.assumed_ratio
    row[Setup.MAX_ALLOCATED] = math.inf if position.max_allocated is None else position.max_allocated
    _write_filters(row, instrument, table)
    row[Setup.TAKER_FEE] = commission_rate(costs.taker_fee, costs.fee_discount)
    row[Setup.MAKER_FEE] = commission_rate(costs.maker_fee, costs.fee_discount)
    row[Setup.SLIPPAGE] = costs.half_spread + costs.slippage
    row[Setup.SLIPPAGE_MODEL] = list(SlippageModel).index(costs.slippage_model)
    row[Setup.RANGE_SHARE] = costs.range_share
    row[Setup.LATENCY_MS] = costs.latency_ms
    row[Setup.PARTICIPATION] = math.inf if costs.participation is None else costs.participation
    row[Setup.FUNDING_RATE] = costs.funding_rate
    row[Setup.FUNDING_MS] = costs.funding_hours * HOUR_MS
    return row


def _write_filters(row: Floats, instrument: Instrument, table: Floats) -> None:
    """What the exchange says of a symbol and may change at any time; the row has its leverage already."""
    row[Setup.UNITS] = _units(instrument.market_step_size)
    row[Setup.MIN_QUANTITY] = float(instrument.min_quantity)
    row[Setup.MAX_QUANTITY] = float(instrument.max_market_quantity)
    row[Setup.MIN_NOTIONAL] = float(instrument.min_notional)
    row[Setup.TICK_UNITS] = _units(instrument.tick_size)
    row[Setup.LIQUIDATION_FEE] = float(instrument.liquidation_fee)
    row[Setup.MAX_NOTIONAL] = max_notional(table, float(row[Setup.LEVERAGE]))
