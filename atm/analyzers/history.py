"""Analyses of stored minutes on request, for whoever shows them: the answer goes through shared memory.

The work is done in slices of `SLICE_MINUTES`, between which the live bars are handled.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Protocol

import numpy as np

from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisTable, concatenate
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import AnalyseBars, AnalysedBars
from atm.ipc.shared_array import SharedArrays
from atm.model.bars import Bars
from atm.model.errors import ATMError, Refused
from atm.model.interval import MINUTE_MS

log = logging.getLogger(__name__)

SLICE_MINUTES = 20_000


class BarReader(Protocol):
    """The part of the market store that is read."""

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars: ...


class _Job:
    """One request on its way. The pipeline begins early enough to have settled when the wanted rows begin."""

    def __init__(self, request: AnalyseBars) -> None:
        self.request = request
        self.answer = Deferred()
        self.pipeline = AnalysisPipeline(request.configuration)
        settle_ms = self.pipeline.settle_minutes * MINUTE_MS
        self.next_ms = request.configuration.decision.open_time(max(0, request.start_ms - settle_ms))
        self.tables: list[AnalysisTable] = []
        self.newest = Bars.empty()


class HistoryDesk:
    """Answers AnalyseBars."""

    def __init__(self, assistant: IPCAssistant, store: BarReader, arrays: SharedArrays) -> None:
        self._assistant = assistant
        self._store = store
        self._arrays = arrays
        assistant.answer(AnalyseBars, self._on_request)

    def _on_request(self, request: AnalyseBars) -> Deferred:
        job = _Job(request)
        self._assistant.call_soon(partial(self._go_on, job))
        return job.answer

    def _go_on(self, job: _Job) -> None:
        try:
            self._slice(job)
        except ATMError as error:
            job.answer.fail(error)
        except Exception as error:
            # whatever a store or a kernel raises concerns this asker alone; the log has the trace
            log.exception("%s could not be analysed", job.request.symbol)
            job.answer.fail(Refused(f"{job.request.symbol} could not be analysed: {type(error).__name__}: {error}"))

    def _slice(self, job: _Job) -> None:
        """Read and feed one slice. The newest minute is held back, so that the running bar can be previewed with it."""
        end_ms = min(job.next_ms + SLICE_MINUTES * MINUTE_MS, job.request.end_ms)
        bars = self._store.read(job.request.symbol, job.next_ms, end_ms, job.pipeline.reads_flow)
        if len(bars):
            if len(job.newest):
                job.tables.append(job.pipeline.run(job.newest))
            job.tables.append(job.pipeline.run(bars.slice(0, len(bars) - 1)))
            job.newest = bars.slice(len(bars) - 1, len(bars))
        job.next_ms = end_ms
        if end_ms < job.request.end_ms:
            self._assistant.call_soon(partial(self._go_on, job))
        else:
            job.answer.reply(self._result(job))

    def _result(self, job: _Job) -> AnalysedBars:
        from_ms = job.request.configuration.decision.open_time(job.request.start_ms)
        next_ms = job.request.start_ms
        open_time, values = np.empty(0, np.int64), np.empty((len(job.pipeline.columns), 0))
        if len(job.newest) and job.newest.open_time[-1] >= from_ms:
            next_ms = int(job.newest.open_time[-1]) + MINUTE_MS
            newest = job.pipeline.preview(job.newest.bar(0))
            table = concatenate(job.tables)
            first = int(np.searchsorted(table.open_time, from_ms))
            open_time = np.append(table.open_time[first:], newest.open_time)
            values = np.column_stack([table.values[:, first:], newest.values])
        share = self._arrays.share
        return AnalysedBars(job.pipeline.columns, share(open_time), share(values), next_ms)
