"""Configurations as things of their own: copied, renamed, written to files and read from them; and users' indicators."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from atm.analyzers import installed
from atm.analyzers.configuration_file import read_configuration, write_configuration
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    CopyConfiguration,
    Done,
    ExportConfiguration,
    ImportConfiguration,
    IndicatorBadge,
    ListIndicators,
    PutAnalysisConfiguration,
    RenameConfiguration,
    Reply,
    UserIndicatorList,
)
from atm.managers.trade_book import AccountBook
from atm.managers.trade_setups import analysis_id, refuse_used, uses
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.trade_configuration import TradeConfiguration
from atm.model.validation import checked
from atm.storage.configurations import ConfigurationRepository

log = logging.getLogger(__name__)

C = TypeVar("C", AnalysisConfiguration, TradeConfiguration)


def apart(work: Callable[[], None]) -> None:
    """Do what takes seconds on a thread of its own."""
    threading.Thread(target=work, name="indicators", daemon=True).start()


class ConfigurationCommands:
    """`put` creates or replaces an analysis configuration, with all the checks of a running account; `restarted` begins the
    analysis of this id again."""

    def __init__(
        self,
        assistant: IPCAssistant,
        book: AccountBook,
        repository: ConfigurationRepository,
        put: Callable[[PutAnalysisConfiguration], Reply],
        restarted: Callable[[str], None],
    ) -> None:
        self._assistant = assistant
        self._restarted = restarted
        self._book = book
        self._repository = repository
        self._put = put
        assistant.answer(CopyConfiguration, self._on_copy)
        assistant.answer(RenameConfiguration, self._on_rename)
        assistant.answer(ExportConfiguration, self._on_export)
        assistant.answer(ImportConfiguration, self._on_import)
        assistant.answer(ListIndicators, self._on_list)

    def _on_copy(self, request: CopyConfiguration) -> Reply:
        known = self._book.configurations
        if request.kind == "analysis":
            analysis = _renamed(known.analysis, request.code, request.new_code)
            self._repository.put_analysis(analysis)
            known.analysis = {**known.analysis, analysis.code: analysis}
        else:
            trade = _renamed(self._trades(request.kind), request.code, request.new_code)
            self._repository.put_trade(trade)
            known.trade = {**known.trade, trade.code: trade}
        self._book.publish_configurations()
        return Done()

    def _on_rename(self, request: RenameConfiguration) -> Reply:
        known = self._book.configurations
        used = uses(request.kind, request.code, self._book.setups())
        refuse_used(request.kind, request.code, used, "is in use and keeps its code")
        if request.kind == "analysis":
            analysis = _renamed(known.analysis, request.code, request.new_code)
            self._repository.rename_analysis(request.code, analysis)
            known.analysis = {**_without(known.analysis, request.code), analysis.code: analysis}
        else:
            trade = _renamed(self._trades(request.kind), request.code, request.new_code)
            self._repository.rename_trade(request.code, trade)
            known.trade = {**_without(known.trade, request.code), trade.code: trade}
        self._book.publish_configurations()
        return Done()

    def _trades(self, kind: str) -> dict[str, TradeConfiguration]:
        if kind != "trade":
            raise Invalid("kind", kind, "analysis or trade")
        return self._book.configurations.trade

    def _on_export(self, request: ExportConfiguration) -> Reply:
        write_configuration(_known(self._book.configurations.analysis, request.code), Path(request.path))
        return Done()

    def _on_import(self, request: ImportConfiguration) -> Reply:
        configuration = read_configuration(Path(request.path), installed.registry())
        if not request.replace and configuration.code in self._book.configurations.analysis:
            raise Invalid("code", configuration.code, "a code that no configuration has, or replacing it")
        return self._put(PutAnalysisConfiguration(configuration))

    def _on_list(self, _request: ListIndicators) -> Deferred:
        answer = Deferred()

        def examine() -> None:
            try:
                installed.examine_new()
            except OSError as error:
                log.warning("users' indicators could not be examined: %s", error)
            self._assistant.call_soon(partial(self._listed, answer))

        apart(examine)
        return answer

    def _listed(self, answer: Deferred) -> None:
        """Load what was examined; analyses of flat positions begin again with indicators that have changed."""
        before = installed.versions()
        reports = installed.reports()
        changed = {name for name, version in installed.versions().items() if before.get(name, version) != version}
        for account in self._book.accounts.values():
            for position in account.setup.positions:
                analyses = self._book.configurations.analysis[position.analysis].intervals
                used = {name for each in analyses for name in each.user}
                if used & changed and position.symbol not in account.open_symbols():
                    self._restarted(analysis_id(position))
        badges = tuple(IndicatorBadge(str(r.path), r.names, r.passed, r.sentence) for r in reports)
        answer.reply(UserIndicatorList(badges, installed.described()))


def _known(known: dict[str, C], code: str) -> C:
    if code not in known:
        raise Invalid("code", code, ", ".join(sorted(known)) or "nothing: no configuration is stored")
    return known[code]


def _renamed(known: dict[str, C], code: str, new_code: str) -> C:
    """The configuration `code` under a code that must be free."""
    old = _known(known, code)
    if new_code in known:
        raise Invalid("new_code", new_code, "a code that no other configuration has")
    try:
        return checked(msgspec.structs.replace(old, code=new_code))
    except Invalid as error:
        raise Invalid("new_code", new_code, error.allowed) from None


def _without(known: dict[str, C], code: str) -> dict[str, C]:
    return {name: one for name, one in known.items() if name != code}
