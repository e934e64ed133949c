"""Keeps the demo exchange alive: a plain child process that takes no part in the IPC."""

from __future__ import annotations

import logging
import os
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from atm.app.restart import RestartPolicy
from atm.model.program import ProgramContext

log = logging.getLogger(__name__)

NAME = "demo-exchange"


class ExchangeKeeper:
    """Starts the demo exchange on a fixed port and starts it again when it dies."""

    def __init__(self, mp: Any, context: ProgramContext, port: int, speed: float) -> None:
        self._mp = mp
        self._arguments = (port, speed, context.home, context.assets, os.getpid(), context.demo_recording)
        self._policy = RestartPolicy()
        self._process: BaseProcess | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        return (self._process.pid or 0) if self._process is not None else 0

    def start(self) -> None:
        """Start, and a thread that watches."""
        self._launch()
        threading.Thread(target=self._watch, name="watch-demo-exchange", daemon=True).start()

    def _launch(self) -> None:
        with self._lock:
            if not self._stopping.is_set():
                process = self._mp.Process(target=_serve, args=self._arguments, name=NAME)
                process.start()
                self._process = process

    def _watch(self) -> None:
        while not self._stopping.is_set() and self._process is not None:
            started = time.monotonic()
            wait([self._process.sentinel])
            if self._stopping.is_set():
                return
            log.warning("the demo exchange (process %s) has died", self._process.pid)
            delay = self._policy.died(time.monotonic() - started)
            if delay is None or self._stopping.wait(delay):
                log.error("the demo exchange is not started again")
                return
            self._launch()

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL."""
        with self._lock:
            self._stopping.set()
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(port: int, speed: float, home: Path, assets: Path, main_pid: int, recorded: Path | None) -> None:
    """The child's entry; what it needs is imported there, not in the main process."""
    from atm.app.demo_exchange import serve_child

    serve_child(port, speed, home, assets, main_pid, recorded)
