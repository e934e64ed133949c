"""The demo exchange as a server: REST and streams on one port of the loopback, and the task that moves the market."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from atm.exchange.demo import administration, control, documents, passage, state_file
from atm.exchange.demo.access import RateLimits, weight_limit
from atm.exchange.demo.clock import DEFAULT_START_MS, MarketClock
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.fault_effects import FaultEffects
from atm.exchange.demo.faults import Faults, FaultWish
from atm.exchange.demo.market import Market
from atm.exchange.demo.market_events import MarketEvents
from atm.exchange.demo.minute import FIRST_EXTREME_MS, SECOND_EXTREME_MS
from atm.exchange.demo.recording import BarSource
from atm.exchange.demo.rest import Rest
from atm.exchange.demo.rules import Rules
from atm.exchange.demo.session import Session, SessionEvents, SessionMarket
from atm.exchange.demo.streams import Streams
from atm.model.demo_state import DemoState
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid
from atm.model.fault import FaultSchedule
from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS, MINUTE_MS, format_time

logger = logging.getLogger(__name__)

UPDATE_WALL_MS = 250.0
SESSION_WALL_MS = 10.0
"""Messages of a recorded session are sent on time to so much. None is left out: where listeners cannot follow they come later."""
LONGEST_DRAIN_S = 5.0
SESSION_LEAD_MS = 100
"""Requests see so much more of a recorded session than its listeners."""
HEARTBEAT_S = 2.0
SILENT_BEHIND_MS = 10_000.0
JUMP_SLICE_MS = DAY_MS
"""A jump goes in such steps, between which others are served."""


class DemoExchangeOptions(msgspec.Struct, frozen=True):
    """port 0: any free one. speed: market time per real time, 1 to 1000. start_ms: market time of a first start.
    home: folder of the state file; None keeps nothing. faults: of this schedule, from the beginning. update_ms: streams move
    once in so much real time."""

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 60.0
    start_ms: int | None = None
    home: Path | None = None
    faults: FaultSchedule | None = None
    update_ms: float = UPDATE_WALL_MS


def wall_ms() -> float:
    """Unix ms of this machine's clock."""
    return time.time() * 1000


class DemoExchange:
    """Clock, accounts, REST and streams put together. wall_ms(): the clock that stands for real time, Unix ms."""

    def __init__(
        self,
        options: DemoExchangeOptions,
        source: BarSource,
        instruments: tuple[Instrument, ...],
        exchange_info: dict[str, Any],
        wall_ms: Callable[[], float] = wall_ms,
    ) -> None:
        self._wall_ms = wall_ms
        self._update_ms = options.update_ms
        recorded = set(source.symbols())
        self._session = source if isinstance(source, Session) else None
        self.markets = {entry.symbol: market_of(entry, source) for entry in instruments if entry.symbol in recorded}
        if not self.markets:
            raise Invalid("source", sorted(recorded), "a store with bars of at least one known instrument")
        symbols = [entry for entry in exchange_info["symbols"] if entry["symbol"] in self.markets]
        self._path = options.home / state_file.NAME if options.home is not None and self._session is None else None
        start_ms = DEFAULT_START_MS if options.start_ms is None else options.start_ms
        if self._session is not None:
            start_ms = self._session.index.start_ms - 1
        fresh = MarketClock(float(start_ms), self._wall_ms()).with_speed(self._wall_ms(), options.speed)
        self.clock, state = state_file.restored(self._path, fresh, set(self.markets), self._wall_ms())
        rules = {entry["symbol"]: Rules.of(entry) for entry in symbols}
        self.engine = Engine(
            self.markets, rules, state, self._emit, lambda event: self.streams.events.liquidated(event)
        )
        passage.compile_kernels(self.engine)
        info = {**exchange_info, "symbols": symbols}
        self.rest = Rest(
            self.engine, info, RateLimits(weight_limit(info)), self._present_ms, wall_ms,
            lambda: self.clock.speed == 1 and not self.clock.paused, self._after_request,
        )  # fmt: skip
        self._stirred = asyncio.Event()
        self._awaits_listener = self._session is not None
        if self._session is not None:
            self.clock = MarketClock(float(start_ms), self._wall_ms(), options.speed, paused=True)
        self.streams = Streams(self._events(), self.rest.owner_of, self._stirred.set)
        self._streamed_ms = self.clock.at(self._wall_ms())
        self.faults = Faults(
            self.streams, self.rest, lambda faults: FaultEffects(faults, self.engine, rules, info), self._present_ms,
            self.end_keys, wall_ms,
        )  # fmt: skip
        if options.faults is not None:
            self.faults.command(FaultWish(schedule=options.faults))

    def _events(self) -> MarketEvents:
        if self._session is None:
            return MarketEvents(self.markets)
        return SessionEvents(self.markets, self._session, lambda: UPDATE_WALL_MS * self.clock.speed)

    def _emit(self, account: Any, event: documents.Document) -> None:
        self.streams.user_event(account.name, event)

    # --- state ------------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Write the state file."""
        self.engine.changed = False
        if self._path is not None:
            state_file.keep(self._path, self.clock, self.engine.state, self._wall_ms())

    def _after_request(self) -> None:
        """A signed request may have changed something that must be kept, or given the market something to do."""
        if self.engine.changed:
            self.keep()
            self._stirred.set()

    async def heartbeat(self) -> None:
        """Every two seconds: keep the state and end the streams of listen keys that have run out."""
        while True:
            self.end_keys()
            self.keep()
            await asyncio.sleep(HEARTBEAT_S)

    def end_keys(self) -> None:
        """End the streams of listen keys that have run out."""
        for account, key in self.rest.expired():
            self.streams.key_expired(key, documents.key_expired_event(key, self.clock.at(self._wall_ms())))
            logger.info("the listen key of account %s has expired", account.name)

    # --- market -----------------------------------------------------------------------------------------------

    def _present_ms(self) -> int:
        """Market time, once everything has happened up to it."""
        self._hold_at_end()
        now_ms = self.clock.at(self._wall_ms())
        if self._session is not None and self.streams.wanted:
            now_ms = min(now_ms, self._streamed_ms + SESSION_LEAD_MS)  # requests do not see what listeners wait for
        self._advance(now_ms)
        return now_ms

    def _hold_at_end(self) -> None:
        """A recorded session does not go on behind its last message."""
        wall = self._wall_ms()
        if self._session is not None and self.clock.at(wall) >= (end_ms := self._session.index.end_ms):
            self.clock = MarketClock(float(end_ms), wall, self.clock.speed, paused=True)

    def _advance(self, ms: int) -> None:
        """Let everything happen up to a moment, and keep it before anybody hears of more."""
        passage.advance(self.engine, ms)
        if self.engine.changed:
            self.keep()

    async def run(self) -> None:
        """Move the market from one due moment to the next; while nobody listens and nothing is at stake, wait. A recorded session
        waits for its first listener, so that the first message is not missed."""
        while True:
            self._stirred.clear()
            if self._awaits_listener and self.streams.wanted:
                self._awaits_listener = False
                self.clock = self.clock.with_pause(self._wall_ms(), False)
            if not self.streams.wanted and not passage.is_busy(self.engine):
                await self._stirred.wait()
                self._streamed_ms = max(self._streamed_ms, self.clock.at(self._wall_ms()))
                continue
            due_ms = self._due_ms()
            if self.clock.paused and due_ms > self.clock.market_ms:
                if self._session is not None and self._streamed_ms < self.clock.market_ms:
                    self._step(int(self.clock.market_ms), silent=False)  # the last messages before the end
                    continue
                await self._stirred.wait()
                continue
            late_ms = self._wall_ms() - self.clock.wall_of(due_ms)
            if late_ms < 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(-late_ms / 1000):
                        await self._stirred.wait()
                continue
            self._step(due_ms, silent=self._session is None and late_ms > SILENT_BEHIND_MS)
            await asyncio.sleep(0)
            if self._session is not None:
                await self.streams.drained(LONGEST_DRAIN_S)

    def _due_ms(self) -> int:
        """The next moment at which streams move."""
        self._hold_at_end()
        if self._session is None:
            return next_moment(self._streamed_ms, self.clock.speed, self._update_ms)
        return self._session.due_ms(self._streamed_ms, max(1, round(SESSION_WALL_MS * self.clock.speed)))

    def _step(self, ms: int, silent: bool) -> None:
        """`silent`: so far behind (the machine slept) that streaming every moment would only flood the sockets."""
        self._advance(ms)
        if not silent:
            self.streams.market_moment(self._streamed_ms, ms)
        self._streamed_ms = ms

    # --- control ----------------------------------------------------------------------------------------------

    def set_speed(self, speed: float) -> None:
        """Let the market run at another speed from now on. Raises Invalid."""
        self._set_clock(self.clock.with_speed(self._wall_ms(), speed))

    def set_pause(self, paused: bool) -> None:
        """Hold the market, or let it go on."""
        self._set_clock(self.clock.with_pause(self._wall_ms(), paused))

    def step(self, minutes: int) -> None:
        """Hold the market, that many minutes later: what happens in them is streamed at once."""
        held = self.clock.with_pause(self._wall_ms(), True)
        self._set_clock(held.moved(self._wall_ms(), held.market_ms + minutes * MINUTE_MS))

    async def jump(self, ms: int) -> None:
        """Move the market forward. Everything between happens (orders fill, funding is paid) but is not streamed; its bars can be
        had by REST. Raises Invalid for a time that has passed or that lies behind the end of the recording."""
        now_ms, last_ms = self.clock.at(self._wall_ms()), self.last_ms
        if not now_ms < ms <= last_ms:
            first, last = format_time(now_ms), format_time(last_ms)
            allowed = f"a time after the market's present, {first}, up to the end of its recording, {last}"
            raise Invalid("jump", format_time(ms), allowed)
        while (now_ms := self.clock.at(wall := self._wall_ms())) < ms:
            self.clock = self.clock.moved(wall, min(ms, now_ms + JUMP_SLICE_MS))
            reached_ms = self.clock.at(wall)
            self._advance(reached_ms)
            self._streamed_ms = max(self._streamed_ms, reached_ms)
            await asyncio.sleep(0)
        self._stirred.set()
        self.keep()

    def _set_clock(self, clock: MarketClock) -> None:
        self.clock = clock
        self._stirred.set()
        self.keep()

    @property
    def last_ms(self) -> int:
        """End of the present pass over the recording that ends first; it begins anew then."""
        now_ms = self.clock.at(self._wall_ms())
        return min(market.pass_ends_ms(now_ms) for market in self.markets.values())

    def state(self) -> DemoState:
        """What the exchange is doing."""
        return DemoState(
            self._present_ms(),
            self.clock.speed,
            self.clock.paused,
            min(market.start_ms for market in self.markets.values()),
            self.last_ms,
            len(self.streams.subscribers),
            administration.described(self.engine),
        )

    def application(self) -> web.Application:
        """All routes."""
        application = web.Application()
        router = application.router
        for prefix in ("", "/{route:public|market|private}"):
            router.add_get(prefix + "/{mode:ws}", self.streams.handle)
            router.add_get(prefix + "/{mode:ws}/{names:.+}", self.streams.handle)
            router.add_get(prefix + "/{mode:stream}", self.streams.handle)
        router.add_route("*", "/demo/control", partial(control.handle, self))
        router.add_route("*", "/demo/faults", self.faults.handle)
        router.add_route("*", "/fapi/{version:v[123]}/{path:.+}", self.rest.handle)
        router.add_get("/api/{version:v3}/{path:ping|time|account}", self.rest.handle)
        router.add_get("/sapi/{version:v1}/{path:account/apiRestrictions}", self.rest.handle)
        return application


def market_of(instrument: Instrument, source: BarSource) -> Market:
    """The market of one symbol of a store or of a recorded session."""
    return SessionMarket(instrument, source) if isinstance(source, Session) else Market(instrument, source)


def next_moment(after_ms: int, speed: float, update_ms: float = UPDATE_WALL_MS) -> int:
    """The first moment after `after_ms` at which streams move: every `update_ms` of real time, and always the start of a minute
    and both extremes of its path."""
    open_ms = after_ms - after_ms % MINUTE_MS
    step = max(1, round(update_ms * speed))
    regular = after_ms + step - (after_ms - open_ms) % step
    fixed = (open_ms + offset for offset in (FIRST_EXTREME_MS, SECOND_EXTREME_MS, MINUTE_MS))
    return min(regular, *(moment for moment in fixed if moment > after_ms))


@asynccontextmanager
async def running_demo_exchange(
    options: DemoExchangeOptions,
    source: BarSource,
    instruments: tuple[Instrument, ...],
    exchange_info: dict[str, Any],
    wall_ms: Callable[[], float] = wall_ms,
) -> AsyncIterator[Addresses]:
    """Serve while the context is open. Raises Invalid for a source without bars, OSError when the port is taken."""
    async with serving(DemoExchange(options, source, instruments, exchange_info, wall_ms), options) as addresses:
        yield addresses


@asynccontextmanager
async def serving(exchange: DemoExchange, options: DemoExchangeOptions) -> AsyncIterator[Addresses]:
    """Serve an exchange that is there already. Raises OSError when the port is taken."""
    runner = web.AppRunner(exchange.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    tasks: list[asyncio.Task[None]] = []
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        port = runner.addresses[0][1]
        tasks = [asyncio.create_task(work) for work in (exchange.run(), exchange.heartbeat(), exchange.faults.run())]
        for task in tasks:
            task.add_done_callback(_ended)
        yield Addresses(f"http://{options.host}:{port}", f"ws://{options.host}:{port}")
    finally:
        for task in tasks:
            task.cancel()
        exchange.faults.close()
        exchange.streams.drop()
        await runner.cleanup()
        if tasks:
            exchange.keep()


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a task of the demo exchange failed", exc_info=error)
