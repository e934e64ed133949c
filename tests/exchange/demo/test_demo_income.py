"""The exchange's income records explain every change of a wallet, as they are told: to the last of eight decimals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from atm.exchange.demo import administration, passage
from atm.exchange.demo.account_answers import AccountAnswers
from atm.exchange.demo.request import Asked
from atm.model.interval import DAY_MS, HOUR_MS, MINUTE_MS
from tests.exchange.demo.conftest import SYMBOL, T0, Table

Make = Callable[..., Table]
START = Decimal(10_000)


def asked(table: Table, path: str, now_ms: int, **given: str) -> Any:
    account = table.engine.state.accounts["demo"]
    return AccountAnswers(table.engine).handlers["GET", f"v3/{path}" if path == "balance" else f"v1/{path}"](
        Asked("v3" if path == "balance" else "v1", given, now_ms, account)
    )


def wallet(table: Table, now_ms: int) -> Decimal:
    return Decimal(asked(table, "balance", now_ms)[0]["balance"])


def income(table: Table, now_ms: int, **given: str) -> Decimal:
    given = {"startTime": "0", "limit": "1000", **given}
    return sum((Decimal(row["income"]) for row in asked(table, "income", now_ms, **given)), Decimal(0))


def trade(table: Table, side: str, quantity: int, now_ms: int) -> None:
    passage.advance(table.engine, now_ms)
    account = table.engine.state.accounts["demo"]
    given = {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": str(quantity)}
    table.engine.place(account, given, now_ms)


@pytest.mark.parametrize("isolated", [True, False])
def test_what_is_told_adds_up_to_the_last_decimal(table: Make, isolated: bool) -> None:
    made = table([1.237 + 0.013 * (place % 7) for place in range(1_000)])
    if isolated:
        made.engine.set_margin_type(made.account, SYMBOL, True, T0)
    for place in range(60):
        now_ms = T0 + (place * 16 + 1) * MINUTE_MS + 17_000
        trade(made, "BUY" if place % 3 else "SELL", 7 + place % 5, now_ms)
        if place % 10 == 0:
            administration.deposit(made.engine, "demo", 12.345678912 if place % 20 else -3.3, now_ms)
        assert wallet(made, now_ms) == START + income(made, now_ms), place
    kinds = {entry.kind for entry in made.account.incomes}
    assert kinds >= {"COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "TRANSFER"}


def test_a_liquidation_adds_up_as_well(table: Make) -> None:
    made = table([1.0, 1.0, 1.0, 0.999, 0.93, 0.9, 0.88, 0.88, 0.88])
    made.engine.set_margin_type(made.account, SYMBOL, True, T0)
    trade(made, "BUY", 3_333, T0 + MINUTE_MS)
    passage.advance(made.engine, T0 + 8 * MINUTE_MS)
    now_ms = T0 + 8 * MINUTE_MS
    assert "INSURANCE_CLEAR" in {entry.kind for entry in made.account.incomes}
    assert wallet(made, now_ms) == START + income(made, now_ms)


def test_transfers_are_told_without_a_symbol_and_a_new_beginning_is_one(table: Make) -> None:
    made = table([1.0] * 10)
    administration.deposit(made.engine, "demo", 250.0, T0 + 1)
    trade(made, "BUY", 100, T0 + MINUTE_MS)
    administration.reset(made.engine, "demo", T0 + 2 * MINUTE_MS)
    now_ms = T0 + 3 * MINUTE_MS
    rows = asked(made, "income", now_ms, startTime="0", incomeType="TRANSFER")
    assert [row["symbol"] for row in rows] == ["", ""]
    assert wallet(made, now_ms) == START == START + income(made, now_ms)
    assert income(made, now_ms, symbol=SYMBOL) < 0, "of a symbol only its own"


def test_pages_follow_each_other_and_three_months_are_kept(table: Make) -> None:
    made = table([1.0] * 10)
    for place in range(25):
        administration.deposit(made.engine, "demo", 1.0 + place, T0 + place)
    pages = [
        asked(made, "income", T0 + HOUR_MS, startTime="0", limit="10", page=str(page), incomeType="TRANSFER")
        for page in (1, 2, 3, 4)
    ]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert [float(row["income"]) for page in pages for row in page] == [1.0 + place for place in range(25)]
    assert len({row["tranId"] for page in pages for row in page}) == 25
    assert asked(made, "income", T0 + 91 * DAY_MS, startTime="0") == []
