"""An asyncio event loop in virtual time: whoever waits only for time does not wait.

The loop polls its sockets without waiting. When nothing is readable and no callback is due, it moves its clock to the
next timer. So a client and a server that run in this one thread talk over real sockets of the loopback, with their real
libraries, and hours pass in seconds, in the same order at every run (the loopback delivers before `send` returns).

    with VirtualRunner(start_ms) as runner:
        runner.run(main(runner.wall_ms))          # inside: asyncio.sleep(3_600) returns at once, an hour later

What reads a clock must read this one: `loop.time()` for durations (asyncio, aiohttp and websockets do), and for the
Unix time the function `wall_ms`, to be passed on: `FuturesClient(…, wall_ms=…)`, `running_demo_exchange(…, wall_ms=…)`.
Addresses must be numeric (names are looked up in a thread). Seed `random` for libraries that draw from it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")

BEGIN_S = 1_000.0
POLLS = 2
THREAD_WAIT_S = 5.0


class NothingToWaitFor(RuntimeError):
    """Every task waits for something that nobody in this process will ever do."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls an ordinary selector; where that would wait, `jump(seconds)` lets the time pass."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        self._inner = selectors.DefaultSelector()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        for _ in range(POLLS):
            found = self._inner.select(0)
            if found or timeout == 0:
                return found
        if timeout is not None:
            self._jump(timeout)
            return []
        found = self._inner.select(THREAD_WAIT_S)  # no timer at all: a thread may still have something to say
        if not found:
            raise NothingToWaitFor("no socket is readable, no timer is set and no thread has answered")
        return found

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Its clock stands still while code runs and jumps from timer to timer, beginning at `BEGIN_S`."""

    def __init__(self) -> None:
        self._now_s = BEGIN_S
        super().__init__(_JumpingSelector(self._pass))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now_s

    def _pass(self, seconds: float) -> None:
        self._now_s += seconds


class VirtualRunner:
    """`asyncio.Runner` for a virtual loop. start_ms: Unix ms that the wall clock shows at the beginning."""

    def __init__(self, start_ms: float) -> None:
        self._start_ms = start_ms
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)

    def __enter__(self) -> VirtualRunner:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, trace)

    def wall_ms(self) -> float:
        """The virtual wall clock, Unix ms."""
        return self._start_ms + (self._runner.get_loop().time() - BEGIN_S) * 1_000

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end."""
        return self._runner.run(work)
