"""The analyzer process: runs analyses on one worker (see `AnalyzerService`)."""

from __future__ import annotations

import time

from atm.analyzers.history import HistoryDesk
from atm.analyzers.installed import install_for
from atm.analyzers.service import AnalyzerService
from atm.ipc.assistant import IPCAssistant
from atm.ipc.shared_array import SharedArrays, program_id
from atm.model.program import ProgramContext
from atm.storage.market_store import open_store


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the child process; returns when the assistant is stopped."""
    install_for(context)
    store = open_store(context, read_only=True)
    arrays = SharedArrays(program_id(context.home), assistant.name)
    desk = HistoryDesk(assistant, store, arrays, time.monotonic)
    AnalyzerService(assistant, store, desk.serving)
    assistant.run()
    arrays.close()
