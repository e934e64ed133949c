"""Exports incidents while the program runs: because the user asks, and by itself when something happened that will be asked about.

An export is a process of its own that gives way to all others; there is one at a time.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path

from atm.app import logs
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import LONGEST_EXPORT_S, MAIN, Done, ExportIncident, NoticeRaised
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.incident import INCIDENT_SUFFIX, Wanted
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from atm.storage.home import incidents

log = logging.getLogger(__name__)

CAUSES = {
    "notice.live_unprotected": 3_600.0,
    "notice.live_risk_stop": 3_600.0,
    "notice.killed": 3_600.0,
    "notice.parity_failed": 26 * 3_600.0,
}
"""Notices of an account after which an incident is exported by itself, and how much before is exported, in seconds: a day that cannot be
explained is looked at after its end."""
AFTER_S = 30.0
"""From the notice to the export: what follows from it belongs to it."""
PAUSE_S = 3_600.0
"""Of one account there is no second export by itself in that time."""
MOST_AUTOMATIC = 20
"""Files that are kept of those made by itself."""
_AUTOMATIC = "auto-"
Finished = Callable[[str], None]
Export = Callable[[ProgramContext, Wanted, Path], str]


class IncidentKeeper:
    """processes: makes the process of an export; export(context, wanted, path): carries one out and returns why it failed or "";
    clock(): monotonic seconds; wall_ms(): Unix ms."""

    def __init__(
        self,
        assistant: IPCAssistant,
        context: ProgramContext,
        export: Export,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant, self._context, self._export = assistant, context, export
        self._clock, self._wall_ms = clock, wall_ms
        self._waiting: deque[tuple[Wanted, Path, Finished]] = deque()
        self._busy = False
        self._made: dict[str, float] = {}
        assistant.answer(ExportIncident, self._on_export)
        assistant.subscribe(NoticeRaised, self._on_notice)

    def _on_export(self, request: ExportIncident) -> Deferred:
        folder = incidents(self._context.home)
        if Path(request.file).name != request.file or not request.file.endswith(INCIDENT_SUFFIX):
            raise Invalid("file", request.file, f"a name without a folder that ends with {INCIDENT_SUFFIX}")
        deferred = Deferred()

        def finished(error: str) -> None:
            if error:
                deferred.fail(Unavailable(error))
            else:
                deferred.reply(Done())

        wanted = self._wanted(request.account, request.last_s, "asked for by the user")
        self._waiting.appendleft((wanted, folder / request.file, finished))  # somebody waits for it
        self._next()
        return deferred

    def _on_notice(self, event: NoticeRaised) -> None:
        notice, account = event.notice, event.notice.subject
        if notice.text not in CAUSES or not self._context.black_box_bytes:
            return
        if self._clock() - self._made.get(account, float("-inf")) < PAUSE_S:
            return
        self._made[account] = self._clock()
        self._assistant.call_later(AFTER_S, lambda: self._by_itself(account, notice.text))

    def _by_itself(self, account: str, cause: str) -> None:
        folder = incidents(self._context.home)
        at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._wall_ms() / 1000))
        path = folder / f"{_AUTOMATIC}{at}-{account}{INCIDENT_SUFFIX}"

        def finished(error: str) -> None:
            if error:
                log.warning("the incident of %s was not exported: %s", account, error)
                return
            for old in sorted(folder.glob(f"{_AUTOMATIC}*{INCIDENT_SUFFIX}"))[:-MOST_AUTOMATIC]:
                old.unlink(missing_ok=True)
            said = Notice(
                self._wall_ms(), MAIN, Severity.INFO, "notice.incident_exported", {"account": account, "file": path.name},
                account,
            )  # fmt: skip
            self._assistant.publish(NoticeRaised(said))

        self._waiting.append((self._wanted(account, CAUSES[cause] + AFTER_S, cause), path, finished))
        self._next()

    def _wanted(self, account: str, last_s: float, reason: str) -> Wanted:
        now_ms = self._wall_ms()
        return Wanted(int(now_ms - last_s * 1000), now_ms, frozenset({account} - {""}), reason)

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        wanted, path, finished = self._waiting.popleft()

        def work() -> None:
            error = self._export(self._context, wanted, path)
            self._assistant.call_soon(lambda: ended(error))

        def ended(error: str) -> None:
            self._busy = False
            finished(error)
            self._next()

        threading.Thread(target=work, name="incident", daemon=True).start()


def exporter(processes: BaseContext) -> Export:
    """Exports in a process of its own."""

    def carry_out(context: ProgramContext, wanted: Wanted, path: Path) -> str:
        here, there = processes.Pipe(duplex=False)
        process = processes.Process(target=_run, args=(context, wanted, path, there), name="incident", daemon=True)  # type: ignore[attr-defined]
        process.start()
        there.close()
        try:
            if not here.poll(LONGEST_EXPORT_S):
                process.kill()
                return f"it took longer than {LONGEST_EXPORT_S:g} s"
            return str(here.recv())
        except EOFError:
            return "its process has died"
        finally:
            process.join(10.0)
            here.close()

    return carry_out


def _run(context: ProgramContext, wanted: Wanted, path: Path, answer: Connection) -> None:
    os.nice(10) if hasattr(os, "nice") else None
    # Kernels, which main need not load.
    from atm.app.incident_export import export_incident

    logs.set_up(context.home, "incident")
    try:
        export_incident(context, wanted, path)
        answer.send("")
    except ATMError as error:
        answer.send(str(error))
