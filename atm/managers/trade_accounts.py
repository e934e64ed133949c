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
from atm.model.account import AccountSetup, AccountSnapshot, TradeRecord
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval
from atm.model.parity_record import NOTHING_RECORDED, RecordProgress
from atm.model.trade_method import ELAPSED
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

    methods: versions of users' methods whose memory is in it, by name.
    """

    setup: AccountSetup
    engine: bytes
    methods: dict[str, str] = {}

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


@dataclass(slots=True)
class _Unsaved:
    minutes: int = 0
    trades: list[TradeRecord] = field(default_factory=list)
    equity: list[tuple[int, float]] = field(default_factory=list)


class VirtualAccount:
    """See the module. An account without a market time has not begun: it waits for the first minute it hears of.

    market_ms: end of the last minute processed; saved_ms: that of the last stored progress; watch: who records what the engine is
    given.
    """

    def __init__(self, setup: AccountSetup, engine: AccountEngine) -> None:
        self.setup = setup
        self.engine = engine
        self.failure = ""
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
        initial = sum(asset.initial_balance for asset in self.setup.assets.values())
        self._unsaved.equity.append((self.market_ms, initial))

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
        equity = self.engine.minute(minute.open_ms, minute.bars, rows)
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
        state = AccountState(self.setup, self.engine.dump(), self.engine.method_versions).dump()
        record = NOTHING_RECORDED
        if self.recorder is not None:
            record = self.recorder.progress(starts)
        return Progress(self.market_ms, state, list(self._unsaved.trades), list(self._unsaved.equity), record)

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
        return msgspec.structs.replace(
            self.engine.snapshot(self.setup.name, marks, self.setup.kind),
            market_ms=self.market_ms,
            state=state,
            reason=self.failure,
        )
