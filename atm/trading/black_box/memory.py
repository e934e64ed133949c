"""The memory of a live account as plain data, and back: everything beside its journalled state (flights, prices, pauses, suspicions). An
account that is made of the same state and given the memory goes on exactly as the one it was taken from.

Values are a closed set: numbers, text, Decimal, enumerations and structs of the account's own modules, and collections of them. What
is read can make nothing else, whoever wrote it.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from atm.model.errors import Invalid
from atm.trading.live.live_account import LiveAccount

TAG = "~"
_MODULES = ("atm.model.", "atm.trading.live.")
_LEFT_OUT = frozenset(("name", "setup", "instruments", "state"))
"""Attributes that are given otherwise."""


def memory_of(account: LiveAccount, own: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Everything that the account and its parts remember, but the journalled state. own: attributes that a class derived from it has
    added."""
    parts = _parts(account)
    known = {id(part) for part in parts.values()}
    found = {"account": _attributes(account, own, known)}
    for name, part in parts.items():
        found[name] = _attributes(part, _LEFT_OUT, known)
    return found


def remember(account: LiveAccount, memory: dict[str, Any]) -> None:
    """Give an account that was just made, of the same name, set-up, instruments and state, a memory. Raises Invalid."""
    _fill(account, memory["account"])
    parts = _parts(account)
    if parts.keys() != memory.keys() - {"account"}:
        raise Invalid("memory", ", ".join(sorted(memory)), f"the parts of this version: {', '.join(sorted(parts))}")
    for name, part in parts.items():
        _fill(part, memory[name])


def _parts(account: LiveAccount) -> dict[str, object]:
    return {name: value for name, value in vars(account).items() if _is_part(value)}


def _is_part(value: object) -> bool:
    """Whether it is one of the objects that an account is made of, which know each other, and no value."""
    return type(value).__module__.startswith(_MODULES[1]) and not isinstance(value, msgspec.Struct | Enum)


def _attributes(part: object, left_out: frozenset[str], parts: set[int]) -> dict[str, Any]:
    """parts: identities of objects that are written by themselves. Raises TypeError for any other object that is no value."""
    return {name: plain(value) for name, value in vars(part).items() if name not in left_out and id(value) not in parts}


def _fill(part: object, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in vars(part):
            raise Invalid("memory", name, f"an attribute of {type(part).__name__} in this version")
        setattr(part, name, value_of(value))


# --- one value ------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as JSON has it. Raises TypeError for one of another kind."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {TAG: "float", "v": repr(value)}
    if isinstance(value, Decimal):
        return {TAG: "Decimal", "v": str(value)}
    if isinstance(value, Enum):
        return {TAG: _name(type(value)), "v": value.value}
    if isinstance(value, msgspec.Struct):
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return {TAG: _name(type(value)), **fields}
    if isinstance(value, dict):
        if all(isinstance(key, str) and key != TAG for key in value):
            return {key: plain(each) for key, each in value.items()}
        return {TAG: "dict", "v": [[plain(key), plain(each)] for key, each in value.items()]}
    if isinstance(value, set | frozenset):
        return {TAG: "set", "v": sorted((plain(each) for each in value), key=repr)}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, tuple | deque):
        return {TAG: type(value).__name__, "v": [plain(each) for each in value]}
    raise TypeError(f"{type(value).__name__} has no plain form")


_COLLECTIONS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "Decimal": Decimal,
    "dict": lambda pairs: {value_of(key): value_of(value) for key, value in pairs},
    "set": lambda items: {value_of(item) for item in items},
    "tuple": lambda items: tuple(value_of(item) for item in items),
    "deque": lambda items: deque(value_of(item) for item in items),
}


def value_of(data: Any) -> Any:
    """What `plain` was given. Raises Invalid for what it does not make."""
    if isinstance(data, list):
        return [value_of(each) for each in data]
    if not isinstance(data, dict):
        return data
    if TAG not in data:
        return {key: value_of(each) for key, each in data.items()}
    kind = str(data[TAG])
    if kind in _COLLECTIONS:
        return _COLLECTIONS[kind](data["v"])
    made = _class(kind)
    if issubclass(made, Enum):
        return made(data["v"])
    return made(**{name: value_of(each) for name, each in data.items() if name != TAG})


def _name(kind: type) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if not name.startswith(_MODULES):
        raise TypeError(f"{name} has no plain form")
    return name


def _class(name: str) -> type:
    module, _, kind = name.rpartition(".")
    found = getattr(sys.modules.get(module), kind, None) if name.startswith(_MODULES) else None
    if not isinstance(found, type) or not issubclass(found, Enum | msgspec.Struct):
        raise Invalid("memory", name, "a value of this version")
    return found
