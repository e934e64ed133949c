"""What the window reads from the stores and has analysed, read-only and on the reader thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atm.gui.texts import Texts
from atm.ipc.messages import AnalyseBars, AnalysesDescription
from atm.model.account import TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bars, TimeRange
from atm.model.income import IncomeCheck, IncomeRecord
from atm.model.interval import DAY_MS
from atm.model.journal import JournalEntry
from atm.model.mark import MarksStored
from atm.model.parity import ParityDay
from atm.model.provenance import Provenance
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import SimulationDetails

MOST_TRADES = 5_000
"""Of an account that are read for lists and charts."""


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A stored simulation. equity_time int64 ms (n,), equity float64 (n,) in the quote asset, ascending by time; details:
    None in results of earlier versions; transfers: (Unix ms, paid in, out below 0) of an account, by time."""

    spec: SimulationSpec
    equity_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    trades: tuple[TradeRecord, ...]
    details: SimulationDetails | None = None
    transfers: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class AccountRecords:
    """What is stored of an account. trades: oldest first, the newest ones where there are very many; total: of all trades;
    equity_time int64 ms (n,), equity float64 (n,): its stored points, ascending; funding: paid by an actual account as far as its income
    is stored, None where the exchange books none; transfers: into and out of a virtual account, oldest first."""

    trades: tuple[TradeRecord, ...]
    total: int
    equity_time: NDArray[np.int64]
    equity: NDArray[np.float64]
    funding: float | None = None
    transfers: tuple[IncomeRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysedStretch:
    """Rows of an analysis. open_time int64 ms (n,); values float64 (len(columns), n), NaN = no value; next_ms: the minute
    after the newest one that is in them; profile float64 (3, bins): lower edge, volume, smoothed volume of the newest
    volume profile, None without one."""

    columns: tuple[str, ...]
    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    next_ms: int
    profile: NDArray[np.float64] | None = None

    def column(self, ending: str) -> NDArray[np.float64]:
        """The column whose name ends so, as a view."""
        row: NDArray[np.float64] = self.values[next(i for i, name in enumerate(self.columns) if name.endswith(ending))]
        return row


class Results(Protocol):
    """Every method may block on a disk; an ATMError or OSError says why there is nothing."""

    def simulation(self, code: str) -> SimulationResult: ...

    def specification(self, code: str) -> SimulationSpec:
        """Of a stored simulation, finished or not."""

    def export(self, code: str, kind: str, texts: Texts) -> Path:
        """Write a simulation as "csv", "parquet" or "html" below the home folder; the folder or file that came of it."""

    def export_parity(self, day: ParityDay) -> Path:
        """Write a worked day as CSV below the home folder; the folder that came of it."""

    def account_trades(self, name: str) -> tuple[TradeRecord, ...]:
        """The newest stored trades, at most `MOST_TRADES`, newest first."""

    def order_story(self, account: str, client_id: str) -> tuple[JournalEntry, ...]:
        """All that the journal of an actual account says of an order, in its order."""

    def account_records(self, name: str) -> AccountRecords: ...

    def export_account(
        self, result: SimulationResult, summary: SimulationSummary | None, kind: str, texts: Texts
    ) -> Path:
        """Write the records of an account, and its reports when it has been reviewed, as `export` does."""

    def account_income(self, name: str) -> IncomeCheck:
        """The stored income of an actual account, held against our own records."""

    def export_income(self, name: str, kind: str) -> Path:
        """Write the income records and the differences as "csv" or "parquet"; the folder that came of it."""

    def bars(self, symbol: str, most_minutes: int, before_ms: int) -> Bars:
        """The newest stored minutes, at most so many, from the last stretch without a long hole."""

    def provenance(self, symbol: str) -> Provenance:
        """Where each minute from the first to the last stored one came from."""

    def marks_stored(self, symbol: str) -> MarksStored:
        """How many of the stored minutes have their mark price, and how many funding rates there are."""

    def analysis(self, analyzer: str, request: AnalyseBars) -> AnalysedStretch:
        """Rows over stored minutes, computed by this analyzer. Raises Invalid for a configuration that cannot run."""

    def description(self, configuration: AnalysisConfiguration) -> AnalysesDescription:
        """What a configuration, stored or not, would mean."""


LONG_HOLE_MS = 30 * DAY_MS


def newest_stretch(ranges: tuple[TimeRange, ...], most_ms: int) -> TimeRange | None:
    """The newest `most_ms` of the ranges, begun anew after a hole of `LONG_HOLE_MS`; None when nothing is stored."""
    if not ranges:
        return None
    end = ranges[-1].end_ms
    start = ranges[-1].start_ms
    for earlier in reversed(ranges[:-1]):
        if start - earlier.end_ms >= LONG_HOLE_MS:
            break
        start = earlier.start_ms
    return TimeRange(max(start, end - most_ms), end)
