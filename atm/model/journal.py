"""The write-ahead journal of a live account: its entries, and the state that they add up to.

An entry is committed before anything that follows from it is sent. The state is nothing but the fold of the entries
(atm.trading.live.journal_fold), so what a process knows after a crash is what the journal says.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from atm.model.live_order import NOTHING, LiveOrder
from atm.model.order_facts import OrderFact

WHOLE_ACCOUNT = ""
"""The scope of a halt that holds for all symbols."""
FORCE_CLEAR, KILLED = "force clear", "kill switch"
"""Reasons of targets that the user has set; an account that is halted with the second waits for the user's word."""


class Target(msgspec.Struct, frozen=True):
    """The position that a decision wants, signed, in base asset.

    decision_ms: close of the bar that was decided on; price: limit of what opens, None = at market; cancel_ms: when what has not
    been filled of it lapses, 0 = with the next decision; stop: price at which a stop of the exchange closes the position, None =
    by the account's default distance; reason: in a word; exposure: what the decision wants as a share −1 … 1, for the records.
    """

    symbol: str
    quantity: Decimal
    decision_ms: int
    price: Decimal | None = None
    cancel_ms: int = 0
    stop: Decimal | None = None
    reason: str = ""
    exposure: float | None = None


class TargetSet(msgspec.Struct, frozen=True, tag=True):
    """From now on this target holds. stopped: side (±1) of a position that a stop has closed, which is why it does."""

    target: Target
    time_ms: int
    stopped: int = 0


class Adjusted(msgspec.Struct, frozen=True, tag=True):
    """The exchange's position is a fact; this is what our fills do not explain of it. quantity: signed, becomes our own
    position, or is counted as foreign and left alone."""

    symbol: str
    quantity: Decimal
    foreign: bool
    reason: str
    time_ms: int


class Halted(msgspec.Struct, frozen=True, tag=True):
    """No new exposure in a scope (a symbol, or WHOLE_ACCOUNT); hands_off: no order at all but protective stops. until_ms: it ends
    by itself then, 0 = when the user says so."""

    scope: str
    reason: str
    hands_off: bool
    time_ms: int
    until_ms: int = 0


class Resumed(msgspec.Struct, frozen=True, tag=True):
    """A scope trades again."""

    scope: str
    time_ms: int


class GivenUp(msgspec.Struct, frozen=True, tag=True):
    """What a decision wants to open of a symbol is not tried any more. What it wants to close is."""

    symbol: str
    decision_ms: int
    reason: str
    time_ms: int


class EquityMarked(msgspec.Struct, frozen=True, tag=True):
    """Equity at the start of a UTC day, and the highest so far, in quote asset. day_wallet_ms, peak_wallet_ms: time of the wallet balance
    that each was reckoned from, 0 = not known."""

    day_ms: int
    day_equity: float
    peak_equity: float
    time_ms: int
    day_wallet_ms: int = 0
    peak_wallet_ms: int = 0


class Transferred(msgspec.Struct, frozen=True, tag=True):
    """Money came in (> 0) or went out. transaction_id: the exchange's number in its income records, 0 = not told there yet; is_heard:
    the user stream has told of it."""

    asset: str
    amount: Decimal
    time_ms: int
    transaction_id: int = 0
    is_heard: bool = False


class Book(msgspec.Struct):
    """The position of one symbol as the journal knows it. own: sum of our fills and adopted changes; foreign: what is left alone;
    changed_ms: when either changed last; minute_ms, next_slice: from which the next client id is made."""

    own: Decimal = NOTHING
    foreign: Decimal = NOTHING
    changed_ms: int = 0
    minute_ms: int = 0
    next_slice: int = 0

    @property
    def amount(self) -> Decimal:
        """What the exchange's position should be."""
        return self.own + self.foreign


class LiveState(msgspec.Struct):
    """Everything that survives a crash. stopped: what stops have closed since the decision of the symbol;
    orders: those that are not complete and the newest complete ones, by client id; transfers: the
    newest ones."""

    orders: dict[str, LiveOrder] = {}
    books: dict[str, Book] = {}
    targets: dict[str, Target] = {}
    halts: dict[str, Halted] = {}
    given_up: dict[str, GivenUp] = {}
    stopped: dict[str, TargetSet] = {}
    equity: EquityMarked | None = None
    transfers: tuple[Transferred, ...] = ()


class Checkpoint(msgspec.Struct, frozen=True, tag=True):
    """The state after all entries before; a start reads from the newest one on."""

    state: LiveState
    time_ms: int


JournalEntry = OrderFact | TargetSet | Adjusted | Halted | Resumed | GivenUp | EquityMarked | Transferred | Checkpoint
