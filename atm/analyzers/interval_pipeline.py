"""The analyses of one interval: minutes in, results of the interval bars they close out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atm.analyzers.aggregate import (
    FLOW_COUNT,
    FLOW_SUM,
    PARTIAL,
    aggregate,
    aggregate_flow,
    fold,
    fold_flow,
    mean_flow,
    numbers,
    open_times,
)
from atm.analyzers.contract import CLOCK_ROWS, NUMBER, OPEN_TIME, Advance, Floats, Indicator, Registry
from atm.analyzers.every_minute import advance_every_minute, unfold, unfold_flow
from atm.analyzers.external import IMBALANCE, Networks, supplied
from atm.analyzers.table import index_of
from atm.model.analysis_configuration import IntervalAnalyses
from atm.model.bars import N_COLUMNS, Column
from atm.model.interval import DAY_MS, MINUTE_MS, Interval

_CLOSE = int(Column.CLOSE)
_LONGEST_MONTH_MS = 31 * DAY_MS


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one indicator in a pipeline. rows: its slice of the frame; memory: its slice of the
    state array; fresh: its state before the first bar; inputs: rows of the frame that it reads beside the bar.

    warm_up and settle in bars from the start of the pipeline, those of its inputs included (see `Indicator`).
    """

    name: str
    advance: Advance
    params: Floats
    fresh: Floats
    rows: slice
    memory: slice
    warm_up: int
    settle: int | None
    version: str
    inputs: tuple[int, ...] = ()


class _Bank:
    """One state array with a view per line: the pipeline has the real one and one for previews."""

    def __init__(self, size: int, lines: tuple[Line, ...]) -> None:
        self.state = np.full(size, np.nan)
        self.state[[FLOW_SUM, FLOW_COUNT]] = 0.0
        self.partial = self.state[:PARTIAL]
        self.bar = self.state[:N_COLUMNS]
        self.views = tuple(self.state[line.memory] for line in lines)


class IntervalPipeline:
    """See the module. A bar that began before `origin_ms`, the first minute there is, is left out: it is not whole.

    state: float64, everything that outlives a minute.
    """

    def __init__(self, analyses: IntervalAnalyses, registry: Registry, networks: Networks) -> None:
        self.interval = analyses.interval
        self.lines, self.columns = plan(analyses, registry, networks)
        flow = f"{self.interval.value}.{IMBALANCE}"
        self._flow_row = self.columns.index(flow) if flow in self.columns else None
        size = max([PARTIAL, *(line.memory.stop for line in self.lines)])
        self._bank, self._preview_bank = _Bank(size, self.lines), _Bank(size, self.lines)
        for line in self.lines:
            self._bank.state[line.memory] = line.fresh
        self.origin_ms = 0
        self._edges: NDArray[np.int64] = np.zeros(2, np.int64)
        self._single = np.empty((len(self.columns) + CLOCK_ROWS, 1))
        self._single_outs = tuple(self._single[line.rows] for line in self.lines)

    @property
    def state(self) -> Floats:
        return self._bank.state

    def memory_of(self, name: str) -> tuple[Floats, Floats] | None:
        """Parameters and state of the first line of an indicator; None without one."""
        for line, state in zip(self.lines, self._bank.views, strict=True):
            if line.name == name:
                return line.params, state
        return None

    @property
    def bar(self) -> tuple[int, int]:
        """Open time of the bar of the last single minute, and of the one after it."""
        return int(self._edges[0]), int(self._edges[1])

    @property
    def reads_flow(self) -> bool:
        """Whether results depend on the order flow of the minutes."""
        return self._flow_row is not None

    @property
    def look_back_minutes(self) -> int:
        return _minutes(self.interval, max((line.warm_up for line in self.lines), default=0))

    @property
    def settle_minutes(self) -> int:
        return _minutes(self.interval, max((line.settle or line.warm_up for line in self.lines), default=0))

    def run(self, first_ms: int, minutes: Floats, imbalances: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Feed dense minutes (9, n ≥ 1), the first of which opens at `first_ms`, with their imbalances (n,), which may be
        empty unless they are read.

        Returns the open times of the k bars they close and of the next one, int64 (k + 1,), and the results (n_columns, k).
        """
        return self._run(self._bank, first_ms, minutes, imbalances)

    def run_every_minute(
        self, first_ms: int, minutes: Floats, imbalances: Floats, wanted: Collection[str]
    ) -> tuple[NDArray[np.int64], Floats]:
        """Feed minutes as `run` does, with results at each: provisional ones of the open bar, or those of the bar that it closes.

        Returns for the minutes that are in a whole bar, m ≤ n, the open time of that bar and of the next, int64 (2, m), and the
        results (n_columns, m), which inside of a bar are NaN for lines that the wanted columns do not need.
        """
        end_ms = first_ms + minutes.shape[1] * MINUTE_MS
        edges = open_times(self.interval, first_ms, end_ms)
        number = np.empty(minutes.shape[1], np.int64)
        frame = np.empty((len(self._single), minutes.shape[1]))
        unfold(self._bank.bar, first_ms, minutes, edges, frame, number)
        if self._flow_row is not None:
            unfold_flow(self._bank.partial, first_ms, minutes[_CLOSE], imbalances, edges, frame[self._flow_row])
        bars = np.stack([edges[number], edges[number + 1]])
        frame[OPEN_TIME], frame[NUMBER] = bars[0], numbers(self.interval, edges)[number]
        ends = bars[1] == np.arange(first_ms, end_ms, MINUTE_MS) + MINUTE_MS
        begin = int(np.searchsorted(bars[0], self.origin_ms))
        needed = self._needed(wanted)
        for line, state in zip(self.lines, self._bank.views, strict=True):
            if line.rows.start == self._flow_row:
                continue
            if line.rows.start in needed:
                advance_every_minute(line.advance, line.params, state, frame, ends, begin, frame[line.rows])
            else:
                _advance_at_ends(line, state, frame, ends, begin)
        return bars[:, begin:], frame[:-CLOCK_ROWS, begin:]

    def _needed(self, wanted: Collection[str]) -> set[int]:
        """First rows of the lines without which the wanted columns have no values."""
        rows = {row for row, name in enumerate(self.columns) if name in wanted}
        found = set()
        for line in reversed(self.lines):
            if rows.intersection(range(line.rows.start, line.rows.stop)):
                found.add(line.rows.start)
                rows.update(line.inputs)
        return found

    def advance(self, minute_ms: int, minute: Floats, imbalance: float) -> Floats | None:
        """Feed one minute (9, 1); the results (n_columns,) of the bar that it closes, if it closes one. A view."""
        self._move_edges(minute_ms)
        if self._flow_row is not None:
            aggregate_flow(
                self._bank.partial,
                minute_ms,
                minute[_CLOSE],
                np.array([imbalance]),
                self._edges,
                self._single[self._flow_row],
            )
        if not aggregate(self._bank.bar, minute_ms, minute, self._edges, self._single):
            return None
        return None if self._edges[0] < self.origin_ms else self._evaluate(self._bank)

    def preview(self, next_ms: int, minute_ms: int, minute: Floats, imbalance: float) -> Floats:
        """Provisional results (n_columns,) of the open bar that contains the open minute; the state stays. A view.

        Minutes from `next_ms`, the first one not fed, up to `minute_ms` count as missing.
        """
        bank = self._preview_bank
        np.copyto(bank.state, self._bank.state)
        begin_ms = self.interval.open_time(minute_ms)
        if next_ms < begin_ms:
            nothing = np.full((N_COLUMNS, (begin_ms - next_ms) // MINUTE_MS), np.nan)
            self._run(bank, next_ms, nothing, nothing[0])
        fold(bank.bar, minute, 0)
        self._single[:N_COLUMNS, 0] = bank.bar
        if self._flow_row is not None:
            fold_flow(bank.partial, minute[_CLOSE, 0], imbalance)
            self._single[self._flow_row, 0] = mean_flow(bank.partial)
        self._move_edges(minute_ms)
        return self._evaluate(bank)

    def _run(self, bank: _Bank, first_ms: int, minutes: Floats, imbalances: Floats) -> tuple[NDArray[np.int64], Floats]:
        end_ms = first_ms + minutes.shape[1] * MINUTE_MS
        edges = open_times(self.interval, first_ms, end_ms)
        closed = int(np.searchsorted(edges, end_ms, side="right")) - 1
        begin = int(closed > 0 and edges[0] < self.origin_ms)
        frame = np.empty((len(self._single), closed))
        aggregate(bank.bar, first_ms, minutes, edges, frame)
        if self._flow_row is not None:
            aggregate_flow(bank.partial, first_ms, minutes[_CLOSE], imbalances, edges, frame[self._flow_row])
        opens = edges[: closed + 1]
        frame[OPEN_TIME], frame[NUMBER] = opens[:-1], numbers(self.interval, opens[:-1])
        for line, state in zip(self.lines, bank.views, strict=True):
            if line.rows.start == self._flow_row:
                continue
            line.advance(line.params, state, frame, begin, closed, frame[line.rows])
        return opens[begin:], frame[:-CLOCK_ROWS, begin:]

    def _move_edges(self, minute_ms: int) -> None:
        """Let `_edges` and the clock rows of `_single` name the bar that contains the minute."""
        if not self._edges[0] <= minute_ms < self._edges[1]:
            self._edges = open_times(self.interval, minute_ms, minute_ms + MINUTE_MS)
        self._single[OPEN_TIME, 0] = self._edges[0]
        self._single[NUMBER, 0] = numbers(self.interval, self._edges[:1])[0]

    def _evaluate(self, bank: _Bank) -> Floats:
        for line, state, out in zip(self.lines, bank.views, self._single_outs, strict=True):
            if line.rows.start == self._flow_row:
                continue
            line.advance(line.params, state, self._single, 0, 1, out)
        return self._single[:-CLOCK_ROWS, 0]


def _advance_at_ends(line: Line, state: Floats, frame: Floats, ends: NDArray[np.bool_], begin: int) -> None:
    """Results of a line for the minutes that end a bar alone."""
    at = begin + np.flatnonzero(ends[begin:])
    closed = np.ascontiguousarray(frame[:, at])
    line.advance(line.params, state, closed, 0, len(at), closed[line.rows])
    frame[line.rows] = np.nan
    frame[line.rows, at] = closed[line.rows]


def plan(
    analyses: IntervalAnalyses, registry: Registry, networks: Networks
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Lines of an interval in the order of their evaluation, and the columns, which begin with those of the bar."""
    prefix = analyses.interval.value
    columns = [f"{prefix}.KLINE.0.{column.name.lower()}" for column in Column]
    lines: list[Line] = []
    for registered in registry:
        indicator = supplied(registered, analyses, networks)
        inputs = indicator.inputs(analyses)
        for number, parameters in enumerate(indicator.lines_of(analyses), start=0 if indicator.singleton else 1):
            line = _line(indicator, parameters, inputs, lines, tuple(columns))
            lines.append(line)
            columns += [f"{prefix}.{indicator.name}.{number}.{field}" for field in indicator.fields]
    return tuple(lines), tuple(columns)


def _line(
    indicator: Indicator[Any], parameters: Any, inputs: tuple[str, ...], before: list[Line], columns: tuple[str, ...]
) -> Line:
    rows = [index_of(columns, name) for name in inputs]
    sources = [line for line in before if any(line.rows.start <= row < line.rows.stop for row in rows)]
    own = indicator.pack(parameters)
    params = np.concatenate([[len(rows)], rows, own]).astype(np.float64) if rows else own
    fresh = indicator.state(params)
    begin = before[-1].memory.stop if before else PARTIAL
    settle, settled = indicator.settle(parameters), [line.settle for line in sources]
    return Line(
        name=indicator.name,
        advance=indicator.advance,
        params=params,
        fresh=fresh,
        rows=slice(len(columns), len(columns) + len(indicator.fields)),
        memory=slice(begin, begin + len(fresh)),
        warm_up=indicator.warm_up(parameters) + max((line.warm_up for line in sources), default=0),
        settle=None if settle is None or None in settled else settle + max((bars or 0 for bars in settled), default=0),
        version=indicator.version,
        inputs=tuple(rows),
    )


def _minutes(interval: Interval, bars: int) -> int:
    """Minutes that hold `bars` whole bars, wherever in a bar they begin."""
    length = _LONGEST_MONTH_MS if interval is Interval.MONTH else interval.nominal_ms
    return (bars + 1) * length // MINUTE_MS
