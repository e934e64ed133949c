"""Every number, switch and choice of a configuration by its path, as data: what a slider can move. Pure.

A configuration is walked as it is: the members of the method that it has, of the rows that its tables have. Bounds and kinds
are those that the structs declare (`atm.model.parameter`). Paths read like those of mistakes: `method.long.alpha`,
`method.exit[0].target`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from atm.model.errors import Invalid
from atm.model.parameter import Parameter, described, parameter_of
from atm.model.simulation import SimulationSpec
from atm.model.validation import parse

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_KINDS = ("whole", "number", "switch", "choice")


class Adjustable(msgspec.Struct, frozen=True):
    """One value. path: from the root that was walked; value: as plain data, None where an optional one is off."""

    path: str
    parameter: Parameter
    value: Any


def adjustables(struct: msgspec.Struct, root: str = "") -> tuple[Adjustable, ...]:
    """Everything in a struct that can be moved, in the order of its fields, under `root`."""
    return tuple(_of_struct(struct, root))


def _of_struct(struct: msgspec.Struct, path: str) -> Iterator[Adjustable]:
    described_fields = inspect.type_info(type(struct))
    assert isinstance(described_fields, inspect.StructType)
    for field in described_fields.fields:
        value = getattr(struct, field.name)
        yield from _of_value(parameter_of(field), field.type, value, f"{path}.{field.encode_name}".lstrip("."))


def _of_value(parameter: Parameter, kind: inspect.Type | None, value: Any, path: str) -> Iterator[Adjustable]:
    if isinstance(value, msgspec.Struct):
        yield from _of_struct(value, path)
    elif isinstance(value, tuple | list):
        for index, member in enumerate(value):
            inner = _member_type(kind, index)
            shape = _plain(f"[{index}]", member) if inner is None else described(f"[{index}]", inner)
            yield from _of_value(shape, inner, member, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _of_value(_plain(str(name), member), None, member, f"{path}.{name}")
    elif parameter.kind in _KINDS:
        yield Adjustable(path, parameter, msgspec.to_builtins(value))


def _member_type(kind: inspect.Type | None, index: int) -> inspect.Type | None:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.TupleType):
        return kind.item_types[index]
    return kind.item_type if isinstance(kind, inspect.VarTupleType | inspect.ListType) else None


def _plain(name: str, value: Any) -> Parameter:
    """What can be said of a value whose struct says nothing: its kind."""
    if isinstance(value, bool):
        return Parameter(name, "switch", default=value)
    if isinstance(value, int | float):
        return Parameter(name, "whole" if isinstance(value, int) else "number", default=value)
    return Parameter(name, "data", default=value)


def of_specification(spec: SimulationSpec) -> dict[str, tuple[Adjustable, ...]]:
    """What can be moved of a simulation without other analyses, by group: `trade[i]` for each trade configuration that a
    position uses, `allocation`, `costs`. Paths begin at the specification."""
    used = {position.trade for position in spec.positions}
    found = {
        f"trade[{i}]": adjustables(configuration, f"trade[{i}]")
        for i, configuration in enumerate(spec.trade)
        if configuration.code in used
    }
    shares = [
        each for name, asset in spec.assets.items() for each in adjustables(asset, f"assets.{name}")
        if each.path.endswith(".allocation_ratio")
    ]  # fmt: skip
    for i, position in enumerate(spec.positions):
        wanted = ("assumed_ratio", "max_allocated")
        shares += [each for each in adjustables(position, f"positions[{i}]") if each.path.endswith(wanted)]
    found["allocation"] = tuple(shares)
    found["costs"] = adjustables(spec.costs, "costs")
    return found


def adjusted(spec: SimulationSpec, changes: Mapping[str, Any]) -> SimulationSpec:
    """The specification with other values at these paths.

    Raises `Invalid` for a path that there is not, and for values that are not allowed, each with its path.
    """
    raw = msgspec.json.decode(msgspec.json.encode(spec))  # lists, which can be changed
    for path, value in changes.items():
        _put(raw, path, value)
    return parse(raw, SimulationSpec)


def _put(raw: Any, path: str, value: Any) -> None:
    *way, last = [name or int(index) for name, index in _STEP.findall(path)]
    try:
        for step in way:
            raw = raw[step]
        _ = raw[last]
    except (KeyError, IndexError, TypeError):
        raise Invalid("path", path, "the path of a value in the specification") from None
    raw[last] = value


def differences(one: Any, other: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two pieces of plain data differ: (path, value in the one, value in the other), None where it is missing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = [*one, *(name for name in other if name not in one)]
        pairs = [(f"{path}.{name}".lstrip("."), one.get(name), other.get(name)) for name in names]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        wide = max(len(one), len(other))
        padded = ([*side, *[None] * (wide - len(side))] for side in (one, other))
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(*padded, strict=True))]
    else:
        return [] if one == other else [(path, one, other)]
    return [each for place, a, b in pairs for each in differences(a, b, place)]
