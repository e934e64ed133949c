"""What happened between the fills: excursions, funding and the room to liquidation, on the one-minute path.

Between two fills of a symbol its quantity and entry price stand still: a *holding*. All figures come from a few reductions
over the minutes of each holding, so that five years of minutes cost milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import liquidation_price
from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import MINUTE_MS
from atm.model.order import Side
from atm.model.statistics import RoundTrip
from atm.simulators.statistics.trips import round_trip, split

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """Minutes of one symbol, float64 (n,), NaN = missing; volumes float32 (n,) in the base asset.

    leverage, brackets (rows as in the ledger), funding_rate and funding_ms: as the engine used them.
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

    def minute(self, time_ms: int) -> int:
        """Index of the minute that a moment is in."""
        return (time_ms - self.start_ms) // MINUTE_MS


@dataclass(frozen=True, slots=True)
class Holding:
    """Quantity and entry price after a fill in minute `first`, up to the fill in minute `last` (n: held to the end)."""

    first: int
    last: int
    quantity: float
    entry: float


def measured_trips(trades: Sequence[TradeRecord], paths: Mapping[str, SymbolPath]) -> tuple[list[RoundTrip], float]:
    """(closed round trips in the order they ended, smallest room to liquidation of all, the open ones included)."""
    groups = split(trades)
    measured: dict[int, tuple[float, float, float, float]] = {}
    for symbol, path in paths.items():
        mine = [index for index, fills in enumerate(groups) if fills[0].symbol == symbol]
        holdings = [holding for index in mine for holding in _holdings(groups[index], path)]
        lows, highs = extremes(path, holdings)
        at = 0
        for index in mine:
            count = len(_holdings(groups[index], path))
            part = slice(at, at + count)
            measured[index] = _measure(groups[index], path, holdings[part], lows[part], highs[part])
            at += count
    trips = []
    for index, fills in enumerate(groups):
        if fills[-1].quantity_after == 0.0:
            funding, adverse, favourable, room = measured[index]
            trip = round_trip(fills, funding)
            trips.append(_with(trip, adverse, favourable, room))
    return trips, min((values[3] for values in measured.values()), default=1.0)


def _with(trip: RoundTrip, adverse: float, favourable: float, room: float) -> RoundTrip:
    return RoundTrip(
        trip.symbol, trip.side, trip.start_ms, trip.end_ms, trip.fills, trip.notional, trip.profit, trip.fees,
        trip.funding, trip.exit_reason, adverse, favourable, room,
    )  # fmt: skip


def _holdings(fills: Sequence[TradeRecord], path: SymbolPath) -> list[Holding]:
    """One per fill that leaves something open."""
    ends = [path.minute(t.time_ms) for t in fills[1:]] + [len(path.closes)]
    return [
        Holding(path.minute(t.time_ms), end, t.quantity_after, t.entry_price_after)
        for t, end in zip(fills, ends, strict=True)
        if t.quantity_after != 0.0
    ]


def extremes(path: SymbolPath, holdings: Sequence[Holding]) -> tuple[Floats, Floats]:
    """(lowest low, highest high) of the minutes first … last − 1 of each holding; NaN where there are none.

    The minute of the fill that ends a holding is left out: what came after that fill was not suffered any more, and what
    came before lies between its open and the fill price, which is counted by itself.
    """
    if not holdings:
        return np.zeros(0), np.zeros(0)
    edges = np.array([(h.first, h.last) for h in holdings], np.int64)
    flat = edges.ravel()
    inside = flat[:-1] if flat[-1] >= len(path.closes) else flat
    empty = edges[:, 0] == edges[:, 1]
    lows = np.fmin.reduceat(path.lows, inside)[::2]
    highs = np.fmax.reduceat(path.highs, inside)[::2]
    return np.where(empty, np.nan, lows), np.where(empty, np.nan, highs)


def _measure(
    fills: Sequence[TradeRecord], path: SymbolPath, holdings: Sequence[Holding], lows: Floats, highs: Floats
) -> tuple[float, float, float, float]:
    """(funding paid, adverse, favourable, room to liquidation) of one round trip; holding k follows fill k."""
    side = 1.0 if fills[0].side is Side.BUY else -1.0
    worst, best = (lows, highs) if side > 0 else (highs, lows)
    funding, adverse, favourable, room, margin = 0.0, 0.0, 0.0, 1.0, 0.0
    for k, holding in enumerate(holdings):
        margin = _margin_after(fills[k], margin, side, path.leverage)
        paid = funding_paid(path, holding)
        low_margin = min(margin, margin - paid)
        room = min(room, _room(path, holding, low_margin, side, float(worst[k])))
        funding += paid
        margin -= paid
        prices = [float(worst[k]), float(best[k])]
        if k + 1 < len(fills) and fills[k + 1].side is not fills[0].side:
            prices.append(fills[k + 1].price)
        for price in prices:
            if price == price:
                gain = side * (price / holding.entry - 1.0)
                adverse, favourable = min(adverse, gain), max(favourable, gain)
    return funding, adverse, favourable, 0.0 if fills[-1].reason is TradeReason.LIQUIDATION else room


def _margin_after(fill: TradeRecord, margin: float, side: float, leverage: float) -> float:
    """Isolated margin after a fill: the engine's rules for opening and for a partial reduction."""
    if (fill.side is Side.BUY) == (side > 0):
        return margin + fill.quantity * fill.price / leverage
    before = abs(fill.quantity_after) + fill.quantity
    return margin * abs(fill.quantity_after) / before


def _room(path: SymbolPath, holding: Holding, margin: float, side: float, worst: float) -> float:
    level = liquidation_price(path.brackets, holding.quantity, holding.entry, margin)
    if level <= 0.0 or worst != worst:
        return 1.0
    return min(1.0, max(0.0, side * (worst - level) / worst))


def funding_paid(path: SymbolPath, holding: Holding) -> float:
    """Funding of the stamps after minute `first` up to `last`: at a stamp funding comes before the fills of its minute."""
    step = path.funding_ms // MINUTE_MS
    lead = -path.start_ms // MINUTE_MS % step
    begin = lead + max(0, -(-(holding.first + 1 - lead) // step)) * step
    prices = path.opens[begin : holding.last + 1 : step]
    return float(holding.quantity * np.nansum(prices) * path.funding_rate)
