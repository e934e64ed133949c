"""The fills of an actual account as trade records, from its journal of orders. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from atm.model.account import TradeReason, TradeRecord
from atm.model.journal import JournalEntry
from atm.model.live_order import NOTHING, OrderFill, OrderIntent, Purpose
from atm.model.order_facts import Filled, Intended


@dataclass(slots=True)
class _Position:
    """Signed quantity and the mean price that it was opened at."""

    quantity: Decimal = NOTHING
    entry: Decimal = NOTHING

    def fill(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Take a signed fill in; returns what it has realised, before commission."""
        before, after = self.quantity, self.quantity + quantity
        if before * quantity >= 0:
            self.entry = (self.entry * abs(before) + price * abs(quantity)) / abs(after) if after else NOTHING
            realised = NOTHING
        else:
            closed = min(abs(before), abs(quantity)).copy_sign(before)
            realised = closed * (price - self.entry)
            if before * after <= 0:
                self.entry = price if after else NOTHING
        self.quantity = after
        return realised


def journal_trades(entries: Iterable[JournalEntry], initial: float = 0.0) -> list[TradeRecord]:
    """Every fill of our own orders once, by time. Profit is the exchange's where it has said it.

    initial: wallet balance before the first fill; `wallet_after` is what the fills alone make of it, without funding and
    transfers. A commission in another asset than the symbol's quote is left out. Targets are not known (None).
    """
    intents: dict[str, OrderIntent] = {}
    found: dict[tuple[str, int], tuple[OrderIntent, OrderFill]] = {}
    for entry in entries:
        if isinstance(entry, Intended):
            intents[entry.client_id] = entry.intent
        elif isinstance(entry, Filled) and entry.client_id in intents:
            intent = intents[entry.client_id]
            key = intent.symbol, entry.fill.trade_id
            # the short message that comes first lacks commission and profit
            if key not in found or entry.fill.commission is not None:
                found[key] = intent, entry.fill
    positions: dict[str, _Position] = {}
    records: list[TradeRecord] = []
    wallet = initial
    for intent, fill in sorted(found.values(), key=lambda each: (each[1].time_ms, each[1].trade_id)):
        position = positions.setdefault(intent.symbol, _Position())
        realised = position.fill(fill.quantity * intent.side.sign, fill.price)
        profit = float(realised if fill.commission is None else fill.profit)
        fee = float(fill.commission or 0) if intent.symbol.endswith(fill.asset or " ") else 0.0
        wallet += profit - fee
        records.append(
            TradeRecord(
                index=len(records),
                time_ms=fill.time_ms,
                decision_ms=intent.decision_ms,
                symbol=intent.symbol,
                side=intent.side,
                reason=_reason(intent.purpose, position.quantity),
                quantity=float(fill.quantity),
                price=float(fill.price),
                profit=profit,
                fee=fee,
                quantity_after=float(position.quantity),
                entry_price_after=float(position.entry),
                wallet_after=wallet,
                maker=fill.maker,
            )
        )
    return records


def _reason(purpose: Purpose, after: Decimal) -> TradeReason:
    if purpose is Purpose.OPEN:
        return TradeReason.ENTRY
    if purpose is Purpose.CLOSE:
        return TradeReason.EXIT if after else TradeReason.CLEAR
    return TradeReason.STOP_IMMEDIATE
