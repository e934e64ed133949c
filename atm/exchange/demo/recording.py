"""A recorded market held compactly: integers on the decimal grid of prices and volumes, offset against the opening price.

One recorded minute takes some 28 bytes instead of 72, and reads back as the very floats that were recorded. A recording
that has ended begins anew, so minutes are counted from its start without an end ("ordinals").
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atm.model.bars import N_COLUMNS, Bar, Bars, Column, TimeRange
from atm.model.interval import MINUTE_MS

BLOCK_MINUTES = 43_200
_MOST_DECIMALS = 10
_LARGEST = 2.0**53
_PRICES = (Column.OPEN, Column.HIGH, Column.LOW, Column.CLOSE)
_QUANTITIES = (Column.VOLUME, Column.TAKER_BUY_VOLUME)
_AMOUNTS = (Column.QUOTE_VOLUME, Column.TAKER_BUY_QUOTE_VOLUME)
_OF_AMOUNT = dict(zip(_AMOUNTS, _QUANTITIES, strict=True))

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


class BarSource(Protocol):
    """Where recordings come from: the part of a market store that is used here."""

    def symbols(self) -> list[str]: ...

    def coverage(self, symbol: str) -> tuple[TimeRange, ...]: ...

    def read(self, symbol: str, start_ms: int, end_ms: int) -> Bars: ...


class Recording:
    """The minutes of one symbol. Holes are minutes without a trade at the last close."""

    def __init__(self, source: BarSource, symbol: str, price_decimals: int, quantity_decimals: int) -> None:
        covered = source.coverage(symbol)
        self.start_ms, end_ms = covered[0].start_ms, covered[-1].end_ms
        self.length = (end_ms - self.start_ms) // MINUTE_MS
        self._blocks: list[_Block] = []
        self._trades_before = [0]
        close = np.nan
        for at_ms in range(self.start_ms, end_ms, BLOCK_MINUTES * MINUTE_MS):
            until_ms = min(end_ms, at_ms + BLOCK_MINUTES * MINUTE_MS)
            values = _filled(source.read(symbol, at_ms, until_ms).dense(at_ms, until_ms).values, close)
            close = float(values[Column.CLOSE, -1])
            self._blocks.append(_Block(values, price_decimals, quantity_decimals))
            self._trades_before.append(self._trades_before[-1] + int(values[Column.TRADES].sum()))

    def ordinal(self, ms: int) -> int:
        """How many minutes after the start of the recording the minute of this moment began."""
        return (ms - self.start_ms) // MINUTE_MS

    def bar(self, ordinal: int) -> Bar:
        """One minute, with the time at which it is replayed."""
        values = self.values(ordinal, 1)
        return Bar(self.start_ms + ordinal * MINUTE_MS, *values[:, 0].tolist())

    def values(self, ordinal: int, count: int) -> Floats:
        """float64 (9, count): consecutive minutes, rows as in `Column`."""
        parts = []
        while count > 0:
            block, first = divmod(ordinal % self.length, BLOCK_MINUTES)
            part = self._blocks[block].decoded(first, first + count)
            parts.append(part)
            ordinal, count = ordinal + part.shape[1], count - part.shape[1]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts, axis=1) if parts else np.empty((N_COLUMNS, 0))

    def trades_before(self, ordinal: int) -> int:
        """Number of trades from the start of the recording to the start of a minute, repetitions counted."""
        passes, place = divmod(ordinal, self.length)
        block, first = divmod(place, BLOCK_MINUTES)
        return passes * self._trades_before[-1] + self._trades_before[block] + self._blocks[block].trades_before(first)


class _Block:
    """Up to `BLOCK_MINUTES` minutes. Values that lie on no decimal grid are kept as they are."""

    def __init__(self, values: Floats, price_decimals: int, quantity_decimals: int) -> None:
        self._columns: list[Integers] = []
        self._scales: list[float] = []
        self._raw: Floats | None = None
        integers: dict[Column, NDArray[np.int64]] = {}
        scales: dict[Column, float] = {}
        for columns, decimals in (
            (_PRICES, price_decimals), (_QUANTITIES, quantity_decimals), (_AMOUNTS, price_decimals + quantity_decimals),
            ((Column.TRADES,), 0),
        ):  # fmt: skip
            found = _on_grid(values[list(columns)], decimals)
            if found is None:
                self._raw = values
                return
            for column, row in zip(columns, found[0], strict=True):
                integers[column], scales[column] = row, found[1]
        opens = integers[Column.OPEN]
        for column in Column:
            row = integers[column]
            if column in _OF_AMOUNT:
                row = row - integers[_OF_AMOUNT[column]] * opens
            elif column in _PRICES and column is not Column.OPEN:
                row = row - opens
            self._columns.append(_narrow(row))
            self._scales.append(scales[column])

    def decoded(self, first: int, stop: int) -> Floats:
        """float64 (9, n) of the minutes first … stop − 1, as many as there are."""
        if self._raw is not None:
            return self._raw[:, first:stop]
        integers = [column[first:stop].astype(np.int64) for column in self._columns]
        values = np.empty((N_COLUMNS, len(integers[0])))
        opens = integers[Column.OPEN]
        for column, row in enumerate(integers):
            if column in _OF_AMOUNT:
                row = row + integers[_OF_AMOUNT[Column(column)]] * opens
            elif column in (Column.HIGH, Column.LOW, Column.CLOSE):
                row = row + opens
            values[column] = row / self._scales[column]
        return values

    def trades_before(self, place: int) -> int:
        """Number of trades in the minutes before a place of this block."""
        trades = self._columns[Column.TRADES] if self._raw is None else self._raw[Column.TRADES]
        return int(trades[:place].sum())


def _on_grid(rows: Floats, decimals: int) -> tuple[NDArray[np.int64], float] | None:
    """Rows as integers in units of some power of ten and the units of one, or None if they lie on no decimal grid."""
    for places in range(decimals, max(decimals, _MOST_DECIMALS) + 1):
        scale = 10.0**places
        units = np.rint(rows * scale)
        # An integer below 2^53 divided by a power of ten is the float nearest to that decimal: the one that was parsed.
        if (np.abs(units) < _LARGEST).all() and (units / scale == rows).all():
            return units.astype(np.int64), scale
    return None


def _narrow(row: NDArray[np.int64]) -> Integers:
    """The same integers in the smallest type that holds them all."""
    low, high = int(row.min()), int(row.max())
    for kind in (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return row.astype(kind)
    return row


def _filled(values: Floats, close: float) -> Floats:
    """Missing minutes as bars without trades at the close before; `close`: that before the first minute."""
    missing = np.isnan(values[Column.CLOSE])
    if missing.any():
        places = np.maximum.accumulate(np.where(missing, -1, np.arange(values.shape[1])))
        before = np.where(places < 0, close, values[Column.CLOSE, places])
        for column in _PRICES:
            values[column, missing] = before[missing]
        values[Column.VOLUME :, missing] = 0.0
    return values
