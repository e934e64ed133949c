"""Filter, counts and totals of an account's trades, with numbers made by hand."""

from __future__ import annotations

import math

import pytest

from atm.gui.history.trade_filter import HistoryFilter, filtered
from atm.model.account import TradeReason, TradeRecord
from atm.model.account_review import TOLERANCE, ReviewCheck, asset_of
from atm.model.order import Side

BUY, SELL = Side.BUY, Side.SELL


def fill(
    index: int, symbol: str, side: Side, reason: TradeReason, profit: float = 0.0, fee: float = 0.1
) -> TradeRecord:
    return TradeRecord(index, 1_000 * index, 0, symbol, side, reason, 2.0, 10.0, profit, fee, 0.0, math.nan, 0.0)


TRADES = (
    fill(0, "AUSDT", BUY, TradeReason.ENTRY),
    fill(1, "BUSDC", SELL, TradeReason.ENTRY),
    fill(2, "AUSDT", SELL, TradeReason.EXIT, 5.0),
    fill(3, "BUSDC", BUY, TradeReason.STOP_CLOSE, -3.0),
    fill(4, "CUSDT", BUY, TradeReason.ENTRY),
    fill(5, "CUSDT", SELL, TradeReason.LIQUIDATION, -20.0, 0.5),
)
ASSETS = ("USDT", "USDC")


def test_everything_is_shown_newest_first_with_its_counts() -> None:
    found = filtered(TRADES, HistoryFilter(), ASSETS)
    assert [trade.index for trade in found.rows] == [5, 4, 3, 2, 1, 0]
    assert (found.total, found.in_asset, found.in_symbol, found.in_time) == (6, 6, 6, 6)
    assert found.kinds[BUY] == found.kinds[SELL] == 3
    assert found.kinds[TradeReason.ENTRY] == 3


def test_totals_are_kept_apart_by_asset() -> None:
    sums = filtered(TRADES, HistoryFilter(), ASSETS).sums
    assert list(sums) == ["USDC", "USDT"]
    usdt = sums["USDT"]
    assert (usdt.count, usdt.gains, usdt.losses) == (4, 5.0, -20.0)
    assert usdt.fees == pytest.approx(0.8)
    assert usdt.net == pytest.approx(5.0 - 20.0 - 0.8)
    assert sums["USDC"].net == pytest.approx(-3.2)


def test_counters_say_how_many_pass_each_part_alone() -> None:
    found = filtered(TRADES, HistoryFilter(start_ms=2_000, end_ms=5_000, asset="USDT", symbol="AUSDT"), ASSETS)
    assert [trade.index for trade in found.rows] == [2]
    assert (found.in_time, found.in_asset, found.in_symbol) == (3, 4, 2)


def test_the_end_of_a_range_is_not_in_it() -> None:
    found = filtered(TRADES, HistoryFilter(start_ms=2_000, end_ms=3_000), ASSETS)
    assert [trade.index for trade in found.rows] == [2]


def test_a_side_that_is_switched_off_keeps_its_count() -> None:
    chosen = HistoryFilter().with_switched(BUY).with_switched(TradeReason.LIQUIDATION)
    found = filtered(TRADES, chosen, ASSETS)
    assert [trade.index for trade in found.rows] == [2, 1]
    assert found.kinds[BUY] == 3
    assert found.kinds[TradeReason.LIQUIDATION] == 1
    assert chosen.with_switched(BUY).with_switched(TradeReason.LIQUIDATION) == HistoryFilter()


def test_a_symbol_belongs_to_the_longest_asset_that_it_ends_with() -> None:
    assert asset_of("BTCFDUSD", ("USD", "FDUSD")) == "FDUSD"
    assert asset_of("BTCXYZ", ()) == ""


def test_a_check_holds_up_to_the_tolerance_and_never_for_no_number() -> None:
    assert ReviewCheck("fees", "USDT", 1.0, 1.0 + TOLERANCE / 2).holds
    assert not ReviewCheck("fees", "USDT", 1.0, 1.0 + 2 * TOLERANCE).holds
    assert not ReviewCheck("fees", "USDT", 1.0, math.nan).holds
