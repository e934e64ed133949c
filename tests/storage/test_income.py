"""Income records in the relational store: each once, together with how far they are known."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import AccountSetup
from atm.model.income import IncomeRecord, IncomeState
from atm.storage.database import Database

NAME = "first"


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{home / 'income.sqlite3'}")
    made.accounts.put(AccountSetup(NAME))
    yield made
    made.close()


def record(number: int, kind: str = "COMMISSION", symbol: str = "XUSDT", amount: str = "-0.00000001") -> IncomeRecord:
    return IncomeRecord(number, kind, symbol, "USDT", Decimal(amount), 1_000 * number, number)


def test_what_is_told_again_is_stored_once_and_amounts_stay_exact(database: Database) -> None:
    exact = record(1, amount="-1234567.12345678")
    pair = [exact, record(1, "REALIZED_PNL"), record(1, symbol="YUSDT")]
    assert database.income.take(NAME, pair, IncomeState(until_ms=5)) == 3
    assert database.income.take(NAME, [exact, record(2), record(2)], IncomeState(until_ms=9)) == 1
    assert database.income.count(NAME) == 4
    assert exact in database.income.records(NAME)
    assert database.income.records(NAME, 2_000) == [record(2)]
    assert database.income.state(NAME).until_ms == 9


def test_the_state_survives_with_exact_amounts(database: Database) -> None:
    state = IncomeState(1, 2, {"USDT": Decimal("0.1") + Decimal("1e-8")}, {"BNB": Decimal("3")}, 4, 1, 2)
    database.income.take(NAME, [], state)
    assert database.income.state(NAME) == state
    assert database.income.state("other") == IncomeState()


def test_an_account_takes_its_income_along_when_it_is_removed(database: Database) -> None:
    database.income.take(NAME, [record(1)], IncomeState(until_ms=5))
    database.accounts.remove(NAME)
    assert database.income.take(NAME, [record(1)], IncomeState(until_ms=5)) == 0, "nobody is there to keep it for"
    database.accounts.put(AccountSetup(NAME))
    assert (database.income.count(NAME), database.income.state(NAME)) == (0, IncomeState())


@settings(deadline=None, max_examples=25)
@given(told=st.lists(st.lists(st.integers(1, 700), max_size=600), max_size=4))
def test_whatever_is_told_in_whatever_pieces_the_union_is_stored(told: list[list[int]], tmp_path_factory) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('income') / 'a.sqlite3'}")
    database.accounts.put(AccountSetup(NAME))
    new = sum(database.income.take(NAME, [record(number) for number in piece], IncomeState()) for piece in told)
    union = {number for piece in told for number in piece}
    assert new == len(union) == database.income.count(NAME)
    assert {each.transaction_id for each in database.income.records(NAME)} == union
    database.close()
