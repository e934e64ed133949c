"""Journal against exchange: at the start, after a reconnection, every minute. `compare` is pure; `Reconciler` remembers what it
has seen once and waits for it to be seen again, since a snapshot's parts are of different moments.

The exchange's position is a fact. What our fills do not explain of it is booked as an explicit adjustment, never as a fill.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from atm.model.account_facts import OpenOrder, Snapshot
from atm.model.interval import DAY_MS
from atm.model.journal import KILLED, WHOLE_ACCOUNT, Adjusted, Halted, LiveState, TargetSet
from atm.model.live_order import NOTHING, LiveOrder, OrderState
from atm.model.live_request import Failure, FailureKind, FindOrder, TakeSnapshot
from atm.model.order_facts import NotPlaced, Reported
from atm.model.risk import OutsidePolicy, SymbolSetup
from atm.trading.live.client_id import belongs_to
from atm.trading.live.desk import Desk
from atm.trading.live.looks import Need, need
from atm.trading.live.order_desk import OrderDesk

EVERY_MS = 60_000
AGAIN_MS = 2_000
RETRY_MS, LONGEST_RETRY_MS = 1_000, 5_000
"""After a snapshot that could not be taken; longer after each further one."""
SHORTEST_PATIENCE_MS, LONGEST_PATIENCE_MS = 15_000, 120_000
"""How long a snapshot is waited for: twice as long after each that did not come, and as the newest one took."""
NOTICE_AFTER = 8
"""Snapshots in a row that could not be taken after which the user is told; a late one is told of at once."""
TRADES_BEFORE_MS = 2_000
"""How much earlier than an order was sent its fills are looked for (clocks differ)."""
TRADES_WINDOW_MS = 6 * DAY_MS
"""How much later than its beginning the answer to a question for fills reaches for certain (it holds a week)."""
MOST_STRANGERS = 1_000
"""Orders of others that are remembered; one that is forgotten is asked for again."""
PROOFS_WITH_DIFFERENCE = 3
"""Snapshots without a trace of an order that are needed while the position differs as well."""


class PositionDiffers(msgspec.Struct, frozen=True):
    """expected: what the journal says; actual: what the exchange has, signed; seen_ms: the earliest moment that this can be of."""

    symbol: str
    expected: Decimal
    actual: Decimal
    seen_ms: int

    @property
    def difference(self) -> Decimal:
        return self.actual - self.expected


class OrderMissing(msgspec.Struct, frozen=True):
    """It should be open and is not among the open ones."""

    client_id: str


class ForeignOrder(msgspec.Struct, frozen=True):
    """Open, and not of this journal. is_orphan: its id says that this account has made it."""

    order: OpenOrder
    is_orphan: bool


class SettingsDiffer(msgspec.Struct, frozen=True):
    """Leverage or margin mode are not those that the account trades with."""

    symbol: str
    leverage: int | None
    isolated: bool | None


Difference = PositionDiffers | OrderMissing | ForeignOrder | SettingsDiffer


def compare(account: str, state: LiveState, symbols: Mapping[str, SymbolSetup], snapshot: Snapshot) -> list[Difference]:
    """Everything in which journal and exchange differ. Not all of it is wrong: what happened while the snapshot was taken
    differs as well. snapshot: with stamped rows of all known symbols (`freshness.stamped`)."""
    found: list[Difference] = []
    present = {order.client_id: order for order in snapshot.orders}
    for order in state.orders.values():
        is_due = order.rests and max(order.sent_ms, order.heard_ms) < snapshot.asked_ms
        if is_due and order.client_id not in present:
            found.append(OrderMissing(order.client_id))
    for client_id, seen in present.items():
        if client_id not in state.orders:
            found.append(ForeignOrder(seen, belongs_to(client_id, account)))
    for position in sorted(snapshot.positions, key=lambda each: each.symbol):
        book = state.books.get(position.symbol)
        expected = NOTHING if book is None else book.amount
        if expected != position.amount:
            found.append(PositionDiffers(position.symbol, expected, position.amount, position.time_ms))
    for settings in snapshot.settings:
        wanted = symbols.get(settings.symbol)
        if wanted is not None and (settings.leverage, settings.isolated) != (wanted.leverage, wanted.isolated):
            found.append(SettingsDiffer(settings.symbol, settings.leverage, settings.isolated))
    return found


class _Suspicion(msgspec.Struct, frozen=True):
    difference: Decimal
    since_ms: int


class Reconciler:
    """`ready`: whether a snapshot has been compared since the last (re)connection; before that no decision is acted on.
    `foreign`: open orders that are not ours; `differences`: those of the newest snapshot; `compared_ms`: when that was, 0 = never."""

    def __init__(self, desk: Desk, orders: OrderDesk) -> None:
        self._desk, self._orders = desk, orders
        self.ready = False
        self.foreign: tuple[ForeignOrder, ...] = ()
        self.differences: tuple[Difference, ...] = ()
        self.compared_ms = 0
        self._suspicions: dict[str, _Suspicion] = {}
        self._strangers: deque[tuple[str, int]] = deque(maxlen=MOST_STRANGERS)
        self._proofs: dict[str, int] = {}
        self._next_ms = self._since_ms = self._retry_ms = 0
        self._patience_ms = SHORTEST_PATIENCE_MS
        self._failures = 0

    def is_suspect(self, symbol: str) -> bool:
        """Whether its position differs from the journal and it is not known yet why."""
        return symbol in self._suspicions

    def suspects(self) -> list[str]:
        """Symbols of which `is_suspect`."""
        return sorted(self._suspicions)

    def reconnected(self, now_ms: int) -> None:
        """Events may have been lost: nothing is decided before all is compared with what the exchange says from now on."""
        self.ready = False
        self._next_ms = self._since_ms = now_ms

    def soon(self, at_ms: int) -> None:
        """Compare not later than then."""
        self._next_ms = min(self._next_ms, at_ms)

    def work(self, now_ms: int) -> None:
        """Ask for a snapshot when one is due."""
        lost = [order for order in self._desk.unfinished() if need(order) is Need.PROOF]
        for client_id in self._proofs.keys() - {order.client_id for order in lost}:
            del self._proofs[client_id]
        if lost:
            self.soon(now_ms if not self._proofs else self._next_ms)
        if now_ms < max(self._next_ms, self._retry_ms):
            return
        symbols = tuple(sorted({order.intent.symbol for order in lost} | self._suspicions.keys()))
        request = TakeSnapshot(symbols, self._trades_since(lost, symbols, now_ms))
        if self._desk.ask(request, "snapshot", now_ms, self._patience_ms):
            self._next_ms = now_ms + (AGAIN_MS if lost or self._suspicions else EVERY_MS)

    def _trades_since(self, lost: Sequence[LiveOrder], symbols: Sequence[str], now_ms: int) -> int:
        """From when on fills are asked for: from before the oldest order that may have been placed; else those of the last day that an
        order of a doubtful position can have made."""
        if lost:
            return min(order.sent_ms for order in lost) - TRADES_BEFORE_MS
        moving = [order.sent_ms for order in self._desk.unfinished() if order.intent.symbol in symbols]
        oldest_ms = min([*moving, *(each.since_ms for each in self._suspicions.values()), now_ms])
        return max(oldest_ms, now_ms - DAY_MS) - TRADES_BEFORE_MS

    def failed(self, failure: Failure, now_ms: int) -> None:
        """A snapshot could not be taken, or did not come in time (its outcome is unknown)."""
        self._failures += 1
        is_late = failure.kind is FailureKind.UNKNOWN
        if self._failures == (1 if is_late else NOTICE_AFTER):
            self._desk.note("notice.live_not_compared", WHOLE_ACCOUNT, failure.reason, urgent=not self.ready)
        if is_late:
            self._patience_ms = min(2 * self._patience_ms, LONGEST_PATIENCE_MS)
        pause_ms = min(RETRY_MS * self._failures, LONGEST_RETRY_MS)
        self._next_ms = self._retry_ms = now_ms + max(pause_ms, failure.retry_after_ms)

    def found_stranger(self, symbol: str, order_id: int) -> None:
        """An order of the history is not ours."""
        if (symbol, order_id) not in self._strangers:
            self._strangers.append((symbol, order_id))

    # --- a snapshot -------------------------------------------------------------------------------------------

    def take(self, snapshot: Snapshot, now_ms: int) -> None:
        """Compare, learn, ask, and book what stays unexplained."""
        self._failures = 0
        self._patience_ms = min(max(SHORTEST_PATIENCE_MS, 2 * (now_ms - snapshot.asked_ms)), LONGEST_PATIENCE_MS)
        for order in snapshot.orders:
            reported = Reported(
                order.client_id, order.state, order.executed, order.time_ms, order.order_id, order.algo_id
            )
            self._orders.learn(reported)
        unknown = self._unattributed(snapshot, now_ms)
        state = self._desk.state
        found = compare(self._desk.name, state, self._desk.setup.symbols, snapshot)
        self.differences, self.compared_ms = tuple(found), now_ms
        self._note_foreign(tuple(each for each in found if isinstance(each, ForeignOrder)))
        for each in found:
            if isinstance(each, OrderMissing):
                self._orders.look_at(state.orders[each.client_id], now_ms)
        differing = {each.symbol: each for each in found if isinstance(each, PositionDiffers)}
        self._prove(snapshot, differing, unknown, now_ms)
        for symbol in self._suspicions.keys() - differing.keys():
            del self._suspicions[symbol]
        for each in differing.values():
            self._position(each, snapshot, now_ms)
        if snapshot.asked_ms >= self._since_ms:
            self.ready = True
        else:
            self.soon(now_ms)

    def _unattributed(self, snapshot: Snapshot, now_ms: int) -> set[str]:
        """Symbols with fills of which it is not known whose they are; they are asked for."""
        unknown = set()
        for trade in self._orders.trades(snapshot.trades):
            if (trade.symbol, trade.order_id) not in self._strangers:
                unknown.add(trade.symbol)
                request = FindOrder(trade.symbol, trade.order_id)
                self._desk.ask(request, ("find", trade.symbol, trade.order_id), now_ms)
        return unknown

    def _note_foreign(self, foreign: tuple[ForeignOrder, ...]) -> None:
        known = {each.order.client_id for each in self.foreign}
        for each in foreign:
            if each.order.client_id not in known:
                self._desk.note("notice.live_foreign_order", each.order.symbol, each.order.client_id)
        self.foreign = foreign

    def _prove(
        self, snapshot: Snapshot, differing: Mapping[str, PositionDiffers], unknown: set[str], now_ms: int
    ) -> None:
        """Orders that queries did not find, of which the snapshot has no trace either: neither open nor filled."""
        for order in self._desk.unfinished():
            if need(order) is not Need.PROOF or order.intent.symbol not in snapshot.trades_of:
                continue
            if snapshot.asked_ms < order.absent_ms or order.intent.symbol in unknown:
                continue
            if order.intent.symbol in snapshot.cut_of or not 0 <= order.sent_ms - snapshot.since_ms <= TRADES_WINDOW_MS:
                continue  # its fill may be among those that the answer does not hold
            proofs = self._proofs[order.client_id] = self._proofs.get(order.client_id, 0) + 1
            if order.intent.symbol not in differing or proofs >= PROOFS_WITH_DIFFERENCE:
                self._desk.record(NotPlaced(order.client_id, now_ms))
                self._desk.note("notice.live_order_not_placed", order.intent.symbol, order.client_id)

    # --- positions --------------------------------------------------------------------------------------------

    def _position(self, found: PositionDiffers, snapshot: Snapshot, now_ms: int) -> None:
        """A difference counts when it was there before, no order of the symbol is open to doubt, and each has been asked for
        in between."""
        symbol = found.symbol
        self.soon(now_ms + AGAIN_MS)
        if self._is_moving(found, snapshot):
            self._suspicions.pop(symbol, None)
            return
        live, before = self._desk.orders(symbol), self._suspicions.get(symbol)
        is_same = before is not None and before.difference == found.difference
        since_ms = before.since_ms if before is not None and is_same else now_ms
        self._suspicions[symbol] = _Suspicion(found.difference, since_ms)
        unseen = [order for order in live if self._orders.seen_ms.get(order.client_id, 0) < since_ms]
        for order in unseen:
            self._orders.look_at(order, now_ms)
        if is_same and not unseen and snapshot.asked_ms > since_ms:
            del self._suspicions[symbol]
            self._explain(found, now_ms)

    def _is_moving(self, found: PositionDiffers, snapshot: Snapshot) -> bool:
        """Whether something of the symbol happened since the moment that the position may be of, or is not known yet."""
        changed_ms = self._desk.book(found.symbol).changed_ms
        doubtful = any(_is_doubtful(order) for order in self._desk.orders(found.symbol))
        return doubtful or changed_ms >= min(found.seen_ms, snapshot.asked_ms)

    def _explain(self, found: PositionDiffers, now_ms: int) -> None:
        """Book what nothing of ours explains, as the user's policy says."""
        desk, symbol, policy = self._desk, found.symbol, self._desk.setup.policy
        details = f"{found.expected} -> {found.actual}"
        desk.note("notice.live_outside_change", symbol, details, urgent=True)
        if policy is OutsidePolicy.IGNORE and found.actual:
            desk.record(Adjusted(symbol, found.difference, True, "outside", now_ms))
            return
        foreign = desk.book(symbol).foreign
        if foreign:
            desk.record(Adjusted(symbol, -foreign, True, "outside", now_ms))
        desk.record(Adjusted(symbol, found.actual - desk.book(symbol).own, False, "outside", now_ms))
        target, halt = desk.state.targets.get(symbol), desk.state.halts.get(WHOLE_ACCOUNT)
        is_killed = halt is not None and halt.reason == KILLED
        if target is not None and not is_killed:  # what the kill switch closes stays to be closed
            changed = msgspec.structs.replace(target, quantity=found.actual, price=None, reason="outside")
            desk.record(TargetSet(changed, now_ms))
        if policy is OutsidePolicy.STOP:
            desk.record(Halted(symbol, f"the position was changed from outside ({details})", True, now_ms))


def _is_doubtful(order: LiveOrder) -> bool:
    is_at_once = order.intent.price is None and not order.intent.is_conditional
    fired = order.intent.is_conditional and order.order_id != 0
    return order.is_unresolved or is_at_once or fired or order.state is OrderState.NEW
