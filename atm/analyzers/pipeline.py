"""The analysis pipeline: one-minute bars in, rows of all configured analyses out; one code for batch, live and preview.

Every interval is derived from the same minutes, in their order, and evaluated when one of its bars closes. A row is made at
each close of the decision interval. In it, the columns of another interval are those of the bar of that interval that
closed last, at that moment or before: never of one that is still open, so a row knows nothing of what comes after it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Mapping
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.analyzers import installed
from atm.analyzers.contract import Floats, Registry
from atm.analyzers.external import Network
from atm.analyzers.interval_pipeline import IntervalPipeline, Line
from atm.analyzers.table import AnalysisRowValue, AnalysisTable
from atm.analyzers.volume_profile import IVP, Profile, profile_of
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.bars import N_COLUMNS, Bar, Bars, Column
from atm.model.errors import Invalid
from atm.model.flow import LEAST_KNOWN, recorded_imbalance
from atm.model.interval import MINUTE_MS, Interval
from atm.model.trade_method import ELAPSED

STATE_FORMAT = 3
"""Part of the fingerprint of a dumped state: raise it when any state array changes its meaning."""

_HEADER = struct.Struct("<32sqq")
_CLOSE = int(Column.CLOSE)


class AnalysisPipeline:
    """All analyses of one configuration, driven by the one-minute bars of one symbol.

    Feeding the bars at once, in pieces or one by one gives the same bits. Raises Invalid when parameters of the
    configuration do not fit each other.

    Analyses of the order book read the flow of the bars (`Bars.flow`, `Bar.flow`); networks: by the name under which the
    configuration asks for one. What is not there is NaN in the columns of FLOW and NNA.
    """

    def __init__(
        self,
        configuration: AnalysisConfiguration,
        registry: Registry | None = None,
        networks: Mapping[str, Network] | None = None,
    ) -> None:
        check_intervals(configuration)
        self.configuration = configuration
        self.interval = configuration.decision
        registry = registry or installed.registry_for(configuration)
        self.parts = tuple(IntervalPipeline(analyses, registry, networks or {}) for analyses in configuration.in_order)
        self.columns: tuple[str, ...] = tuple(name for part in self.parts for name in part.columns)
        self._decisive, self._others = self.parts[0], self.parts[1:]
        self._last = tuple(np.full(len(part.columns), np.nan) for part in self._others)
        self._next_ms: int | None = None
        self._minute = np.empty((N_COLUMNS, 1))
        self._imbalance = np.nan

    @property
    def next_ms(self) -> int | None:
        """Open time of the minute expected next; None before the first."""
        return self._next_ms

    @property
    def reads_flow(self) -> bool:
        """Whether results depend on the order flow of the minutes."""
        return any(part.reads_flow for part in self.parts)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all intervals, in the order of their columns."""
        return tuple(line for part in self.parts for line in part.lines)

    @cached_property
    def look_back_minutes(self) -> int:
        """Minutes to be fed before every field has its value (the declared warm-up)."""
        return max(part.look_back_minutes for part in self.parts)

    @cached_property
    def settle_minutes(self) -> int:
        """Minutes after which the start weighs less than 1e-6 in every result, path-dependent ones excepted (D16)."""
        return max(part.settle_minutes for part in self.parts)

    def begin(self, origin_ms: int) -> None:
        """Let the analysis begin with this minute; those up to the first one fed then count as missing.

        Without it, an analysis begins with the first minute fed. Bars that opened before are not whole and left out. Raises
        Invalid for a time off the minute, and after the beginning.
        """
        if origin_ms % MINUTE_MS or self._next_ms is not None:
            raise Invalid("origin_ms", origin_ms, "a full minute, given before the first bar")
        self._next_ms = origin_ms
        for part in self.parts:
            part.origin_ms = origin_ms

    def run(self, bars: Bars) -> AnalysisTable:
        """Feed one-minute bars that follow those fed before; returns the rows of the decision bars they closed.

        Minutes left out between bars count as missing, like NaN. Raises Invalid for bars of another interval, out of
        order, off the minute or already fed; then nothing was changed.
        """
        first_ms, minutes, imbalances = self._dense(bars)
        count = minutes.shape[1]
        if count == 0:
            return self._table(np.zeros(1, np.int64), np.empty((len(self.columns), 0)))
        if self._next_ms is None:
            self.begin(first_ms)
        self._next_ms = first_ms + count * MINUTE_MS
        opens, values = self._decisive.run(first_ms, minutes, imbalances)
        if not self._others:
            return self._table(opens, values)
        blocks = [values]
        for part, last in zip(self._others, self._last, strict=True):
            blocks.append(_as_of(opens[1:], *part.run(first_ms, minutes, imbalances), last))
        return self._table(opens, np.concatenate(blocks))

    def run_every_minute(self, bars: Bars, wanted: Collection[str] | None = None) -> AnalysisTable:
        """Feed as `run` does; returns a row for each minute: the provisional one of the open decision bar, or the row of the bar
        that it closes (see `AnalysisTable`). Columns of another interval are those of its last closed bar.

        A missing minute inside of a bar has no values, and minutes of a bar that is not whole have no rows. wanted: full names of
        columns that are to have their provisional values, None = all. Raises Invalid like `run`.
        """
        first_ms, minutes, imbalances = self._dense(bars)
        count = minutes.shape[1]
        columns = (*self.columns, f"{self.interval.value}.{ELAPSED}")
        if count == 0:
            nothing = np.zeros(0, np.int64)
            return AnalysisTable(self.interval, nothing, nothing, columns, np.empty((len(columns), 0)))
        if self._next_ms is None:
            self.begin(first_ms)
        self._next_ms = first_ms + count * MINUTE_MS
        wanted = self.columns if wanted is None else wanted
        (opens, nexts), values = self._decisive.run_every_minute(first_ms, minutes, imbalances, wanted)
        closes = np.arange(self._next_ms - (len(opens) - 1) * MINUTE_MS, self._next_ms + 1, MINUTE_MS)
        blocks = [values]
        for part, last in zip(self._others, self._last, strict=True):
            blocks.append(_as_of(closes, *part.run(first_ms, minutes, imbalances), last))
        blocks.append(((closes - opens) / (nexts - opens))[None])
        table = AnalysisTable(self.interval, opens, closes, columns, np.concatenate(blocks))
        missing = np.isnan(minutes[_CLOSE, count - len(opens) :]) & (closes != nexts)
        table.values[:-1, missing] = np.nan
        return table

    def advance_every_minute(self, bar: Bar) -> AnalysisRowValue | None:
        """Feed one closed minute as `advance` does; its row as in `run_every_minute`, but without the column more."""
        open_ms = self.interval.open_time(bar.open_time)
        if self.interval.next_open(open_ms) == bar.open_time + MINUTE_MS:
            return self.advance(bar)
        seen = self.preview(bar)
        self.advance(bar)
        if open_ms < self._decisive.origin_ms:
            return None
        values = seen.values if bar.close == bar.close else np.full(len(seen.values), np.nan)
        return AnalysisRowValue(open_ms, bar.open_time + MINUTE_MS, values, provisional=True)

    def advance(self, bar: Bar) -> AnalysisRowValue | None:
        """Feed one closed minute; the row of the decision bar that it closes, if it closes one.

        Raises Invalid unless the bar is the very next minute (`run` accepts holes).
        """
        if bar.open_time % MINUTE_MS or (self._next_ms is not None and bar.open_time != self._next_ms):
            raise Invalid("bar.open_time", bar.open_time, f"{self._next_ms or 'a full minute'}")
        if self._next_ms is None:
            self.begin(bar.open_time)
        self._take(bar)
        self._next_ms = bar.open_time + MINUTE_MS
        for part, last in zip(self._others, self._last, strict=True):
            closed = part.advance(bar.open_time, self._minute, self._imbalance)
            if closed is not None:
                last[:] = closed
        values = self._decisive.advance(bar.open_time, self._minute, self._imbalance)
        if values is None:
            return None
        return AnalysisRowValue(*self._decisive.bar, np.concatenate([values, *self._last]))

    def preview(self, bar: Bar) -> AnalysisRowValue:
        """Provisional row of the decision bar that contains the open minute `bar`, as if it ended with it; the state stays.

        Columns of another interval are those of its last closed bar, or of the one that ends with this minute. Minutes
        between the last one fed and `bar` count as missing. A bar that is not whole is shown too, though no row will be
        made of it. Raises Invalid for a minute already fed.
        """
        next_ms = self._open_minute(bar)
        values = [self._decisive.preview(next_ms, bar.open_time, self._minute, self._imbalance)]
        for part, last in zip(self._others, self._last, strict=True):
            values.append(self._last_closed(part, last, next_ms, bar.open_time))
        return AnalysisRowValue(*self._decisive.bar, np.concatenate(values), provisional=True)

    def preview_bar(self, interval: Interval, bar: Bar) -> AnalysisRowValue:
        """Provisional results of the open bar of one of the intervals, that interval's columns only; as `preview`."""
        part = next((part for part in self.parts if part.interval is interval), None)
        if part is None:
            raise Invalid("interval", interval.value, ", ".join(part.interval.value for part in self.parts))
        values = part.preview(self._open_minute(bar), bar.open_time, self._minute, self._imbalance).copy()
        return AnalysisRowValue(*part.bar, values, provisional=True)

    def _open_minute(self, bar: Bar) -> int:
        """Put an open minute into `_minute`; returns the first minute not yet fed."""
        if self._next_ms is not None and bar.open_time < self._next_ms:
            raise Invalid("bar.open_time", bar.open_time, f"at least {self._next_ms}, the first minute not yet closed")
        self._take(bar)
        return bar.open_time if self._next_ms is None else self._next_ms

    def _take(self, bar: Bar) -> None:
        """Put a minute into the arrays that the intervals are fed from."""
        self._minute[:, 0] = bar.row()
        known = bar.flow is not None and bar.flow.known >= LEAST_KNOWN
        self._imbalance = bar.flow.imbalance if bar.flow is not None and known else np.nan

    def _last_closed(self, part: IntervalPipeline, last: Floats, next_ms: int, minute_ms: int) -> Floats:
        """Results of the newest bar of `part` that is closed when the open minute ends."""
        open_ms = part.interval.open_time(minute_ms)
        origin_ms = minute_ms if self._next_ms is None else part.origin_ms
        if part.interval.next_open(open_ms) == minute_ms + MINUTE_MS and open_ms >= origin_ms:
            return part.preview(next_ms, minute_ms, self._minute, self._imbalance)
        if next_ms < open_ms and part.interval.open_time(open_ms - MINUTE_MS) >= origin_ms:
            # minutes that are missing have closed bars meanwhile: the newest of them ends where this one opens
            nothing = np.full((N_COLUMNS, 1), np.nan)
            return part.preview(next_ms, open_ms - MINUTE_MS, nothing, np.nan)
        return last

    def dump(self) -> bytes:
        """The state, from which `load` of a pipeline with an equal configuration goes on to the same bits."""
        next_ms = -1 if self._next_ms is None else self._next_ms
        header = _HEADER.pack(self._fingerprint, next_ms, self._decisive.origin_ms)
        return header + b"".join(array.tobytes() for array in self._arrays)

    def load(self, data: bytes) -> None:
        """Take a dumped state over. Raises Invalid when it belongs to another configuration or version."""
        size = _HEADER.size + sum(array.nbytes for array in self._arrays)
        if len(data) != size or data[:32] != self._fingerprint:
            raise Invalid("state", f"{len(data)} bytes", "a state dumped under the same configuration and version")
        _, next_ms, origin_ms = _HEADER.unpack_from(data)
        at = _HEADER.size
        for array in self._arrays:
            array[:] = np.frombuffer(data, np.float64, len(array), at)
            at += array.nbytes
        self._next_ms = None if next_ms < 0 else next_ms
        for part in self.parts:
            part.origin_ms = origin_ms

    @property
    def identity(self) -> tuple[AnalysisConfiguration, tuple[str, ...], tuple[str, ...]]:
        """What results depend on beside the bars and the program: configuration, columns, versions of users' indicators."""
        return self.configuration, self.columns, tuple(line.version for line in self.lines)

    @property
    def _arrays(self) -> tuple[Floats, ...]:
        return (*(part.state for part in self.parts), *self._last)

    def profile(self) -> Profile | None:
        """The decision interval's volume profile as after its last closed bar; None without one.

        (Any earlier bar: run up to it.)
        """
        found = self._decisive.memory_of(IVP.name)
        return None if found is None else profile_of(*found)

    @cached_property
    def _fingerprint(self) -> bytes:
        return hashlib.sha256(msgspec.json.encode((STATE_FORMAT, self.identity))).digest()

    def _dense(self, bars: Bars) -> tuple[int, Floats, Floats]:
        """From the minute expected next to the last bar, without holes: first open time, the (9, n) matrix, and the
        imbalances (n,), which are empty unless they are read.
        """
        if bars.interval is not Interval.M1:
            raise Invalid("bars.interval", bars.interval.value, "1m")
        if len(bars) == 0:
            return 0, np.empty((N_COLUMNS, 0)), np.empty(0)
        first, last = int(bars.open_time[0]), int(bars.open_time[-1])
        start = first if self._next_ms is None else self._next_ms
        if first < start:
            raise Invalid("bars.open_time", first, f"at least {start}, the minute after the last one fed")
        steps = np.diff(bars.open_time)
        if first % MINUTE_MS or (steps <= 0).any() or (steps % MINUTE_MS).any():
            raise Invalid("bars.open_time", first, "ascending full minutes, each once")
        if first > start or last - first != (len(bars) - 1) * MINUTE_MS:
            bars = bars.dense(start, last + MINUTE_MS)
        if not self.reads_flow:
            imbalances = np.empty(0)
        elif bars.flow is None:
            imbalances = np.full(len(bars), np.nan)
        else:
            imbalances = recorded_imbalance(bars.flow)
        return start, np.ascontiguousarray(bars.values), imbalances

    def _table(self, opens: NDArray[np.int64], values: Floats) -> AnalysisTable:
        return AnalysisTable(self.interval, opens[:-1], opens[1:], self.columns, values)


def check_intervals(configuration: AnalysisConfiguration) -> None:
    """Raises Invalid when an interval stands twice, or the decision interval is none of them."""
    names = [analyses.interval.value for analyses in configuration.intervals]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise Invalid(f"intervals[{number}].interval", name, "each interval once")
    if configuration.decisive is None:
        raise Invalid("decision_interval", configuration.decision.value, f"one of the intervals: {', '.join(names)}")


def _as_of(moments: NDArray[np.int64], opens: NDArray[np.int64], values: Floats, last: Floats) -> Floats:
    """For each moment the results of the bar that closed last, at it or before: (n_columns, moments).

    last: results of the bar that closed last before this piece; the newest ones after it.
    """
    held = np.concatenate([last[:, None], values], axis=1)
    last[:] = held[:, -1]
    return held[:, np.searchsorted(opens[1:], moments, side="right")]
