"""Which analyses the user looks at: lines of a stored configuration, or a choice of one's own, and what an analyzer is asked."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from atm.gui.preferences import QuickAnalysis
from atm.ipc.messages import KnownIndicator
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, MultiMACD
from atm.model.builtin_analyses import BUILT_IN, BuiltIn
from atm.model.errors import Invalid
from atm.model.indicator_style import IndicatorStyle, Mark
from atm.model.interval import Interval
from atm.model.parameter import Parameter, parameters_of
from atm.model.validation import mistakes

log = logging.getLogger(__name__)

MOST_USER_LINES = 10
_CODE = "market-page"
_PIP_INPUTS = ("mmacd_short", "mmacd_long", "dmi_adx", "mfi")


@dataclass(frozen=True, slots=True)
class Known:
    """An indicator that can be chosen. most: lines it may have, 0 = a single one, whose line is 0; built_in: None for a
    user's; style: None = its fields as lines."""

    name: str
    fields: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    style: IndicatorStyle | None
    most: int
    built_in: BuiltIn | None = None

    def defaults(self) -> dict[str, Any]:
        return {parameter.name: parameter.default for parameter in self.parameters if not parameter.required}

    def complete(self, parameters: Mapping[str, Any]) -> bool:
        """Whether every parameter without a default is given."""
        return all(not each.required or each.name in parameters for each in self.parameters)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is shown. number: as in its columns; parameters: all of them."""

    known: Known
    number: int
    parameters: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The name with the parameters that tell it from others."""
        style = self.known.style
        names = style.title if style is not None else tuple(each.name for each in self.known.parameters[:2])
        values = [_written(self.parameters.get(name)) for name in names]
        return f"{self.known.name} {', '.join(values)}" if values else self.known.name

    def column(self, field: str) -> str:
        """Name of a field's column, without the interval."""
        return f"{self.known.name}.{self.number}.{field}"

    def columns(self) -> list[str]:
        """What is to be asked for, without the interval."""
        style = self.known.style
        if style is None:
            return [self.column(field) for field in self.known.fields]
        found = [self.column(field) for field in sorted(style.fields())]
        if style.column_of:
            found.append(f"KLINE.0.{style.columns[str(self.parameters[style.column_of])]}")
        return found


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return "·".join(_written(each) for each in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def known_analyses(indicators: Sequence[KnownIndicator]) -> dict[str, Known]:
    """All indicators by name: the built-in ones, then the users' of those that the trade manager knows."""
    found = {
        name: Known(
            name, tuple(sorted(each.style.fields())), parameters_of(each.parameters), each.style, each.most, each
        )
        for name, each in BUILT_IN.items()
    }
    for user in indicators:
        if not user.analyses:
            found[user.name] = Known(user.name, user.columns, user.parameters, user.style, MOST_USER_LINES)
    return found


def lines_of(analyses: IntervalAnalyses, known: Mapping[str, Known]) -> list[Line]:
    """All lines of a configuration's interval, as far as their indicators are known."""
    raw = msgspec.to_builtins(analyses)
    found = []
    for each in known.values():
        if each.built_in is None:
            lines = raw["user"].get(each.name, ())
        elif each.name == "SWING":
            lines = {"swing_range": raw["swing_range"]}
        else:
            lines = raw[each.built_in.place]
        if each.most == 0:
            found += [Line(each, 0, lines)] if lines is not None else []
        else:
            found += [Line(each, n, {**each.defaults(), **line}) for n, line in enumerate(lines, 1)]
    return found


def quick_lines(quick: Sequence[QuickAnalysis], known: Mapping[str, Known]) -> list[Line]:
    """The user's choice, numbered as their columns will be; what is unknown or cannot run is left out."""
    found: list[Line] = []
    for each in quick:
        indicator = known.get(each.name)
        if indicator is None:
            continue
        parameters = {**indicator.defaults(), **each.parameters}
        if any(_wrong(indicator, parameters)) or not has_room(indicator, found, parameters):
            log.warning("%s %s is left out: it cannot run", each.name, each.parameters)
            continue
        number = 1 + sum(line.known is indicator for line in found) if indicator.most else 0
        found.append(Line(indicator, number, parameters))
    return found


def has_room(indicator: Known, lines: Sequence[Line], parameters: Mapping[str, Any]) -> bool:
    """Whether a line with these parameters may stand beside the others: not too many, and no two the same."""
    same = [line for line in lines if line.known.name == indicator.name]
    return len(same) < max(1, indicator.most) and all(line.parameters != parameters for line in same)


def new_line(indicator: Known, lines: Sequence[Line]) -> dict[str, Any]:
    """Parameters of a further line: the defaults, the first whole number raised until no other line is the same."""
    parameters = indicator.defaults()
    step = next((each for each in indicator.parameters if each.kind == "whole" and each.default is not None), None)
    most = math.inf if step is None or step.most is None else step.most - step.below
    for factor in range(1, MOST_USER_LINES + 2):
        if step is not None:
            parameters[step.name] = int(min(step.default * factor, most))
        if all(line.parameters != parameters for line in lines if line.known.name == indicator.name):
            break
    return parameters


def _wrong(indicator: Known, parameters: Mapping[str, Any]) -> list[Invalid]:
    if indicator.built_in is not None:
        return mistakes(dict(parameters), indicator.built_in.parameters)
    known = {parameter.name for parameter in indicator.parameters}
    return [Invalid(name, value, "a known parameter") for name, value in parameters.items() if name not in known]


def quick_configuration(interval: Interval, lines: Sequence[Line]) -> AnalysisConfiguration:
    """A configuration of these lines. PIP gets a contributor where none of those that it needs is among them."""
    raw: dict[str, Any] = {"interval": interval.value, "user": {}}
    for line in lines:
        built_in = line.known.built_in
        if built_in is None:
            raw["user"].setdefault(line.known.name, []).append(dict(line.parameters))
        elif line.known.name == "SWING":
            raw.update(line.parameters)
        elif line.known.most == 0:
            raw[built_in.place] = dict(line.parameters)
        else:
            raw.setdefault(built_in.place, []).append(dict(line.parameters))
    if "pip" in raw and not any(place in raw for place in _PIP_INPUTS):
        raw["mmacd_short"] = msgspec.to_builtins(MultiMACD())
    return AnalysisConfiguration(_CODE, (msgspec.convert(raw, IntervalAnalyses),))


def wanted_columns(interval: Interval, lines: Sequence[Line]) -> tuple[str, ...]:
    """Names of the columns that are shown, each once; high and low of the bars with them."""
    names = ["KLINE.0.high", "KLINE.0.low", *(name for line in lines for name in line.columns())]
    return tuple(f"{interval.value}.{name}" for name in dict.fromkeys(names))


def draws_profile(line: Line) -> bool:
    """Whether the line shows a volume profile."""
    style = line.known.style
    return style is not None and any(trace.mark is Mark.PROFILE for trace in style.main)
