"""One position on XUSDT, minutes and decision rows by hand, for the tests of the trade-control methods."""

import itertools
from collections.abc import Sequence

import numpy as np

from atm.model.account import AssetSetup, CostModel, PositionSetup, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.bars import Bar
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.trade_configuration import TradeConfiguration
from atm.trading.engine import AccountEngine
from atm.trading.layout import Input

FREE = CostModel(taker_fee=0.0, slippage=0.0, funding_rate=0.0)
BRACKETS = (LeverageBracket(0, 100_000, 0.01, 0, 50), LeverageBracket(100_000, 10_000_000, 0.02, 1_000, 20))
ANALYSIS = AnalysisConfiguration.of_one("a", pip=ClassicalSignal(), mmacd_short=MultiMACD(), mmacd_long=MultiMACD())


def instrument(symbol: str = "XUSDT", step: str = "0.001", min_notional: str = "5") -> Instrument:
    return Instrument(
        symbol, "X", "USDT", "TRADING", 2, 3, "0.01", step, step, step, "100000", min_notional, "0.015", 0, BRACKETS
    )


def engine(
    trade: TradeConfiguration,
    costs: CostModel = FREE,
    symbols: Sequence[str] = ("XUSDT",),
    allocated: float | None = 1_000,
    min_notional: str = "5",
) -> AccountEngine:
    """`allocated`: balance that each position gets (by its cap)."""
    return AccountEngine(
        {"USDT": AssetSetup(10_000, 1.0)},
        [PositionSetup(symbol, "a", trade.code, 0.4, n + 1, allocated) for n, symbol in enumerate(symbols)],
        [ANALYSIS],
        [trade],
        [instrument(symbol, min_notional=min_notional) for symbol in symbols],
        costs,
    )


def row(close: float, **inputs: float) -> np.ndarray:
    """A decision row; inputs by lower-case name of `Input`, those not given NaN (flags and index 0)."""
    values = np.full(len(Input), np.nan)
    values[[Input.OPEN, Input.CLOSE]] = close
    values[[Input.CYCLE_UPDATED, Input.CYCLE_INDEX, Input.FILTERED_DELTA]] = 0.0
    for name, value in inputs.items():
        values[getattr(Input, name.upper())] = value
    return values


def flip(cycle: float, close: float) -> np.ndarray:
    return row(close, cycle=cycle, cycle_updated=1, cycle_begin=close)


class Scene:
    """Plays minutes one after the other; a decision row closes with the minute it is given to."""

    def __init__(self, engine: AccountEngine) -> None:
        self.engine = engine
        self.minute = 0

    def play(
        self, opening: float, high: float, low: float, close: float, decision: np.ndarray | None = None
    ) -> list[TradeRecord]:
        bar = Bar(self.minute * MINUTE_MS, opening, high, low, close, 1, 1, 1, 1, 1)
        rows = {} if decision is None else {"XUSDT/a": decision}
        self.engine.minute(bar.open_time, {"XUSDT": bar}, rows)
        self.minute += 1
        return self.engine.trades()

    def decide(self, decision: np.ndarray) -> list[TradeRecord]:
        """A minute that stands still at the close of the decision."""
        price = float(decision[Input.CLOSE])
        return self.play(price, price, price, price, decision)

    def walk(self, *prices: float) -> list[TradeRecord]:
        """One minute from each price to the next."""
        fills = []
        for before, after in itertools.pairwise(prices):
            fills += self.play(before, max(before, after), min(before, after), after)
        return fills
