"""Keeps the analyses that accounts need running on analyzers: the shell around `AnalysisPlacement`.

Recurrences remember where they began, so the first minute of an analysis is chosen once, stored and kept over restarts:
the settling time of its configuration before the account's market time, or the first stored minute after that.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec

from atm.analyzers.pipeline import AnalysisPipeline
from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    DATA,
    MAIN,
    AnalysisReady,
    AnalyzerLoad,
    Done,
    EnsureBars,
    Failed,
    ProcessState,
    Reply,
    RetireWorker,
    StartAnalysis,
    StartWorker,
    StopAnalysis,
    WorkerStarted,
)
from atm.managers.analysis_placement import AnalysisPlacement, Halt, Instruction, Retire, Run, StartAnalyzer
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import TimeRange
from atm.model.errors import ATMError
from atm.model.interval import MINUTE_MS

log = logging.getLogger(__name__)

ENSURE_TRIES = 5
ENSURE_TIMEOUT_S = 60.0
PLAN_PERIOD_S = 1.0
SETTLING_S = 0.3
"""After a start, time for the router to hand over what is known of analyzers, so that nothing is started twice."""


class Settings(Protocol):
    """The part of the relational store that the desk needs."""

    def get(self, key: str) -> Any: ...
    def put(self, key: str, value: Any) -> None: ...


class Coverages(Protocol):
    def coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...


@dataclass(frozen=True, slots=True)
class Need:
    """An analysis that accounts use; its rows are needed for closes after `rows_from_ms`, or of every minute after that."""

    symbol: str
    configuration: AnalysisConfiguration
    rows_from_ms: int
    every_minute: bool = False


class _Start(msgspec.Struct, frozen=True):
    """Stored first minute of an analysis; of another configuration it is void."""

    start_ms: int
    configuration: str


class AnalysisDesk:
    """`needs` is asked whenever an analysis starts, so that it is told the accounts' present market time."""

    def __init__(
        self,
        assistant: IPCAssistant,
        size: int,
        store: Coverages,
        settings: Settings,
        needs: Callable[[], Mapping[str, Need]],
        clock: Callable[[], float],
    ) -> None:
        self._assistant = assistant
        self._store = store
        self._settings = settings
        self._needs = needs
        self._clock = clock
        self._placement = AnalysisPlacement(size)
        self._settled = False
        self._started: dict[str, bool] = {}  # whether with rows of every minute
        self.states: dict[str, AnalysisReady] = {}
        assistant.subscribe(ProcessState, self._on_process)
        assistant.subscribe(AnalysisReady, self._on_ready)
        assistant.subscribe(AnalyzerLoad, self._on_load)
        assistant.call_later(SETTLING_S, self._settle)
        assistant.every(PLAN_PERIOD_S, self.plan)

    def plan(self) -> None:
        """Bring what runs nearer to what is needed. Call it when the needs have changed."""
        if not self._settled:
            return
        needs = self._needs()
        self._placement.wanted = set(needs)
        self._started = {analysis: kind for analysis, kind in self._started.items() if analysis in needs}
        for analysis, need in needs.items():
            if need.every_minute and not self._started.get(analysis, True):
                self._started[analysis] = True
                self._placement.restart(analysis)  # it runs without the rows of open bars
        for instruction in self._placement.plan(self._clock()):
            self._carry_out(instruction)

    def restart(self, analysis: str) -> None:
        """Start it again: rows are missing, or its configuration has changed."""
        self._placement.restart(analysis)
        self.plan()

    def state(self, analysis: str) -> str:
        """ "preparing", "running", "waiting" or "failed" as its analyzer said last; "" when it has none."""
        ready = self.states.get(analysis)
        placed = self._placement.analyzer_of(analysis)
        return ready.state if ready is not None and placed is not None else ""

    def _settle(self) -> None:
        self._settled = True
        self.plan()

    def _on_process(self, state: ProcessState) -> None:
        self._placement.process(state, self._clock())
        self.plan()

    def _on_ready(self, ready: AnalysisReady) -> None:
        self.states[ready.analysis] = ready
        if not self._settled:
            self._placement.claim(ready.analysis, ready.analyzer)

    def _on_load(self, load: AnalyzerLoad) -> None:
        self._placement.serves(load.analyzer, load.serving)
        for each in load.analyses:
            self._placement.measured(each.analysis, each.minute_us)

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case StartAnalyzer():
                self._assistant.request_async(MAIN, StartWorker("analyzer"), self._on_started, timeout=30.0)
            case Run(analysis, analyzer):
                self._prepare(analysis, analyzer, ENSURE_TRIES)
            case Halt(analysis, analyzer):
                self.states.pop(analysis, None)
                self._assistant.request_async(analyzer, StopAnalysis(analysis), partial(_logged, "StopAnalysis"))
            case Retire(analyzer):
                self._assistant.request_async(MAIN, RetireWorker(analyzer), partial(_logged, "RetireWorker"))

    def _on_started(self, reply: Reply) -> None:
        if isinstance(reply, WorkerStarted):
            self._placement.pool.started(reply.name, self._clock())
        else:
            self._placement.pool.refused(self._clock())
            log.info("no further analyzer: %s", reply)
        self.plan()

    # --- starting one -----------------------------------------------------------------------------------------

    def _prepare(self, analysis: str, analyzer: str, tries: int) -> None:
        """Have the look-back in the store, then start."""
        need = self._needs().get(analysis)
        if need is None:
            self._placement.failed(analysis, analyzer)
            return
        start_ms = self._stored_start(analysis, need)
        if start_ms is not None:
            self._start(analysis, analyzer, need, start_ms)
            return
        earliest = look_back_start(need.configuration, need.rows_from_ms)

        def answered(reply: Reply) -> None:
            if self._placement.analyzer_of(analysis) != analyzer:
                return
            if isinstance(reply, Failed) and reply.kind == "Unavailable" and tries > 1:
                self._assistant.call_later(1.0, partial(self._prepare, analysis, analyzer, tries - 1))
                return
            try:
                start_ms = self._choose_start(analysis, need, earliest)
            except ATMError as error:
                log.error("analysis %s cannot begin, will be tried again: %s", analysis, error)
                self._placement.failed(analysis, analyzer)
                return
            self._start(analysis, analyzer, need, start_ms)

        request = EnsureBars(need.symbol, earliest, need.rows_from_ms)
        self._assistant.request_async(DATA, request, answered, timeout=ENSURE_TIMEOUT_S)

    def _choose_start(self, analysis: str, need: Need, earliest_ms: int) -> int:
        first = first_minute(self._store.coverage(need.symbol), earliest_ms, need.rows_from_ms)
        start_ms = need.configuration.decision.open_time(first)
        self._settings.put(analysis_start_key(analysis), _Start(start_ms, _digest(need.configuration)))
        return start_ms

    def _stored_start(self, analysis: str, need: Need) -> int | None:
        stored = self._settings.get(analysis_start_key(analysis))
        if stored is None:
            return None
        start = msgspec.convert(stored, _Start)
        return start.start_ms if start.configuration == _digest(need.configuration) else None

    def _start(self, analysis: str, analyzer: str, need: Need, start_ms: int) -> None:
        self._started[analysis] = need.every_minute
        request = StartAnalysis(
            analysis, need.symbol, need.configuration, start_ms, need.rows_from_ms, need.every_minute
        )

        def answered(reply: Reply) -> None:
            if not isinstance(reply, Done):
                log.warning("%s did not take %s: %s", analyzer, analysis, reply)
                self._placement.failed(analysis, analyzer)

        self._assistant.request_async(analyzer, request, answered, timeout=30.0)


def look_back_start(configuration: AnalysisConfiguration, market_ms: int) -> int:
    """The minute from which on an analysis has forgotten its start at `market_ms`."""
    pipeline = AnalysisPipeline(configuration)
    minutes = max(pipeline.look_back_minutes, pipeline.settle_minutes)
    return configuration.decision.open_time(max(0, market_ms - minutes * MINUTE_MS))


def first_minute(coverage: tuple[TimeRange, ...], earliest_ms: int, market_ms: int) -> int:
    """The first stored minute from `earliest_ms` on; `market_ms` when there is none before it."""
    starts = [max(held.start_ms, earliest_ms) for held in coverage if held.end_ms > earliest_ms]
    return min([*starts, market_ms])


def _digest(configuration: AnalysisConfiguration) -> str:
    return hashlib.sha256(msgspec.json.encode(configuration)).hexdigest()[:16]


def analysis_start_key(analysis: str) -> str:
    """Setting that says where an analysis began."""
    return f"analysis_start/{analysis}"


def _logged(what: str, reply: Reply) -> None:
    if isinstance(reply, Failed):
        log.info("%s: %s", what, reply.message)
