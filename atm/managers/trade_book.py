"""The accounts and configurations of the trade manager, as they are in memory and in the relational store.

Every change is stored before it is announced. The engine of an account, its trades and its market time are stored in one
transaction, so that after a kill at any moment the account goes on from a state that was really there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import AccountUpdated, ConfigurationsUpdated, NoticeRaised, TradeLogged
from atm.managers.actual_account import ActualAccount
from atm.managers.analysis_desk import Need, analysis_start_key
from atm.managers.live_desk import LiveDesk
from atm.managers.parity_recorder import ParityRecorder
from atm.managers.presets import Presets
from atm.managers.trade_accounts import FAILED, AccountState, VirtualAccount, make_engine
from atm.managers.trade_setups import Configurations, analysis_id
from atm.model.account import AccountKind, AccountSetup, AccountSnapshot, TradeReason, TradeRecord
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.income import IncomeRecord
from atm.model.instrument import Instrument
from atm.model.interval import HOUR_MS
from atm.model.journal import KILLED
from atm.model.notice import Notice, Severity
from atm.model.parity_record import CHANGED, CLEARED, TRADING
from atm.model.risk import LiveRules
from atm.storage.accounts import StoredAccount
from atm.storage.database import Database
from atm.trading.black_box.recorder import FlightRecorder
from atm.trading.engine import AccountEngine

log = logging.getLogger(__name__)

SAVE_SECONDS = 5.0
"""How long minutes without a trade may wait to be stored; they are replayed from the bars if they get lost."""

KILLED_WAITING = "killed_while_waiting"
"""Setting: names of accounts for which the kill switch came before they could be opened."""
_SEVERITIES = {
    TradeReason.STOP_IMMEDIATE: (Severity.WARNING, "notice.stop"),
    TradeReason.STOP_CLOSE: (Severity.WARNING, "notice.stop"),
    TradeReason.LIQUIDATION: (Severity.CRITICAL, "notice.liquidation"),
}


class AccountBook:
    """See the module. `clock`: monotonic seconds; `wall_ms`: Unix ms, for notices only; changed(): minutes of an actual account may
    go on; box: records what accounts are given. `live`: what actual accounts have on the exchange."""

    def __init__(
        self,
        assistant: IPCAssistant,
        database: Database,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
        box: FlightRecorder | None = None,
    ) -> None:
        self._assistant = assistant
        self._database = database
        self._clock = clock
        self._wall_ms = wall_ms
        self._waiting: dict[str, StoredAccount] = {}
        self._announced: dict[str, AccountUpdated] = {}
        self._reasons: dict[str, str] = {}
        self.configurations = Configurations()
        self.accounts: dict[str, VirtualAccount] = {}
        self.instruments: dict[str, Instrument] = {}
        self.save_error = ""
        self._retry_at = float("-inf")
        last_trades = database.accounts.last_trades
        self._box = box or FlightRecorder(None, clock, wall_ms)
        self.live = LiveDesk(
            assistant, database.orders, self.notify, changed, clock, last_trades=last_trades, logged=self._logged,
            make=self._box.live,
        )  # fmt: skip

    # --- start ------------------------------------------------------------------------------------------------

    def load(self, presets: Presets | None) -> None:
        """Read what is stored; `presets` fill a store that has nothing yet."""
        repository = self._database.configurations
        analysis, trade = repository.analyses(), repository.trades()
        stored = self._database.accounts.load()
        if presets is not None and not analysis and not trade and not stored:
            for configuration in presets.analysis:
                repository.put_analysis(configuration)
            for trade_configuration in presets.trade:
                repository.put_trade(trade_configuration)
            self._database.accounts.put(presets.account)
            analysis, trade = repository.analyses(), repository.trades()
            stored = self._database.accounts.load()
        self.configurations.analysis = {configuration.code: configuration for configuration in analysis}
        self.configurations.trade = {configuration.code: configuration for configuration in trade}
        for account in stored:
            self._waiting[account.setup.name] = account
        self.publish_configurations()

    def set_instruments(self, instruments: Iterable[Instrument]) -> bool:
        """Take over the exchange's instruments, in running accounts from their next minute on; True when accounts that waited
        for them were opened."""
        given = {instrument.symbol: instrument for instrument in instruments}
        changed = {name: each for name, each in given.items() if self.instruments.get(name, each) != each}
        self.instruments.update(given)
        self.live.take_instruments(changed)
        for account in self.accounts.values():
            if not changed.keys().isdisjoint(account.engine.symbols):
                account.engine.take_instruments(changed)
                account.mark(CHANGED)
                if account.watch is not None:
                    account.watch.reloaded(changed)
        before = len(self.accounts)
        for name, stored in list(self._waiting.items()):
            try:
                self.accounts[name] = self._open(stored)
                del self._waiting[name]
                self._obey_late(name)
            except ATMError as error:
                if name not in self._reasons:
                    self.notify(Severity.CRITICAL, "notice.account_failed", name, account=name, reason=str(error))
                self._reasons[name] = str(error)
                self._show_closed(stored, str(error))
        return len(self.accounts) > before

    def _open(self, stored: StoredAccount) -> VirtualAccount:
        """An account from the store. Raises Invalid when its state cannot be read or its set-up cannot be traded."""
        state = AccountState.parse(stored.engine) if stored.engine is not None else None
        setup = stored.setup if state is None else state.setup
        engine = make_engine(setup, self.configurations, self.instruments)
        account = self._make(setup, engine)
        if state is not None:
            engine.load(state.engine)
            account.capital = state.capital
            for symbol in engine.forget(state.methods):
                log.warning("account %s: the method of %s has changed and begins without memory", setup.name, symbol)
            account.begin(stored.market_ms, self.configurations)
            self._record_on(account)
        self._watch(account)
        if setup != stored.setup:
            self._database.accounts.put(setup)
        self._take_up(setup, stored.market_ms)
        return account

    def _make(self, setup: AccountSetup, engine: AccountEngine) -> VirtualAccount:
        """The account of its kind."""
        is_virtual = setup.kind is AccountKind.VIRTUAL
        account = VirtualAccount(setup, engine) if is_virtual else ActualAccount(setup, engine, self.live)
        account.recorder = ParityRecorder(self.configurations, self.instruments)
        return account

    def _record_on(self, account: VirtualAccount) -> None:
        """The record of an account goes on where its stored state is."""
        if account.recorder is None:
            return
        name, hour_ms = account.setup.name, account.market_ms // HOUR_MS * HOUR_MS
        account.recorder.resume(next(iter(self._database.parity.hours(name, hour_ms, hour_ms + 1)), None))
        account.recorder.renewed(account, self._database.parity.last_segment(name))

    def _starts(self, analyses: Iterable[str]) -> dict[str, int]:
        """First minutes of analyses, as far as they are chosen."""
        stored = {key: self._database.settings.get(analysis_start_key(key)) for key in analyses}
        return {key: int(value["start_ms"]) for key, value in stored.items() if value is not None}

    def _watch(self, account: VirtualAccount) -> None:
        """From its present state on, what its engine is given is recorded."""
        analysis, trade = self.configurations.analysis.values(), self.configurations.trade.values()
        actual = account.actual if isinstance(account, ActualAccount) else None
        account.watch = self._box.engine(account.setup, account.engine, actual, analysis, trade, self.instruments)

    def _take_up(self, setup: AccountSetup, since_ms: int = 0) -> None:
        """An actual account on the exchange, by a set-up that is stored; since_ms: the market time of what is stored. Raises ATMError."""
        if setup.kind is not AccountKind.VIRTUAL:
            self.live.open(setup, self.configurations.trade, self.instruments, since_ms)

    # --- what is asked ----------------------------------------------------------------------------------------

    def setups(self) -> list[AccountSetup]:
        """All accounts, those not opened yet included."""
        return [stored.setup for stored in self._waiting.values()] + [a.setup for a in self.accounts.values()]

    def account(self, name: str) -> VirtualAccount:
        """Raises Unavailable while it is not open, Invalid when there is none."""
        if name in self._waiting:
            reason = self._reasons.get(name, "it waits for the exchange's instruments")
            raise Unavailable(f"the account {name} is not open: {reason}")
        if name not in self.accounts:
            raise Invalid("name", name, f"one of {', '.join(sorted(self.accounts)) or '(there is no account)'}")
        return self.accounts[name]

    def knows(self, name: str) -> bool:
        return name in self.accounts or name in self._waiting

    def open_uses(self, used: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of (account, symbol) pairs those whose position is open, or not known yet."""
        return [
            (name, symbol)
            for name, symbol in used
            if name not in self.accounts or symbol in self.accounts[name].open_symbols()
        ]

    def needs(self) -> dict[str, Need]:
        """Analyses that accounts wait for, with the oldest market time among them."""
        needs: dict[str, Need] = {}
        for account in self.accounts.values():
            if not account.begun:
                continue
            for position in account.setup.positions:
                key = analysis_id(position)
                known = needs.get(key)
                oldest = account.market_ms if known is None else min(known.rows_from_ms, account.market_ms)
                every_minute = position.symbol in account.engine.every_minute or (
                    known is not None and known.every_minute
                )
                configuration = self.configurations.analysis[position.analysis]
                needs[key] = Need(position.symbol, configuration, oldest, every_minute)
        return needs

    # --- progress ---------------------------------------------------------------------------------------------

    def save_due(self, account: VirtualAccount) -> bool:
        if account.failure or not account.unsaved_minutes or self._clock() < self._retry_at or owes(account):
            return False
        return account.unsaved_trades or self._clock() - account.saved_at >= SAVE_SECONDS

    def save(self, account: VirtualAccount) -> None:
        """Store an account's progress, then announce its new trades. Raises Unavailable when it cannot be stored."""
        if account.failure or not account.begun:
            return
        name = account.setup.name
        try:
            progress = account.progress(self._starts)
            self._database.accounts.save_progress(
                name, progress.state, progress.market_ms, progress.trades, progress.equity, progress.record,
                progress.transfers,
            )  # fmt: skip
        except ATMError as error:
            if not self.save_error:
                self.notify(Severity.CRITICAL, "notice.account_not_stored", name, account=name, reason=str(error))
            self.save_error = str(error)
            self._retry_at = self._clock() + SAVE_SECONDS
            raise
        self.save_error = ""
        for record in account.saved(self._clock()):
            self._logged(name, record)

    def _logged(self, name: str, record: TradeRecord) -> None:
        self._assistant.publish(TradeLogged(name, record), key=name)
        self._announce(name, record)

    def _announce(self, name: str, record: TradeRecord) -> None:
        severity, text = _SEVERITIES.get(record.reason, (Severity.INFO, "notice.fill"))
        self.notify(
            severity,
            text,
            name,
            account=name,
            side=record.side.value,
            quantity=f"{record.quantity:g}",
            symbol=record.symbol,
            price=f"{record.price:g}",
            reason=record.reason.value,
        )

    # --- changes ----------------------------------------------------------------------------------------------

    def put_account(self, setup: AccountSetup) -> None:
        """Create an account, or go on with other positions from the present state. The set-up was checked before."""
        old = self.accounts.get(setup.name)
        engine = make_engine(setup, self.configurations, self.instruments)
        account = self._make(setup, engine)
        if old is None or not old.begun:
            self._database.accounts.put(setup)
        else:
            self.save(old)
            engine.adopt(old.engine)
            engine.set_trading(setup.trading)
            account.capital = old.capital
            account.begin(old.market_ms, self.configurations)
            if account.recorder is not None and old.recorder is not None:
                account.recorder.go_on(old.recorder)
            if isinstance(account, ActualAccount) and isinstance(old, ActualAccount):
                account.take_over(old)
            account.mark(CHANGED)
            self._store_change(account)
        self._watch(account)
        try:
            self._take_up(setup)
        except ATMError:
            if old is None:
                self._database.accounts.remove(setup.name)
                raise
            log.exception(
                "the account %s is taken up with its new set-up as soon as its journal can be read", setup.name
            )
        self.accounts[setup.name] = account
        self.publish_account(account, {})

    def rebuild(self, names: Iterable[str]) -> None:
        """Make the engines of accounts anew: a configuration that their flat positions use has changed."""
        for name in names:
            if name in self.accounts:
                self.put_account(self.accounts[name].setup)

    def set_trading(self, account: VirtualAccount, on: bool) -> None:
        """Effective with the next minute; stored at once, so that a replay knows it too."""

        def switch() -> None:
            account.setup = msgspec.structs.replace(account.setup, trading=on)
            account.engine.set_trading(on)
            account.mark(TRADING)
            if account.watch is not None:
                account.watch.commanded("trading_on" if on else "trading_off")

        self._change(account, switch)
        if not on:
            self.live.hold(account.setup.name)

    def set_rules(self, account: VirtualAccount, rules: LiveRules) -> None:
        """Of an actual account; it is taken up anew from its journal with them."""

        def change() -> None:
            account.setup = msgspec.structs.replace(account.setup, live=rules)
            account.mark(CHANGED)

        self._change(account, change)
        self.live.open(account.setup, self.configurations.trade, self.instruments)

    def force_clear(self, account: VirtualAccount, symbols: Iterable[str]) -> None:
        """Close positions at the next open; stored at once, so that a replay knows it too. Of an actual account: now."""
        if isinstance(account, ActualAccount):
            closed = tuple(symbols)
            self.live.clear(account.setup.name, closed)
            account.mark(CLEARED, closed)
            return

        def clear() -> None:
            closed = tuple(symbols)
            for symbol in closed:
                account.engine.force_clear(symbol)
            account.mark(CLEARED, closed)
            if account.watch is not None:
                account.watch.commanded("force_clear", closed)

        self._change(account, clear)

    def transfer(self, account: VirtualAccount, told: IncomeRecord) -> None:
        """Of a virtual account that has begun; effective with the next minute, stored at once with the state that has it."""
        self._change(account, lambda: account.transfer(told), self.save)

    def kill(self, name: str) -> None:
        """Stop trading and close everything of an account, or of all when name is "". Does what it can; raises Unavailable with the
        accounts of which it could do nothing, Invalid when there is none of this name."""
        if name:
            self._known(name)
        names = [name] if name else [*self._waiting, *self.accounts]
        left: list[str] = []
        for each in names:
            try:
                if each in self._waiting:
                    self._kill_waiting(each)
                else:
                    self._kill_one(each)
            except ATMError as error:
                log.error("the kill switch of %s: %s", each, error)
                left.append(f"{each}: {error}")
        if left:
            raise Unavailable("; ".join(left))

    def _kill_one(self, name: str) -> None:
        account = self.account(name)
        is_new = account.setup.trading
        try:
            if isinstance(account, ActualAccount):
                self.live.flatten(name, KILLED)
            elif account.open_symbols():
                self.force_clear(account, sorted(account.open_symbols()))
        finally:
            if account.setup.trading:
                self.set_trading(account, False)
        if is_new:
            self.notify(Severity.CRITICAL, "notice.killed", name, account=name)

    def _kill_waiting(self, name: str) -> None:
        """Of an account that is not open, and may never be: what is known of it is closed, the rest is kept for its opening."""
        killed = self._killed_waiting()
        if name not in killed:
            self._database.settings.put(KILLED_WAITING, sorted({*killed, name}))
            self.notify(Severity.CRITICAL, "notice.killed", name, account=name)
        if self.live.knows(name):
            self.live.flatten(name, KILLED)

    def _obey_late(self, name: str) -> None:
        """The kill switch that came while an account was not open."""
        killed = self._killed_waiting()
        if name in killed:
            self._kill_one(name)
            self._database.settings.put(KILLED_WAITING, sorted(killed - {name}))

    def _killed_waiting(self) -> set[str]:
        return set(self._database.settings.get(KILLED_WAITING) or ())

    def _known(self, name: str) -> None:
        if not self.knows(name):
            raise Invalid("account", name, ", ".join(sorted({*self._waiting, *self.accounts})) or "(there is none)")

    def _change(
        self,
        account: VirtualAccount,
        change: Callable[[], None],
        store: Callable[[VirtualAccount], None] | None = None,
    ) -> None:
        """A change from outside, between two stored states. What cannot be stored is undone and raises Unavailable."""
        if account.unsaved_minutes:
            self.save(account)
        kept = account.keep()
        try:
            change()
            (store or self._store_change)(account)
        except ATMError:
            account.restore(kept)
            self._watch(account)
            raise
        self.publish_account(account, {})

    def remove_account(self, account: VirtualAccount) -> None:
        name = account.setup.name
        self._database.accounts.remove(name)
        self.live.close(name)
        self._box.forget(name)
        del self.accounts[name]
        self._announced.pop(name, None)
        update = AccountUpdated(account.snapshot({}), account.setup, removed=True)
        self._assistant.publish(update, key=name)

    def _store_change(self, account: VirtualAccount) -> None:
        """Set-up and engine after a change from outside. They are stored together; the copy for readers follows."""
        if account.begun:
            self.save(account)
        self._database.accounts.put(account.setup)

    # --- announcements ----------------------------------------------------------------------------------------

    def publish_configurations(self) -> None:
        analysis, trade = self.configurations.analysis, self.configurations.trade
        update = ConfigurationsUpdated(
            tuple(analysis[code] for code in sorted(analysis)), tuple(trade[code] for code in sorted(trade))
        )
        self._assistant.publish(update)

    def publish_account(self, account: VirtualAccount, marks: dict[str, float]) -> None:
        """Unless it looks as it did: a flat account is not changed by a price."""
        update = AccountUpdated(account.snapshot(marks), account.setup)
        name = account.setup.name
        if update != self._announced.get(name):
            self._announced[name] = update
            self._assistant.publish(update, key=name)

    def _show_closed(self, stored: StoredAccount, reason: str) -> None:
        """An account that cannot be opened is seen with the reason, not missing."""
        setup = stored.setup
        snapshot = AccountSnapshot(setup.name, setup.kind, False, stored.market_ms, state=FAILED, reason=reason)
        update = AccountUpdated(snapshot, setup)
        if update != self._announced.get(setup.name):
            self._announced[setup.name] = update
            self._assistant.publish(update, key=setup.name)

    def notify(self, severity: Severity, text: str, subject: str, **parameters: str) -> None:
        self._box.told(subject, severity.value, text, parameters)
        notice = Notice(self._wall_ms(), self._assistant.name, severity, text, parameters, subject)
        self._assistant.publish(NoticeRaised(notice))


def owes(account: VirtualAccount) -> bool:
    """Whether the minutes that an account has done have made targets that are not in its journal of orders: they must not be stored."""
    return isinstance(account, ActualAccount) and bool(account.targets)
