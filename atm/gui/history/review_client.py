"""Asks for the review of the account that is looked at, and asks anew when it has grown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from atm.gui.ui import Ui
from atm.ipc.messages import SIMULATION, AccountReviewed, Failed, Reply, ReviewAccount
from atm.ipc.shared_array import take
from atm.model.account_review import ReviewCheck
from atm.model.simulation import SimulationSpec, SimulationSummary

PERIOD_MS = 10_000
"""An account that trades all the time is not reviewed more often."""
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An answer. curve: float64 (2, n), Unix ms and equity; details: packed."""

    spec: SimulationSpec
    summary: SimulationSummary
    details: bytes
    curve: NDArray[np.float64]
    checks: tuple[ReviewCheck, ...]


@dataclass(slots=True)
class ReviewClient:
    """See the module. number: counts the answers; error: why there is no newer one."""

    name: str = ""
    review: Reviewed | None = None
    number: int = 0
    error: str = ""
    pending: bool = False
    _stamp: Hashable = None
    _asked_ms: int = 0

    def follow(self, ui: Ui, name: str, stamp: Hashable) -> None:
        """stamp: another value whenever the account has grown."""
        if name != self.name:
            self.name, self.review, self.error = name, None, ""
            self.pending, self._stamp = False, None
        early = self._stamp is not None and ui.now_ms - self._asked_ms < PERIOD_MS
        if self.pending or early or stamp == self._stamp:
            return
        self.pending, self._stamp, self._asked_ms = True, stamp, ui.now_ms

        def answered(reply: Reply) -> None:
            if self.name == name:
                self._take(reply)

        ui.ask(SIMULATION, ReviewAccount(name), answered, TIMEOUT_S)

    def again(self) -> None:
        """Ask once more, whether it has grown or not."""
        self._stamp, self.error = None, ""

    def _take(self, reply: Reply) -> None:
        self.pending = False
        if isinstance(reply, AccountReviewed):
            curve = cast("NDArray[np.float64]", take(reply.curve))
            self.review = Reviewed(reply.spec, reply.summary, reply.details, curve, reply.checks)
            self.number += 1
            self.error = ""
        elif isinstance(reply, Failed):
            self.error = reply.message
