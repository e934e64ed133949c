"""What happened between the fills: excursions, funding and the room to liquidation, on the one-minute path.

Between two fills of a symbol its quantity and entry price stand still: a *holding*. All figures come from a few reductions
over the minutes of each holding, so that five years of minutes cost milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import liquidation_price
from atm.model.account import TradeReason
from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel
from atm.model.order import Side
from atm.model.statistics import RoundTrip
from atm.simulators.statistics.fill_table import REASONS, FillTable
from atm.trading.mark_path import CLOSE, HIGH, LOW, OPEN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """Minutes of one symbol, float64 (n,), NaN = missing; volumes float32 (n,) in the base asset.

    leverage, brackets (rows as in the ledger), funding_rate, funding_ms and isolated (else in cross margin): as the engine used
    them; rates: recorded funding rates, float64 (k, 2) rows of (stamp Unix ms, rate), which go before the constant one;
    sources: minutes by where they came from, names of `Source` in lower case, {} = not known; marks: open, high, low and close of
    the mark price, NaN = not recorded, None = nowhere recorded.
    """

    start_ms: int
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats
    volumes: NDArray[np.float32]
    leverage: float
    brackets: Floats
    funding_rate: float
    funding_ms: int
    isolated: bool = True
    rates: Floats | None = None
    sources: dict[str, int] = field(default_factory=dict)
    marks: tuple[Floats, ...] | None = None

    def marked(self, row: int, prices: Floats) -> Floats:
        """Mark prices (`atm.trading.mark_path` names the rows), `prices` where none is recorded."""
        if self.marks is None:
            return prices
        recorded = self.marks[row]
        return np.where(np.isnan(recorded), prices, recorded)


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What is kept of the minutes of one symbol, after which nobody needs these any more.

    first_price: the first open that is known, NaN = none; closes: the newest close at the moments asked for; marks: the newest
    mark price at them (that of the trades where none is recorded), as the equity is marked with; missing:
    positions of the minutes without a bar; silent: minutes in which nobody traded; volumes: of the minute of each fill of the
    symbol; measures: rows of `measure`; sources: as of the path.
    """

    start_ms: int
    minutes: int
    first_price: float
    closes: Floats
    marks: Floats
    missing: Ints
    silent: int
    volumes: Floats
    measures: Floats
    sources: dict[str, int] = field(default_factory=dict)

    def minute(self, time_ms: int) -> int:
        """Index of the minute that a moment is in."""
        return (time_ms - self.start_ms) // MINUTE_MS


def facts(path: SymbolPath, fills: FillTable, ends: Ints) -> PathFacts:
    """fills: of this symbol; ends: numbers of minutes after which the newest close is wanted, ascending."""
    known = ~np.isnan(path.opens)
    first = int(np.argmax(known)) if len(known) else 0
    return PathFacts(
        start_ms=path.start_ms,
        minutes=len(path.closes),
        first_price=float(path.opens[first]) if len(known) and known[first] else math.nan,
        closes=last_known(path.closes, ends),
        marks=last_known(path.marked(CLOSE, path.closes), ends),
        missing=np.flatnonzero(np.isnan(path.closes)),
        silent=int((path.volumes == 0).sum()),
        volumes=path.volumes[(fills.time_ms - path.start_ms) // MINUTE_MS].astype(float),
        measures=measure(fills, path),
        sources=path.sources,
    )


def last_known(closes: Floats, ends: Ints) -> Floats:
    """The newest of the first `ends` closes, NaN before the first."""
    prices = closes[ends - 1]
    for k in np.flatnonzero(np.isnan(prices)):
        begin = int(ends[k - 1]) if k else 0
        known = closes[begin : int(ends[k])]
        found = np.flatnonzero(~np.isnan(known))
        prices[k] = known[found[-1]] if len(found) else (prices[k - 1] if k else np.nan)
    return prices


def measured_trips(fills: FillTable, seen: Mapping[str, PathFacts]) -> tuple[list[RoundTrip], float]:
    """(closed round trips in the order they ended, smallest room to liquidation of all, the open ones included)."""
    ended: list[tuple[int, RoundTrip]] = []
    least = 1.0
    for symbol, path in seen.items():
        places = fills.places(symbol)
        if not len(places):
            continue
        mine = fills.of_symbol(symbol)
        begins, ends = np.flatnonzero(mine.quantity_before == 0.0), np.flatnonzero(mine.quantity_after == 0.0)
        rows = path.measures.copy()
        liquidated = np.flatnonzero(mine.reason == REASONS.index(TradeReason.LIQUIDATION))
        rows[np.searchsorted(begins, liquidated, "right") - 1, 3] = 0.0
        least = min(least, float(rows[:, 3].min()))
        ended += zip(places[ends].tolist(), closed_trips(symbol, mine, begins[: len(ends)], ends, rows), strict=True)
    ended.sort(key=lambda each: each[0])
    return [trip for _, trip in ended], least


def closed_trips(symbol: str, fills: FillTable, begins: Ints, ends: Ints, rows: Floats) -> list[RoundTrip]:
    """Round trips from their first and last fills and what was measured of them."""
    moments = fills.time_ms[begins].tolist(), fills.time_ms[ends].tolist()
    sides = [Side.BUY if bought else Side.SELL for bought in fills.bought[begins].tolist()]
    counts, reasons = (ends - begins + 1).tolist(), [REASONS[place] for place in fills.reason[ends].tolist()]
    return [
        RoundTrip(
            symbol, side, start, end, count, notional, profit - fees - funding, fees, funding, reason,
            adverse, favourable, room,
        )
        for side, start, end, count, reason, (funding, adverse, favourable, room, fees, profit, notional) in zip(
            sides, *moments, counts, reasons, rows[: len(ends)].tolist(), strict=True
        )
    ]  # fmt: skip


def measure(fills: FillTable, path: SymbolPath) -> Floats:
    """Of the successive round trips of one symbol: float64 (trips, 7), funding paid, adverse, favourable, room; fees, profit
    before them, notional of the fills that opened or grew the position."""
    table = np.column_stack(
        (
            fills.signed,
            fills.price,
            fills.quantity_after,
            fills.entry_price_after,
            fills.fee,
            fills.profit,
            fills.wallet_after,
        )
    )
    minutes = (fills.time_ms - path.start_ms) // MINUTE_MS
    ends = np.append(minutes[1:], len(path.closes))[: len(minutes)]
    held = table[:, 2] != 0.0
    lows, highs = extremes(path.lows, path.highs, minutes, ends, held)
    marks = lows, highs
    if path.marks is not None:
        marks = extremes(path.marked(LOW, path.lows), path.marked(HIGH, path.highs), minutes, ends, held)
    paid = funding_paid(path, minutes, ends, table[:, 2])
    return walk(table, lows, highs, *marks, paid, path.leverage, path.brackets, path.isolated)


def extremes(low: Floats, high: Floats, first: Ints, last: Ints, held: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(lowest low, highest high) of the minutes first … last − 1 where something is held; NaN where there are none.

    The minute of the fill that ends a holding is left out: what came after that fill was not suffered any more, and what
    came before lies between its open and the fill price, which is counted by itself.
    """
    lows, highs = np.full(len(first), np.nan), np.full(len(first), np.nan)
    known = held & (first < last)
    if known.any():
        edges = np.column_stack((first[known], last[known])).ravel()
        inside = edges[:-1] if edges[-1] >= len(low) else edges
        lows[known] = np.fmin.reduceat(low, inside)[::2]
        highs[known] = np.fmax.reduceat(high, inside)[::2]
    return lows, highs


def funding_paid(path: SymbolPath, first: Ints, last: Ints, quantity: Floats) -> Floats:
    """Funding of the stamps after minute `first` up to `last`: at a stamp funding comes before the fills of its minute."""
    minutes, owed = stamps(path)
    sums = np.concatenate(([0.0], np.cumsum(owed)))
    until, before = (np.searchsorted(minutes, minute, "right") for minute in (last, first))
    paid: Floats = quantity * (sums[until] - sums[before])
    return paid


def stamps(path: SymbolPath) -> tuple[Ints, Floats]:
    """(minutes of the funding stamps, ascending, what a quantity of one pays at each; 0 without a price)."""
    step = path.funding_ms // MINUTE_MS
    lead = -path.start_ms // MINUTE_MS % step
    minutes = np.arange(lead, len(path.opens), step)
    rates = np.full(len(minutes), path.funding_rate)
    if path.rates is not None and len(path.rates):
        recorded = (path.rates[:, 0].astype(np.int64) - path.start_ms) // MINUTE_MS
        minutes, places = np.unique(np.concatenate((recorded, minutes)), return_index=True)  # the first of equals
        rates = np.concatenate((path.rates[:, 1], rates))[places]
    opens = path.opens[minutes]
    if path.marks is not None:
        marks = path.marks[OPEN][minutes]
        opens = np.where(np.isnan(marks), opens, marks)
    return minutes, np.nan_to_num(opens) * rates


@kernel
def walk(
    table: Floats, lows: Floats, highs: Floats, mark_lows: Floats, mark_highs: Floats,
    paid: Floats, leverage: float, brackets: Floats, isolated: bool,
) -> Floats:  # fmt: skip
    """The fills of one symbol in order → rows of `measure`.

    table: float64 (n, 7), signed quantity, price, quantity and entry price after the fill, fee, profit, wallet balance after the
    fill; lows, highs (of trade and mark prices), paid (n,): of the time until the next fill. Isolated margin follows the engine's
    rules for opening, reduction and funding; a cross position is backed by the wallet of its asset, what other positions gain
    and lose meanwhile left out.
    """
    rows = np.zeros((table.shape[0] + 1, 7))
    trip, side, margin, entry, before = -1, 0.0, 0.0, 0.0, 0.0
    for k in range(table.shape[0]):
        quantity, price, after = table[k, 0], table[k, 1], table[k, 2]
        if before == 0.0:
            trip += 1
            rows[trip, 3] = 1.0
            side, margin = math.copysign(1.0, quantity), 0.0
        rows[trip, 4] += table[k, 4]
        rows[trip, 5] += table[k, 5]
        if side * quantity > 0.0:
            rows[trip, 6] += abs(quantity) * price
            margin += abs(quantity) * price / leverage
        else:
            gain = side * (price / entry - 1.0)
            rows[trip, 1], rows[trip, 2] = min(rows[trip, 1], gain), max(rows[trip, 2], gain)
            margin *= abs(after) / abs(before)
        if not isolated:
            margin = table[k, 6]
        before, entry = after, table[k, 3]
        if after == 0.0:
            continue
        worst, best = (lows[k], highs[k]) if side > 0.0 else (highs[k], lows[k])
        if not math.isnan(worst):
            low, high = side * (worst / entry - 1.0), side * (best / entry - 1.0)
            rows[trip, 1], rows[trip, 2] = min(rows[trip, 1], low), max(rows[trip, 2], high)
            level = liquidation_price(brackets, after, entry, min(margin, margin - paid[k]))
            mark = mark_lows[k] if side > 0.0 else mark_highs[k]
            if level > 0.0:
                rows[trip, 3] = min(rows[trip, 3], max(0.0, side * (mark - level) / mark))
        margin -= paid[k]
        rows[trip, 0] += paid[k]
    return rows[: trip + 1]
