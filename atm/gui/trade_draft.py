"""A trade configuration as it stands in its form. Which methods there are, with which fields, comes from the structs of
`atm.model.trade_configuration` and from the list of users' methods; nothing here knows any of them by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from atm.gui.struct_draft import Tree, Wrong, copied, find, read_tree, tree_of
from atm.model.errors import Invalid
from atm.model.parameter import Parameter, Variant, parameters_of
from atm.model.trade_configuration import TradeConfiguration, mismatches
from atm.model.validation import mistakes

METHOD = "method"
UserMethods = Mapping[str, tuple[Parameter, ...]]
"""Parameters of users' methods by name."""


@cache
def _built_in() -> tuple[Parameter, ...]:
    return parameters_of(TradeConfiguration)


def trade_parameters(users: UserMethods | None = None) -> tuple[Parameter, ...]:
    """All fields of a trade configuration. Each user's method is a variant of its own, where a variant has a name and plain
    parameters."""
    return tuple(_plugged(each, users or {}) if each.name == METHOD else each for each in _built_in())


def _plugged(method: Parameter, users: UserMethods) -> Parameter:
    variants: list[Variant] = []
    for variant in method.variants:
        if {"name", "parameters"} <= {each.name for each in variant.fields}:
            others = tuple(each for each in variant.fields if each.name not in ("name", "parameters"))
            for name, fields in users.items():
                own = Parameter("parameters", "struct", fields=fields)
                variants.append(Variant(name, {**variant.fixed, "name": name}, (own, *others)))
        variants.append(variant)
    return msgspec.structs.replace(method, variants=tuple(variants))


@dataclass(frozen=True, slots=True, eq=False)
class TradeReading:
    """What a draft says. raw: as plain data; wrong: what cannot be read; mistakes: what is not allowed beside; configuration:
    None while something is wrong."""

    raw: dict[str, Any]
    configuration: TradeConfiguration | None
    wrong: Wrong = field(default_factory=dict)
    mistakes: tuple[Invalid, ...] = ()


@dataclass(slots=True)
class TradeDraft:
    parameters: tuple[Parameter, ...]
    tree: Tree

    @property
    def code(self) -> str:
        return str(self.tree["code"])

    @code.setter
    def code(self, code: str) -> None:
        self.tree["code"] = code

    def copy(self) -> TradeDraft:
        return TradeDraft(self.parameters, copied(self.tree))

    def parameter(self, path: str) -> Parameter | None:
        """Of the field at a path."""
        return find(self.parameters, self.tree, path)

    def read(self) -> TradeReading:
        """Everything that can be read, and everything that cannot."""
        wrong: Wrong = {}
        raw = read_tree(self.parameters, self.tree, "", wrong)
        if wrong:
            return TradeReading(raw, None, wrong)
        try:
            configuration = msgspec.convert(raw, TradeConfiguration)
        except msgspec.ValidationError:
            return TradeReading(raw, None, {}, tuple(mistakes(raw, TradeConfiguration)))
        found = tuple(mismatches(configuration))
        return TradeReading(raw, None if found else configuration, {}, found)


def trade_draft_of(configuration: TradeConfiguration, users: UserMethods | None = None) -> TradeDraft:
    """The form of a stored configuration."""
    parameters = trade_parameters(users)
    return TradeDraft(parameters, tree_of(parameters, msgspec.to_builtins(configuration)))


def new_trade_draft(taken: Mapping[str, object], users: UserMethods | None = None) -> TradeDraft:
    """The defaults, under a code that is free."""
    number = 1
    while f"TRADE-{number}" in taken:
        number += 1
    parameters = trade_parameters(users)
    return TradeDraft(parameters, tree_of(parameters, {"code": f"TRADE-{number}"}))
