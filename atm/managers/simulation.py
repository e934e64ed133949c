"""The simulation manager: hands queued simulations to simulators and keeps their states.

All decisions are those of `SimulationQueue`. Results are stored by the simulator that made them; their states here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from atm.analyzers.installed import install_for
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    MAIN,
    AddSimulation,
    AdvanceSimulation,
    CancelSimulation,
    Done,
    Failed,
    NoticeRaised,
    PauseSimulation,
    ProcessState,
    RemoveSimulation,
    Reply,
    RequeueSimulation,
    ResumeSimulation,
    RetireWorker,
    RunSimulation,
    SimulationProgress,
    SimulationUpdated,
    SimulatorPool,
    StartWorker,
    TrialServed,
    WorkerStarted,
)
from atm.managers import examined
from atm.managers.parity_desk import ParityDesk
from atm.managers.review_desk import ReviewDesk
from atm.managers.simulation_queue import (
    FINAL,
    Abort,
    Hold,
    Instruction,
    Launch,
    Retire,
    SimulationQueue,
    StartSimulator,
)
from atm.managers.trade_setups import check_analysis
from atm.model.errors import ATMError
from atm.model.instrument import Instrument
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus
from atm.model.validation import checked
from atm.simulators.specification import time_range
from atm.storage.database import Database
from atm.storage.sample import load_instruments
from atm.trading.engine_setup import build
from atm.trading.method_choice import check_trade

log = logging.getLogger(__name__)

PLAN_PERIOD_S = 1.0
SETTLING_S = 0.3
"""After a start, time for the router to hand over which simulators there are."""

_NOTICES = {
    SimulationStatus.COMPLETED: (Severity.SUCCESS, "notice.simulation_completed"),
    SimulationStatus.FAILED: (Severity.WARNING, "notice.simulation_failed"),
}


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    install_for(context)
    manager = SimulationManager(assistant, context, Database(context.database))
    manager.start()
    ReviewDesk(assistant, context)
    ParityDesk(assistant, context)
    assistant.run()


class SimulationManager:
    """See the module. `clock`: monotonic seconds; `wall_ms`: Unix ms UTC, the time a simulation was created at."""

    def __init__(
        self,
        assistant: IPCAssistant,
        context: ProgramContext,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._assistant = assistant
        self._simulations = database.simulations
        self._clock = clock
        self._wall_ms = wall_ms
        self._instruments = load_instruments(context.assets)
        self._queue = SimulationQueue(context.simulators)
        self._settled = False
        self._told: SimulatorPool | None = None

    def start(self) -> None:
        """Load what is stored, queue what was not finished, and listen."""
        for state in self._simulations.states():
            restored = self._queue.restore(self._simulations.spec(state.code), state)
            if restored != state:
                self._simulations.set_state(restored)
            self._publish(restored)
        assistant = self._assistant
        assistant.answer(AddSimulation, self._add)
        assistant.answer(CancelSimulation, self._cancel)
        assistant.answer(PauseSimulation, self._pause)
        assistant.answer(ResumeSimulation, self._resume)
        assistant.answer(RequeueSimulation, self._requeue)
        assistant.answer(AdvanceSimulation, self._advance)
        assistant.answer(RemoveSimulation, self._remove)
        assistant.subscribe(ProcessState, self._on_process)
        assistant.subscribe(SimulationProgress, self._on_progress)
        assistant.subscribe(TrialServed, self._on_trial)
        assistant.call_later(SETTLING_S, self._settle)
        assistant.every(PLAN_PERIOD_S, self._plan)

    # --- what is asked ----------------------------------------------------------------------------------------

    def _add(self, request: AddSimulation) -> Reply | Deferred:
        if examined.read_files(request.spec.analysis, request.spec.trade):
            return examined.answered(self._assistant, partial(self._checked, request))
        return self._checked(request)

    def _checked(self, request: AddSimulation) -> Reply:
        spec = check_spec(request.spec, self._instruments)
        state = self._queue.add(spec, self._wall_ms())
        try:
            self._simulations.add(spec, state.created_ms)
        except ATMError:
            self._queue.remove(state.code)
            raise
        self._publish(state)
        self._plan()
        return Done()

    def _cancel(self, request: CancelSimulation) -> Reply:
        return self._asked(*self._queue.cancel(request.code))

    def _pause(self, request: PauseSimulation) -> Reply:
        return self._asked(*self._queue.pause(request.code))

    def _resume(self, request: ResumeSimulation) -> Reply:
        return self._asked(*self._queue.resume(request.code))

    def _requeue(self, request: RequeueSimulation) -> Reply:
        return self._asked(self._queue.requeue(request.code), [])

    def _advance(self, request: AdvanceSimulation) -> Reply:
        return self._asked(self._queue.advance(request.code), [])

    def _remove(self, request: RemoveSimulation) -> Reply:
        return self._asked(*self._queue.remove(request.code))

    def _asked(self, state: SimulationState, instructions: list[Instruction]) -> Reply:
        for instruction in instructions:
            self._carry_out(instruction)
        self._changed(state)
        self._plan()
        return Done()

    # --- what happens -----------------------------------------------------------------------------------------

    def _on_process(self, event: ProcessState) -> None:
        for state in self._queue.process(event, self._clock()):
            self._changed(state)
        self._plan()

    def _on_progress(self, event: SimulationProgress) -> None:
        state = self._queue.progress(event.state, self._clock())
        if state is None:
            return
        if state.status in FINAL:
            self._changed(state)
            self._plan()
        else:
            self._publish(state)

    def _on_trial(self, event: TrialServed) -> None:
        self._queue.trying(event.simulator, event.open)

    def _settle(self) -> None:
        self._settled = True
        self._plan()

    def _plan(self) -> None:
        if not self._settled:
            return
        instructions, changed = self._queue.plan(self._clock())
        for state in changed:
            self._changed(state)
        for instruction in instructions:
            self._carry_out(instruction)
        pool = self._queue.overview()
        if pool != self._told:
            self._told = pool
            self._assistant.publish(pool)

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case StartSimulator():
                self._assistant.request_async(MAIN, StartWorker("simulator"), self._on_started, timeout=30.0)
            case Launch(spec, simulator):
                answered = partial(self._on_launched, spec.code, simulator)
                self._assistant.request_async(simulator, RunSimulation(spec), answered, timeout=30.0)
            case Abort(code, simulator):
                answered = partial(self._on_aborted, code, simulator)
                self._assistant.request_async(simulator, CancelSimulation(code), answered)
            case Hold(code, simulator, on):
                request = PauseSimulation(code) if on else ResumeSimulation(code)
                self._assistant.request_async(simulator, request, partial(_logged, type(request).__name__))
            case Retire(simulator):
                self._assistant.request_async(MAIN, RetireWorker(simulator), partial(_logged, "RetireWorker"))

    def _on_started(self, reply: Reply) -> None:
        if isinstance(reply, WorkerStarted):
            self._queue.pool.started(reply.name, self._clock())
        else:
            self._queue.pool.refused(self._clock())
            log.info("no further simulator: %s", reply)
        self._plan()

    def _on_launched(self, code: str, simulator: str, reply: Reply) -> None:
        if isinstance(reply, Failed):
            permanent = reply.kind == "Invalid"
            state = self._queue.refused(code, simulator, reply.message, permanent)
            if state is not None:
                self._changed(state)

    def _on_aborted(self, code: str, simulator: str, reply: Reply) -> None:
        """A simulator that does not have the job (any more) has stopped it."""
        if isinstance(reply, Failed):
            state = self._queue.refused(code, simulator, reply.message, permanent=False)
            if state is not None:
                self._changed(state)

    # --- what is told -----------------------------------------------------------------------------------------

    def _changed(self, state: SimulationState) -> None:
        """Store, then announce; what the queue has forgotten is removed."""
        if self._queue.forgotten(state.code):
            self._simulations.remove(state.code)
            self._assistant.publish(SimulationUpdated(state, removed=True), key=state.code)
            return
        try:
            self._simulations.set_state(state)
        except ATMError as error:
            log.error("the state of simulation %s could not be stored: %s", state.code, error)
        self._publish(state)
        if state.status in _NOTICES:
            severity, text = _NOTICES[state.status]
            parameters = {"simulation": state.code, "reason": state.error}
            notice = Notice(self._wall_ms(), self._assistant.name, severity, text, parameters, state.code)
            self._assistant.publish(NoticeRaised(notice))

    def _publish(self, state: SimulationState) -> None:
        self._assistant.publish(SimulationUpdated(state), key=state.code)


def check_spec(spec: SimulationSpec, instruments: Iterable[Instrument]) -> SimulationSpec:
    """Bounds, range, and all that the account engine checks. Raises Invalid naming the field."""
    spec = checked(spec)
    time_range(spec)
    for analysis in spec.analysis:
        check_analysis(analysis)
    for trade in spec.trade:
        check_trade(trade)
    build(spec.assets, spec.positions, spec.analysis, spec.trade, instruments, spec.costs)
    return spec


def _logged(what: str, reply: Reply) -> None:
    if isinstance(reply, Failed):
        log.info("%s: %s", what, reply.message)
