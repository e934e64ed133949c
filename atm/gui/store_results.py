"""`Results` from the real stores and analyzers.

A store is opened, and its library imported, when the first result is asked for: a window that shows neither simulations nor
bars loads neither SQLAlchemy nor pyarrow.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from atm.gui.results import MOST_TRADES, AccountRecords, AnalysedStretch, SimulationResult, newest_stretch
from atm.gui.texts import Texts
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import TRADE, AnalyseBars, AnalysedBars, AnalysesDescription, DescribeAnalyses
from atm.ipc.shared_array import take
from atm.model.account import AccountKind, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bars, TimeRange
from atm.model.errors import Refused, Unavailable
from atm.model.income import FUNDING_KINDS, IncomeCheck
from atm.model.interval import MINUTE_MS
from atm.model.journal import JournalEntry
from atm.model.mark import MarksStored
from atm.model.parity import ParityDay
from atm.model.program import ProgramContext
from atm.model.provenance import Provenance
from atm.model.simulation import SimulationSpec, SimulationSummary

if TYPE_CHECKING:
    from atm.storage.database import Database
    from atm.storage.market_store import MarketStore

MOST_RECORDS = 100_000
ANALYSIS_TIMEOUT_S = 5.0
DESCRIPTION_TIMEOUT_S = 3.0


class StoreResults:
    """See `atm.gui.results.Results`. Used by the reader thread alone."""

    def __init__(self, context: ProgramContext, assistant: IPCAssistant) -> None:
        self._context = context
        self._assistant = assistant

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
        trades = tuple(simulations.trades(code))
        return SimulationResult(simulations.spec(code), time, equity, trades, simulations.details(code))

    def export(self, code: str, kind: str, texts: Texts) -> Path:
        """See `Results`. Raises `Refused` for a result that lacks what the page is made of."""
        from atm.gui.result.export import export

        states = {state.code: state for state in self._database.simulations.states()}
        summary = states[code].summary if code in states else None
        if summary is None:
            raise Refused(f"the simulation {code} has not completed")
        return export(self.simulation(code), summary, kind, self._context.home / "exports", texts)

    def specification(self, code: str) -> SimulationSpec:
        """Raises `Refused` when there is none."""
        return self._database.simulations.spec(code)

    def account_trades(self, name: str) -> tuple[TradeRecord, ...]:
        """The newest trades, at most `MOST_TRADES`, newest first."""
        return tuple(self._database.accounts.trades(name, MOST_TRADES))

    def order_story(self, account: str, client_id: str) -> tuple[JournalEntry, ...]:
        """See `Results`."""
        return tuple(self._database.orders.of_order(account, client_id))

    def account_records(self, name: str) -> AccountRecords:
        """At most `MOST_RECORDS` trades, the newest ones."""
        accounts = self._database.accounts
        setup = next((each.setup for each in accounts.load() if each.setup.name == name), None)
        if setup is None:
            raise Refused(f"there is no account {name}")
        points = accounts.equity(name)
        trades = tuple(accounts.trades(name, MOST_RECORDS)[::-1])
        total = len(trades) if len(trades) < MOST_RECORDS else max(len(trades), accounts.count_trades(name))
        time_ms = np.fromiter((time for time, _ in points), np.int64, len(points))
        equity = np.fromiter((each for _, each in points), np.float64, len(points))
        income = self._database.income.records(name)
        if setup.kind is AccountKind.VIRTUAL:
            return AccountRecords(trades, total, time_ms, equity, transfers=tuple(income))
        paid = [each.amount for each in income if each.kind in FUNDING_KINDS]
        return AccountRecords(trades, total, time_ms, equity, float(-sum(paid)))

    def export_account(
        self, result: SimulationResult, summary: SimulationSummary | None, kind: str, texts: Texts
    ) -> Path:
        """See `Results`."""
        from atm.gui.result.export import export

        return export(result, summary, kind, self._context.home / "exports" / "accounts", texts, name="account")

    def account_income(self, name: str) -> IncomeCheck:
        """See `Results`."""
        from atm.storage.settlements import settlements
        from atm.trading.live.income_check import OwnRecords, check, since_first

        database = self._database
        state = database.income.state(name)
        trades = database.accounts.trades(name, MOST_RECORDS)[::-1]
        whole = len(trades) < MOST_RECORDS
        if not whole:
            state = since_first(state, trades)
        symbols = {trade.symbol for trade in trades}
        settled = settlements(self._market, symbols, state.since_ms, state.until_ms)
        own = OwnRecords(trades, database.orders.outside(name), settled, whole=whole)
        return check(database.income.records(name), own, state)

    def export_income(self, name: str, kind: str) -> Path:
        """See `Results`."""
        from atm.gui.history.income_export import export_income

        records, found = self._database.income.records(name), self.account_income(name)
        return export_income(records, found, kind, self._context.home / "exports" / "accounts" / name)

    def export_parity(self, day: ParityDay) -> Path:
        """See `Results`."""
        from atm.gui.parity.parity_csv import write_day

        return write_day(day, self._context.home / "exports" / "accounts")

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

    def provenance(self, symbol: str) -> Provenance:
        """See `Results`."""
        ranges = self._market.coverage(symbol)
        if not ranges:
            return Provenance(0, np.empty(0, np.uint8))
        return self._market.provenance(symbol, ranges[0].start_ms, ranges[-1].end_ms)

    def marks_stored(self, symbol: str) -> MarksStored:
        """See `Results`."""
        return self._market.marks_stored(symbol)

    def analysis(self, analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        """See `Results`. The arrays are mapped, not copied."""
        reply = self._assistant.request(analyzer, request, ANALYSIS_TIMEOUT_S)
        if not isinstance(reply, AnalysedBars):
            raise Unavailable(f"{analyzer} has answered {type(reply).__name__}")
        open_time = cast("NDArray[np.int64]", take(reply.open_time))
        values = cast("NDArray[np.float64]", take(reply.values))
        profile = None if reply.profile is None else cast("NDArray[np.float64]", take(reply.profile))
        return AnalysedStretch(reply.columns, open_time, values, reply.next_ms, profile)

    def description(self, configuration: AnalysisConfiguration) -> AnalysesDescription:
        """See `Results`."""
        reply = self._assistant.request(TRADE, DescribeAnalyses(configuration), DESCRIPTION_TIMEOUT_S)
        if not isinstance(reply, AnalysesDescription):
            raise Unavailable(f"{TRADE} has answered {type(reply).__name__}")
        return reply
