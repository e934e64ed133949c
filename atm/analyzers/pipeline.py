"""The analysis pipeline: one-minute bars in, rows of all configured analyses out; one code for batch, live and preview."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers.aggregate import PARTIAL, aggregate, fold, numbers, open_times
from atm.analyzers.builtin import built_in
from atm.analyzers.contract import CLOCK_ROWS, NUMBER, OPEN_TIME, Advance, Floats, Indicator, Registry
from atm.analyzers.table import AnalysisRowValue, AnalysisTable, index_of
from atm.analyzers.volume_profile import IVP, Profile, profile_of
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import N_COLUMNS, Bar, Bars, Column
from atm.model.errors import Invalid
from atm.model.interval import DAY_MS, MINUTE_MS, Interval

STATE_FORMAT = 2
"""Part of the fingerprint of a dumped state: raise it when any state array changes its meaning."""

_HEADER = struct.Struct("<32sq")
_LONGEST_MONTH_MS = 31 * DAY_MS


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one indicator in a pipeline. rows: its slice of the frame; memory: its slice of the
    state array; fresh: its state before the first bar.

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


class _Bank:
    """One state array with a view per line: the pipeline has the real one and one for previews."""

    def __init__(self, size: int, lines: tuple[Line, ...]) -> None:
        self.state = np.full(size, np.nan)
        self.partial = self.state[:PARTIAL]
        self.views = tuple(self.state[line.memory] for line in lines)


class AnalysisPipeline:
    """All analyses of one configuration, driven by the one-minute bars of one symbol.

    Feeding the bars at once, in pieces or one by one gives the same bits. Raises Invalid when parameters of the
    configuration do not fit each other.
    """

    def __init__(self, configuration: AnalysisConfiguration, registry: Registry | None = None) -> None:
        self.configuration = configuration
        self.interval = configuration.interval
        self.lines, self.columns = plan(configuration, registry or built_in())
        size = max([PARTIAL, *(line.memory.stop for line in self.lines)])
        self._bank, self._preview_bank = _Bank(size, self.lines), _Bank(size, self.lines)
        for line in self.lines:
            self._bank.state[line.memory] = line.fresh
        self._next_ms: int | None = None
        self._edges: NDArray[np.int64] = np.zeros(2, np.int64)
        self._minute = np.empty((N_COLUMNS, 1))
        self._single = np.empty((len(self.columns) + CLOCK_ROWS, 1))
        self._single_outs = tuple(self._single[line.rows] for line in self.lines)

    @property
    def next_ms(self) -> int | None:
        """Open time of the minute expected next; None before the first."""
        return self._next_ms

    @cached_property
    def look_back_minutes(self) -> int:
        """Minutes to be fed before every field has its value (the declared warm-up)."""
        return _minutes(self.interval, max((line.warm_up for line in self.lines), default=0))

    @cached_property
    def settle_minutes(self) -> int:
        """Minutes after which the start weighs less than 1e-6 in every result, path-dependent ones excepted (D16)."""
        return _minutes(self.interval, max((line.settle or line.warm_up for line in self.lines), default=0))

    def run(self, bars: Bars) -> AnalysisTable:
        """Feed one-minute bars that follow those fed before; returns the rows of the interval bars they closed.

        Minutes left out between bars count as missing, like NaN. Raises Invalid for bars of another interval, out of
        order, off the minute or already fed; then nothing was changed.
        """
        first_ms, minutes = self._dense(bars)
        count = minutes.shape[1]
        if count == 0:
            return self._table(np.zeros(1, np.int64), np.empty((len(self._single), 0)))
        opens, frame = self._process(self._bank, first_ms, minutes)
        self._next_ms = first_ms + count * MINUTE_MS
        return self._table(opens, frame)

    def advance(self, bar: Bar) -> AnalysisRowValue | None:
        """Feed one closed minute; the row of the interval bar that it closes, if it closes one.

        Raises Invalid unless the bar is the very next minute (`run` accepts holes).
        """
        if bar.open_time % MINUTE_MS or (self._next_ms is not None and bar.open_time != self._next_ms):
            raise Invalid("bar.open_time", bar.open_time, f"{self._next_ms or 'a full minute'}")
        self._minute[:, 0] = bar.row()
        self._move_edges(bar.open_time)
        closed = aggregate(self._bank.partial, bar.open_time, self._minute, self._edges, self._single)
        self._next_ms = bar.open_time + MINUTE_MS
        return self._evaluate_single(self._bank) if closed else None

    def preview(self, bar: Bar) -> AnalysisRowValue:
        """Provisional row of the interval bar that contains the open minute `bar`; the state stays as it is.

        Minutes between the last one fed and `bar` count as missing. Raises Invalid for a minute already fed.
        """
        if self._next_ms is not None and bar.open_time < self._next_ms:
            raise Invalid("bar.open_time", bar.open_time, f"at least {self._next_ms}, the first minute not yet closed")
        bank = self._preview_bank
        np.copyto(bank.state, self._bank.state)
        bucket_ms = self.interval.open_time(bar.open_time)
        if self._next_ms is not None and self._next_ms < bucket_ms:
            self._process(bank, self._next_ms, np.full((N_COLUMNS, (bucket_ms - self._next_ms) // MINUTE_MS), np.nan))
        self._minute[:, 0] = bar.row()
        fold(bank.partial, self._minute, 0)
        self._single[:N_COLUMNS, 0] = bank.partial
        self._move_edges(bar.open_time)
        return self._evaluate_single(bank)

    def dump(self) -> bytes:
        """The state, from which `load` of a pipeline with an equal configuration goes on to the same bits."""
        next_ms = -1 if self._next_ms is None else self._next_ms
        return _HEADER.pack(self._fingerprint, next_ms) + self._bank.state.tobytes()

    def load(self, data: bytes) -> None:
        """Take a dumped state over. Raises Invalid when it belongs to another configuration or version."""
        if len(data) != _HEADER.size + self._bank.state.nbytes or data[:32] != self._fingerprint:
            raise Invalid("state", f"{len(data)} bytes", "a state dumped under the same configuration and version")
        _, next_ms = _HEADER.unpack_from(data)
        self._bank.state[:] = np.frombuffer(data, np.float64, offset=_HEADER.size)
        self._next_ms = None if next_ms < 0 else next_ms

    def profile(self) -> Profile | None:
        """The whole volume profile as after the last bar closed; None without one. (Any earlier bar: run up to it.)"""
        for line, state in zip(self.lines, self._bank.views, strict=True):
            if line.name == IVP.name:
                return profile_of(line.params, state)
        return None

    @cached_property
    def _fingerprint(self) -> bytes:
        text = msgspec.json.encode((STATE_FORMAT, self.configuration, self.columns))
        return hashlib.sha256(text).digest()

    def _dense(self, bars: Bars) -> tuple[int, Floats]:
        """First open time and the (9, n) matrix from the minute expected next to the last bar, without holes."""
        if bars.interval is not Interval.M1:
            raise Invalid("bars.interval", bars.interval.value, "1m")
        if len(bars) == 0:
            return 0, np.empty((N_COLUMNS, 0))
        first, last = int(bars.open_time[0]), int(bars.open_time[-1])
        start = first if self._next_ms is None else self._next_ms
        if first < start:
            raise Invalid("bars.open_time", first, f"at least {start}, the minute after the last one fed")
        steps = np.diff(bars.open_time)
        if first % MINUTE_MS or (steps <= 0).any() or (steps % MINUTE_MS).any():
            raise Invalid("bars.open_time", first, "ascending full minutes, each once")
        if first == start and last - first == (len(bars) - 1) * MINUTE_MS:
            return start, np.ascontiguousarray(bars.values)
        return start, bars.dense(start, last + MINUTE_MS).values

    def _process(self, bank: _Bank, first_ms: int, minutes: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Feed dense minutes to a bank: open times of the bars closed and of the next, and the frame of results."""
        end_ms = first_ms + minutes.shape[1] * MINUTE_MS
        edges = open_times(self.interval, first_ms, end_ms)
        closed = int(np.searchsorted(edges, end_ms, side="right")) - 1
        frame = np.empty((len(self._single), closed))
        aggregate(bank.partial, first_ms, minutes, edges, frame)
        opens = edges[: closed + 1]
        frame[OPEN_TIME], frame[NUMBER] = opens[:-1], numbers(self.interval, opens[:-1])
        for line, state in zip(self.lines, bank.views, strict=True):
            line.advance(line.params, state, frame, 0, closed, frame[line.rows])
        return opens, frame

    def _move_edges(self, minute_ms: int) -> None:
        """Let `_edges` and the clock rows of `_single` name the interval bar that contains the minute."""
        if not self._edges[0] <= minute_ms < self._edges[1]:
            self._edges = open_times(self.interval, minute_ms, minute_ms + MINUTE_MS)
        self._single[OPEN_TIME, 0] = self._edges[0]
        self._single[NUMBER, 0] = numbers(self.interval, self._edges[:1])[0]

    def _evaluate_single(self, bank: _Bank) -> AnalysisRowValue:
        for line, state, out in zip(self.lines, bank.views, self._single_outs, strict=True):
            line.advance(line.params, state, self._single, 0, 1, out)
        values = self._single[:-CLOCK_ROWS, 0].copy()
        return AnalysisRowValue(int(self._edges[0]), int(self._edges[1]), values)

    def _table(self, opens: NDArray[np.int64], frame: Floats) -> AnalysisTable:
        return AnalysisTable(self.interval, opens[:-1], opens[1:], self.columns, frame[:-CLOCK_ROWS])


def plan(configuration: AnalysisConfiguration, registry: Registry) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Lines of a configuration in the order of their evaluation, and the columns, which begin with those of the bar."""
    prefix = configuration.interval.value
    columns = [f"{prefix}.KLINE.0.{column.name.lower()}" for column in Column]
    lines: list[Line] = []
    for indicator in registry:
        inputs = indicator.inputs(configuration)
        for number, parameters in enumerate(indicator.lines(configuration), start=0 if indicator.singleton else 1):
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
    )


def _minutes(interval: Interval, bars: int) -> int:
    """Minutes that hold `bars` whole bars, wherever in a bar they begin."""
    length = _LONGEST_MONTH_MS if interval is Interval.MONTH else interval.nominal_ms
    return (bars + 1) * length // MINUTE_MS
