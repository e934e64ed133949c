"""Income records in the relational store: each once, together with how far they are known."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atm.model.account import AccountSetup
from atm.model.income import IncomeRecord, IncomeState
from atm.storage.database import Database

NAME, D = "first", Decimal


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{home / 'income.sqlite3'}")
    made.accounts.put(AccountSetup(NAME))
    yield made
    made.close()


def record(number: int, kind: str = "COMMISSION", symbol: str = "XUSDT", amount: str = "-0.00000001") -> IncomeRecord:
    return IncomeRecord(number, kind, symbol, "USDT", D(amount), 1_000 * number, number)


def test_what_is_told_again_is_stored_once_and_amounts_stay_exact(database: Database) -> None:
    exact = record(1, amount="-1234567.12345678")
    pair = [exact, record(1, "REALIZED_PNL"), record(1, symbol="YUSDT")]
    fresh, state = database.income.take(NAME, pair, IncomeState(until_ms=5))
    assert (len(fresh), state.totals) == (3, {"USDT": D("-1234567.12345680")})
    fresh, state = database.income.take(NAME, [exact, record(2), record(2)], msgspec.structs.replace(state, until_ms=9))
    assert fresh == [record(2)]
    assert state.totals == {"USDT": D("-1234567.12345681")}
    assert database.income.count(NAME) == 4
    assert exact in database.income.records(NAME)
    assert database.income.records(NAME, 2_000) == [record(2)]
    assert database.income.state(NAME) == state


def test_the_state_survives_with_exact_amounts(database: Database) -> None:
    state = IncomeState(1, 2, {"USDT": D("0.1") + D("1e-8")}, {"BNB": D("3")}, {"BNB": D("4")}, {}, 4, 1)
    database.income.take(NAME, [], state)
    assert database.income.state(NAME) == state
    assert database.income.state("other") == IncomeState()


def test_an_account_takes_its_income_along_when_it_is_removed(database: Database) -> None:
    database.income.take(NAME, [record(1)], IncomeState(until_ms=5))
    database.accounts.remove(NAME)
    assert database.income.take(NAME, [record(1)], IncomeState(until_ms=5))[0] == [], "nobody is there to keep it for"
    database.accounts.put(AccountSetup(NAME))
    assert (database.income.count(NAME), database.income.state(NAME)) == (0, IncomeState())


@settings(deadline=None, max_examples=25)
@given(told=st.lists(st.lists(st.integers(1, 700), max_size=600), max_size=4))
def test_whatever_is_told_in_whatever_pieces_the_union_is_stored(told: list[list[int]], tmp_path_factory) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('income') / 'a.sqlite3'}")
    database.accounts.put(AccountSetup(NAME))
    new, state = 0, IncomeState()
    for piece in told:
        fresh, state = database.income.take(NAME, [record(number) for number in piece], state)
        new += len(fresh)
    union = {number for piece in told for number in piece}
    assert new == len(union) == database.income.count(NAME)
    assert state.totals.get("USDT", D(0)) == -len(union) * D("1e-8")
    assert {each.transaction_id for each in database.income.records(NAME)} == union
    database.close()
