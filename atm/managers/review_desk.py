"""Answers reviews of accounts beside the simulation manager's own work: one after another, on a thread of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import AccountReviewed, ReviewAccount
from atm.ipc.shared_array import SharedArrays, program_id
from atm.managers.account_review import review
from atm.model.errors import ATMError, Refused
from atm.model.program import ProgramContext
from atm.storage.database import Database
from atm.storage.market_store import open_store
from atm.storage.sample import load_instruments

log = logging.getLogger(__name__)


class Worker(Protocol):
    """Runs a function some time, somewhere."""

    def submit(self, function: Callable[[], None], /) -> object: ...


class ReviewDesk:
    """See the module."""

    def __init__(self, assistant: IPCAssistant, context: ProgramContext, worker: Worker | None = None) -> None:
        self._context = context
        self._arrays = SharedArrays(program_id(context.home), assistant.name)
        self._worker = worker or ThreadPoolExecutor(1, "account-review")
        assistant.answer(ReviewAccount, self._on_review)

    def _on_review(self, request: ReviewAccount) -> Deferred:
        answer = Deferred()
        self._worker.submit(lambda: self._answer(request, answer))
        return answer

    def _answer(self, request: ReviewAccount, answer: Deferred) -> None:
        try:
            answer.reply(self._reviewed(request))
        except ATMError as error:
            answer.fail(error)
        except Exception as error:
            # A defect ends this review, not the process: whoever asked is told, and the log has the trace.
            log.exception("the account %s could not be reviewed", request.name)
            answer.fail(Refused(f"{type(error).__name__}: {error}"))

    def _reviewed(self, request: ReviewAccount) -> AccountReviewed:
        database = Database(self._context.database)
        try:
            store = open_store(self._context, read_only=True)
            instruments = load_instruments(self._context.assets)
            found = review(database, store, instruments, request.name, request.start_ms, request.end_ms)
        finally:
            database.close()
        curve = self._arrays.share(found.curve)
        return AccountReviewed(found.spec, found.summary, found.details.pack(), curve, found.checks)
