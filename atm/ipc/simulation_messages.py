"""Messages about simulations: their queue, the simulators that run them, and how far they are."""

from __future__ import annotations

from typing import ClassVar

from atm.ipc.message_forms import Delivery, Event, Request
from atm.model.simulation import SimulationSpec, SimulationState


class SimulationUpdated(Event, frozen=True):
    """Key: simulation code. removed: it is gone."""

    delivery: ClassVar[Delivery] = "latest"
    state: SimulationState
    removed: bool = False


class SimulatorPool(Event, frozen=True):
    """From the simulation manager. Key: "". size: simulators at most; running: of them there are now; busy: of them have a
    simulation, running or paused; waiting: codes of the queued ones, the next one first."""

    delivery: ClassVar[Delivery] = "latest"
    size: int
    running: int
    busy: int
    waiting: tuple[str, ...] = ()


class AddSimulation(Request, frozen=True):
    """To simulation. → Done, or Failed with the field that is wrong"""

    spec: SimulationSpec


class CancelSimulation(Request, frozen=True):
    """To simulation, and from it to a simulator: dequeue or stop. → Done"""

    code: str


class PauseSimulation(Request, frozen=True):
    """To simulation, and from it to a simulator: hold a queued or running one. → Done"""

    code: str


class ResumeSimulation(Request, frozen=True):
    """To simulation, and from it to a simulator: go on with a paused one. → Done"""

    code: str


class RequeueSimulation(Request, frozen=True):
    """To simulation: a cancelled or failed one begins anew, behind all others. → Done"""

    code: str


class AdvanceSimulation(Request, frozen=True):
    """To simulation: a queued one comes next. → Done"""

    code: str


class RemoveSimulation(Request, frozen=True):
    """To simulation: delete with its results; one that runs is stopped first and gone when it has stopped. → Done"""

    code: str


class RunSimulation(Request, frozen=True):
    """To a simulator. → Done at once; progress and result follow as SimulationProgress to the simulation manager.

    What it was running is dropped without a word: only a manager that does not know of it (a new one) asks so.
    """

    spec: SimulationSpec


class SimulationProgress(Event, frozen=True):
    """From a simulator. Key: code."""

    code: str
    state: SimulationState
