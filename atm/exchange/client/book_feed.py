"""Whole order books of the symbols that somebody asks for, and of no others: streams, local books and budgeted snapshots.

A thin shell around `local_book`. It has connections of its own, so that what is asked for here cannot disturb the bars.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

import msgspec

from atm.exchange.client.frames import UNREADABLE
from atm.exchange.client.handshake_pace import HandshakePace
from atm.exchange.client.local_book import DepthEvent, DepthSnapshot, LocalBook
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.stream_plan import WHOLE_BOOK_ROUTES, Connection
from atm.exchange.client.supervisor import StreamSupervisor, StreamTimes
from atm.ipc.messages import Event, WholeBook
from atm.model.errors import ATMError, Invalid

logger = logging.getLogger(__name__)

MOST_SYMBOLS = 50
MOST_LEVELS = 1_000
SNAPSHOTS_AT_ONCE = 2


class BookTimes(msgspec.Struct, frozen=True):
    """Seconds. lease: how long an ask holds; conflation: least time between two messages of a symbol; patience: wait for the
    first difference before a snapshot is asked for; retry_first, retry_longest: waits before another snapshot; lengthening: least
    time between two snapshots that are only to bring a book that is right more levels."""

    lease: float = 60.0
    conflation: float = 0.25
    patience: float = 0.5
    retry_first: float = 0.5
    retry_longest: float = 30.0
    lengthening: float = 30.0
    streams: StreamTimes = StreamTimes()


class DepthFrame(msgspec.Struct, gc=False):
    stream: str = ""
    data: DepthEvent | None = None


FRAMES = msgspec.json.Decoder(DepthFrame, strict=False)


class _Ask(msgspec.Struct):
    symbols: frozenset[str]
    levels: int
    until_s: float


class BookFeed:
    """Feeds `emit(event, key)` with `WholeBook` until `close`. Build inside a running loop.

    tap: gets every frame as it came, if there is one. pace: of all stream connections of this address. fail(error): told when the
    feed cannot go on."""

    def __init__(
        self,
        rest: FuturesClient,
        stream_base: str,
        emit: Callable[[Event, str], None],
        times: BookTimes | None = None,
        pace: HandshakePace | None = None,
        fail: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._rest, self._emit, self._fail = rest, emit, fail
        self.tap: Callable[[bytes], None] | None = None
        self._times = times or BookTimes()
        self._loop = asyncio.get_running_loop()
        self.books: dict[str, LocalBook] = {}
        self.snapshots = 0
        self.unreadable = 0
        self._asks: dict[str, _Ask] = {}
        self._levels: dict[str, int] = {}
        self._changed: set[str] = set()
        self._is_scheduled = False
        self._lengthened_s: dict[str, float] = {}
        self._mending: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(SNAPSHOTS_AT_ONCE)
        self._wanted = asyncio.Event()
        self.supervisor = StreamSupervisor(
            stream_base,
            self._sink,
            self._connection_changed,
            self._times.streams,
            routes=WHOLE_BOOK_ROUTES,
            is_held=lambda: rest.clock.is_held,
            pace=pace,
        )
        self._keeper = asyncio.create_task(self._keep())
        self._keeper.add_done_callback(self._keeper_ended)

    def follow(self, by: str, symbols: tuple[str, ...], levels: int) -> None:
        """Keep these books for `by` from now on, for the time of a lease. Raises Invalid."""
        if not 1 <= levels <= MOST_LEVELS:
            raise Invalid("levels", levels, f"1 to {MOST_LEVELS}")
        others = {name for key, ask in self._asks.items() if key != by for name in ask.symbols}
        if len(others.union(symbols)) > MOST_SYMBOLS:
            raise Invalid(
                "symbols", len(symbols), f"books of at most {MOST_SYMBOLS} symbols at a time, all askers together"
            )
        self._asks.pop(by, None)
        if symbols:
            self._asks[by] = _Ask(frozenset(symbols), levels, self._loop.time() + self._times.lease)
        self._wanted.set()

    def take_snapshots(self) -> None:
        """Ask for one of every book: whoever records from now on has no other to begin with."""
        for symbol, book in self.books.items():
            if symbol not in self._mending:
                self._begin(symbol, self._lengthen(symbol, book))

    async def close(self) -> None:
        """Stop everything."""
        tasks = [self._keeper, *self._mending.values()]
        for task in tasks:
            task.cancel()
        await self.supervisor.close()
        await asyncio.wait(tasks)

    # --- what is followed -------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Follow what is asked for; an ask ends when its lease does."""
        while True:
            now_s = self._loop.time()
            self._asks = {by: ask for by, ask in self._asks.items() if ask.until_s > now_s}
            self._levels = {}
            for ask in self._asks.values():
                for symbol in ask.symbols:
                    self._levels[symbol] = max(ask.levels, self._levels.get(symbol, 0))
            for symbol in self.books.keys() - self._levels.keys():
                del self.books[symbol]
                self._changed.discard(symbol)
                self._lengthened_s.pop(symbol, None)
                self._stop_mending(symbol)
            for symbol in self._levels.keys() - self.books.keys():
                self.books[symbol] = LocalBook()
            await self.supervisor.collect(sorted(self._levels))
            ends = min((ask.until_s for ask in self._asks.values()), default=None)
            try:
                async with asyncio.timeout(None if ends is None else max(0.0, ends - self._loop.time())):
                    await self._wanted.wait()
            except TimeoutError:
                continue
            self._wanted.clear()

    def _keeper_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("whole books are not followed any more", exc_info=error)
            self._fail(error)

    def _connection_changed(self, plan: Connection, opened: bool) -> None:
        if opened:
            return  # the ids say whether anything is missing
        for symbol in plan.symbols:
            if (book := self.books.get(symbol)) is not None:
                book.interrupt()
                self._stop_mending(symbol)
                self._touch(symbol)

    def _sink(self, frame: bytes, now_s: float) -> str:
        if self.tap is not None:
            self.tap(frame)
        try:
            message = FRAMES.decode(frame)
        except UNREADABLE:
            self.unreadable += 1
            return ""
        event = message.data
        if event is None or (book := self.books.get(event.symbol)) is None:
            return message.stream
        book.take(event)
        if event.symbol not in self._mending:
            if not book.is_synchronised:
                self._begin(event.symbol, self._synchronise(event.symbol, book))
            elif book.is_short(self._levels.get(event.symbol, 0)) and self._may_lengthen(event.symbol, now_s):
                self._begin(event.symbol, self._lengthen(event.symbol, book))
        self._touch(event.symbol)
        return message.stream

    # --- snapshots --------------------------------------------------------------------------------------------

    def _begin(self, symbol: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._mending[symbol] = task
        task.add_done_callback(lambda done: self._mended(symbol, done))

    def _stop_mending(self, symbol: str) -> None:
        if (task := self._mending.pop(symbol, None)) is not None:
            task.cancel()

    def _may_lengthen(self, symbol: str, now_s: float) -> bool:
        return now_s - self._lengthened_s.get(symbol, float("-inf")) >= self._times.lengthening

    async def _lengthen(self, symbol: str, book: LocalBook) -> None:
        """One snapshot for a book that is right."""
        self._lengthened_s[symbol] = self._loop.time()
        try:
            book.set_snapshot(await self._snapshot(symbol))
        except ATMError as error:
            logger.info("%s: no further levels of the book: %s", symbol, error)
        self._touch(symbol)

    async def _snapshot(self, symbol: str) -> DepthSnapshot:
        async with self._slots:
            self.snapshots += 1
            return await self._rest.order_book(symbol)

    def _mended(self, symbol: str, task: asyncio.Task[None]) -> None:
        if self._mending.get(symbol) is task:
            del self._mending[symbol]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the book of %s cannot be kept", symbol, exc_info=error)

    async def _synchronise(self, symbol: str, book: LocalBook) -> None:
        """Snapshots until the book is right again; at most two at a time over all symbols, within the rate budget. A difference
        that was only late comes within the first patience and makes one needless."""
        wait_s = self._times.patience
        while True:
            await asyncio.sleep(wait_s)
            if book.is_synchronised:
                break
            try:
                if book.set_snapshot(await self._snapshot(symbol)):
                    break
            except ATMError as error:
                logger.info("%s: no snapshot of the book: %s", symbol, error)
            wait_s = min(self._times.retry_longest, max(self._times.retry_first, 2 * wait_s))
        self._touch(symbol)

    # --- messages ---------------------------------------------------------------------------------------------

    def _touch(self, symbol: str) -> None:
        self._changed.add(symbol)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_later(self._times.conflation, self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        due, self._changed = self._changed & self.books.keys(), set()
        self._tell(due)

    def _tell(self, due: set[str]) -> None:
        """One book a turn of the loop: a large one takes a millisecond, in which nothing else happens."""
        symbol = due.pop() if due else ""
        if (book := self.books.get(symbol)) is not None:
            levels = self._levels.get(symbol, 0)
            short, (bids, asks) = book.is_short(levels), book.top(levels)
            state = book.time_ms, book.update_id, book.is_synchronised, book.gaps
            self._emit(WholeBook(symbol, *state, bids, asks, short), symbol)
        if due:
            self._loop.call_soon(self._tell, due)
