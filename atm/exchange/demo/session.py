"""A recorded session as a market that runs: its messages in their time, the books that they told, prices from its trades.

The index holds trades and bars; the file is read along once more, so that of the other messages only those are in memory that are
due.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from atm.exchange.client.answers import depth_snapshot
from atm.exchange.client.local_book import DepthEvent, LocalBook
from atm.exchange.demo.market import Market, ToldBook
from atm.exchange.demo.market_events import MarketEvents, Told
from atm.exchange.demo.minute import Minute, RecordedMinute
from atm.exchange.demo.session_index import SessionIndex, plain
from atm.exchange.demo.session_listing import listing
from atm.exchange.session_file import SessionLine
from atm.model.bars import Bars, Source, TimeRange
from atm.model.errors import ATMError
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS

logger = logging.getLogger(__name__)

MOST_PENDING, MOST_AT_ONCE = 500_000, 400
_LEVELS = 1_000


class _Top(msgspec.Struct, gc=False, rename={"update_id": "u", "bid": "b", "bid_quantity": "B", "ask": "a",
                                             "ask_quantity": "A"}):  # fmt: skip
    update_id: int
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float


_TOPS = msgspec.json.Decoder(_Top, strict=False)
_DEPTHS = msgspec.json.Decoder(DepthEvent, strict=False)


class _Books:
    """What was told of one symbol's book: differences, the best levels, the best prices."""

    def __init__(self) -> None:
        self.whole = LocalBook()
        self.levels: DepthEvent | None = None
        self.top: _Top | None = None

    def keep(self, line: SessionLine) -> None:
        """Best levels or best prices have been told."""
        if line.stream.endswith("@bookTicker"):
            self.top = _TOPS.decode(line.data)
        else:
            self.levels = _DEPTHS.decode(line.data)

    def told(self) -> ToldBook | None:
        """The fullest that is right now."""
        if self.whole.is_synchronised:
            bids, asks = self.whole.top(_LEVELS)
            return ToldBook(self.whole.update_id, bids, asks)
        if self.levels is not None:
            return ToldBook(self.levels.last_id, self.levels.bids, self.levels.asks)
        if self.top is not None:
            top = self.top
            return ToldBook(top.update_id, ((top.bid, top.bid_quantity),), ((top.ask, top.ask_quantity),))
        return None


class Session:
    """The file read along with the market. A bare depth snapshot is taken for that of the symbol whose differences came last."""

    def __init__(self, index: SessionIndex) -> None:
        self.index = index
        self.gaps = 0
        self._books: dict[str, _Books] = {}
        self._first: dict[str, ToldBook | None] = {}
        self._pending: deque[tuple[int, str, bytes]] = deque()
        self._lines = index.times()
        self._next = next(self._lines, None)
        self._newest = ""

    def symbols(self) -> list[str]:
        return self.index.symbols

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """From the first bar to the minute in which the session ends."""
        last_ms = max(*self.index.bars[symbol], self.index.end_ms)
        return (TimeRange(min(self.index.bars[symbol]), last_ms - last_ms % MINUTE_MS + MINUTE_MS),)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        bars = self.index.bars[symbol]
        return Bars.of([bars[ms] for ms in sorted(bars) if start_ms <= ms < end_ms], Source.STREAM)

    def advance(self, ms: int, most_pending: int = MOST_PENDING) -> None:
        """Read what had come up to a moment, or until so many messages are pending."""
        while self._next is not None and self._next[0] <= ms and len(self._pending) <= most_pending:
            at_ms, line, raw = self._next
            if line.stream:
                self._pending.append((at_ms, line.stream, bytes(line.data)))
                if len(self._pending) > MOST_PENDING:
                    self._pending.popleft()
            try:
                self._keep_book(line, raw)
            except (msgspec.DecodeError, ATMError) as error:
                logger.warning("a message of the recorded session cannot be read: %s", error)
            self._next = next(self._lines, None)

    def due_ms(self, after_ms: int, longest_ms: int) -> int:
        """How far to go from a moment: so far, or to where so many messages are due that listeners need a pause."""
        self.advance(after_ms + longest_ms, MOST_AT_ONCE)
        if len(self._pending) <= MOST_AT_ONCE:
            return after_ms + longest_ms
        return min(after_ms + longest_ms, max(after_ms + 1, self._pending[MOST_AT_ONCE][0]))

    def take(self, after_ms: int, ms: int) -> list[tuple[str, bytes]]:
        """(stream, payload) of the messages with after_ms < market time <= ms, each given once; older ones are passed over."""
        found: list[tuple[str, bytes]] = []
        while self._pending and self._pending[0][0] <= ms:
            at_ms, stream, data = self._pending.popleft()
            if at_ms > after_ms:
                found.append((stream, data))
        return found

    def book(self, symbol: str, ms: int) -> ToldBook | None:
        """The book as it was told up to a moment, or up to a later one that has been asked for before."""
        self.advance(ms)
        books = self._books.get(symbol)
        told = None if books is None else books.told()
        return told or self._first_told(symbol)

    def _first_told(self, symbol: str) -> ToldBook | None:
        """The first book that the session tells of a symbol, for the moments before it; None if it tells none."""
        if symbol not in self._first:
            books, name = _Books(), symbol.lower()
            self._first[symbol] = None
            told = {f"{name}@bookTicker", *(f"{name}@depth{levels}" for levels in (5, 10, 20))}
            if told & self.index.streams:
                for _, line, _ in self.index.times():
                    if plain(line.stream) in told:
                        books.keep(line)
                        self._first[symbol] = books.told()
                        break
        return self._first[symbol]

    def _keep_book(self, line: SessionLine, raw: bytes) -> None:
        address = urlsplit(line.request)
        if line.update_id and self._newest:
            self._snapshot(self._newest, raw)
        elif address.path.endswith("/depth"):
            self._snapshot(parse_qs(address.query).get("symbol", [""])[0], bytes(line.answer))
        elif line.stream:
            name, _, kind = plain(line.stream).partition("@")
            if kind == "depth":
                self._newest = name.upper()
                book = self._of(self._newest).whole
                gaps = book.gaps
                book.take(_DEPTHS.decode(line.data))
                self.gaps += book.gaps - gaps
            elif kind.startswith("depth") or (kind == "bookTicker" and name):
                self._of(name.upper()).keep(line)

    def _of(self, symbol: str) -> _Books:
        return self._books.setdefault(symbol, _Books())

    def _snapshot(self, symbol: str, answer: bytes) -> None:
        """Levels behind those of a snapshot are known as far as differences have told them since; nobody can be asked again."""
        self._of(symbol).whole.set_snapshot(depth_snapshot(msgspec.json.decode(answer), 0))


def recorded_session(
    path: Path, sample: tuple[Instrument, ...], sample_info: dict[str, Any]
) -> tuple[Session, tuple[Instrument, ...], dict[str, Any]]:
    """A session with its instruments and its exchangeInfo. Raises Invalid for a file that cannot be replayed."""
    index = SessionIndex(path)
    return Session(index), *listing(index, sample_info, sample)


class SessionMarket(Market):
    """One symbol of a session: its trades make the price, its book is the one that was told."""

    def __init__(self, instrument: Instrument, session: Session) -> None:
        super().__init__(instrument, session)
        self._session = session
        self._trades = session.index.trades.get(self.symbol)

    def told_book(self, ms: int) -> ToldBook | None:
        return self._session.book(self.symbol, ms)

    def pass_ends_ms(self, ms: int) -> int:
        """A session does not begin anew."""
        return self._session.index.end_ms

    def minute(self, ms: int) -> Minute:
        """A minute in which trades were recorded is traded as they were."""
        ordinal, open_ms, trades = self.recording.ordinal(ms), ms - ms % MINUTE_MS, self._trades
        if trades is None or ordinal in self._minutes:
            return super().minute(ms)
        first, stop = (bisect_left(trades.times, at_ms) for at_ms in (open_ms, open_ms + MINUTE_MS))
        if first == stop:
            return super().minute(ms)
        return self._remember(
            ordinal, RecordedMinute(self.recording.bar(ordinal), trades.between(first, stop), self._grid)
        )

    def minute_of_aggregate(self, aggregate_id: int) -> int:
        """Open time of the minute of the first recorded trade with this id or a later one."""
        trades = self._trades
        if trades is None:
            return super().minute_of_aggregate(aggregate_id)
        ms = trades.times[min(len(trades) - 1, bisect_left(trades.ids, aggregate_id))]
        return ms - ms % MINUTE_MS

    def first_trade_id(self, open_ms: int) -> int:
        """Id of the first recorded trade from a minute on."""
        trades = self._trades
        if trades is None or open_ms + MINUTE_MS <= trades.times[0]:
            return super().first_trade_id(open_ms)
        place = bisect_left(trades.times, open_ms)
        return trades.first_ids[place] if place < len(trades) else trades.last_ids[-1] + 1


class SessionEvents(MarketEvents):
    """Streams that were recorded say what was recorded, at its time; the others what follows from it, all but trades at most every
    `pace()` milliseconds of market time. Differences of a book that were not recorded are not made up."""

    def __init__(self, markets: Mapping[str, Market], session: Session, pace: Callable[[], float]) -> None:
        super().__init__(markets)
        self._session, self._pace = session, pace
        self._derived_ms = 0

    def between(self, streams: Iterable[str], after_ms: int, ms: int) -> list[tuple[str, Told]]:
        self._session.advance(ms)
        by_name: dict[str, list[str]] = {}
        derived: list[str] = []
        for stream in streams:
            name = plain(stream)
            by_name.setdefault(name, []).append(stream)
            if name not in self._session.index.streams and not name.endswith("@depth"):
                derived.append(stream)
        found: list[tuple[str, Told]] = [
            (stream, msgspec.Raw(data))
            for name, data in self._session.take(after_ms, ms)
            for stream in by_name.get(plain(name), ())
        ]
        for stream in derived:
            if stream.endswith("@aggTrade"):
                found += [(stream, event) for event in self._of(stream, after_ms, ms)]
        derived = [stream for stream in derived if not stream.endswith("@aggTrade")]
        if not 0 <= after_ms - self._derived_ms <= max(MINUTE_MS, 2 * self._pace()):
            self._derived_ms = after_ms
        if ms - self._derived_ms >= self._pace() or ms // MINUTE_MS != self._derived_ms // MINUTE_MS:
            found += super().between(derived, self._derived_ms, ms)
            self._derived_ms = ms
        return found
