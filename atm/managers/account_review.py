"""The review of an account: its stored fills and equity, and the stored minutes of the market, become what a simulation becomes.

Nothing is booked for it: what an account did is derived from its two append-only streams, and held against what its engine says.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers.table import AnalysisTable
from atm.managers.trade_accounts import AccountState, make_engine
from atm.managers.trade_setups import Configurations
from atm.model.account import AccountKind, AccountSetup, AssetState, PositionSetup, TradeRecord
from atm.model.account_review import ReviewCheck, asset_of, beginning_with, review_spec
from atm.model.errors import Invalid, Refused
from atm.model.income import IncomeRecord
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval, format_time
from atm.model.simulation import SimulationSpec, SimulationSummary
from atm.model.statistics import SimulationDetails
from atm.simulators.replay import Replay
from atm.simulators.statistics.equity import thin
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.minute_equity import Derived, derive
from atm.simulators.summary import Outcome, conclude
from atm.storage.database import Database
from atm.storage.market_store import MarketStore
from atm.trading.engine import AccountEngine

Floats = NDArray[np.float64]
MOST_TRADES = 1_000_000


@dataclass(frozen=True, slots=True)
class Review:
    """What `AccountReviewed` carries; curve: float64 (2, n)."""

    spec: SimulationSpec
    summary: SimulationSummary
    details: SimulationDetails
    curve: Floats
    checks: tuple[ReviewCheck, ...]


@dataclass(frozen=True, slots=True)
class _Records:
    """Of one moment: what is stored after the engine's state is left out. engine: with that state; traded: an engine that knows the
    symbols of all fills too; fills: in their order; equity: (time, value); transfers: of a virtual account, by time; transferred: what the
    state says of them, by asset."""

    setup: AccountSetup
    engine: AccountEngine
    traded: AccountEngine
    positions: tuple[PositionSetup, ...]
    start_ms: int
    end_ms: int
    fills: list[TradeRecord]
    equity: list[tuple[int, float]]
    transfers: list[IncomeRecord]
    transferred: dict[str, float]

    @property
    def initial(self) -> float:
        """Equity before the first minute."""
        if self.setup.kind is AccountKind.ACTUAL:
            return self.equity[0][1]
        return sum(asset.initial_balance for asset in self.setup.assets.values())

    def flows(self, minutes: int) -> Floats:
        """float64 (minutes,): what was paid in just before each minute; what was after the last one is in none."""
        flows = np.zeros(minutes)
        for each in self.transfers:
            place = (each.time_ms - self.start_ms) // MINUTE_MS
            if place < minutes:
                flows[place] += float(each.amount)
        return flows


def review(
    database: Database,
    store: MarketStore,
    instruments: Sequence[Instrument],
    name: str,
    start_ms: int = 0,
    end_ms: int = 0,
) -> Review:
    """See `ReviewAccount`. Raises Invalid and Refused as it says."""
    begun = time.perf_counter()
    configurations = Configurations(
        {each.code: each for each in database.configurations.analyses()},
        {each.code: each for each in database.configurations.trades()},
    )
    records = _read(database, configurations, instruments, name)
    with closing(_replay(records.traded, store, records.start_ms, records.end_ms)) as whole:
        derived, checks = _derived(records, whole)
    start, end = _range(records, start_ms, end_ms)
    first, last = ((moment - records.start_ms) // MINUTE_MS for moment in (start, end))
    equity = derived.equity[first:last]
    setup = beginning_with(records.setup, float(derived.equity[first - 1]) if first else records.initial)
    spec = review_spec(setup, configurations.analysis, configurations.trade, start, end)
    fills = [fill for fill in records.fills if start <= fill.time_ms < end]
    paid = float(derived.funding[last - 1]) - (float(derived.funding[first - 1]) if first else 0.0)
    fees = math.fsum(fill.fee for fill in fills)
    with closing(_replay(records.traded, store, start, end)) as part:
        wall = time.perf_counter() - begun
        outcome = Outcome(
            fills, equity, part.paths(records.traded), fees, paid, wall, 0, records.engine.assumed,
            records.flows(last)[first:],
        )  # fmt: skip
        weighted = msgspec.structs.replace(spec, positions=records.positions)
        summary, details = conclude(weighted, start, end, outcome)
    times, values = thin(start + MINUTE_MS * np.arange(1, len(equity) + 1, dtype=np.int64), equity)
    return Review(spec, summary, details, np.stack((times.astype(np.float64), values)), checks)


def _read(database: Database, configurations: Configurations, instruments: Sequence[Instrument], name: str) -> _Records:
    account = next((each for each in database.accounts.load() if each.setup.name == name), None)
    if account is None:
        raise Invalid("name", name, "a stored account")
    if account.engine is None:
        raise Refused(f"the account {name} has not begun: it waits for its first minute")
    state = AccountState.parse(account.engine)
    setup = state.setup
    equity = [point for point in database.accounts.equity(name) if point[0] <= account.market_ms]
    if not equity or equity[0][0] >= account.market_ms:
        raise Refused(f"the account {name} has no minute behind it yet")
    if not setup.positions:
        raise Refused(f"the account {name} has no position that could be looked at")
    stored = database.accounts.trades(name, MOST_TRADES)[::-1]
    fills = [each for each in stored if each.time_ms < account.market_ms]
    positions = (*setup.positions, *_given_up(setup, fills))
    known = {instrument.symbol: instrument for instrument in instruments}
    engine = make_engine(setup, configurations, known)
    engine.load(state.engine)
    traded = make_engine(msgspec.structs.replace(setup, positions=positions), configurations, known)
    is_virtual = setup.kind is AccountKind.VIRTUAL
    transfers = (
        [each for each in database.income.records(name) if each.time_ms <= account.market_ms] if is_virtual else []
    )
    moved = state.capital.transferred
    return _Records(setup, engine, traded, positions, equity[0][0], account.market_ms, fills, equity, transfers, moved)


def _given_up(setup: AccountSetup, fills: Sequence[TradeRecord]) -> list[PositionSetup]:
    """Symbols that were traded and are no positions any more, of weight 0; their margin rules are those of the first position."""
    present = {position.symbol for position in setup.positions}
    gone = [symbol for symbol in dict.fromkeys(fill.symbol for fill in fills) if symbol not in present]
    model, last = setup.positions[0], max(position.priority for position in setup.positions)
    return [
        msgspec.structs.replace(model, symbol=symbol, assumed_ratio=0.0, priority=last + place, max_allocated=None)
        for place, symbol in enumerate(gone, 1)
    ]


def _replay(engine: AccountEngine, store: MarketStore, start: int, end: int) -> Replay:
    """The minutes of all symbols; nothing is decided on them again."""
    replay = Replay(engine.symbols, start, end)
    none = np.zeros(0, np.int64)
    table = AnalysisTable(Interval.M1, none, none, (), np.zeros((0, 0)))
    for place, symbol in enumerate(engine.symbols):
        replay.take(place, store.read(symbol, start, end), table)
        replay.take_marks(place, store.marks(symbol, start, end))
    return replay


def _range(records: _Records, start_ms: int, end_ms: int) -> tuple[int, int]:
    """On whole minutes inside of what is stored, beginning where nothing was held."""
    end = min(end_ms or records.end_ms, records.end_ms) // MINUTE_MS * MINUTE_MS
    start = max(start_ms, records.start_ms) // MINUTE_MS * MINUTE_MS
    if start >= end:
        allowed = f"a range inside {format_time(records.start_ms)} to {format_time(records.end_ms)}"
        raise Invalid("start_ms", format_time(start_ms), allowed)
    held: set[str] = set()
    flat = records.start_ms
    for fill in records.fills:
        if fill.time_ms >= start:
            break
        (held.discard if fill.quantity_after == 0.0 else held.add)(fill.symbol)
        if not held:
            flat = fill.time_ms + MINUTE_MS
    return (start if not held else flat), end


# --- whether it adds up


def _derived(records: _Records, replay: Replay) -> tuple[Derived, tuple[ReviewCheck, ...]]:
    """The minutes of the account; those of an actual one are the exchange's, between its stored points the one before."""
    minutes = replay.minutes
    if records.setup.kind is AccountKind.ACTUAL:
        times, values = (np.array(column) for column in zip(*records.equity, strict=True))
        closes = records.start_ms + MINUTE_MS * np.arange(1, minutes + 1)
        curve = values[np.maximum(np.searchsorted(times, closes, "right") - 1, 0)].astype(np.float64)
        return Derived(curve, curve, np.zeros(minutes)), ()
    paths = replay.paths(records.traded)
    derived = derive(FillTable.of(records.fills), paths, minutes)
    paid_in = records.initial + np.cumsum(records.flows(minutes))
    derived = Derived(derived.equity + paid_in, derived.wallet + paid_in, derived.funding)
    snapshot = records.engine.snapshot()
    checks = [_numbered(records)]
    for state in snapshot.assets:
        checks += _of_asset(records, state)
    funding = float(derived.funding[-1])
    checks.append(ReviewCheck("funding", "", sum(each.funding_paid for each in snapshot.assets), funding))
    checks.append(_curve(records, derived))
    return derived, tuple(checks)


def _numbered(records: _Records) -> ReviewCheck:
    """Every fill of the engine is stored, once."""
    return ReviewCheck("fills", "", float(records.engine.fills), float(len({each.index for each in records.fills})))


def _of_asset(records: _Records, state: AssetState) -> list[ReviewCheck]:
    mine = [each for each in records.fills if asset_of(each.symbol, records.setup.assets) == state.asset]
    profit, fees = math.fsum(each.profit for each in mine), math.fsum(each.fee for each in mine)
    initial = records.setup.assets[state.asset].initial_balance
    transfers = [float(each.amount) for each in records.transfers if each.asset == state.asset]
    wallet = math.fsum((initial, *transfers, profit, -fees, -state.funding_paid))
    moved = records.transferred.get(state.asset, 0.0)
    own = [ReviewCheck("transfers", state.asset, moved, math.fsum(transfers))] if transfers or moved else []
    return [
        *own,
        ReviewCheck("profit", state.asset, state.realized_profit, profit),
        ReviewCheck("fees", state.asset, state.fees_paid, fees),
        ReviewCheck("wallet", state.asset, state.wallet_balance, wallet),
    ]


def _curve(records: _Records, derived: Derived) -> ReviewCheck:
    """The stored point of the equity that is farthest from what the market's minutes make of the fills."""
    points = records.equity[1:] or records.equity
    values = np.array([value for _, value in points])
    places = np.array([(time_ms - records.start_ms) // MINUTE_MS - 1 for time_ms, _ in points])
    made = np.where(places < 0, records.initial, derived.equity[places])
    worst = int(np.argmax(np.abs(made - values)))
    return ReviewCheck("equity", "", float(values[worst]), float(made[worst]))
