"""The stream side of the demo exchange: subscriptions, control messages, and what is sent to whom.

A stream is only delivered on its own route; an address without a route delivers what belongs to /public, as on the real
exchange. A socket whose queue is full is too slow and is cut.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from atm.exchange.demo.documents import Document, money
from atm.exchange.demo.market import FUNDING_RATE, INTERVALS, Market, next_funding_ms, number
from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 2_000
_PUBLIC = re.compile(r"@(bookTicker|depth(5|10|20)(@\d+ms)?)$")
_DEPTH = re.compile(r"depth(5|10|20)(@\d+ms)?")


class Subscriber:
    """One socket with its queue. `user`: the listen key it was opened with, "" for market data."""

    def __init__(
        self, socket: web.WebSocketResponse, route: str, combined: bool, user: str, request: web.Request
    ) -> None:
        self.socket = socket
        self.route = route
        self.combined = combined
        self.user = user
        self.streams: set[str] = set()
        self._request = request
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LIMIT)
        self.writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            try:
                await self.socket.send_str(await self._queue.get())
            except (ConnectionError, RuntimeError):
                return  # the socket is closing; its reader ends as well

    def send(self, text: str) -> None:
        """Queue a message."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            logger.warning("a stream socket is too slow and is cut")
            self.cut()

    def cut(self) -> None:
        """Drop the connection at once, without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def follow(self, streams: Iterable[str]) -> None:
        """Add streams; those that belong to another route stay silent."""
        self.streams.update(streams)

    def hears(self, stream: str) -> bool:
        """Whether the stream belongs to the route this socket came by."""
        return self.route == ("public" if _PUBLIC.search(stream) else "market")


class Streams:
    """All sockets. `listen_key()`: the account's valid listen key, "" when there is none."""

    def __init__(self, markets: Mapping[str, Market], listen_key: Callable[[], str]) -> None:
        self._markets = markets
        self._listen_key = listen_key
        self.subscribers: set[Subscriber] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it ends."""
        socket = web.WebSocketResponse(autoping=True, compress=False)
        await socket.prepare(request)
        route = request.match_info.get("route", "") or "public"
        combined = request.match_info["mode"] == "stream"
        named = request.match_info.get("names", "")
        keys = request.query.get("listenKey", "")
        user = keys or (named if "@" not in named else "")
        subscriber = Subscriber(socket, route, combined, user, request)
        names = request.query.get("streams", "") if combined else named
        subscriber.follow(name for name in names.split("/") if "@" in name)
        self.subscribers.add(subscriber)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    subscriber.send(json.dumps(_control(subscriber, message.data)))
        finally:
            self.subscribers.discard(subscriber)
            subscriber.writer.cancel()
        return socket

    def drop(self) -> None:
        """Cut every connection."""
        for subscriber in list(self.subscribers):
            subscriber.cut()

    def user_event(self, event: Document) -> None:
        """Send an event of the account to the sockets of its listen key."""
        key = self._listen_key()
        for subscriber in self.subscribers:
            if key and subscriber.user == key:
                body: Any = {"stream": key, "data": event} if subscriber.combined else event
                subscriber.send(json.dumps(body))

    def market_moment(self, ms: int) -> None:
        """The market has reached `ms`: send what is due to whoever asked for it. At the start of a minute the closing bar of
        the last one goes out before the first state of the new one."""
        wanted: dict[str, list[Subscriber]] = {}
        for subscriber in self.subscribers:
            for stream in subscriber.streams:
                if subscriber.hears(stream):
                    wanted.setdefault(stream, []).append(subscriber)
        for stream, listeners in wanted.items():
            for event in self._events(stream, ms):
                bare = msgspec.json.encode(event).decode()
                wrapped = f'{{"stream":"{stream}","data":{bare}}}'
                for listener in listeners:
                    listener.send(wrapped if listener.combined else bare)

    def _events(self, stream: str, ms: int) -> list[Document]:
        name, _, kind = stream.partition("@")
        continuous = kind.startswith("continuousKline_")
        market = self._markets.get(name.removesuffix("_perpetual").upper() if continuous else name.upper())
        if market is None:
            return []
        if kind.startswith("kline_") or continuous:
            return _klines(market, kind.partition("_")[2], ms, continuous)
        if kind == "aggTrade":
            return [_trade(market, ms)]
        if kind in ("markPrice", "markPrice@1s"):
            return [_mark(market, ms)] if ms % 1000 == 0 else []
        if kind == "bookTicker":
            return [_book_ticker(market, ms)]
        depth = _DEPTH.fullmatch(kind)
        return [_depth(market, ms, int(depth[1]))] if depth else []


def _control(subscriber: Subscriber, text: str) -> Document:
    """Carry out a control message; the answer."""
    try:
        asked = json.loads(text)
    except ValueError:
        return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
    if not isinstance(asked, dict) or not isinstance(asked.get("id"), int):
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
        subscriber.streams.difference_update(parameters)
    elif method == "SET_PROPERTY" and len(parameters) == 2 and parameters[0] == "combined":
        subscriber.combined = bool(parameters[1])
    elif method == "GET_PROPERTY" and parameters == ["combined"]:
        return {"result": subscriber.combined, "id": asked["id"]}
    else:
        return {"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}, "id": asked["id"]}
    return {"result": result, "id": asked["id"]}


def _klines(market: Market, interval: str, ms: int, continuous: bool) -> list[Document]:
    minutes = INTERVALS.get(interval)
    if minutes is None:
        return []
    step, bars = minutes * MINUTE_MS, []
    if ms % step == 0:
        bars.append((market.closed(ms - step, minutes), True))
    bars.append((market.running(ms, minutes), False))
    return [_kline(market.symbol, interval, step, bar, closed, ms, continuous) for bar, closed in bars]


def _kline(symbol: str, interval: str, step: int, bar: Bar, closed: bool, ms: int, continuous: bool) -> Document:
    trades = int(bar.trades)
    first = bar.open_time // MINUTE_MS * 1_000_000
    body = {
        "t": bar.open_time, "T": bar.open_time + step - 1, "s": symbol, "i": interval, "f": first if trades else -1,
        "L": first + trades - 1 if trades else -1, "o": number(bar.open), "c": number(bar.close), "h": number(bar.high),
        "l": number(bar.low), "v": number(bar.volume), "n": trades, "x": closed, "q": number(bar.quote_volume),
        "V": number(bar.taker_buy_volume), "Q": number(bar.taker_buy_quote_volume), "B": "0",
    }  # fmt: skip
    if continuous:
        del body["s"]
        return {"e": "continuous_kline", "E": ms, "ps": symbol, "ct": "PERPETUAL", "k": body}
    return {"e": "kline", "E": ms, "s": symbol, "k": body}


def _trade(market: Market, ms: int) -> Document:
    bar = market.bar(ms - ms % MINUTE_MS)
    quantity = market.quantity_text(max(float(market.instrument.step_size), bar.volume / max(1.0, bar.trades)))
    price, falling = market.price(ms), market.price(ms) < market.price(ms - 1)
    # Ids are made of the time: they grow over restarts without being stored.
    return {"e": "aggTrade", "E": ms, "s": market.symbol, "a": ms, "p": market.price_text(price), "q": quantity,
            "nq": quantity, "f": ms, "l": ms, "T": ms, "m": falling, "st": 1}  # fmt: skip


def _mark(market: Market, ms: int) -> Document:
    mark = money(market.price(ms))
    return {"e": "markPriceUpdate", "E": ms, "s": market.symbol, "p": mark, "ap": mark, "i": mark, "P": mark,
            "r": money(FUNDING_RATE), "T": next_funding_ms(ms), "st": 1}  # fmt: skip


def _book_ticker(market: Market, ms: int) -> Document:
    (bid,), (ask,) = market.book(ms, 1)
    return {"e": "bookTicker", "u": ms, "E": ms, "T": ms, "s": market.symbol, "b": bid[0], "B": bid[1], "a": ask[0],
            "A": ask[1], "ps": market.symbol, "st": 1}  # fmt: skip


def _depth(market: Market, ms: int, levels: int) -> Document:
    bids, asks = market.book(ms, levels)
    return {"e": "depthUpdate", "E": ms, "T": ms, "s": market.symbol, "U": ms, "u": ms, "pu": ms - 1, "b": bids, "a": asks,
            "ps": market.symbol, "st": 1}  # fmt: skip
