"""When what is left of keys and passwords is overwritten in the memory of the Binance API manager: once nobody uses them any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from atm.model.remains import wipe_remains
from atm.model.secret import ApiKeys

log = logging.getLogger(__name__)

HANG_UP_S = 0.5
"""How long connections that were made with the keys may take to be closed."""


class MemoryWiper:
    """spawn: runs a coroutine on the manager's loop; used(): keys that are still needed; what is in them stays;
    wipe(keys, passwords): as `wipe_remains`, on a thread."""

    def __init__(
        self,
        spawn: Callable[[Coroutine[None, None, None]], None],
        used: Callable[[], list[ApiKeys]],
        wipe: Callable[[list[bytearray], list[bytearray]], object] = wipe_remains,
    ) -> None:
        self._spawn, self._used, self._overwrite = spawn, used, wipe
        self._remains: list[bytearray] = []
        self._passwords: list[bytearray] = []
        self._users = 0
        self._begun = False
        self._done = asyncio.Event()
        self._done.set()

    @property
    def works(self) -> bool:
        """Whether memory is being overwritten just now."""
        return not self._done.is_set()

    async def quiet(self) -> None:
        """Until it is not."""
        while self.works:
            await self._done.wait()

    def hold(self) -> None:
        """Nothing is overwritten until `release`. To be called in the turn of the loop in which a secret is opened: one turn later the
        thread may have begun, and what was just opened, if it is what is to go, would be overwritten in use."""
        self._users += 1

    def release(self) -> None:
        self._users -= 1
        self._begin()

    def forget(self, *passwords: str) -> None:
        """These are not needed any more."""
        self._passwords += [bytearray(each.encode()) for each in passwords]
        self._begin()

    def remember(self, keys: ApiKeys) -> None:
        """Overwrite their copies when the present work is done. From any thread."""
        self._remains += keys.traces()

    def forget_keys(self, keys: ApiKeys | None) -> None:
        """Wipe them, and overwrite their copies later."""
        if keys is not None:
            self.remember(keys)
            keys.wipe()
            self._begin()

    def _begin(self) -> None:
        if (self._remains or self._passwords) and not self._users and not self._begun:
            self._begun = True
            self._spawn(self._wipe())

    async def _wipe(self) -> None:
        await asyncio.sleep(HANG_UP_S)
        self._begun = False
        if self._users or self.works:
            return
        needed = [trace for keys in self._used() for trace in keys.traces()]
        remains, passwords = [trace for trace in self._remains if trace not in needed], self._passwords
        for trace in needed:
            trace[:] = bytes(len(trace))
        self._remains, self._passwords = [], []
        self._done.clear()
        try:
            began = time.monotonic()
            places = await asyncio.to_thread(self._overwrite, remains, passwords)
            log.info(
                "what was left of keys and passwords: %s places overwritten in %.1f s", places, time.monotonic() - began
            )
        finally:
            self._done.set()
            self._begin()
