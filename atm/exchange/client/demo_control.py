"""Asks the control end point of a demo exchange. It is no part of the exchange's protocol, so no rate gate stands before it."""

from __future__ import annotations

from typing import Any, TypeVar

import aiohttp
import msgspec

from atm.model.demo_state import DemoCommand, DemoKeyPair, DemoState
from atm.model.errors import Invalid, Refused, Unavailable
from atm.model.fault import FaultCommand, FaultReport

T = TypeVar("T")

_TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=5.0)
"""A jump over months lets everything between happen before it is answered."""


class _Pair(msgspec.Struct):
    key: str = ""
    secret: str = ""


class _Failure(msgspec.Struct):
    error: str
    field: str = ""


async def control_faults(rest: str, wish: FaultCommand | dict[str, Any] | None = None) -> FaultReport:
    """Carry out what is wished about faults (plain data as the end point takes it; None: only look). Raises as `control`."""
    return _read(rest, await _ask(rest, "faults", wish), FaultReport)


async def control(rest: str, command: DemoCommand | None = None) -> tuple[DemoState, DemoKeyPair | None]:
    """Carry out a command (None: only look) at the demo exchange with this base address: its state, and the key pair that was made. Raises
    Refused with its sentence, Invalid for an address that is none, Unavailable when no demo exchange answers there."""
    content = await _ask(rest, "control", command)
    state, made = _read(rest, content, DemoState), _read(rest, content, _Pair)
    name = command.make_key if command is not None else ""
    return state, DemoKeyPair(name, made.key, made.secret) if name else None


async def _ask(rest: str, place: str, command: object) -> bytes:
    address = f"{rest.rstrip('/')}/demo/{place}"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            method, body = ("GET", None) if command is None else ("POST", msgspec.json.encode(command))
            async with session.request(method, address, data=body) as answer:
                status, content = answer.status, await answer.read()
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise Invalid("address", rest, "an address such as http://127.0.0.1:8787") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"no demo exchange answers at {rest}: {type(error).__name__}") from None
    if status == 400:
        raise Refused(_read(rest, content, _Failure).error)
    return content


def _read(rest: str, content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        raise Unavailable(f"what answers at {rest} is no demo exchange") from None
