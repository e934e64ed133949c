"""Writes the black box. It stands beside the cores and changes nothing of them: an account that is recorded does what one that is not
would do, and what goes wrong in here ends the recording, never the account.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping

import msgspec

import atm
from atm.model.account import AccountSetup
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.instrument import Instrument
from atm.model.journal import LiveState
from atm.model.risk import LiveSetup
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.flight_log import FlightLog
from atm.trading.actual import ActualEngine
from atm.trading.black_box.engine_watch import EngineWatch
from atm.trading.black_box.memory import memory_of
from atm.trading.black_box.recorded_account import OWN, RecordedAccount
from atm.trading.black_box.records import (
    ENCODER,
    FORMAT,
    InstrumentTable,
    Line,
    LiveMemory,
    Record,
    Segment,
    Told,
)
from atm.trading.black_box.redaction import Redactor
from atm.trading.engine import AccountEngine
from atm.trading.live.live_account import LiveAccount

log = logging.getLogger(__name__)

STATES_S = 900.0
"""Between the states from which a replay can begin."""
LEAST_SEGMENT_S = 10.0
"""A segment lasts, however much is written: where the states alone fill one, they are not written again at once."""
RETRY_S = 60.0
"""After a full disk, until recording is tried again."""


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
        self._next_states = self._retry_at = self._next_segment = float("-inf")

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
        if not self._is_open or (self._log.is_full and self._clock() >= self._next_segment):
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
        self._next_segment = self._clock() + LEAST_SEGMENT_S
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
