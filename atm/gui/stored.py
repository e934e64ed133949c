"""Stored results (simulations, trade logs, bars) read on a background thread, so that no frame waits for a disk.

`Stored.get(key, read)` answers at once: loading, ready or failed. `read` runs on the one reader thread; what it returned
is kept (the newest `MOST_KEPT` keys) until `forget`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

T = TypeVar("T")

log = logging.getLogger(__name__)

MOST_KEPT = 24


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """value is None while loading and after a failure; error says why there is none."""

    value: T | None = None
    error: str = ""

    @property
    def loading(self) -> bool:
        return self.value is None and not self.error


class Executor(Protocol):
    """Runs a function some time, somewhere."""

    def submit(self, function: Callable[[], None], /) -> object: ...


class Stored:
    """See the module. wake: called from the reader thread when something has become ready."""

    def __init__(self, executor: Executor, wake: Callable[[], None] = lambda: None) -> None:
        self._executor = executor
        self._wake = wake
        self._kept: OrderedDict[Hashable, Loaded[Any]] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], T]) -> Loaded[T]:
        """What `read` returned for `key`; starts reading when it is asked for the first time."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Loaded()
            self._executor.submit(lambda: self._read(key, read))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            found = self._kept.get(key, found)
        self._kept.move_to_end(key)
        return cast("Loaded[T]", found)

    def forget(self, key: Hashable) -> None:
        """Read it anew when it is asked for next."""
        self._kept.pop(key, None)

    def _read(self, key: Hashable, read: Callable[[], Any]) -> None:
        try:
            loaded: Loaded[Any] = Loaded(read())
        except Exception as error:
            # Whatever a store or a decoder raises is shown where the result was to stand; the window lives on.
            log.exception("reading %s failed", key)
            loaded = Loaded(error=str(error) or type(error).__name__)
        if key in self._kept:
            self._kept[key] = loaded
        self._wake()


def background() -> ThreadPoolExecutor:
    """The one reader thread."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="stored-results")


class Immediately:
    """Runs at once, in the caller's thread (tests)."""

    def submit(self, function: Callable[[], None], /) -> Future[None]:
        function()
        done: Future[None] = Future()
        done.set_result(None)
        return done
