"""The simulator process: one simulation at a time on a worker thread, and one trial; the dispatch thread stays free to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.installed import install_for
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    CancelSimulation,
    Done,
    PauseSimulation,
    Reply,
    ResumeSimulation,
    RunSimulation,
    SimulationProgress,
)
from atm.ipc.shared_array import SharedArrays, program_id
from atm.model.errors import ATMError
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationPhase, SimulationSpec, SimulationState, SimulationStatus, SimulationSummary
from atm.simulators import backtest
from atm.simulators.statistics.equity import thin
from atm.simulators.trial import Trial
from atm.simulators.trial_desk import TrialDesk, lanes
from atm.storage.database import Database
from atm.storage.market_store import open_store
from atm.storage.sample import load_instruments

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.2


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process."""
    install_for(context)
    Simulator(assistant, context)
    assistant.run()


@dataclass(slots=True)
class _Job:
    """A simulation on the worker thread. go: unset while it is to wait; dropped: nobody wants to hear of it any more."""

    spec: SimulationSpec
    cancel: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False

    def stop(self) -> None:
        self.cancel.set()
        self.go.set()

    def cancelled(self) -> bool:
        """Asked between two slices of the work; waits here as long as the simulation is paused."""
        self.go.wait()
        return self.cancel.is_set()


class Simulator:
    """Runs what `RunSimulation` asks for and publishes `SimulationProgress` (at most five a second, phases, and the end)."""

    def __init__(self, assistant: IPCAssistant, context: ProgramContext) -> None:
        self._assistant = assistant
        self._context = context
        self._job: _Job | None = None
        self._next: _Job | None = None
        self._lock = threading.Lock()
        assistant.answer(RunSimulation, self._on_run)
        assistant.answer(CancelSimulation, self._on_cancel)
        assistant.answer(PauseSimulation, self._on_pause)
        assistant.answer(ResumeSimulation, self._on_resume)
        arrays = SharedArrays(program_id(context.home), assistant.name)
        TrialDesk(assistant, self._trial, arrays, lanes=lanes())

    def _trial(self, spec: SimulationSpec, loading: Callable[[float], None]) -> Trial:
        store = open_store(self._context, read_only=True)
        cache = AnalysisCache(self._context.analysis_cache, self._context.analysis_cache_bytes)
        return Trial(spec, store, load_instruments(self._context.assets), cache, loading)

    def _on_run(self, request: RunSimulation) -> Reply:
        job = _Job(request.spec)
        job.go.set()
        with self._lock:
            if self._job is not None:
                self._job.dropped = True
                self._job.stop()
                self._next = job
                return Done()
            self._job = job
        threading.Thread(target=self._work, args=(job,), name="simulation", daemon=True).start()
        return Done()

    def _on_cancel(self, request: CancelSimulation) -> Reply:
        job = self._asked(request.code)
        if job is not None:
            job.stop()
        return Done()

    def _on_pause(self, request: PauseSimulation) -> Reply:
        job = self._asked(request.code)
        if job is not None and not job.cancel.is_set():
            job.go.clear()
        return Done()

    def _on_resume(self, request: ResumeSimulation) -> Reply:
        job = self._asked(request.code)
        if job is not None:
            job.go.set()
        return Done()

    def _asked(self, code: str) -> _Job | None:
        """The job of this code that is wanted: the one that waits for a dropped one to end goes first."""
        with self._lock:
            job = self._next or self._job
        return job if job is not None and job.spec.code == code else None

    def _work(self, job: _Job | None) -> None:
        while job is not None:
            self._simulate(job)
            with self._lock:
                job = self._job = self._next
                self._next = None

    def _simulate(self, job: _Job) -> None:
        report = _Reports(self._assistant, job)
        spec = job.spec
        try:
            report.tell(SimulationStatus.RUNNING)
            store = open_store(self._context, read_only=True)
            instruments = load_instruments(self._context.assets)
            cache = AnalysisCache(self._context.analysis_cache, self._context.analysis_cache_bytes)
            scratch = self._context.analysis_cache
            result = backtest.run(
                spec,
                store,
                instruments,
                report.progress,
                job.cancelled,
                cache=cache,
                phase=report.phase,
                scratch=scratch,
            )
            equity = thin(result.equity_time, result.equity)
            if job.cancelled():
                raise backtest.Cancelled
            database = Database(self._context.database)
            database.simulations.save_result(spec.code, result.summary, *equity, result.trades, result.details)
            database.close()
            report.tell(SimulationStatus.COMPLETED, 1.0, "", result.summary)
        except backtest.Cancelled:
            report.tell(SimulationStatus.CANCELLED)
        except ATMError as error:
            report.tell(SimulationStatus.FAILED, 0.0, str(error))
        except Exception as error:
            # A defect ends this simulation, not the process; the page shows it and the log has the trace.
            log.exception("simulation %s failed", spec.code)
            report.tell(SimulationStatus.FAILED, 0.0, f"{type(error).__name__}: {error}")


class _Reports:
    """What a job says of itself."""

    def __init__(self, assistant: IPCAssistant, job: _Job) -> None:
        self._assistant = assistant
        self._job = job
        self._created = int(time.time() * 1000)
        self._phase: SimulationPhase | None = None
        self._share = 0.0
        self._last = 0.0

    def tell(
        self, status: SimulationStatus, share: float = 0.0, error: str = "", summary: SimulationSummary | None = None
    ) -> None:
        if self._job.dropped:
            return
        code = self._job.spec.code
        state = SimulationState(code, status, share, self._created, error, summary, phase=self._phase)
        self._assistant.publish(SimulationProgress(code, state), code)

    def progress(self, share: float) -> None:
        self._share = share
        now = time.monotonic()
        if now - self._last >= PROGRESS_SECONDS:
            self._last = now
            self.tell(SimulationStatus.RUNNING, share)

    def phase(self, phase: SimulationPhase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self.tell(SimulationStatus.RUNNING, self._share)
