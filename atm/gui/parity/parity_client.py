"""Asks for the days of the account that is looked at, for one of them, and for the drift alarm."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from atm.gui.ui import Ui
from atm.ipc.messages import (
    SIMULATION,
    DayOfParity,
    Failed,
    LookAtParity,
    ParityHead,
    ParityShown,
    ParityWorked,
    Reply,
    Request,
    SetDrift,
)
from atm.model.drift import DriftState
from atm.model.parity import ParityDay

TIMEOUT_S = 300.0
"""A day behind a long look-back takes a while; one after another is worked."""


@dataclass(slots=True)
class ParityClient:
    """See the module. days: newest first, None = not heard yet; chosen_ms: day that is looked at, 0 = none; day: what was found of it;
    error: of the last request, day_error: why there is no `day`; working: days that are being worked again."""

    name: str = ""
    days: tuple[ParityHead, ...] | None = None
    drift: DriftState | None = None
    chosen_ms: int = 0
    day: ParityDay | None = None
    error: str = ""
    day_error: str = ""
    working: int = 0
    _stamp: Hashable = None
    _asked: bool = False

    def follow(self, ui: Ui, name: str, stamp: Hashable) -> None:
        """stamp: another value whenever there may be more days, or other verdicts."""
        if name != self.name:
            self.name, self.days, self.drift, self.day = name, None, None, None
            self.chosen_ms, self.error, self.day_error, self.working = 0, "", "", 0
            self._stamp, self._asked = None, False
        if stamp == self._stamp or self._asked:
            return
        self._stamp, self._asked = stamp, True
        self._ask(ui, LookAtParity(name), self._take_days)

    def retry(self) -> None:
        """Ask for the days once more."""
        self._stamp, self.error = None, ""

    def choose(self, ui: Ui, day_ms: int) -> None:
        """Look at a day."""
        self.chosen_ms, self.day, self.day_error = day_ms, None, ""
        head = next((each for each in self.days or () if each.day_ms == day_ms), None)
        if head is not None and head.verdict is not None:
            self._ask(ui, DayOfParity(self.name, day_ms), self._take_day)

    def again(self, ui: Ui) -> None:
        """Work the chosen day again."""
        self.working, self.day_error = self.chosen_ms, ""
        self._ask(ui, DayOfParity(self.name, self.chosen_ms, again=True), self._take_day)

    def set_drift(self, ui: Ui, simulation: str, *, reset: bool = False) -> None:
        """Measure by another simulation, or reset the alarm."""
        self._ask(ui, SetDrift(self.name, simulation, reset), self._take_days)

    def _ask(self, ui: Ui, request: Request, take: object) -> None:
        name = self.name

        def answered(reply: Reply) -> None:
            if self.name == name and callable(take):
                take(reply)

        ui.ask(SIMULATION, request, answered, TIMEOUT_S)

    def _take_days(self, reply: Reply) -> None:
        self._asked = False
        if isinstance(reply, ParityShown):
            self.days, self.drift, self.error = reply.days, reply.drift, ""
        elif isinstance(reply, Failed):
            self.error = reply.message

    def _take_day(self, reply: Reply) -> None:
        if isinstance(reply, ParityWorked):
            if self.working == reply.day.day_ms:
                self.working, self._stamp = 0, None
            if reply.day.day_ms == self.chosen_ms:
                self.day, self.day_error = reply.day, ""
        elif isinstance(reply, Failed):
            self.working, self.day_error = 0, reply.message
