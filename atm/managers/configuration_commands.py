"""Configurations as things of their own: copied, renamed, written to files and read from them."""

from __future__ import annotations

from collections.abc import Callable, Container
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
    PutAnalysisConfiguration,
    PutTradeConfiguration,
    RenameConfiguration,
    Reply,
    RestartAnalysis,
)
from atm.managers.indicator_desk import IndicatorDesk
from atm.managers.trade_book import AccountBook
from atm.managers.trade_configuration_file import read_trade, write_trade
from atm.managers.trade_setups import analysis_id, refuse_used, uses
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Invalid
from atm.model.trade_configuration import TradeConfiguration
from atm.model.validation import checked
from atm.storage.configurations import ConfigurationRepository

C = TypeVar("C", AnalysisConfiguration, TradeConfiguration)


class ConfigurationCommands:
    """`put`, `put_trade`: create or replace a configuration, with all the checks of a running account; `restarted` begins the
    analysis of this id again."""

    def __init__(
        self,
        assistant: IPCAssistant,
        book: AccountBook,
        repository: ConfigurationRepository,
        indicators: IndicatorDesk,
        put: Callable[[PutAnalysisConfiguration], Reply],
        put_trade: Callable[[PutTradeConfiguration], Reply],
        restarted: Callable[[str], None],
    ) -> None:
        self._indicators = indicators
        self._restarted = restarted
        self._book = book
        self._repository = repository
        self._put = put
        self._put_trade = put_trade
        assistant.answer(CopyConfiguration, self._on_copy)
        assistant.answer(RenameConfiguration, self._on_rename)
        assistant.answer(ExportConfiguration, self._on_export)
        assistant.answer(ImportConfiguration, self._on_import)
        assistant.answer(RestartAnalysis, self._on_restart)

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
        if request.kind == "analysis":
            write_configuration(_known(self._book.configurations.analysis, request.code), _path(request.path))
        else:
            write_trade(_known(self._trades(request.kind), request.code), _path(request.path))
        return Done()

    def _on_import(self, request: ImportConfiguration) -> Reply | Deferred:
        """A file may name users' indicators that were never examined, which takes longer than this thread may wait."""
        if request.kind != "analysis":
            trade = read_trade(_path(request.path))
            _refuse_taken(trade.code, self._trades(request.kind), request.replace)
            return self._put_trade(PutTradeConfiguration(trade))
        return self._indicators.when_examined(partial(self._import, request))

    def _import(self, request: ImportConfiguration) -> Reply:
        configuration = read_configuration(_path(request.path), installed.registry())
        _refuse_taken(configuration.code, self._book.configurations.analysis, request.replace)
        return self._put(PutAnalysisConfiguration(configuration))

    def _on_restart(self, request: RestartAnalysis) -> Reply:
        setups = [account.setup for account in self._book.accounts.values()]
        known = sorted({analysis_id(position) for setup in setups for position in setup.positions})
        if request.analysis not in known:
            raise Invalid("analysis", request.analysis, ", ".join(known) or "nothing: no account needs an analysis")
        self._restarted(request.analysis)
        return Done()


def _refuse_taken(code: str, known: Container[str], replace: bool) -> None:
    if code in known and not replace:
        raise Invalid("code", code, "a code that no configuration has, or replacing it")


def _path(text: str) -> Path:
    """A file as a user writes it, "~" and all."""
    try:
        return Path(text.strip()).expanduser()
    except RuntimeError:
        raise Invalid("file", text, "the path of a file in a home folder that exists") from None


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
