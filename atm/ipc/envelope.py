"""What travels through the queues: an envelope that the router reads, around a payload that it does not."""

from __future__ import annotations

from enum import IntEnum
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import msgspec

from atm.ipc.messages import Message, message_types


class Kind(IntEnum):
    EVENT = 0
    REQUEST = 1
    REPLY = 2
    SUBSCRIBE = 3
    CREDIT = 4


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """kind; sender and receiver by process name (receiver "" for events); topic: class name of the event;
    key of the event; number: correlation of request and reply, amount of a credit (see `atm.ipc.flow`); latest: conflate by
    (topic, key)."""

    kind: int
    sender: str
    receiver: str = ""
    topic: str = ""
    key: str = ""
    number: int = 0
    latest: bool = False
    payload: bytes = b""

    @property
    def ordered(self) -> bool:
        """An event that must arrive, in order: what flow control counts."""
        return self.kind == Kind.EVENT and not self.latest


class Letter(NamedTuple):
    """An envelope and its encoded form, so that the router decodes once and hands on the bytes as they came."""

    envelope: Envelope
    data: bytes


class Subscription(msgspec.Struct, frozen=True, array_like=True):
    """Payload of a SUBSCRIBE envelope: topic and the keys wanted (None = all)."""

    topic: str
    keys: tuple[str, ...] | None


_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_subscription_decoder = msgspec.msgpack.Decoder(Subscription)
_encoder = msgspec.msgpack.Encoder()
_message_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(reduce(or_, message_types()))


def encode(value: Envelope | Message | Subscription) -> bytes:
    return _encoder.encode(value)


def decode_envelope(data: bytes) -> Envelope:
    return _envelope_decoder.decode(data)


def open_letter(data: bytes) -> Letter:
    return Letter(decode_envelope(data), data)


def seal(envelope: Envelope) -> Letter:
    return Letter(envelope, encode(envelope))


def decode_subscription(data: bytes) -> Subscription:
    return _subscription_decoder.decode(data)


def decode_message(data: bytes) -> Message:
    message: Message = _message_decoder.decode(data)
    return message
