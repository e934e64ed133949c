"""The window's side of a trial: what the user wants is sent, the newest answer is kept. A state machine without I/O.

A simulator is taken, or started; the trial is opened there; then every wish goes out at once, so that a later one overtakes an
earlier one in the simulator. When the simulator dies or no longer knows the trial, it is opened anew. Tokens tell answers apart:
one that belongs to a former session is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from atm.ipc.messages import (
    MAIN,
    CloseTrial,
    Failed,
    OpenTrial,
    Reply,
    Request,
    RunTrial,
    StartWorker,
    TrialOpened,
    TrialOvertaken,
    TrialRun,
)
from atm.model.simulation import SimulationSpec

RETRY_MS = 2_000
START_MS = 10_000
"""How long a simulator that was asked for may take to come before another is asked for."""
MOST_UNDER_WAY = 6
"""Requests without an answer: up to four at work, one waiting, one on its way."""
_LOST = ("Refused", "Unavailable")

Phase = Literal["closed", "opening", "open", "failed"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request to be sent, and the token to give its answer back with (None: nobody waits for it)."""

    to: str
    request: Request
    token: tuple[int, int] | None
    timeout_s: float = 30.0


@dataclass(slots=True)
class TrialClient:
    """See the module. base, shown: answers without changes and to the newest wish that was answered; problem: what keeps the
    trial closed; refusal: what is not allowed of the newest wish; runs: answers so far."""

    phase: Phase = "closed"
    base: TrialRun | None = None
    shown: TrialRun | None = None
    problem: str = ""
    refusal: Failed | None = None
    opened: TrialOpened | None = None
    runs: int = 0
    _spec: SimulationSpec | None = None
    _changes: dict[str, Any] = field(default_factory=dict)
    _asked: dict[str, Any] | None = None
    _simulator: tuple[str, int] = ("", 0)
    _session: int = 0
    _number: int = 0
    _under_way: int = 0
    _open_ms: int = 0
    _start_ms: int = 0

    @property
    def trial(self) -> str:
        """The name of the present session."""
        return f"window-{self._session}"

    @property
    def busy(self) -> bool:
        """Whether the newest wish has not been answered yet."""
        return self._spec is not None and (self._under_way > 0 or self._asked != self._changes)

    def want(self, spec: SimulationSpec, changes: Mapping[str, Any]) -> list[Sent]:
        """What the user looks at from now on. Another simulation closes the trial of the present one."""
        sent: list[Sent] = []
        if spec is not self._spec:
            sent = self.leave()
            self._spec = spec
        if changes != self._changes:
            self._changes = dict(changes)
        return sent

    def leave(self) -> list[Sent]:
        """Nobody looks any more."""
        sent = []
        if self.phase in ("opening", "open"):
            sent = [Sent(self._simulator[0], CloseTrial(self.trial), None)]
        self._reset()
        self._spec, self._changes = None, {}
        self.base = self.shown = self.refusal = None
        self._open_ms = self._start_ms = 0
        return sent

    def _reset(self) -> None:
        """Forget the session; its answers count no more."""
        self.phase, self.problem, self.opened = "closed", "", None
        self._session += 1
        self._asked, self._under_way = None, 0

    def step(self, now_ms: int, simulators: Mapping[str, int]) -> list[Sent]:
        """Go on. simulators: pid by name of those that run; the clock is the wall's."""
        if self._spec is None:
            return []
        if self.phase in ("opening", "open") and simulators.get(self._simulator[0]) != self._simulator[1]:
            self._reset()
        if self.phase == "closed":
            return self._open(now_ms, simulators) if simulators else self._start(now_ms)
        if self.phase == "open":
            return self._ask()
        return []

    def _start(self, now_ms: int) -> list[Sent]:
        if now_ms < self._start_ms:
            return []
        self._start_ms = now_ms + START_MS
        return [Sent(MAIN, StartWorker("simulator"), (self._session, -1))]

    def _open(self, now_ms: int, simulators: Mapping[str, int]) -> list[Sent]:
        if now_ms < self._open_ms or self._spec is None:
            return []
        self._open_ms = now_ms + RETRY_MS
        name = min(simulators)
        self._simulator, self.phase = (name, simulators[name]), "opening"
        return [Sent(name, OpenTrial(self.trial, self._spec), (self._session, -1), 120.0)]

    def _ask(self) -> list[Sent]:
        if self.base is None:  # first, and alone: a later wish would overtake it
            return [] if self._under_way or self.refusal is not None else self._run({})
        if self._asked == self._changes or self._under_way >= MOST_UNDER_WAY:
            return []
        return self._run(self._changes)

    def _run(self, changes: dict[str, Any]) -> list[Sent]:
        self._number += 1
        self._under_way += 1
        self._asked = changes
        request = RunTrial(self.trial, self._number, changes)
        return [Sent(self._simulator[0], request, (self._session, self._number))]

    def answered(self, sent: Sent, reply: Reply) -> TrialRun | None:
        """Take in the answer to what `step` gave. A run that is to be shown is returned."""
        if sent.token is None or sent.token[0] != self._session:
            return None
        if sent.token[1] < 0:
            self._on_session(sent, reply)
            return None
        self._under_way -= 1
        if isinstance(reply, TrialRun):
            return self._on_run(sent, reply)
        if isinstance(reply, Failed) and reply.kind in _LOST:
            self._reset()
        elif isinstance(reply, Failed) and sent.token[1] == self._number:
            self.refusal = reply
        else:
            assert isinstance(reply, TrialOvertaken | Failed)
        return None

    def _on_run(self, sent: Sent, reply: TrialRun) -> TrialRun | None:
        assert isinstance(sent.request, RunTrial)
        self.runs += 1
        if not sent.request.changes:
            self.base = reply
        if self.shown is not None and self.shown.number > reply.number:
            return None
        self.shown, self.refusal = reply, None
        return reply

    def _on_session(self, sent: Sent, reply: Reply) -> None:
        if isinstance(reply, TrialOpened):
            self.phase, self.opened = "open", reply
        elif isinstance(reply, Failed):
            # A full pool, or a simulator that has just died, may be tried again; what a simulator says no to may not.
            permanent = isinstance(sent.request, OpenTrial) and reply.kind != "Unavailable"
            self._reset()
            self.phase, self.problem = "failed" if permanent else "closed", reply.message

    def retry(self) -> None:
        """Try once more what has failed for good."""
        if self.phase == "failed":
            self._reset()
