"""The market feed: streams, reduction, bar sequences and repair put together; everything leaves it as messages.

Closed bars leave at once, all other kinds at most ten times a second per symbol and only their newest state.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Set
from contextlib import suppress

import msgspec

from atm.exchange.client.bar_sequence import PATIENCE_S, BarSequence, Instruction, Publish, Repair
from atm.exchange.client.mark_outlet import MarkOutlet
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rate_log import RateLog
from atm.exchange.client.reduction import StreamReduction
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.stream_plan import BOOK_ROUTE, MARK_ROUTE, Connection
from atm.exchange.client.supervisor import StreamSupervisor, StreamTimes
from atm.ipc.messages import ClosedBar, ConnectionState, Event
from atm.model.bars import Bar
from atm.model.errors import ATMError, Refused
from atm.model.interval import DAY_MS, MINUTE_MS

logger = logging.getLogger(__name__)

FRESH_DAYS = 3
MAX_FILL_DAYS = 90
RECENT_MINUTES = 60
SYMBOLS_A_TURN = 25
CLOCK_PERIODS_S = (1.0, 5.0, 30.0)
CLOCK_RETRY_S = (0.5, 1.0, 2.0, 4.0)
CLOCK_REST_S = 1.0
CLOCK_PATIENCE_S = PATIENCE_S - 1.0  # the clock tells a minute over when it has been for a second


class FeedTimes(msgspec.Struct, frozen=True):
    """Seconds. conflation: least time between two messages of one kind and symbol; tick: patience is checked so often."""

    conflation: float = 0.25
    tick: float = 0.5
    streams: StreamTimes = StreamTimes()


class MarketFeed:
    """Feeds `emit(event, key)` with the market of the collected symbols until `close`. Build inside a running loop.

    tap: gets every frame as it came, if there is one."""

    def __init__(
        self,
        rest: FuturesClient,
        stream_base: str,
        endpoint: str,
        emit: Callable[[Event, str], None],
        times: FeedTimes | None = None,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        """on_failure: told of a defect that has ended one of the feed's tasks; the feed is not whole from then on."""
        self._rest = rest
        self._endpoint = endpoint
        self._emit = emit
        self._times = times or FeedTimes()
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self.reduction = StreamReduction()
        self.tap: Callable[[bytes], None] | None = None
        self.supervisor = StreamSupervisor(
            stream_base, self._sink, self._connection_changed, self._times.streams, is_held=lambda: rest.clock.is_held
        )
        self.outlet = MarkOutlet(rest, lambda event: emit(event, event.symbol), self._spawn)
        self.sequences: dict[str, BarSequence] = {}
        self._bars_scheduled = False
        self._latest_scheduled = False
        self._rest_error: str | None = "connecting"
        self._was_reached = False
        self._state = ""
        self._rate_log = RateLog()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock_ready = asyncio.Event()
        self._clock_wanted = asyncio.Event()
        self._clock_s = float("-inf")
        self.at_return: list[Callable[[], None]] = [self.supervisor.hurry]
        """Called when the exchange answers again after it did not."""
        self._spawn(self._keep_clock())
        self._spawn(self._tick())

    async def close(self) -> None:
        """Stop everything."""
        for task in self._tasks:
            task.cancel()
        await self.supervisor.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def reached(self) -> None:
        """Wait until the exchange's clock is known."""
        await self._clock_ready.wait()

    def market_ms(self) -> float:
        """The exchange's time."""
        return self._rest.clock.now_ms(self._rest.wall_ms())

    # --- symbols ----------------------------------------------------------------------------------------------

    async def collect(
        self, symbols: Iterable[str], last_stored: Mapping[str, int], without_books: Set[str] = frozenset()
    ) -> None:
        """Stream exactly these symbols. A new one is filled by REST from the minute after its newest stored one.

        last_stored: open time of the newest stored minute by symbol; only asked for symbols that are new here. without_books: symbols
        whose books, and with them their order flow, nobody wants.
        """
        wanted = list(dict.fromkeys(symbols))
        self.reduction.collect(set(wanted))
        for symbol in self.sequences.keys() - set(wanted):
            del self.sequences[symbol]
        self.outlet.keep(wanted)
        await self.reached()
        for symbol in wanted:
            if symbol not in self.sequences:
                sequence = self._begin(symbol, last_stored.get(symbol))
                self.sequences[symbol] = sequence
                self._carry_out(
                    symbol, sequence.expect(int(self.market_ms()), self._loop.time(), patience_s=0.0), sequence
                )
        for symbol in without_books & self.reduction.slots.keys():
            self.reduction.slots[symbol].flow.interrupt()
        await self.supervisor.collect(wanted, without_books)

    def _begin(self, symbol: str, last: int | None) -> BarSequence:
        running = int(self.market_ms() // MINUTE_MS) * MINUTE_MS
        if last is None:
            return BarSequence(running - FRESH_DAYS * DAY_MS, fresh=True)
        if last >= running:
            logger.warning("%s: the newest stored minute %d lies in the exchange's future (%d)", symbol, last, running)
            return BarSequence(running)
        if running - last > MAX_FILL_DAYS * DAY_MS:
            return BarSequence(running - FRESH_DAYS * DAY_MS, gap_before=True)
        return BarSequence(last + MINUTE_MS)

    # --- streams ----------------------------------------------------------------------------------------------

    def _sink(self, frame: bytes, now_s: float) -> str:
        if self.tap is not None:
            self.tap(frame)
        reduction = self.reduction
        stream = reduction.feed(frame, now_s)
        if not self._bars_scheduled and (reduction.closed or reduction.later):
            self._bars_scheduled = True
            self._loop.call_soon(self._flush_bars)
        if reduction.liquidated:
            for liquidation in reduction.take_liquidated():
                self._emit(liquidation, liquidation.symbol)
        if not self._latest_scheduled and reduction.touched:
            self._latest_scheduled = True
            self._loop.call_later(self._times.conflation, self._flush_latest)
        return stream

    def _flush_bars(self) -> None:
        self._bars_scheduled = False
        now_s = self._loop.time()
        for symbol, bar in self.reduction.take_closed():
            if (sequence := self.sequences.get(symbol)) is not None:
                self._carry_out(symbol, sequence.closed(bar, now_s), sequence)
        for symbol, open_ms in self.reduction.take_later().items():
            if (sequence := self.sequences.get(symbol)) is not None:
                self._carry_out(symbol, sequence.over(open_ms, now_s), sequence)

    def _flush_latest(self) -> None:
        self._flush_some(self.reduction.take_touched())

    def _flush_some(self, symbols: list[str]) -> None:
        """Tell what has changed, few symbols a turn of the loop, so that what comes in waits for a millisecond at most."""
        turn = symbols[-SYMBOLS_A_TURN:]
        del symbols[-SYMBOLS_A_TURN:]
        for message in self.reduction.changes(turn):
            self._emit(message, message.symbol)
        if symbols:
            self._loop.call_soon(self._flush_some, symbols)
            return
        self._latest_scheduled = bool(self.reduction.touched)
        if self._latest_scheduled:
            self._loop.call_later(self._times.conflation, self._flush_latest)

    def _connection_changed(self, plan: Connection, opened: bool) -> None:
        for symbol in plan.symbols:
            if (slot := self.reduction.slots.get(symbol)) is None:
                continue
            if plan.route == BOOK_ROUTE:
                slot.flow.interrupt()
            if plan.route == MARK_ROUTE:
                slot.marks.interrupt()
            if opened:
                slot.forget()
        if not opened and self._rest_error is None and self._loop.time() - self._clock_s > CLOCK_REST_S:
            self._clock_wanted.set()  # who cuts its streams may be away altogether; then its return must be noticed
        self._announce()

    # --- bars -------------------------------------------------------------------------------------------------

    def _carry_out(self, symbol: str, instructions: Iterable[Instruction], sequence: BarSequence) -> None:
        for instruction in instructions:
            if isinstance(instruction, Publish):
                bar = self._with_flow(symbol, instruction.bar)
                event = ClosedBar(symbol, bar, int(instruction.source), instruction.gap)
                slot = self.reduction.slots.get(symbol)
                self.outlet.publish(event, None if slot is None else slot.marks)
            else:
                self._spawn(self._repair(symbol, instruction, sequence))

    def _with_flow(self, symbol: str, bar: Bar) -> Bar:
        """The bar with the order flow of its minute, which is final from now on."""
        slot = self.reduction.slots.get(symbol)
        flow = None if slot is None else slot.flow.close(bar.open_time)
        return bar if flow is None else msgspec.structs.replace(bar, flow=flow)

    async def recorded(self, symbol: str, bars: Iterable[Bar], kind: RequestClass, with_marks: bool) -> tuple[Bar, ...]:
        """Bars of REST with what was published with their minutes, as far as that is still kept; marks that are not are asked for.

        Raises as every request.
        """
        slot = self.reduction.slots.get(symbol)
        flows = [(bar, None if slot is None else slot.flow.closed(bar.open_time)) for bar in bars]
        found = tuple(bar if flow is None else msgspec.structs.replace(bar, flow=flow) for bar, flow in flows)
        if not with_marks:
            return found
        return await self.outlet.completed(symbol, found, None if slot is None else slot.marks, kind)

    async def _repair(self, symbol: str, repair: Repair, sequence: BarSequence) -> None:
        minutes = (repair.end_ms - repair.start_ms) // MINUTE_MS
        kind = RequestClass.REPAIR if minutes <= RECENT_MINUTES else RequestClass.HISTORY
        try:
            bars = await self._rest.klines(symbol, repair.start_ms, repair.end_ms, kind)
        except Refused as refusal:  # the exchange's word that it has none, e.g. a symbol that is gone
            logger.warning("%s: bars from %d are refused: %s", symbol, repair.start_ms, refusal)
            instructions = sequence.repaired((), self._loop.time())
        except ATMError as error:
            logger.info("%s: bars from %d cannot be had now: %s", symbol, repair.start_ms, error)
            instructions = sequence.unreachable(self._loop.time())
        else:
            instructions = sequence.repaired(bars, self._loop.time())
        if self.sequences.get(symbol) is sequence:
            self._carry_out(symbol, instructions, sequence)

    def _restored(self) -> None:
        for call in self.at_return:
            call()
        for symbol, sequence in self.sequences.items():
            self._carry_out(symbol, sequence.restored(self._loop.time()), sequence)

    # --- time -------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Patience runs out by time; the state is told once a second."""
        count = 0
        while True:
            await asyncio.sleep(self._times.tick)
            now_s, past_ms = self._loop.time(), int(self._rest.clock.surely_past_ms(self._rest.wall_ms()))
            for symbol, sequence in list(self.sequences.items()):
                self._carry_out(symbol, sequence.expect(past_ms, now_s, patience_s=CLOCK_PATIENCE_S), sequence)
                self._carry_out(symbol, sequence.tick(now_s), sequence)
            count += 1
            if count * self._times.tick >= 1.0:
                count = 0
                state = self.state()
                self._emit(state, self._endpoint)
                for level, text in self._rate_log.lines(state, now_s * 1_000):
                    logger.log(level, "%s", text)

    async def _keep_clock(self) -> None:
        """Measure the exchange's clock for ever; this is also the proof that REST is there."""
        measured = failed = 0
        while True:
            try:
                await self._rest.synchronise()
            except ATMError as error:
                self._rest_error = str(error)
                wait_s = CLOCK_RETRY_S[min(failed, len(CLOCK_RETRY_S) - 1)]
                failed, measured = failed + 1, 0
            else:
                self._rest_error = None
                self._was_reached = True
                self._clock_ready.set()
                if failed:
                    self._restored()
                wait_s = CLOCK_PERIODS_S[min(measured, len(CLOCK_PERIODS_S) - 1)]
                failed, measured = 0, 1 if self._rest.clock.is_doubtful else measured + 1
            self._announce()
            self._clock_s = self._loop.time()
            self._clock_wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._clock_wanted.wait()

    # --- state ------------------------------------------------------------------------------------------------

    def state(self) -> ConnectionState:
        """The connection as it is now."""
        budget, window_ms, local_ms = self._rest.budget, self._rest.gate.now_ms(), self._rest.wall_ms()
        state, reason = self._judge(budget.banned(window_ms))
        age_ms = (self._loop.time() - self.reduction.newest_s) * 1000
        restraint, restraint_s = budget.restraint(window_ms)
        return ConnectionState(
            endpoint=self._endpoint,
            state=state,
            latency_ms=self._rest.clock.latency_ms,
            market_offset_ms=self._rest.clock.offset_ms(local_ms),
            used_weight=budget.used_weight(window_ms),
            weight_limit=budget.weight_limit,
            used_orders=budget.used_orders(window_ms),
            order_limit=budget.order_limit,
            streams=self.supervisor.streams,
            message_age_ms=age_ms if self.reduction.counters.messages else 0.0,
            reconnects=self.supervisor.reconnects,
            reason=reason,
            used_orders_10s=budget.used_orders_10s(window_ms),
            order_limit_10s=budget.order_limit_10s,
            waiting=self._rest.gate.waiting(),
            restraint=restraint,
            restraint_s=restraint_s,
        )

    def _judge(self, banned: bool) -> tuple[str, str]:
        planned, connected = len(self.supervisor.planned), self.supervisor.connected
        if banned:
            return "banned", self._rest_error or "banned by the exchange"
        if not self._was_reached and self._rest_error == "connecting":
            return "connecting", ""
        if self._rest_error is not None and not connected:
            return "disconnected", self._rest_error
        if planned and not connected:
            reason = self.supervisor.reason
            return ("connecting", "") if reason == "connecting" else ("disconnected", reason)
        if self._rest_error is not None or connected < planned:
            return "degraded", self._rest_error or self.supervisor.reason
        if self.supervisor.shaken(self._loop.time()):
            return "degraded", "several stream connections were lost within seconds"
        return "connected", ""

    def _announce(self) -> None:
        """Tell the state at once when it has changed."""
        state = self.state()
        if state.state != self._state:
            self._state = state.state
            self._emit(state, self._endpoint)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the market feed failed", exc_info=error)
            self._on_failure(error)
