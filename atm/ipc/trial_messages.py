"""Messages of a trial: a finished simulation recomputed with other parameters while somebody drags a slider.

Of an earlier and a later `RunTrial` only the later one counts: what has not begun is overtaken, what runs may be stopped for it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from atm.ipc.message_forms import Delivery, Event, Reply, Request
from atm.ipc.shared_array import ArrayReference
from atm.model.simulation import SimulationSpec
from atm.model.trial import TrialFigures


class OpenTrial(Request, frozen=True):
    """To a simulator: load minutes and analyses of a simulation once. It has one trial; another one is closed. → TrialOpened

    trial: a name of the asker's choice, under which it asks from then on.
    """

    trial: str
    spec: SimulationSpec


class TrialOpened(Reply, frozen=True):
    """minutes: of all positions together; seconds: that loading took."""

    trial: str
    minutes: int
    seconds: float


class RunTrial(Request, frozen=True):
    """To a simulator: the simulation with other values, by their paths in the specification (`atm.model.adjustable`).

    → TrialRun, TrialOvertaken, or Failed with what is not allowed; Refused when the trial is not open (any more).
    """

    trial: str
    number: int
    changes: dict[str, Any]


class TrialRun(Reply, frozen=True):
    """curve: float64 (2, n): Unix ms and equity, thinned, with the extremes of every stretch; seconds: that it took."""

    trial: str
    number: int
    figures: TrialFigures
    curve: ArrayReference
    seconds: float


class TrialOvertaken(Reply, frozen=True):
    """Nothing was computed, or not to the end: a later request has come."""

    trial: str
    number: int


class CloseTrial(Request, frozen=True):
    """To a simulator: free what the trial holds. → Done, also when it is closed already"""

    trial: str


class TrialLoading(Event, frozen=True):
    """From a simulator while it loads, when a trial is opened or other analyses are asked for. share: 0 … 1, which is told
    at the end. Key: trial."""

    delivery: ClassVar[Delivery] = "latest"
    trial: str
    share: float


class TrialServed(Event, frozen=True):
    """From a simulator, when a trial is opened or closed. Key: simulator. A simulator with an open one is not retired."""

    delivery: ClassVar[Delivery] = "latest"
    simulator: str
    open: bool
