"""The market on replayed minutes: what the price, the running bar and the book are at any moment. Pure functions of time.

Inside a minute the price runs open → nearer extreme → other extreme → close, on the tick grid, reaching the extremes
after a quarter and three quarters. When a recording has ended it begins anew, with times that go on.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import Bar, Bars, Column, TimeRange
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS

FIRST_EXTREME_MS, SECOND_EXTREME_MS = 15_000, 45_000
LEVELS = 20
FUNDING_PERIOD_MS = 8 * 3_600_000
FUNDING_RATE = 0.0001
INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
             "12h": 720, "1d": 1440}  # fmt: skip


class BarSource(Protocol):
    """Where recordings come from: the part of a market store that is used here."""

    def symbols(self) -> list[str]: ...

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars: ...


class Market:
    """One symbol. Holes of the recording are minutes without a trade at the last close."""

    def __init__(self, instrument: Instrument, source: BarSource) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.tick = float(instrument.tick_size)
        self._decimals = _decimals(instrument.tick_size)
        self._quantity_decimals = _decimals(instrument.step_size)
        covered = source.coverage(self.symbol)
        self.start_ms, end_ms = covered[0].start_ms, covered[-1].end_ms
        self._values = _filled(source.read(self.symbol, self.start_ms, end_ms).dense(self.start_ms, end_ms).values)
        self._length = self._values.shape[1]

    def bar(self, open_ms: int) -> Bar:
        """The whole recorded minute that is replayed at `open_ms`."""
        column = self._values[:, (open_ms - self.start_ms) // MINUTE_MS % self._length]
        return Bar(open_ms, *(float(value) for value in column))

    def price(self, ms: int) -> float:
        """Last price at a moment, on the tick grid."""
        open_ms = ms - ms % MINUTE_MS
        return self._path(self.bar(open_ms), ms - open_ms)[-1]

    def _path(self, bar: Bar, offset_ms: int) -> tuple[float, ...]:
        """The corners of the path up to `offset_ms` within the minute and, last, the price there."""
        nearer, other = (bar.high, bar.low) if bar.high - bar.open <= bar.open - bar.low else (bar.low, bar.high)
        corners = ((0, bar.open), (FIRST_EXTREME_MS, nearer), (SECOND_EXTREME_MS, other), (MINUTE_MS - 1, bar.close))
        passed = [price for at_ms, price in corners if at_ms <= offset_ms]
        if len(passed) == len(corners):
            return tuple(passed)
        (from_ms, start), (to_ms, end) = corners[len(passed) - 1 : len(passed) + 1]
        if offset_ms == from_ms:
            return tuple(passed)
        price = start + (end - start) * (offset_ms - from_ms) / (to_ms - from_ms)
        return (*passed, round(round(price / self.tick) * self.tick, self._decimals))

    def running(self, ms: int, minutes: int = 1) -> Bar:
        """The bar of so many minutes that is open at `ms`, as it stands."""
        step = minutes * MINUTE_MS
        open_ms, minute_ms = ms - ms % step, ms - ms % MINUTE_MS
        whole = self.bar(minute_ms)
        path = self._path(whole, ms - minute_ms)
        share = (ms - minute_ms) / MINUTE_MS
        now = Bar(
            minute_ms, whole.open, max(path), min(path), path[-1], round(whole.volume * share, self._quantity_decimals),
            round(whole.quote_volume * share, 8), float(int(whole.trades * share)),
            round(whole.taker_buy_volume * share, self._quantity_decimals), round(whole.taker_buy_quote_volume * share, 8),
        )  # fmt: skip
        if minutes == 1:
            return now
        before = [self.bar(at) for at in range(max(open_ms, self.start_ms), minute_ms, MINUTE_MS)]
        return merged(open_ms, [*before, now])

    def closed(self, open_ms: int, minutes: int = 1) -> Bar:
        """The whole bar of so many minutes that opened at `open_ms`."""
        if minutes == 1:
            return self.bar(open_ms)
        first = max(open_ms, self.start_ms)
        return merged(open_ms, [self.bar(at) for at in range(first, open_ms + minutes * MINUTE_MS, MINUTE_MS)])

    def history(self, now_ms: int, minutes: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[Bar]:
        """At most `limit` bars with start <= open time <= end, ascending; the newest ones without start. The last one
        may be the running one."""
        step = minutes * MINUTE_MS
        last = min(now_ms, now_ms if end_ms is None else end_ms) // step * step
        first = self.start_ms // step * step
        if start_ms is not None:
            first = max(first, -(-start_ms // step) * step)
            last = min(last, first + (limit - 1) * step)
        else:
            first = max(first, last - (limit - 1) * step)
        return [
            self.running(now_ms, minutes) if at + step > now_ms else self.closed(at, minutes)
            for at in range(first, last + 1, step)
        ]

    def book(self, ms: int, levels: int = LEVELS) -> tuple[list[list[str]], list[list[str]]]:
        """(bids, asks), best first, one tick apart around the last price; quantities drawn from the time."""
        last, bar = self.price(ms), self.bar(ms - ms % MINUTE_MS)
        unit = max(float(self.instrument.step_size), bar.volume / 60)
        bids: list[list[str]] = []
        asks: list[list[str]] = []
        for level in range(1, levels + 1):
            for side, ladder in ((-1, bids), (1, asks)):
                drawn = (ms // 1000 * 2_654_435_761 + level * 40_503 + side * 97) % 1000 / 1000
                quantity = max(float(self.instrument.step_size), unit * (0.5 + drawn) * (1 + level / 10))
                price = last + side * level * self.tick
                if price > 0:
                    ladder.append([self.price_text(price), self.quantity_text(quantity)])
        return bids, asks

    def price_text(self, price: float) -> str:
        """On the tick grid, with the decimals of the tick."""
        return f"{price:.{self._decimals}f}"

    def quantity_text(self, quantity: float) -> str:
        """With the decimals of the step."""
        return f"{quantity:.{self._quantity_decimals}f}"


def merged(open_ms: int, bars: list[Bar]) -> Bar:
    """Consecutive bars as one."""
    sums = [sum(values) for values in zip(*(bar.row()[4:] for bar in bars), strict=True)]
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    return Bar(open_ms, bars[0].open, high, low, bars[-1].close, *sums)


def next_funding_ms(ms: int) -> int:
    """The first funding stamp after `ms`."""
    return (ms // FUNDING_PERIOD_MS + 1) * FUNDING_PERIOD_MS


def number(value: float) -> str:
    """The shortest decimal text that reads back as the same float, never in scientific form."""
    text = repr(value)
    return np.format_float_positional(value) if "e" in text else text


def kline_row(bar: Bar, minutes: int) -> list[Any]:
    """One row of a klines answer."""
    n = number
    return [bar.open_time, n(bar.open), n(bar.high), n(bar.low), n(bar.close), n(bar.volume),
            bar.open_time + minutes * MINUTE_MS - 1, n(bar.quote_volume), int(bar.trades), n(bar.taker_buy_volume),
            n(bar.taker_buy_quote_volume), "0"]  # fmt: skip


def _decimals(step: str) -> int:
    return len(step.rstrip("0").partition(".")[2]) if "." in step else 0


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Missing minutes as bars without trades at the close before."""
    missing = np.isnan(values[Column.CLOSE])
    if missing.any():
        known = np.maximum.accumulate(np.where(missing, 0, np.arange(values.shape[1])))
        values = values.copy()
        values[Column.OPEN : Column.CLOSE + 1, missing] = values[Column.CLOSE, known[missing]]
        values[Column.VOLUME :, missing] = 0.0
    return values
