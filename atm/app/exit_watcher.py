"""One thread that notices the end of every child process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess


class ExitWatcher:
    """`watch(process, ended)`: `ended` is called once, on the watcher's thread, when the process has ended. Until `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[int | Connection, Callable[[], None]] = {}
        self._woken, self._waker = Pipe(duplex=False)
        threading.Thread(target=self._run, name="exit-watcher", daemon=True).start()

    def watch(self, process: BaseProcess, ended: Callable[[], None]) -> None:
        with self._lock:
            self._ended[process.sentinel] = ended
            self._waker.send_bytes(b".")

    def close(self) -> None:
        self._waker.close()

    def _run(self) -> None:
        while True:
            with self._lock:
                watched = [self._woken, *self._ended]
            for ready in wait(watched):
                if ready is self._woken:
                    try:
                        self._woken.recv_bytes()
                    except EOFError:
                        return
                    continue
                with self._lock:
                    ended = self._ended.pop(ready)  # type: ignore[arg-type]  # of what was given, nothing else is ready
                ended()
