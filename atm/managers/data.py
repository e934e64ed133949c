"""The data manager: the only writer of the market store.

Closed bars of the stream are written in batches: what waits is stored with one sync per symbol. A bar leaves the buffer
only when it is on disk. On a full disk the buffer is kept, the user is told once, and storing is tried again; beyond
`MAX_WAITING` bars newer ones are left out and fetched again from the exchange afterwards.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from atm.ipc.assistant import Deferred, IPCAssistant, error_of
from atm.ipc.messages import (
    BINANCE_API,
    DATA,
    ClosedBar,
    Coverage,
    Done,
    EnsureBars,
    Failed,
    FetchBars,
    FetchedBars,
    ImportBars,
    LastStored,
    LastStoredReply,
    NoticeRaised,
    Reply,
)
from atm.managers.collection_desk import CollectionDesk
from atm.managers.data_files import DataFiles
from atm.managers.data_jobs import Background, DataJobs
from atm.managers.marks_desk import MarksDesk
from atm.model.bars import Bar, Bars, Source, TimeRange
from atm.model.errors import ATMError, Invalid, Unavailable
from atm.model.interval import MINUTE_MS
from atm.model.notice import Notice, Severity
from atm.model.program import ProgramContext
from atm.storage.fetch_plan import Fetch, FetchPlan, Instruction
from atm.storage.importer import import_files
from atm.storage.market_store import MarketStore, open_store
from atm.storage.minute_columns import FUNDING, KLINES, MARKS
from atm.storage.month_file import month_range

log = logging.getLogger(__name__)

MAX_WAITING = 100_000
RETRY_S = 5.0
COVERAGE_PERIOD_S = 1.0
FETCH_TIMEOUT_S = 90.0
"""Longer than the minute that a request may wait for the rate budget."""
MOST_LOST_MINUTES = 1_440
"""A longer hole is not one of a restart: it is fetched when somebody asks for it."""


def run(assistant: IPCAssistant, context: ProgramContext) -> None:
    """Entry of the process; returns when the assistant is stopped."""
    store = open_store(context, read_only=False)
    with ThreadPoolExecutor(1, "files") as background:
        collection = CollectionDesk(assistant, store.root, context.symbols)
        manager = DataManager(
            assistant,
            store,
            background,
            stores_flow=lambda symbol: collection.state.stores_flow(symbol),
            stores_marks=lambda symbol: collection.state.stores_marks(symbol),
        )
        jobs = DataJobs(assistant, manager, background, collection.keep_downloads)
        manager.damaged = jobs.repair_damage
        files = DataFiles(
            assistant,
            manager,
            jobs,
            store,
            open_store(context),
            background,
            context.home,
            lambda: collection.state.retention,
        )
        collection.retained = files.retain
        manager.start()
        collection.start()
        jobs.start(collection.state.downloads)
        files.start()
        assistant.run()
        manager.flush()
        background.shutdown(cancel_futures=True)
    store.close()


class DataManager:
    """Stores, fetches, imports and tells what is there. Everything but an import's work runs on the dispatch thread.

    clock: monotonic seconds; wall_ms: Unix ms, for notices only; stores_flow, stores_marks: whether the order flow of a symbol is
    wanted, and its mark prices and funding rates.
    """

    def __init__(
        self,
        assistant: IPCAssistant,
        store: MarketStore,
        background: Background,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        stores_flow: Callable[[str], bool] = lambda _: True,
        stores_marks: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._assistant = assistant
        self._stores_flow = stores_flow
        self._stores_marks = stores_marks
        self.marks = MarksDesk(assistant, store, self.touched, FETCH_TIMEOUT_S)
        self._store = store
        self._background = background
        self._clock = clock
        self._wall_ms = wall_ms
        self._waiting: dict[str, list[ClosedBar]] = {}
        self._n_waiting = 0
        self._left_out: dict[str, TimeRange] = {}
        self._flush_planned = False
        self._full = False
        self._plan = FetchPlan(store.coverage, store.last, store.absent.of, store.absent.add)
        self._own_plan = FetchPlan(store.own_coverage, store.last, store.absent.of, store.absent.add)
        """Of what is to be had from the exchange although the sample has it."""
        self.damaged: Callable[[str, TimeRange, bool], None] = lambda _symbol, _within, _is_marks: None
        """Called for a month of bars, or of mark prices, that was put aside."""
        self._asked: dict[tuple[FetchPlan, int], Callable[[ATMError | None], None]] = {}
        self._changed: dict[str, None] = {}
        self._published_at = float("-inf")
        self._coverage_planned = False
        self._to_compact: deque[str] = deque()
        self._followed: set[str] = set()

    def start(self) -> None:
        """Answer, listen, tell what is stored, and tidy up the append logs."""
        assistant = self._assistant
        assistant.answer(LastStored, self._on_last_stored)
        assistant.answer(EnsureBars, self._on_ensure)
        assistant.answer(ImportBars, self._on_import)
        assistant.subscribe(ClosedBar, self._on_bar)
        self.tell_put_aside()
        for symbol in self._store.symbols():
            self._assistant.publish(Coverage(symbol, self._store.coverage(symbol)), key=symbol)
            self._consider_compaction(symbol)

    # --- closed bars ------------------------------------------------------------------------------------------

    def _on_bar(self, event: ClosedBar) -> None:
        opened = event.bar.open_time
        if event.symbol not in self._followed:
            self._followed.add(event.symbol)
            self._refetch_lost(event)
        if self._n_waiting >= MAX_WAITING:
            known = self._left_out.get(event.symbol, TimeRange(opened, opened))
            self._left_out[event.symbol] = TimeRange(known.start_ms, opened + MINUTE_MS)
            return
        self._waiting.setdefault(event.symbol, []).append(event)
        self._n_waiting += 1
        if not self._flush_planned:
            self._flush_planned = True
            self._assistant.call_soon(self.flush)

    def _refetch_lost(self, first: ClosedBar) -> None:
        """Have the minutes that were published while this process was restarting, before their order flow is forgotten."""
        last, opened = self._store.last(first.symbol), first.bar.open_time
        if last is not None and last + MINUTE_MS < opened <= last + MOST_LOST_MINUTES * MINUTE_MS and not first.gap:
            self.want(first.symbol, TimeRange(last + MINUTE_MS, opened), None, own=True)

    def flush(self) -> None:
        """Store what waits; symbol by symbol, so that an error leaves the others' bars stored."""
        self._flush_planned = False
        error: Unavailable | None = None
        for symbol, events in list(self._waiting.items()):
            try:
                self._store.append(symbol, _columns(events, self._stores_flow(symbol), self._stores_marks(symbol)))
            except Unavailable as failure:
                error = failure
                continue
            except ATMError:  # of no use to try again: what is wrong with them is in the log
                log.exception("%d bars of %s cannot be stored", len(events), symbol)
            del self._waiting[symbol]
            self._n_waiting -= len(events)
            self.touched(symbol)
        if error is not None:
            self._not_stored(error)
        elif self._full:
            self._full = False
            self._notify(Severity.SUCCESS, "notice.disk_recovered", {})
            for symbol, lost in self._left_out.items():
                self.want(symbol, lost, None, own=True)
            self._left_out.clear()

    def _not_stored(self, error: Unavailable) -> None:
        if not self._full:
            self._full = True
            log.error("%s", error)
            self._notify(Severity.CRITICAL, "notice.disk_full", {"reason": str(error)})
        self._flush_planned = True
        self._assistant.call_later(RETRY_S, self.flush)

    # --- what is asked ----------------------------------------------------------------------------------------

    def _on_last_stored(self, _: LastStored) -> Reply:
        self.flush()
        newest = {symbol: self._store.last(symbol) for symbol in self._store.symbols()}
        return LastStoredReply({symbol: last for symbol, last in newest.items() if last is not None})

    def _on_ensure(self, request: EnsureBars) -> Reply | Deferred:
        for name, value in (("start_ms", request.start_ms), ("end_ms", request.end_ms)):
            if value < 0 or value % MINUTE_MS:
                raise Invalid(name, value, f"a full minute: a multiple of {MINUTE_MS} ms")
        if request.end_ms <= request.start_ms:
            return Done()
        if self._waiting:
            self.flush()
        answer = Deferred()

        def settled(error: ATMError | None) -> None:
            if error is None:
                answer.reply(Done())
            else:
                answer.fail(error)

        self.want(request.symbol, TimeRange(request.start_ms, request.end_ms), settled, own=request.own)
        return answer

    def _on_import(self, request: ImportBars) -> Reply | Deferred:
        answer = Deferred()
        self._background.submit(partial(self._import, request, answer))
        return answer

    def _import(self, request: ImportBars, answer: Deferred) -> None:
        """On the background thread."""
        try:
            files = [Path(name) for name in request.files]
            count = import_files(files, request.symbol, request.interval, self._store)
        except ATMError as error:
            answer.fail(error)
        except Exception as error:
            # The thread has nobody else to tell; the asker gets a sentence, the log the trace.
            log.exception("importing %s failed", request.files)
            answer.fail(Unavailable(f"the import failed: {type(error).__name__}: {error}"))
        else:
            self._assistant.call_soon(partial(self.touched, request.symbol))
            answer.reply(Done("notice.imported", {"bars": str(count), "symbol": request.symbol}))

    # --- fetching ---------------------------------------------------------------------------------------------

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The stored minutes of a symbol."""
        return self._store.coverage(symbol)

    def own_coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The same without the sample."""
        return self._store.own_coverage(symbol)

    def absent(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes that the exchange is known to lack."""
        return self._store.absent.of(symbol)

    def forget_absent(self, symbol: str, within: TimeRange) -> None:
        """Have the exchange asked again for what it lacked."""
        self._store.absent.forget(symbol, within)
        for plan in (self._plan, self._own_plan):
            plan.forget_empty(symbol)

    def want(
        self,
        symbol: str,
        wanted: TimeRange,
        settled: Callable[[ATMError | None], None] | None,
        urgent: bool = True,
        own: bool = False,
    ) -> None:
        """Have what is missing of a range fetched; `settled` gets None when all of it is stored, else why it is not. own: what the
        sample has counts as missing."""
        plan = self._own_plan if own else self._plan
        ticket, instructions = plan.want(symbol, wanted, urgent)
        if settled is not None:
            self._asked[plan, ticket] = settled
        self._carry_out(plan, instructions)

    def _carry_out(self, plan: FetchPlan, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Fetch):
                if instruction.delay_s:
                    self._assistant.call_later(instruction.delay_s, partial(self._fetch, plan, instruction))
                else:
                    self._fetch(plan, instruction)
                continue
            settled = self._asked.pop((plan, instruction.ticket), None)
            if instruction.error is not None:
                log.info("%s", instruction.error)
            if settled is not None:
                settled(instruction.error)

    def _fetch(self, plan: FetchPlan, order: Fetch) -> None:
        symbol, piece = order.symbol, order.piece
        request = FetchBars(symbol, piece.start_ms, piece.end_ms, order.urgent, self._stores_marks(symbol))
        answered = partial(self._fetched, plan, order)
        self._assistant.request_async(BINANCE_API, request, answered, timeout=FETCH_TIMEOUT_S)

    def _fetched(self, plan: FetchPlan, order: Fetch, reply: Reply) -> None:
        symbol, piece = order.symbol, order.piece
        try:
            if isinstance(reply, Failed):
                raise error_of(reply)
            if not isinstance(reply, FetchedBars):
                raise Unavailable(f"{BINANCE_API} answered FetchBars with {type(reply).__name__}")
            inside = [bar for bar in reply.bars if piece.start_ms <= bar.open_time < piece.end_ms]
            self._store.append(symbol, Bars.of(sorted(inside, key=_open_time), Source.REST))
        except ATMError as error:
            self._carry_out(plan, plan.failed(symbol, piece, error))
            return
        if inside:
            self.touched(symbol)
        self._carry_out(plan, plan.fetched(symbol, piece))

    # --- coverage and tidiness --------------------------------------------------------------------------------

    def touched(self, symbol: str) -> None:
        """Something has been stored or deleted: tell it soon, and tidy up."""
        self._changed[symbol] = None
        self._consider_compaction(symbol)
        self.tell_put_aside()
        if self._coverage_planned:
            return
        self._coverage_planned = True
        wait = self._published_at + COVERAGE_PERIOD_S - self._clock()
        if wait > 0:
            self._assistant.call_later(wait, self._publish_coverage)
        else:
            self._assistant.call_soon(self._publish_coverage)

    def _publish_coverage(self) -> None:
        self._coverage_planned = False
        self._published_at = self._clock()
        for symbol in self._changed:
            self._assistant.publish(Coverage(symbol, self._store.coverage(symbol)), key=symbol)
        self._changed.clear()

    def _consider_compaction(self, symbol: str) -> None:
        if symbol not in self._to_compact and self._store.wants_compaction(symbol):
            self._to_compact.append(symbol)
            if len(self._to_compact) == 1:
                self._assistant.call_soon(self._compact)

    def _compact(self) -> None:
        """One symbol a turn, so that bars do not wait for all of them."""
        symbol = self._to_compact[0]
        try:
            self._store.compact(symbol)
        except ATMError as error:
            log.error("the append log of %s could not be compacted: %s", symbol, error)
        self._to_compact.popleft()
        if self._to_compact:
            self._assistant.call_soon(self._compact)

    def compact_now(self, symbol: str) -> None:
        """Store what waits and move the append log into the month files. Raises `Unavailable` when the disk is full."""
        self.flush()
        self._store.compact(symbol)

    def tell_put_aside(self) -> None:
        """Tell of files that were put aside, and have fetched again what the exchange has."""
        for path in self._store.take_put_aside():
            symbol, kind, within = path.parent.parent.name, path.parent.name, month_range(path.stem)
            if kind in (KLINES.name, MARKS.name, FUNDING.name):
                self._notify(Severity.WARNING, "notice.broken_file", {"file": str(path)})
                last = self._store.last(symbol)
                end = within.end_ms if last is None or last < within.start_ms else min(within.end_ms, last + MINUTE_MS)
                self.damaged(symbol, TimeRange(within.start_ms, end), kind != KLINES.name)
            else:
                self._notify(Severity.WARNING, "notice.broken_beside", {"file": str(path)})

    def _notify(self, severity: Severity, text: str, parameters: dict[str, str]) -> None:
        self._assistant.publish(NoticeRaised(Notice(self._wall_ms(), DATA, severity, text, parameters)))


def _open_time(bar: Bar) -> int:
    return bar.open_time


def _columns(events: list[ClosedBar], with_flow: bool, with_marks: bool) -> Bars:
    """Ascending columns; the source of the first event holds where a minute came twice."""
    newest = {event.bar.open_time: event for event in reversed(events)}
    ordered = [newest[opened] for opened in sorted(newest)]
    bars = Bars.of((event.bar for event in ordered), Source.STREAM)
    for index, event in enumerate(ordered):
        bars.source[index] = event.source
    if not with_flow:
        bars = replace(bars, flow=None, book=None)
    return bars if with_marks else replace(bars, mark=None)
