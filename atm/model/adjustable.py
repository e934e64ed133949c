"""Every number, switch and choice of a configuration by its path, as data: what a slider can move. Pure.

A configuration is walked as it is: the members of the method that it has, of the rows that its tables have. Bounds and kinds
are those that the structs declare (`atm.model.parameter`). Paths read like those of mistakes: `method.long.alpha`,
`method.exit[0].target`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from atm.model.errors import Invalid
from atm.model.parameter import Parameter, described, parameter_of
from atm.model.simulation import SimulationSpec
from atm.model.validation import parse

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
MISSING = "∅"
"""Stands for a value that there is not, among values of others."""
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


def flattened(raw: Any, path: str = "") -> dict[str, Any]:
    """Plain data as values by their paths; an empty list or table is a value."""
    if isinstance(raw, Mapping) and raw:
        parts = [(f"{path}.{name}".lstrip("."), value) for name, value in raw.items()]
    elif isinstance(raw, list | tuple) and raw:
        parts = [(f"{path}[{i}]", value) for i, value in enumerate(raw)]
    else:
        return {path: raw}
    return {place: value for name, part in parts for place, value in flattened(part, name).items()}


def differing(several: Sequence[Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """Where pieces of plain data differ: (path, the value in each), `MISSING` where one has none."""
    flat = [flattened(raw) for raw in several]
    paths = dict.fromkeys(path for each in flat for path in each)
    rows = [(path, tuple(each.get(path, MISSING) for each in flat)) for path in paths]
    return [(path, values) for path, values in rows if any(value != values[0] for value in values)]
