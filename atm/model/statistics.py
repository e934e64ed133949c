"""Results of a simulation as values: statistics, round trips, balance reports, findings (definitions: docs/statistics.md)."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeReason
from atm.model.notice import Severity
from atm.model.order import Side


class RoundTrip(msgspec.Struct, frozen=True, gc=False):
    """From flat to flat of one symbol; a flip ends one and begins the next. Times Unix ms UTC, money in the quote asset.

    profit: net of fees and funding; funding > 0 was paid; notional: of all fills that opened or grew the position;
    adverse <= 0 <= favourable: worst and best unrealised return on the average entry price, on the one-minute path;
    liquidation_room: smallest distance between price and liquidation price, as a fraction of the price (1 = none near).
    """

    symbol: str
    side: Side
    start_ms: int
    end_ms: int
    fills: int
    notional: float
    profit: float
    fees: float
    funding: float
    exit_reason: TradeReason
    adverse: float = 0.0
    favourable: float = 0.0
    liquidation_room: float = 1.0


class SideStatistics(msgspec.Struct, frozen=True):
    """Round trips of one side. profit_factor None: nothing was lost (or there was no trip)."""

    trips: int = 0
    win_rate: float = 0.0
    profit: float = 0.0
    average_profit: float = 0.0
    profit_factor: float | None = None


class PeriodReturn(msgspec.Struct, frozen=True):
    """Return of a calendar month (month 1 … 12) or year (month 0), UTC; whole: the simulation covers all of it."""

    year: int
    month: int
    value: float
    whole: bool


class RegimeResult(msgspec.Struct, frozen=True):
    """Days of one third of the range, by `kind` ("trend" or "volatility"), `third` 0 lowest … 2 highest."""

    kind: str
    third: int
    days: int
    profit: float


class Significance(msgspec.Struct, frozen=True):
    """Of the mean daily return. lags: of the autocorrelation-robust error; p: two-sided; intervals hold 95 % of the
    bootstrap: sharpe_low … sharpe_high annualised, return_low … return_high the compounded return of a year."""

    days: int
    t: float
    p: float
    lags: int
    samples: int
    block_days: float
    sharpe_low: float
    sharpe_high: float
    return_low: float
    return_high: float


class SimulationStatistics(msgspec.Struct, frozen=True):
    """Figures beyond those of the summary. Ratios as fractions, a year has 365 days, None = not defined for this result.

    unmarked_share: of the minutes held, whose trade price stood for a mark price that was not recorded; constant_share: of the funding
    stamps charged, at the constant rate.
    """

    days: float = 0.0
    ruined: bool = False
    cagr: float = 0.0
    volatility: float = 0.0
    sharpe: float | None = None
    sortino: float | None = None
    calmar: float | None = None
    ulcer: float = 0.0
    max_drawdown_days: float = 0.0
    longest_under_water_days: float = 0.0
    profit_factor: float | None = None
    expectancy: float = 0.0
    average_win: float = 0.0
    average_loss: float = 0.0
    payoff: float | None = None
    best: float = 0.0
    worst: float = 0.0
    win_streak: int = 0
    loss_streak: int = 0
    mean_minutes: float = 0.0
    median_minutes: float = 0.0
    longest_minutes: float = 0.0
    average_adverse: float = 0.0
    worst_adverse: float = 0.0
    average_favourable: float = 0.0
    best_favourable: float = 0.0
    mean_leverage: float = 0.0
    peak_leverage: float = 0.0
    turnover: float = 0.0
    traded_notional: float = 0.0
    cost_share: float | None = None
    growth_per_day: float = 0.0
    growth_deviation: float = 0.0
    benchmark_return: float = 0.0
    benchmark_drawdown: float = 0.0
    benchmark_sharpe: float | None = None
    alpha: float | None = None
    beta: float | None = None
    long: SideStatistics = SideStatistics()
    short: SideStatistics = SideStatistics()
    fills_by_reason: dict[str, int] = {}
    months: tuple[PeriodReturn, ...] = ()
    years: tuple[PeriodReturn, ...] = ()
    regimes: tuple[RegimeResult, ...] = ()
    significance: Significance | None = None
    unmarked_share: float | None = None
    constant_share: float | None = None


class Finding(msgspec.Struct, frozen=True):
    """What the doctor says of a result. `text` is a key of the text catalogue, `parameters` fill its placeholders;
    number: the figure that it rests on, as a fraction, count or ratio."""

    severity: Severity
    text: str
    number: float
    parameters: dict[str, str] = {}


class BalanceReport(msgspec.Struct, frozen=True):
    """Counts and balances per interval of `step_ms`. open_time int64 (n,), Unix ms UTC; values float64 (columns, n)."""

    step_ms: int
    columns: tuple[str, ...]
    open_time: NDArray[np.int64]
    values: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """One column, shape (n,). Raises ValueError for a name that there is not."""
        row: NDArray[np.float64] = self.values[self.columns.index(name)]
        return row


class SimulationDetails(msgspec.Struct, frozen=True):
    """What is kept of a simulation beside summary, equity and fills."""

    trips: tuple[RoundTrip, ...]
    hourly: BalanceReport

    def pack(self) -> bytes:
        """As bytes for the store."""
        report = self.hourly
        times, values = report.open_time.astype("<i8").tobytes(), report.values.astype("<f8").tobytes()
        raw = msgspec.msgpack.encode((self.trips, report.step_ms, report.columns, times, values))
        return zlib.compress(raw, 1)

    @staticmethod
    def unpack(data: bytes) -> SimulationDetails:
        """From `pack`. Raises ValueError (msgspec's included) where it is none."""
        shape = tuple[tuple[RoundTrip, ...], int, tuple[str, ...], bytes, bytes]
        trips, step, columns, times, values = msgspec.msgpack.decode(zlib.decompress(data), type=shape)
        table = np.frombuffer(values, "<f8").reshape(len(columns), -1)
        return SimulationDetails(trips, BalanceReport(step, columns, np.frombuffer(times, "<i8"), table))
