"""The demo exchange as a server: REST and streams on one port of the loopback, and the task that moves the market."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from atm.exchange.demo.account import Account
from atm.exchange.demo.clock import DEFAULT_START_MS, MarketClock, resumed
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import FIRST_EXTREME_MS, SECOND_EXTREME_MS, BarSource, Market
from atm.exchange.demo.rest import Rest
from atm.exchange.demo.streams import Streams
from atm.model.endpoint import Addresses
from atm.model.errors import Invalid
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS

logger = logging.getLogger(__name__)

STATE_FILE = "demo_exchange.json"
UPDATE_WALL_MS = 250.0
HEARTBEAT_S = 2.0
SILENT_BEHIND_MS = 10_000.0


class DemoExchangeOptions(msgspec.Struct, frozen=True):
    """port 0: any free one. speed: market time per real time, 1 to 1000. start_ms: market time of a first start.
    home: folder of the state file; None keeps nothing."""

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 60.0
    start_ms: int | None = None
    home: Path | None = None


class KeptState(msgspec.Struct):
    """The state file. `reached_ms`: the market time up to which orders were matched."""

    clock: MarketClock
    heartbeat_wall_ms: float
    reached_ms: int
    account: Account


def wall_ms() -> float:
    """Unix ms of this machine's clock."""
    return time.time() * 1000


class DemoExchange:
    """Clock, account, REST and streams put together."""

    def __init__(
        self,
        options: DemoExchangeOptions,
        source: BarSource,
        instruments: tuple[Instrument, ...],
        exchange_info: dict[str, Any],
    ) -> None:
        recorded = set(source.symbols())
        self.markets = {entry.symbol: Market(entry, source) for entry in instruments if entry.symbol in recorded}
        if not self.markets:
            raise Invalid("source", sorted(recorded), "a store with bars of at least one known instrument")
        symbols = [entry for entry in exchange_info["symbols"] if entry["symbol"] in self.markets]
        filters = {entry["symbol"]: {f["filterType"]: f for f in entry["filters"]} for entry in symbols}
        self._path = options.home / STATE_FILE if options.home is not None else None
        account = self._restore(options)
        self.engine = Engine(self.markets, filters, account, self._emit)
        self.rest = Rest(
            self.engine, {**exchange_info, "symbols": symbols}, lambda: self.clock.at(wall_ms()), wall_ms,
            lambda: self.clock.speed == 1, self._keep_changes,
        )  # fmt: skip
        self.streams = Streams(self.markets, self.rest.listen_key)
        self._speed_changed = asyncio.Event()

    def _emit(self, event: dict[str, Any]) -> None:
        self.streams.user_event(event)

    # --- state ------------------------------------------------------------------------------------------------

    def _restore(self, options: DemoExchangeOptions) -> Account:
        now = wall_ms()
        start_ms = DEFAULT_START_MS if options.start_ms is None else options.start_ms
        fresh = MarketClock(float(start_ms), now).with_speed(now, options.speed)
        self.clock, self._reached_ms = fresh, start_ms
        if self._path is None or not self._path.exists():
            return Account()
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=KeptState)
        except msgspec.DecodeError as error:
            aside = self._path.with_suffix(".unreadable.json")
            self._path.replace(aside)
            logger.error("the demo exchange's state could not be read and was put aside as %s: %s", aside, error)
            return Account()
        self.clock = resumed(kept.clock, kept.heartbeat_wall_ms, now).with_speed(now, options.speed)
        self._reached_ms = kept.reached_ms
        return kept.account

    def keep(self) -> None:
        """Write the state file, atomically."""
        self.engine.changed = False
        if self._path is None:
            return
        state = KeptState(self.clock, wall_ms(), self._reached_ms, self.engine.account)
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(state))
            part.replace(self._path)
        except OSError as error:
            logger.error("the demo exchange's state could not be kept: %s", error)

    def _keep_changes(self) -> None:
        if self.engine.changed:
            self.keep()

    async def heartbeat(self) -> None:
        """Keep the state every two seconds."""
        while True:
            self.keep()
            await asyncio.sleep(HEARTBEAT_S)

    # --- market -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move the market from one due moment to the next."""
        while True:
            due_ms = next_moment(self._reached_ms, self.clock.speed)
            late_ms = wall_ms() - self.clock.wall_of(due_ms)
            if late_ms < 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._speed_changed.wait(), -late_ms / 1000)
                self._speed_changed.clear()
                continue
            self._step(due_ms, silent=late_ms > SILENT_BEHIND_MS)
            self._keep_changes()
            await asyncio.sleep(0)

    def _step(self, ms: int, silent: bool) -> None:
        """`silent`: so far behind (the machine slept) that streaming every moment would only flood the sockets."""
        # The close lies just before the next minute's open: both prices were traded.
        moments = (ms - 1, ms) if ms % MINUTE_MS == 0 else (ms,)
        prices = {symbol: tuple(market.price(at) for at in moments) for symbol, market in self.markets.items()}
        self.engine.advance(ms, prices)
        if not silent:
            self.streams.market_moment(ms)
        self._reached_ms = ms

    async def control(self, request: web.Request) -> web.StreamResponse:
        """GET: state. POST {"speed": 1 to 1000, "drop_connections": true}: change it."""
        if request.method == "POST":
            try:
                wanted = msgspec.json.decode(await request.read(), type=Control)
                if wanted.speed is not None:
                    self.clock = self.clock.with_speed(wall_ms(), wanted.speed)
                    self._speed_changed.set()
                    self.keep()
            except (msgspec.DecodeError, Invalid) as error:
                return web.json_response({"error": str(error)}, status=400)
            if wanted.drop_connections:
                self.streams.drop()
        state = {"speed": self.clock.speed, "market_ms": self.clock.at(wall_ms())}
        return web.json_response(state | {"sockets": len(self.streams.subscribers)})

    def application(self) -> web.Application:
        """All routes."""
        application = web.Application()
        router = application.router
        for prefix in ("", "/{route:public|market|private}"):
            router.add_get(prefix + "/{mode:ws}", self.streams.handle)
            router.add_get(prefix + "/{mode:ws}/{names:.+}", self.streams.handle)
            router.add_get(prefix + "/{mode:stream}", self.streams.handle)
        router.add_route("*", "/demo/control", self.control)
        router.add_route("*", "/fapi/{version:v[123]}/{path:.+}", self.rest.handle)
        router.add_get("/api/v3/{path:ping|time}", self.rest.handle)
        return application


class Control(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /demo/control."""

    speed: float | None = None
    drop_connections: bool = False


def next_moment(after_ms: int, speed: float) -> int:
    """The first moment after `after_ms` at which streams move: every 250 ms of real time, and always the start of a minute
    and both extremes of its path."""
    open_ms = after_ms - after_ms % MINUTE_MS
    step = max(1, round(UPDATE_WALL_MS * speed))
    regular = after_ms + step - (after_ms - open_ms) % step
    fixed = (open_ms + offset for offset in (FIRST_EXTREME_MS, SECOND_EXTREME_MS, MINUTE_MS))
    return min(regular, *(moment for moment in fixed if moment > after_ms))


@asynccontextmanager
async def running_demo_exchange(
    options: DemoExchangeOptions, source: BarSource, instruments: tuple[Instrument, ...], exchange_info: dict[str, Any]
) -> AsyncIterator[Addresses]:
    """Serve while the context is open. Raises Invalid for a source without bars, OSError when the port is taken."""
    exchange = DemoExchange(options, source, instruments, exchange_info)
    runner = web.AppRunner(exchange.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    tasks: list[asyncio.Task[None]] = []
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        port = runner.addresses[0][1]
        tasks = [asyncio.create_task(exchange.run()), asyncio.create_task(exchange.heartbeat())]
        for task in tasks:
            task.add_done_callback(_ended)
        yield Addresses(f"http://{options.host}:{port}", f"ws://{options.host}:{port}")
    finally:
        for task in tasks:
            task.cancel()
        exchange.streams.drop()
        await runner.cleanup()
        if tasks:
            exchange.keep()


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a task of the demo exchange failed", exc_info=error)
