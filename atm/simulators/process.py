"""The simulator process: one simulation at a time on a worker thread, and one trial; the dispatch thread stays free to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from atm.analyzers.cache import AnalysisCache
from atm.analyzers.installed import install_for
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import CancelSimulation, Done, Reply, RunSimulation, SimulationProgress
from atm.ipc.shared_array import SharedArrays, program_id
from atm.model.errors import ATMError, Refused
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus, SimulationSummary
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


class Simulator:
    """Runs what `RunSimulation` asks for and publishes `SimulationProgress` (at most five a second, and the end)."""

    def __init__(self, assistant: IPCAssistant, context: ProgramContext) -> None:
        self._assistant = assistant
        self._context = context
        self._running = ""
        self._cancel = threading.Event()
        assistant.answer(RunSimulation, self._on_run)
        assistant.answer(CancelSimulation, self._on_cancel)
        arrays = SharedArrays(program_id(context.home), assistant.name)
        TrialDesk(assistant, self._trial, arrays, lanes=lanes())

    def _trial(self, spec: SimulationSpec) -> Trial:
        store = open_store(self._context, read_only=True)
        cache = AnalysisCache(self._context.analysis_cache, self._context.analysis_cache_bytes)
        return Trial(spec, store, load_instruments(self._context.assets), cache)

    def _on_run(self, request: RunSimulation) -> Reply:
        if self._running:
            raise Refused(f"{self._assistant.name} is running {self._running}")
        self._running = request.spec.code
        self._cancel = threading.Event()
        job = threading.Thread(target=self._work, args=(request.spec, self._cancel), name="simulation", daemon=True)
        job.start()
        return Done()

    def _on_cancel(self, request: CancelSimulation) -> Reply:
        if request.code == self._running:
            self._cancel.set()
        return Done()

    def _work(self, spec: SimulationSpec, cancel: threading.Event) -> None:
        created = int(time.time() * 1000)

        def publish(
            status: SimulationStatus, share: float, error: str = "", summary: SimulationSummary | None = None
        ) -> None:
            state = SimulationState(spec.code, status, share, created, error, summary)
            self._assistant.publish(SimulationProgress(spec.code, state), spec.code)

        try:
            publish(SimulationStatus.RUNNING, 0.0)
            store = open_store(self._context, read_only=True)
            instruments = load_instruments(self._context.assets)
            cache = AnalysisCache(self._context.analysis_cache, self._context.analysis_cache_bytes)
            result = backtest.run(spec, store, instruments, _rarely(publish), cancel.is_set, cache=cache)
            equity = thin(result.equity_time, result.equity)
            database = Database(self._context.database)
            database.simulations.save_result(spec.code, result.summary, *equity, result.trades, result.details)
            database.close()
            publish(SimulationStatus.COMPLETED, 1.0, "", result.summary)
        except backtest.Cancelled:
            publish(SimulationStatus.CANCELLED, 0.0)
        except ATMError as error:
            publish(SimulationStatus.FAILED, 0.0, str(error))
        except Exception as error:
            # A defect ends this simulation, not the process; the page shows it and the log has the trace.
            log.exception("simulation %s failed", spec.code)
            publish(SimulationStatus.FAILED, 0.0, f"{type(error).__name__}: {error}")
        finally:
            self._running = ""


def _rarely(publish: Callable[[SimulationStatus, float], None]) -> Callable[[float], None]:
    last = [0.0]

    def progress(share: float) -> None:
        now = time.monotonic()
        if now - last[0] >= PROGRESS_SECONDS:
            last[0] = now
            publish(SimulationStatus.RUNNING, share)

    return progress
