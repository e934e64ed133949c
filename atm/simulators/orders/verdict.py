"""What must hold: while a seed runs, and at its end between the journal and the exchange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from atm.exchange.demo.account import Order
from atm.model.interval import MINUTE_MS
from atm.model.journal import Adjusted, Book, JournalEntry, Target
from atm.model.live_order import NOTHING, LiveOrder, Purpose
from atm.model.order_facts import Filled, Intended, OrderFact
from atm.simulators.orders.agreement import repeated, unequal
from atm.simulators.orders.exchange import SYMBOLS, SimulatedExchange
from atm.simulators.orders.plan import Plan
from atm.trading.live.client_id import belongs_to, read
from atm.trading.live.desk import LiveNotice
from atm.trading.live.live_account import LiveAccount
from atm.trading.live.order_machine import advance
from atm.trading.live.protection import is_protected

NAME = "main"
LONGEST_UNPROTECTED_MS = 60_000
"""While the process is up and requests fail again and again; without faults it is the time of two round trips."""
LONGEST_CLOSING_MS = 340_000
"""While orders at market are taken. Neither holds where the user trades by hand: a change from outside has to be seen in two
snapshots, each of which may take a minute, before it is known whose it is."""
LONGEST_UNREADY_MS = 340_000


class Watch:
    """`by_hand`: the user has traded outside of the program; `longest_ms`, `longest_closing_ms`, `longest_unready_ms`: see Outcome."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self.by_hand = False
        self.longest_ms = self.longest_closing_ms = self.longest_unready_ms = 0
        self._unready_ms: int | None = None
        self._closing_ms: dict[str, int] = {}
        self._looked_ms = 0
        self._since: dict[str, int] = {}
        self._wanted: dict[tuple[str, int], Decimal] = {}
        self._found: list[str] = []

    def wanted(self, target: Target) -> None:
        """A decision was made."""
        self._wanted[target.symbol, target.decision_ms // MINUTE_MS * MINUTE_MS] = target.quantity

    def heard(self, event: Mapping[str, Any]) -> None:
        """An event of the exchange, at the moment at which it happens: no order may lead beyond what its decision wanted."""
        if event["e"] != "ORDER_TRADE_UPDATE" or event["o"]["x"] != "TRADE" or self.by_hand:
            return
        body = event["o"]
        known, symbol = read(body["c"]), body["s"]
        if known is None:
            return
        amount, buys = Decimal(str(self._exchange.amount(symbol))), body["S"] == "BUY"
        is_stop = known.purpose in (Purpose.STOP, Purpose.BRIDGE)
        wanted = NOTHING if is_stop else self._wanted.get((symbol, known.minute_ms), NOTHING)
        most, least = wanted, wanted
        if known.purpose is Purpose.CLOSE:
            # A stop that cannot be placed closes at market, whatever the decision wanted.
            most, least = max(wanted, NOTHING), min(wanted, NOTHING)
        if (buys and amount > most) or (not buys and amount < least):
            self._found.append(f"{body['c']} led {symbol} to {amount}, beyond {wanted}")

    def connected(self, now_ms: int) -> None:
        """The account has begun, or its user stream has: it has to be compared."""
        self._unready_ms = now_ms

    def look(self, now_ms: int, live: LiveAccount | None, *, may_close: bool) -> None:
        """How long positions have been without a resting stop, larger than wanted though orders are taken, or not compared."""
        account, is_up, passed_ms = self._exchange.account, live is not None, now_ms - self._looked_ms
        self._looked_ms = now_ms
        if live is None or live.is_ready:
            self._unready_ms = None
        if self._unready_ms is not None:
            self.longest_unready_ms = max(self.longest_unready_ms, now_ms - self._unready_ms)
        for symbol in SYMBOLS:
            if live is None or symbol not in live.closing_since:
                self._closing_ms.pop(symbol, None)
            elif may_close:
                self._closing_ms[symbol] = self._closing_ms.get(symbol, 0) + passed_ms
                self.longest_closing_ms = max(self.longest_closing_ms, self._closing_ms[symbol])
        for symbol in SYMBOLS:
            amount = self._exchange.amount(symbol)
            rests = any(each.symbol == symbol and each.sign * amount < 0 for each in account.conditionals.values())
            if amount == 0.0 or rests or not is_up:
                self._since.pop(symbol, None)
            else:
                since_ms = self._since.setdefault(symbol, now_ms)
                self.longest_ms = max(self.longest_ms, now_ms - since_ms)

    # --- the end ----------------------------------------------------------------------------------------------

    def verdict(
        self,
        entries: Sequence[JournalEntry],
        account: LiveAccount | None,
        plan: Plan,
        targets: Mapping[str, Target],
        notices: Sequence[LiveNotice],
    ) -> list[str]:
        """Everything that is not as it must be."""
        if account is None:
            return ["the process is not up at the end"]
        journal = _all_orders(entries)
        found = list(self._found)
        own, conditionals = self._own(), self._exchange.conditionals()
        found += repeated(own, conditionals) + unequal(journal, own, conditionals) + self._fills(journal)
        for symbol in SYMBOLS:
            found += self._position(symbol, account, targets, plan)
        if self.longest_ms > LONGEST_UNPROTECTED_MS and not self.by_hand:
            found.append(f"a position was without a stop for {self.longest_ms} ms")
        if self.longest_closing_ms > LONGEST_CLOSING_MS and not self.by_hand:
            found.append(f"a position was larger than wanted for {self.longest_closing_ms} ms")
        if self.longest_unready_ms > LONGEST_UNREADY_MS:
            found.append(f"the account was not compared for {self.longest_unready_ms} ms")
        found += _not_logged_once(entries)
        adjusted = [entry for entry in entries if isinstance(entry, Adjusted)]
        if adjusted and not self.by_hand:
            found.append(f"a change from outside was booked that there was not: {adjusted[0]}")
        return found

    def _own(self) -> list[Order]:
        return [order for order in self._exchange.orders() if belongs_to(order.client_order_id, NAME)]

    def _fills(self, journal: Mapping[str, LiveOrder]) -> list[str]:
        """The same trades at the same prices and fees."""
        owners = {order.order_id: order.client_order_id for order in self._own()}
        theirs = {
            (owners[trade.order_id], trade.trade_id, *map(_plain, (trade.quantity, trade.price, trade.commission)))
            for trade in self._exchange.account.trades
            if trade.order_id in owners
        }
        ours = {
            (name, fill.trade_id, *map(_plain, (fill.quantity, fill.price, fill.commission)))
            for name, order in journal.items()
            for fill in order.fills
        }
        return [f"fills differ: {sorted(ours ^ theirs)[:4]}"] if ours != theirs else []

    def _position(self, symbol: str, account: LiveAccount, targets: Mapping[str, Target], plan: Plan) -> list[str]:
        found, amount = [], Decimal(str(self._exchange.amount(symbol)))
        book, target = account.state.books.get(symbol), account.state.targets.get(symbol)
        own = NOTHING if book is None else book.own
        if amount != (NOTHING if book is None else book.amount):
            found.append(f"{symbol}: the journal has {book}, the exchange {amount}")
        halted = symbol in account.state.halts
        if target is not None and not halted and not self._is_close(symbol, book, target.quantity):
            found.append(f"{symbol}: {own} held, {target.quantity} wanted")
        wanted = targets.get(symbol)
        if target is not None and wanted is not None and not self.by_hand:
            expected = {wanted.quantity} | ({NOTHING} if self._stopped(symbol, wanted.decision_ms) else set())
            if target.quantity not in expected:
                found.append(f"{symbol}: aims at {target.quantity}, decided was {wanted.quantity}")
        stops = [each for each in account.state.orders.values() if each.intent.symbol == symbol]
        stops = [each for each in stops if each.intent.is_conditional and not each.is_final]
        if not is_protected(amount, stops):
            found.append(f"{symbol}: {amount} without a stop at the end")
        if not amount and stops:
            found.append(f"{symbol}: {len(stops)} stops rest without a position")
        return found

    def _is_close(self, symbol: str, book: Book | None, wanted: Decimal) -> bool:
        """Whether what is missing is nothing, or smaller than any order that may open. Beside what is left alone on the other side, what
        reduces ours opens for the exchange."""
        own, foreign = (NOTHING, NOTHING) if book is None else (book.own, book.foreign)
        market = self._exchange.markets[symbol]
        worth = abs(wanted - own) * Decimal(str(market.price(self._exchange.engine.state.reached_ms)))
        opens = abs(own) < abs(wanted) or foreign != NOTHING
        return worth == NOTHING or (worth < Decimal(market.instrument.min_notional) and opens)

    def _stopped(self, symbol: str, since_ms: int) -> bool:
        """Whether a stop of ours has fired, or could not be placed any more, since then."""
        fired = any(
            each.symbol == symbol and each.trigger_ms and each.update_ms >= since_ms
            for each in self._exchange.conditionals()
        )
        return fired or any(
            order.symbol == symbol and order.time_ms >= since_ms and order.reduce_only for order in self._own()
        )


def _plain(value: object) -> str:
    """A number as text that is the same for the same value; None stays visible."""
    return "unknown" if value is None else format(Decimal(str(value)).normalize(), "f")


def _not_logged_once(entries: Sequence[JournalEntry]) -> list[str]:
    """A fill is logged with its commission, once."""
    times = Counter(
        (entry.client_id, entry.fill.trade_id)
        for entry in entries
        if isinstance(entry, Filled) and entry.fill.commission is not None
    )
    return [f"fill {number} of {name} was logged {count} times" for (name, number), count in times.items() if count > 1]


def _all_orders(entries: Sequence[JournalEntry]) -> dict[str, LiveOrder]:
    """Every order that the journal has ever known, folded without forgetting any."""
    found: dict[str, LiveOrder] = {}
    for entry in entries:
        if isinstance(entry, Intended):
            found.setdefault(entry.client_id, LiveOrder(entry.intent))
        elif isinstance(entry, OrderFact) and entry.client_id in found:
            found[entry.client_id] = advance(found[entry.client_id], entry)
    return found
