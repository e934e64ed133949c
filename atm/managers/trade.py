"""The trade manager: virtual accounts that trade the market minute by minute, and the analyses they need.

Bars and rows go into the accounts' barriers; complete minutes go through the account engine; what came of them is stored,
then announced. A restart reads the stored state, the missed minutes and the missed rows and goes on through the same code.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from atm.analyzers.installed import install_for
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    BINANCE_API,
    AnalysisRow,
    ClosedBar,
    CollectSymbols,
    Failed,
    Instruments,
    OpenBar,
    ProcessState,
    ProvisionalRow,
    Reply,
)
from atm.managers import examined
from atm.managers.actual_account import ActualAccount
from atm.managers.analysis_desk import AnalysisDesk
from atm.managers.bar_repairs import BarRepairs
from atm.managers.black_box import flight_recorder
from atm.managers.catch_up import CatchUp
from atm.managers.income_desk import IncomeDesk
from atm.managers.minute_barrier import BarHole
from atm.managers.presets import demo_presets
from atm.managers.probe_desk import ProbeDesk
from atm.managers.trade_accounts import VirtualAccount
from atm.managers.trade_book import AccountBook, owes
from atm.managers.trade_commands import TradeCommands
from atm.model.bars import Bar, Source
from atm.model.endpoint import Endpoint
from atm.model.errors import ATMError
from atm.model.interval import MINUTE_MS, format_time
from atm.model.notice import Severity
from atm.model.parity_record import ACCOUNT_BEGAN
from atm.model.program import ProgramContext
from atm.storage.database import Database
from atm.storage.market_store import MarketStore, open_store
from atm.storage.settlements import settlements

log = logging.getLogger(__name__)

BATCH_MINUTES = 720
"""Minutes of one account between which other messages are handled."""
TICK_S = 0.5
"""How often accounts are shown, late rows looked for and minutes without trades stored."""
ROW_PATIENCE_S = 10.0
"""How long a minute waits for a row before its analysis is started again."""
ROW_TRIES = 4
"""After so many waits the minute goes on without the row; an analysis given up once gets one wait a row until it is back."""
COLLECT_RETRY_S = 5.0


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    install_for(context)
    database = Database(context.database)
    manager = TradeManager(assistant, context, database, open_store(context))
    manager.start()
    assistant.run()
    manager.finish()


@dataclass(slots=True)
class _Patience:
    """A minute that waits for rows: since when, and how often they were asked for again."""

    minute_ms: int
    since: float
    tries: int = 0


class TradeManager:
    """See the module. `clock`: monotonic seconds; `wall_ms`: Unix ms UTC, used for the times of notices only."""

    def __init__(
        self,
        assistant: IPCAssistant,
        context: ProgramContext,
        database: Database,
        store: MarketStore,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant = assistant
        self._context = context
        self._clock = clock
        self._scheduled = False
        self._subscribed: set[str] = set()
        self._collected: tuple[str, ...] = ()
        self._collector_pid = 0
        self._now: dict[str, int] = {}
        self._marks: dict[str, float] = {}
        self._dirty: set[str] = set()
        self._patience: dict[str, _Patience] = {}
        self._rowless: set[str] = set()
        self._catch_up = CatchUp(clock)
        self._box = flight_recorder(context, clock, wall_ms, self._box_stopped)
        self.book = AccountBook(assistant, database, clock, wall_ms, self._schedule, self._box)
        self.desk = AnalysisDesk(assistant, context.analyzers, store, database.settings, self.book.needs, clock)
        self._repairs = BarRepairs(assistant, store, clock, self._schedule_for, self._given_up)
        ProbeDesk(assistant, self.book.live, self.book.notify)
        IncomeDesk(assistant, database, self.book.live, self.book.notify, partial(settlements, store))
        self._commands = TradeCommands(
            assistant, self.book, database, context.built_in_verdicts, self.desk.restart, self._changed
        )

    def start(self) -> None:
        """Load what is stored and listen."""
        demo = self._context.endpoint is Endpoint.DEMO
        self.book.load(demo_presets(self._context.symbols) if demo else None)
        self._assistant.subscribe(Instruments, self._on_instruments)
        self._assistant.subscribe(AnalysisRow, self._on_row)
        self._assistant.subscribe(ProvisionalRow, self._on_row)
        self._assistant.subscribe(ProcessState, self._on_process, keys=(BINANCE_API,))
        self._assistant.subscribe(ClosedBar, self._on_closed, keys=())
        self._assistant.subscribe(OpenBar, self._on_open, keys=())
        self._assistant.every(TICK_S, self._tick)
        self._changed()

    def finish(self) -> None:
        """Store what is not stored yet."""
        for account in self.book.accounts.values():
            if account.unsaved_minutes and not owes(account):
                self._save(account)
        self._box.close()

    # --- what arrives -----------------------------------------------------------------------------------------

    def _on_instruments(self, event: Instruments) -> None:
        configurations = self.book.configurations
        if examined.read_files(configurations.analysis.values(), configurations.trade.values()):
            examined.then(self._assistant, partial(self._take_instruments, event))
        else:
            self._take_instruments(event)

    def _take_instruments(self, event: Instruments) -> None:
        if self.book.set_instruments(event.instruments):
            self._changed()

    def _on_closed(self, event: ClosedBar) -> None:
        bar = event.bar
        if event.source == Source.STREAM:  # a minute fetched by REST may be days old
            self._now[event.symbol] = max(self._now.get(event.symbol, 0), bar.open_time + MINUTE_MS)
        for account in self.book.accounts.values():
            if account.barrier is not None:
                account.barrier.add_bar(event.symbol, bar)
        self._begin_waiting(event.symbol)
        if bar.open_time + MINUTE_MS >= self._now.get(event.symbol, 0):
            self._marks[event.symbol] = _mark_price(bar)
        self._schedule()

    def _on_open(self, event: OpenBar) -> None:
        self._now[event.symbol] = max(self._now.get(event.symbol, 0), event.bar.open_time)
        self._marks[event.symbol] = _mark_price(event.bar)
        self._begin_waiting(event.symbol)
        for name, account in self.book.accounts.items():
            if event.symbol in account.symbols:
                self._dirty.add(name)

    def _on_row(self, event: AnalysisRow | ProvisionalRow) -> None:
        self._rowless.discard(event.analysis)
        for account in self.book.accounts.values():
            if account.barrier is not None:
                account.barrier.add_row(event.analysis, event.close_time, event.values)
        self._schedule()

    def _on_process(self, event: ProcessState) -> None:
        """A Binance API manager that has come anew collects the configured symbols alone until it is told."""
        if event.name == BINANCE_API and event.state == "running" and event.pid != self._collector_pid:
            self._collector_pid = event.pid
            self._collected = ()
            self._collect()
            self.book.live.reconnect()

    def _begin_waiting(self, symbol: str) -> None:
        """Accounts that have not begun do so at the market's present minute."""
        if symbol not in self._now:
            return
        for account in self.book.accounts.values():
            if not account.begun and symbol in account.symbols:
                account.begin(max(self._now.get(name, 0) for name in account.symbols), self.book.configurations)
                account.mark_beginning()
                account.mark(ACCOUNT_BEGAN)
                self._save(account)
                self.desk.plan()

    # --- minutes ----------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Process complete minutes after the messages that wait already."""
        if not self._scheduled:
            self._scheduled = True
            self._assistant.call_soon(self._drain)

    def _schedule_for(self, _account: str) -> None:
        self._schedule()

    def _drain(self) -> None:
        self._scheduled = False
        for name, account in self.book.accounts.items():
            if account.barrier is None or account.failure:
                continue
            if self.book.save_error and account.unsaved_trades:
                continue  # nothing more is done that could not be stored; the bars are in the market store
            if self._advance(name, account) == BATCH_MINUTES:
                self._schedule()
            self._repairs.look(name, account.barrier)

    def _advance(self, name: str, account: VirtualAccount) -> int:
        done = account.process(BATCH_MINUTES)
        if isinstance(account, ActualAccount):
            self._aim(name, account)
        if account.failure:
            self.book.notify(Severity.CRITICAL, "notice.account_failed", name, account=name, reason=account.failure)
        if done or account.failure:
            self._dirty.add(name)
        if self.book.save_due(account):
            self._save(account)
        return done

    def _aim(self, name: str, account: ActualAccount) -> None:
        live = self.book.live
        if account.targets and self._catch_up.holds_back(name, account.market_ms, live.now_ms):
            return
        if live.aim(name, account.targets.values()):
            account.committed()

    def _save(self, account: VirtualAccount) -> None:
        try:
            self.book.save(account)
        except ATMError as error:
            log.error("account %s could not be stored, will be tried again: %s", account.setup.name, error)

    def _given_up(self, account: str, hole: BarHole) -> None:
        self.book.notify(
            Severity.WARNING,
            "notice.minutes_missing",
            account,
            account=account,
            symbol=hole.symbol,
            start=format_time(hole.start_ms),
            end=format_time(hole.end_ms),
        )

    def _box_stopped(self, reason: str) -> None:
        self.book.notify(Severity.WARNING, "notice.black_box_stopped", "", reason=reason)

    # --- by the clock -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.book.save_error:
            self._schedule()  # minutes wait until the store takes them again
        for name, account in self.book.accounts.items():
            if account.barrier is None:
                continue
            if self.book.save_due(account):
                self._save(account)
            self._repairs.look(name, account.barrier)
            self._look_for_rows(name, account)
        for name in self._dirty & self.book.accounts.keys():
            self.book.publish_account(self.book.accounts[name], self._marks)
        self._dirty.clear()
        self._box.pulse()

    def _look_for_rows(self, name: str, account: VirtualAccount) -> None:
        """Have the analysis of a row that does not come started again; in the end go on without it."""
        barrier = account.barrier
        missing = barrier.missing_rows() if barrier is not None and barrier.bars_complete else []
        if barrier is None or not missing:
            self._patience.pop(name, None)
            return
        now = self._clock()
        waiting = self._patience.get(name)
        if waiting is None or waiting.minute_ms != barrier.next_ms:
            tries = ROW_TRIES - 1 if self._rowless.issuperset(missing) else 0
            self._patience[name] = _Patience(barrier.next_ms, now, tries)
            return
        if any(self.desk.state(analysis) in ("", "preparing", "waiting") for analysis in missing):
            waiting.since = now  # no analyzer for it yet, or it is still on its way through the past
            return
        if now - waiting.since < ROW_PATIENCE_S:
            return
        waiting.since = now
        waiting.tries += 1
        for analysis in missing:
            if waiting.tries < ROW_TRIES:
                self.desk.restart(analysis)
            else:
                self._rowless.add(analysis)
                barrier.settle_row(analysis)
                time_text = format_time(barrier.next_ms + MINUTE_MS)
                self.book.notify(
                    Severity.WARNING, "notice.row_missing", name, account=name, analysis=analysis, time=time_text
                )
        self._schedule()

    # --- changes ----------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """Accounts or configurations have changed: listen to their symbols, collect them, run their analyses."""
        symbols = {position.symbol for setup in self.book.setups() for position in setup.positions}
        fresh = symbols - self._subscribed
        if fresh:
            self._subscribed |= fresh
            self._assistant.subscribe(ClosedBar, _listening, keys=sorted(fresh))
            self._assistant.subscribe(OpenBar, _listening, keys=sorted(fresh))
        for symbol in symbols & self._now.keys():
            self._begin_waiting(symbol)
        self._dirty |= self.book.accounts.keys()
        self._collect()
        self.desk.plan()
        self._schedule()

    def _collect(self) -> None:
        """Ask for the symbols of accounts, whatever else is collected."""
        wanted = tuple(sorted({position.symbol for setup in self.book.setups() for position in setup.positions}))
        if wanted == self._collected:
            return
        self._collected = wanted

        def answered(reply: Reply) -> None:
            if isinstance(reply, Failed):
                log.warning("symbols %s are not collected: %s", ", ".join(wanted), reply.message)
                self._collected = ()
                if reply.kind == "Unavailable":
                    self._assistant.call_later(COLLECT_RETRY_S, self._collect)

        self._assistant.request_async(BINANCE_API, CollectSymbols(wanted, "accounts"), answered, timeout=10.0)


def _mark_price(bar: Bar) -> float:
    """The newest mark price, that of the trades where none is recorded."""
    return bar.close if bar.mark is None or math.isnan(bar.mark.close) else bar.mark.close


def _listening(_event: object) -> None:
    """The first subscription of a type handles its events; later ones only add keys."""
