"""The user data stream of one account: its listen key, its connection, and word of when events may have been missed.

The exchange repeats nothing and numbers nothing (spec: exchange §2.5), so whoever listens must ask REST whenever events may
have been lost: `missed()` is called each time a connection has been opened (what is asked from then on, together with the
events that come, is everything) and for each frame that cannot be read. A key that has run out is replaced at once, the new
connection before the old one is closed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from atm.exchange.client.connection import StreamSocket, open_connection
from atm.exchange.client.frames import UNREADABLE
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.stream_watch import StreamWatch
from atm.exchange.client.supervisor import StreamTimes, reconnect_wait
from atm.model.errors import ATMError, Refused

logger = logging.getLogger(__name__)

KEY_EXPIRED = "listenKeyExpired"


class UserStreamTimes(msgspec.Struct, frozen=True):
    """Seconds. A key lives for an hour. doubt: least time between two new connections for the sake of a doubt."""

    longest_wait: float = 10.0
    relief_retry: float = 5.0

    keep_alive: float = 1_800.0
    keep_alive_retry: float = 60.0
    doubt: float = 30.0
    streams: StreamTimes = StreamTimes()


class UserStream:
    """Calls `take(event)` for each event, `missed()` when some may not have come, until `close`. Build inside a running loop.

    base: e.g. wss://fstream.binance.com. Around a renewal an event may come twice.
    """

    def __init__(
        self,
        rest: FuturesClient,
        base: str,
        take: Callable[[dict[str, Any]], None],
        missed: Callable[[], None],
        times: UserStreamTimes | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.connected = False
        self.reason = "connecting"
        self.connections = 0
        self.unreadable = 0
        self._rest, self._base, self._take, self._missed = rest, base.rstrip("/"), take, missed
        self._times, self._draw = times or UserStreamTimes(), draw
        self._loop = asyncio.get_running_loop()
        self._key = ""
        self._stale = asyncio.Event()
        self._hurried = asyncio.Event()
        self._doubted_s = float("-inf")
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End the stream; the key runs out by itself, since another program may use it."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    def doubt(self) -> None:
        """REST knows of something that the stream has not told: have a new connection."""
        if self.connected and self._loop.time() - self._doubted_s >= self._times.doubt:
            self._doubted_s = self._loop.time()
            self._stale.set()

    def hurry(self) -> None:
        """The exchange is back: do not wait any longer before the next try."""
        self._hurried.set()

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                attempt = await self._connection(attempt)
            except Exception as error:
                # A defect must not leave the account without its events for good.
                logger.exception("the user stream failed")
                self.reason, attempt = f"it failed ({type(error).__name__})", attempt + 1
            self.connected = False
            wait_s = min(reconnect_wait(attempt, self._times.streams, self._draw()), self._times.longest_wait)
            self._hurried.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hurried.wait()

    async def _connection(self, attempt: int) -> int:
        """One connection and those that relieve it, until they end; how many have failed by then."""
        outcome = await self._open()
        if not isinstance(outcome, StreamSocket):
            self.reason = outcome
            return attempt + 1
        opened_s = self._loop.time()
        self.reason = await self._attend(outcome)
        logger.warning("the user stream is lost: %s", self.reason)
        return 0 if self._loop.time() - opened_s > self._times.streams.longest_wait else attempt + 1

    async def _open(self) -> StreamSocket | str:
        try:
            self._key = await self._rest.create_listen_key()
        except ATMError as error:
            return f"no listen key: {error}"
        connection = await open_connection(f"{self._base}/private/ws/{self._key}", pings=True)
        if isinstance(connection, str):
            return connection
        self.connections += 1
        self._stale.clear()
        return StreamSocket(connection, (), self._sink, None, StreamWatch((), self._loop.time()))

    async def _attend(self, socket: StreamSocket) -> str:
        """Follow one socket and those that relieve it; why the last one ended."""
        times = self._times.streams
        renewal_s = self._loop.time() + times.renewal - times.renewal_jitter * self._draw()
        keep_s = self._loop.time() + self._times.keep_alive
        self._stands()
        try:
            while True:
                await self._wait(socket, min(renewal_s, keep_s) - self._loop.time())
                now_s = self._loop.time()
                if socket.closed.done():
                    return socket.end_reason()
                if now_s >= keep_s:
                    keep_s = now_s + await self._keep_key()
                if self._stale.is_set() or now_s >= renewal_s:
                    renewal_s = now_s + times.renewal_retry
                    socket, relieved = await self._relieve(socket)
                    if relieved:
                        renewal_s = now_s + times.renewal - times.renewal_jitter * self._draw()
                        keep_s = now_s + self._times.keep_alive
        finally:
            await socket.close()

    def _stands(self) -> None:
        self.connected, self.reason = True, ""
        self._missed()

    async def _wait(self, socket: StreamSocket, seconds: float) -> None:
        stale = asyncio.create_task(self._stale.wait())
        try:
            await asyncio.wait((socket.closed, stale), timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stale.cancel()

    async def _keep_key(self) -> float:
        """Extend the key; seconds until it should be done again."""
        try:
            await self._rest.keep_listen_key(self._key)
        except Refused as refusal:
            logger.warning("the listen key is gone: %s", refusal)
            self._stale.set()
        except ATMError as error:
            logger.warning("the listen key could not be extended: %s", error)
            return self._times.keep_alive_retry
        return self._times.keep_alive

    async def _relieve(self, old: StreamSocket) -> tuple[StreamSocket, bool]:
        """Open the new connection before the old one is closed; without a new one the old one stays."""
        self._stale.clear()
        new = await self._open()
        if not isinstance(new, StreamSocket):
            logger.warning("a new user stream cannot be had: %s", new)
            self._loop.call_later(self._times.relief_retry, self._stale.set)
            return old, False
        try:
            await old.close()
        except asyncio.CancelledError:
            await new.close()
            raise
        self._stands()
        return new, True

    def _sink(self, frame: bytes, now_s: float) -> str:
        try:
            event = msgspec.json.decode(frame)
        except UNREADABLE:
            event = None
        if not isinstance(event, dict) or "e" not in event:
            self.unreadable += 1
            self._missed()
        elif event["e"] == KEY_EXPIRED:
            if event.get("listenKey") in (self._key, None):
                self._stale.set()
        else:
            self._take(event)
        return ""
