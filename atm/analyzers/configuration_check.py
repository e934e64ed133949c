"""Whether a configuration can run: bounds of every field, and parameters that must fit each other. Finds everything wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from atm.analyzers.contract import Indicator, Registry
from atm.analyzers.pipeline import AnalysisPipeline, check_intervals
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses, expanded
from atm.model.errors import Invalid, Problems, complain
from atm.model.validation import mistakes

log = logging.getLogger(__name__)


def parse_configuration(raw: Any, registry: Registry) -> AnalysisConfiguration:
    """The configuration that plain data describe, also in the short form (`expanded`).

    Raises Invalid, or Problems with every mistake, each by its path.
    """
    whole = expanded(raw)
    short = whole is not raw
    found = [_named(each, short) for each in mistakes(whole, AnalysisConfiguration)]
    complain(found)
    configuration = msgspec.convert(whole, AnalysisConfiguration)
    complain([_named(each, short) for each in _misfits(configuration, registry)])
    return configuration


def check_configuration(configuration: AnalysisConfiguration, registry: Registry) -> AnalysisConfiguration:
    """The configuration, if it can run (a struct made in Python is not checked when it is made). Raises like parsing."""
    return parse_configuration(msgspec.to_builtins(configuration), registry)


def _named(problem: Invalid, short: bool) -> Invalid:
    """In the short form the one interval's fields stand at the top."""
    if not short:
        return problem
    return Invalid(problem.field.removeprefix("intervals[0]."), problem.value, problem.allowed)


def _misfits(configuration: AnalysisConfiguration, registry: Registry) -> list[Invalid]:
    found = list(_tried(lambda: check_intervals(configuration), ""))
    for number, analyses in enumerate(configuration.intervals):
        found += _misfits_of(analyses, registry, f"intervals[{number}].")
    return found or list(_tried(lambda: AnalysisPipeline(configuration, registry), ""))


def _misfits_of(analyses: IntervalAnalyses, registry: Registry, path: str) -> list[Invalid]:
    known = {indicator.name: indicator for indicator in registry if indicator.parameters is not None}
    found = [
        Invalid(f"{path}user.{name}", name, f"a user's indicator: {', '.join(sorted(known)) or 'none is loaded'}")
        for name in analyses.user
        if name not in known
    ]
    for indicator in registry:
        found += _tried(lambda indicator=indicator: _laid_out(indicator, analyses), path)  # type: ignore[misc]
    return found


def _laid_out(indicator: Indicator[Any], analyses: IntervalAnalyses) -> None:
    found: list[Invalid] = []
    for number, line in enumerate(indicator.lines_of(analyses)):
        if indicator.parameters is None:
            found += _tried(lambda line=line: indicator.pack(line), "")  # type: ignore[misc]
        else:
            found += _refused_by_user(indicator, line, f"user.{indicator.name}[{number}]")
    complain(found)
    indicator.inputs(analyses)


def _refused_by_user(indicator: Indicator[Any], line: Any, path: str) -> list[Invalid]:
    """What a user's file makes of the parameters of a line."""
    try:
        indicator.state(indicator.pack(line))
        indicator.warm_up(line)
        indicator.settle(line)
    except Invalid as problem:
        return [Invalid(f"{path}.{problem.field}", problem.value, problem.allowed)]
    except Exception as error:
        # a user's code may raise anything; to the asker it is a parameter that does not fit, and the log has the trace
        log.info("%s does not accept %s", indicator.name, line, exc_info=True)
        return [Invalid(path, msgspec.to_builtins(line), f"what its file accepts ({type(error).__name__}: {error})")]
    return []


def _tried(work: Callable[[], object], path: str) -> Iterator[Invalid]:
    try:
        work()
    except Problems as problems:
        for each in problems.found:
            yield Invalid(path + each.field, each.value, each.allowed)
    except Invalid as problem:
        yield Invalid(path + problem.field, problem.value, problem.allowed)
