"""A result as the page shows it: curves, round trips by group, trades that pass a filter. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from atm.gui.equity_chart import EquityCurve
from atm.gui.results import SimulationResult
from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side
from atm.model.simulation import SimulationSpec
from atm.model.statistics import BalanceReport, RoundTrip
from atm.simulators.statistics.reports import daily
from atm.simulators.statistics.trips import round_trips

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShownResult:
    """held: buy-and-hold beside the equity; hourly, daily: reports; None in results of earlier versions, whose trips come from
    their fills alone and lack what the path between them tells. measured: whether trips have excursions and funding; assets:
    trips by margin asset; fill_times: Unix ms, ascending."""

    spec: SimulationSpec
    curve: EquityCurve
    held: EquityCurve | None
    trades: tuple[TradeRecord, ...]
    trips: tuple[RoundTrip, ...]
    hourly: BalanceReport | None
    daily: BalanceReport | None
    measured: bool
    assets: tuple[Group, ...]
    fill_times: NDArray[np.int64]

    @property
    def initial(self) -> float:
        """Equity before the first minute."""
        return sum(asset.initial_balance for asset in self.spec.assets.values())


def shown(result: SimulationResult) -> ShownResult:
    """Lay a stored result out (on the reader thread)."""
    curve = EquityCurve.of(result.equity_time, result.equity, result.transfers)
    hourly = None if result.details is None else result.details.hourly
    trips = tuple(round_trips(result.trades)) if result.details is None else result.details.trips
    held = None
    if hourly is not None:
        held = EquityCurve.of(hourly.open_time + hourly.step_ms, hourly.column("benchmark"))
    return ShownResult(
        spec=result.spec,
        curve=curve,
        held=held,
        trades=result.trades,
        trips=trips,
        hourly=hourly,
        daily=None if hourly is None else daily(hourly),
        measured=result.details is not None,
        assets=by_asset(result.spec, trips),
        fill_times=np.array([trade.time_ms for trade in result.trades], np.int64),
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Figures of a part of a curve, transfers left out. change: of the equity in it, a fraction; fall: its largest drawdown, a fraction."""

    start_s: float
    end_s: float
    change: float
    profit: float
    fall: float


def stretch(curve: EquityCurve, start_s: float, end_s: float) -> Stretch | None:
    """What lies between two times (Unix seconds); None where that is less than two points."""
    lo = max(0, int(np.searchsorted(curve.time, start_s, "right")) - 1)
    hi = int(np.searchsorted(curve.time, end_s, "right"))
    if hi - lo < 2:
        return None
    values = curve.worth[lo:hi]
    peak = np.maximum.accumulate(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = float(np.nanmax(np.where(peak > 0, 1 - values / peak, 0.0)))
    begin, end = float(values[0]), float(values[-1])
    change = end / begin - 1 if begin > 0 else 0.0
    paid_in = float(curve.paid_in[hi - 1] - curve.paid_in[lo])
    profit = float(curve.equity[hi - 1] - curve.equity[lo]) - paid_in
    return Stretch(float(curve.time[lo]), float(curve.time[hi - 1]), change, profit, fall)


# --- round trips by group ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Round trips that have something in common. gains >= 0 >= losses; costs: fees and funding."""

    key: str
    trips: int
    won: int
    profit: float
    gains: float
    losses: float
    costs: float

    @property
    def win_rate(self) -> float:
        return self.won / self.trips if self.trips else 0.0

    @property
    def average(self) -> float:
        return self.profit / self.trips if self.trips else 0.0

    @property
    def factor(self) -> float | None:
        """Gains over losses; None where nothing was lost."""
        return self.gains / -self.losses if self.losses else None


def _moment(trip: RoundTrip) -> datetime:
    return datetime.fromtimestamp(trip.start_ms / 1000, UTC)


GROUPINGS: Mapping[str, Callable[[RoundTrip], str]] = {
    "symbol": lambda trip: trip.symbol,
    "side": lambda trip: trip.side.value,
    "reason": lambda trip: trip.exit_reason.value,
    "hour": lambda trip: f"{_moment(trip).hour:02d}",
    "weekday": lambda trip: str(_moment(trip).weekday()),
}
"""Hour and weekday (0 Monday) are those of the entry, UTC."""


def grouped(trips: Iterable[RoundTrip], key: Callable[[RoundTrip], str]) -> tuple[Group, ...]:
    """Groups by their keys."""
    found: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        found.setdefault(key(trip), []).append(trip)
    return tuple(_group(name, found[name]) for name in sorted(found))


def _group(key: str, trips: Sequence[RoundTrip]) -> Group:
    profits = [trip.profit for trip in trips]
    return Group(
        key,
        len(trips),
        sum(profit > 0 for profit in profits),
        sum(profits),
        sum(profit for profit in profits if profit > 0),
        sum(profit for profit in profits if profit < 0),
        sum(trip.fees + trip.funding for trip in trips),
    )


def by_asset(spec: SimulationSpec, trips: Iterable[RoundTrip]) -> tuple[Group, ...]:
    """Groups by margin asset, the quote asset of a symbol."""
    assets = sorted(spec.assets, key=len, reverse=True)

    def asset(trip: RoundTrip) -> str:
        return next((name for name in assets if trip.symbol.endswith(name)), assets[0])

    return grouped(trips, asset)


def best_and_worst(trips: Sequence[RoundTrip], count: int) -> tuple[RoundTrip, ...]:
    """The `count` best and the `count` worst, best first; each once where there are fewer."""
    ranked = sorted(trips, key=lambda trip: -trip.profit)
    return tuple(ranked if len(ranked) <= 2 * count else ranked[:count] + ranked[-count:])


# --- trades -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TradeFilter:
    """ "" passes all. text: part of symbol, side, reason or number, whatever its case."""

    symbol: str = ""
    side: str = ""
    reason: str = ""
    text: str = ""

    def passes(self, trade: TradeRecord) -> bool:
        """Whether a fill is shown."""
        if self.symbol not in ("", trade.symbol) or self.side not in ("", trade.side.value):
            return False
        if self.reason not in ("", trade.reason.value):
            return False
        words = f"{trade.index} {trade.symbol} {trade.side.value} {trade.reason.value}".casefold()
        return all(word in words for word in self.text.casefold().split())


@dataclass(frozen=True, slots=True)
class Totals:
    """Of fills. bought, sold: notional; gains >= 0 >= losses: of what was closed, before fees."""

    count: int = 0
    bought: float = 0.0
    sold: float = 0.0
    gains: float = 0.0
    losses: float = 0.0
    fees: float = 0.0

    @property
    def net(self) -> float:
        """After fees, before funding."""
        return self.gains + self.losses - self.fees


def totals(trades: Iterable[TradeRecord]) -> Totals:
    """Sums over fills."""
    count, bought, sold, gains, losses, fees = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for trade in trades:
        notional = trade.quantity * trade.price
        count += 1
        bought += notional if trade.side is Side.BUY else 0.0
        sold += notional if trade.side is Side.SELL else 0.0
        gains += max(trade.profit, 0.0)
        losses += min(trade.profit, 0.0)
        fees += trade.fee
    return Totals(count, bought, sold, gains, losses, fees)


def occurring(trades: Iterable[TradeRecord]) -> tuple[tuple[str, ...], tuple[TradeReason, ...]]:
    """(symbols, reasons) that there are, for the choices of a filter."""
    symbols, reasons = set(), set()
    for trade in trades:
        symbols.add(trade.symbol)
        reasons.add(trade.reason)
    return tuple(sorted(symbols)), tuple(reason for reason in TradeReason if reason in reasons)
