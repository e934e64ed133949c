"""Compiles the kernels of ledger, account engine and statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from atm.model.account import AssetSetup, CostModel, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal
from atm.model.instrument import Instrument
from atm.model.trade_configuration import TradeConfiguration
from atm.simulators.statistics.equity import fall_from_peaks
from atm.simulators.statistics.path import walk
from atm.simulators.statistics.significance import runs
from atm.simulators.statistics.skim import skimmed
from atm.trading.engine import AccountEngine
from atm.trading.minute_grid import MinuteGrid


def warm_up(progress: Callable[[str], None]) -> None:
    """Run the account engine over one minute, with a whole grid and with a slice of one, as the program does."""
    progress("account engine")
    instrument = Instrument("A", "A", "USDT", "TRADING", 2, 1, "0.01", "0.1", "0.1", "0.1", "1000", "5", "0.01")
    engine = AccountEngine(
        {"USDT": AssetSetup(1_000)},
        [PositionSetup("A", "a", "t")],
        [AnalysisConfiguration.of_one("a", pip=ClassicalSignal())],
        [TradeConfiguration("t")],
        [instrument],
        CostModel(),
    )
    prices = np.full((4, 2, 1), 100.0)
    rows = np.zeros((1, engine.row_width))
    engine.run(MinuteGrid(0, prices[0], prices[1], prices[2], prices[3], rows, np.full((2, 1), -1, np.int64)))
    engine.minute(120_000, {}, {})
    engine.snapshot()
    skimmed(np.full(2, 1_000.0), 1_000.0, 0)
    none = np.zeros(0)
    walk(np.zeros((0, 7)), none, none, none, none, none, 1.0, engine.setup.brackets, True)
    fall_from_peaks(np.zeros(1), 1.0, np.zeros(2))
    runs(np.zeros((1, 1), bool), np.zeros((1, 1), np.int64))
