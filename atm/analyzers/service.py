"""The analyzer's shell: carries analyses from the store to the live bars and publishes their rows.

Work is done in slices of about `SLICE_S`, between which other messages are handled.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np

from atm.analyzers.catch_up import CatchUp, Ensure, Feed, Instruction, Read
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisRowValue
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    DATA,
    AnalysisLoad,
    AnalysisReady,
    AnalysisRow,
    AnalyzerLoad,
    ClosedBar,
    Done,
    EnsureBars,
    ProvisionalRow,
    Reply,
    StartAnalysis,
    StopAnalysis,
)
from atm.model.bars import Bar, Bars, Source
from atm.model.errors import Refused
from atm.model.interval import MINUTE_MS

log = logging.getLogger(__name__)

SLICE_S = 0.04
ENSURE_TIMEOUT_S = 60.0
LOAD_PERIOD_S = 5.0
_CHUNK_MINUTES = (60, 131_072)
_NEWEST = 0.02
"""Weight of the newest minute in the mean time of a minute: about the last hundred count."""


class BarSource(Protocol):
    """The part of the market store that an analyzer reads."""

    def last(self, symbol: str) -> int | None:
        """Newest collected minute. Never one of the shipped sample, which on the demo exchange may lie in the future."""

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars: ...


class _Analysis:
    """One running analysis. start_ms is moved down to the open of its interval bar, so that the first bar is whole."""

    def __init__(self, request: StartAnalysis) -> None:
        self.request = request
        self.pipeline = AnalysisPipeline(request.configuration)
        start_ms = request.configuration.decision.open_time(request.start_ms)
        self.pipeline.begin(start_ms)
        self.catch_up = CatchUp(start_ms)
        self.last_close_time = 0
        self.update_us = 0.0
        self.minute_us = 0.0
        self.error = ""
        self.published: tuple[str, int, str] | None = None


class AnalyzerService:
    """Answers StartAnalysis and StopAnalysis on `assistant`; reads bars from `store`.

    A StartAnalysis for an analysis that runs already replaces it. A defect or an unreadable store fails that analysis alone,
    which then says so in its AnalysisReady. serving: whether the process is used for something else beside.
    """

    def __init__(self, assistant: IPCAssistant, store: BarSource, serving: Callable[[], bool] = lambda: False) -> None:
        self._assistant = assistant
        self._store = store
        self._serving = serving
        self._analyses: dict[str, _Analysis] = {}
        self._symbols: set[str] = set()
        assistant.answer(StartAnalysis, self._on_start)
        assistant.answer(StopAnalysis, self._on_stop)
        self._load: AnalyzerLoad | None = None
        assistant.call_soon(self._publish_load)
        assistant.every(LOAD_PERIOD_S, self._publish_load)

    def _on_start(self, request: StartAnalysis) -> Reply:
        analysis = _Analysis(request)
        self._analyses[request.analysis] = analysis
        if request.symbol not in self._symbols:
            self._symbols.add(request.symbol)
            self._assistant.subscribe(ClosedBar, partial(self._on_bar, request.symbol), keys=(request.symbol,))
        self._publish_state(analysis)
        self._guarded(analysis, partial(self._begin, analysis))
        return Done()

    def _on_stop(self, request: StopAnalysis) -> Reply:
        if self._analyses.pop(request.analysis, None) is None:
            raise Refused(f"analysis {request.analysis} does not run on {self._assistant.name}")
        return Done()

    def _on_bar(self, symbol: str, event: ClosedBar) -> None:
        if event.symbol != symbol:
            return
        for analysis in list(self._analyses.values()):
            if analysis.request.symbol == symbol and not analysis.error:
                self._guarded(analysis, partial(self._arrived, analysis, event))

    def _arrived(self, analysis: _Analysis, event: ClosedBar) -> None:
        self._carry_out(analysis, analysis.catch_up.arrived(event.bar, event.gap))

    def _begin(self, analysis: _Analysis) -> None:
        last_ms = self._store.last(analysis.request.symbol)
        self._carry_out(analysis, analysis.catch_up.begin(0 if last_ms is None else last_ms + MINUTE_MS))

    def _carry_out(self, analysis: _Analysis, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Read():
                    work = partial(self._read, analysis, instruction)
                    self._assistant.call_soon(partial(self._guarded, analysis, work))
                case Feed(bars):
                    for bar in bars:
                        self._feed_live(analysis, bar)
                case Ensure():
                    ask = partial(self._ensure, analysis, instruction)
                    if instruction.delay_s:
                        self._assistant.call_later(instruction.delay_s, partial(self._guarded, analysis, ask))
                    else:
                        ask()
        self._publish_state(analysis)

    def _read(self, analysis: _Analysis, order: Read) -> None:
        begun = time.perf_counter()
        with_flow = analysis.pipeline.reads_flow
        bars = self._store.read(analysis.request.symbol, order.start_ms, order.end_ms, with_flow)
        if len(bars):
            self._feed(analysis, bars)
        _adapt(analysis.catch_up, time.perf_counter() - begun)
        last_ms = int(bars.open_time[-1]) if len(bars) else None
        self._carry_out(analysis, analysis.catch_up.read(order.end_ms, last_ms))

    def _ensure(self, analysis: _Analysis, order: Ensure) -> None:
        def answered(reply: Reply) -> None:
            if not isinstance(reply, Done):
                log.warning("minutes %s of %s are not to be had: %s", order, analysis.request.symbol, reply)
            self._guarded(analysis, lambda: self._carry_out(analysis, analysis.catch_up.ensured()))

        request = EnsureBars(analysis.request.symbol, order.start_ms, order.end_ms)
        self._assistant.request_async(DATA, request, answered, timeout=ENSURE_TIMEOUT_S)

    def _feed(self, analysis: _Analysis, bars: Bars) -> None:
        begun = time.perf_counter()
        rows = list(_rows(analysis, bars))
        analysis.update_us = (time.perf_counter() - begun) * 1e6 / max(1, len(rows))
        for row in rows:
            self._publish_row(analysis, row)

    def _feed_live(self, analysis: _Analysis, bar: Bar) -> None:
        if bar.open_time != analysis.pipeline.next_ms:
            self._feed(analysis, Bars.of((bar,), Source.STREAM))
            return
        begun = time.perf_counter()
        every_minute = analysis.request.every_minute
        row = analysis.pipeline.advance_every_minute(bar) if every_minute else analysis.pipeline.advance(bar)
        taken_us = (time.perf_counter() - begun) * 1e6
        analysis.minute_us += (taken_us - analysis.minute_us) * (_NEWEST if analysis.minute_us else 1.0)
        if row is not None:
            analysis.update_us = taken_us
            self._publish_row(analysis, row)

    def _publish_row(self, analysis: _Analysis, row: AnalysisRowValue) -> None:
        request = analysis.request
        if not row.provisional:
            analysis.last_close_time = row.close_time
        if row.close_time <= request.rows_from_ms:
            return
        kind = ProvisionalRow if row.provisional else AnalysisRow
        message = kind(
            analysis=request.analysis,
            symbol=request.symbol,
            open_time=row.open_time,
            close_time=row.close_time,
            values=tuple(row.values.tolist()),
        )
        self._assistant.publish(message, key=request.analysis)

    def _publish_load(self) -> None:
        """Say what is carried and what it costs, if that has changed."""
        running = [each for each in self._analyses.values() if not each.error]
        loads = tuple(AnalysisLoad(each.request.analysis, each.minute_us, each.update_us) for each in running)
        load = AnalyzerLoad(self._assistant.name, loads, self._serving())
        if load != self._load:
            self._load = load
            self._assistant.publish(load, key=self._assistant.name)

    def _guarded(self, analysis: _Analysis, work: Callable[[], None]) -> None:
        """Do work for an analysis unless it was stopped or has failed; an error fails this analysis alone."""
        if analysis.error or self._analyses.get(analysis.request.analysis) is not analysis:
            return
        try:
            work()
        except Exception as error:
            # the log has the trace, the user the sentence, and the other analyses go on
            log.exception("analysis %s failed", analysis.request.analysis)
            analysis.error = f"{type(error).__name__}: {error}"
            self._publish_state(analysis)

    def _publish_state(self, analysis: _Analysis) -> None:
        """Publish where the analysis stands, if that has changed."""
        request = analysis.request
        state = "failed" if analysis.error else analysis.catch_up.state
        published = state, analysis.last_close_time, analysis.error
        if published == analysis.published:
            return
        analysis.published = published
        ready = AnalysisReady(
            analysis=request.analysis,
            symbol=request.symbol,
            analyzer=self._assistant.name,
            state=state,
            columns=analysis.pipeline.columns,
            last_close_time=analysis.last_close_time,
            update_us=analysis.update_us,
            error=analysis.error,
            start_ms=request.start_ms,
            settle_ms=analysis.pipeline.settle_minutes * MINUTE_MS,
        )
        self._assistant.publish(ready, key=request.analysis)


def _rows(analysis: _Analysis, bars: Bars) -> Iterator[AnalysisRowValue]:
    """Feed stored minutes; the rows of the bars that they close, or of every minute where those are published."""
    request, pipeline = analysis.request, analysis.pipeline
    before = len(bars) if not request.every_minute else int(np.searchsorted(bars.open_time, request.rows_from_ms))
    if before:
        table = pipeline.run(bars.slice(0, before))
        yield from (table.row(index) for index in range(len(table)))
    if before < len(bars):
        minutes = pipeline.run_every_minute(bars.slice(before, len(bars)))
        for index, share in enumerate(minutes.values[-1].tolist()):
            row = minutes.row(index)
            yield dataclasses.replace(row, values=row.values[:-1], provisional=share < 1.0)


def _adapt(catch_up: CatchUp, elapsed_s: float) -> None:
    """Halve or double the chunk so that a slice takes between a quarter and the whole of `SLICE_S`."""
    least, most = _CHUNK_MINUTES
    if elapsed_s > SLICE_S:
        catch_up.chunk_minutes = max(least, catch_up.chunk_minutes // 2)
    elif elapsed_s < SLICE_S / 4:
        catch_up.chunk_minutes = min(most, catch_up.chunk_minutes * 2)
