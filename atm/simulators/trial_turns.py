"""Whose turn it is in a trial: the latest request wins, and yet something is always shown. A state machine without I/O.

A request that has not begun is overtaken by a later one. While all lanes are at work, the one that is least advanced is stopped
for a later one, unless it is half done or took the place of one that was stopped itself: otherwise a slider that moves all the
time would never see a result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

W = TypeVar("W")

HALF = 0.5


@dataclass(slots=True, eq=False)
class Run(Generic[W]):
    """A request at work. share: how much of it is done; spared: it is not stopped for another."""

    work: W
    spared: bool
    share: float = 0.0


@dataclass(slots=True)
class Turns(Generic[W]):
    """See the module. lanes: how many may run at a time; waiting: the latest request that has not begun."""

    lanes: int = 1
    running: list[Run[W]] = field(default_factory=list)
    waiting: W | None = None
    closed: bool = False
    _spare: bool = field(default=False)

    def offer(self, work: W) -> W | None:
        """A new request; returns the one that it has overtaken, if any."""
        overtaken, self.waiting = self.waiting, work
        return overtaken

    def begin(self) -> Run[W] | None:
        """The request to go on with, now running; None while there is none, or no lane is free."""
        if self.waiting is None or self.closed or len(self.running) >= self.lanes:
            return None
        run = Run(self.waiting, self._spare)
        self.waiting, self._spare = None, False
        self.running.append(run)
        return run

    def stops(self, run: Run[W]) -> bool:
        """Whether a running one is to be stopped."""
        if self.closed:
            return True
        if self.waiting is None or run.spared or run.share >= HALF or len(self.running) < self.lanes:
            return False
        return all(run.share <= other.share for other in self.running if not other.spared)

    def ended(self, run: Run[W], *, stopped: bool) -> None:
        """A running one is over. The next one after a stopped one is spared."""
        self.running.remove(run)
        self._spare = self._spare or stopped
