"""The main process: starts, watches, restarts and ends all others, and routes their messages."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import psutil

from atm.app.child import PSS, run_child
from atm.app.exchange_keeper import NAME as EXCHANGE
from atm.app.exchange_keeper import ExchangeKeeper
from atm.app.exit_watcher import ExitWatcher
from atm.app.process_table import MANAGERS, STOP_ORDER, WINDOW, WORKERS, Program, process_context, window_context
from atm.app.restart import RestartPolicy
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    GUI,
    MAIN,
    NOTIFIER,
    AttachWindow,
    CloseWindow,
    Done,
    NoticeRaised,
    Ping,
    ProcessState,
    Reply,
    RetireWorker,
    Shutdown,
    StartWorker,
    Stop,
    WorkerStarted,
)
from atm.ipc.queues import make_channel
from atm.ipc.shared_array import program_id, sweep
from atm.ipc.switchboard import Switchboard
from atm.model.errors import Refused
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext

log = logging.getLogger(__name__)

PING_SECONDS = 5.0
HUNG_SECONDS = 20.0
STARTING_SECONDS = 90.0
"""How long a child may take to its first answer: on a busy machine it loads its libraries for longer than it may ever be silent
afterwards."""
GRACE_SECONDS = 6.0
MEMORY_SECONDS = 15.0


@dataclass(slots=True)
class _Child:
    program: Program
    process: BaseProcess
    policy: RestartPolicy
    started: float
    answered: float
    known: bool = False
    wanted: bool = True
    pss: int = 0


class Supervisor:
    """See the module. `run` returns when the whole program has ended."""

    def __init__(
        self,
        context: ProgramContext,
        exchange: ExchangeKeeper | None = None,
        managers: Sequence[Program] = MANAGERS,
        workers: Mapping[str, str] = WORKERS,
        at_start: Sequence[str] = (),
    ) -> None:
        """at_start: kinds of workers that are wanted from the start, one of each."""
        self._context = context
        self._managers = managers
        self._workers = workers
        self._exchange = exchange
        self._at_start = at_start
        self._attached = False
        self._mp = process_context()
        self._switchboard = Switchboard(MAIN, lambda envelope: self.assistant.accept(envelope), self._on_overdue)
        self.assistant = IPCAssistant(MAIN, self._switchboard)
        self._children: dict[str, _Child] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._exits = ExitWatcher()
        self._program_id = program_id(context.home)
        self._ending = False
        self._answer()

    def _answer(self) -> None:
        self.assistant.answer(Shutdown, self._on_shutdown)
        self.assistant.answer(CloseWindow, self._on_close_window)
        self.assistant.answer(AttachWindow, self._on_attach)
        self.assistant.answer(StartWorker, self._on_start_worker)
        self.assistant.answer(RetireWorker, self._on_retire_worker)

    def run(self) -> None:
        """Start everything, the window first: it alone needs not wait for the fork server. Supervise until the end is
        asked for."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self.end())
        sweep(self._program_id)
        if not self._context.headless:
            self._start(WINDOW)
        if self._exchange is not None:
            self._exchange.start()
        for program in self._managers:
            self._start(program)
        for kind in self._at_start:
            self._on_start_worker(StartWorker(kind))
        self.assistant.every(PING_SECONDS, self._ping)
        self.assistant.every(MEMORY_SECONDS, self._measure)
        self.assistant.run()
        self._stop_all()

    def end(self) -> None:
        """Ask for the orderly end of the program. Safe in a signal handler and from any thread."""
        self._ending = True
        self.assistant.stop()

    def processes(self) -> dict[str, int]:
        """Process ids of the children by name, the demo exchange included. Safe from any thread."""
        found = {name: child.process.pid or 0 for name, child in list(self._children.items())}
        return found if self._exchange is None else found | {EXCHANGE: self._exchange.pid}

    # --- children ----------------------------------------------------------------------------------------------

    def _start(self, program: Program, policy: RestartPolicy | None = None) -> None:
        channel = make_channel(self._mp)
        self._switchboard.connect(program.name, channel)
        environment = self._environments.get(program.name, {})
        arguments = (program.name, program.module, channel, self._context, environment, os.getpid())
        context = window_context() if program is WINDOW else self._mp
        process = context.Process(target=run_child, args=arguments, name=program.name, daemon=False)
        process.start()
        channel.keep_main_ends()
        now = time.monotonic()
        child = _Child(program, process, policy or RestartPolicy(), now, now)
        self._children[program.name] = child
        self._announce(child, "running")
        self._exits.watch(process, lambda: self.assistant.call_soon(lambda: self._on_death(child)))

    def _on_overdue(self, name: str) -> None:
        """A receiver that is hopelessly behind has lost messages; it begins anew from the stores."""

        def kill() -> None:
            if name in self._children:
                self._children[name].process.kill()

        self.assistant.call_soon(kill)

    def _on_death(self, child: _Child) -> None:
        name = child.program.name
        if self._children.get(name) is not child or self._ending:
            return
        child.process.join()
        self._switchboard.disconnect(name)
        sweep(self._program_id, name)
        del self._children[name]
        if not child.wanted:
            self._announce(child, "stopped")
            return
        log.warning("%s (process %s) has died with code %s", name, child.process.pid, child.process.exitcode)
        self._announce(child, "dead")
        if name == GUI and self._attached:
            self._attached = False
            return
        delay = child.policy.died(time.monotonic() - child.started)
        if delay is None:
            self._notify(Severity.CRITICAL, "notice.crash_loop", name)
            return
        self._notify(Severity.WARNING, "notice.process_restarted", name)
        self.assistant.call_later(delay, lambda: self._restart(child))

    def _restart(self, child: _Child) -> None:
        if not self._ending and child.program.name not in self._children:
            self._start(child.program, child.policy)

    def _announce(self, child: _Child, state: str) -> None:
        pid = child.process.pid or 0
        event = ProcessState(child.program.name, state, pid, child.policy.restarts, child.pss)
        self.assistant.publish(event, child.program.name)

    def _notify(self, severity: Severity, text: str, name: str) -> None:
        notice = Notice(int(time.time() * 1000), MAIN, severity, text, {"name": name}, name)
        self.assistant.publish(NoticeRaised(notice))

    def _ping(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if self._switchboard.waits(child.program.name):
                # it cannot answer while it waits to publish; what it waits for is pinged too
                child.answered = now
            if now - child.answered > (HUNG_SECONDS if child.known else STARTING_SECONDS) + PING_SECONDS:
                log.error("%s has not answered for %.0f s and is killed", child.program.name, now - child.answered)
                child.process.kill()
                continue

            def answered(reply: Reply, child: _Child = child) -> None:
                if isinstance(reply, Done):
                    child.answered, child.known = time.monotonic(), True
                    child.pss = int(reply.parameters.get(PSS, child.pss))

            self.assistant.request_async(child.program.name, Ping(), answered, HUNG_SECONDS)

    def _measure(self) -> None:
        if self._exchange is not None:
            self.assistant.publish(ProcessState(EXCHANGE, "running", self._exchange.pid, 0), EXCHANGE)
        for child in self._children.values():
            # One that hides its memory tells it, with its answers to pings.
            with suppress(psutil.Error, AttributeError):
                child.pss = psutil.Process(child.process.pid).memory_full_info().pss
            if child.pss:
                self._announce(child, "running")

    # --- requests ----------------------------------------------------------------------------------------------

    def _on_shutdown(self, _: Shutdown) -> Reply:
        self.assistant.call_soon(self.end)
        return Done()

    def _on_close_window(self, _: CloseWindow) -> Reply:
        if not self._attached:
            self.assistant.call_soon(self.end)
        elif GUI in self._children:
            self._children[GUI].wanted = False
            self._attached = False
        return Done()

    def _on_attach(self, request: AttachWindow) -> Reply:
        if GUI in self._children:
            raise Refused("the program has a window already")
        self._environments[GUI] = request.environment
        self._attached = self._context.headless
        self._start(WINDOW)
        return Done()

    def _on_start_worker(self, request: StartWorker) -> Reply:
        limits = {"analyzer": self._context.analyzers, "simulator": self._context.simulators, NOTIFIER: 1}
        limit = limits.get(request.kind)
        if limit is None:
            raise Refused(f"there is no worker of the kind {request.kind}")
        for number in range(limit):
            name = f"{request.kind}-{number}"
            if name not in self._children:
                self._start(Program(name, self._workers[request.kind]))
                return WorkerStarted(name)
        raise Refused(f"all {limit} {request.kind}s are running")

    def _on_retire_worker(self, request: RetireWorker) -> Reply:
        child = self._children.get(request.name)
        if child is None or request.name.rpartition("-")[0] not in self._workers:
            raise Refused(f"there is no worker {request.name}")
        child.wanted = False
        self.assistant.request_async(request.name, Stop(), lambda _: None)
        return Done()

    # --- the end -----------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """In order, each group given time to finish, then killed."""
        self.assistant.stopped = False
        for group in STOP_ORDER:
            members = [c for n, c in self._children.items() if n == group or n.rpartition("-")[0] == group]
            for child in members:
                self.assistant.request_async(child.program.name, Stop(), lambda _: None)
            self._join(members)
        self._join(list(self._children.values()))
        self._exits.close()
        sweep(self._program_id)

    def _join(self, children: list[_Child]) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.process.is_alive() for child in children) and time.monotonic() < deadline:
            wait([child.process.sentinel for child in children if child.process.is_alive()], 0.05)
            self.assistant.step()
        for child in children:
            if child.process.is_alive():
                log.warning("%s does not end and is killed", child.program.name)
                child.process.kill()
                child.process.join()
            self._switchboard.disconnect(child.program.name)
            self._children.pop(child.program.name, None)
