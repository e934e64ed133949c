"""A trial: minutes and analyses of a simulation, loaded once, under which trade control and costs are changed at will."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.cache import AnalysisCache
from atm.model.account import SlippageModel
from atm.model.adjustable import adjusted
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS
from atm.model.simulation import SimulationSpec
from atm.model.trial import TrialFigures
from atm.simulators.backtest import PREPARED, Cancelled, Course, check_data, load_replay
from atm.simulators.specification import time_range
from atm.simulators.statistics.skim import skimmed
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine
from atm.trading.minute_grid import MinuteGrid

MOST_MINUTES = 15_000_000
"""Minutes of all positions together: about 600 MB, 1.1 GB with mark prices; the bound of what a trial may hold."""
MOST_ROWS = 3_000_000
"""Rows of positions that decide at every minute: about 500 MB with ten columns."""

_Needs = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """curve: float64 (2, n), Unix ms and equity."""

    figures: TrialFigures
    curve: NDArray[np.float64]


class Trial:
    """See the module. Raises `Invalid` for what cannot be simulated or is too large to be held.

    loading: hears the share of the loading that is done, at the beginning and when other analyses are asked for.
    """

    def __init__(
        self,
        spec: SimulationSpec,
        store: MarketStore,
        instruments: Iterable[Instrument],
        cache: AnalysisCache,
        loading: Callable[[float], None] | None = None,
    ) -> None:
        self._told = loading or (lambda _: None)
        self._spec = spec
        self._store = store
        self._instruments = tuple(instruments)
        self._cache = cache
        self._span = time_range(spec)
        self._initial = sum(asset.initial_balance for asset in spec.assets.values())
        self.minutes = (self._span[1] - self._span[0]) // MINUTE_MS * len(spec.positions)
        if self.minutes > MOST_MINUTES:
            raise Invalid("minutes", self.minutes, f"up to {MOST_MINUTES:,} minutes of all positions together")
        if self._initial <= 0.0:
            raise Invalid("assets.initial_balance", self._initial, "more than 0")
        engine = self._engine(spec)
        for symbol in engine.symbols:
            check_data(store, symbol, *self._span)
        self._check_rows(engine)
        self._needs = self._needs_of(engine, spec)
        self._loading = threading.Lock()
        self._grid = self._minutes_of(spec, engine)

    def _check_rows(self, engine: AccountEngine) -> None:
        """Rows of every minute take more room than the minutes. Raises `Invalid`."""
        rows = (self._span[1] - self._span[0]) // MINUTE_MS * len(engine.every_minute)
        if rows > MOST_ROWS:
            raise Invalid("minutes", rows, f"up to {MOST_ROWS:,} minutes of positions that decide at every minute")

    def _engine(self, spec: SimulationSpec) -> AccountEngine:
        return AccountEngine(spec.assets, spec.positions, spec.analysis, spec.trade, self._instruments, spec.costs)

    def _minutes_of(self, spec: SimulationSpec, engine: AccountEngine) -> MinuteGrid:
        """The minutes and the rows of analyses that this engine decides on."""
        course = Course(lambda share: self._told(share / PREPARED), lambda: False, lambda _: None)
        with closing(load_replay(spec, engine, self._store, self._span, None, self._cache, None, course)) as replay:
            return replay.grid(engine, 0, replay.minutes)

    def _needs_of(self, engine: AccountEngine, spec: SimulationSpec) -> _Needs:
        """The columns that each position decides on, in the order of the grid, and whether recorded books are read."""
        books = (SlippageModel.BOOK.value,) if spec.costs.slippage_model is SlippageModel.BOOK else ()
        decision = {configuration.code: configuration.decision for configuration in spec.analysis}
        columns = (
            (position.symbol, *engine.columns(position.symbol, decision[position.analysis]))
            for position in engine.setup.positions
        )
        return (books, *columns)

    def run(
        self,
        changes: Mapping[str, Any],
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TrialOutcome:
        """The simulation with other values at these paths; may run several times at once.

        Raises `Invalid` for what is not allowed, `Cancelled` when stopped. The minutes stay as they are; analyses and
        books are read again only when other ones are asked for.
        """
        spec = adjusted(self._spec, changes)
        engine = self._engine(spec)
        needs = self._needs_of(engine, spec)
        with self._loading:
            if needs != self._needs:
                self._check_rows(engine)
                self._grid = self._minutes_of(spec, engine)
                self._needs = needs
            grid = self._grid
        _, equity = engine.run(grid, progress, cancelled, recorded=False)
        if cancelled is not None and cancelled():
            raise Cancelled
        return self._outcome(engine, equity)

    def _outcome(self, engine: AccountEngine, equity: NDArray[np.float64]) -> TrialOutcome:
        start, initial = self._span[0], self._initial
        fall, sharpe, kept = skimmed(equity, initial, start)
        profit = float(equity[-1]) - initial
        figures = TrialFigures(
            net_profit=profit,
            total_return=profit / initial,
            max_drawdown=fall,
            sharpe=sharpe,
            trades=engine.fills,
            fees=engine.fees_paid(),
            funding=engine.funding_paid(),
            liquidations=engine.liquidations,
            unmarked_share=engine.assumed.unmarked_share,
            constant_share=engine.assumed.constant_share,
        )
        return TrialOutcome(figures, np.stack([start + MINUTE_MS * (kept + 1.0), equity[kept]]))
