"""From journal entries to the state of a live account, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from atm.model.interval import MINUTE_MS
from atm.model.journal import (
    Adjusted,
    Book,
    Checkpoint,
    EquityMarked,
    GivenUp,
    Halted,
    JournalEntry,
    LiveState,
    Resumed,
    TargetSet,
    Transferred,
)
from atm.model.live_order import LiveOrder
from atm.model.order_facts import Filled, Intended, OrderFact, Reported
from atm.trading.live import transfers
from atm.trading.live.order_machine import advance

KEPT_COMPLETE = 64
"""Complete orders that are remembered so that late events find them."""


def restored(entries: Iterable[JournalEntry]) -> LiveState:
    """The state that a journal adds up to."""
    state = LiveState()
    for entry in entries:
        state = apply(state, entry)
    return state


def apply(state: LiveState, entry: JournalEntry) -> LiveState:
    """The state with one more entry (the same object, changed; a new one after a checkpoint)."""
    match entry:
        case Checkpoint():
            return entry.state
        case TargetSet():
            _aim(state, entry)
        case Adjusted():
            _adjust(state, entry)
        case Halted():
            state.halts[entry.scope] = entry
        case EquityMarked():
            state.equity = entry
        case Transferred():
            transfers.take(state, entry)
        case Resumed():
            state.halts.pop(entry.scope, None)
        case GivenUp():
            state.given_up[entry.symbol] = entry
        case Intended():
            _intend(state, entry)
        case _:
            _learn(state, entry)
    return state


def _aim(state: LiveState, entry: TargetSet) -> None:
    target, before = entry.target, state.targets.get(entry.target.symbol)
    state.targets[target.symbol] = target
    if entry.stopped:
        state.stopped[target.symbol] = entry
    elif before is None or target.decision_ms != before.decision_ms:
        state.stopped.pop(target.symbol, None)
    given_up = state.given_up.get(target.symbol)
    if given_up is not None and given_up.decision_ms != target.decision_ms:
        del state.given_up[target.symbol]


def is_news(state: LiveState, fact: OrderFact) -> bool:
    """Whether a fact about a known order says anything new."""
    order = state.orders.get(fact.client_id)
    return order is not None and advance(order, fact) is not order


def _intend(state: LiveState, entry: Intended) -> None:
    intent = entry.intent
    state.orders.setdefault(intent.client_id, LiveOrder(intent))
    book = _book(state, intent.symbol)
    taken, minute_ms = intent.slice + 1, intent.decision_ms // MINUTE_MS * MINUTE_MS
    book.next_slice = max(book.next_slice, taken) if book.minute_ms == minute_ms else taken
    book.minute_ms = minute_ms


def _learn(state: LiveState, fact: OrderFact) -> None:
    order = state.orders.get(fact.client_id)
    if order is None:
        return
    known = advance(order, fact)
    if known is order:
        return
    if known.is_complete and not order.is_complete:
        # what ends now is the newest of those that have ended, however long it has rested
        del state.orders[fact.client_id]
    state.orders[fact.client_id] = known
    _move(state, order.intent.symbol, known.signed_executed - order.signed_executed, _time_of(fact))
    if known.is_complete:
        _forget_oldest(state)


def _time_of(fact: OrderFact) -> int:
    if isinstance(fact, Filled):
        return fact.fill.time_ms
    return fact.time_ms if isinstance(fact, Reported) else 0


def _move(state: LiveState, symbol: str, change: Decimal, time_ms: int) -> None:
    if change:
        book = _book(state, symbol)
        book.own += change
        book.changed_ms = max(book.changed_ms, time_ms)


def _adjust(state: LiveState, entry: Adjusted) -> None:
    book = _book(state, entry.symbol)
    if entry.foreign:
        book.foreign += entry.quantity
    else:
        book.own += entry.quantity
    book.changed_ms = max(book.changed_ms, entry.time_ms)


def _book(state: LiveState, symbol: str) -> Book:
    return state.books.setdefault(symbol, Book())


def _forget_oldest(state: LiveState) -> None:
    complete = [name for name, order in state.orders.items() if order.is_complete]
    for name in complete[:-KEPT_COMPLETE]:
        del state.orders[name]
