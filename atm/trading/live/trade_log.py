"""From the journal of a live account to its trade log: each fill becomes one `TradeRecord` when its commission is known. Pure.

A fill with its commission stands in the journal once, since what says nothing new is not journalled. So a record that is stored in one
transaction with that entry is stored once, whatever happens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from atm.model.account import TradeReason, TradeRecord
from atm.model.journal import FORCE_CLEAR, KILLED, Adjusted, JournalEntry, LiveState
from atm.model.live_order import NOTHING, LiveOrder, OrderFill, OrderIntent, Purpose
from atm.model.order import Side
from atm.model.order_facts import Filled, Intended

MOST_ENDED = 256
"""Intents of orders that the state remembers no more, until they are let go."""


class _Holding(msgspec.Struct):
    """A position as the records add up to it; exposure: the target of its newest record."""

    quantity: Decimal = NOTHING
    entry: float = math.nan
    exposure: float = 0.0


class TradeLog:
    """state: as it was restored; last: the newest stored record of each symbol."""

    def __init__(self, state: LiveState, last: Mapping[str, TradeRecord]) -> None:
        self._intents = _intents(state)
        self._holdings: dict[str, _Holding] = {}
        unrecorded = _unrecorded(state.orders.values())
        for symbol, book in state.books.items():
            held = _Holding(book.own - unrecorded.get(symbol, NOTHING))
            known = last.get(symbol)
            if known is not None and held.quantity:
                held.entry, held.exposure = known.entry_price_after, known.target_after or 0.0
            self._holdings[symbol] = held

    def records(
        self,
        entries: Iterable[JournalEntry],
        state: LiveState,
        wallets: Mapping[str, Decimal],
        quote: Mapping[str, str],
    ) -> list[TradeRecord]:
        """Records of the fills among new entries, their index 0. state: after the entries; wallets: by asset; quote: asset by
        symbol. A fee in another asset than the quote asset stands beside the fee, with its asset."""
        found: list[TradeRecord] = []
        for entry in entries:
            match entry:
                case Adjusted() if not entry.foreign:
                    held = self._holdings.setdefault(entry.symbol, _Holding())
                    held.quantity += entry.quantity
                case Intended():
                    self._intents[entry.intent.client_id] = entry.intent
                case Filled() if entry.fill.commission is not None and entry.client_id in self._intents:
                    # the state after all entries need not know the order any more, if many ended together
                    intent = self._intents[entry.client_id]
                    asset = quote.get(intent.symbol, "")
                    found.append(self._record(intent, entry.fill, state, float(wallets.get(asset, NOTHING)), asset))
        if len(self._intents) > len(state.orders) + MOST_ENDED:
            self._intents = _intents(state)
        return found

    def _record(self, intent: OrderIntent, fill: OrderFill, state: LiveState, wallet: float, asset: str) -> TradeRecord:
        held = self._holdings.setdefault(intent.symbol, _Holding())
        before, reason = held.exposure, _reason(intent, state)
        held.entry = entry_after(held.quantity, held.entry, intent.side, fill.quantity, float(fill.price))
        held.quantity += fill.quantity * intent.side.sign
        target = state.targets.get(intent.symbol)
        wanted = target.exposure if target is not None and reason in (TradeReason.ENTRY, TradeReason.EXIT) else 0.0
        held.exposure = wanted or 0.0
        paid = float(fill.commission or NOTHING)
        fee, other, other_asset = (paid, 0.0, "") if fill.asset in (asset, "") else (0.0, paid, fill.asset)
        return TradeRecord(
            0, fill.time_ms, 0 if intent.is_conditional else intent.decision_ms, intent.symbol, intent.side, reason,
            float(fill.quantity), float(fill.price), float(fill.profit), fee, float(held.quantity), held.entry, wallet,
            before, wanted, fill.maker, fill.trade_id, other, other_asset,
        )  # fmt: skip


def _intents(state: LiveState) -> dict[str, OrderIntent]:
    return {name: order.intent for name, order in state.orders.items()}


def entry_after(quantity: Decimal, entry: float, side: Side, filled: Decimal, price: float) -> float:
    """Mean entry price after a fill: of what adds up, as it was for what is left, the fill's own beyond flat; NaN when flat."""
    after = quantity + filled * side.sign
    if not after:
        return math.nan
    if quantity * after <= 0:
        return price
    if abs(after) < abs(quantity):
        return entry
    return (float(abs(quantity)) * entry + float(filled) * price) / float(abs(after))


def _reason(intent: OrderIntent, state: LiveState) -> TradeReason:
    if intent.is_conditional:
        return TradeReason.STOP_IMMEDIATE
    if intent.purpose is Purpose.OPEN:
        return TradeReason.ENTRY
    target = state.targets.get(intent.symbol)
    is_forced = target is not None and target.reason in (FORCE_CLEAR, KILLED)
    return TradeReason.FORCE_CLEAR if is_forced else TradeReason.EXIT


def _unrecorded(orders: Iterable[LiveOrder]) -> dict[str, Decimal]:
    """What was executed of each symbol and has no record yet, signed."""
    found: dict[str, Decimal] = {}
    for order in orders:
        recorded = sum((fill.quantity for fill in order.fills if fill.commission is not None), NOTHING)
        missing = (order.executed - recorded) * order.intent.side.sign
        found[order.intent.symbol] = found.get(order.intent.symbol, NOTHING) + missing
    return found
