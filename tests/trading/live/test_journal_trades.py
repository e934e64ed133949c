"""Trade records of an actual account from its journal, with numbers made by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atm.model.account import TradeReason
from atm.model.journal import JournalEntry
from atm.model.live_order import OrderFill, OrderIntent, Purpose
from atm.model.order import Side
from atm.model.order_facts import Filled, Intended
from atm.trading.live.journal_trades import journal_trades

D = Decimal


def intended(client_id: str, side: Side, purpose: Purpose, quantity: str) -> Intended:
    return Intended(OrderIntent(client_id, "AUSDT", side, purpose, D(quantity), 900_000, 0), 900_001)


def filled(
    client_id: str, number: int, quantity: str, price: str, fee: str | None = "0.1", profit: str = "0"
) -> Filled:
    commission = None if fee is None else D(fee)
    asset = "" if fee is None else "USDT"
    return Filled(
        client_id, OrderFill(number, D(quantity), D(price), 900_000 + number, False, commission, asset, D(profit))
    )


def test_an_entry_in_two_parts_and_its_end() -> None:
    entries: list[JournalEntry] = [
        intended("a", Side.BUY, Purpose.OPEN, "3"),
        filled("a", 1, "1", "100"),
        filled("a", 2, "2", "103"),
        intended("b", Side.SELL, Purpose.CLOSE, "3"),
        filled("b", 3, "1", "110", profit="8"),
        filled("b", 4, "2", "90", profit="-24"),
    ]
    one, two, three, four = journal_trades(entries, 1_000.0)
    assert two.entry_price_after == 102.0
    assert (two.quantity_after, two.wallet_after) == (3.0, pytest.approx(999.8))
    assert (three.reason, three.profit, three.quantity_after) == (TradeReason.EXIT, 8.0, 2.0)
    assert (four.reason, four.quantity_after) == (TradeReason.CLEAR, 0.0)
    assert four.entry_price_after == 0.0
    assert four.wallet_after == pytest.approx(1_000 + 8 - 24 - 0.4)
    assert [each.index for each in (one, two, three, four)] == [0, 1, 2, 3]
    assert one.decision_ms == 900_000


def test_a_fill_that_is_told_twice_is_one_with_its_commission() -> None:
    entries = [
        intended("a", Side.SELL, Purpose.OPEN, "1"),
        filled("a", 7, "1", "50", None),
        filled("a", 7, "1", "50", "0.2"),
    ]
    (record,) = journal_trades([*entries, filled("a", 7, "1", "50", None)])
    assert (record.fee, record.quantity_after) == (0.2, -1.0)


def test_what_the_exchange_has_not_said_yet_is_reckoned() -> None:
    entries = [
        intended("a", Side.SELL, Purpose.OPEN, "2"),
        filled("a", 1, "2", "50", None),
        intended("s", Side.BUY, Purpose.STOP, "0"),
        filled("s", 2, "2", "53", None),
    ]
    record = journal_trades(entries)[1]
    assert (record.reason, record.profit, record.fee) == (TradeReason.STOP_IMMEDIATE, -6.0, 0.0)


def test_fills_of_others_are_left_out() -> None:
    assert journal_trades([filled("stranger", 1, "1", "50")]) == []
