"""The indicators and users' methods that a trade manager knows: users' files are loaded when asked, ours are examined in the background."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from atm.analyzers import installed
from atm.analyzers.built_in_verdicts import BuiltInVerdicts
from atm.analyzers.checker import Verdict
from atm.analyzers.contract import Indicator
from atm.analyzers.description import describe
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    AnalysesDescription,
    DescribeAnalyses,
    IndicatorBadge,
    IndicatorsUpdated,
    KnownIndicator,
    KnownMethod,
    ListIndicators,
    MethodsUpdated,
    Reply,
    UserIndicatorList,
)
from atm.managers import examined
from atm.managers.trade_book import AccountBook
from atm.managers.trade_setups import analysis_id
from atm.model.parameter import parameters_of
from atm.model.trade_method import TradeMethod

log = logging.getLogger(__name__)


class IndicatorDesk:
    """See the module. `restarted` begins the analysis of this id again."""

    def __init__(
        self,
        assistant: IPCAssistant,
        book: AccountBook,
        verdicts: BuiltInVerdicts,
        restarted: Callable[[str], None],
    ) -> None:
        self._assistant = assistant
        self._book = book
        self._verdicts = verdicts
        self._restarted = restarted
        self._badges: tuple[IndicatorBadge, ...] = ()
        self._examining = False
        assistant.answer(ListIndicators, self._on_list)
        assistant.answer(DescribeAnalyses, self._on_describe)

    def when_examined(self, work: Callable[[], Reply]) -> Deferred:
        """Examine users' files that are new or have changed, then answer with what `work` gives on the dispatch thread."""
        return examined.answered(self._assistant, work)

    def _on_list(self, _request: ListIndicators) -> Deferred:
        """What is known is said at once; new files follow when they have been examined."""
        self._publish()
        return self.when_examined(self._listed)

    def _listed(self) -> Reply:
        """Load what was examined; analyses of flat positions begin again with indicators that have changed.

        A changed method is what engines begin with that are made from now on: at the next start of an account or
        simulation, or when positions or configurations of an account change.
        """
        before = installed.versions()
        self._badges = tuple(IndicatorBadge(str(r.path), r.names, r.passed, r.sentence) for r in installed.reports())
        changed = {name for name, version in installed.versions().items() if before.get(name, version) != version}
        for account in self._book.accounts.values():
            for position in account.setup.positions:
                analyses = self._book.configurations.analysis[position.analysis].intervals
                used = {name for each in analyses for name in each.user}
                if used & changed and position.symbol not in account.open_symbols():
                    self._restarted(analysis_id(position))
        self._publish()
        if not self._verdicts.known and not self._examining:
            self._examining = True
            examined.apart(self._examine_built_in)
        return UserIndicatorList(self._badges)

    def _examine_built_in(self) -> None:
        try:
            self._verdicts.examine()
        except (OSError, ValueError) as error:
            log.warning("the built-in indicators could not be examined: %s", error)
        self._assistant.call_soon(self._examined)

    def _examined(self) -> None:
        self._examining = False
        self._publish()

    def _publish(self) -> None:
        known = self._verdicts.known
        indicators = tuple(
            _known(each, known.get(each.name)) for each in installed.loaded() if each.field or each.parameters
        )
        self._assistant.publish(IndicatorsUpdated(indicators, self._badges))
        outdated = installed.outdated()
        methods = installed.loaded().methods.values()
        self._assistant.publish(MethodsUpdated(tuple(_method(each, outdated.get(each.name, "")) for each in methods)))

    def _on_describe(self, request: DescribeAnalyses) -> AnalysesDescription | Deferred:
        """At once, unless an indicator is named whose file was not loaded yet."""
        configuration = request.configuration
        named = {name for analyses in configuration.intervals for name in analyses.user}
        registry = installed.loaded()
        if all(name in registry for name in named):
            return describe(configuration, registry)
        return self.when_examined(lambda: describe(configuration, installed.registry()))


def _method(method: TradeMethod[Any], problem: str) -> KnownMethod:
    return KnownMethod(
        method.name,
        parameters_of(method.parameters),
        method.description,
        method.names(method.parameters()),
        method.version,
        "outdated" if problem else "passed",
        problem,
    )


def _known(indicator: Indicator[Any], verdict: Verdict | None) -> KnownIndicator:
    known = KnownIndicator(indicator.name, indicator.fields, indicator.field, style=indicator.style)
    if indicator.parameters is not None:
        return msgspec.structs.replace(known, parameters=parameters_of(indicator.parameters), state="passed")
    if verdict is None:
        return known
    return msgspec.structs.replace(known, state="passed" if verdict.passed else "failed", sentence=verdict.sentence)
