"""The market on replayed minutes: what prices, bars and trades are at any moment. Pure functions of time."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec
import numpy as np

from atm.exchange.demo.marks import SECOND_MS, Marks
from atm.exchange.demo.minute import AGGREGATES, Aggregate, Grid, Minute
from atm.exchange.demo.recording import BarSource, Floats, Recording
from atm.model.bars import Bar, Column
from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS, MINUTE_MS, Interval

INTERVALS = {interval.value: interval for interval in Interval}
BOOK_MINUTES = 60
_KEPT_MINUTES = 48
_MOST_AT_ONCE = 50_000


class ToldBook(msgspec.Struct, frozen=True):
    """Best levels of both sides as (price, quantity), best first; `update_id`: the exchange's number of this state."""

    update_id: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class Day(msgspec.Struct, frozen=True):
    """The last 24 hours: `bar` over them; trade ids of the first and last trade."""

    bar: Bar
    start_ms: int
    last_quantity: float
    first_id: int
    last_id: int


class Market:
    """One symbol. Moments before `start_ms` have no price."""

    def __init__(self, instrument: Instrument, source: BarSource) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.tick = float(instrument.tick_size)
        self.price_decimals = decimals_of(instrument.tick_size)
        self.quantity_decimals = decimals_of(instrument.step_size)
        self.recording = Recording(source, self.symbol, self.price_decimals, self.quantity_decimals)
        self.start_ms = self.recording.start_ms
        self.marks = Marks(self.recording)
        self.halted_ms: int | None = None  # since when trading is suspended
        points = round(self.tick * 10**self.price_decimals)
        self._grid = Grid(self.price_decimals, self.quantity_decimals, points)
        self.seed = crc32(self.symbol.encode())
        self._minutes: dict[int, Minute] = {}
        self._spans: dict[tuple[int, int], tuple[float, float]] = {}
        self._typical: dict[int, float] = {}

    def told_book(self, ms: int) -> ToldBook | None:
        """The book as an exchange has told it; None where it is to be drawn."""
        return None

    def is_listed(self, ms: int) -> bool:
        """Whether the recording has begun."""
        return ms >= self.start_ms

    def is_trading(self, ms: int) -> bool:
        """Whether the recording has begun and trading is not suspended."""
        return self.is_listed(ms) and self.halted_ms is None

    def pass_ends_ms(self, ms: int) -> int:
        """End of the pass over the recording in which a moment lies; before the first one, the end of that."""
        length_ms = self.recording.length * MINUTE_MS
        return self.start_ms + (max(0, ms - self.start_ms) // length_ms + 1) * length_ms

    def minute(self, ms: int) -> Minute:
        """The minute that is replayed at a moment; the newest ones asked for are remembered."""
        ordinal = self.recording.ordinal(ms)
        found = self._minutes.get(ordinal)
        if found is None:
            first_id = self.recording.trades_before(ordinal) + 1
            found = self._remember(
                ordinal, Minute(self.recording.bar(ordinal), ordinal, first_id, self._grid, self.seed)
            )
        return found

    def _remember(self, ordinal: int, minute: Minute) -> Minute:
        self._minutes[ordinal] = minute
        if len(self._minutes) > _KEPT_MINUTES:
            del self._minutes[next(iter(self._minutes))]
        return minute

    # --- prices -----------------------------------------------------------------------------------------------

    def price(self, ms: int) -> float:
        """Last price at a moment."""
        return self.minute(ms).price(ms)

    def index(self, ms: int) -> float:
        """Index price, see `marks`."""
        return self.marks.index(ms)

    def mark(self, ms: int) -> float:
        """Mark price, see `marks`."""
        return self.marks.mark(ms)

    def span(self, from_ms: int, to_ms: int) -> tuple[float, float]:
        """(lowest, highest) recorded price of the minutes that a stretch of time touches."""
        first, last = self.recording.ordinal(max(self.start_ms, from_ms)), self.recording.ordinal(to_ms)
        found = self._spans.get((first, last))
        if found is None:
            values = self.recording.values(first, last - first + 1)
            found = self._spans[first, last] = float(values[Column.LOW].min()), float(values[Column.HIGH].max())
            if len(self._spans) > _KEPT_MINUTES:
                del self._spans[next(iter(self._spans))]
        return found

    def moves(self, after_ms: int, to_ms: int) -> list[tuple[int, float]]:
        """(time, price) of every move of the last price with after_ms < time <= to_ms."""
        found: list[tuple[int, float]] = []
        for open_ms in self._opens(after_ms, to_ms):
            found += self.minute(open_ms).moves(after_ms, to_ms)
        return found

    def moments(self, after_ms: int, to_ms: int, with_mark: bool) -> list[int]:
        """Moments with after_ms < time <= to_ms at which the last price moves, and those at which the mark price does."""
        found = {ms for ms, _ in self.moves(after_ms, to_ms)}
        if with_mark:
            found.update(range((after_ms // SECOND_MS + 1) * SECOND_MS, to_ms + 1, SECOND_MS))
        return sorted(found)

    def traded_at(self, ms: int) -> float:
        """Quantity that is traded at one moment."""
        return round(sum(each.quantity for each in self.aggregates(ms - 1, ms)), self.quantity_decimals)

    def typical_units(self, ms: int) -> float:
        """Steps that were traded in a minute of the last hour, on average."""
        ordinal = self.recording.ordinal(ms)
        found = self._typical.get(ordinal)
        if found is None:
            first = max(0, ordinal - BOOK_MINUTES + 1)
            volume = self.recording.values(first, ordinal - first + 1)[Column.VOLUME].mean()
            found = self._typical[ordinal] = float(volume) * 10**self.quantity_decimals
            if len(self._typical) > _KEPT_MINUTES:
                del self._typical[next(iter(self._typical))]
        return found

    # --- trades -----------------------------------------------------------------------------------------------

    def _opens(self, after_ms: int, to_ms: int) -> range:
        first = max(self.start_ms, after_ms + 1)
        return range(first - first % MINUTE_MS, to_ms + 1, MINUTE_MS)

    def aggregates(self, after_ms: int, to_ms: int) -> list[Aggregate]:
        """Aggregate trades with after_ms < time <= to_ms."""
        found: list[Aggregate] = []
        for open_ms in self._opens(after_ms, to_ms):
            found += self.minute(open_ms).traded(after_ms, to_ms)
        return found

    def newest_aggregates(self, now_ms: int, most: int) -> list[Aggregate]:
        """The last `most` aggregate trades up to a moment, at most those of a day."""
        parts: list[list[Aggregate]] = []
        earliest_ms, open_ms = max(self.start_ms, now_ms - DAY_MS), now_ms - now_ms % MINUTE_MS
        while open_ms >= earliest_ms and sum(map(len, parts)) < most:
            parts.append(self.minute(open_ms).traded(open_ms - 1, now_ms))
            open_ms -= MINUTE_MS
        return [each for part in reversed(parts) for each in part][-most:]

    def minute_of_aggregate(self, aggregate_id: int) -> int:
        """Open time of the minute in which an aggregate of this id would lie."""
        return self.start_ms + aggregate_id // AGGREGATES * MINUTE_MS

    def first_trade_id(self, open_ms: int) -> int:
        """Id of the first trade from a minute on, whether there is one yet or not."""
        return self.recording.trades_before(self.recording.ordinal(max(self.start_ms, open_ms))) + 1

    # --- bars -------------------------------------------------------------------------------------------------

    def running(self, ms: int, interval: Interval = Interval.M1) -> Bar:
        """The bar that is open at a moment, as it stands."""
        now = self.minute(ms).running(ms)
        open_ms = interval.open_time(ms)
        return now if interval is Interval.M1 else self._joined(open_ms, max(open_ms, self.start_ms), now)

    def closed(self, open_ms: int, interval: Interval = Interval.M1) -> Bar:
        """The whole bar that opened at a moment."""
        return self._closed([open_ms, interval.next_open(open_ms)])[0]

    def _joined(self, open_ms: int, from_ms: int, now: Bar) -> Bar:
        """The whole minutes from `from_ms` on and the running one as one bar."""
        first = self.recording.ordinal(from_ms)
        values = self.recording.values(first, self.recording.ordinal(now.open_time) - first)
        values = np.concatenate([values, np.array(now.row()).reshape(-1, 1)], axis=1)
        return Bar(open_ms, *self._reduced(values, [0])[:, 0].tolist())

    def _closed(self, edges: list[int]) -> list[Bar]:
        """Whole bars between ascending open times."""
        places = [self.recording.ordinal(max(self.start_ms, edge)) for edge in edges]
        values = self.recording.values(places[0], places[-1] - places[0])
        if len(edges) - 1 < values.shape[1]:
            values = self._reduced(values, [place - places[0] for place in places[:-1]])
        return [Bar(open_ms, *column) for open_ms, column in zip(edges[:-1], values.T.tolist(), strict=True)]

    def _reduced(self, values: Floats, starts: list[int]) -> Floats:
        """Minutes (9, n) joined into bars that begin at these places. Sums are rounded back to the grid."""
        bars = np.add.reduceat(values, starts, axis=1)
        ends = np.array([*starts[1:], values.shape[1]]) - 1
        bars[Column.OPEN], bars[Column.CLOSE] = values[Column.OPEN, starts], values[Column.CLOSE, ends]
        bars[Column.HIGH] = np.maximum.reduceat(values[Column.HIGH], starts)
        bars[Column.LOW] = np.minimum.reduceat(values[Column.LOW], starts)
        for column in (Column.VOLUME, Column.TAKER_BUY_VOLUME):
            bars[column] = bars[column].round(self.quantity_decimals)
        for column in (Column.QUOTE_VOLUME, Column.TAKER_BUY_QUOTE_VOLUME):
            bars[column] = bars[column].round(self.price_decimals + self.quantity_decimals)
        return bars

    def history(
        self, now_ms: int, interval: Interval, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Bar]:
        """At most `limit` bars with start <= open time <= end, ascending; the newest ones without start. The last one
        may be the running one."""
        edges = self.edges(now_ms, interval, start_ms, end_ms, limit)
        if not edges:
            return []
        runs = edges[-1] > now_ms
        whole = edges[:-1] if runs else edges
        bars: list[Bar] = []
        at_once = max(1, _MOST_AT_ONCE * MINUTE_MS // interval.nominal_ms)
        for place in range(0, len(whole) - 1, at_once):
            bars += self._closed(whole[place : place + at_once + 1])
        return [*bars, self.running(now_ms, interval)] if runs else bars

    def edges(self, now_ms: int, interval: Interval, start_ms: int | None, end_ms: int | None, limit: int) -> list[int]:
        """Open times of the bars that `history` gives, and the end of the last one, which lies in the future if it runs."""
        last = interval.open_time(now_ms if end_ms is None else min(now_ms, end_ms))
        first = interval.open_time(self.start_ms)
        if start_ms is None:
            first = max(first, interval.open_time(last - (limit - 1) * interval.nominal_ms))
        elif start_ms > first:
            first = interval.open_time(start_ms)
            first = first if first == start_ms else interval.next_open(first)
        edges: list[int] = []
        while first <= last and len(edges) <= limit + 1:
            edges.append(first)
            first = interval.next_open(first)
        edges = edges[-limit:] if start_ms is None else edges[:limit]
        if not edges or now_ms < self.start_ms:
            return []
        return [*edges, interval.next_open(edges[-1])]

    def day(self, now_ms: int) -> Day:
        """The last 24 hours in whole minutes and the running one."""
        minute_ms = now_ms - now_ms % MINUTE_MS
        start_ms = max(self.start_ms, minute_ms - DAY_MS + MINUTE_MS)
        bar = self._joined(start_ms, start_ms, self.minute(now_ms).running(now_ms))
        newest = self.newest_aggregates(now_ms, 1)
        first_id = self.first_trade_id(start_ms)
        return Day(bar, start_ms, newest[-1].quantity if newest else 0.0, first_id, first_id + int(bar.trades) - 1)

    # --- texts ------------------------------------------------------------------------------------------------

    def price_text(self, price: float) -> str:
        """With the decimals of the tick."""
        return f"{price:.{self.price_decimals}f}"

    def quantity_text(self, quantity: float) -> str:
        """With the decimals of the step."""
        return f"{quantity:.{self.quantity_decimals}f}"

    def kline_row(self, bar: Bar, interval: Interval) -> list[Any]:
        """One row of a klines answer."""
        n = number
        return [bar.open_time, n(bar.open), n(bar.high), n(bar.low), n(bar.close), n(bar.volume),
                interval.next_open(bar.open_time) - 1, n(bar.quote_volume), int(bar.trades), n(bar.taker_buy_volume),
                n(bar.taker_buy_quote_volume), "0"]  # fmt: skip


def number(value: float) -> str:
    """The shortest decimal text that reads back as the same float, never in scientific form."""
    text = repr(value)
    return np.format_float_positional(value) if "e" in text else text


def decimals_of(step: str) -> int:
    """Decimals of a tick or step such as "0.0010"."""
    return len(step.rstrip("0").partition(".")[2]) if "." in step else 0
