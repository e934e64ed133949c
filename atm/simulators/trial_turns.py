"""Whose turn it is in a trial: the latest request wins, and yet something is always shown. A state machine without I/O.

A request that has not begun is overtaken by a later one. One that runs is stopped for a later one while less than half of it is
done, unless the one before it was stopped too: otherwise a slider that moves all the time would never see a result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

W = TypeVar("W")

HALF = 0.5


@dataclass(slots=True)
class Turns(Generic[W]):
    """See the module. running: the request at work; waiting: the latest one that has not begun."""

    running: W | None = None
    waiting: W | None = None
    closed: bool = False
    _share: float = field(default=0.0)
    _spared: bool = field(default=False)

    def offer(self, work: W) -> W | None:
        """A new request; returns the one that it has overtaken, if any."""
        overtaken, self.waiting = self.waiting, work
        return overtaken

    def begin(self) -> W | None:
        """The request to go on with, now running; None while there is none."""
        if self.running is not None or self.waiting is None or self.closed:
            return None
        self.running, self.waiting, self._share = self.waiting, None, 0.0
        return self.running

    def advanced(self, share: float) -> None:
        """The running one is done to this share (0 … 1)."""
        self._share = share

    @property
    def stop(self) -> bool:
        """Whether the running one is to be stopped."""
        return self.closed or (self.waiting is not None and self._share < HALF and not self._spared)

    def ended(self, *, stopped: bool) -> None:
        """The running one is over. The one after a stopped one is spared."""
        self.running, self._spared = None, stopped
