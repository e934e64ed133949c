"""The stream side of the demo exchange: subscriptions, control messages, and what is sent to whom.

A stream is only delivered on its own route; an address without a route delivers what belongs to /public, as on the real
exchange. A socket whose queue is full is too slow and is cut.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, Protocol

import msgspec
from aiohttp import WSMsgType, web

from atm.exchange.demo.documents import Document
from atm.exchange.demo.market_events import PUBLIC, MarketEvents
from atm.model.fault import USER_PREFIX

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 2_000
LONGEST_ID = 36
_DRAIN_S = 0.002
_ALL_EVENTS: frozenset[str] = frozenset()


class Subscriber:
    """One socket with its queue. `users`: the events wanted (none: all) by listen key, empty for market data; `number`: in the
    order of opening; `dead`: nothing comes through any more; `bytes_per_s`: how fast it may be sent to, 0 as fast as it can."""

    _numbers = count(1)

    def __init__(
        self,
        socket: web.WebSocketResponse,
        route: str,
        combined: bool,
        users: Mapping[str, frozenset[str]],
        request: web.Request,
    ) -> None:
        self.socket = socket
        self.route = route
        self.combined = combined
        self.users = dict(users)
        self.streams: set[str] = set()
        self.number = next(self._numbers)
        self.dead = False
        self.bytes_per_s = 0.0
        self._request = request
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue(QUEUE_LIMIT)
        self._goodbye: asyncio.Task[bool] | None = None
        self.writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            try:
                content = await self._queue.get()
                if self.bytes_per_s:
                    await asyncio.sleep(len(content) / self.bytes_per_s)
                if isinstance(content, str):
                    await self.socket.send_str(content)
                else:
                    await self.socket.send_bytes(content)
            except (ConnectionError, RuntimeError):
                return  # the socket is closing; its reader ends as well

    @property
    def is_behind(self) -> bool:
        """Whether many messages wait for it; one more burst may be too much."""
        return not self.dead and self._queue.qsize() > QUEUE_LIMIT // 4

    def send(self, content: str | bytes) -> None:
        """Queue a message."""
        if self.dead:
            return
        try:
            self._queue.put_nowait(content)
        except asyncio.QueueFull:
            logger.warning("a stream socket is too slow and is cut")
            self.cut()

    def cut(self) -> None:
        """Drop the connection at once, without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def die(self) -> None:
        """Send nothing and read nothing from now on: no data, no pong, no goodbye. The connection itself stays."""
        self.dead = True
        self.writer.cancel()
        if isinstance(self._request.transport, asyncio.Transport):
            self._request.transport.pause_reading()

    def say_goodbye(self, code: int) -> None:
        """Close the connection with a close frame."""
        self._goodbye = asyncio.create_task(self.socket.close(code=code))

    def follow(self, streams: Iterable[str]) -> None:
        """Add streams; those that belong to another route stay silent. On the private route a name is a listen key."""
        for name in streams:
            if self.route == "private" and not _is_stream(name):
                self.users[name] = _ALL_EVENTS
            else:
                self.streams.add(name)

    def leave(self, streams: Iterable[str]) -> None:
        """Remove streams and listen keys."""
        for name in streams:
            self.streams.discard(name)
            self.users.pop(name, None)

    def hears(self, stream: str) -> bool:
        """Whether the stream belongs to the route this socket came by."""
        return self.route == ("public" if PUBLIC.fullmatch(stream) else "market")


class StreamFaults(Protocol):
    """What stands between the streams and their sockets while faults are active."""

    def refused_handshake(self, address: str) -> web.Response | None:
        """How a new connection is refused, None when it is welcome."""

    def came(self, subscriber: Subscriber) -> None:
        """A connection has been opened."""

    def gone(self, subscriber: Subscriber) -> None:
        """A connection has ended."""

    def deliver(self, subscriber: Subscriber, stream: str, closing: bool, text: str) -> None:
        """Send a message, as the faults let it. closing: it closes a bar."""


class Streams:
    """All sockets. owner_of(listen key): name of the account whose valid key it is, else ""; stirred(): called when a socket
    asks for other streams; `faults` and whether messages have to pass them."""

    faults: StreamFaults | None = None
    tampered: bool = False

    def __init__(self, events: MarketEvents, owner_of: Callable[[str], str], stirred: Callable[[], None]) -> None:
        self.events, self._owner_of, self._stirred = events, owner_of, stirred
        self.subscribers: dict[Subscriber, None] = {}  # in order of arrival, so that a run can be repeated

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to market data."""
        return any(subscriber.streams for subscriber in self.subscribers)

    async def drained(self, longest_s: float) -> None:
        """Wait until no listener is far behind, at most so long: who stays behind will be cut."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + longest_s
        while any(subscriber.is_behind for subscriber in self.subscribers) and loop.time() < until_s:
            await asyncio.sleep(_DRAIN_S)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it ends."""
        if self.faults is not None and (refusal := self.faults.refused_handshake(request.remote or "")) is not None:
            return refusal
        socket = web.WebSocketResponse(autoping=True, compress=False)
        await socket.prepare(request)
        route = request.match_info.get("route", "") or "public"
        combined = request.match_info["mode"] == "stream"
        named = request.match_info.get("names", "")
        subscriber = Subscriber(socket, route, combined, _users(request, named), request)
        names = request.query.get("streams", "") if combined else named
        subscriber.follow(name for name in names.split("/") if _is_stream(name))
        self.subscribers[subscriber] = None
        if self.faults is not None:
            self.faults.came(subscriber)
        self._stirred()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    subscriber.send(json.dumps(_control(subscriber, message.data)))
                    self._stirred()
        finally:
            self.subscribers.pop(subscriber, None)
            subscriber.writer.cancel()
            if self.faults is not None:
                self.faults.gone(subscriber)
        return socket

    def drop(self) -> None:
        """Cut every connection."""
        for subscriber in list(self.subscribers):
            subscriber.cut()

    def user_event(self, owner: str, event: Document) -> None:
        """Send an event of an account to the sockets of its listen key."""
        for subscriber in self.subscribers:
            for key, wanted in subscriber.users.items():
                if self._owner_of(key) == owner and (not wanted or event["e"] in wanted):
                    self._send_private(subscriber, key, event)

    def key_expired(self, listen_key: str, event: Document) -> None:
        """Tell the sockets of a listen key that it has run out; nothing more comes on them."""
        for subscriber in self.subscribers:
            if listen_key in subscriber.users:
                self._send_private(subscriber, listen_key, event)

    def _send_private(self, subscriber: Subscriber, key: str, event: Document) -> None:
        text = json.dumps({"stream": key, "data": event} if subscriber.combined else event)
        self._send(subscriber, USER_PREFIX + event["e"], event, text)

    def _send(self, subscriber: Subscriber, stream: str, event: Any, text: str) -> None:
        if not self.tampered or self.faults is None:
            subscriber.send(text)
        else:
            closing = isinstance(event, dict) and bool(event.get("k", {}).get("x"))
            self.faults.deliver(subscriber, stream, closing, text)

    def market_moment(self, after_ms: int, ms: int) -> None:
        """The market has gone from `after_ms` to `ms`: send what is due to whoever asked for it. Trades and mark prices go out
        before the bar that they close, and at the start of a minute that bar before the first state of the new one."""
        wanted: dict[str, list[Subscriber]] = {}
        for subscriber in self.subscribers:
            for stream in subscriber.streams:
                if subscriber.hears(stream):
                    wanted.setdefault(stream, []).append(subscriber)
        for stream, event in self.events.between(wanted, after_ms, ms):
            bare = msgspec.json.encode(event).decode()
            wrapped = f'{{"stream":"{stream}","data":{bare}}}'
            for listener in wanted[stream]:
                self._send(listener, stream, event, wrapped if listener.combined else bare)


def _users(request: web.Request, named: str) -> dict[str, frozenset[str]]:
    """Listen keys of an address with the events that are wanted of each."""
    users: dict[str, frozenset[str]] = {named: _ALL_EVENTS} if named and not _is_stream(named) else {}
    newest = named
    for name, value in request.query.items():
        if name == "listenKey":
            newest, users[value] = value, _ALL_EVENTS
        elif name == "events" and newest in users:
            users[newest] = frozenset(value.split("/"))
    return users


def _is_stream(name: str) -> bool:
    """Whether a name is that of a market stream; else it is a listen key."""
    return "@" in name or name.startswith("!")


def _control(subscriber: Subscriber, text: str) -> Document:
    """Carry out a control message; the answer."""
    try:
        asked = json.loads(text)
    except ValueError:
        return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
    if not isinstance(asked, dict) or not _is_id(asked.get("id")):
        return {"error": {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}}
    method, parameters, result = asked.get("method"), asked.get("params", []), None
    if method == "LIST_SUBSCRIPTIONS":
        return {"result": sorted(subscriber.streams), "id": asked["id"]}
    if not isinstance(parameters, list) or (method in ("SUBSCRIBE", "UNSUBSCRIBE") and not all(
        isinstance(name, str) for name in parameters
    )):  # fmt: skip
        return {"error": {"code": 2, "msg": "Invalid request: params must be a list"}, "id": asked["id"]}
    if method == "SUBSCRIBE":
        subscriber.follow(parameters)
    elif method == "UNSUBSCRIBE":
        subscriber.leave(parameters)
    elif method == "SET_PROPERTY" and len(parameters) == 2 and parameters[0] == "combined":
        subscriber.combined = bool(parameters[1])
    elif method == "GET_PROPERTY" and parameters == ["combined"]:
        return {"result": subscriber.combined, "id": asked["id"]}
    else:
        return {"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}, "id": asked["id"]}
    return {"result": result, "id": asked["id"]}


def _is_id(value: object) -> bool:
    """The documents want an unsigned integer; the exchange's own SDK sends words, so those are taken as well."""
    if isinstance(value, str):
        return 0 < len(value) <= LONGEST_ID
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
