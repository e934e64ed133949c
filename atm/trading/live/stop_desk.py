"""Protective stops of all symbols, and the watch over the protection invariant: no position without a resting stop of the
exchange for longer than the user's number of seconds. It is a state that is looked at again and again, not something that
follows from an event.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from atm.model.journal import Target, TargetSet
from atm.model.live_order import NOTHING, LiveOrder, Purpose
from atm.model.live_request import Failure, FailureKind
from atm.model.order import Side
from atm.trading.live.desk import Desk
from atm.trading.live.order_desk import OrderDesk
from atm.trading.live.protection import (
    CancelStop,
    PlaceStop,
    WantedStop,
    is_protected,
    next_step,
)
from atm.trading.live.sizing import trigger_price

WOULD_TRIGGER = frozenset((-2021, -4142))
CLOSING_STOP_EXISTS = -4130
SAME_WITHIN = Decimal("0.001")
"""A default trigger that moved by less than this share of its price is left where it is."""
UNEXPLAINED_MS = 1_000
"""How long a position that the journal does not know may be a message that is on its way."""
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 250, 5_000
REFUSED_ALARM_MS = 60_000
"""Between two alarms of a stop that is refused again and again."""


class _Pause(msgspec.Struct):
    """Failures of a symbol in a row; alarm_ms: when there may be another alarm of them."""

    failures: int = 0
    next_ms: int = 0
    alarm_ms: int = 0


class StopDesk:
    """`unprotected_since`: by symbol, since when a position has no resting stop."""

    def __init__(self, desk: Desk, orders: OrderDesk) -> None:
        self._desk, self._orders = desk, orders
        self.unprotected_since: dict[str, int] = {}
        self._alarmed: set[str] = set()
        self._bridge_only: set[str] = set()
        self._pauses: dict[str, _Pause] = {}
        self._unexplained: dict[str, int] = {}

    def work(self, symbol: str, now_ms: int, *, is_ready: bool) -> bool:
        """Do the next thing about the stops of a symbol; before the account has been compared nothing is taken away. Returns
        whether an order was sent."""
        amount = self._amount(symbol, now_ms)
        self._watch(symbol, amount, now_ms)
        if not amount:
            self._bridge_only.discard(symbol)
        wanted = self._wanted(symbol, amount) if amount else None
        if amount and wanted is None:
            return False
        pause = self._pauses.get(symbol)
        if pause is not None and now_ms < pause.next_ms:
            return False
        match next_step(wanted, self._desk.stops(symbol), now_ms):
            case CancelStop(client_id) if is_ready and not self._is_puzzling(symbol, amount):
                self._orders.cancel(self._desk.state.orders[client_id], now_ms)
            case PlaceStop() as step:
                self._place(symbol, step, now_ms)
                return True
        return False

    def wanted(self, symbol: str) -> WantedStop | None:
        """The stop that the position of a symbol should have now; None where it is flat, or no stop is wanted."""
        amount = self._desk.book(symbol).amount
        return self._wanted(symbol, amount) if amount and symbol in self._desk.instruments else None

    def _is_puzzling(self, symbol: str, amount: Decimal) -> bool:
        """Whether the exchange shows another position than the one that is to be protected: its stops are not taken away."""
        seen = self._desk.positions.get(symbol)
        return symbol in self._unexplained and seen is not None and seen.amount != amount

    def _amount(self, symbol: str, now_ms: int) -> Decimal:
        """The position that is to be protected: the journal's, or one that the exchange shows and the journal cannot explain yet."""
        book, seen = self._desk.book(symbol), self._desk.positions.get(symbol)
        amount = book.amount
        turned = seen is not None and seen.amount * amount < NOTHING and seen.time_ms > book.changed_ms
        if seen is None or not seen.amount or (amount and not turned):
            self._unexplained.pop(symbol, None)
            return amount
        since_ms = self._unexplained.setdefault(symbol, now_ms)
        return seen.amount if now_ms - since_ms >= UNEXPLAINED_MS else amount

    def _wanted(self, symbol: str, amount: Decimal) -> WantedStop | None:
        """The stop that a position of this amount should have; None where neither target nor set-up names one."""
        target, long = self._desk.state.targets.get(symbol), amount > NOTHING
        trigger = self._planned(target, amount) or self._default(symbol, target, long)
        if trigger is None:
            return None
        side = Side.SELL if long else Side.BUY
        return WantedStop(side, trigger, abs(amount), symbol in self._bridge_only)

    def _planned(self, target: Target | None, amount: Decimal) -> Decimal | None:
        """The stop of the target, if it is for this side and means the whole position."""
        if target is None or target.stop is None or target.quantity * amount < NOTHING:
            return None
        return trigger_price(target.stop, self._desk.instruments[target.symbol])

    def _default(self, symbol: str, target: Target | None, long: bool) -> Decimal | None:
        """By the distance from the entry price. One that rests near there is kept, and any while the position is to be closed or its
        entry price is not known."""
        distance, seen = self._desk.setup.stop_distance, self._desk.positions.get(symbol)
        entry = seen.entry if seen is not None and seen.entry else self._desk.price(symbol)
        wanted = None
        if distance is not None and entry:
            wanted = entry * (1 - Decimal(str(distance)) * (1 if long else -1))
        side = Side.SELL if long else Side.BUY
        is_closing = target is not None and (target.quantity <= NOTHING if long else target.quantity >= NOTHING)
        for stop in self._desk.stops(symbol):
            trigger = stop.intent.trigger
            if trigger is None or stop.intent.side is not side or stop.intent.purpose is not Purpose.STOP:
                continue
            if is_closing or seen is None or (wanted is not None and abs(trigger - wanted) <= SAME_WITHIN * wanted):
                return trigger
        return None if wanted is None else trigger_price(wanted, self._desk.instruments[symbol])

    def _place(self, symbol: str, step: PlaceStop, now_ms: int) -> None:
        target = self._desk.state.targets.get(symbol)
        decision_ms = max(target.decision_ms if target else 0, self._desk.book(symbol).minute_ms)
        again = self._orders.unplaced(symbol, decision_ms, (step.purpose,))
        is_same = again is not None and (again.intent.trigger, again.intent.side) == (step.trigger, step.side)
        intent = self._desk.intend(
            symbol, step.side, step.purpose, step.quantity, decision_ms, now_ms, trigger=step.trigger,
            reduce_only=step.purpose is Purpose.BRIDGE, again=again if is_same else None,
        )  # fmt: skip
        self._orders.place(self._desk.state.orders[intent.client_id], now_ms)

    # --- what became of stops ---------------------------------------------------------------------------------

    def failed(self, order: LiveOrder, failure: Failure, now_ms: int) -> None:
        """A stop was not accepted. If the price is beyond it already, the position is closed at market instead."""
        symbol = order.intent.symbol
        if failure.code in WOULD_TRIGGER:
            self._close(order, "the price is beyond the protective stop", now_ms)
        elif failure.code == CLOSING_STOP_EXISTS:
            self._bridge_only.add(symbol)
            return
        pause = self._pauses.setdefault(symbol, _Pause())
        pause.failures += 1
        wait_ms = min(FIRST_PAUSE_MS * 2 ** min(pause.failures - 1, 10), LONGEST_PAUSE_MS)
        pause.next_ms = now_ms + max(wait_ms, failure.retry_after_ms)
        is_refused = failure.kind is FailureKind.REFUSED and failure.code not in WOULD_TRIGGER
        if is_refused and now_ms >= pause.alarm_ms:
            pause.alarm_ms = now_ms + REFUSED_ALARM_MS
            self._desk.note("notice.live_stop_refused", symbol, f"{failure.reason} ({failure.code})", urgent=True)

    def accepted(self, symbol: str) -> None:
        """A stop rests: failures before it do not count any more."""
        self._pauses.pop(symbol, None)

    def fired(self, order: LiveOrder, now_ms: int) -> None:
        """A stop is closing the position: what the decision wanted is over, until the next one."""
        closes_long = order.intent.side is Side.SELL
        target = self._desk.state.targets.get(order.intent.symbol)
        if target is None or order.heard_ms < target.decision_ms:
            return  # the news is late: the next decision has been made
        if target.quantity > NOTHING if closes_long else target.quantity < NOTHING:
            self._close(order, "protective stop", now_ms)

    def _close(self, stop: LiveOrder, reason: str, now_ms: int) -> None:
        symbol = stop.intent.symbol
        target = self._desk.state.targets.get(symbol)
        decision_ms = max(target.decision_ms if target else 0, self._desk.book(symbol).minute_ms)
        if target is None or target.quantity:
            stopped = 1 if stop.intent.side is Side.SELL else -1
            self._desk.record(TargetSet(Target(symbol, NOTHING, decision_ms, reason=reason), now_ms, stopped))
            self._desk.note("notice.live_stopped_out", symbol, reason, urgent=True, stopped=stopped)

    # --- the invariant ----------------------------------------------------------------------------------------

    def _watch(self, symbol: str, amount: Decimal, now_ms: int) -> None:
        stops = self._desk.stops(symbol)
        if is_protected(amount, stops):
            self.unprotected_since.pop(symbol, None)
            self._alarmed.discard(symbol)
            return
        since_ms = self.unprotected_since.setdefault(symbol, now_ms)
        is_late = now_ms - since_ms > self._desk.setup.unprotected_s * 1000
        if is_late and symbol not in self._alarmed:
            self._alarmed.add(symbol)
            self._desk.note("notice.live_unprotected", symbol, str(amount), urgent=True)
