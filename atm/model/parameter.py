"""The fields of a parameter struct as plain data, from which forms, tables and searches are made. Pure.

Types, bounds, defaults and descriptions are those that the struct declares (`msgspec.Meta`), so nothing is said twice; and
being plain, they reach a process that cannot load the struct itself (a user's indicator).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import inspect

from atm.model.errors import Invalid

Kind = Literal["whole", "number", "switch", "choice", "text", "list", "struct", "variant", "data"]


class Variant(msgspec.Struct, frozen=True):
    """One of several forms that a value may have.

    key: its name; fixed: the plain data that tell it from the others (its tag); fields: what it has beside.
    """

    key: str
    fixed: dict[str, Any]
    fields: tuple[Parameter, ...] = ()

    def fits(self, value: Any) -> bool:
        """Whether plain data have this form."""
        return isinstance(value, dict) and all(value.get(name) == one for name, one in self.fixed.items())


class Parameter(msgspec.Struct, frozen=True):
    """One field.

    kind: whole or decimal number, on/off, one of `choices`, text, a list whose members are `member`, a struct of `fields`,
    one of several structs (`variants`), or any other plain data. least, most: bounds of a number, of the length of a text or
    of the number of members; `above`, `below`: the bound itself is not allowed. default: as plain data, None while
    `required`. optional: None is allowed. unit: "%" for a fraction that people write in percent
    (`msgspec.Meta(extra={"unit": "%"})`).
    """

    name: str
    kind: Kind
    default: Any = None
    required: bool = False
    optional: bool = False
    least: float | None = None
    most: float | None = None
    above: bool = False
    below: bool = False
    choices: tuple[str, ...] = ()
    member: Parameter | None = None
    description: str = ""
    unit: str = ""
    fields: tuple[Parameter, ...] = ()
    variants: tuple[Variant, ...] = ()

    @property
    def allowed(self) -> str:
        """What is allowed, in words that complete "allowed: …"."""
        if self.kind == "switch":
            return "on or off"
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind == "list" and self.member is not None:
            return f"{_range(self.least, self.most)} values, each {self.member.allowed}"
        if self.kind == "text":
            return f"{_range(self.least, self.most)} letters"
        if self.kind == "variant":
            return ", ".join(variant.key for variant in self.variants)
        if self.kind in ("struct", "data"):
            return "a value as JSON"
        lower = "" if self.least is None else f"{'above' if self.above else 'from'} {self.least:,.16g}"
        upper = "" if self.most is None else f"{'below' if self.below else 'up to'} {self.most:,.16g}"
        return " ".join(
            part for part in ("a whole number" if self.kind == "whole" else "a number", lower, upper) if part
        )

    def check(self, value: Any) -> Any:
        """The value, when it is of the kind and within the bounds. Raises Invalid."""
        if value is None and self.optional:
            return value
        if not self._fits(value):
            raise Invalid(self.name, value, self.allowed)
        return value

    def _fits(self, value: Any) -> bool:
        if self.kind == "switch":
            return isinstance(value, bool)
        if self.kind == "choice":
            return value in self.choices
        if self.kind in ("whole", "number"):
            plain = int if self.kind == "whole" else (int, float)
            return isinstance(value, plain) and not isinstance(value, bool) and self._within(float(value))
        if self.kind == "text":
            return isinstance(value, str) and self._within(len(value))
        if self.kind == "list" and self.member is not None:
            whole = isinstance(value, list | tuple) and self._within(len(value))
            return whole and all(self.member._fits(one) for one in value)
        return True

    def _within(self, value: float) -> bool:
        if value != value:
            return False
        least, most = self.least, self.most
        low = least is None or value > least or (value == least and not self.above)
        return low and (most is None or value < most or (value == most and not self.below))


def parameters_of(kind: type[msgspec.Struct]) -> tuple[Parameter, ...]:
    """The fields of a struct, in their order."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return tuple(parameter_of(field) for field in described.fields)


def parameter_of(field: inspect.Field) -> Parameter:
    """One field of a struct."""
    default = field.default
    if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    plain = None if default is msgspec.NODEFAULT else msgspec.to_builtins(default)
    found = described(field.encode_name, field.type)
    return msgspec.structs.replace(found, default=plain, required=field.required)


def described(name: str, kind: inspect.Type) -> Parameter:
    """What the type of a field, or of a member of one, says."""
    description = unit = ""
    if isinstance(kind, inspect.Metadata):
        description = str((kind.extra_json_schema or {}).get("description", ""))
        unit = str((kind.extra or {}).get("unit", ""))
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
        if len(members) == 1:
            inner = described(name, members[0])
            return msgspec.structs.replace(inner, optional=True, description=description or inner.description)
        return _tagged(name, members, description)
    return msgspec.structs.replace(_plain(name, kind), description=description, unit=unit)


def _plain(name: str, kind: inspect.Type) -> Parameter:
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        least, above = (kind.gt, True) if kind.gt is not None else (kind.ge, False)
        most, below = (kind.lt, True) if kind.lt is not None else (kind.le, False)
        whole = isinstance(kind, inspect.IntType)
        return Parameter(name, "whole" if whole else "number", least=least, most=most, above=above, below=below)
    if isinstance(kind, inspect.BoolType):
        return Parameter(name, "switch")
    if isinstance(kind, inspect.EnumType):
        return Parameter(name, "choice", choices=tuple(str(member.value) for member in kind.cls))
    if isinstance(kind, inspect.LiteralType):
        return Parameter(name, "choice", choices=tuple(str(value) for value in kind.values))
    if isinstance(kind, inspect.StrType):
        return Parameter(name, "text", least=kind.min_length, most=kind.max_length)
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        member = described(name, kind.item_type)
        return Parameter(name, "list", least=kind.min_length, most=kind.max_length, member=member)
    if isinstance(kind, inspect.TupleType) and all(each == kind.item_types[0] for each in kind.item_types):
        size = len(kind.item_types)
        return Parameter(name, "list", least=size, most=size, member=described(name, kind.item_types[0]))
    if isinstance(kind, inspect.StructType):
        return Parameter(name, "struct", fields=tuple(parameter_of(each) for each in kind.fields))
    return Parameter(name, "data")


def _tagged(name: str, members: list[inspect.Type], description: str) -> Parameter:
    """Several structs that a tag tells apart; of anything else, plain data."""
    variants = []
    for member in members:
        if not isinstance(member, inspect.StructType) or member.tag_field is None:
            return Parameter(name, "data", description=description)
        fields = tuple(parameter_of(each) for each in member.fields)
        variants.append(Variant(str(member.tag), {member.tag_field: member.tag}, fields))
    return Parameter(name, "variant", variants=tuple(variants), description=description)


def _range(least: float | None, most: float | None) -> str:
    if most is None:
        return f"at least {least or 0:g}"
    return f"{least or 0:g} to {most:g}"
