"""Columns of minutes as they lie in files, whatever they hold, and the kinds of them that are kept."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bars, Column, Source
from atm.model.interval import Interval
from atm.model.mark import MARK_PRICES, RecordedMarks

_RANK = np.zeros(256, np.uint8)
_RANK[[Source.STREAM, Source.REST, Source.ARCHIVE]] = [1, 2, 3]


@dataclass(frozen=True)
class Kind:
    """What is kept of each minute. name: of its folder; columns: float64 values; repeating: those that take few values.

    words: what its files hold, for messages. added: the last columns, which files of earlier versions lack (NaN). As a record
    of the log has no names, a kind with added columns has a log of its own, beside which one of an earlier version is read:
    a version that knows neither the columns nor that log loses and cuts off nothing.
    """

    name: str
    columns: tuple[str, ...]
    repeating: tuple[str, ...]
    words: str
    added: tuple[str, ...] = ()

    @property
    def log(self) -> str:
        """Name of the append log."""
        return "tail-2.log" if self.added else "tail.log"

    @cached_property
    def earlier(self) -> Kind | None:
        """As earlier versions wrote it; None where that is no other."""
        if not self.added:
            return None
        return replace(self, columns=self.columns[: -len(self.added)], added=())

    def only(self, columns: tuple[str, ...]) -> Kind:
        """Some of its columns, for reading month files."""
        return replace(self, columns=columns)

    @cached_property
    def body(self) -> struct.Struct:
        """A record of the append log, without its checksum."""
        return struct.Struct(f"<q{len(self.columns)}dB")

    @cached_property
    def record(self) -> np.dtype[np.void]:
        """The same with its checksum."""
        values = ("values", "<f8", (len(self.columns),))
        return np.dtype([("open_time", "<i8"), values, ("source", "u1"), ("crc", "<u4")])


KLINES = Kind(
    "klines_1m", tuple(column.name.lower() for column in Column), ("open", "high", "low", "close"), "one-minute bars"
)
FLOW_COLUMNS = ("imbalance", "known")
BOOK_COLUMNS = ("spread", "bid_depth", "ask_depth", "reach")
FLOW = Kind("flow_1m", FLOW_COLUMNS + BOOK_COLUMNS, ("known",), "the order flow of minutes", added=BOOK_COLUMNS)

MARK_COLUMNS = ("open", "high", "low", "close")
MARKS = Kind("mark_1m", MARK_COLUMNS, (), "the mark prices of minutes")
FUNDING = Kind("funding", ("rate",), ("rate",), "settled funding rates")
"""One row a stamp: its open time is the minute that the stamp opens."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """n minutes of one kind, ascending. open_time int64 (n,); values float64 (columns, n); source uint8 (n,)."""

    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    source: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.open_time)

    def between(self, start_ms: int, end_ms: int) -> Minutes:
        """Minutes with start_ms <= open time < end_ms, as views."""
        lo, hi = np.searchsorted(self.open_time, (start_ms, end_ms))
        return Minutes(self.open_time[lo:hi], self.values[:, lo:hi], self.source[lo:hi])

    def chosen(self, which: NDArray[np.bool_]) -> Minutes:
        """Those marked."""
        return Minutes(self.open_time[which], self.values[:, which], self.source[which])

    def of_columns(self, kind: Kind, columns: tuple[str, ...]) -> Minutes:
        """Some of the columns of their kind."""
        rows = [kind.columns.index(name) for name in columns]
        return Minutes(self.open_time, self.values[rows], self.source)

    def padded(self, kind: Kind) -> Minutes:
        """Those of an earlier version with the columns that it lacks, NaN."""
        added = np.full((len(kind.columns) - len(self.values), len(self)), np.nan)
        return Minutes(self.open_time, np.vstack((self.values, added)), self.source)

    def by_month(self) -> list[tuple[str, Minutes]]:
        """Parts by their month, "2023-08" first."""
        months = self.open_time.astype("datetime64[ms]").astype("datetime64[M]")
        return [(str(month), self.chosen(months == month)) for month in np.unique(months)]

    @property
    def bars(self) -> Bars:
        """As one-minute bars; only of that kind."""
        return Bars(Interval.M1, self.open_time, self.values, self.source)

    @staticmethod
    def empty(kind: Kind) -> Minutes:
        return Minutes(np.empty(0, np.int64), np.empty((len(kind.columns), 0)), np.empty(0, np.uint8))

    @staticmethod
    def of_bars(bars: Bars) -> Minutes:
        """The minutes of one-minute bars, without their flow."""
        return Minutes(bars.open_time, bars.values, bars.source)

    @staticmethod
    def flow_of(bars: Bars) -> Minutes:
        """The flow and book that were recorded with one-minute bars; minutes without are left out."""
        if bars.flow is None:
            return Minutes.empty(FLOW)
        source = np.full(len(bars), int(Source.STREAM), np.uint8)
        book = np.full((len(BOOK_COLUMNS), len(bars)), np.nan) if bars.book is None else bars.book
        return Minutes(bars.open_time, np.vstack((bars.flow, book)), source).chosen(~np.isnan(bars.flow[0]))

    @staticmethod
    def marks_of(bars: Bars) -> Minutes:
        """The mark prices that came with one-minute bars, of their source; minutes without are left out."""
        if bars.mark is None:
            return Minutes.empty(MARKS)
        prices = bars.mark[:MARK_PRICES]
        return Minutes(bars.open_time, prices, bars.source).chosen(~np.isnan(prices.sum(axis=0)))

    @staticmethod
    def funding_of(bars: Bars) -> Minutes:
        """The funding rates that were settled where one-minute bars open, of their source."""
        if bars.mark is None:
            return Minutes.empty(FUNDING)
        rates = bars.mark[MARK_PRICES:]
        return Minutes(bars.open_time, rates, bars.source).chosen(~np.isnan(rates[0]))

    @staticmethod
    def of_marks(marks: RecordedMarks, source: Source) -> tuple[Minutes, Minutes]:
        """Mark prices and funding rates that came without bars."""
        prices, rates = (np.full(len(times), int(source), np.uint8) for times in (marks.open_time, marks.rate_time))
        return (
            Minutes(marks.open_time, marks.values, prices),
            Minutes(marks.rate_time, marks.rate.reshape(1, -1), rates),
        )


def better(new: Minutes, known: Minutes) -> Minutes:
    """Those of `new` that are not known, or come from a better source than what is."""
    if not len(known):
        return new
    nearest = np.minimum(np.searchsorted(known.open_time, new.open_time), len(known) - 1)
    stored: NDArray[np.bool_] = known.open_time[nearest] == new.open_time
    return new.chosen(~stored | (_RANK[new.source] > _RANK[known.source[nearest]]))


def merged(kind: Kind, parts: list[Minutes], ranked: bool = False) -> Minutes:
    """One ascending series. Of one minute the first part's values stay; `ranked`: the better source's before that."""
    parts = [part for part in parts if len(part)]
    if len(parts) <= 1:
        return parts[0] if parts else Minutes.empty(kind)
    open_time = np.concatenate([part.open_time for part in parts])
    source = np.concatenate([part.source for part in parts])
    values = np.concatenate([part.values for part in parts], axis=1)
    if all(a.open_time[-1] < b.open_time[0] for a, b in itertools.pairwise(parts)):
        return Minutes(open_time, values, source)
    place = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.lexsort((place, -_RANK[source].astype(np.int8) if ranked else place, open_time))
    first = order[np.concatenate(([True], np.diff(open_time[order]) > 0))]
    return Minutes(open_time[first], np.ascontiguousarray(values[:, first]), source[first])
