"""An analysis configuration as it stands in its form: everything as typed, read back as a configuration.

Which analyses there are, with which parameters and how many lines, comes from the structs of `IntervalAnalyses` and from
the list of indicators; nothing here knows any of them by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from atm.gui.form_fields import Values, as_typed, fresh, read
from atm.ipc.messages import KnownIndicator
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses
from atm.model.errors import Invalid
from atm.model.interval import Interval
from atm.model.parameter import Parameter, parameter_of, parameters_of
from atm.model.validation import mistakes

USER = "user."
MOST_USER_LINES = 10
(CODE,) = (each for each in parameters_of(AnalysisConfiguration) if each.name == "code")


@dataclass(frozen=True, slots=True)
class Group:
    """One analysis of an interval.

    key: the field of `IntervalAnalyses`, or "user.NAME"; name: of its columns; most: lines at most. many: it has a list of
    lines; else it is there or not. always: a single value that is always there, its parameter named like the field.
    """

    key: str
    name: str
    parameters: tuple[Parameter, ...]
    most: int = 1
    many: bool = False
    always: bool = False
    known: KnownIndicator | None = None

    @property
    def is_user(self) -> bool:
        return self.key.startswith(USER)

    def path(self, number: int, name: str = "") -> str:
        """Path of a line, or of one of its fields, inside of the interval."""
        line = f"{self.key}[{number}]" if self.many else self.key
        return line if self.always or not name else f"{line}.{name}"


@cache
def _built_in() -> tuple[Group, ...]:
    described = inspect.type_info(IntervalAnalyses)
    assert isinstance(described, inspect.StructType)
    groups = []
    for each in described.fields:
        if each.name in ("interval", "user"):
            continue
        kind, most = (each.type.type, 1) if isinstance(each.type, inspect.Metadata) else (each.type, 1)
        if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
            most = kind.max_length or MOST_USER_LINES
            groups.append(Group(each.name, each.name.upper(), parameters_of(kind.item_type.cls), most, many=True))
        elif isinstance(kind, inspect.UnionType):
            (one,) = (member for member in kind.types if isinstance(member, inspect.StructType))
            groups.append(Group(each.name, each.name.upper(), parameters_of(one.cls)))
        else:
            groups.append(Group(each.name, each.name.upper(), (parameter_of(each),), always=True))
    return tuple(groups)


def groups_of(indicators: Sequence[KnownIndicator]) -> tuple[Group, ...]:
    """All analyses that a configuration may have: in the order of the indicators, where they are known."""
    ours = {group.key: group for group in _built_in()}
    found = []
    for each in indicators:
        if each.analyses in ours:
            group = ours.pop(each.analyses)
            found.append(Group(group.key, each.name, group.parameters, group.most, group.many, group.always, each))
        elif not each.analyses:
            key = f"{USER}{each.name}"
            found.append(Group(key, each.name, each.parameters, MOST_USER_LINES, many=True, known=each))
    return (*ours.values(), *found)


@dataclass(slots=True)
class IntervalDraft:
    """lines: of each analysis that is there, by the key of its group."""

    interval: str
    lines: dict[str, list[Values]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a draft says. wrong: what cannot be read, with its parameter, by its path; mistakes: what the structs do not
    allow beside; configuration: None while something is wrong."""

    configuration: AnalysisConfiguration | None
    wrong: dict[str, tuple[object, Parameter]]
    mistakes: list[Invalid]


@dataclass(slots=True)
class AnalysisDraft:
    """decision: the decision interval, "" for the shortest."""

    code: str = ""
    decision: str = ""
    intervals: list[IntervalDraft] = field(default_factory=list)

    def interval(self, name: str) -> IntervalDraft | None:
        return next((each for each in self.intervals if each.interval == name), None)

    def free_intervals(self) -> list[str]:
        used = {each.interval for each in self.intervals}
        return [interval.value for interval in Interval if interval.value not in used]

    def add_interval(self, name: str, groups: Sequence[Group], like: IntervalDraft | None = None) -> None:
        """One more, empty or with the analyses of another; the draft keeps them from short to long."""
        lines = {key: [dict(one) for one in ones] for key, ones in like.lines.items()} if like is not None else {}
        always = {group.key: [fresh(group.parameters)] for group in groups if group.always}
        self.intervals.append(IntervalDraft(name, {**always, **lines}))
        order = [interval.value for interval in Interval]
        self.intervals.sort(key=lambda each: order.index(each.interval))

    def remove_interval(self, name: str) -> None:
        self.intervals = [each for each in self.intervals if each.interval != name]
        if self.decision == name:
            self.decision = ""

    def copy(self) -> AnalysisDraft:
        twin = AnalysisDraft(self.code, self.decision)
        for each in self.intervals:
            lines = {key: [dict(one) for one in ones] for key, ones in each.lines.items()}
            twin.intervals.append(IntervalDraft(each.interval, lines))
        return twin

    def read(self, groups: Sequence[Group]) -> Reading:
        """Everything that can be read, and everything that cannot."""
        wrong: dict[str, tuple[object, Parameter]] = {}
        raw: dict[str, Any] = {"code": _read(CODE, self.code, "code", wrong)}
        if self.decision:
            raw["decision_interval"] = self.decision
        by_key = {group.key: group for group in groups}
        raw["intervals"] = [
            _read_interval(each, f"intervals[{number}].", by_key, wrong) for number, each in enumerate(self.intervals)
        ]
        if wrong:
            return Reading(None, wrong, [])
        try:
            return Reading(msgspec.convert(raw, AnalysisConfiguration), {}, [])
        except msgspec.ValidationError:
            return Reading(None, {}, mistakes(raw, AnalysisConfiguration))


def draft_of(configuration: AnalysisConfiguration, groups: Sequence[Group]) -> AnalysisDraft:
    """The form of a stored configuration."""
    decision = configuration.decision_interval
    draft = AnalysisDraft(configuration.code, decision.value if decision is not None else "")
    for analyses in configuration.intervals:
        draft.intervals.append(_interval_draft(analyses, groups))
    return draft


def unknown_groups(draft: IntervalDraft, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Users' indicators that the draft names and nobody knows: their values are shown as they are."""
    known = {group.key for group in groups}
    return tuple(
        Group(key, key.removeprefix(USER), _untyped(lines), MOST_USER_LINES, many=True)
        for key, lines in draft.lines.items()
        if key not in known
    )


def _untyped(lines: Sequence[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, "data") for name in dict.fromkeys(name for line in lines for name in line))


def _interval_draft(analyses: IntervalAnalyses, groups: Sequence[Group]) -> IntervalDraft:
    raw = msgspec.to_builtins(analyses)
    draft = IntervalDraft(analyses.interval.value)
    by_key = {group.key: group for group in groups}
    for key, group in by_key.items():
        value = None if group.is_user else raw[key]
        if group.always:
            draft.lines[key] = [{key: as_typed(group.parameters[0], value)}]
        elif group.many and value:
            draft.lines[key] = [_typed(group.parameters, one) for one in value]
        elif value and not group.many:
            draft.lines[key] = [_typed(group.parameters, value)]
    for name, lines in raw["user"].items():
        known = by_key.get(f"{USER}{name}")
        parameters = known.parameters if known is not None else _untyped(lines)
        draft.lines[f"{USER}{name}"] = [_typed(parameters, one) for one in lines]
    return draft


def _typed(parameters: Sequence[Parameter], raw: Mapping[str, Any]) -> Values:
    return {each.name: as_typed(each, raw.get(each.name, each.default)) for each in parameters}


def _read_interval(
    draft: IntervalDraft, path: str, groups: Mapping[str, Group], wrong: dict[str, tuple[object, Parameter]]
) -> dict[str, Any]:
    raw: dict[str, Any] = {"interval": draft.interval}
    unknown = {group.key: group for group in unknown_groups(draft, tuple(groups.values()))}
    for key, lines in draft.lines.items():
        group = groups.get(key) or unknown[key]
        found: list[Any] = []
        for number, values in enumerate(lines):
            named = {each.name: each for each in group.parameters}
            line = {
                name: _read(named[name], typed, path + group.path(number, name), wrong)
                for name, typed in values.items()
                if name in named
            }
            found.append(line)
        if not found:
            continue
        if group.is_user:
            raw.setdefault("user", {})[group.name] = found
        else:
            raw[key] = found[0][key] if group.always else found if group.many else found[0]
    return raw


def _read(parameter: Parameter, typed: Any, path: str, wrong: dict[str, tuple[object, Parameter]]) -> Any:
    try:
        return read(parameter, typed)
    except Invalid:
        wrong[path] = typed, parameter
        return typed


def new_draft(taken: Mapping[str, object], groups: Sequence[Group]) -> AnalysisDraft:
    """An empty configuration of 15 minutes under a code that is free."""
    number = 1
    while f"ANALYSIS-{number}" in taken:
        number += 1
    draft = AnalysisDraft(f"ANALYSIS-{number}")
    draft.add_interval(Interval.M15.value, groups)
    return draft
