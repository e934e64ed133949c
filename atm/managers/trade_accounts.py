"""A virtual account: the engine, the minutes that wait for it, and what is not stored yet. No I/O, no clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from atm.analyzers.pipeline import AnalysisPipeline
from atm.managers.minute_barrier import Minute, MinuteBarrier
from atm.managers.parity_recorder import ParityRecorder
from atm.managers.trade_setups import Configurations, analysis_id
from atm.model.account import AccountKind, AccountSetup, AccountSnapshot, AssetState, TradeRecord
from atm.model.errors import Invalid
from atm.model.income import IncomeRecord
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval
from atm.model.parity_record import NOTHING_RECORDED, TRANSFERRED, RecordProgress
from atm.model.trade_method import ELAPSED
from atm.model.transfer import ALL_ASSETS, Capital
from atm.trading.black_box.engine_watch import EngineWatch
from atm.trading.engine import AccountEngine, Floats

log = logging.getLogger(__name__)

EQUITY_STEP_MS = 15 * MINUTE_MS

STARTING, ACTIVE, FAILED = "STARTING", "ACTIVE", "FAILED"


def make_engine(
    setup: AccountSetup, configurations: Configurations, instruments: Mapping[str, Instrument]
) -> AccountEngine:
    """The engine of an account, flat. Raises Invalid when the set-up cannot be traded."""
    engine = AccountEngine(
        setup.assets,
        setup.positions,
        configurations.analysis.values(),
        configurations.trade.values(),
        instruments.values(),
        setup.costs,
    )
    engine.set_trading(setup.trading)
    return engine


class AccountState(msgspec.Struct, frozen=True):
    """What is stored as the state of an account: the engine and the set-up that it belongs to, so that both change at once.

    methods: versions of users' methods whose memory is in it, by name; capital: what was paid in and out until then.
    """

    setup: AccountSetup
    engine: bytes
    methods: dict[str, str] = {}
    capital: Capital = Capital()

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def parse(data: bytes) -> AccountState:
        """Raises Invalid for bytes that are no state."""
        try:
            return msgspec.msgpack.decode(data, type=AccountState)
        except msgspec.MsgspecError as error:
            raise Invalid(
                "account state", f"{len(data)} bytes", f"a state that this version has stored ({error})"
            ) from error


@dataclass(slots=True)
class Progress:
    """What is to be stored in one transaction: the state after `market_ms`, and what happened since the last time."""

    market_ms: int
    state: bytes
    trades: list[TradeRecord]
    equity: list[tuple[int, float]]
    record: RecordProgress
    transfers: list[IncomeRecord]


@dataclass(slots=True)
class _Unsaved:
    minutes: int = 0
    trades: list[TradeRecord] = field(default_factory=list)
    equity: list[tuple[int, float]] = field(default_factory=list)
    transfers: list[IncomeRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kept:
    """An account as it was before a change from outside."""

    setup: AccountSetup
    engine: bytes
    capital: Capital
    equity: list[tuple[int, float]]
    transfers: list[IncomeRecord]


class VirtualAccount:
    """See the module. An account without a market time has not begun: it waits for the first minute it hears of.

    market_ms: end of the last minute processed; saved_ms: that of the last stored progress; watch: who records what the engine is
    given.
    """

    def __init__(self, setup: AccountSetup, engine: AccountEngine) -> None:
        self.setup = setup
        self.engine = engine
        self.failure = ""
        self.capital = Capital()
        self.barrier: MinuteBarrier | None = None
        self.saved_at = float("-inf")
        self.recorder: ParityRecorder | None = None
        self.watch: EngineWatch | None = None
        self._unsaved = _Unsaved()
        self._columns: dict[str, tuple[str, ...]] = {}
        self._intervals: dict[str, Interval] = {}

    @property
    def begun(self) -> bool:
        return self.barrier is not None

    @property
    def market_ms(self) -> int:
        return 0 if self.barrier is None else self.barrier.next_ms

    @property
    def unsaved_minutes(self) -> int:
        return self._unsaved.minutes

    @property
    def unsaved_trades(self) -> bool:
        return bool(self._unsaved.trades)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(position.symbol for position in self.setup.positions)

    def analyses(self) -> dict[str, str]:
        """Ids of the analyses in use, with the code of their configuration."""
        return {analysis_id(position): position.analysis for position in self.setup.positions}

    def begin(self, market_ms: int, configurations: Configurations) -> None:
        """Wait for the minutes from `market_ms` on."""
        used = {key: configurations.analysis[code] for key, code in self.analyses().items()}
        self._intervals = {key: configuration.decision for key, configuration in used.items()}
        self._columns = {
            key: (*AnalysisPipeline(configuration).columns, f"{configuration.decision.value}.{ELAPSED}")
            for key, configuration in used.items()
        }
        asking = self.engine.every_minute
        every_minute = [analysis_id(each) for each in self.setup.positions if each.symbol in asking]
        self.barrier = MinuteBarrier(self.symbols, self._intervals, market_ms, every_minute)

    def mark_beginning(self) -> None:
        """The equity curve begins with the account's first minute."""
        self._unsaved.equity.append((self.market_ms, sum(self._initial().values())))

    def _initial(self) -> dict[str, float]:
        return {name: asset.initial_balance for name, asset in self.setup.assets.items()}

    def transfer(self, told: IncomeRecord) -> None:
        """Money comes in, or goes out (amount < 0), between two minutes. The equity before it is a point of the curve."""
        before = {state.asset: state.margin_balance for state in self.engine.snapshot().assets}
        earlier = self.capital.moved if self.capital.last_ms == self.market_ms else 0.0
        self._unsaved.equity.append((self.market_ms, sum(before.values()) - earlier))
        amount = float(told.amount)
        self.engine.transfer(told.asset, amount)
        self.capital = self.capital.after(self._initial(), before, told.asset, amount, self.market_ms)
        self._unsaved.transfers.append(told)
        if self.recorder is not None:
            self.recorder.mark(self, TRANSFERRED, transferred={told.asset: amount})
        if self.watch is not None:
            self.watch.transferred(told.asset, amount)

    def keep(self) -> Kept:
        """What `restore` takes back to."""
        unsaved = self._unsaved
        return Kept(self.setup, self.engine.dump(), self.capital, list(unsaved.equity), list(unsaved.transfers))

    def restore(self, kept: Kept) -> None:
        """A change from outside could not be stored: it has not happened."""
        self.setup, self.capital = kept.setup, kept.capital
        self.engine.load(kept.engine)
        self._unsaved.equity, self._unsaved.transfers = list(kept.equity), list(kept.transfers)
        if self.recorder is not None:
            self.recorder.unmark()

    def mark(self, why: str, cleared: Iterable[str] = ()) -> None:
        """Something from outside has changed the account (`atm.model.parity_record` says what); an account that has not begun has
        nothing that could be worked again."""
        if self.recorder is not None and self.begun:
            self.recorder.mark(self, why, cleared)

    def process(self, limit: int) -> int:
        """Give complete minutes to the engine, at most `limit`; returns how many there were.

        An engine that fails stops this account: its stored state is the one before, and `failure` says why.
        """
        if self.barrier is None or self.failure:
            return 0
        minutes = self.barrier.take(limit)
        try:
            for minute in minutes:
                self._minute(minute)
            fills = self.engine.trades()
            self._unsaved.trades += fills
            if self.watch is not None:
                self.watch.fills(fills)
        except Exception as error:
            # One account's defect must not stop the others; it is shown at the account and the log has the trace.
            log.exception("account %s stopped", self.setup.name)
            if self.watch is not None:
                self.watch.failed(error)
            self.failure = f"{type(error).__name__}: {error}"
            return 0
        if minutes:
            self._unsaved.minutes += len(minutes)
        return len(minutes)

    def _minute(self, minute: Minute) -> None:
        close = minute.open_ms + MINUTE_MS
        rows = {key: self._inputs(key, values, close) for key, values in minute.rows.items()}
        self._before(minute, rows)
        try:
            equity = self.engine.minute(minute.open_ms, minute.bars, rows)
        except Exception as error:
            if self.watch is not None:
                self.watch.raised(minute.open_ms, minute.bars, rows, error)
            raise
        self._after()
        if self.watch is not None:
            self.watch.minute(minute.open_ms, minute.bars, rows, equity)
        if close % EQUITY_STEP_MS == 0:
            self._unsaved.equity.append((close, equity))

    def _before(self, minute: Minute, rows: Mapping[str, Floats]) -> None:
        if self.recorder is not None and self.barrier is not None:
            due = self.barrier.due(minute.open_ms + MINUTE_MS)
            self.recorder.before(self, minute, rows, due, self.barrier.newest_ms)

    def _after(self) -> None:
        if self.recorder is not None:
            self.recorder.after(self.engine)

    def _inputs(self, analysis: str, values: tuple[float, ...], close_ms: int) -> Floats:
        row = np.array((*values, self._intervals[analysis].elapsed(close_ms)))
        return self.engine.inputs(analysis.partition("/")[0], self._columns[analysis], row)

    def progress(self, starts: Callable[[Iterable[str]], Mapping[str, int]] = lambda _: {}) -> Progress:
        """What is to be stored now; it counts as stored after `saved`. starts: first minutes of analyses, by id."""
        state = AccountState(self.setup, self.engine.dump(), self.engine.method_versions, self.capital).dump()
        record = NOTHING_RECORDED
        if self.recorder is not None:
            record = self.recorder.progress(starts)
        unsaved = self._unsaved
        return Progress(
            self.market_ms, state, list(unsaved.trades), list(unsaved.equity), record, list(unsaved.transfers)
        )

    def saved(self, now: float) -> list[TradeRecord]:
        """The progress was stored; the trades that may be announced now."""
        trades = self._unsaved.trades
        self._unsaved = _Unsaved()
        self.saved_at = now
        if self.recorder is not None:
            self.recorder.saved()
        return trades

    def open_symbols(self) -> set[str]:
        """Symbols of the positions that are not flat."""
        return {position.symbol for position in self.engine.snapshot().positions if position.quantity}

    def snapshot(self, marks: Mapping[str, float]) -> AccountSnapshot:
        """The account for display: as of the last minute, valued at `marks` (newest prices by symbol)."""
        state = FAILED if self.failure else ACTIVE if self.begun else STARTING
        made = self.engine.snapshot(self.setup.name, marks, self.setup.kind)
        return msgspec.structs.replace(
            made,
            assets=tuple(self._with_capital(each) for each in made.assets),
            reference=self._reference(ALL_ASSETS),
            transfer_ms=self.capital.last_ms,
            market_ms=self.market_ms,
            state=state,
            reason=self.failure,
        )

    def _with_capital(self, state: AssetState) -> AssetState:
        transferred = self.capital.transferred.get(state.asset, 0.0)
        return msgspec.structs.replace(state, transferred=transferred, reference=self._reference(state.asset))

    def _reference(self, asset: str) -> float | None:
        """None of an actual account, whose first balance is the exchange's."""
        if self.setup.kind is not AccountKind.VIRTUAL:
            return None
        initial = self._initial()
        first = sum(initial.values()) if asset == ALL_ASSETS else initial.get(asset, 0.0)
        return self.capital.reference.get(asset, first)
