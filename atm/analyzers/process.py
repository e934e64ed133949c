"""The analyzer process: runs analyses on one worker (see `AnalyzerService`)."""

from __future__ import annotations

from atm.analyzers.installed import install_for
from atm.analyzers.service import AnalyzerService
from atm.ipc.assistant import IPCAssistant
from atm.model.program import ProgramContext
from atm.storage.market_store import open_store


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the child process; returns when the assistant is stopped."""
    install_for(context)
    AnalyzerService(assistant, open_store(context, read_only=True))
    assistant.run()
