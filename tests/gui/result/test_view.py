"""What the result page makes of a stored result, checked by hand calculation and against the trips themselves."""

from __future__ import annotations

import numpy as np
import pytest

from atm.gui.equity_chart import EquityCurve
from atm.gui.result.chart_marks import held_marks, trade_marks
from atm.gui.result.reports import blocks, values_of
from atm.gui.result.trades import signal
from atm.gui.result.view import GROUPINGS, TradeFilter, best_and_worst, grouped, occurring, shown, stretch, totals
from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import MINUTE_MS, parse_time
from atm.model.order import Side
from atm.model.statistics import BalanceReport, RoundTrip
from tests.gui.result.ran import RanResults, ran

MONDAY = parse_time("2023-09-04 13:20")


def trip(profit: float, symbol: str = "AUSDT", side: Side = Side.BUY, start: int = MONDAY) -> RoundTrip:
    return RoundTrip(symbol, side, start, start + 3_600_000, 2, 100.0, profit, 1.0, 0.5, TradeReason.EXIT)


def fill(
    index: int, side: Side, quantity: float, price: float, profit: float, after: float, entry: float
) -> TradeRecord:
    reason = TradeReason.ENTRY if not profit else TradeReason.STOP_CLOSE
    return TradeRecord(
        index, index * MINUTE_MS, 0, "AUSDT", side, reason, quantity, price, profit, 0.5, after, entry, 1_000.0
    )


FILLS = (
    fill(0, Side.BUY, 2.0, 100.0, 0.0, 2.0, 100.0),
    fill(1, Side.SELL, 1.0, 110.0, 10.0, 1.0, 100.0),
    fill(2, Side.SELL, 1.0, 90.0, -10.0, 0.0, 0.0),
    fill(3, Side.SELL, 3.0, 95.0, 0.0, -3.0, 95.0),
)


def test_groups_add_up() -> None:
    trips = [trip(5.0), trip(-2.0), trip(1.0, "BUSDT", Side.SELL)]
    first, second = grouped(trips, GROUPINGS["symbol"])
    assert (first.key, first.trips, first.won, first.profit) == ("AUSDT", 2, 1, 3.0)
    assert (first.win_rate, first.average, first.factor, first.costs) == (0.5, 1.5, 2.5, 3.0)
    assert second.factor is None, "nothing was lost"
    assert [group.key for group in grouped(trips, GROUPINGS["side"])] == ["BUY", "SELL"]
    assert grouped(trips, GROUPINGS["hour"])[0].key == "13"
    assert grouped(trips, GROUPINGS["weekday"])[0].key == "0"


def test_the_best_and_the_worst() -> None:
    trips = [trip(float(profit)) for profit in (3, -1, 7, 0, -9)]
    assert [each.profit for each in best_and_worst(trips, 1)] == [7.0, -9.0]
    assert [each.profit for each in best_and_worst(trips, 3)] == [7.0, 3.0, 0.0, -1.0, -9.0]


def test_totals_of_fills() -> None:
    sums = totals(FILLS)
    assert (sums.count, sums.bought, sums.sold) == (4, 200.0, 110.0 + 90.0 + 285.0)
    assert (sums.gains, sums.losses, sums.fees, sums.net) == (10.0, -10.0, 2.0, -2.0)
    assert occurring(FILLS) == (("AUSDT",), (TradeReason.ENTRY, TradeReason.STOP_CLOSE))


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (TradeFilter(), [0, 1, 2, 3]),
        (TradeFilter(side="BUY"), [0]),
        (TradeFilter(reason="STOP_CLOSE"), [1, 2]),
        (TradeFilter(symbol="B"), []),
        (TradeFilter(text="stop sell"), [1, 2]),
        (TradeFilter(text="AUSDT 3"), [3]),
        (TradeFilter(side="SELL", text="entry"), [3]),
    ],
)
def test_filters(chosen: TradeFilter, left: list[int]) -> None:
    assert [trade.index for trade in FILLS if chosen.passes(trade)] == left


def test_figures_of_what_is_in_sight() -> None:
    time = np.array([0.0, 10.0, 20.0, 30.0])
    values = np.array([100.0, 120.0, 90.0, 108.0])
    curve = EquityCurve(time, values, np.zeros(4), values, np.zeros(4))
    whole = stretch(curve, -5.0, 50.0)
    assert whole is not None
    assert (whole.change, whole.profit, whole.fall) == (pytest.approx(0.08), 8.0, pytest.approx(0.25))
    part = stretch(curve, 20.0, 30.0)
    assert part is not None
    assert (part.start_s, part.profit, part.fall) == (20.0, 18.0, 0.0)
    assert stretch(curve, 40.0, 50.0) is None


def test_marks_join_fills_while_something_is_held() -> None:
    marks = trade_marks(FILLS)
    assert marks.buy.tolist() == [True, False, False, False]
    held = held_marks(FILLS)
    assert held.start.tolist() == [0, MINUTE_MS]
    assert held.leave.tolist() == [110.0, 90.0]
    assert held.won.tolist() == [True, False]
    assert len(held_marks(()).start) == 0


def test_the_signal_of_a_fill() -> None:
    import msgspec

    assert signal(FILLS[0]) == "—"
    assert signal(msgspec.structs.replace(FILLS[0], target_before=0.0, target_after=-0.5)) == "0% → −50%"


def test_bars_of_a_report_are_sums_and_peaks() -> None:
    columns = ("fills", "notional", "equity_close")
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 50.0, 0.0, 0.0, 20.0], [100.0, 100.0, 100.0, 0.0, 100.0]])
    report = BalanceReport(1_000, columns, np.arange(5) * 1_000, values)
    times, counts, length = blocks(report, "fills", 0.0, 5.0, most=3)
    assert (times.tolist(), counts.tolist(), length) == ([1.0, 3.0, 5.0], [3.0, 7.0, 5.0], 2.0)
    assert blocks(report, "exposure", 0.0, 5.0, most=3)[1].tolist() == [50.0, 0.0, 20.0]
    assert values_of(report, "exposure").tolist() == [10.0, 50.0, 0.0, 0.0, 20.0]
    assert len(blocks(report, "fills", 90.0, 91.0)[0]) == 0 or blocks(report, "fills", 90.0, 91.0)[1].sum() == 5.0


def test_a_real_result_says_the_same_as_its_summary() -> None:
    spec, whole = ran("two_positions")
    result = shown(RanResults().simulation(spec.code))
    s = whole.summary
    assert sum(group.trips for group in grouped(result.trips, GROUPINGS["symbol"])) == s.round_trips
    assert totals(result.trades).fees == pytest.approx(s.fees, rel=1e-3), "clearance fees apart"
    assert result.assets[0].key == "USDT"
    assert result.held is not None and s.statistics is not None
    assert result.held.equity[-1] / result.initial - 1 == pytest.approx(s.statistics.benchmark_return)


def test_a_result_of_an_earlier_version_is_shown_without_what_it_lacks() -> None:
    spec, whole = ran("two_positions")
    result = shown(RanResults(earlier=True).simulation(spec.code))
    assert (result.held, result.hourly, result.daily, result.measured) == (None, None, None, False)
    assert len(result.trips) == whole.summary.round_trips
