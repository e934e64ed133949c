"""A struct as it stands in its form, whatever it is made of: fields, structs inside of structs, tables, one of several
variants. Made from its parameters alone (`atm.model.parameter`), so that no form knows the struct. Pure.

What stands in a field is a `Node`. A struct is a dict by field; an optional one has `ON` in it, whether it is there. A variant
is a dict with the chosen key under `CHOSEN` and, by key, the struct of every variant that was ever shown: what was typed is
still there when the user comes back to it. A table is a list of structs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atm.gui.form_fields import Typed, as_typed, read
from atm.model.errors import Invalid
from atm.model.parameter import Parameter, Variant

Node = Any
"""Typed, dict[str, Node] or list[dict[str, Node]]."""
Tree = dict[str, Node]
Wrong = dict[str, tuple[object, Parameter]]
"""What cannot be read, with its parameter, by its path."""
ON, CHOSEN = "?", "!"


def is_table(parameter: Parameter) -> bool:
    """Whether it is a list of structs."""
    return parameter.kind == "list" and parameter.member is not None and parameter.member.kind == "struct"


def is_plain(parameter: Parameter) -> bool:
    """Whether one field holds it."""
    return parameter.kind not in ("struct", "variant") and not is_table(parameter)


def tree_of(parameters: Sequence[Parameter], raw: Mapping[str, Any]) -> Tree:
    """The form of a struct, from its plain data; what these lack has its default."""
    return {each.name: _node(each, raw.get(each.name, each.default)) for each in parameters}


def _node(parameter: Parameter, value: Any) -> Node:
    if parameter.kind == "struct":
        inside = tree_of(parameter.fields, value if isinstance(value, Mapping) else {})
        return {ON: value is not None, **inside} if parameter.optional else inside
    if parameter.kind == "variant":
        form = variant_of(parameter, value)
        return {CHOSEN: form.key, form.key: tree_of(form.fields, value if isinstance(value, Mapping) else {})}
    if is_table(parameter) and parameter.member is not None:
        return [tree_of(parameter.member.fields, row) for row in value or ()]
    return as_typed(parameter, value)


def variant_of(parameter: Parameter, value: Any) -> Variant:
    """The variant that plain data have, else the first."""
    return next((one for one in parameter.variants if one.fits(value)), parameter.variants[0])


def chosen(parameter: Parameter, node: Mapping[str, Node]) -> Variant:
    """The variant that is chosen in the form."""
    return next((one for one in parameter.variants if one.key == node[CHOSEN]), parameter.variants[0])


def choose(parameter: Parameter, node: Tree, key: str) -> None:
    """Choose another variant in place: as it was left, or as its defaults are."""
    node[CHOSEN] = key
    form = chosen(parameter, node)
    node.setdefault(form.key, tree_of(form.fields, {}))


def add_row(parameter: Parameter, rows: list[Tree]) -> None:
    """A further row like the last one, or the defaults of the first."""
    fields = parameter.member.fields if parameter.member is not None else ()
    rows.append(dict(rows[-1]) if rows else tree_of(fields, {}))


def read_tree(parameters: Sequence[Parameter], tree: Mapping[str, Node], path: str, wrong: Wrong) -> dict[str, Any]:
    """The plain data of a form. What cannot be read is noted in `wrong` and stands as typed; path: of the struct."""
    return {each.name: _read_node(each, tree[each.name], join(path, each.name), wrong) for each in parameters}


def _read_node(parameter: Parameter, node: Node, path: str, wrong: Wrong) -> Any:
    if parameter.kind == "struct":
        return read_tree(parameter.fields, node, path, wrong) if node.get(ON, True) else None
    if parameter.kind == "variant":
        form = chosen(parameter, node)
        return {**form.fixed, **read_tree(form.fields, node[form.key], path, wrong)}
    if is_table(parameter) and parameter.member is not None:
        fields = parameter.member.fields
        return [read_tree(fields, row, f"{path}[{number}]", wrong) for number, row in enumerate(node)]
    return _read_plain(parameter, node, path, wrong)


def _read_plain(parameter: Parameter, typed: Typed, path: str, wrong: Wrong) -> Any:
    try:
        return read(parameter, typed)
    except Invalid:
        wrong[path] = typed, parameter
        return typed


def find(parameters: Sequence[Parameter], tree: Mapping[str, Node], path: str) -> Parameter | None:
    """The parameter of the field at a path of the form, None where there is no such field."""
    name, _, rest = path.partition(".")
    name, _, row = name.partition("[")
    parameter = next((each for each in parameters if each.name == name), None)
    if parameter is None or not rest:
        return parameter
    if parameter.kind == "struct":
        return find(parameter.fields, tree[name], rest)
    if parameter.kind == "variant":
        form = chosen(parameter, tree[name])
        return find(form.fields, tree[name][form.key], rest)
    if row and is_table(parameter) and parameter.member is not None:
        return next((each for each in parameter.member.fields if each.name == rest), None)
    return None


def copied(node: Node) -> Node:
    """The same form once more, to be changed apart."""
    if isinstance(node, dict):
        return {key: copied(one) for key, one in node.items()}
    return [copied(one) for one in node] if isinstance(node, list) else node


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name
