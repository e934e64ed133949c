"""Flow control between processes, without I/O: nothing ordered is dropped, nothing grows without bound, nobody deadlocks.

*Receiver side.* At most `WINDOW` ordered events are under way to a process or in its inbox; it acknowledges what it has
handled, `BATCH` at a time. The rest waits in its `Outlet` at the router. So its receiver thread never has to stop reading,
and replies, requests and "latest" events, which no window holds back, pass a backlog of ordered events.

*Sender side.* A process may have `SEND_CREDIT` ordered events on account, then `publish` waits. The router gives the credit
of an event back at once where the outlets that it went to hold fewer than `OUTLET_LIMIT` ordered events, else when it has
been taken from those that held more. Hence an outlet never holds more than OUTLET_LIMIT + SEND_CREDIT · senders.

*No deadlock.* A held-back credit makes an edge "sender waits for receiver". An edge that would close a circle is not made
(the credit is given back at once), so whoever waits, waits in the end for a process that does not wait; that one either
goes on, or it hangs and the supervisor kills it, which gives back what was held for it. Should a circle feed itself, the
outlet reaches `CUT_LIMIT` and its receiver is given up: `overdue` is called, the supervisor kills it, and it begins anew
from the stores.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from atm.ipc.envelope import Envelope, Kind, Letter, seal
from atm.ipc.routing import Router

log = logging.getLogger(__name__)

WINDOW = 256
BATCH = 64
SEND_CREDIT = 1_024
OUTLET_LIMIT = 4_096
CUT_LIMIT = 100_000


class SendCredit:
    """What a process may still publish. Thread-safe."""

    def __init__(self, amount: int = SEND_CREDIT) -> None:
        self._amount = amount
        self._open = True
        self._condition = threading.Condition()

    def take(self) -> None:
        """Spend one, waiting until there is one; does not wait once closed."""
        with self._condition:
            while self._open and self._amount <= 0:
                self._condition.wait()
            self._amount -= 1

    def give(self, amount: int) -> None:
        with self._condition:
            self._amount += amount
            self._condition.notify_all()

    def close(self) -> None:
        """There is no router any more that could give credit: nobody waits for it."""
        with self._condition:
            self._open = False
            self._condition.notify_all()


@dataclass(slots=True)
class _Account:
    """One sender. spent: ordered events not yet given back; returned: of these, due to be given back with the next batch."""

    name: str
    spent: int = 0
    returned: int = 0
    waits_for: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Held:
    """The credit of one event, given back when `outlets` more outlets have let go of it."""

    account: _Account
    outlets: int = 0


class _Waiting(NamedTuple):
    serial: int
    letter: Letter
    held: _Held | None = None


class Outlet:
    """What waits at the router for one receiver, in order of arrival.

    A "latest" letter takes the place of an older one of its (topic, key). While the window is used up, what is not an
    ordered event passes those that are.
    """

    def __init__(self) -> None:
        self._ordered: deque[_Waiting] = deque()
        self._others: OrderedDict[object, _Waiting] = OrderedDict()
        self._window = WINDOW
        self._serial = 0
        self.cut = False

    def __len__(self) -> int:
        return len(self._ordered) + len(self._others)

    @property
    def full(self) -> bool:
        return len(self._ordered) >= OUTLET_LIMIT

    def put(self, letter: Letter, held: _Held | None = None) -> None:
        self._serial += 1
        envelope = letter.envelope
        if envelope.ordered:
            self._ordered.append(_Waiting(self._serial, letter, held))
            return
        key = (envelope.topic, envelope.key) if envelope.latest else self._serial
        older = self._others.get(key)
        self._others[key] = _Waiting(self._serial if older is None else older.serial, letter)

    def take(self) -> _Waiting | None:
        """What has waited longest of what may go, or None."""
        other = next(iter(self._others.values()), None)
        if self._ordered and self._window > 0 and (other is None or self._ordered[0].serial < other.serial):
            self._window -= 1
            return self._ordered.popleft()
        return self._others.popitem(last=False)[1] if other is not None else None

    def acknowledged(self, amount: int) -> None:
        """The receiver has handled so many ordered events more."""
        self._window += amount

    def clear(self) -> list[_Held]:
        """Forget everything; the credits that were held."""
        held = [waiting.held for waiting in self._ordered if waiting.held is not None]
        self._ordered.clear()
        self._others.clear()
        return held


class Hub:
    """The router with its outlets and accounts: all state of main's side, to be used under one lock.

    `local` takes what is for main itself, whose own events are not counted. `wake(name)`: there may be something to take for
    this receiver. `overdue(name)`: this receiver was given up.
    """

    def __init__(
        self, main: str, local: Callable[[Envelope], None], wake: Callable[[str], None], overdue: Callable[[str], None]
    ) -> None:
        self._main = main
        self._local = local
        self._wake = wake
        self._overdue = overdue
        self._router = Router()
        self._router.add(main)
        self._outlets: dict[str, Outlet] = {}
        self._accounts: dict[str, _Account] = {}

    def add(self, name: str) -> None:
        """A process has come (again)."""
        self._router.add(name)
        self._outlets[name] = Outlet()
        self._accounts[name] = _Account(name)

    def remove(self, name: str) -> None:
        """A process has gone, and what waited for it."""
        deliveries = self._router.remove(name)
        self._accounts.pop(name, None)
        outlet = self._outlets.pop(name, None)
        if outlet is not None:
            self._let_go(name, outlet.clear())
        self._deliver(deliveries)

    def arrived(self, letter: Letter) -> None:
        """A letter has come from one of the processes. Never waits."""
        envelope = letter.envelope
        if envelope.kind == Kind.CREDIT:
            outlet = self._outlets.get(envelope.sender)
            if outlet is not None:
                outlet.acknowledged(envelope.number)
                self._wake(envelope.sender)
            return
        deliveries = self._router.route(letter)
        account = self._accounts.get(envelope.sender)
        if not envelope.ordered or account is None:
            self._deliver(deliveries)
            return
        account.spent += 1
        held = _Held(account)
        self._deliver(deliveries, held)
        if held.outlets == 0:
            self._give_back(account)

    def take(self, name: str) -> bytes | None:
        """The next bytes for a receiver's queue, or None."""
        outlet = self._outlets.get(name)
        waiting = outlet.take() if outlet is not None else None
        if waiting is None:
            return None
        if waiting.held is not None:
            self._let_go(name, [waiting.held])
        return waiting.letter.data

    def waits(self, name: str) -> bool:
        """Whether this process has no credit left, because of receivers that are behind."""
        account = self._accounts.get(name)
        return account is not None and account.spent >= SEND_CREDIT

    def backlog(self, name: str) -> int:
        """How much waits at the router for a receiver."""
        outlet = self._outlets.get(name)
        return 0 if outlet is None else len(outlet)

    def _deliver(self, deliveries: list[tuple[str, Letter]], held: _Held | None = None) -> None:
        for receiver, letter in deliveries:
            if receiver == self._main:
                self._local(letter.envelope)
            elif (outlet := self._outlets.get(receiver)) is not None and not outlet.cut:
                self._put(receiver, outlet, letter, held)

    def _put(self, receiver: str, outlet: Outlet, letter: Letter, held: _Held | None) -> None:
        if len(outlet) >= CUT_LIMIT:
            log.error("%s is %d messages behind: they are dropped and it is given up", receiver, len(outlet))
            outlet.cut = True
            self._let_go(receiver, outlet.clear())
            self._overdue(receiver)
            return
        if held is not None and outlet.full and not self._waits_in_the_end_for(receiver, held.account.name):
            held.outlets += 1
            held.account.waits_for[receiver] += 1
            outlet.put(letter, held)
        else:
            outlet.put(letter)
        self._wake(receiver)

    def _waits_in_the_end_for(self, name: str, other: str) -> bool:
        seen = {name}
        stack = [name]
        while stack:
            process = stack.pop()
            if process == other:
                return True
            account = self._accounts.get(process)
            following = set(account.waits_for) - seen if account is not None else set()
            seen |= following
            stack.extend(following)
        return False

    def _let_go(self, receiver: str, released: list[_Held]) -> None:
        for held in released:
            waits_for = held.account.waits_for
            waits_for[receiver] -= 1
            if not waits_for[receiver]:
                del waits_for[receiver]
            held.outlets -= 1
            if held.outlets == 0:
                self._give_back(held.account)

    def _give_back(self, account: _Account) -> None:
        account.returned += 1
        outlet = self._outlets.get(account.name)
        if account.returned < BATCH or outlet is None or self._accounts.get(account.name) is not account:
            return
        outlet.put(seal(Envelope(Kind.CREDIT, self._main, account.name, number=account.returned)))
        account.spent -= account.returned
        account.returned = 0
        self._wake(account.name)
