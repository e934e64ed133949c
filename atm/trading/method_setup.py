"""From the trade-control method of a configuration to its part of a position's row of set-ups, and the columns it reads."""

from __future__ import annotations

import difflib
import math

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.pipeline import AnalysisPipeline
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import (
    Direction,
    LimitOrder,
    MacdLine,
    MarketOrder,
    MmacdDefault,
    MmacdLongDefault,
    ProfitReference,
    RemainingQuantity,
    RemainingQuantityMap,
    RotationalGaussian1D,
    RotationalGaussian2,
    ScenarioRow,
    Sense,
    Span,
    SwingDefault,
    SwingSide,
    TargetExposure,
    TradeConfiguration,
    TradeScenario,
    UserMethod,
)
from atm.model.trade_method import resolved
from atm.trading.layout import (
    INPUT_COLUMNS,
    SETUP_WIDTH,
    ExposureParameters,
    Input,
    Method,
    OrderKind,
    RemainingParameters,
    ScenarioParameters,
    Setup,
    UserParameters,
)
from atm.trading.method_choice import Chosen

Floats = NDArray[np.float64]

_CYCLE = (
    Input.OPEN,
    Input.CLOSE,
    Input.CYCLE,
    Input.CYCLE_UPDATED,
    Input.CYCLE_INDEX,
    Input.CYCLE_BEGIN,
    Input.FILTERED_DELTA,
)


def method_row(settings: TradeConfiguration, chosen: Chosen | None = None) -> Floats:
    """A row of set-ups with everything that the configuration says: float64 (SETUP_WIDTH,); the rest is 0.

    chosen: what a `UserMethod` stands for.
    """
    row = np.zeros(SETUP_WIDTH)
    row[Setup.LEVERAGE] = settings.leverage
    row[Setup.ISOLATED] = float(settings.isolated)
    row[Setup.LONG] = settings.direction in (Direction.LONG, Direction.BOTH)
    row[Setup.SHORT] = settings.direction in (Direction.SHORT, Direction.BOTH)
    row[Setup.STOP_IMMEDIATE] = settings.full_stop_loss_immediate or 0.0
    row[Setup.STOP_CLOSE] = settings.full_stop_loss_close or 0.0
    row[Setup.REENTRY] = settings.post_stop_reentry
    row[[Setup.EXIT_IMPULSE, Setup.EXIT_ALIGNED, Setup.EXIT_PROFITABLE]] = math.nan
    _orders(row, settings)
    match settings.method:
        case RemainingQuantity():
            _remaining(row, settings.method)
        case TradeScenario():
            _scenario(row, settings.method)
        case TargetExposure():
            row[Setup.BAND] = settings.method.rebalance_band
            _exposure(row, settings.method)
        case UserMethod():
            row[Setup.BAND] = settings.method.rebalance_band
            assert chosen is not None
            _users(row, chosen)
    return row


def _orders(row: Floats, settings: TradeConfiguration) -> None:
    entry, closing = settings.entry_order, settings.exit_order
    if not isinstance(entry, MarketOrder):
        row[Setup.ENTRY_ORDER] = OrderKind.LIMIT if isinstance(entry, LimitOrder) else OrderKind.STOP
        row[Setup.ENTRY_OFFSET] = entry.offset
        row[Setup.ENTRY_MS] = entry.minutes * MINUTE_MS
        row[Setup.ENTRY_MARKET] = isinstance(entry, LimitOrder) and entry.then_market
    if isinstance(closing, LimitOrder):
        row[Setup.EXIT_ORDER] = OrderKind.LIMIT
        row[Setup.EXIT_OFFSET] = closing.offset
        row[Setup.EXIT_MS] = closing.minutes * MINUTE_MS


def decision_columns(settings: TradeConfiguration, chosen: Chosen | None = None) -> tuple[str, ...]:
    """The columns of the decision interval, without its name, that the engine itself decides on. A method that decides at every
    minute needs to be told how much of its bar is over.

    chosen: what a `UserMethod` stands for.
    """
    wanted = list(_CYCLE)
    match settings.method:
        case RemainingQuantity(long=long, short=short):
            if isinstance(long, RotationalGaussian2) or isinstance(short, RotationalGaussian2):
                wanted += [Input.FILTERED, Input.SWING_PRICE]
        case TargetExposure(function=SwingDefault()):
            wanted = [Input.OPEN, Input.CLOSE, Input.SWING_PRICE, Input.SWING_TYPE]
        case TargetExposure(function=MmacdDefault(line=line) | MmacdLongDefault(line=line)):
            wanted = [Input.OPEN, Input.CLOSE, Input.MMACD_SHORT if line is MacdLine.SHORT else Input.MMACD_LONG]
        case UserMethod() if chosen is not None and chosen.method.every_minute:
            wanted = [Input.OPEN, Input.CLOSE, Input.ELAPSED]
        case UserMethod():
            wanted = [Input.OPEN, Input.CLOSE]
    return tuple(INPUT_COLUMNS[column] for column in wanted)


def check_analysis(
    settings: TradeConfiguration, configuration: AnalysisConfiguration, chosen: Chosen | None = None
) -> None:
    """Raises `Invalid` naming the analysis, or the column, that the method decides by and the configuration lacks."""
    method, analyses = settings.method, configuration.decisive
    where = f"set for {configuration.decision.value} in {configuration.code}"
    if chosen is not None:
        _check_columns(settings, configuration, chosen)
    elif not isinstance(method, TargetExposure):
        if analyses is None or analyses.pip is None:
            name = "TS" if isinstance(method, TradeScenario) else "RQPM"
            allowed = f"{where}: {name} trades on the classical signal of the decision interval"
            raise Invalid("analysis.pip", None, allowed)
    elif isinstance(method.function, MmacdDefault | MmacdLongDefault):
        short = method.function.line is MacdLine.SHORT
        name = "mmacd_short" if short else "mmacd_long"
        if analyses is None or getattr(analyses, name) is None:
            raise Invalid(f"analysis.{name}", None, f"{where}: the target exposure of {settings.code} follows it")


def _check_columns(settings: TradeConfiguration, configuration: AnalysisConfiguration, chosen: Chosen) -> None:
    there = AnalysisPipeline(configuration).columns
    for name in chosen.columns:
        full = resolved(name, configuration.decision)
        if full not in there:
            near = difflib.get_close_matches(full, there, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            allowed = f"a column of {configuration.code}, which {settings.code} trades on{hint}"
            raise Invalid(f"analysis column of {chosen.method.name}", full, allowed)


def _users(row: Floats, chosen: Chosen) -> None:
    row[[Setup.FUNCTION_LONG, Setup.FUNCTION_SHORT]] = Method.USER
    row[UserParameters.ADDRESS] = chosen.address
    row[UserParameters.MEMORY] = chosen.method.memory
    row[UserParameters.COLUMNS] = len(chosen.columns)
    row[UserParameters.COUNT] = len(chosen.numbers)
    row[UserParameters.FIRST : UserParameters.FIRST + len(chosen.numbers)] = chosen.numbers


def _remaining(row: Floats, method: RemainingQuantity) -> None:
    def optional(value: float | None) -> float:
        return math.nan if value is None else value

    row[Setup.SENSE] = _sense(method.sense)
    row[Setup.EXIT_IMPULSE] = optional(method.exit_on_impulse)
    row[Setup.EXIT_ALIGNED] = optional(method.exit_on_aligned)
    row[Setup.EXIT_PROFITABLE] = optional(method.exit_on_profitable)
    row[Setup.PROFIT_FROM_ENTRY] = method.profit_reference is ProfitReference.ENTRY
    row[Setup.BAND] = method.rebalance_band
    row[RemainingParameters.REGROW] = method.regrow
    row[RemainingParameters.ROUND] = method.span is Span.ROUND
    for function, number, at in (
        (method.long, Setup.FUNCTION_LONG, RemainingParameters.MAP_LONG),
        (method.short, Setup.FUNCTION_SHORT, RemainingParameters.MAP_SHORT),
    ):
        row[number], parameters = _map(function)
        row[at : at + len(parameters)] = parameters


def _map(function: RemainingQuantityMap) -> tuple[int, list[float]]:
    if isinstance(function, RotationalGaussian2):
        return Method.GAUSSIAN_2, [*function.theta, *function.delta, *function.sigma]
    number = Method.GAUSSIAN_1D if isinstance(function, RotationalGaussian1D) else Method.GAUSSIAN_1
    return number, [function.theta, function.alpha, function.beta0, function.beta1, float(function.gamma)]


def _scenario(row: Floats, method: TradeScenario) -> None:
    row[[Setup.FUNCTION_LONG, Setup.FUNCTION_SHORT]] = Method.SCENARIO
    row[Setup.SENSE] = _sense(method.sense)
    row[ScenarioParameters.REENTER] = method.reenter
    row[ScenarioParameters.JOIN] = method.join
    reduce, fall = method.weight_reduce, method.reach_and_fall
    row[ScenarioParameters.REDUCE_AT] = math.nan if reduce is None else reduce.activation
    row[ScenarioParameters.REDUCE_TO] = math.nan if reduce is None else reduce.amount
    row[ScenarioParameters.REACH] = math.nan if fall is None else fall.reach
    row[ScenarioParameters.FALL] = math.nan if fall is None else fall.fall
    _table(row, method.entry, ScenarioParameters.ENTRY_ROWS, ScenarioParameters.ENTRY)
    _table(row, method.exit, ScenarioParameters.EXIT_ROWS, ScenarioParameters.EXIT)
    _table(row, method.partial_stop_loss, ScenarioParameters.STOP_ROWS, ScenarioParameters.STOP)


def _table(row: Floats, rows: tuple[ScenarioRow, ...], count: int, at: int) -> None:
    row[count] = len(rows)
    for i, each in enumerate(rows):
        row[at + 2 * i : at + 2 * i + 2] = each.deviation, each.target


def _exposure(row: Floats, method: TargetExposure) -> None:
    function = method.function
    if isinstance(function, SwingDefault):
        row[[Setup.FUNCTION_LONG, Setup.FUNCTION_SHORT]] = Method.SWING
        row[ExposureParameters.SWING_LONG : ExposureParameters.SWING_LONG + 3] = _side(function.long)
        row[ExposureParameters.SWING_SHORT : ExposureParameters.SWING_SHORT + 3] = _side(function.short)
        return
    follows = isinstance(function, MmacdDefault)
    row[[Setup.FUNCTION_LONG, Setup.FUNCTION_SHORT]] = Method.MMACD if follows else Method.MMACD_LONG
    row[ExposureParameters.SHORT_LINE] = function.line is MacdLine.SHORT
    row[ExposureParameters.ALPHA] = function.alpha
    row[ExposureParameters.BETA] = function.beta
    row[ExposureParameters.DELTA] = function.delta
    row[ExposureParameters.STRENGTH_SHORT] = function.strength_short
    row[ExposureParameters.STRENGTH_LONG] = function.strength_long
    if isinstance(function, MmacdDefault):
        row[ExposureParameters.DOWNHILL] = function.downhill


def _side(side: SwingSide) -> tuple[float, float, float]:
    return side.delta, side.strength, side.length


def _sense(sense: Sense) -> float:
    return 1.0 if sense is Sense.TREND else -1.0
