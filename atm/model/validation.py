"""Checks plain data (from a file, a form, a message) against a struct, field by field, and finds everything that is wrong.

msgspec stops at the first mistake; a user wants to see all of them. Pure.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from atm.model.errors import Invalid, complain

S = TypeVar("S", bound=msgspec.Struct)


def parse(raw: Any, kind: type[S], path: str = "") -> S:
    """The struct that `raw` describes. Raises Invalid, or Problems with every mistake; paths read `intervals[0].sma[1].window`."""
    complain(mistakes(raw, kind, path))
    return msgspec.convert(raw, kind)


def checked(value: S) -> S:
    """The struct, its bounds checked (those of one made in Python are not). Raises like `parse`."""
    return parse(msgspec.to_builtins(value), type(value))


def mistakes(raw: Any, kind: Any, path: str = "") -> list[Invalid]:
    """Everything in `raw` that the type `kind` does not allow; the top is named by its type."""
    plain, metas = _without_annotation(kind)
    origin = get_origin(plain)
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(plain) if member is not type(None)]
        if raw is None and len(members) < len(get_args(plain)):
            return []
        if len(members) == 1:
            return mistakes(raw, members[0], path)
        return _tagged(raw, members, path) or _leaf(raw, kind, path)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct) and isinstance(raw, Mapping):
        return _struct(raw, plain, path)
    if origin in (tuple, list) and isinstance(raw, Sequence) and not isinstance(raw, str):
        member = get_args(plain)[0]
        size = _leaf([None] * len(raw), Annotated[(list[Any], *metas)], path) if metas else []
        found = [Invalid(each.field, raw, each.allowed) for each in size]
        return found + [each for i, one in enumerate(raw) for each in mistakes(one, member, f"{path}[{i}]")]
    if origin is dict and isinstance(raw, Mapping):
        _, member = get_args(plain)
        return [each for key, one in raw.items() for each in mistakes(one, member, _join(path, str(key)))]
    return _leaf(raw, kind, path)


def _tagged(raw: Any, members: Sequence[Any], path: str) -> list[Invalid]:
    """Mistakes in one of several structs that a tag tells apart; none for anything else, which is left to msgspec."""
    if not isinstance(raw, Mapping) or not all(isinstance(m, type) and issubclass(m, msgspec.Struct) for m in members):
        return []
    tag_field = members[0].__struct_config__.tag_field
    by_tag = {member.__struct_config__.tag: member for member in members}
    tag = raw.get(tag_field)
    if not isinstance(tag, str) or tag not in by_tag:
        near = difflib.get_close_matches(str(tag), by_tag, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return [Invalid(_join(path, tag_field), tag, ", ".join(by_tag) + hint)]
    return _struct({name: value for name, value in raw.items() if name != tag_field}, by_tag[tag], path)


def _struct(raw: Mapping[str, Any], kind: type[msgspec.Struct], path: str) -> list[Invalid]:
    hints, fields = _declared(kind)
    found = []
    for name, value in raw.items():
        if name in fields:
            found += mistakes(value, hints[fields[name].name], _join(path, name))
        elif kind.__struct_config__.forbid_unknown_fields:
            near = difflib.get_close_matches(str(name), fields, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            found.append(Invalid(_join(path, str(name)), value, f"a known field{hint}"))
    for name, field in fields.items():
        if name not in raw and field.required:
            found.append(Invalid(_join(path, name), None, "a value; it is missing"))
    return found


@lru_cache(maxsize=256)
def _declared(kind: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, msgspec.structs.FieldInfo]]:
    """Types by name and fields by encoded name; reading them from the source's annotations takes most of a check."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    return get_type_hints(kind, include_extras=True), fields


def _leaf(raw: Any, kind: Any, path: str) -> list[Invalid]:
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        what, _, _ = str(error).partition(" - at `")
        name = kind.__name__ if isinstance(kind, type) else "value"
        return [Invalid(path or name, raw, what[:1].lower() + what[1:])]
    return []


def _without_annotation(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(kind) is Annotated:
        plain, *metas = get_args(kind)
        return plain, tuple(metas)
    return kind, ()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
