"""`Results` from the real stores, which are loaded and opened by the reader thread when the first result is asked for:
they cost 40 MB and half a second, and the window is to show its first frame before that."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from atm.gui.results import SimulationResult, newest_stretch
from atm.model.account import TradeRecord
from atm.model.bars import Bars, TimeRange
from atm.model.interval import MINUTE_MS
from atm.model.program import ProgramContext

if TYPE_CHECKING:
    from atm.storage.database import Database
    from atm.storage.market_store import MarketStore

MOST_TRADES = 5_000


class StoreResults:
    """See `atm.gui.results.Results`. Used by the reader thread alone."""

    def __init__(self, context: ProgramContext) -> None:
        self._context = context

    @cached_property
    def _database(self) -> Database:
        from atm.storage.database import Database

        return Database(self._context.database)

    @cached_property
    def _market(self) -> MarketStore:
        from atm.storage.market_store import open_store

        return open_store(self._context, read_only=True)

    def simulation(self, code: str) -> SimulationResult:
        """Raises `Refused` when there is none."""
        simulations = self._database.simulations
        time, equity = simulations.equity(code)
        return SimulationResult(simulations.spec(code), time, equity, tuple(simulations.trades(code)))

    def account_trades(self, name: str) -> tuple[TradeRecord, ...]:
        """The newest trades, at most `MOST_TRADES`, newest first."""
        return tuple(self._database.accounts.trades(name, MOST_TRADES))

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        """See `Results`."""
        # the sample beneath the demo market reaches into that market's future, which nobody may see
        past = [
            TimeRange(piece.start_ms, min(piece.end_ms, before_ms))
            for piece in self._market.coverage(symbol)
            if piece.start_ms < before_ms
        ]
        stretch = newest_stretch(tuple(past), most_minutes * MINUTE_MS)
        if stretch is None:
            return Bars.empty()
        return self._market.read(symbol, stretch.start_ms, stretch.end_ms)
