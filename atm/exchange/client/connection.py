"""One stream socket: connects, hands every frame on, notices its own death.

A socket lives as long as messages come. Pings keep a healthy one open, but do not prove data:
one that has been silent for `silence_s` is aborted, whatever TCP says (spec: exchange §5.2 F03, F04).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import count
from typing import cast

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from atm.exchange.client.direct_connection import DirectConnection
from atm.exchange.client.frames import Control
from atm.exchange.client.stream_plan import COMMON_STREAMS, address
from atm.exchange.client.stream_watch import StreamWatch

logger = logging.getLogger(__name__)

MAX_FRAME_BYTES = 8 * 1024 * 1024
CONTROL_PAUSE_S = 0.25  # at most 10 messages a second are allowed, pongs included
CONTROL_BATCH = 200
PING_S = 10.0
"""A peer that answers no ping for as long again is dead: on a user stream, where silence is normal, nothing else tells."""

FrameSink = Callable[[bytes, float], str]


class StreamSocket:
    """An open socket with its reader. `awaited`: streams of this socket that have not delivered yet; `closed` completes
    with the reason when it is over. silence_s: None where silence is normal; is_held: whether the market stands still, so
    that there is nothing to tell."""

    def __init__(
        self,
        socket: DirectConnection,
        streams: Iterable[str],
        sink: FrameSink,
        silence_s: float | None,
        watch: StreamWatch,
        is_held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._socket = socket
        self._sink = sink
        self._silence_s = silence_s
        self._is_held = is_held
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self._ids = count(1)
        self._reason = ""
        self.messages = 0
        self._heard = watch.heard
        self._subscribed = set(streams)
        self.awaited = self._subscribed - set(COMMON_STREAMS)
        self.all_delivered = asyncio.Event()
        socket.hand_to(self._take)
        self.closed: asyncio.Task[str] = asyncio.create_task(self._read())
        self._watch = None if silence_s is None else self._loop.call_later(silence_s, self._check_silence)

    async def _read(self) -> str:
        """Nearly all frames are taken where they are received; this gets those that came before, and in fragments."""
        receive = self._socket.recv
        try:
            while True:
                self._take(await receive(decode=False))
        except ConnectionClosed as closed:
            return self._reason or _why(closed)
        finally:
            if self._watch is not None:
                self._watch.cancel()

    def _take(self, frame: bytes) -> None:
        self._last_s = now_s = self._loop.time()
        self.messages += 1
        stream = self._sink(frame, now_s)
        if stream in self._heard:
            self._heard[stream] = now_s
        if self.awaited and stream in self.awaited:
            self._delivered(stream)

    def _delivered(self, stream: str) -> None:
        self.awaited.discard(stream)
        if not self.awaited:
            self.all_delivered.set()

    def _check_silence(self) -> None:
        if self._silence_s is None:
            return
        if self._is_held():
            self._last_s = self._loop.time()
        silent_s = self._loop.time() - self._last_s
        if silent_s >= self._silence_s:
            self._reason = f"silent for {silent_s:.0f} s"
            self._socket.transport.abort()
            return
        self._watch = self._loop.call_later(self._silence_s - silent_s, self._check_silence)

    async def follow(self, streams: Iterable[str]) -> None:
        """Have exactly these streams, by control messages, paced and in batches."""
        wanted = set(streams)
        left, added = self._subscribed - wanted, wanted - self._subscribed
        self._subscribed = wanted
        await self._control(("UNSUBSCRIBE", left), ("SUBSCRIBE", added))

    async def resubscribe(self, streams: Iterable[str]) -> None:
        """Ask anew for streams of this socket that have fallen silent."""
        silent = self._subscribed.intersection(streams)
        await self._control(("UNSUBSCRIBE", silent), ("SUBSCRIBE", silent))

    async def _control(self, *changes: tuple[str, set[str]]) -> None:
        for method, changed in changes:
            streams = tuple(sorted(changed))
            for start in range(0, len(streams), CONTROL_BATCH):
                message = Control(method, streams[start : start + CONTROL_BATCH], next(self._ids))
                try:
                    await self._socket.send(msgspec.json.encode(message), text=True)
                except ConnectionClosed:
                    return  # the reader ends too, and the next socket is opened with the streams of the plan
                await asyncio.sleep(CONTROL_PAUSE_S)

    def end_reason(self) -> str:
        """Why the socket is over; only after `closed` is done."""
        if self.closed.cancelled():
            return self._reason
        error = self.closed.exception()
        if error is None:
            return self.closed.result()
        logger.error("the reader of a stream socket failed", exc_info=error)
        return f"the reader failed ({type(error).__name__})"

    async def close(self) -> None:
        """Close at once; a peer that no longer answers is not waited for."""
        self._reason = self._reason or "closed by us"
        await self._socket.close()  # bounded by close_timeout; returns at once on a socket that is closed
        await asyncio.wait((self.closed,), timeout=1.0)
        if not self.closed.done():
            self._socket.transport.abort()
            self.closed.cancel()


def _why(closed: ConnectionClosed) -> str:
    """Why a connection ended that we have not closed."""
    defect = closed.__cause__
    if isinstance(defect, Exception) and not isinstance(defect, (OSError, EOFError, WebSocketException)):
        return f"the reader failed ({type(defect).__name__})"
    return f"closed by the server ({closed.rcvd.code if closed.rcvd else 'no close frame'})"


async def open_socket(
    base: str,
    route: str,
    sink: FrameSink,
    silence_s: float,
    watch: StreamWatch,
    is_held: Callable[[], bool] = lambda: False,
) -> StreamSocket | str:
    """Connect and subscribe to the streams of `watch`. Returns the running socket, or in words why there is none."""
    streams = sorted(watch.heard)
    socket = await open_connection(address(base, route, streams), pings=False)
    if isinstance(socket, str):
        return socket
    watch.opened(asyncio.get_running_loop().time())
    return StreamSocket(socket, streams, sink, silence_s, watch, is_held)


async def open_connection(url: str, *, pings: bool) -> DirectConnection | str:
    """Connect. Returns the connection, or in words why there is none.

    pings: not where data tell that the peer lives: behind a flood of data an answer may take longer than is waited for it.
    """
    try:
        connection = await connect(
            url,
            create_connection=DirectConnection,
            open_timeout=10,
            close_timeout=1,
            ping_interval=PING_S if pings else None,
            ping_timeout=PING_S,
            max_size=MAX_FRAME_BYTES,
            max_queue=1_024,
            compression=None,
            proxy=None,
        )
        return cast("DirectConnection", connection)
    except InvalidStatus as refused:
        return f"refused with HTTP status {refused.response.status_code}"
    except (OSError, TimeoutError, InvalidHandshake, WebSocketException) as error:
        return f"no connection ({type(error).__name__})"
