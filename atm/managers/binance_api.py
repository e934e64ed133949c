"""The Binance API manager: the one process that talks to the exchange.

One asyncio loop in the main thread. IPC handlers are dispatched on it too (the receiver thread wakes the loop), so
nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial

from atm.exchange.client.book_feed import BookFeed, BookTimes
from atm.exchange.client.feed import FeedTimes, MarketFeed
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.recorder import SessionRecorder
from atm.exchange.client.rest import FuturesClient
from atm.exchange.client.transport import Credentials, wall_ms
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import (
    DATA,
    CollectSymbols,
    Done,
    FetchBars,
    FetchedBars,
    FetchedMarks,
    FetchFunding,
    FetchMarks,
    FindFirstBar,
    FirstBar,
    FollowBooks,
    Instruments,
    LastStored,
    LastStoredReply,
    NoticeRaised,
    Reply,
)
from atm.managers.activation_desk import ActivationDesk
from atm.managers.demo_desk import DemoDesk
from atm.managers.income_channel import IncomeChannel
from atm.managers.instrument_keeper import InstrumentKeeper
from atm.managers.live_exchange_desk import LiveExchangeDesk
from atm.managers.market_desk import MarketDesk
from atm.managers.probe_channel import ProbeChannel
from atm.managers.recording_desk import RecordingDesk
from atm.model.account import AccountKind
from atm.model.endpoint import Endpoint
from atm.model.errors import ATMError, Invalid
from atm.model.interval import MINUTE_MS
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from atm.storage.database import Database
from atm.storage.home import recordings

logger = logging.getLogger(__name__)

MAX_FETCH_MINUTES = 1_500
DATA_RETRY_S = 1.0
LONGEST_SLEEP_S = 3_600.0


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    asyncio.run(BinanceAPIManager(assistant, context).serve())


class BinanceAPIManager:
    """Connects the market feed and the REST client to the bus."""

    def __init__(
        self,
        assistant: IPCAssistant,
        context: ProgramContext,
        times: FeedTimes | None = None,
        book_times: BookTimes | None = None,
    ) -> None:
        self._assistant = assistant
        self._context = context
        self._times = times
        self._book_times = book_times
        self._books: BookFeed | None = None
        self._asked: dict[str, CollectSymbols] = {"collection": CollectSymbols(context.symbols)}
        self._symbols: tuple[str, ...] = tuple(dict.fromkeys(context.symbols))
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        self._failure: BaseException | None = None
        self._demo: DemoDesk | None = None

    async def serve(self) -> None:
        """Until the assistant is stopped."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()
        credentials = Credentials("demo", "demo") if self._context.endpoint is Endpoint.DEMO else None
        self._rest = FuturesClient(self._context.addresses, credentials)
        endpoint = self._context.endpoint.value
        self._feed = MarketFeed(
            self._rest, self._context.addresses.stream, endpoint, self._assistant.publish, self._times, self._fail
        )
        self._answer_questions()
        self._begin_accounts()
        if self._context.endpoint is Endpoint.DEMO:
            self._demo = DemoDesk(self._assistant, self._context.addresses.rest, self._spawn, self._rest.clock)
        MarketDesk(self._assistant, self._rest, self._spawn, self._loop.time)
        self._keeper = InstrumentKeeper(
            self._rest,
            lambda instruments: self._assistant.publish(Instruments(instruments)),
            lambda notice: self._assistant.publish(NoticeRaised(notice)),
            lambda: self._symbols,
            self._assistant.name,
            None if self._demo is None else self._demo.look,
        )
        self._feed.reduction.on_contract = self._keeper.hint
        self._recordings = RecordingDesk(self._assistant, recordings(self._context.home), self._attach_recorder)
        if self._context.record_session:
            self._recordings.start_quietly()
        self._assistant.set_waker(self._wake)
        self._changed.set()
        self._spawn(self._keep_symbols())
        self._spawn(self._keeper.run())
        self._step()
        try:
            await self._ended.wait()
        finally:
            await self._close()
        if self._failure is not None:
            raise self._failure

    def _answer_questions(self) -> None:
        self._assistant.answer(CollectSymbols, self._on_collect)
        self._assistant.answer(FetchBars, self._on_fetch)
        self._assistant.answer(FollowBooks, self._on_follow_books)
        self._assistant.answer(FetchMarks, self._on_fetch_marks)
        self._assistant.answer(FetchFunding, self._on_fetch_funding)
        self._assistant.answer(FindFirstBar, self._on_find_first)

    def _begin_accounts(self) -> None:
        self._activation = ActivationDesk(
            self._assistant,
            self._context.endpoint,
            self._context.addresses,
            self._rest,
            self._spawn,
            self._context.home,
        )
        self._live = LiveExchangeDesk(
            self._assistant,
            self._context.endpoint,
            self._context.addresses,
            self._rest,
            self._spawn,
            partial(_actual_accounts, self._context),
            self._activation.credentials,
            self._activation.closing_credentials,
        )
        self._activation.on_change = self._live.renew
        IncomeChannel(self._assistant, self._live, self._spawn)
        ProbeChannel(self._assistant, self._live, self._spawn)

    async def _close(self) -> None:
        self._assistant.set_waker(lambda: None)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._activation.close()
        await self._live.close()
        await self._feed.close()
        if self._books is not None:
            await self._books.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._recordings.close()
        await self._rest.close()

    # --- the assistant on this loop ---------------------------------------------------------------------------

    def _wake(self) -> None:
        """Called by the receiver thread."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._step)

    def _step(self) -> None:
        self._woken = False
        self._assistant.step()
        if self._assistant.stopped:
            self._ended.set()
            return
        if self._timer is not None:
            self._timer.cancel()
        wait_s = self._assistant.seconds_to_next_timer(LONGEST_SLEEP_S)
        self._timer = self._loop.call_later(wait_s, self._step)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Main starts the process anew; half of it alive would look healthy."""
        self._failure = error
        self._ended.set()

    # --- requests ---------------------------------------------------------------------------------------------

    def _on_collect(self, request: CollectSymbols) -> Reply:
        known = self._keeper.symbols()
        for symbol in request.symbols:
            if not symbol or (known and symbol not in known):
                raise Invalid("symbols", symbol, "perpetual contracts that the exchange lists")
        self._asked[request.by] = request
        self._symbols = tuple(dict.fromkeys(symbol for asked in self._asked.values() for symbol in asked.symbols))
        self._changed.set()
        return Done()

    def _on_follow_books(self, request: FollowBooks) -> Reply:
        listed = self._keeper.symbols()
        for symbol in request.symbols:
            if symbol not in listed:
                raise Invalid("symbols", symbol, "perpetual contracts that the exchange lists")
        if self._books is None:
            base = self._context.addresses.stream
            self._books = BookFeed(
                self._rest, base, self._assistant.publish, self._book_times, self._feed.supervisor.pace, self._fail
            )
            self._books.tap = self._feed.tap
            self._feed.at_return.append(self._books.supervisor.hurry)
        self._books.follow(request.by, request.symbols, request.levels)
        return Done()

    def _attach_recorder(self, recorder: SessionRecorder | None) -> None:
        self._feed.tap = None if recorder is None else recorder.frame
        self._rest.tell_answers(None if recorder is None else recorder.answer)
        if self._books is not None:
            self._books.tap = self._feed.tap
            if recorder is not None:
                self._books.take_snapshots()

    def _on_fetch(self, request: FetchBars) -> Reply | Deferred:
        _check_range(request.start_ms, request.end_ms)
        deferred = Deferred()
        self._spawn(self._fetch(request, deferred))
        return deferred

    async def _fetch(self, request: FetchBars, deferred: Deferred) -> None:
        try:
            kind = RequestClass.REPAIR if request.urgent else RequestClass.HISTORY
            bars = await self._rest.klines(request.symbol, request.start_ms, request.end_ms, kind)
            recorded = await self._feed.recorded(request.symbol, bars, kind, request.marks)
        except ATMError as error:
            deferred.fail(error)
        else:
            deferred.reply(FetchedBars(request.symbol, recorded))

    def _on_fetch_marks(self, request: FetchMarks) -> Reply | Deferred:
        _check_range(request.start_ms, request.end_ms)
        deferred = Deferred()
        self._spawn(self._fetch_marks(request, deferred))
        return deferred

    def _on_fetch_funding(self, request: FetchFunding) -> Deferred:
        deferred = Deferred()
        self._spawn(self._fetch_marks(request, deferred))
        return deferred

    async def _fetch_marks(self, request: FetchMarks | FetchFunding, deferred: Deferred) -> None:
        past_ms = int(self._rest.clock.surely_past_ms(self._rest.wall_ms())) // MINUTE_MS * MINUTE_MS
        outlet, asked = self._feed.outlet, (request.symbol, request.start_ms, min(request.end_ms, past_ms))
        try:
            if isinstance(request, FetchMarks):
                marks = await outlet.fetched(*asked, RequestClass.HISTORY)
            else:
                marks = await outlet.rates(*asked)
        except ATMError as error:
            deferred.fail(error)
        else:
            deferred.reply(FetchedMarks(request.symbol, tuple(marks), tuple(marks.values())))

    def _on_find_first(self, request: FindFirstBar) -> Deferred:
        deferred = Deferred()
        self._spawn(self._find_first(request.symbol, deferred))
        return deferred

    async def _find_first(self, symbol: str, deferred: Deferred) -> None:
        try:
            open_time = await self._rest.first_bar(symbol)
        except ATMError as error:
            deferred.fail(error)
        else:
            deferred.reply(FirstBar(symbol, open_time, int(self._feed.market_ms())))

    # --- what runs all the time -------------------------------------------------------------------------------

    async def _keep_symbols(self) -> None:
        """Follow the wanted set of symbols."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._keeper.listed.wait()
            wanted = self._known_symbols()
            new = any(symbol not in self._feed.sequences for symbol in wanted)
            last_stored = await self._last_stored() if new else {}
            await self._feed.collect(wanted, last_stored, self._without_books())

    def _without_books(self) -> frozenset[str]:
        """Symbols of which nobody wants the order flow."""
        asked = self._asked.values()
        wanted = {symbol for each in asked for symbol in each.symbols if symbol not in each.without_flow}
        return frozenset(self._symbols) - wanted

    def _known_symbols(self) -> tuple[str, ...]:
        """The wanted symbols without those that the exchange does not list (of which the user is told)."""
        listed = self._keeper.symbols()
        for symbol in self._symbols:
            if symbol not in listed:
                text, parameters = "notice.symbol_not_listed", {"symbol": symbol}
                notice = Notice(int(wall_ms()), self._assistant.name, Severity.WARNING, text, parameters, symbol)
                self._assistant.publish(NoticeRaised(notice))
        self._symbols = tuple(symbol for symbol in self._symbols if symbol in listed)
        return self._symbols

    async def _last_stored(self) -> dict[str, int]:
        """What data holds; asked until it answers, because without it the fill would not know where to begin."""
        while True:
            answered: asyncio.Future[Reply] = self._loop.create_future()

            def take(reply: Reply, answered: asyncio.Future[Reply] = answered) -> None:
                if not answered.done():  # cancelled while stopping
                    answered.set_result(reply)

            self._assistant.request_async(DATA, LastStored(), take)
            reply = await answered
            if isinstance(reply, LastStoredReply):
                return reply.open_time
            logger.warning("data does not say what it holds: %s", reply)
            await asyncio.sleep(DATA_RETRY_S)


def _check_range(start_ms: int, end_ms: int) -> None:
    if not 0 <= (end_ms - start_ms) / MINUTE_MS <= MAX_FETCH_MINUTES:
        raise Invalid("end_ms", end_ms, f"start_ms up to {MAX_FETCH_MINUTES} minutes later")


def _actual_accounts(context: ProgramContext) -> tuple[str, ...]:
    """Names in the store; read when the kill switch is pressed, since then nobody else may be there to tell."""
    stored = Database(context.database).accounts.load()
    return tuple(each.setup.name for each in stored if each.setup.kind is AccountKind.ACTUAL)
