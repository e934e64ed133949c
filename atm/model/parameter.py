"""Parameters of an analysis as plain data (name, kind, bounds, default), from the struct that carries them.

Forms are made of them, and a process can tell another about parameters whose struct it alone has loaded.
"""

from __future__ import annotations

import types
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from atm.model.errors import Invalid

Kind = Literal["int", "float", "bool", "text", "choice", "ints", "other"]


class Parameter(msgspec.Struct, frozen=True):
    """One parameter. least, most: bounds (`open_least`: the lower one itself is not allowed), of each number of a list;
    fewest, longest: numbers in a list, or letters of a text; default: None when a value must be given."""

    name: str
    kind: Kind
    default: Any = None
    least: float | None = None
    most: float | None = None
    open_least: bool = False
    fewest: int = 0
    longest: int = 1_000
    choices: tuple[str, ...] = ()
    description: str = ""

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind == "bool":
            return "true or false"
        if self.kind == "text":
            return f"{self.fewest} to {self.longest} letters"
        bounds = ""
        if self.least is not None and self.most is not None:
            bounds = f" {'above' if self.open_least else 'from'} {self.least:g} to {self.most:g}"
        elif self.least is not None:
            bounds = f" {'above' if self.open_least else 'from'} {self.least:g}"
        elif self.most is not None:
            bounds = f" up to {self.most:g}"
        if self.kind == "ints":
            return f"{self.fewest} to {self.longest} whole numbers{bounds}, separated by commas"
        return f"{'a whole number' if self.kind == 'int' else 'a number'}{bounds}"

    def shown(self, value: Any) -> str:
        """A value as it stands in a field."""
        if value is None:
            return ""
        if self.kind == "ints":
            return ", ".join(str(each) for each in value)
        if self.kind == "float":
            return f"{value:.12g}"
        return str(value)

    def read(self, text: str) -> Any:
        """The value that was typed. Raises Invalid."""
        text = text.strip()
        if self.kind == "bool":
            return self._one_of(text.lower(), {"true": True, "false": False})
        if self.kind == "choice":
            return self._one_of(text, {each: each for each in self.choices})
        if self.kind == "ints":
            return self._list(text)
        if self.kind in ("int", "float"):
            return self._number(text)
        if not self.fewest <= len(text) <= self.longest:
            raise Invalid(self.name, text, self.allowed)
        return text

    def _one_of(self, text: str, values: dict[str, Any]) -> Any:
        if text not in values:
            raise Invalid(self.name, text, self.allowed)
        return values[text]

    def _list(self, text: str) -> list[int]:
        parts = [part for part in text.replace(",", " ").split() if part]
        if not self.fewest <= len(parts) <= self.longest:
            raise Invalid(self.name, text, self.allowed)
        return [int(self._number(part)) for part in parts]

    def _number(self, text: str) -> float | int:
        try:
            value = float(text) if self.kind == "float" else int(text)
        except ValueError:
            raise Invalid(self.name, text, self.allowed) from None
        below = self.least is not None and (value <= self.least if self.open_least else value < self.least)
        if value != value or below or (self.most is not None and value > self.most):
            raise Invalid(self.name, text, self.allowed)
        return value


def describe(struct: type[msgspec.Struct]) -> tuple[Parameter, ...]:
    """The parameters of a struct, in its order; "other" is one that no form can edit."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(_described(field, hints[field.name]) for field in msgspec.structs.fields(struct))


def _described(field: msgspec.structs.FieldInfo, hint: Any) -> Parameter:
    plain, metas = _unwrapped(hint)
    kind: Kind = "other"
    choices: tuple[str, ...] = ()
    length = {meta.min_length: meta.max_length for meta in metas if meta.min_length is not None or meta.max_length}
    fewest, longest = next(iter(length.items()), (0, None))
    if plain in (bool, int, float, str):
        kind = {bool: "bool", int: "int", float: "float", str: "text"}[plain]  # type: ignore[assignment]
    elif isinstance(plain, type) and issubclass(plain, Enum):
        kind, choices = "choice", tuple(str(member.value) for member in plain)
    elif get_origin(plain) in (tuple, list) and _unwrapped(get_args(plain)[0])[0] is int:
        kind = "ints"
        metas = (*metas, *_unwrapped(get_args(plain)[0])[1])
    default = None if field.default is msgspec.NODEFAULT else msgspec.to_builtins(field.default)
    least, most, is_open = _bounds(metas)
    text = next((meta.description for meta in metas if meta.description), "")
    return Parameter(
        field.name, kind, default, least, most, is_open, fewest or 0, longest or 1_000, choices, text
    )  # fmt: skip


def _bounds(metas: tuple[msgspec.Meta, ...]) -> tuple[float | None, float | None, bool]:
    least: float | None = None
    most: float | None = None
    is_open = False
    for meta in metas:
        if meta.ge is not None:
            least = meta.ge
        if meta.gt is not None:
            least, is_open = meta.gt, True
        if meta.le is not None:
            most = meta.le
    return least, most, is_open


def _unwrapped(hint: Any) -> tuple[Any, tuple[msgspec.Meta, ...]]:
    """The type without its annotations and its None, and the annotations."""
    metas: tuple[msgspec.Meta, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            hint, *own = get_args(hint)
            metas = (*metas, *(meta for meta in own if isinstance(meta, msgspec.Meta)))
            continue
        members = [member for member in get_args(hint) if member is not type(None)]
        if get_origin(hint) in (Union, types.UnionType) and len(members) == 1:
            hint = members[0]
            continue
        return hint, metas
