"""Waits for drives to be plugged in, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from atm.storage.removable_drives import mounted, wait_for_change

_WAIT_S = 60.0


class DriveWatch:
    """changed(): called on the watching thread whenever other drives are there. The thread ends with the process."""

    def __init__(self, changed: Callable[[], None], look: Callable[[], tuple[Path, ...]] = mounted) -> None:
        self._changed, self._look = changed, look
        self._started = False

    def start(self) -> None:
        """Begin; calling again does nothing."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._watch, args=(self._look(),), name="drives", daemon=True).start()

    def _watch(self, known: tuple[Path, ...]) -> None:
        while True:
            now = wait_for_change(known, _WAIT_S, self._look)
            if now != known:
                known = now
                self._changed()
