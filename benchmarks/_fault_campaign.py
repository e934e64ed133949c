"""One run of the fault campaign: client and demo exchange in one thread and in virtual time, faults by number, then a calm, then
the checks. The same seed is the same run.

Even seeds have faults of one kind, one after the other with quiet between them, so that recovery can be told by kind; odd
seeds have faults of all kinds at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from atm.exchange.client.book_feed import BookFeed, BookTimes
from atm.exchange.client.feed import MarketFeed
from atm.exchange.client.frames import Level
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials
from atm.exchange.demo.account import Account
from atm.exchange.demo.book import Book, book_at, level_texts
from atm.exchange.demo.fault_schedule import schedule
from atm.exchange.demo.faults import FaultWish
from atm.exchange.demo.market import Market
from atm.exchange.demo.server import DemoExchange, DemoExchangeOptions, serving
from atm.ipc.messages import BookTop, ClosedBar, Event, MarkPrice, OpenBar
from atm.ipc.virtual_loop import VirtualRunner
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.fault import Fault, FaultKind, fields_of
from atm.model.interval import MINUTE_MS
from atm.storage.market_store import MarketStore
from atm.storage.sample import load_exchange_info, load_instruments
from benchmarks._fault_account import AccountFacts, AccountMirror, Trader

ASSETS = Path(__file__).parents[1] / "assets"
SYMBOLS = ("NEARUSDT", "FILUSDT")
BOOK, BOOK_LEVELS, LEASE_S = "NEARUSDT", 200, 20.0
T0 = 1_694_131_200_000  # 2023-09-08 00:00 UTC
BEFORE, AFTER = 120, 120
FILLED_MINUTES = 5
SHORTEST_MS = 1_000
UPDATE_MS = 1_000.0
WARM_UP_S, FAULTS_S, CALM_S = 45.0, 360.0, 165.0
QUIET_S = 40.0
"""Between two faults of one kind."""
BOOK_STALE_MS = 2_500.0
LOOK_S = 0.25
BAR_GRACE_MS = 500.0
STALE_S = {OpenBar: 2.5, MarkPrice: 2.5, BookTop: 2.5}
MIXED = "several at once"
KINDS = tuple(FaultKind)
_minutes: Any = None
"""Of this process, read when first wanted."""


class Recovery(msgspec.Struct, frozen=True):
    """seconds: from the end of a fault (or of several that overlap) until the data were complete; None when the next fault
    came before that."""

    kind: str
    seconds: float | None


class Verdict(msgspec.Struct, frozen=True):
    """What one run showed. kind: of its faults, `MIXED` for an odd seed. bar_delay_s: of the latest bar, after its end."""

    seed: int
    kind: str
    faults: int
    problems: tuple[str, ...]
    recoveries: tuple[Recovery, ...]
    bar_delay_s: float
    repaired_bars: int
    bars: int


class _Minutes:
    """Four hours of the sample in memory: runs begin at once."""

    def __init__(self) -> None:
        store = MarketStore(ASSETS / "sample")
        self._range = TimeRange(T0 - BEFORE * MINUTE_MS, T0 + AFTER * MINUTE_MS)
        self._bars = {symbol: store.read(symbol, self._range.start_ms, self._range.end_ms) for symbol in SYMBOLS}

    def symbols(self) -> list[str]:
        return list(SYMBOLS)

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        return (self._range,)

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars:
        return self._bars[symbol].between(start_ms, end_ms)


class _Listener:
    """Takes what the feed tells: bars with the moment of their arrival, and when each kind was told last."""

    def __init__(self, wall_ms: Callable[[], float]) -> None:
        self._wall_ms = wall_ms
        self.bars: dict[str, list[tuple[ClosedBar, float]]] = {symbol: [] for symbol in SYMBOLS}
        self.told: dict[tuple[type[Event], str], float] = {}

    def __call__(self, event: Event, key: str) -> None:
        now_ms = self._wall_ms()
        if isinstance(event, ClosedBar):
            self.bars[event.symbol].append((event, now_ms))
        self.told[type(event), key] = now_ms

    def lacks(self, feed: MarketFeed) -> str:
        """What is missing now, "" when the data are complete."""
        now_ms = self._wall_ms()
        over_ms = (now_ms - BAR_GRACE_MS) // MINUTE_MS * MINUTE_MS
        for symbol in SYMBOLS:
            bars = self.bars[symbol]
            if not bars or bars[-1][0].bar.open_time + MINUTE_MS < over_ms:
                return f"a bar of {symbol}"
            for kind, stale_s in STALE_S.items():
                if now_ms - self.told.get((kind, symbol), 0.0) > stale_s * 1000:
                    return f"{kind.__name__} of {symbol}"
        state = feed.state()
        return "" if state.state == "connected" else f"connection: {state.state} ({state.reason})"


class _Recoveries:
    """Measures how long after each fault the data are complete again."""

    def __init__(self, faults: Iterable[Fault], begin_ms: float) -> None:
        self.found: list[Recovery] = []
        self._episodes = list(_episodes(faults, begin_ms))
        self._open: tuple[str, float] | None = None

    def look(self, now_ms: float, lacks: Callable[[], str]) -> None:
        """To be called again and again; lacks(): what is missing now, only asked while that matters."""
        while self._episodes and self._episodes[0][2] <= now_ms:
            kind, _, end_ms = self._episodes.pop(0)
            self._close(None)
            self._open = (kind, end_ms)
        if self._open is None:
            return
        if not lacks():
            self._close((now_ms - self._open[1]) / 1000)
        elif self._episodes and self._episodes[0][1] <= now_ms:
            self._close(None)

    def _close(self, seconds: float | None) -> None:
        if self._open is not None:
            self.found.append(Recovery(self._open[0], seconds))
            self._open = None


def _episodes(faults: Iterable[Fault], begin_ms: float) -> Iterable[tuple[str, float, float]]:
    """(kind, begin, end) of faults that overlap, as one."""
    running: tuple[str, float, float] | None = None
    for fault in sorted(faults, key=lambda each: each.at_ms):
        start_ms = begin_ms + fault.at_ms
        end_ms = start_ms + fault.duration_ms
        if running is not None and start_ms <= running[2]:
            running = (running[0] if running[0] == fault.kind.value else MIXED, running[1], max(running[2], end_ms))
            continue
        if running is not None:
            yield running
        running = (fault.kind.value, start_ms, end_ms)
    if running is not None:
        yield running


def faults_of(seed: int, kinds: tuple[FaultKind, ...] = KINDS) -> tuple[str, tuple[Fault, ...]]:
    """(kind, faults) of a seed. Of one kind, every second fault covers the end of a minute, where most is at stake."""
    if seed % 2:
        return MIXED, schedule(seed, round(FAULTS_S * 1000), kinds)
    kind = kinds[seed // 2 % len(kinds)]
    kept: list[Fault] = []
    free_ms = 0.0
    for fault in schedule(seed, round(FAULTS_S * 1000), (kind,)):
        if fault.at_ms < free_ms:
            continue
        if len(kept) % 2 == 0:
            end_ms = fault.at_ms + MINUTE_MS - (fault.at_ms + round(WARM_UP_S * 1000)) % MINUTE_MS
            fault = msgspec.structs.replace(fault, at_ms=max(0, end_ms - max(SHORTEST_MS, fault.duration_ms) // 2))
        if fault.at_ms + fault.duration_ms <= FAULTS_S * 1000:
            kept.append(fault)
            free_ms = fault.at_ms + fault.duration_ms + QUIET_S * 1000
    return kind.value, tuple(kept)


def run(seed: int, minutes: Any, kinds: tuple[FaultKind, ...] = KINDS) -> Verdict:
    """One schedule from beginning to end. minutes: of `market`, shared by all runs."""
    random.seed(seed)
    with VirtualRunner(T0) as runner:
        return runner.run(_Run(seed, kinds, runner.wall_ms).run(minutes))


def play(seeds: range) -> list[tuple[Verdict, int, float]]:
    """(verdict, process, MB resident afterwards) of some seeds, in a process that has played others before."""
    global _minutes
    if _minutes is None:
        logging.disable(logging.CRITICAL)  # what the faults cause is logged by the thousand
        _minutes = market()
    played = []
    for seed in seeds:
        verdict = run(seed, _minutes)
        played.append((verdict, os.getpid(), _resident_mb()))
    return played


def _resident_mb() -> float:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if status.exists() else 0.0


def market() -> _Minutes:
    """The recording for `run`."""
    return _Minutes()


class _Run:
    def __init__(self, seed: int, kinds: tuple[FaultKind, ...], wall_ms: Callable[[], float]) -> None:
        self._seed, self._wall_ms = seed, wall_ms
        self._kind, self._faults = faults_of(seed, kinds)
        self._listener = _Listener(wall_ms)
        self._problems: list[str] = []

    async def run(self, minutes: _Minutes) -> Verdict:
        options = DemoExchangeOptions(speed=1.0, start_ms=T0, update_ms=UPDATE_MS)
        instruments = tuple(each for each in load_instruments(ASSETS) if each.symbol in SYMBOLS)
        self._exchange = DemoExchange(options, minutes, instruments, load_exchange_info(ASSETS), self._wall_ms)
        async with serving(self._exchange, options) as addresses:
            alone = len(asyncio.all_tasks())
            self._client = FuturesClient(addresses, Credentials("demo", "demo"), self._wall_ms)
            self._feed = MarketFeed(self._client, addresses.stream, "demo", self._listener)
            self._books = BookFeed(self._client, addresses.stream, self._listener, BookTimes(conflation=1.0))
            self._feed.at_return.append(self._books.supervisor.hurry)
            self._mirror = AccountMirror(self._client, addresses.stream)
            self._feed.at_return.append(self._mirror.stream.hurry)
            try:
                recoveries = await self._live()
                async with FuturesClient(addresses, None, self._wall_ms) as other:
                    await self._check(other)
            finally:
                await self._mirror.close()
                await self._books.close()
                await self._feed.close()
                await self._client.close()
            await asyncio.sleep(5.0)
            left = [str(task.get_coro()) for task in asyncio.all_tasks()]
            self._expect(len(left) <= alone, f"tasks left behind: {len(left)} instead of {alone}: {left}")
        return self._verdict(recoveries)

    async def _live(self) -> tuple[Recovery, ...]:
        """Warm up, faults, calm."""
        await self._feed.collect(SYMBOLS, dict.fromkeys(SYMBOLS, T0 - FILLED_MINUTES * MINUTE_MS))
        self._books.follow("campaign", (BOOK,), BOOK_LEVELS)
        await asyncio.sleep(WARM_UP_S)
        self._expect(not (lack := self._lacks()), f"before any fault there is missing: {lack}")
        before = _tasks()
        trader = Trader(self._client, SYMBOLS, self._price, self._seed)
        begin_ms = self._wall_ms()
        for fault in self._faults:
            self._exchange.faults.command(FaultWish(fault=_written(fault)))
        recoveries = _Recoveries(self._faults, begin_ms)
        await self._watch(recoveries, begin_ms + FAULTS_S * 1000)
        stopping = asyncio.create_task(trader.stop())
        end_ms = begin_ms + (FAULTS_S + CALM_S) * 1000
        await self._watch(recoveries, end_ms - 5_000)
        self._expect(stopping.done(), "an order is not known at the end of the calm")
        fewest = _tasks()
        while self._wall_ms() < end_ms:
            await asyncio.sleep(LOOK_S)
            fewest &= _tasks()
        self._expect(not (lack := self._lacks()), f"after the calm there is missing: {lack}")
        self._expect(not (grown := fewest - before), f"tasks have grown: {dict(grown)}")
        self._check_orders(trader.sent)
        return tuple(recoveries.found)

    async def _watch(self, recoveries: _Recoveries, until_ms: float) -> None:
        lease_ms = 0.0
        while self._wall_ms() < until_ms:
            if self._wall_ms() >= lease_ms:
                lease_ms = self._wall_ms() + LEASE_S * 1000
                self._books.follow("campaign", (BOOK,), BOOK_LEVELS)
            await asyncio.sleep(LOOK_S)
            recoveries.look(self._wall_ms(), self._lacks)

    def _lacks(self) -> str:
        """What is missing now, "" when everything is complete."""
        if lack := self._listener.lacks(self._feed):
            return lack
        if lack := self._lacks_of_book():
            return lack
        if not self._mirror.is_settled:
            return f"the account is asked for ({self._mirror.stream.reason})"
        known, true = self._mirror.facts(), _facts(self._exchange.engine.state.accounts["demo"])
        return "" if _same(known, true) else f"the account is not {true} but {known}"

    def _lacks_of_book(self) -> str:
        book = self._books.books.get(BOOK)
        if book is None or not book.is_synchronised:
            return f"the book of {BOOK} is not synchronised"
        if self._wall_ms() - book.time_ms > BOOK_STALE_MS:
            return f"the book of {BOOK} is {self._wall_ms() - book.time_ms:.0f} ms old"
        market = self._exchange.markets[BOOK]
        true = book_at(market, book.update_id, BOOK_LEVELS)
        return "" if book.top(BOOK_LEVELS) == _priced(market, true) else f"the book of {BOOK} differs"

    def _price(self, symbol: str) -> float:
        return self._exchange.markets[symbol].price(int(self._wall_ms()))

    def _verdict(self, recoveries: tuple[Recovery, ...]) -> Verdict:
        told = [entry for bars in self._listener.bars.values() for entry in bars]
        live = [entry for entry in told if entry[0].bar.open_time >= T0]
        delay_ms = max(arrived - event.bar.open_time - MINUTE_MS for event, arrived in live)
        repaired = sum(event.source == Source.REST for event, _ in live)
        return Verdict(
            self._seed, self._kind, len(self._faults), tuple(self._problems), recoveries, delay_ms / 1000, repaired,
            len(live),
        )  # fmt: skip

    async def _check(self, other: FuturesClient) -> None:
        """What must hold after the calm."""
        await other.synchronise()
        for symbol in SYMBOLS:
            await self._check_bars(symbol, other)
        reduction = self._feed.reduction
        self._expect(not reduction.closed and not reduction.later, "bars wait in the reduction")
        held = sorted(symbol for symbol, sequence in self._feed.sequences.items() if not sequence.complete)
        self._expect(not held, f"sequences are not complete: {held}")

    def _check_orders(self, sent: dict[str, str]) -> None:
        """What the trader believes of each order is so, and none is there twice."""
        account = self._exchange.engine.state.accounts["demo"]
        there = Counter(order.client_order_id for order in (*account.old_orders, *account.open_orders.values()))
        for client_id, belief in sent.items():
            right = there[client_id] == (1 if belief == "done" else 0)
            self._expect(right, f"the order {client_id} is believed {belief} and there {there[client_id]} times")

    async def _check_bars(self, symbol: str, other: FuturesClient) -> None:
        events = [event for event, _ in self._listener.bars[symbol]]
        last_ms = (self._wall_ms() - BAR_GRACE_MS) // MINUTE_MS * MINUTE_MS
        begin_ms = T0 - (FILLED_MINUTES - 1) * MINUTE_MS
        truth = await other.klines(symbol, begin_ms, int(last_ms))
        told = [event.bar.open_time for event in events]
        true = [bar.open_time for bar in truth]
        self._expect(told == true, f"bars of {symbol}: {_difference(told, true)}")
        by_time = {bar.open_time: bar for bar in truth}
        for event in events:
            bar = by_time.get(event.bar.open_time)
            if bar is not None and not _equal(event.bar, bar):
                self._problems.append(f"the bar {_minute(bar.open_time)} of {symbol} differs: {event.bar} not {bar}")

    def _expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self._problems.append(problem)


def _written(fault: Fault) -> dict[str, Any]:
    """As a command takes it: only the fields of its kind, whole numbers as such."""
    given, fields = msgspec.to_builtins(fault), fields_of(fault.kind)
    values = {name: int(given[name]) if field.kind == "whole" else given[name] for name, field in fields.items()}
    return {"kind": given["kind"], **values}


def _facts(account: Account) -> AccountFacts:
    """The exchange's own."""
    positions = {symbol: each.amount for symbol, each in account.positions.items() if each.amount}
    return {"USDT": account.balance()}, positions, {order.client_order_id for order in account.open_orders.values()}


def _priced(market: Market, book: Book) -> tuple[tuple[Level, ...], ...]:
    """As a client reads it."""
    sides = (level_texts(market, side) for side in (book.bids, book.asks))
    return tuple(tuple((float(price), float(quantity)) for price, quantity in side) for side in sides)


def _same(known: AccountFacts, true: AccountFacts) -> bool:
    return known[1:] == true[1:] and abs(known[0].get("USDT", 0.0) - true[0]["USDT"]) < 1e-6


def _tasks() -> Counter[str]:
    """Tasks by what they run, without the server's for each HTTP connection that the client keeps open."""
    found = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())  # type: ignore[union-attr]
    del found["RequestHandler.start"]
    return found


def _minute(ms: int) -> str:
    return f"{(ms - T0) // MINUTE_MS:+d}"


def _difference(told: list[int], true: list[int]) -> str:
    missing = [_minute(ms) for ms in true if ms not in set(told)]
    more = [_minute(ms) for ms in told if ms not in set(true)]
    twice = [_minute(ms) for ms, count in Counter(told).items() if count > 1]
    return f"missing {missing}, not the exchange's {more}, twice {twice}, in order {told == sorted(told)}"


def _equal(told: Bar, true: Bar) -> bool:
    return all(abs(a - b) <= 1e-9 * max(1.0, abs(b)) for a, b in zip(told.row(), true.row(), strict=True))
