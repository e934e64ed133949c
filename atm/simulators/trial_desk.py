"""Answers the messages of a trial in a simulator: one trial at a time, on threads of its own.

Several values are computed at a time where there are cores for it: kernels run without the interpreter's lock, over the same
minutes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from atm.ipc.assistant import Deferred, IPCAssistant, failed_by
from atm.ipc.messages import (
    CloseTrial,
    Done,
    OpenTrial,
    Reply,
    RunTrial,
    TrialLoading,
    TrialOpened,
    TrialOvertaken,
    TrialRun,
    TrialServed,
)
from atm.ipc.shared_array import SharedArrays
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.simulation import SimulationSpec
from atm.simulators.backtest import Cancelled
from atm.simulators.trial import Trial
from atm.simulators.trial_turns import Run, Turns

log = logging.getLogger(__name__)

EXPIRY_S = 120.0
"""A trial of which nobody has asked anything for so long is closed: its asker has died."""
_LOOK_S = 10.0
_TELL_S = 0.2
_DONE = 0.999
MOST_LANES = 4
_RESERVED = 2
"""Cores that are left to the managers and the window."""


def lanes() -> int:
    """How many values are computed at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cores - _RESERVED), MOST_LANES)


@dataclass(slots=True)
class _Work:
    request: RunTrial
    answer: Deferred


@dataclass(slots=True)
class _Session:
    """turns is shared by the dispatch thread and the session's own ones, under `changed`."""

    trial: str
    spec: SimulationSpec
    opened: Deferred
    asked: float
    turns: Turns[_Work]
    changed: threading.Condition = field(default_factory=threading.Condition)
    told: float = float("-inf")


class TrialDesk:
    """See the module. make: loads a trial and tells the share that is done; clock: monotonic seconds; lanes: how many values are
    computed at a time."""

    def __init__(
        self,
        assistant: IPCAssistant,
        make: Callable[[SimulationSpec, Callable[[float], None]], Trial],
        arrays: SharedArrays,
        clock: Callable[[], float] = time.monotonic,
        lanes: int = 1,
    ) -> None:
        self._assistant = assistant
        self._make = make
        self._arrays = arrays
        self._clock = clock
        self._lanes = lanes
        self._session: _Session | None = None
        assistant.answer(OpenTrial, self._on_open)
        assistant.answer(RunTrial, self._on_run)
        assistant.answer(CloseTrial, self._on_close)
        assistant.every(_LOOK_S, self._expire)

    # --- dispatch thread

    def _on_open(self, request: OpenTrial) -> Deferred:
        self._close()
        session = self._session = _Session(request.trial, request.spec, Deferred(), self._clock(), Turns(self._lanes))
        threading.Thread(target=self._open, args=(session,), name="trial", daemon=True).start()
        self._tell(True)
        return session.opened

    def _on_run(self, request: RunTrial) -> Deferred:
        session = self._session
        if session is None or session.trial != request.trial:
            raise Refused(f"{self._assistant.name} does not have the trial {request.trial} open")
        session.asked = self._clock()
        work = _Work(request, Deferred())
        with session.changed:
            overtaken = session.turns.offer(work)
            session.changed.notify()
        if overtaken is not None:
            overtaken.answer.reply(TrialOvertaken(request.trial, overtaken.request.number))
        return work.answer

    def _on_close(self, request: CloseTrial) -> Reply:
        if self._session is not None and self._session.trial == request.trial:
            self._close()
            self._tell(False)
        return Done()

    def _give_up(self, session: _Session) -> None:
        """It could not be opened."""
        if self._session is session:
            self._close()
            self._tell(False)

    def _expire(self) -> None:
        if self._session is not None and self._clock() - self._session.asked >= EXPIRY_S:
            log.info("trial %s is closed: nobody has asked for it any more", self._session.trial)
            self._close()
            self._tell(False)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with session.changed:
                session.turns.closed = True
                session.changed.notify_all()

    def _tell(self, opened: bool) -> None:
        self._assistant.publish(TrialServed(self._assistant.name, opened), self._assistant.name)

    # --- threads of the session

    def _open(self, session: _Session) -> None:
        begun = time.perf_counter()
        try:
            trial = self._make(session.spec, partial(self._loading, session))
        except ATMError as error:
            session.opened.fail(error)
            self._assistant.call_soon(lambda: self._give_up(session))
            return
        except Exception as error:
            # A defect ends this trial, not the process: whoever asked is told, and the log has the trace.
            log.exception("trial %s could not be opened", session.trial)
            session.opened.fail(Refused(f"{type(error).__name__}: {error}"))
            self._assistant.call_soon(lambda: self._give_up(session))
            return
        session.opened.reply(TrialOpened(session.trial, trial.minutes, time.perf_counter() - begun))
        for number in range(1, self._lanes):
            name = f"trial-{number}"
            threading.Thread(target=self._work, args=(session, trial), name=name, daemon=True).start()
        self._work(session, trial)
        if session.turns.waiting is not None:
            session.turns.waiting.answer.fail(Unavailable("the trial was closed"))

    def _loading(self, session: _Session, share: float) -> None:
        """Told to whoever looks, a few times a second, and at the end."""
        now = self._clock()
        if now - session.told >= _TELL_S or share >= _DONE:
            session.told = now
            self._assistant.publish(TrialLoading(session.trial, share), session.trial)

    def _work(self, session: _Session, trial: Trial) -> None:
        """One lane, until the session is closed."""
        while (run := self._next(session)) is not None:
            run.work.answer.reply(self._ran(session, trial, run))

    def _next(self, session: _Session) -> Run[_Work] | None:
        turns = session.turns
        with session.changed:
            session.changed.wait_for(lambda: turns.closed or turns.waiting is not None)
            return turns.begin()

    def _ran(self, session: _Session, trial: Trial, run: Run[_Work]) -> Reply:
        begun = time.perf_counter()
        request = run.work.request
        stopped = False

        def advanced(share: float) -> None:
            run.share = share

        def stops() -> bool:
            with session.changed:
                return session.turns.stops(run)

        try:
            outcome = trial.run(request.changes, advanced, stops)
            curve = self._arrays.share(outcome.curve)
            return TrialRun(request.trial, request.number, outcome.figures, curve, time.perf_counter() - begun)
        except Cancelled:
            stopped = True
            return TrialOvertaken(request.trial, request.number)
        except ATMError as error:
            return failed_by(error)
        except Exception as error:
            # As above: the slider says so, the process goes on.
            log.exception("a run of trial %s failed", request.trial)
            return failed_by(Refused(f"{type(error).__name__}: {error}"))
        finally:
            with session.changed:
                session.turns.ended(run, stopped=stopped)
                session.changed.notify_all()
