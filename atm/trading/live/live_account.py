"""A live account: targets in, orders out; events in, facts in the journal. Pure: time is an argument, and what is to be done
comes back as a `Step`.

Every method takes what has happened and returns what follows from it. The shell commits the entries of a step before it sends
the requests, answers each request once, and calls `tick` at least twice a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from atm.model.account_facts import LiveFact, PositionSeen, SettingsSeen, Snapshot, WalletSeen
from atm.model.instrument import Instrument
from atm.model.journal import (
    WHOLE_ACCOUNT,
    Adjusted,
    Halted,
    LiveState,
    Resumed,
    Target,
    TargetSet,
    Transferred,
)
from atm.model.live_order import NOTHING, OrderIntent, Purpose
from atm.model.live_request import (
    Answer,
    CountDown,
    Failure,
    FailureKind,
    FindOrder,
    LiveRequest,
    PlaceOrder,
    SetLeverage,
    SetMarginMode,
    TakeSnapshot,
)
from atm.model.live_view import LiveView
from atm.model.order_probe import ProbeTarget
from atm.model.risk import LiveSetup
from atm.trading.live import probe
from atm.trading.live.client_id import belongs_to
from atm.trading.live.dead_man import DeadManDesk
from atm.trading.live.desk import Desk, Flight, Price, Step
from atm.trading.live.equity import EquityDesk
from atm.trading.live.freshness import stamped
from atm.trading.live.order_desk import OrderDesk
from atm.trading.live.position_desk import PositionDesk
from atm.trading.live.reconciliation import Difference, Reconciler
from atm.trading.live.stop_desk import StopDesk
from atm.trading.live.survey import survey

FOREIGN_LOOK_MS = 300
"""How long after an event of an order that is not ours the account is compared."""


class LiveAccount:
    """One account on one exchange. Made anew from its journal after every start and after every failed commit."""

    def __init__(
        self, name: str, setup: LiveSetup, instruments: Mapping[str, Instrument], state: LiveState | None = None
    ) -> None:
        self._desk = Desk(name, setup, instruments, state or LiveState())
        self._orders = OrderDesk(self._desk)
        self._reconciler = Reconciler(self._desk, self._orders)
        self._positions = PositionDesk(self._desk, self._orders, self._reconciler)
        self._stops = StopDesk(self._desk, self._orders)
        self._dead_man = DeadManDesk(self._desk)
        self._equity = EquityDesk(self._desk)

    # --- what the user looks at -------------------------------------------------------------------------------

    @property
    def state(self) -> LiveState:
        """The journalled state; to be read only."""
        return self._desk.state

    @property
    def is_ready(self) -> bool:
        """Whether the account has been compared with the exchange since the last (re)connection."""
        return self._reconciler.ready

    @property
    def differences(self) -> tuple[Difference, ...]:
        """In what journal and exchange differed at the newest comparison."""
        return self._reconciler.differences

    def halts(self, now_ms: int) -> list[Halted]:
        """What is halted, the whole account first."""
        held = [halt for halt in self.state.halts.values() if halt.until_ms == 0 or now_ms < halt.until_ms]
        return sorted(held, key=lambda halt: halt.scope)

    @property
    def unprotected_since(self) -> Mapping[str, int]:
        """Since when positions have no resting stop, by symbol."""
        return self._stops.unprotected_since

    @property
    def closing_since(self) -> Mapping[str, int]:
        """Since when positions are to become smaller and do not, by symbol."""
        return self._positions.closing_since

    @property
    def equity(self) -> float:
        """Wallets and unrealised profit at the mark prices, in quote asset; 0 while not known."""
        return self._equity.value

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Symbols held without a price, because of which the equity is not known."""
        return self._equity.unpriced

    @property
    def positions(self) -> Mapping[str, PositionSeen]:
        """Positions as the exchange told them last, by symbol."""
        return self._desk.positions

    @property
    def wallets(self) -> Mapping[str, Decimal]:
        """Wallet balances as the exchange told them last, by asset."""
        return {asset: seen.wallet for asset, seen in self._equity.wallets.items()}

    def view(self, now_ms: int) -> LiveView:
        """All of it as it is shown."""
        return survey(self._desk, self._reconciler, self._positions, self._stops, now_ms)

    @property
    def probe_targets(self) -> tuple[ProbeTarget, ...]:
        """Symbols of which the order types can be tried."""
        return probe.targets(self._desk)

    # --- what happens -----------------------------------------------------------------------------------------

    def start(self, now_ms: int) -> Step:
        """The first step after the journal was read."""
        self._orders.adopt_journal(now_ms)
        self._reconciler.reconnected(now_ms)
        return self._worked(now_ms)

    def reconnected(self, now_ms: int) -> Step:
        """The user stream began anew: events may have been lost."""
        self._reconciler.reconnected(now_ms)
        return self._worked(now_ms)

    def tick(self, now_ms: int) -> Step:
        """Time has passed."""
        return self._worked(now_ms)

    def learned(self, facts: Iterable[LiveFact], now_ms: int) -> Step:
        """The user stream says something."""
        about = self._learn(facts, now_ms)
        return self._worked_on(about, now_ms)

    def priced(self, symbol: str, last: Decimal, mark: Decimal, time_ms: int) -> None:
        """New prices of a symbol, and when the older one was heard. They cause no step; the next tick looks at them."""
        self._desk.prices[symbol] = Price(last, mark, time_ms)

    def answered(self, answer: Answer, now_ms: int) -> Step:
        """A request was answered, or will not be."""
        flight = self._desk.flights.pop(answer.number, None)
        about = self._learn(answer.facts, now_ms)
        if flight is None:
            return self._worked_on(about, now_ms)
        self._answered(flight, answer, now_ms)
        if isinstance(flight.request, TakeSnapshot):
            return self._worked(now_ms)
        return self._worked_on(about | {_symbol_of(flight.request)}, now_ms)

    # --- what is wanted ---------------------------------------------------------------------------------------

    def aim(self, target: Target, now_ms: int) -> Step:
        """A decision. One that is not later than the one before is known already and changes nothing."""
        return self.aim_all((target,), now_ms)

    def aim_all(self, targets: Iterable[Target], now_ms: int) -> Step:
        """Decisions of one moment, in one step."""
        for target in targets:
            before = self.state.targets.get(target.symbol)
            if before is None or target.decision_ms > before.decision_ms:
                self._desk.record(TargetSet(target, now_ms))
                self._positions.new_decision(target.symbol)
        return self._worked(now_ms)

    def halt(self, scope: str, reason: str, now_ms: int, *, hands_off: bool = False) -> Step:
        """No new exposure in a scope until `resume`."""
        self._desk.record(Halted(scope, reason, hands_off, now_ms))
        return self._worked(now_ms)

    def resume(self, scope: str, now_ms: int) -> Step:
        """A scope trades again."""
        if scope in self.state.halts:
            self._desk.record(Resumed(scope, now_ms))
        return self._worked(now_ms)

    def flatten(self, reason: str, now_ms: int) -> Step:
        """Close everything and open nothing more until `resume`."""
        self._desk.record(Halted(WHOLE_ACCOUNT, reason, False, now_ms))
        seen = {symbol for symbol, position in self.positions.items() if position.amount}
        for symbol in sorted(self.state.books.keys() | self.state.targets.keys() | seen):
            before = self.state.targets.get(symbol)
            decision_ms = max(now_ms, before.decision_ms + 1 if before else 0)
            self._desk.record(TargetSet(Target(symbol, NOTHING, decision_ms, reason=reason), now_ms))
            self._positions.new_decision(symbol)
        return self._worked(now_ms)

    def transferred(self, told: Iterable[Transferred], now_ms: int) -> Step:
        """The income records tell of money that came in or went out."""
        for each in told:
            self._equity.transferred(each)
        return self._worked(now_ms)

    def hold(self, now_ms: int) -> Step:
        """Open nothing more: what is wanted beyond the present positions is not wanted any more, what closes goes on."""
        for symbol, target in list(self.state.targets.items()):
            own = self._desk.book(symbol).own
            kept = min(abs(target.quantity), abs(own)).copy_sign(own) if target.quantity * own > NOTHING else NOTHING
            if kept != target.quantity:
                decision_ms = max(now_ms, target.decision_ms + 1)
                self._desk.record(
                    TargetSet(msgspec.structs.replace(target, quantity=kept, decision_ms=decision_ms), now_ms)
                )
                self._positions.new_decision(symbol)
        return self._worked(now_ms)

    def reload(self, instruments: Mapping[str, Instrument]) -> None:
        """Filters have changed."""
        self._desk.instruments.update(instruments)

    # --- inside -----------------------------------------------------------------------------------------------

    def _learn(self, facts: Iterable[LiveFact], now_ms: int) -> set[str]:
        """Take facts in; the symbols that they are about."""
        about = set()
        for fact in facts:
            match fact:
                case PositionSeen():
                    self._seen(fact)
                    about.add(fact.symbol)
                case WalletSeen():
                    self._equity.learn(fact)
                case SettingsSeen():
                    self._positions.settings(fact)
                    about.add(fact.symbol)
                case _:
                    order = self.state.orders.get(fact.client_id)
                    if order is not None:
                        about.add(order.intent.symbol)
                    if not self._orders.learn(fact) and not belongs_to(fact.client_id, self._desk.name):
                        self._reconciler.soon(now_ms + FOREIGN_LOOK_MS)
        for order in self._orders.changed:
            self._stops.fired(order, now_ms)
        self._orders.changed.clear()
        return about

    def _seen(self, position: PositionSeen) -> None:
        before = self._desk.positions.get(position.symbol)
        if before is None or position.time_ms >= before.time_ms:
            mark = position.mark or (NOTHING if before is None else before.mark)
            self._desk.positions[position.symbol] = msgspec.structs.replace(position, mark=mark)

    def _answered(self, flight: Flight, answer: Answer, now_ms: int) -> None:
        request, failure = flight.request, answer.failure
        match request:
            case TakeSnapshot():
                if answer.snapshot is not None:
                    self._take(answer.snapshot, now_ms)
                elif failure is not None:
                    self._reconciler.failed(failure, now_ms)
            case SetLeverage() | SetMarginMode():
                self._positions.settings_answered(request, failure, now_ms)
            case CountDown():
                self._dead_man.answered(request, failure, now_ms)
            case FindOrder():
                is_answered = failure is None or failure.kind is FailureKind.NOT_FOUND
                if is_answered and not any(self._is_ours(fact) for fact in answer.facts):
                    self._reconciler.found_stranger(request.symbol, request.order_id)
            case _:
                refusal = self._orders.answered(flight, answer, now_ms)
                if isinstance(request, PlaceOrder):
                    self._placed(request.intent, refusal, now_ms, is_known=failure is None)

    def _placed(self, intent: OrderIntent, refusal: Failure | None, now_ms: int, *, is_known: bool) -> None:
        order = self.state.orders.get(intent.client_id)
        if intent.is_conditional:
            if refusal is None or order is None:
                self._stops.accepted(intent.symbol)
            else:
                self._stops.failed(order, refusal, now_ms)
        elif refusal is not None:
            self._positions.failed(intent.symbol, refusal, now_ms, closes=intent.purpose is Purpose.CLOSE)
        elif is_known:
            self._positions.accepted(intent.symbol)

    def _is_ours(self, fact: LiveFact) -> bool:
        return getattr(fact, "client_id", "") in self.state.orders

    def _take(self, snapshot: Snapshot, now_ms: int) -> None:
        known = self._desk.positions.keys() | self.state.books.keys()
        snapshot = stamped(snapshot, known, self._equity.wallets.keys())
        self._learn((*snapshot.positions, *snapshot.wallets, *snapshot.settings), now_ms)
        self._reconciler.take(snapshot, now_ms)

    def _worked_on(self, symbols: Iterable[str], now_ms: int) -> Step:
        """What is to be done about some symbols after an event. What time or the state of the whole account asks for is done by the next
        tick: with a hundred symbols, looking at all of them after each of their events would take longer than the minute."""
        self._value(now_ms)
        for symbol in sorted(symbols):
            self._orders.look_after_symbol(symbol, now_ms)
            if symbol in self._desk.instruments:
                self._work(symbol, now_ms)
        return self._desk.take(now_ms)

    def _worked(self, now_ms: int) -> Step:
        """Everything that is to be done now."""
        desk = self._desk
        for number, flight in desk.lapsed(now_ms):
            lost = Failure(FailureKind.UNKNOWN, reason=f"no answer for {flight.patience_ms / 1000:g} s")
            self._answered(flight, Answer(number, flight.sent_ms, failure=lost), now_ms)
        self._orders.look_after(now_ms)
        self._reconciler.work(now_ms)
        self._value(now_ms)
        for symbol in sorted(desk.setup.symbols.keys() | desk.state.books.keys() | desk.state.targets.keys()):
            if symbol in desk.instruments:
                self._work(symbol, now_ms)
        return desk.take(now_ms)

    def _value(self, now_ms: int) -> None:
        self._equity.mark(now_ms)
        self._positions.valued(self._equity.value, self._equity.unpriced)

    def _work(self, symbol: str, now_ms: int) -> None:
        book = self._desk.book(symbol)
        if book.foreign and not book.amount:
            # A stop has closed ours and what was left alone together.
            self._desk.record(Adjusted(symbol, -book.foreign, True, "closed", now_ms))
            self._desk.record(Adjusted(symbol, -book.own, False, "closed", now_ms))
        is_ready = self._reconciler.ready
        if self._stops.work(symbol, now_ms, is_ready=is_ready):
            self._positions.sent_order(now_ms)
        self._positions.watch(symbol, now_ms)
        if is_ready:
            self._positions.work(symbol, now_ms)
        self._dead_man.work(symbol, now_ms)


def _symbol_of(request: LiveRequest) -> str:
    """The symbol that a request is about, "" of a snapshot."""
    return request.intent.symbol if isinstance(request, PlaceOrder) else getattr(request, "symbol", "")
