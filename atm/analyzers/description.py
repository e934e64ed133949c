"""What a configuration would mean before anyone runs it: how far it looks back, what it gives, what is wrong with it."""

from __future__ import annotations

from typing import Any

from atm.analyzers.configuration_check import check_configuration
from atm.analyzers.contract import Indicator, Registry
from atm.analyzers.interval_pipeline import IntervalPipeline
from atm.ipc.messages import AnalysesDescription, FieldProblem, IntervalDescription
from atm.model.analysis_configuration import AnalysisConfiguration, IntervalAnalyses
from atm.model.errors import Invalid, Problems


def describe(configuration: AnalysisConfiguration, registry: Registry) -> AnalysesDescription:
    """The description; of a configuration that cannot run, everything that is wrong."""
    try:
        check_configuration(configuration, registry)
    except Invalid as error:
        found = error.found if isinstance(error, Problems) else (error,)
        return AnalysesDescription(problems=tuple(FieldProblem.of(each) for each in found))
    return AnalysesDescription(tuple(_interval(analyses, registry) for analyses in configuration.intervals))


def _interval(analyses: IntervalAnalyses, registry: Registry) -> IntervalDescription:
    pipeline = IntervalPipeline(analyses, registry, {})
    return IntervalDescription(
        analyses.interval,
        len(pipeline.columns),
        pipeline.look_back_minutes,
        pipeline.settle_minutes,
        tuple(each.name for each in registry if each.field and _from_outside(each, analyses, registry)),
    )


def _from_outside(indicator: Indicator[Any], analyses: IntervalAnalyses, registry: Registry) -> bool:
    """Whether all that its lines are made of comes from outside the bars."""
    if not indicator.lines_of(analyses):
        return False
    sources = [registry[name.split(".")[0]] for name in indicator.inputs(analyses)]
    return indicator.external or (bool(sources) and all(source.external for source in sources))
