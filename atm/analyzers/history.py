"""Analyses of stored minutes on request, for whoever shows them: the answer goes through shared memory.

The work is done in slices of `SLICE_MINUTES`, between which the live bars are handled. The pipelines of the last answers are
kept, so that who asks for what has come since costs the new minutes alone, and paths (a trailing stop, a swing) go on.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec
import numpy as np

from atm.analyzers.installed import registry_for
from atm.analyzers.pipeline import AnalysisPipeline
from atm.analyzers.table import AnalysisRowValue, AnalysisTable, concatenate
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import AnalyseBars, AnalysedBars
from atm.ipc.shared_array import ArrayReference, SharedArrays
from atm.model.bars import Bars
from atm.model.errors import ATMError, Invalid, Refused
from atm.model.interval import MINUTE_MS

log = logging.getLogger(__name__)

SLICE_MINUTES = 20_000
MOST_KEPT = 4
"""Pipelines that wait for a further request, the last used ones."""
SERVING_SECONDS = 30.0
"""So long after a request somebody is taken to be still looking."""


class BarReader(Protocol):
    """The part of the market store that is read."""

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars: ...


@dataclass(slots=True)
class _Standing:
    """Where the analysis of a symbol stands: minutes before next_ms are read, the newest of them not yet fed (it is held
    back, so that the bar still running can be previewed with it); open_ms: the bar that the next row can be of."""

    pipeline: AnalysisPipeline
    next_ms: int
    newest: Bars
    open_ms: int


class _Job:
    """One request on its way."""

    def __init__(self, request: AnalyseBars, standing: _Standing) -> None:
        self.request = request
        self.answer = Deferred()
        self.standing = standing
        self.tables: list[AnalysisTable] = []


class HistoryDesk:
    """Answers AnalyseBars. clock: monotonic seconds."""

    def __init__(
        self, assistant: IPCAssistant, store: BarReader, arrays: SharedArrays, clock: Callable[[], float]
    ) -> None:
        self._assistant = assistant
        self._store = store
        self._arrays = arrays
        self._clock = clock
        self._asked = float("-inf")
        self._kept: OrderedDict[tuple[str, bytes], _Standing] = OrderedDict()
        assistant.answer(AnalyseBars, self._on_request)

    def serving(self) -> bool:
        """Whether somebody has asked within the last `SERVING_SECONDS`."""
        return self._clock() - self._asked < SERVING_SECONDS

    def _on_request(self, request: AnalyseBars) -> Deferred:
        self._asked = self._clock()
        job = _Job(request, self._standing(request))
        unknown = set(request.columns) - set(job.standing.pipeline.columns)
        if unknown:
            raise Invalid("columns", sorted(unknown), "columns of the configuration")
        self._assistant.call_soon(partial(self._go_on, job))
        return job.answer

    def _standing(self, request: AnalyseBars) -> _Standing:
        """The pipeline that stands before the wanted rows, else a new one that begins early enough to have settled."""
        pipeline = AnalysisPipeline(request.configuration, registry_for(request.configuration))
        kept = self._kept.pop(_key(request), None)
        decision = request.configuration.decision
        if (
            kept is not None
            and kept.pipeline.identity == pipeline.identity
            and kept.open_ms <= decision.open_time(request.start_ms)
            and kept.next_ms <= request.end_ms
        ):
            return kept
        start_ms = decision.open_time(max(0, request.start_ms - pipeline.settle_minutes * MINUTE_MS))
        return _Standing(pipeline, start_ms, Bars.empty(), start_ms)

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
        """Read and feed one slice."""
        standing = job.standing
        end_ms = min(standing.next_ms + SLICE_MINUTES * MINUTE_MS, job.request.end_ms)
        if end_ms > standing.next_ms:
            bars = self._store.read(job.request.symbol, standing.next_ms, end_ms, standing.pipeline.reads_flow)
            if len(bars):
                self._feed(job, standing.newest)
                self._feed(job, bars.slice(0, len(bars) - 1))
                standing.newest = bars.slice(len(bars) - 1, len(bars))
                standing.next_ms = int(standing.newest.open_time[0]) + MINUTE_MS
            if end_ms < job.request.end_ms:
                standing.next_ms = end_ms
        if end_ms < job.request.end_ms:
            self._assistant.call_soon(partial(self._go_on, job))
        else:
            job.answer.reply(self._result(job))

    def _feed(self, job: _Job, bars: Bars) -> None:
        if not len(bars):
            return
        table = job.standing.pipeline.run(bars)
        if len(table):
            job.tables.append(table)
            job.standing.open_ms = int(table.close_time[-1])

    def _result(self, job: _Job) -> AnalysedBars:
        request, standing = job.request, job.standing
        from_ms = request.configuration.decision.open_time(request.start_ms)
        last, next_ms = self._last_row(job, from_ms)
        columns = standing.pipeline.columns
        open_time, values = np.empty(0, np.int64), np.empty((len(columns), 0))
        if job.tables:
            table = concatenate(job.tables)
            first = int(np.searchsorted(table.open_time, from_ms))
            open_time, values = table.open_time[first:], table.values[:, first:]
        if last is not None:
            open_time, values = np.append(open_time, last.open_time), np.column_stack([values, last.values])
        if request.columns:
            values = values[[columns.index(name) for name in request.columns]]
        profile = self._profile(standing.pipeline)
        self._kept[_key(request)] = standing
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        share = self._arrays.share
        return AnalysedBars(request.columns or columns, share(open_time), share(values), next_ms, profile)

    def _last_row(self, job: _Job, from_ms: int) -> tuple[AnalysisRowValue | None, int]:
        """The row of the bar that is still running (or that the newest minute closes), and the minute after the newest
        one that is in the rows."""
        request, standing = job.request, job.standing
        running = request.running
        if running is not None and running.open_time == standing.next_ms:
            self._feed(job, standing.newest)
            standing.newest = Bars.empty()
            return standing.pipeline.preview(running), standing.next_ms
        if not len(standing.newest):
            return None, standing.next_ms if job.tables else request.start_ms
        if standing.newest.open_time[0] < from_ms:
            return None, request.start_ms
        return standing.pipeline.preview(standing.newest.bar(0)), standing.next_ms

    def _profile(self, pipeline: AnalysisPipeline) -> ArrayReference | None:
        profile = pipeline.profile()
        if profile is None:
            return None
        return self._arrays.share(np.stack([profile.edges[:-1], profile.volume, profile.smoothed]))


def _key(request: AnalyseBars) -> tuple[str, bytes]:
    return request.symbol, msgspec.json.encode(request.configuration)
