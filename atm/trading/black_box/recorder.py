"""Writes the black box. It stands beside the cores and changes nothing of them: an account that is recorded does what one that is not
would do, and what goes wrong in here ends the recording, never the account.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np
from numpy.typing import NDArray

import atm
from atm.model.account import AccountSetup, TradeRecord
from atm.model.account_facts import LiveFact
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import Bar
from atm.model.instrument import Instrument
from atm.model.journal import LiveState, Target, Transferred
from atm.model.live_request import Answer
from atm.model.risk import LiveSetup
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.flight_log import FlightLog
from atm.trading.actual import ActualEngine, Held
from atm.trading.black_box.memory import memory_of, plain
from atm.trading.black_box.records import (
    ENCODER,
    FORMAT,
    Aimed,
    Answered,
    EngineCommand,
    EngineFailed,
    EngineFills,
    EngineMemory,
    EngineMinute,
    FlattenAsked,
    HaltAsked,
    HoldAsked,
    InstrumentTable,
    Learned,
    Line,
    LiveCall,
    LiveInput,
    LiveMemory,
    MinuteOutcome,
    PriceSeen,
    QuietTick,
    QuietTicks,
    Reconnected,
    Record,
    Reloaded,
    ResumeAsked,
    Segment,
    Started,
    Ticked,
    Told,
    TransfersTold,
)
from atm.trading.black_box.redaction import Redactor
from atm.trading.engine import AccountEngine
from atm.trading.live.desk import Step
from atm.trading.live.live_account import LiveAccount

log = logging.getLogger(__name__)

STATES_S = 900.0
"""Between the states from which a replay can begin."""
RETRY_S = 60.0
"""After a full disk, until recording is tried again."""
MOST_QUIET = 20
"""Ticks without consequence that are written as one record; a kill loses no more than these."""

Floats = NDArray[np.float64]


class FlightRecorder:
    """log: None = nothing is recorded; clock(): monotonic seconds; wall_ms(): Unix ms; stopped(reason): recording has ended by itself."""

    def __init__(
        self,
        flight_log: FlightLog | None,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        redactor: Redactor | None = None,
        stopped: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._log, self._clock, self._wall_ms, self._stopped = flight_log, clock, wall_ms, stopped
        self.redactor = redactor or Redactor()
        self._run = 0
        self._counts: dict[str, int] = {}
        self._tables: set[str] = set()
        self._live: dict[str, RecordedAccount] = {}
        self._engines: dict[str, EngineWatch] = {}
        self._is_open = self._has_told = False
        self._next_states = self._retry_at = float("-inf")

    # --- what is recorded -------------------------------------------------------------------------------------

    def live(
        self, name: str, setup: LiveSetup, instruments: Mapping[str, Instrument], state: LiveState | None = None
    ) -> LiveAccount:
        """A live account that is recorded from now on; arguments as of LiveAccount."""
        self.pulse()
        account = RecordedAccount(self, name, setup, instruments, state)
        self._live[name] = account
        self.safely(lambda: self._live_state(account, fresh=True))
        return account

    def engine(
        self,
        setup: AccountSetup,
        engine: AccountEngine,
        actual: ActualEngine | None,
        analysis: Iterable[AnalysisConfiguration],
        trade: Iterable[TradeConfiguration],
        instruments: Mapping[str, Instrument],
    ) -> EngineWatch:
        """Who has to be told of everything that this engine is given from now on."""
        self.pulse()
        codes = {each.analysis for each in setup.positions}, {each.trade for each in setup.positions}
        used = tuple(each for each in analysis if each.code in codes[0])
        watch = EngineWatch(
            self, msgspec.structs.replace(setup, uid=0), engine, actual, used,
            tuple(each for each in trade if each.code in codes[1]),
            {symbol: instruments[symbol] for symbol in engine.symbols},
        )  # fmt: skip
        self._engines[setup.name] = watch
        self.safely(lambda: self._engine_state(watch, fresh=True))
        return watch

    def forget(self, name: str) -> None:
        """An account is no more."""
        self._live.pop(name, None)
        self._engines.pop(name, None)

    def told(self, account: str, severity: str, text: str, parameters: Mapping[str, str]) -> None:
        """A notice of an account."""
        clean = {name: self.redactor.text(value) for name, value in parameters.items()}
        self.safely(lambda: self.write(account, Told(severity, text, clean)))

    def pulse(self) -> None:
        """To be called about twice a second, between the cores' work: begins segments and writes states that are due."""
        if self._log is None or self._clock() < self._retry_at:
            return
        if not self._is_open or self._log.is_full:
            self.safely(self._begin)
        elif self._clock() >= self._next_states:
            self.safely(lambda: self._states(fresh=False))

    def close(self) -> None:
        """Write what waits and end."""
        self.safely(self._flush)
        self._is_open = False
        if self._log is not None:
            self._log.close()

    # --- writing ----------------------------------------------------------------------------------------------

    @property
    def is_recording(self) -> bool:
        return self._is_open

    def write(self, account: str, record: Record) -> None:
        """One record. Raises OSError."""
        if not self._is_open or self._log is None:
            return
        number = self._counts[account] = self._counts.get(account, 0) + 1
        self._log.append(ENCODER.encode(Line(self._run, number, self._wall_ms(), account, record)))

    def safely(self, record: Callable[[], None]) -> None:
        """Record something; what goes wrong ends the recording alone."""
        try:
            record()
        except OSError as error:
            self._stop(error.strerror or str(error))
        except Exception as error:
            # A defect in here must not reach the account.
            log.exception("the black box has failed")
            self._stop(f"{type(error).__name__}: {error}")

    def _stop(self, reason: str) -> None:
        self._is_open = False
        self._retry_at = self._clock() + RETRY_S
        log.error("the black box does not record: %s", reason)
        if not self._has_told:
            self._has_told = True
            self._stopped(reason)

    def _flush(self) -> None:
        for account in self._live.values():
            account.flush(prices=True)

    def _begin(self) -> None:
        assert self._log is not None
        is_first = not self._is_open
        self._flush()
        self._log.begin()
        self._run = self._run or self._log.number
        self._tables.clear()
        self._is_open = True
        self.write("", Segment(FORMAT, atm.__version__, os.getpid()))
        self._states(fresh=is_first)
        self._has_told = False

    def _states(self, *, fresh: bool) -> None:
        self._next_states = self._clock() + STATES_S
        self._flush()
        for account in self._live.values():
            self._live_state(account, fresh=fresh)
        for watch in self._engines.values():
            self._engine_state(watch, fresh=fresh)

    def _live_state(self, account: RecordedAccount, *, fresh: bool) -> None:
        if self._is_open:
            if account.box_table not in self._tables:
                account.box_table = self._table(account.known_instruments)
            memory = memory_of(account, OWN)
            setup, table, state = account.box_setup, account.box_table, account.state
            self.write(account.box_name, LiveMemory(account.box_at, setup, table, state, memory, fresh))

    def _engine_state(self, watch: EngineWatch, *, fresh: bool) -> None:
        if self._is_open:
            self.write(watch.setup.name, watch.memory(self._table(watch.instruments), fresh))

    def _table(self, instruments: Mapping[str, Instrument]) -> str:
        """The id under which these instruments stand in this segment."""
        listed = tuple(instruments[symbol] for symbol in sorted(instruments))
        name = hashlib.sha256(ENCODER.encode(listed)).hexdigest()[:16]
        if name not in self._tables:
            self.write("", InstrumentTable(name, listed))
            self._tables.add(name)
        return name


OWN = frozenset(("box", "box_name", "box_setup", "box_at", "box_table", "_box_inside", "_box_prices", "_box_quiet"))
"""Attributes that are not the account's."""


class RecordedAccount(LiveAccount):
    """A live account whose inputs and steps are recorded. Words of the exchange are redacted before the account hears them, so that
    everything that follows from them is."""

    def __init__(
        self,
        recorder: FlightRecorder,
        name: str,
        setup: LiveSetup,
        instruments: Mapping[str, Instrument],
        state: LiveState | None,
    ) -> None:
        super().__init__(name, setup, instruments, state)
        self.box, self.box_name, self.box_setup, self.box_at = recorder, name, setup, 0
        self.box_table = ""
        self._box_inside = False
        self._box_prices: dict[str, PriceSeen] = {}
        self._box_quiet: list[QuietTick] = []

    @property
    def known_instruments(self) -> Mapping[str, Instrument]:
        return self._desk.instruments

    def flush(self, *, prices: bool = False) -> None:
        """Write the quiet ticks that wait, and if wanted the prices that came after them."""
        after = self._taken_prices() if prices else ()
        if self._box_quiet or after:
            ticks, self._box_quiet = tuple(self._box_quiet), []
            self.box.write(self.box_name, QuietTicks(ticks, after))

    def start(self, now_ms: int) -> Step:
        return self._recorded(Started(), now_ms, lambda: LiveAccount.start(self, now_ms))

    def reconnected(self, now_ms: int) -> Step:
        return self._recorded(Reconnected(), now_ms, lambda: LiveAccount.reconnected(self, now_ms))

    def tick(self, now_ms: int) -> Step:
        return self._recorded(Ticked(), now_ms, lambda: LiveAccount.tick(self, now_ms))

    def learned(self, facts: Iterable[LiveFact], now_ms: int) -> Step:
        given = tuple(facts)
        return self._recorded(Learned(given), now_ms, lambda: LiveAccount.learned(self, given, now_ms))

    def priced(self, symbol: str, last: Decimal, mark: Decimal, now_ms: int) -> None:
        self._box_prices[symbol] = PriceSeen(symbol, last, mark, now_ms)
        LiveAccount.priced(self, symbol, last, mark, now_ms)

    def answered(self, answer: Answer, now_ms: int) -> Step:
        given = self._clean(answer)
        return self._recorded(Answered(given), now_ms, lambda: LiveAccount.answered(self, given, now_ms))

    def aim(self, target: Target, now_ms: int) -> Step:
        return self.aim_all((target,), now_ms)

    def aim_all(self, targets: Iterable[Target], now_ms: int) -> Step:
        given = tuple(targets)
        return self._recorded(Aimed(given), now_ms, lambda: LiveAccount.aim_all(self, given, now_ms))

    def halt(self, scope: str, reason: str, now_ms: int, *, hands_off: bool = False) -> Step:
        def core() -> Step:
            return LiveAccount.halt(self, scope, reason, now_ms, hands_off=hands_off)

        return self._recorded(HaltAsked(scope, reason, hands_off), now_ms, core)

    def resume(self, scope: str, now_ms: int) -> Step:
        return self._recorded(ResumeAsked(scope), now_ms, lambda: LiveAccount.resume(self, scope, now_ms))

    def flatten(self, reason: str, now_ms: int) -> Step:
        return self._recorded(FlattenAsked(reason), now_ms, lambda: LiveAccount.flatten(self, reason, now_ms))

    def hold(self, now_ms: int) -> Step:
        return self._recorded(HoldAsked(), now_ms, lambda: LiveAccount.hold(self, now_ms))

    def transferred(self, told: Iterable[Transferred], now_ms: int) -> Step:
        given = tuple(told)
        return self._recorded(TransfersTold(given), now_ms, lambda: LiveAccount.transferred(self, given, now_ms))

    def reload(self, instruments: Mapping[str, Instrument]) -> None:
        LiveAccount.reload(self, instruments)
        self.box_table = ""
        if not instruments:
            return
        given = Reloaded(tuple(instruments.values()))
        self.box.safely(lambda: self._write(LiveCall(self.box_at, given, prices=self._taken_prices())))

    # --- inside -----------------------------------------------------------------------------------------------

    def _clean(self, answer: Answer) -> Answer:
        if answer.failure is None or not answer.failure.reason:
            return answer
        reason = self.box.redactor.text(answer.failure.reason)
        return msgspec.structs.replace(answer, failure=msgspec.structs.replace(answer.failure, reason=reason))

    def _recorded(self, given: LiveInput, now_ms: int, core: Callable[[], Step]) -> Step:
        if self._box_inside:
            return core()
        self._box_inside, self.box_at = True, now_ms
        try:
            step = core()
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
            self.box.safely(
                lambda: self._write(LiveCall(now_ms, given, prices=self._taken_prices(), raised=raised)),
            )
            raise
        finally:
            self._box_inside = False
        self.box.safely(lambda: self._note(given, now_ms, step))
        return step

    def _note(self, given: LiveInput, now_ms: int, step: Step) -> None:
        if isinstance(given, Ticked) and not (step.entries or step.requests or step.notices):
            self._box_quiet.append(QuietTick(now_ms, self._taken_prices()))
            if len(self._box_quiet) >= MOST_QUIET:
                self.flush()
            return
        answer = msgspec.Raw(ENCODER.encode(step))
        self._write(LiveCall(now_ms, given, answer, self._taken_prices()))

    def _write(self, call: LiveCall) -> None:
        self.flush()
        self.box.write(self.box_name, call)

    def _taken_prices(self) -> tuple[PriceSeen, ...]:
        """The newest of each symbol since they were taken: each replaces the one before."""
        taken = tuple(self._box_prices.values())
        self._box_prices.clear()
        return taken


class EngineWatch:
    """What an account engine was given, and its answers. setup, analysis, trade and instruments are those that it was made of."""

    def __init__(
        self,
        recorder: FlightRecorder,
        setup: AccountSetup,
        engine: AccountEngine,
        actual: ActualEngine | None,
        analysis: tuple[AnalysisConfiguration, ...],
        trade: tuple[TradeConfiguration, ...],
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._recorder, self.setup, self._engine, self._actual = recorder, setup, engine, actual
        self._analysis, self._trade = analysis, trade
        self.instruments = dict(instruments)

    def memory(self, table: str, fresh: bool) -> EngineMemory:
        """The engine as it is. table: id of its instruments."""
        engine = self._engine
        last = None if self._actual is None else plain(self._actual.last)
        return EngineMemory(
            engine.market_ms, self.setup, self._analysis, self._trade, table, engine.dump(), engine.method_versions, fresh, last,
        )  # fmt: skip

    def minute(self, minute_ms: int, bars: Mapping[str, Bar], rows: Mapping[str, Floats], equity: float) -> None:
        """A minute of a virtual account."""
        if not self._recorder.is_recording:
            return

        def write() -> None:
            outcome = MinuteOutcome(digest_of(self._engine), equity)
            self._write(EngineMinute(minute_ms, dict(bars), rows_of(rows), msgspec.Raw(ENCODER.encode(outcome))))

        self._recorder.safely(write)

    def actual_minute(
        self,
        minute_ms: int,
        bars: Mapping[str, Bar],
        rows: Mapping[str, Floats],
        held: Mapping[str, Held],
        wallets: Mapping[str, float],
        targets: Sequence[Target],
    ) -> None:
        """A minute of an actual account."""
        if not self._recorder.is_recording:
            return

        def write() -> None:
            outcome = msgspec.Raw(ENCODER.encode(MinuteOutcome(digest_of(self._engine), targets=tuple(targets))))
            self._write(EngineMinute(minute_ms, dict(bars), rows_of(rows), outcome, dict(held), dict(wallets)))

        self._recorder.safely(write)

    def failed(self, error: Exception) -> None:
        """The engine could not go on; the account stands still."""
        said = self._recorder.redactor.text(f"{type(error).__name__}: {error}")
        self._recorder.safely(lambda: self._write(EngineFailed(said)))

    def fills(self, fills: Sequence[TradeRecord]) -> None:
        """The engine gave its fills away."""
        if fills:
            self._recorder.safely(lambda: self._write(EngineFills(msgspec.Raw(ENCODER.encode(fills)))))

    def commanded(self, name: str, symbols: Sequence[str] = ()) -> None:
        """The user's word, which the engine has obeyed: trading_on, trading_off, force_clear."""
        self._recorder.safely(lambda: self._write(EngineCommand(name, digest_of(self._engine), tuple(symbols))))

    def reloaded(self, changed: Mapping[str, Instrument]) -> None:
        """The engine has other instruments."""
        self.instruments.update({symbol: each for symbol, each in changed.items() if symbol in self.instruments})
        listed = tuple(each for symbol, each in changed.items() if symbol in self.instruments)

        def write() -> None:
            self._write(EngineCommand("instruments", digest_of(self._engine), instruments=listed))

        self._recorder.safely(write)

    def _write(self, record: EngineMinute | EngineFills | EngineCommand | EngineFailed) -> None:
        self._recorder.write(self.setup.name, record)


def digest_of(engine: AccountEngine) -> int:
    """CRC-32 over every number of an engine's state."""
    found = 0
    for table in engine.tables():
        found = zlib.crc32(np.ascontiguousarray(table).data, found)
    return found


def rows_of(rows: Mapping[str, Floats]) -> dict[str, bytes]:
    """Rows as they are written."""
    return {name: np.ascontiguousarray(row, "<f8").tobytes() for name, row in rows.items()}
