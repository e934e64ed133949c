"""What the trade manager does for actual accounts: carries out the steps of their cores. Entries are committed before requests go
out; each request is answered once, by binance_api or, where that does not answer, by an unknown outcome.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial

import msgspec

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    BINANCE_API,
    ActivationState,
    CarriedOut,
    CarryOut,
    CloseLiveAccount,
    Failed,
    LastTrade,
    LiveClock,
    LiveHeard,
    LiveMissed,
    LiveShown,
    MarkPrice,
    OpenLiveAccount,
    Reply,
)
from atm.managers.actual_account import Facts
from atm.model.account import AccountSetup, TradeRecord
from atm.model.activation import ActivationStatus
from atm.model.errors import ATMError, Unavailable
from atm.model.instrument import Instrument
from atm.model.journal import FORCE_CLEAR, KILLED, WHOLE_ACCOUNT, Halted, LiveState, Target, TargetSet, Transferred
from atm.model.live_order import NOTHING
from atm.model.live_request import (
    Answer,
    CancelOrder,
    Failure,
    FailureKind,
    LiveRequest,
    PlaceOrder,
    TakeSnapshot,
)
from atm.model.live_view import LiveView
from atm.model.notice import Severity
from atm.model.order_probe import ProbeTarget
from atm.model.risk import LiveSetup, SymbolSetup
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.orders import OrderJournal
from atm.trading.actual import Held
from atm.trading.live.desk import LiveNotice, Step
from atm.trading.live.journal_fold import restored
from atm.trading.live.live_account import LiveAccount
from atm.trading.live.trade_log import TradeLog

log = logging.getLogger(__name__)

TICK_S = 0.25
SHOW_S = 1.0
"""How often what an account has on the exchange is shown, when it has changed."""
ANSWER_S, SNAPSHOT_S = 30.0, 150.0
"""How long binance_api may take for a request, and for a snapshot; the cores themselves give up earlier."""
CONNECT_RETRY_S = 2.0
Notify = Callable[..., None]
MakeAccount = Callable[[str, LiveSetup, Mapping[str, Instrument], LiveState], LiveAccount]
Deed = Callable[[LiveAccount, int], Step]


class _Live(msgspec.Struct):
    """steps, records: what has happened and is not committed yet."""

    setup: LiveSetup
    account: LiveAccount
    log: TradeLog
    steps: list[Step] = []
    records: list[TradeRecord] = []


class LiveDesk:
    """What the user wants of an account while its journal refuses is done as soon as it can be written; targets are the engine's to
    keep until they are committed.

    clock(): monotonic seconds; notify(severity, text, subject, **parameters): tells the user; changed(): minutes of an account
    may go on; last_trades(account): the newest stored record of each symbol; logged(account, record): a record was stored; make:
    LiveAccount, or one that is recorded."""

    def __init__(
        self,
        assistant: IPCAssistant,
        journal: OrderJournal,
        notify: Notify,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        last_trades: Callable[[str], Mapping[str, TradeRecord]] = lambda _: {},
        logged: Callable[[str, TradeRecord], None] = lambda _, __: None,
        make: MakeAccount = LiveAccount,
    ) -> None:
        self._assistant, self._journal, self._notify, self._changed = assistant, journal, notify, changed
        self._last_trades, self._logged, self._make = last_trades, logged, make
        self._clock = clock
        self._live: dict[str, _Live] = {}
        self._setups: dict[str, LiveSetup] = {}
        self._owed: dict[str, dict[str, Deed]] = {}
        self._refused: set[str] = set()
        self._is_due = False
        self._stopped: dict[str, dict[str, int]] = {}
        self._instruments: dict[str, Instrument] = {}
        self._time: tuple[int, float, float] | None = None
        self._marks: dict[str, tuple[float, int]] = {}
        self._watched: set[str] = set()
        assistant.subscribe(LiveClock, self._on_clock)
        assistant.subscribe(ActivationState, self._on_activation)
        assistant.subscribe(LiveHeard, self._on_heard)
        assistant.subscribe(LiveMissed, self._on_missed)
        assistant.subscribe(MarkPrice, self._on_mark, keys=())
        assistant.subscribe(LastTrade, self._on_trade, keys=())
        self._shown: dict[str, LiveView] = {}
        assistant.every(TICK_S, self._tick)
        assistant.every(SHOW_S, self._show)

    @property
    def now_ms(self) -> int:
        """The exchange's clock, 0 while it is not known."""
        if self._time is None:
            return 0
        at_ms, rate, since_s = self._time
        return at_ms + int((self._clock() - since_s) * 1000 * rate)

    # --- accounts ---------------------------------------------------------------------------------------------

    def open(
        self,
        setup: AccountSetup,
        trade: Mapping[str, TradeConfiguration],
        instruments: Mapping[str, Instrument],
        since_ms: int = 0,
    ) -> None:
        """Take an actual account up from its journal, or go on with another set-up. since_ms: up to when its engine has been told of stops.
        Raises ATMError; what goes on already is then taken up with the new set-up later."""
        symbols = {
            position.symbol: SymbolSetup(trade[position.trade].leverage, trade[position.trade].isolated)
            for position in setup.positions
        }
        self._instruments.update(instruments)
        self._watch(symbols)
        is_known = setup.name in self._setups
        self._setups[setup.name] = LiveSetup.of(symbols, setup.live)
        stopped = self._stopped.setdefault(setup.name, {})
        try:
            before = self._start(setup.name)
        except ATMError:
            if is_known:
                self._lose(setup.name)
            else:
                self.close(setup.name)
            raise
        if not is_known:
            known = (each for each in before.values() if each.time_ms >= since_ms)
            stopped.update({each.target.symbol: each.stopped for each in known})
        self._connect(setup.name)

    def take_instruments(self, changed: Mapping[str, Instrument]) -> None:
        """Filters of the exchange have changed: they hold for the next orders and stops."""
        self._instruments.update(changed)
        for live in self._live.values():
            live.account.reload(changed)

    def close(self, name: str) -> None:
        """Let an account go; its orders and stops on the exchange stay."""
        self._live.pop(name, None)
        self._owed.pop(name, None)
        self._stopped.pop(name, None)
        if self._setups.pop(name, None) is not None:
            self._assistant.request_async(BINANCE_API, CloseLiveAccount(name), lambda _: None)

    def facts(self, name: str) -> Facts | None:
        """What the exchange says of an account; None while it has not been compared."""
        live = self._live.get(name)
        if live is None or not live.account.is_ready:
            return None
        stopped = self._stopped[name]
        held = {
            symbol: Held(float(book.own), self._entry(live, symbol), stopped.get(symbol, 0))
            for symbol, book in live.account.state.books.items()
        }
        return Facts(
            held, {asset: float(wallet) for asset, wallet in live.account.wallets.items()}, live.account.equity
        )

    def engaged(self, name: str) -> set[str]:
        """Symbols in which an account has something, wants something or has an order under way that is no stop. What the exchange
        has is known here before the engine's next minute."""
        live = self._live.get(name)
        if live is None:
            return set()
        state = live.account.state
        held = {symbol for symbol, book in state.books.items() if book.own}
        seen = {symbol for symbol, position in live.account.positions.items() if position.amount}
        wanted = {symbol for symbol, target in state.targets.items() if target.quantity}
        moving = {
            order.intent.symbol
            for order in state.orders.values()
            if not order.is_final and not order.intent.is_conditional
        }
        return held | seen | wanted | moving

    def consumed(self, name: str) -> None:
        """The engine has taken the facts in: stops of the exchange are told once."""
        self._stopped[name].clear()

    @staticmethod
    def _entry(live: _Live, symbol: str) -> float:
        seen = live.account.positions.get(symbol)
        return 0.0 if seen is None else float(seen.entry)

    def aim(self, name: str, targets: Iterable[Target]) -> bool:
        """What the engine wants; whether all of it is in the journal. After the kill switch an account stays flat, whatever it wants."""
        if name not in self._live:
            return False
        killed = self._is_killed(name)
        wanted = [target for target in targets if not target.quantity or not killed]
        return not wanted or self._do(name, self._live[name].account.aim_all(wanted, self.now_ms))

    def clear(self, name: str, symbols: Iterable[str]) -> None:
        """Close positions at market, until the next decision. Raises Unavailable where that is not in the journal yet."""
        for symbol in symbols:
            self._wish(name, f"clear {symbol}", partial(_cleared, symbol))
        self._check_owed(name)

    def hold(self, name: str) -> None:
        """Open nothing more: what is wanted beyond the present positions is not wanted any more, what closes goes on."""
        if name in self._setups:
            self._wish(name, "hold", lambda account, now_ms: account.hold(now_ms))

    def flatten(self, name: str, reason: str) -> None:
        """Close everything of an account at market, and open nothing more. Raises Unavailable where that is not in the journal yet."""
        self._wish(name, f"flatten {reason}", lambda account, now_ms: account.flatten(reason, now_ms))
        self._check_owed(name)

    def names(self) -> tuple[str, ...]:
        """Accounts that have been compared with the exchange."""
        return tuple(name for name, live in self._live.items() if live.account.is_ready)

    def probe_targets(self, name: str) -> tuple[ProbeTarget, ...]:
        """Symbols of an account of which the order types can be tried."""
        return self._live[name].account.probe_targets if name in self._live else ()

    def transferred(self, name: str, told: Iterable[Transferred]) -> bool:
        """The income records of an account tell of money that came in or went out; whether that is in the journal."""
        return name in self._live and self._do(name, self._live[name].account.transferred(told, self.now_ms))

    def knows(self, name: str) -> bool:
        """Whether the account was opened here."""
        return name in self._setups

    def halts(self, name: str) -> tuple[Halted, ...]:
        """What is halted of an account, with the reasons."""
        live = self._live.get(name)
        return () if live is None else tuple(live.account.halts(self.now_ms))

    def resume(self, name: str, scope: str) -> None:
        """A scope (a symbol, WHOLE_ACCOUNT) opens positions again. Raises Unavailable where that is not in the journal yet."""
        self._wish(name, f"resume {scope}", lambda account, now_ms: account.resume(scope, now_ms))
        self._check_owed(name)

    def _wish(self, name: str, what: str, deed: Deed) -> None:
        """Do what the user wants, later if it cannot be committed now; what is wanted again takes the place of the earlier wish."""
        owed, live = self._owed.setdefault(name, {}), self._live.get(name)
        if owed or live is None or not self._do(name, deed(live.account, self.now_ms)):
            owed.pop(what, None)
            owed[what] = deed

    def _check_owed(self, name: str) -> None:
        if self._owed.get(name):
            raise Unavailable(
                f"the journal of the account {name} cannot be written; it is done as soon as that is possible"
            )

    def _make_up(self, name: str) -> None:
        """Do what could not be committed, in its order."""
        owed = self._owed.get(name, {})
        for what, deed in list(owed.items()):
            if name not in self._live or not self._do(name, deed(self._live[name].account, self.now_ms)):
                return
            del owed[what]

    def _is_killed(self, name: str) -> bool:
        return any(halt.scope == WHOLE_ACCOUNT and halt.reason == KILLED for halt in self.halts(name))

    def _start(self, name: str) -> dict[str, TargetSet]:
        """From the journal; returns what stops had closed before."""
        setup = self._setups[name]
        if name in self._live and not self._commit(name):
            raise Unavailable(f"the journal of the account {name} cannot be written")
        state = restored(self._journal.load(name))
        trades = TradeLog(state, self._last_trades(name))
        self._live[name] = _Live(setup, self._make(name, setup, self._instruments, state), trades)
        stopped = dict(state.stopped)
        if self._time is not None:
            self._begin(name)
        return stopped

    def _begin(self, name: str) -> None:
        if self._do(name, self._live[name].account.start(self.now_ms)):
            self._make_up(name)

    def _connect(self, name: str) -> None:
        def answered(reply: Reply) -> None:
            if isinstance(reply, Failed):
                log.warning("the account %s is not connected: %s", name, reply.message)
                if reply.kind == "Unavailable":
                    self._assistant.call_later(CONNECT_RETRY_S, lambda: self._connect(name))
                else:
                    self._notify(
                        Severity.CRITICAL, "notice.account_failed", name, account=name, reason=reply.message
                    )  # fmt: skip

        if name in self._setups:
            self._assistant.request_async(BINANCE_API, OpenLiveAccount(name), answered, timeout=ANSWER_S)

    def _on_activation(self, event: ActivationState) -> None:
        if event.status is ActivationStatus.ACTIVE:
            self._connect(event.account)

    def reconnect(self) -> None:
        """binance_api has begun anew: it knows no accounts."""
        for name in self._setups:
            self._connect(name)

    # --- steps ------------------------------------------------------------------------------------------------

    def _do(self, name: str, step: Step) -> bool:
        """Commit, then send; whether it was committed. What could not be is not sent, and the account begins anew from its journal."""
        self._keep(name, step)
        return self._commit(name)

    def _soon(self, name: str, step: Step) -> None:
        """The same, once for all events that have arrived by now: they come in hundreds after the close of a minute, and each commit waits
        for the disk."""
        self._keep(name, step)
        if not self._is_due:
            self._is_due = True
            self._assistant.call_soon(self._commit_all)

    def _keep(self, name: str, step: Step) -> None:
        live = self._live[name]
        if step.entries:
            live.records += self._records(name, step)
        live.steps.append(step)

    def _commit_all(self) -> None:
        self._is_due = False
        for name in list(self._live):
            self._commit(name)

    def _commit(self, name: str) -> bool:
        """Commit the entries of all steps that were kept, then do what follows from them."""
        live = self._live[name]
        steps, records = live.steps, live.records
        live.steps, live.records = [], []
        entries = [entry for step in steps for entry in step.entries]
        try:
            stored = self._journal.append(name, entries, records)
        except ATMError as error:
            log.error("the journal of %s could not be written: %s", name, error)
            if name not in self._refused:
                self._notify(Severity.CRITICAL, "notice.account_not_stored", name, account=name, reason=str(error))
            self._refused.add(name)
            self._lose(name)
            return False
        if entries:
            self._refused.discard(name)
        for record in stored:
            self._logged(name, record)
        for number, request in (each for step in steps for each in step.requests):
            self._send(name, number, request)
        for notice in (each for step in steps for each in step.notices):
            self._tell(name, notice)
        return True

    def _records(self, name: str, step: Step) -> list[TradeRecord]:
        live = self._live[name]
        quote = {symbol: each.quote_asset for symbol, each in self._instruments.items()}
        return live.log.records(step.entries, live.account.state, live.account.wallets, quote)

    def _lose(self, name: str) -> None:
        """What is known of an account is not what its journal says: it is taken up anew after a while."""
        self._live.pop(name, None)
        self._assistant.call_later(CONNECT_RETRY_S, lambda: self._again(name))

    def _again(self, name: str) -> None:
        if name in self._live or name not in self._setups:
            return
        try:
            self._start(name)
        except ATMError as error:
            log.error("the journal of %s cannot be read: %s", name, error)
            self._lose(name)
        self._changed()

    def _send(self, name: str, number: int, request: LiveRequest) -> None:
        asked_ms, live = self.now_ms, self._live[name]

        def answered(reply: Reply) -> None:
            if self._live.get(name) is not live:
                return  # the account began anew; the request's outcome is asked for
            answer = reply.answer if isinstance(reply, CarriedOut) else _no_answer(number, asked_ms, request, reply)
            self._soon(name, live.account.answered(answer, self.now_ms))
            self._changed()

        timeout = SNAPSHOT_S if isinstance(request, TakeSnapshot) else ANSWER_S
        self._assistant.request_async(BINANCE_API, CarryOut(name, number, request), answered, timeout=timeout)

    def _tell(self, name: str, notice: LiveNotice) -> None:
        severity = Severity.CRITICAL if notice.urgent else Severity.WARNING
        self._notify(severity, notice.key, name, account=name, scope=notice.scope or name, details=notice.details)
        if notice.stopped:
            self._stopped[name][notice.scope] = notice.stopped

    # --- events -----------------------------------------------------------------------------------------------

    def _on_clock(self, event: LiveClock) -> None:
        is_first = self._time is None
        self._time = (event.market_ms, event.rate, self._clock())
        if is_first:
            for name in list(self._live):
                self._begin(name)

    def _on_heard(self, event: LiveHeard) -> None:
        live = self._live.get(event.account)
        if live is not None and self._time is not None:
            self._soon(event.account, live.account.learned(event.facts, self.now_ms))

    def _on_missed(self, event: LiveMissed) -> None:
        live = self._live.get(event.account)
        if live is not None and self._time is not None:
            self._do(event.account, live.account.reconnected(self.now_ms))

    def _on_mark(self, event: MarkPrice) -> None:
        self._marks[event.symbol] = event.mark_price, self.now_ms

    def _on_trade(self, event: LastTrade) -> None:
        mark, since_ms = self._marks.get(event.symbol, (None, 0))
        if mark is None:
            return
        for live in self._live.values():
            if event.symbol in live.setup.symbols:
                live.account.priced(event.symbol, Decimal(str(event.price)), Decimal(str(mark)), since_ms)

    def _tick(self) -> None:
        if self._time is None:
            return
        for name, live in list(self._live.items()):
            was_ready = live.account.is_ready
            self._do(name, live.account.tick(self.now_ms))
            if live.account.is_ready and not was_ready:
                self._changed()

    def _show(self) -> None:
        """Tell what has changed of what a user looks at."""
        for name in self._shown.keys() - self._live.keys():
            del self._shown[name]
        for name, live in self._live.items() if self._time is not None else ():
            view = live.account.view(self.now_ms)
            if view != self._shown.get(name):
                self._shown[name] = view
                self._assistant.publish(LiveShown(name, view), key=name)

    def _watch(self, symbols: Iterable[str]) -> None:
        fresh = sorted(set(symbols) - self._watched)
        if fresh:
            self._watched.update(fresh)
            self._assistant.subscribe(MarkPrice, _listening, keys=fresh)
            self._assistant.subscribe(LastTrade, _listening, keys=fresh)


def _cleared(symbol: str, account: LiveAccount, now_ms: int) -> Step:
    before = account.state.targets.get(symbol)
    decision_ms = max(now_ms, before.decision_ms + 1 if before is not None else 0)
    return account.aim(Target(symbol, NOTHING, decision_ms, reason=FORCE_CLEAR), now_ms)


def _listening(_: MarkPrice | LastTrade) -> None:
    """Only widens the subscription; the handler is that of the first one."""


def _no_answer(number: int, asked_ms: int, request: LiveRequest, reply: Reply) -> Answer:
    """binance_api has died, hangs, or does not know the account."""
    reason = reply.message if isinstance(reply, Failed) else "an unexpected reply"
    changes = isinstance(request, PlaceOrder | CancelOrder)
    kind = FailureKind.UNKNOWN if changes else FailureKind.NOT_DONE
    return Answer(number, asked_ms, failure=Failure(kind, reason=reason))
