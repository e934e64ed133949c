"""What the parts of a live account share: the journalled state, what was asked and not yet answered, and the step that is being
made of entries, requests and notices.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import Decimal

import msgspec

from atm.model.account_facts import PositionSeen
from atm.model.instrument import Instrument
from atm.model.journal import WHOLE_ACCOUNT, Book, Checkpoint, Halted, JournalEntry, LiveState
from atm.model.live_order import NOTHING, LiveOrder, OrderIntent, Purpose
from atm.model.live_request import LiveRequest
from atm.model.order import Side
from atm.model.order_facts import Intended, Sent
from atm.model.risk import LiveSetup
from atm.trading.live.client_id import client_id
from atm.trading.live.journal_fold import apply
from atm.trading.live.order_machine import SEND_PATIENCE_MS

CHECKPOINT_EVERY = 2_000
"""Entries after which the whole state is journalled, so that a start reads at most that many."""


ANSWER_PATIENCE_MS = 15_000
"""A request that is not answered by then is taken for lost; the shell gives up earlier."""


class LiveNotice(msgspec.Struct, frozen=True):
    """Something that the user should know. key: of a text catalogue; scope: a symbol or WHOLE_ACCOUNT; urgent: an alarm; stopped: 1 a
    stop closes a long position, -1 a short one, 0 else."""

    key: str
    scope: str
    details: str = ""
    urgent: bool = False
    stopped: int = 0


class Step(msgspec.Struct, frozen=True):
    """What is to be done, in this order: commit all entries, then send the requests, then show the notices. If the commit fails,
    nothing may be sent and the account has to be made anew from its journal."""

    entries: tuple[JournalEntry, ...]
    requests: tuple[tuple[int, LiveRequest], ...]
    notices: tuple[LiveNotice, ...]


class Flight(msgspec.Struct, frozen=True):
    """A request that is not answered. key: what it is about; only one flight for a key at a time; patience_ms: after that it is taken
    for lost."""

    request: LiveRequest
    sent_ms: int
    key: Hashable
    patience_ms: int


class Price(msgspec.Struct, frozen=True):
    last: Decimal
    mark: Decimal
    time_ms: int


class Desk:
    """See the module. `state` is changed by `record` alone."""

    def __init__(self, name: str, setup: LiveSetup, instruments: Mapping[str, Instrument], state: LiveState) -> None:
        self.name, self.setup, self.instruments, self.state = name, setup, dict(instruments), state
        self.flights: dict[int, Flight] = {}
        self.positions: dict[str, PositionSeen] = {}
        self.prices: dict[str, Price] = {}
        self._open: dict[str, dict[str, LiveOrder]] = {}
        for order in state.orders.values():
            self._index(order.client_id)
        self._number = 0
        self._since_checkpoint = 0
        self._entries: list[JournalEntry] = []
        self._requests: list[tuple[int, LiveRequest]] = []
        self._notices: list[LiveNotice] = []

    # --- the step ---------------------------------------------------------------------------------------------

    def record(self, entry: JournalEntry) -> None:
        """Journal an entry and let it take effect."""
        self._entries.append(entry)
        self._since_checkpoint += 1
        self.state = apply(self.state, entry)
        client_id = entry.intent.client_id if isinstance(entry, Intended) else getattr(entry, "client_id", "")
        if client_id:
            self._index(client_id)

    def _index(self, client_id: str) -> None:
        """Keep unfinished orders by their symbol."""
        order = self.state.orders.get(client_id)
        if order is None:
            return
        known = self._open.setdefault(order.intent.symbol, {})
        if not order.is_complete:
            known[client_id] = order
        else:
            known.pop(client_id, None)

    def ask(self, request: LiveRequest, key: Hashable, now_ms: int, patience_ms: int = ANSWER_PATIENCE_MS) -> bool:
        """Send a request unless one about the same is under way. Returns whether it was."""
        if self.is_asking(key):
            return False
        self._number += 1
        self.flights[self._number] = Flight(request, now_ms, key, patience_ms)
        self._requests.append((self._number, request))
        return True

    def is_asking(self, key: Hashable) -> bool:
        return any(flight.key == key for flight in self.flights.values())

    def lapsed(self, now_ms: int) -> list[tuple[int, Flight]]:
        """Requests that were waited for long enough; they are under way no more."""
        late = [each for each in self.flights.items() if now_ms - each[1].sent_ms > each[1].patience_ms]
        for number, _ in late:
            del self.flights[number]
        return late

    def note(self, key: str, scope: str, details: str = "", *, urgent: bool = False, stopped: int = 0) -> None:
        """Tell the user."""
        self._notices.append(LiveNotice(key, scope, details, urgent, stopped))

    def take(self, now_ms: int) -> Step:
        """The step that was made since the last call."""
        if self._since_checkpoint >= CHECKPOINT_EVERY:
            self._since_checkpoint = 0
            copy = msgspec.json.decode(msgspec.json.encode(self.state), type=LiveState)
            self._entries.append(Checkpoint(copy, now_ms))
        step = Step(tuple(self._entries), tuple(self._requests), tuple(self._notices))
        self._entries, self._requests, self._notices = [], [], []
        return step

    # --- reading ----------------------------------------------------------------------------------------------

    def book(self, symbol: str) -> Book:
        """The position of a symbol as the journal knows it; a flat one where it knows none."""
        return self.state.books.get(symbol) or Book()

    def unfinished(self) -> list[LiveOrder]:
        """Orders of which something is still to come: they are not final, or not all of their fills are known."""
        return [order for known in self._open.values() for order in known.values()]

    def unfinished_of(self, symbol: str) -> list[LiveOrder]:
        """Those of one symbol."""
        return list(self._open.get(symbol, {}).values())

    def orders(self, symbol: str) -> list[LiveOrder]:
        """Orders of a symbol that are not final."""
        return [order for order in self._open.get(symbol, {}).values() if not order.is_final]

    def stops(self, symbol: str) -> list[LiveOrder]:
        """Its protective stops that are not final."""
        return [order for order in self.orders(symbol) if order.intent.is_conditional]

    def halt_of(self, symbol: str, now_ms: int) -> Halted | None:
        """The halt that holds for a symbol, the stricter one of its own and the account's."""
        found = [self.state.halts.get(symbol), self.state.halts.get(WHOLE_ACCOUNT)]
        halts = [each for each in found if each is not None and (each.until_ms == 0 or now_ms < each.until_ms)]
        return max(halts, key=lambda halt: halt.hands_off, default=None)

    def price(self, symbol: str) -> Decimal:
        """Mark price, that of the newest comparison where no other is known; 0 while there is none."""
        known, seen = self.prices.get(symbol), self.positions.get(symbol)
        if known is not None:
            return known.mark
        return NOTHING if seen is None else seen.mark

    # --- orders -----------------------------------------------------------------------------------------------

    def intend(
        self,
        symbol: str,
        side: Side,
        purpose: Purpose,
        quantity: Decimal,
        decision_ms: int,
        now_ms: int,
        *,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
        reduce_only: bool = False,
        cancel_ms: int = 0,
        again: LiveOrder | None = None,
    ) -> OrderIntent:
        """Journal an order that is wanted, and that it is about to be sent. again: the order that was never placed and whose next
        attempt this is."""
        piece, attempt = self._next_place(symbol, decision_ms)
        if again is not None:
            piece, attempt = again.intent.slice, again.intent.attempt + 1
            decision_ms = again.intent.decision_ms
        intent = OrderIntent(
            client_id(self.name, symbol, decision_ms, purpose, piece, attempt), symbol, side, purpose, quantity,
            decision_ms, piece, attempt, price, trigger, reduce_only, cancel_ms,
        )  # fmt: skip
        self.record(Intended(intent, now_ms))
        self.record(Sent(intent.client_id, now_ms))
        return intent

    def _next_place(self, symbol: str, decision_ms: int) -> tuple[int, int]:
        book = self.book(symbol)
        is_same = book.minute_ms == decision_ms - decision_ms % 60_000
        return (book.next_slice if is_same else 0), 0

    @staticmethod
    def latest_send(now_ms: int) -> int:
        """Until when an order that was journalled now may go out."""
        return now_ms + SEND_PATIENCE_MS
