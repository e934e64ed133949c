"""Commands of the pages: requests that wait in a queue until the shell sends them, and what became of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from atm.ipc.messages import Failed, Reply, Request

_MOST_WAITING = 256


@dataclass(frozen=True, slots=True)
class Command:
    """A request to a process. scope: the form or control it came from, where its answer is shown; done_text: what to
    tell the user when it succeeds ("" = nothing), parameters its placeholders; timeout_s: how long to wait for it."""

    to: str
    request: Request
    scope: str
    done_text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    timeout_s: float = 5.0


@dataclass(slots=True)
class Commands:
    """Emitted by pages (`send`), taken by the shell (`take`), answered by `answered`."""

    waiting: deque[Command] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))
    _pending: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, Failed] = field(default_factory=dict)
    _succeeded: set[str] = field(default_factory=set)

    def send(
        self,
        to: str,
        request: Request,
        scope: str,
        done_text: str = "",
        parameters: dict[str, str] | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Emit a request. The former answer to this scope is forgotten."""
        self.waiting.append(Command(to, request, scope, done_text, parameters or {}, timeout_s))
        self._pending[scope] = self._pending.get(scope, 0) + 1
        self.forget(scope)

    def take(self) -> list[Command]:
        """All that wait to be sent."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    def answered(self, command: Command, reply: Reply) -> None:
        """The reply to a command that was taken."""
        left = self._pending.get(command.scope, 1) - 1
        if left > 0:
            self._pending[command.scope] = left
        else:
            self._pending.pop(command.scope, None)
        if isinstance(reply, Failed):
            self._failed[command.scope] = reply
        else:
            self._succeeded.add(command.scope)

    def pending(self, scope: str) -> bool:
        """Whether an answer is still awaited."""
        return scope in self._pending

    def failure(self, scope: str) -> Failed | None:
        """The refusal that stands at this scope."""
        return self._failed.get(scope)

    def refuse(self, scope: str, failed: Failed) -> None:
        """Note a refusal found before anything was sent."""
        self._succeeded.discard(scope)
        self._failed[scope] = failed

    def succeeded(self, scope: str) -> bool:
        """True once after a success."""
        if scope in self._succeeded:
            self._succeeded.discard(scope)
            return True
        return False

    def forget(self, scope: str) -> None:
        """Drop what is noted of a scope."""
        self._failed.pop(scope, None)
        self._succeeded.discard(scope)
