"""The market store: one-minute bars, and what was recorded beside them, in files (see `minute_files`).

One writer (a file lock), any number of readers. Order flow, mark prices and funding rates each have a kind of their own, so that
bars repaired, imported or shipped never touch them and stores without any read as not recorded. They become durable before the
bars that they came with: who reads a bar and then what stands beside it has what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bars, Source, TimeRange
from atm.model.endpoint import Endpoint
from atm.model.errors import Invalid, Refused
from atm.model.flow import FLOW_ROWS, LEAST_KNOWN, RecordedBook
from atm.model.interval import MINUTE_MS, Interval
from atm.model.mark import MarksStored, RecordedMarks
from atm.model.program import ProgramContext
from atm.model.provenance import Provenance, provenance
from atm.storage.absent_ranges import AbsentRanges
from atm.storage.coverage import missing
from atm.storage.file_lock import try_lock
from atm.storage.minute_columns import FLOW, FLOW_COLUMNS, FUNDING, KLINES, MARKS, Minutes
from atm.storage.minute_files import MinuteFiles

KIND = KLINES.name
DELETABLE = ("all", "bars", "flow", "marks")


def open_store(context: ProgramContext, read_only: bool = True) -> MarketStore:
    """The market store of the endpoint in use; on the demo endpoint the shipped sample lies beneath it."""
    sample = context.assets / "sample" if context.endpoint is Endpoint.DEMO else None
    return MarketStore(context.market_root, read_only, sample)


class MarketStore:
    """See the module. Raises `Refused` when a second writer comes, `Invalid` for a file that is not what its name says."""

    def __init__(self, root: Path, read_only: bool = True, sample: Path | None = None) -> None:
        self.root = root
        self._read_only = read_only
        self._lock: IO[str] | None = None
        self._second = ThreadPoolExecutor(1, "store")
        self._bars = MinuteFiles(KLINES, root, sample)
        self._flow = MinuteFiles(FLOW, root)
        self._marks = MinuteFiles(MARKS, root)
        self._funding = MinuteFiles(FUNDING, root)
        self._kinds = (self._flow, self._marks, self._funding, self._bars)  # as `_parts`: bars last, see the module
        self.absent = AbsentRanges(root)
        """What the exchange is known to lack."""
        if not read_only:
            root.mkdir(parents=True, exist_ok=True)
            self._lock = try_lock(root / "writer.lock")
            if self._lock is None:
                raise Refused(f"another process is writing to the market store {root}")
            for kind in self._kinds:
                kind.recover()

    def close(self) -> None:
        """Give the writer's lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._second.shutdown()
        self._read_only = True

    def symbols(self) -> list[str]:
        """Symbols with any stored minute, sorted."""
        return self._bars.symbols()

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes whose bars are stored, as disjoint ascending ranges."""
        return self._bars.coverage(symbol)

    def own_coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The same of this store's own layer: what was collected, downloaded or imported, without the sample."""
        return self._bars.own_coverage(symbol)

    def last(self, symbol: str) -> int | None:
        """Newest stored open time of this store's own layer (never of the sample), or None."""
        return self._bars.last(symbol)

    def read(self, symbol: str, start_ms: int, end_ms: int, with_flow: bool = False) -> Bars:
        """Stored minutes with start_ms <= open time < end_ms, ascending; holes are absent.

        with_flow: with their order flow (`Bars.flow`), NaN where none was recorded.
        """
        bars = self._bars.read(symbol, start_ms, end_ms).bars
        if not with_flow:
            return bars
        flow = _beside(bars.open_time, self._flow.read(symbol, start_ms, end_ms, FLOW_COLUMNS))
        return Bars(bars.interval, bars.open_time, bars.values, bars.source, flow)

    def book(self, symbol: str, start_ms: int, end_ms: int) -> RecordedBook:
        """Spread and depth of every minute with start_ms <= open time < end_ms, of which `start_ms` must be one.

        Memory: the 12 bytes a minute of the result (32 MB of five years) and one month of 64-bit columns (below 10 MB).
        """
        if start_ms % MINUTE_MS:
            raise Invalid("start_ms", start_ms, f"a multiple of {MINUTE_MS} ms")
        book = RecordedBook.unrecorded(start_ms, len(range(start_ms, end_ms, MINUTE_MS)))
        while start_ms < end_ms:
            next_ms = min(end_ms, Interval.MONTH.next_open(Interval.MONTH.open_time(start_ms)))
            month = self._flow.read(symbol, start_ms, next_ms, ("known", "spread", "bid_depth", "ask_depth"))
            month = month.chosen(month.values[0] >= LEAST_KNOWN)
            place = (month.open_time - book.start_ms) // MINUTE_MS
            book.spread[place], book.bid_depth[place], book.ask_depth[place] = month.values[1:]
            start_ms = next_ms
        return book

    def marks(self, symbol: str, start_ms: int, end_ms: int) -> RecordedMarks:
        """Mark prices of the minutes, and funding rates settled at the stamps, with start_ms <= open time < end_ms.

        Memory: 40 bytes a minute (105 MB of five years).
        """
        marks, rates = (kind.read(symbol, start_ms, end_ms) for kind in (self._marks, self._funding))
        return RecordedMarks(marks.open_time, marks.values, rates.open_time, rates.values[0])

    def marks_coverage(self, symbol: str) -> tuple[TimeRange, ...]:
        """The minutes whose mark prices are stored, as disjoint ascending ranges."""
        return self._marks.coverage(symbol)

    def marks_stored(self, symbol: str) -> MarksStored:
        """How much is stored beside the bars of a symbol; reads times alone, of files that have changed."""
        bars, marks = self.coverage(symbol), self._marks.coverage(symbol)
        lacking = sum(hole.minutes for piece in bars for hole in missing(marks, piece))
        minutes = sum(piece.minutes for piece in bars)
        return MarksStored(minutes - lacking, minutes, sum(piece.minutes for piece in self._funding.coverage(symbol)))

    def provenance(self, symbol: str, start_ms: int, end_ms: int) -> Provenance:
        """Where each minute with start_ms <= open time < end_ms came from; reads no prices."""
        minutes = self._bars.read_sources(symbol, start_ms, end_ms)
        return provenance(minutes.open_time, minutes.source, self.absent.of(symbol), start_ms, end_ms)

    def append(self, symbol: str, bars: Bars) -> None:
        """Make bars durable, with their flow, book and marks. A minute stored already is kept, unless it came by stream and the new
        one did not; so are marks and rates; a flow stored already is kept.

        Raises `Unavailable` when the disk is full; no bar is stored then.
        """
        self._must_write()
        *beside, minutes = zip(self._kinds, _parts(bars), strict=True)
        self._append_beside(symbol, [(kind, part) for kind, part in beside if len(part)])
        self._bars.append(symbol, minutes[1])

    def _append_beside(self, symbol: str, parts: list[tuple[MinuteFiles, Minutes]]) -> None:
        """Two syncs that wait for the disk at the same time take it half as long as one after the other."""
        jobs = [self._second.submit(kind.append, symbol, part) for kind, part in parts[1:]]
        try:
            for kind, part in parts[:1]:
                kind.append(symbol, part)
        finally:
            wait(jobs)
        for job in jobs:
            job.result()

    def append_marks(self, symbol: str, marks: RecordedMarks, source: Source) -> None:
        """Make marks durable that came without bars; raises as `append`."""
        self._must_write()
        prices, rates = Minutes.of_marks(marks, source)
        self._marks.append(symbol, prices)
        self._funding.append(symbol, rates)

    def put_marks(self, symbol: str, marks: RecordedMarks) -> None:
        """Store many marks (an import) straight in month files, as `put`."""
        self._must_write()
        for kind, minutes in zip((self._marks, self._funding), Minutes.of_marks(marks, Source.ARCHIVE), strict=True):
            if len(minutes):
                kind.put(symbol, minutes)

    def put(self, symbol: str, bars: Bars) -> None:
        """Store many bars (an import) straight in month files: all of them or none. They replace what is stored, and so do their
        flow and marks, where they have any.

        May run on another thread than `append` and `compact`.
        """
        self._must_write()
        for kind, minutes in zip(self._kinds, _parts(bars), strict=True):
            if len(minutes) or kind is self._bars:
                kind.put(symbol, minutes)

    def wants_compaction(self, symbol: str) -> bool:
        """Whether an append log is long, or reaches back into a month that is over."""
        return any(kind.wants_compaction(symbol) for kind in self._kinds)

    def compact(self, symbol: str) -> None:
        """Move the append logs into the month files. Raises `Unavailable` when the disk is full."""
        self._must_write()
        for kind in self._kinds:
            kind.compact(symbol)

    def delete(self, symbol: str, start_ms: int, end_ms: int, what: str = "all") -> Iterator[tuple[int, int]]:
        """Delete bars, flow and marks (what: one of `DELETABLE`) with start_ms <= open time < end_ms of the own layer, a month file a
        step: yields (files done, files in all). The append logs are to be compacted before.

        May run on another thread than `append` and `compact`. A deletion that is broken off leaves whole files.
        """
        self._must_write()
        marks = (self._marks, self._funding)
        kinds = {"all": self._kinds, "flow": (self._flow,), "bars": (self._bars,), "marks": marks}[what]
        work = [(kind, path) for kind in kinds for path in kind.months(symbol, start_ms, end_ms)]
        for done, (kind, path) in enumerate(work, 1):
            kind.cut_out(symbol, path, start_ms, end_ms)
            yield done, len(work)

    def drop_if_empty(self, symbol: str) -> None:
        """Remove the folders of a symbol in which no minute is left. On the thread of `append`."""
        self._must_write()
        for kind in self._kinds:
            kind.drop_if_empty(symbol)

    def expire(self, symbol: str, flow_months: int, bar_months: int) -> int:
        """Delete the month files older than so many months, counted back from the newest stored one (0 = keep all); how many.

        Marks and rates are kept as long as bars.
        """
        self._must_write()
        kept_as_bars = (self._bars, self._marks, self._funding)
        return self._flow.expire(symbol, flow_months) + sum(kind.expire(symbol, bar_months) for kind in kept_as_bars)

    def look_at(self, symbol: str, kind: str, name: str) -> None:
        """Read a month file of a kind of minutes (the folder's name) whole; one that cannot be read is put aside."""
        self._must_write()
        for files in self._kinds:
            if files.name == kind:
                files.look_at(symbol, name)

    def take_put_aside(self) -> list[Path]:
        """Broken files that this writer has renamed since the last call."""
        taken = [path for kind in self._kinds for path in kind.put_aside]
        for kind in self._kinds:
            kind.put_aside.clear()
        return taken

    def _must_write(self) -> None:
        if self._read_only:
            raise Refused(f"the market store {self.root} was opened for reading")


def _parts(bars: Bars) -> tuple[Minutes, Minutes, Minutes, Minutes]:
    """What bars and all that came with them are of each kind."""
    return Minutes.flow_of(bars), Minutes.marks_of(bars), Minutes.funding_of(bars), Minutes.of_bars(bars)


def _beside(open_time: NDArray[np.int64], flow: Minutes) -> NDArray[np.float64]:
    """The flow (2, n) of the minutes that open at these times."""
    values = np.full((FLOW_ROWS, len(open_time)), np.nan)
    if len(flow) and len(open_time):
        place = np.minimum(np.searchsorted(open_time, flow.open_time), len(open_time) - 1)
        there = open_time[place] == flow.open_time
        values[:, place[there]] = flow.values[:, there]
    return values
