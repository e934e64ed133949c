"""The router's logic without any I/O: who gets what, what is kept, what is overwritten.

`Router.route(envelope)` returns the deliveries it causes. Each receiver has one `Outlet`: ordered envelopes in a bounded
queue, conflated ones in one slot per (topic, key); an envelope that conflates keeps the place of the one it replaces.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from atm.ipc.envelope import Envelope, Kind, decode_subscription, encode
from atm.ipc.messages import Failed

ORDERED_LIMIT = 10_000


class Outlet:
    """What waits for one receiver. At most `limit` ordered envelopes; conflated ones are bounded by their keys."""

    def __init__(self, limit: int = ORDERED_LIMIT) -> None:
        self._waiting: OrderedDict[object, Envelope] = OrderedDict()
        self._limit = limit
        self._ordered = 0
        self._serial = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, envelope: Envelope) -> bool:
        """Queue an envelope; False when an ordered one found no room (it is counted in `dropped`)."""
        if envelope.latest:
            self._waiting[(envelope.topic, envelope.key)] = envelope
            return True
        if self._ordered >= self._limit:
            self.dropped += 1
            return False
        self._serial += 1
        self._ordered += 1
        self._waiting[self._serial] = envelope
        return True

    def take(self) -> Envelope | None:
        """The envelope that has waited longest, or None."""
        if not self._waiting:
            return None
        _, envelope = self._waiting.popitem(last=False)
        if not envelope.latest:
            self._ordered -= 1
        return envelope


@dataclass(slots=True)
class _Receiver:
    subscriptions: dict[str, frozenset[str] | None] = field(default_factory=dict)


class Router:
    """Subscriptions, retained values and open requests of the whole program."""

    def __init__(self) -> None:
        self._receivers: dict[str, _Receiver] = {}
        self._retained: dict[tuple[str, str], Envelope] = {}
        self._open: dict[tuple[str, int], str] = {}

    def add(self, name: str) -> None:
        """A process has come (again): without subscriptions."""
        self._receivers[name] = _Receiver()

    def remove(self, name: str) -> list[tuple[str, Envelope]]:
        """A process has gone. Requests that it had not answered fail now."""
        self._receivers.pop(name, None)
        failed = [key for key, receiver in self._open.items() if receiver == name]
        deliveries = []
        for sender, number in failed:
            del self._open[(sender, number)]
            deliveries.append((sender, failure(name, sender, number, f"{name} has stopped")))
        for key in [key for key in self._open if key[0] == name]:
            del self._open[key]
        return [(to, envelope) for to, envelope in deliveries if to in self._receivers]

    def route(self, envelope: Envelope) -> list[tuple[str, Envelope]]:
        """(receiver, envelope) pairs that follow from one envelope."""
        if envelope.kind == Kind.EVENT:
            return self._event(envelope)
        if envelope.kind == Kind.SUBSCRIBE:
            return self._subscribe(envelope)
        if envelope.kind == Kind.REQUEST:
            if envelope.receiver not in self._receivers:
                text = f"{envelope.receiver} is not running"
                return [(envelope.sender, failure(envelope.receiver, envelope.sender, envelope.number, text))]
            self._open[(envelope.sender, envelope.number)] = envelope.receiver
            return [(envelope.receiver, envelope)]
        self._open.pop((envelope.receiver, envelope.number), None)
        return [(envelope.receiver, envelope)] if envelope.receiver in self._receivers else []

    def _event(self, envelope: Envelope) -> list[tuple[str, Envelope]]:
        if envelope.latest:
            self._retained[(envelope.topic, envelope.key)] = envelope
        deliveries = []
        for name, receiver in self._receivers.items():
            keys = receiver.subscriptions.get(envelope.topic, frozenset())
            if keys is None or envelope.key in keys:
                deliveries.append((name, envelope))
        return deliveries

    def _subscribe(self, envelope: Envelope) -> list[tuple[str, Envelope]]:
        receiver = self._receivers.get(envelope.sender)
        if receiver is None:
            return []
        wanted = decode_subscription(envelope.payload)
        known = receiver.subscriptions.get(wanted.topic, frozenset())
        added = None if wanted.keys is None else frozenset(wanted.keys)
        receiver.subscriptions[wanted.topic] = None if known is None or added is None else known | added
        return [
            (envelope.sender, kept)
            for (topic, key), kept in self._retained.items()
            if topic == wanted.topic and (added is None or key in added)
        ]


def failure(sender: str, receiver: str, number: int, text: str) -> Envelope:
    """The reply to a request that cannot be answered by its addressee."""
    payload = encode(Failed(kind="Unavailable", message=text))
    return Envelope(Kind.REPLY, sender, receiver, number=number, payload=payload)
