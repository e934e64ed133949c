"""Which minutes of an account are complete, so that its engine gets each exactly once and in order.

Bars and analysis rows arrive by messages: doubled after a restart, late, or not at all. Minute t is complete when every
symbol has its bar of t (or it is known that there is none) and, where t + 1 min closes the interval of an analysis, the
row of that close is there; of an analysis on which somebody decides at every minute, the row of t. Pure: what is missing is
named (`bar_hole`, `missing_rows`); whoever drives the barrier reads the store and settles the range. Any interleaving,
doubling or loss with repair gives the same minutes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS, Interval

MAX_AHEAD = 20_160
"""Bars kept of a symbol and rows of an analysis beyond the first incomplete minute (two weeks of minutes). Later bars are
read from the store when their turn comes; later rows are asked for again."""
MAX_READ = 10_080
"""Minutes that one hole asks for at most (a week)."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A complete minute: its open time (Unix ms), the bars by symbol (a missing one is absent), the rows by analysis id."""

    open_ms: int
    bars: dict[str, Bar]
    rows: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class BarHole:
    """Minutes start_ms <= open time < end_ms of a symbol that must be read from the store."""

    symbol: str
    start_ms: int
    end_ms: int


@dataclass(slots=True)
class _Lane:
    """One symbol. `known`: bars from the account's next minute on, None = there is no bar; `cursor`: first unknown minute;
    `seen`: newest open time heard of, kept or not."""

    cursor: int
    seen: int
    known: dict[int, Bar | None] = field(default_factory=dict)

    def advance(self) -> None:
        while self.cursor in self.known:
            self.cursor += MINUTE_MS


class MinuteBarrier:
    """See the module. `analyses`: interval of each analysis id in use; `next_ms`: first minute to be given out; `every_minute`:
    those of the analyses whose rows are needed at every minute."""

    def __init__(
        self,
        symbols: Iterable[str],
        analyses: Mapping[str, Interval],
        next_ms: int,
        every_minute: Collection[str] = (),
    ) -> None:
        self.next_ms = next_ms
        self._lanes = {symbol: _Lane(next_ms, next_ms - MINUTE_MS) for symbol in symbols}
        self._intervals = {key: Interval.M1 if key in every_minute else interval for key, interval in analyses.items()}
        self._rows: dict[str, dict[int, tuple[float, ...] | None]] = {analysis: {} for analysis in analyses}

    # --- what arrives -----------------------------------------------------------------------------------------

    def add_bar(self, symbol: str, bar: Bar) -> None:
        """A closed minute; unknown symbols, repetitions and minutes already given out are dropped."""
        lane = self._lanes.get(symbol)
        if lane is None or bar.open_time < self.next_ms:
            return
        lane.seen = max(lane.seen, bar.open_time)
        if bar.open_time < self.next_ms + MAX_AHEAD * MINUTE_MS and bar.open_time not in lane.known:
            lane.known[bar.open_time] = bar
            lane.advance()

    def settle_bars(self, hole: BarHole, bars: Iterable[Bar]) -> None:
        """What the store has of a hole; a minute it does not have is missing for good."""
        lane = self._lanes.get(hole.symbol)
        if lane is None:
            return
        for bar in bars:
            if hole.start_ms <= bar.open_time < hole.end_ms:
                self.add_bar(hole.symbol, bar)
        for minute in range(max(hole.start_ms, self.next_ms), hole.end_ms, MINUTE_MS):
            lane.known.setdefault(minute, None)
        lane.advance()

    def add_row(self, analysis: str, close_ms: int, values: tuple[float, ...]) -> None:
        """A row by the moment from which it is known; unknown analyses, rows of moments that do not need one, repetitions and
        late ones are dropped."""
        rows = self._rows.get(analysis)
        if rows is None or close_ms <= self.next_ms or self._intervals[analysis].open_time(close_ms) != close_ms:
            return
        if len(rows) < MAX_AHEAD or close_ms <= self.next_ms + MAX_AHEAD * MINUTE_MS:
            rows.setdefault(close_ms, values)

    def settle_row(self, analysis: str) -> None:
        """Give up the row of `analysis` that holds up the next minute: it goes on without a decision of this analysis."""
        if analysis in self.missing_rows():
            self._rows[analysis][self.next_ms + MINUTE_MS] = None

    # --- what comes of it -------------------------------------------------------------------------------------

    def take(self, limit: int = 1_440) -> list[Minute]:
        """The complete minutes that are next, at most `limit`; they are given out once."""
        minutes: list[Minute] = []
        while len(minutes) < limit and self.bars_complete and not self.missing_rows():
            minutes.append(self._pop())
        return minutes

    def bar_hole(self, symbol: str) -> BarHole | None:
        """The first hole of a symbol before something newer of it, or None. At most `MAX_READ` minutes."""
        lane = self._lanes[symbol]
        if lane.seen < lane.cursor:
            return None
        later = min((time for time in lane.known if time > lane.cursor), default=lane.seen + MINUTE_MS)
        return BarHole(symbol, lane.cursor, min(later, lane.cursor + MAX_READ * MINUTE_MS))

    def lag(self, symbol: str, minutes: int) -> BarHole | None:
        """The range that a symbol lacks and that is at least `minutes` older than the newest bar of any symbol, or None."""
        lane = self._lanes[symbol]
        end = max(other.seen for other in self._lanes.values()) - (minutes - 1) * MINUTE_MS
        if end <= lane.cursor:
            return None
        return BarHole(symbol, lane.cursor, min(end, lane.cursor + MAX_READ * MINUTE_MS))

    def missing_rows(self) -> list[str]:
        """Analyses whose row the next minute still needs."""
        close = self.next_ms + MINUTE_MS
        return [analysis for analysis in self.due(close) if close not in self._rows[analysis]]

    def due(self, close_ms: int) -> list[str]:
        """Analyses that have a row at this close."""
        return [key for key, interval in self._intervals.items() if interval.open_time(close_ms) == close_ms]

    @property
    def newest_ms(self) -> int:
        """Open time of the newest minute heard of."""
        return max((lane.seen for lane in self._lanes.values()), default=self.next_ms - MINUTE_MS)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._lanes)

    @property
    def bars_complete(self) -> bool:
        """Whether the next minute lacks rows alone."""
        return bool(self._lanes) and all(lane.cursor > self.next_ms for lane in self._lanes.values())

    def _pop(self) -> Minute:
        time, close = self.next_ms, self.next_ms + MINUTE_MS
        bars = {symbol: bar for symbol, lane in self._lanes.items() if (bar := lane.known.pop(time)) is not None}
        rows = {analysis: row for analysis, known in self._rows.items() if (row := known.pop(close, None)) is not None}
        self.next_ms = close
        return Minute(time, bars, rows)
