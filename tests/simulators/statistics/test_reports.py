"""Balance reports: sums and levels against pandas, hours that the range cuts, months and ruin."""

import math

import numpy as np
import pandas as pd
import pytest

from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import parse_time
from atm.model.statistics import BalanceReport, PeriodReturn
from atm.simulators.statistics import reports
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.path import SymbolPath
from tests.simulators.statistics.fills import facts_of, fill

START = parse_time("2023-08-30 22:17")


def path(closes: np.ndarray, start: int = 0) -> SymbolPath:
    volumes = np.ones(len(closes), np.float32)
    return SymbolPath(start, closes, closes, closes, closes, volumes, 1.0, np.zeros((1, 5)), 0.0, 28_800_000)


def hourly_of(
    trades: list[TradeRecord], path: SymbolPath, equity: np.ndarray, initial: float, benchmark: np.ndarray
) -> BalanceReport:
    seen = facts_of(trades, {"A": path}, reports.hour_ends(path.start_ms, len(equity)))
    return reports.hourly(FillTable.of(trades), seen, equity, initial, benchmark)


def test_hours_of_a_range_that_begins_and_ends_inside_one() -> None:
    assert reports.hour_ends(17 * 60_000, 180).tolist() == [43, 103, 163, 180]
    assert reports.hour_ends(0, 120).tolist() == [60, 120]
    assert reports.hour_ends(0, 1).tolist() == [1]


def test_hours_and_days_agree_with_pandas() -> None:
    g = np.random.default_rng(5)
    n = 3 * 1440
    equity = 1_000 * np.exp(np.cumsum(g.normal(0, 0.001, n)))
    closes = np.exp(np.cumsum(g.normal(0, 0.001, n)))
    at = START // 60_000
    fills = [
        fill(at + 5, 10, 1.0, 10, 1.0, fee=0.5),
        fill(at + 70, -4, 1.1, 6, 1.0, profit=0.4, fee=0.2, reason=TradeReason.EXIT),
        fill(at + 2000, -6, 0.9, 0, profit=-0.6, fee=0.3, reason=TradeReason.STOP_CLOSE),
    ]
    ends = reports.hour_ends(START, n)
    hourly = hourly_of(fills, path(closes, START), equity, 1_000, np.arange(len(ends), dtype=float))
    moments = pd.to_datetime(START + 60_000 * np.arange(n), unit="ms")
    series = pd.Series(equity, moments)
    for report, rule in ((hourly, "h"), (reports.daily(hourly), "D")):
        groups = series.resample(rule)
        assert report.open_time.tolist() == (groups.last().index.as_unit("ms").astype("int64")).tolist()
        opens = np.concatenate(([1_000], groups.last()[:-1]))
        np.testing.assert_array_equal(report.column("equity_close"), groups.last())
        np.testing.assert_array_equal(report.column("equity_open"), opens)
        np.testing.assert_array_equal(report.column("equity_high"), np.maximum(groups.max(), opens))
        np.testing.assert_array_equal(report.column("equity_low"), np.minimum(groups.min(), opens))
        booked = pd.DataFrame(
            {"profit": [f.profit for f in fills], "fees": [f.fee for f in fills], "fills": 1},
            pd.to_datetime([f.time_ms for f in fills], unit="ms"),
        ).resample(rule).sum().reindex(groups.last().index, fill_value=0)  # fmt: skip
        for name in booked:
            np.testing.assert_allclose(report.column(name), booked[name])
    assert [hourly.column(name).sum() for name in ("buys", "sells", "entry", "exit", "stop_close")] == [1, 2, 1, 1, 1]
    assert (hourly.column("gains").sum(), hourly.column("losses").sum()) == (1, 1)  # the entry is neither
    assert hourly.column("benchmark")[-1] == len(ends) - 1


def test_notional_and_wallet_at_the_end_of_hours() -> None:
    closes = np.full(180, 10.0)
    closes[110:150] = math.nan  # the second hour ends in a hole: its last known price is that of minute 109
    closes[105:110] = 12.0
    fills = [fill(30, -5, 10, -5, 10.0), fill(130, 5, 12, 0, profit=-10)]
    equity = np.full(180, 990.0)
    report = hourly_of(fills, path(closes), equity, 1_000, np.zeros(3))
    np.testing.assert_array_equal(report.column("notional"), [50, 60, 0])
    np.testing.assert_array_equal(report.column("wallet_close"), [990, 1_000, 990])


def test_months_compound_to_the_total_and_partial_ones_are_marked() -> None:
    n = 40 * 1440
    equity = np.linspace(1_000, 1_500, n)
    ends = reports.hour_ends(START, n)
    hourly = hourly_of([], path(np.ones(n), START), equity, 1_000, np.zeros(len(ends)))
    day = reports.daily(hourly)
    end = START + n * 60_000
    months = reports.periods(day, START, end, True)
    assert [(m.year, m.month, m.whole) for m in months] == [(2023, 8, False), (2023, 9, True), (2023, 10, False)]
    assert math.prod(1 + m.value for m in months) == pytest.approx(1.5)
    assert reports.periods(day, START, end, False) == (PeriodReturn(2023, 0, pytest.approx(0.5), False),)


def test_a_month_of_ruin_is_a_total_loss_and_later_ones_are_nothing() -> None:
    start = parse_time("2023-08-01")
    n = 92 * 1440
    equity = np.full(n, 100.0)
    equity[40 * 1440 :] = -1.0
    ends = reports.hour_ends(start, n)
    hourly = hourly_of([], path(np.ones(n), start), equity, 100, np.zeros(len(ends)))
    months = reports.periods(reports.daily(hourly), start, start + n * 60_000, True)
    assert [m.value for m in months] == [0, -1, 0]
