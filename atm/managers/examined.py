"""Answers that need users' files: those that are new or have changed are examined first, on a thread, as that takes seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from atm.analyzers import installed
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import Reply
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import ATMError
from atm.model.trade_configuration import TradeConfiguration, UserMethod

log = logging.getLogger(__name__)


def apart(work: Callable[[], None]) -> None:
    """Do what takes seconds on a thread of its own."""
    threading.Thread(target=work, name="examination", daemon=True).start()


def read_files(analysis: Iterable[AnalysisConfiguration], trade: Iterable[TradeConfiguration]) -> bool:
    """Whether configurations name an indicator or a method of a user's file."""
    indicators = any(analyses.user for configuration in analysis for analyses in configuration.intervals)
    return indicators or any(isinstance(configuration.method, UserMethod) for configuration in trade)


def then(assistant: IPCAssistant, work: Callable[[], None]) -> None:
    """Do `work` on the dispatch thread once users' files are examined."""

    def examine() -> None:
        try:
            installed.examine_new()
        except OSError as error:
            log.warning("users' files could not be examined: %s", error)
        assistant.call_soon(work)

    apart(examine)


def answered(assistant: IPCAssistant, work: Callable[[], Reply]) -> Deferred:
    """The same, for a request that `work` answers."""
    answer = Deferred()

    def finish() -> None:
        try:
            answer.reply(work())
        except ATMError as error:
            answer.fail(error)

    then(assistant, finish)
    return answer
