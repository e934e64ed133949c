"""The workers of one kind (analyzers, simulators) as a manager knows them: who runs, who is idle since when.

Pure; fed with the `ProcessState` events of main. Knowledge is bounded by the pool size (stopped workers are forgotten).
"""

from __future__ import annotations

from dataclasses import dataclass

from atm.ipc.messages import ProcessState

IDLE_SECONDS = 60.0
REFUSED_SECONDS = 10.0
"""How long a full pool is not asked again."""


@dataclass(slots=True)
class _Worker:
    pid: int
    running: bool
    idle_since: float


class WorkerPool:
    """Workers named `kind-0`, `kind-1` …, at most `size`. Times are monotonic seconds, passed in."""

    def __init__(self, kind: str, size: int) -> None:
        self.kind = kind
        self.size = size
        self.starting = False
        self._refused_until = float("-inf")
        self._workers: dict[str, _Worker] = {}

    def heard(self, state: ProcessState, now: float) -> bool:
        """Take in a process event. True when this worker has lost what it was doing (died, stopped or was replaced).

        A death may be overwritten by the restart that follows it, so a new pid counts as one.
        """
        if not self.owns(state.name):
            return False
        worker = self._workers.get(state.name)
        if state.state == "stopped":
            return self._workers.pop(state.name, None) is not None
        running = state.state == "running"
        if worker is None:
            self._workers[state.name] = _Worker(state.pid, running, now)
            return state.state == "dead"
        lost = state.state == "dead" or (running and worker.pid not in (0, state.pid))
        worker.running = running
        if running:
            worker.pid = state.pid
        return lost

    def owns(self, name: str) -> bool:
        kind, _, number = name.rpartition("-")
        return kind == self.kind and number.isdigit()

    def running(self) -> list[str]:
        """Names of the workers that can be asked now, in order of their numbers."""
        return sorted((name for name, worker in self._workers.items() if worker.running), key=_number)

    def may_start(self, now: float) -> bool:
        """Whether one more may be asked for: none is on its way, none was refused just now and the pool is not full."""
        return not self.starting and now >= self._refused_until and len(self._workers) < self.size

    def started(self, name: str, now: float) -> None:
        """Main made a worker; it can be asked once main says that it runs."""
        self.starting = False
        self._workers.setdefault(name, _Worker(0, False, now))

    def refused(self, now: float) -> None:
        """Main did not make one (the pool is full, or main did not answer)."""
        self.starting = False
        self._refused_until = now + REFUSED_SECONDS

    def idle_workers(self, busy: set[str], now: float, seconds: float = IDLE_SECONDS) -> list[str]:
        """Running workers that had nothing to do for so long; `busy` are those that have something now."""
        for name in busy & self._workers.keys():
            self._workers[name].idle_since = now
        return [name for name in self.running() if now - self._workers[name].idle_since >= seconds]

    def forget(self, name: str) -> None:
        """The worker is being retired: it gets nothing any more."""
        self._workers.pop(name, None)


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
