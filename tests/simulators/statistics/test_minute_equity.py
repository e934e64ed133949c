"""Minute equity from fills and minutes, against a calculation by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import MINUTE_MS
from atm.model.order import Side
from atm.simulators.statistics.fill_table import FillTable
from atm.simulators.statistics.minute_equity import derive, filled_forward
from atm.simulators.statistics.path import SymbolPath

NAN = math.nan


def path(closes: list[float], opens: list[float], funding_minutes: int = 3) -> SymbolPath:
    """Funding of 1 % every three minutes, the first stamp being the first minute."""
    prices = np.array(closes)
    volumes = np.ones(len(closes), np.float32)
    return SymbolPath(
        0, np.array(opens), prices, prices, prices, volumes, 2.0, np.zeros((1, 3)), 0.01, funding_minutes * MINUTE_MS
    )


def fill(
    index: int, minute: int, side: Side, quantity: float, price: float, profit: float, after: float
) -> TradeRecord:
    reason = TradeReason.EXIT if after == 0.0 else TradeReason.ENTRY
    entry = NAN if after == 0.0 else price
    return TradeRecord(
        index, minute * MINUTE_MS, 0, "A", side, reason, quantity, price, profit, 0.5, after, entry, 0.0, maker=False
    )


def test_a_position_over_a_stamp_and_a_hole() -> None:
    # bought 10 at 100 in minute 1 (fee 0.5), funding of minute 3: 10 · 102 · 1 % = 10.2, sold at 103 in minute 5 (profit 30)
    fills = FillTable.of([fill(0, 1, Side.BUY, 10, 100, 0, 10), fill(1, 5, Side.SELL, 10, 103, 30, 0)])
    prices = path([100, 101, NAN, 104, 105, 103, 99], [100, 100, NAN, 102, 104, 105, 103])
    derived = derive(fills, {"A": prices}, 7)
    assert derived.equity.tolist() == pytest.approx([0, 9.5, 9.5, 29.3, 39.3, 18.8, 18.8])
    assert derived.wallet.tolist() == pytest.approx([0, -0.5, -0.5, -10.7, -10.7, 18.8, 18.8])
    assert derived.funding.tolist() == pytest.approx([0, 0, 0, 10.2, 10.2, 10.2, 10.2])


def test_funding_comes_before_the_fills_of_its_minute() -> None:
    fills = FillTable.of([fill(0, 3, Side.SELL, 10, 100, 0, -10), fill(1, 6, Side.BUY, 10, 100, 0, 0)])
    derived = derive(fills, {"A": path([100.0] * 7, [100.0] * 7)}, 7)
    assert derived.funding.tolist() == pytest.approx([0, 0, 0, 0, 0, 0, -10])
    assert derived.equity[-1] == pytest.approx(10 - 1)


def test_the_newest_known_price_stands_for_a_missing_one() -> None:
    found = filled_forward(np.array([NAN, 1.0, NAN, NAN, 2.0]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [1.0, 1.0, 1.0, 2.0]
