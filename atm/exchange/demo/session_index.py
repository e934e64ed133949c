"""What is in the file of a recorded session, read once from its first line to its last: trades, bars and instruments.

Market time of a message is its time of receipt on the exchange's clock: moved by the largest lead that any message's event time has
of it. Of a market that did not run in real time (a demo exchange) it is the newest event time so far.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from atm.exchange.client.answers import kline_rows
from atm.exchange.client.frames import Kline
from atm.exchange.demo.minute import Aggregate
from atm.exchange.session_file import SessionLine, read_line, read_lines
from atm.model.bars import Bar
from atm.model.errors import ATMError, Invalid
from atm.model.interval import MINUTE_MS

_SPEED = re.compile(r"@\d+ms$")
_REAL_TIME = 0.25
"""A market whose rate differs from that of the local clock by less than this runs in real time."""
_TRADE, _AGGREGATE, _KLINE = "trade", "aggTrade", "kline_1m"


def plain(stream: str) -> str:
    """A stream's name without its speed: whoever asks for another speed is told what was recorded."""
    return _SPEED.sub("", stream)


class _Stamp(msgspec.Struct, gc=False):
    event_ms: int = msgspec.field(default=0, name="E")


def event_ms(data: bytes) -> int:
    """When an event says that it was made; 0 for one that does not."""
    try:
        return 0 if data.startswith(b"[") else _STAMPS.decode(data).event_ms
    except msgspec.DecodeError:
        return 0


class _Trade(msgspec.Struct, gc=False, rename={"event_ms": "E", "trade_id": "t", "price": "p", "quantity": "q",
                                               "time_ms": "T", "maker": "m"}):  # fmt: skip
    event_ms: int
    trade_id: int
    price: float
    quantity: float
    time_ms: int
    maker: bool


class _Aggregate(msgspec.Struct, gc=False, rename={"event_ms": "E", "trade_id": "a", "first_id": "f", "last_id": "l",
                                                   "price": "p", "quantity": "q", "time_ms": "T", "maker": "m"}):  # fmt: skip
    event_ms: int
    trade_id: int
    first_id: int
    last_id: int
    price: float
    quantity: float
    time_ms: int
    maker: bool


class _KlineEvent(msgspec.Struct, gc=False):
    event_ms: int = msgspec.field(name="E")
    kline: Kline = msgspec.field(name="k")


_STAMPS = msgspec.json.Decoder(_Stamp)
_TRADES = msgspec.json.Decoder(_Trade, strict=False)
_AGGREGATES = msgspec.json.Decoder(_Aggregate, strict=False)
_KLINES = msgspec.json.Decoder(_KlineEvent, strict=False)


class Trades:
    """Trades of one symbol in columns, by time and id."""

    def __init__(self) -> None:
        self.ids, self.first_ids, self.last_ids, self.times = (array("q") for _ in range(4))
        self.prices, self.quantities = array("d"), array("d")
        self.makers = bytearray()

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, each: _Trade | _Aggregate) -> None:
        """One that comes after all before it; a doubled or late one is left out."""
        if self.ids and (each.trade_id <= self.ids[-1] or each.time_ms < self.times[-1]):
            return
        first_id, last_id = (
            (each.first_id, each.last_id) if isinstance(each, _Aggregate) else (each.trade_id, each.trade_id)
        )
        self.ids.append(each.trade_id)
        self.first_ids.append(first_id)
        self.last_ids.append(last_id)
        self.times.append(each.time_ms)
        self.prices.append(each.price)
        self.quantities.append(each.quantity)
        self.makers.append(each.maker)

    def between(self, first: int, stop: int) -> list[Aggregate]:
        """Those at places first … stop − 1."""
        return [
            Aggregate(
                self.ids[at], self.prices[at], self.quantities[at], self.first_ids[at], self.last_ids[at], self.times[at],
                bool(self.makers[at]),
            )
            for at in range(first, stop)
        ]  # fmt: skip


class SessionIndex:
    """See the module. `offset_ms`: exchange time minus local time, None where it does not stay the same; `start_ms`, `end_ms`: market
    time of the first and the last line; `streams`: plain names of those recorded. Raises Invalid for a file without a market."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trades: dict[str, Trades] = {}
        self.bars: dict[str, dict[int, Bar]] = {}
        self.streams: set[str] = set()
        self.exchange_info: dict[str, Any] | None = None
        self.price_texts: dict[str, tuple[str, str]] = {}
        self.lines = self.unreadable = self.lost = 0
        self._single: dict[str, Trades] = {}
        self._lead_ms = float("-inf")
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        first_ns = last_ns = 0
        for received_ns, raw in read_lines(path):
            self.lines += 1
            first_ns, last_ns = first_ns or received_ns, received_ns
            line = read_line(raw)
            if line is None:
                self.unreadable += 1
            else:
                self._add(line, received_ns / 1e6)
        self.trades = {**self._single, **self.trades}
        if not self.trades and not self.bars:
            raise Invalid("recording", str(path), "a recorded session with trades or bars")
        self.offset_ms = self._offset_ms()
        self.start_ms, self.end_ms = self._span_ms(first_ns, last_ns)
        for symbol, trades in self.trades.items():
            _fill(self.bars.setdefault(symbol, {}), trades)

    @property
    def symbols(self) -> list[str]:
        """Those that have bars, sorted."""
        return sorted(symbol for symbol, bars in self.bars.items() if bars)

    def _offset_ms(self) -> float | None:
        if self._first is None:
            return 0.0
        (from_ms, first_ms), (to_ms, last_ms) = self._first, self._last
        rate = (last_ms - first_ms) / (to_ms - from_ms) if to_ms > from_ms else 1.0
        return self._lead_ms if abs(rate - 1) < _REAL_TIME else None

    def _span_ms(self, first_ns: int, last_ns: int) -> tuple[int, int]:
        if self.offset_ms is None and self._first is not None:
            return self._first[1], self._last[1]
        offset_ms = self.offset_ms or 0.0
        return int(first_ns / 1e6 + offset_ms), int(last_ns / 1e6 + offset_ms)

    def times(self) -> Iterator[tuple[int, SessionLine, bytes]]:
        """(market time, line, raw line) of the whole file once more; times never go back."""
        newest = self.start_ms
        for received_ns, raw in read_lines(self.path):
            if (line := read_line(raw)) is None:
                continue
            if self.offset_ms is not None:
                newest = max(newest, int(received_ns / 1e6 + self.offset_ms))
            elif line.stream:
                newest = max(newest, event_ms(bytes(line.data)))
            yield newest, line, raw

    def _add(self, line: SessionLine, received_ms: float) -> None:
        self.lost += line.lost
        if line.request:
            self._answer(line.request, bytes(line.answer))
        elif line.stream:
            self.streams.add(plain(line.stream))
            try:
                self._event(line.stream, bytes(line.data), received_ms)
            except msgspec.DecodeError:
                self.unreadable += 1

    def _event(self, stream: str, data: bytes, received_ms: float) -> None:
        name, _, kind = stream.partition("@")
        symbol = name.upper()
        if kind == _AGGREGATE:
            each = _AGGREGATES.decode(data)
            self.trades.setdefault(symbol, Trades()).add(each)
        elif kind == _TRADE:
            one = _TRADES.decode(data)
            self._single.setdefault(symbol, Trades()).add(one)
        elif kind == _KLINE:
            k = _KLINES.decode(data).kline
            if k.closed:
                row = (k.open, k.high, k.low, k.close, k.volume, k.quote_volume, float(k.trades))
                bar = Bar(k.open_time, *row, k.taker_buy_volume, k.taker_buy_quote_volume)
                self.bars.setdefault(symbol, {})[k.open_time] = bar
        told_ms = event_ms(data)
        if told_ms:
            self._lead_ms = max(self._lead_ms, told_ms - received_ms)
            self._first = self._first or (received_ms, told_ms)
            self._last = (received_ms, max(told_ms, self._last[1]))
        if kind in (_AGGREGATE, _TRADE) and symbol not in self.price_texts:
            told = msgspec.json.decode(data)
            self.price_texts[symbol] = (str(told["p"]), str(told["q"]))

    def _answer(self, request: str, answer: bytes) -> None:
        address = urlsplit(request)
        name, asked = address.path.rsplit("/", 1)[-1], parse_qs(address.query)
        try:
            if name == "exchangeInfo":
                self.exchange_info = msgspec.json.decode(answer, type=dict[str, Any])
            elif name == "klines" and asked.get("interval") == ["1m"]:
                bars = self.bars.setdefault(asked.get("symbol", [""])[0], {})
                for bar, _ in kline_rows(msgspec.json.decode(answer))[:-1]:  # the last one may still run
                    bars[bar.open_time] = bar
        except (msgspec.DecodeError, ATMError):
            self.unreadable += 1


def _fill(bars: dict[int, Bar], trades: Trades) -> None:
    """Make the bars of minutes of which there are trades but no bar."""
    place = 0
    while place < len(trades):
        open_ms = trades.times[place] - trades.times[place] % MINUTE_MS
        stop = place
        while stop < len(trades) and trades.times[stop] < open_ms + MINUTE_MS:
            stop += 1
        if open_ms not in bars:
            bars[open_ms] = _bar(open_ms, trades.between(place, stop))
        place = stop


def _bar(open_ms: int, traded: list[Aggregate]) -> Bar:
    prices = [each.price for each in traded]
    bought = [each for each in traded if not each.buyer_is_maker]
    count = sum(each.last_id - each.first_id + 1 for each in traded)
    sums = [round(sum(values), 8) for values in (
        (each.quantity for each in traded), (each.quantity * each.price for each in traded),
        (each.quantity for each in bought), (each.quantity * each.price for each in bought),
    )]  # fmt: skip
    return Bar(
        open_ms, prices[0], max(prices), min(prices), prices[-1], sums[0], sums[1], float(count), sums[2], sums[3]
    )
