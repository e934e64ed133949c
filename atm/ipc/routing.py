"""Who gets what, without any I/O: subscriptions, retained values and open requests.

`Router.route(letter)` returns the deliveries it causes; what waits for whom is the matter of `atm.ipc.flow`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from atm.ipc.envelope import Envelope, Kind, Letter, decode_subscription, encode, seal
from atm.ipc.messages import Failed


@dataclass(slots=True)
class _Receiver:
    subscriptions: dict[str, frozenset[str] | None] = field(default_factory=dict)


class Router:
    """Subscriptions, retained values and open requests of the whole program."""

    def __init__(self) -> None:
        self._receivers: dict[str, _Receiver] = {}
        self._retained: dict[tuple[str, str], Letter] = {}
        self._open: dict[tuple[str, int], str] = {}

    def add(self, name: str) -> None:
        """A process has come (again): without subscriptions."""
        self._receivers[name] = _Receiver()

    def remove(self, name: str) -> list[tuple[str, Letter]]:
        """A process has gone. Requests that it had not answered fail now."""
        self._receivers.pop(name, None)
        failed = [key for key, receiver in self._open.items() if receiver == name]
        deliveries = []
        for sender, number in failed:
            del self._open[(sender, number)]
            deliveries.append((sender, failure(name, sender, number, f"{name} has stopped")))
        for key in [key for key in self._open if key[0] == name]:
            del self._open[key]
        return [(to, letter) for to, letter in deliveries if to in self._receivers]

    def route(self, letter: Letter) -> list[tuple[str, Letter]]:
        """(receiver, letter) pairs that follow from one letter."""
        envelope = letter.envelope
        if envelope.kind == Kind.EVENT:
            return self._event(letter)
        if envelope.kind == Kind.SUBSCRIBE:
            return self._subscribe(envelope)
        if envelope.kind == Kind.REQUEST:
            if envelope.receiver not in self._receivers:
                text = f"{envelope.receiver} is not running"
                return [(envelope.sender, failure(envelope.receiver, envelope.sender, envelope.number, text))]
            self._open[(envelope.sender, envelope.number)] = envelope.receiver
            return [(envelope.receiver, letter)]
        if envelope.kind != Kind.REPLY:
            return []
        self._open.pop((envelope.receiver, envelope.number), None)
        return [(envelope.receiver, letter)] if envelope.receiver in self._receivers else []

    def _event(self, letter: Letter) -> list[tuple[str, Letter]]:
        envelope = letter.envelope
        if envelope.latest:
            self._retained[(envelope.topic, envelope.key)] = letter
        deliveries = []
        for name, receiver in self._receivers.items():
            keys = receiver.subscriptions.get(envelope.topic, frozenset())
            if keys is None or envelope.key in keys:
                deliveries.append((name, letter))
        return deliveries

    def _subscribe(self, envelope: Envelope) -> list[tuple[str, Letter]]:
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


def failure(sender: str, receiver: str, number: int, text: str) -> Letter:
    """The reply to a request that cannot be answered by its addressee."""
    payload = encode(Failed(kind="Unavailable", message=text))
    return seal(Envelope(Kind.REPLY, sender, receiver, number=number, payload=payload))
