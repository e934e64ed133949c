"""The simulation manager on a bus: a real database, simulators that answer as their contract says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from atm.ipc.assistant import IPCAssistant
from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    MAIN,
    AddSimulation,
    AdvanceSimulation,
    CancelSimulation,
    Done,
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
    WorkerStarted,
)
from atm.managers.simulation import SimulationManager
from atm.model.account import AssetSetup, PositionSetup
from atm.model.analysis_configuration import AnalysisConfiguration, ClassicalSignal, MultiMACD
from atm.model.endpoint import Addresses, Endpoint
from atm.model.errors import Invalid, Refused
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus
from atm.model.trade_configuration import TradeConfiguration
from atm.storage.database import Database

ASSETS = Path(__file__).parents[2] / "assets"
SPEC = SimulationSpec(
    "one", "2023-08-01", "2023-08-02", {"USDT": AssetSetup(1000.0)}, (PositionSetup("FILUSDT", "A", "T"),),
    (AnalysisConfiguration.of_one("A", mmacd_short=MultiMACD(), pip=ClassicalSignal()),), (TradeConfiguration("T"),),
)  # fmt: skip


class Office:
    """Main, simulators and a user around a simulation manager."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.url = f"sqlite:///{folder / 'demo.sqlite3'}"
        self.context = ProgramContext(folder, ASSETS, Endpoint.DEMO, Addresses("", ""), 1, 1, (), database_url=self.url)
        self.bus = LocalBus(lambda: self.now)
        self.main = self.bus.assistant(MAIN)
        self.main.answer(StartWorker, self._start)
        self.main.answer(RetireWorker, self._retire)
        self.user = self.bus.assistant("gui")
        self.shown: dict[str, SimulationState] = {}
        self.user.subscribe(SimulationUpdated, self._show)
        self.pool: SimulatorPool | None = None
        self.user.subscribe(SimulatorPool, self._pool)
        self.held: list[str] = []
        self.runs: list[str] = []
        self.pid = 100
        self.start_manager()

    def start_manager(self) -> None:
        SimulationManager(
            self.bus.assistant("simulation"), self.context, Database(self.url), lambda: self.now, lambda: 7
        ).start()
        self.wait(1.0)

    def _show(self, event: SimulationUpdated) -> None:
        self.shown[event.state.code] = event.state
        if event.removed:
            del self.shown[event.state.code]

    def _pool(self, event: SimulatorPool) -> None:
        self.pool = event

    def _hold(self, request: PauseSimulation | ResumeSimulation) -> Reply:
        self.held.append(f"{type(request).__name__} {request.code}")
        return Done()

    def _start(self, _: StartWorker) -> Reply:
        self.simulator()
        return WorkerStarted("simulator-0")

    def _retire(self, request: RetireWorker) -> Reply:
        self.bus.kill(request.name)
        self.main.publish(ProcessState(request.name, "stopped", 0, 0), request.name)
        return Done()

    def simulator(self) -> IPCAssistant:
        made = self.bus.assistant("simulator-0")
        made.answer(RunSimulation, self._run)
        made.answer(CancelSimulation, lambda _: Done())
        made.answer(PauseSimulation, self._hold)
        made.answer(ResumeSimulation, self._hold)
        self.pid += 1
        self.main.publish(ProcessState("simulator-0", "running", self.pid, 0), "simulator-0")
        return made

    def _run(self, request: RunSimulation) -> Reply:
        self.runs.append(request.spec.code)
        return Done()

    def report(self, code: str, status: SimulationStatus, share: float) -> None:
        state = SimulationState(code, status, share, 0)
        self.bus.assistants["simulator-0"].publish(SimulationProgress(code, state), code)
        self.bus.pump()

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds * 4)):
            self.now += 0.25
            self.bus.pump()


def test_from_adding_to_the_result_and_the_idle_simulator_leaves(tmp_path: Path) -> None:
    office = Office(tmp_path)
    assert office.user.request("simulation", AddSimulation(SPEC)) == Done()
    office.wait(1.0)
    assert office.runs == ["one"] and office.shown["one"].status is SimulationStatus.RUNNING
    office.report("one", SimulationStatus.RUNNING, 0.5)
    assert office.shown["one"].progress == 0.5
    office.report("one", SimulationStatus.COMPLETED, 1.0)
    assert office.shown["one"].status is SimulationStatus.COMPLETED and office.shown["one"].created_ms == 7
    assert "simulator-0" in office.bus.assistants
    office.wait(62.0)
    assert "simulator-0" not in office.bus.assistants
    assert office.user.request("simulation", RemoveSimulation("one")) == Done()
    office.bus.pump()
    assert office.shown == {} and Database(office.url).simulations.states() == []


def test_killed_simulator_and_killed_manager(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.user.request("simulation", AddSimulation(SPEC))
    office.wait(1.0)
    office.bus.kill("simulator-0")
    office.simulator()
    office.wait(1.0)
    assert office.runs == ["one", "one"]
    office.bus.kill("simulation")
    office.bus.kill("simulator-0")
    office.simulator()
    office.start_manager()
    office.wait(2.0)
    assert office.runs == ["one"] * 3
    office.report("one", SimulationStatus.COMPLETED, 1.0)
    assert office.shown["one"].status is SimulationStatus.COMPLETED


def test_cancel_and_what_is_refused(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.user.request("simulation", AddSimulation(SPEC))
    office.wait(1.0)
    office.user.request("simulation", CancelSimulation("one"))
    office.report("one", SimulationStatus.CANCELLED, 0.4)
    assert office.shown["one"].status is SimulationStatus.CANCELLED
    with pytest.raises(Refused, match="CANCELLED"):
        office.user.request("simulation", CancelSimulation("one"))
    for field, bad in (
        ("code", SPEC),
        ("end", msgspec.structs.replace(SPEC, code="two", end="2023-07-01")),
        ("positions.symbol", msgspec.structs.replace(SPEC, code="two", positions=(PositionSetup("NOUSDT", "A", "T"),))),
        ("trade", msgspec.structs.replace(SPEC, code="two", trade=(TradeConfiguration("T", leverage=125),))),
    ):
        with pytest.raises(Invalid, match=field):
            office.user.request("simulation", AddSimulation(bad))
    assert list(office.shown) == ["one"]


def test_pause_and_resume_reach_the_simulator_and_a_restart_keeps_the_pause(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.user.request("simulation", AddSimulation(SPEC))
    office.wait(1.0)
    office.user.request("simulation", PauseSimulation("one"))
    office.wait(1.0)
    assert office.shown["one"].status is SimulationStatus.PAUSED and office.held == ["PauseSimulation one"]
    office.user.request("simulation", ResumeSimulation("one"))
    office.wait(1.0)
    assert office.shown["one"].status is SimulationStatus.RUNNING and office.held[-1] == "ResumeSimulation one"
    office.user.request("simulation", PauseSimulation("one"))
    office.wait(1.0)
    office.bus.kill("simulation")
    office.start_manager()
    office.wait(3.0)
    assert office.shown["one"].status is SimulationStatus.PAUSED and office.runs == ["one"]
    office.user.request("simulation", ResumeSimulation("one"))
    office.wait(1.0)
    assert office.runs == ["one", "one"], "the new manager lets it begin anew"


def test_queue_order_requeue_and_removal_of_a_running_one(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for code in ("one", "two", "three"):
        office.user.request("simulation", AddSimulation(msgspec.structs.replace(SPEC, code=code)))
    office.wait(1.0)
    assert office.pool == SimulatorPool(1, 1, 1, ("two", "three"))
    office.user.request("simulation", AdvanceSimulation("three"))
    office.user.request("simulation", RemoveSimulation("one"))
    office.wait(1.0)
    assert "one" in office.shown, "not before it has stopped"
    office.report("one", SimulationStatus.CANCELLED, 0.0)
    office.wait(1.0)
    assert "one" not in office.shown and office.runs == ["one", "three"]
    assert [state.code for state in Database(office.url).simulations.states()] == ["three", "two"]
    office.user.request("simulation", CancelSimulation("two"))
    office.user.request("simulation", RequeueSimulation("two"))
    office.wait(1.0)
    assert office.pool == SimulatorPool(1, 1, 1, ("two",))
