"""What happened between the fills: excursions, funding and the room to liquidation, on the one-minute path.

Between two fills of a symbol its quantity and entry price stand still: a *holding*. All figures come from a few reductions
over the minutes of each holding, so that five years of minutes cost milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import liquidation_price
from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import MINUTE_MS
from atm.model.kernel import kernel
from atm.model.order import Side
from atm.model.statistics import RoundTrip
from atm.simulators.statistics.trips import round_trip, split

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """Minutes of one symbol, float64 (n,), NaN = missing; volumes float32 (n,) in the base asset.

    leverage, brackets (rows as in the ledger), funding_rate, funding_ms and isolated (else in cross margin): as the engine used
    them; rates: recorded funding rates, float64 (k, 2) rows of (stamp Unix ms, rate), which go before the constant one.
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

    def minute(self, time_ms: int) -> int:
        """Index of the minute that a moment is in."""
        return (time_ms - self.start_ms) // MINUTE_MS


def measured_trips(trades: Sequence[TradeRecord], paths: Mapping[str, SymbolPath]) -> tuple[list[RoundTrip], float]:
    """(closed round trips in the order they ended, smallest room to liquidation of all, the open ones included)."""
    groups = split(trades)
    trips: list[RoundTrip | None] = [None] * len(groups)
    least = 1.0
    for symbol, path in paths.items():
        mine = [index for index, fills in enumerate(groups) if fills[0].symbol == symbol]
        if not mine:
            continue
        rows = measure([t for index in mine for t in groups[index]], path).tolist()
        for index, (funding, adverse, favourable, room) in zip(mine, rows, strict=True):
            fills = groups[index]
            if any(t.reason is TradeReason.LIQUIDATION for t in fills):
                room = 0.0
            least = min(least, room)
            if fills[-1].quantity_after == 0.0:
                trips[index] = round_trip(fills, funding, adverse, favourable, room)
    return [trip for trip in trips if trip is not None], least


def measure(fills: Sequence[TradeRecord], path: SymbolPath) -> Floats:
    """Of the successive round trips of one symbol: float64 (trips, 4), funding paid, adverse, favourable, room."""
    table = np.array(
        [
            (
                t.quantity if t.side is Side.BUY else -t.quantity,
                t.price,
                t.quantity_after,
                t.entry_price_after,
                t.wallet_after,
            )
            for t in fills
        ]
    )
    minutes = (np.array([t.time_ms for t in fills], np.int64) - path.start_ms) // MINUTE_MS
    ends = np.append(minutes[1:], len(path.closes))
    lows, highs = extremes(path, minutes, ends, table[:, 2] != 0.0)
    paid = funding_paid(path, minutes, ends, table[:, 2])
    return walk(table, lows, highs, paid, path.leverage, path.brackets, path.isolated)


def extremes(path: SymbolPath, first: Ints, last: Ints, held: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(lowest low, highest high) of the minutes first … last − 1 where something is held; NaN where there are none.

    The minute of the fill that ends a holding is left out: what came after that fill was not suffered any more, and what
    came before lies between its open and the fill price, which is counted by itself.
    """
    lows, highs = np.full(len(first), np.nan), np.full(len(first), np.nan)
    known = held & (first < last)
    if known.any():
        edges = np.column_stack((first[known], last[known])).ravel()
        inside = edges[:-1] if edges[-1] >= len(path.closes) else edges
        lows[known] = np.fmin.reduceat(path.lows, inside)[::2]
        highs[known] = np.fmax.reduceat(path.highs, inside)[::2]
    return lows, highs


def funding_paid(path: SymbolPath, first: Ints, last: Ints, quantity: Floats) -> Floats:
    """Funding of the stamps after minute `first` up to `last`: at a stamp funding comes before the fills of its minute."""
    step = path.funding_ms // MINUTE_MS
    lead = -path.start_ms // MINUTE_MS % step
    opens = path.opens[lead::step]
    rates = np.full(len(opens), path.funding_rate)
    if path.rates is not None:
        stamps = path.start_ms + MINUTE_MS * (lead + step * np.arange(len(opens)))
        known = np.isin(path.rates[:, 0], stamps)
        rates[np.searchsorted(stamps, path.rates[known, 0])] = path.rates[known, 1]
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(opens) * rates)))
    # stamps up to and including a minute: those at lead, lead + step, …
    until = np.minimum((last - lead) // step + 1, len(sums) - 1).clip(0)
    before = ((first - lead) // step + 1).clip(0)
    paid: Floats = quantity * (sums[until] - sums[before])
    return paid


@kernel
def walk(
    table: Floats, lows: Floats, highs: Floats, paid: Floats, leverage: float, brackets: Floats, isolated: bool
) -> Floats:
    """The fills of one symbol in order → rows of `measure`.

    table: float64 (n, 5), signed quantity, price, and quantity, entry price and wallet balance after the fill; lows, highs,
    paid (n,): of the time until the next fill. Isolated margin follows the engine's rules for opening, reduction and funding;
    a cross position is backed by the wallet of its asset, what other positions gain and lose meanwhile left out.
    """
    rows = np.zeros((table.shape[0] + 1, 4))
    trip, side, margin, entry, before = -1, 0.0, 0.0, 0.0, 0.0
    for k in range(table.shape[0]):
        quantity, price, after = table[k, 0], table[k, 1], table[k, 2]
        if before == 0.0:
            trip += 1
            rows[trip, 3] = 1.0
            side, margin = math.copysign(1.0, quantity), 0.0
        if side * quantity > 0.0:
            margin += abs(quantity) * price / leverage
        else:
            gain = side * (price / entry - 1.0)
            rows[trip, 1], rows[trip, 2] = min(rows[trip, 1], gain), max(rows[trip, 2], gain)
            margin *= abs(after) / abs(before)
        if not isolated:
            margin = table[k, 4]
        before, entry = after, table[k, 3]
        if after == 0.0:
            continue
        worst, best = (lows[k], highs[k]) if side > 0.0 else (highs[k], lows[k])
        if not math.isnan(worst):
            low, high = side * (worst / entry - 1.0), side * (best / entry - 1.0)
            rows[trip, 1], rows[trip, 2] = min(rows[trip, 1], low), max(rows[trip, 2], high)
            level = liquidation_price(brackets, after, entry, min(margin, margin - paid[k]))
            if level > 0.0:
                rows[trip, 3] = min(rows[trip, 3], max(0.0, side * (worst - level) / worst))
        margin -= paid[k]
        rows[trip, 0] += paid[k]
    return rows[: trip + 1]
