"""Some days of an actual account in virtual time: what is stored of its income is the exchange's, to the last decimal."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from atm.model.errors import Invalid
from atm.model.income import TOLERANCE, IncomeCause, IncomeRecord
from atm.simulators.orders import month
from atm.simulators.orders.month import Month
from atm.storage.database import Database

ASSETS = Path(__file__).parents[3] / "assets"
MINUTES = 1_500


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{home / 'month.sqlite3'}")
    yield made
    made.close()


def test_days_with_funding_transfers_and_kills_add_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month, "TRANSFER_MINUTES", 400)
    monkeypatch.setattr(month, "KILL_MINUTES", 500)
    outcome = Month(ASSETS, database, MINUTES, 3).go()
    assert outcome.records.keys() == {"COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "TRANSFER"}
    assert outcome.records["FUNDING_FEE"] >= 4 and outcome.kills >= 2 and outcome.twice > 0
    assert outcome.unlike == 0, "every record of the exchange once"
    assert outcome.worst <= TOLERANCE
    assert outcome.check.open == ()
    assert {line.cause for line in outcome.check.lines} == {IncomeCause.TRANSFER}
    assert outcome.check.agreeing * 2 >= outcome.records["COMMISSION"]


def test_a_lost_record_is_found(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake that is put in: the reader leaves one kind of record out."""
    whole = month.income_calls.records

    def without_funding(document: object) -> tuple[IncomeRecord, ...]:
        return tuple(each for each in whole(document) if each.kind != "FUNDING_FEE")

    monkeypatch.setattr(month.income_calls, "records", without_funding)
    outcome = Month(ASSETS, database, MINUTES // 2, 3).go()
    assert outcome.unlike > 0
    assert outcome.worst > Decimal("0.01")
    assert IncomeCause.MISSING_RECORD in {line.cause for line in outcome.check.open}


def test_a_month_of_a_moment_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="minutes"):
        Month(ASSETS, database, 9)
