"""The simulator on a bus, with its real worker thread: pause, cancel, and a job that displaces another."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from atm.ipc.local import LocalBus
from atm.ipc.messages import (
    CancelSimulation,
    Done,
    PauseSimulation,
    ResumeSimulation,
    RunSimulation,
    SimulationProgress,
)
from atm.model.endpoint import Addresses, Endpoint
from atm.model.program import ProgramContext
from atm.model.simulation import SimulationPhase, SimulationSpec, SimulationState, SimulationStatus
from atm.simulators.process import Simulator
from atm.simulators.specification import read_specification
from atm.storage.database import Database

ROOT = Path(__file__).parents[2]
HASH = "2f7289d65796"
RUNNING, COMPLETED, CANCELLED = SimulationStatus.RUNNING, SimulationStatus.COMPLETED, SimulationStatus.CANCELLED
LONG_S = 60.0
HELD_S = 0.7
"""A simulation takes a fraction of it: one that has not ended by then is held."""


def spec(code: str) -> SimulationSpec:
    return msgspec.structs.replace(read_specification(ROOT / "examples" / "rqpm_filusdt.toml"), code=code)


class Room:
    """A simulator and its manager."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'demo.sqlite3'}"
        context = ProgramContext(
            folder, ROOT / "assets", Endpoint.DEMO, Addresses("", ""), 1, 1, (), database_url=url
        )  # fmt: skip
        self.database = Database(url)
        for code in ("one", "two"):
            self.database.simulations.add(spec(code), 0)
        self.bus = LocalBus()
        self.manager = self.bus.assistant("simulation")
        self.seen: list[SimulationState] = []
        self.manager.subscribe(SimulationProgress, lambda event: self.seen.append(event.state))
        Simulator(self.bus.assistant("simulator-0"), context)
        self.bus.pump()

    def ask(self, request: RunSimulation | CancelSimulation | PauseSimulation | ResumeSimulation) -> None:
        assert self.manager.request("simulator-0", request) == Done()

    def ended(self, seconds: float = LONG_S) -> bool:
        """Wait for the worker; whether it has ended."""
        worker = next((each for each in threading.enumerate() if each.name == "simulation"), None)
        if worker is not None:
            worker.join(seconds)
        self.bus.pump()
        return worker is None or not worker.is_alive()

    def last(self, code: str) -> SimulationState:
        return [state for state in self.seen if state.code == code][-1]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_all_phases_are_told_and_the_share_never_falls(room: Room) -> None:
    room.ask(RunSimulation(spec("one")))
    assert room.ended()
    phases = [state.phase for state in room.seen if state.phase is not None]
    assert list(dict.fromkeys(phases)) == list(SimulationPhase)
    shares = [state.progress for state in room.seen]
    assert shares == sorted(shares) and room.seen[-1].status is COMPLETED


def test_a_paused_one_waits_goes_on_and_ends_as_it_would_have(room: Room) -> None:
    room.ask(RunSimulation(spec("one")))
    room.ask(PauseSimulation("one"))
    assert not room.ended(HELD_S)
    room.ask(ResumeSimulation("other"))
    assert not room.ended(0.05), "another one's resumption is not its own"
    room.ask(ResumeSimulation("one"))
    assert room.ended()
    summary = room.last("one").summary
    assert summary is not None and summary.trade_hash.startswith(HASH)
    assert room.database.simulations.trades("one")


def test_a_paused_one_can_be_stopped(room: Room) -> None:
    room.ask(RunSimulation(spec("one")))
    room.ask(PauseSimulation("one"))
    room.ask(CancelSimulation("one"))
    assert room.ended()
    assert room.last("one").status is CANCELLED
    assert room.database.simulations.trades("one") == []


def test_the_job_of_a_new_manager_displaces_what_the_old_one_left_held(room: Room) -> None:
    room.ask(RunSimulation(spec("one")))
    room.ask(PauseSimulation("one"))
    room.ask(RunSimulation(spec("two")))
    assert room.ended()
    assert room.last("two").status is COMPLETED
    assert room.last("one").status is RUNNING, "nothing more is said of it"
    assert room.database.simulations.trades("one") == []
