import itertools
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event, update

from atm.model.account import AccountKind, AccountSetup, AssetSetup
from atm.model.errors import Fatal
from atm.model.journal import Adjusted, Checkpoint, EquityMarked, Halted, Target, TargetSet
from atm.model.live_order import OrderFill, OrderIntent, OrderState, Purpose
from atm.model.order import Side
from atm.model.order_facts import Filled, Intended, Reported, Sent
from atm.storage.database import Database
from atm.storage.orders import OrderJournal
from atm.storage.schema import OrderJournalRow
from atm.trading.live.journal_fold import restored


@pytest.fixture
def database(home: Path) -> Database:
    return Database(f"sqlite:///{home / 'a.sqlite3'}", wall_ms=itertools.count(42).__next__)


@pytest.fixture
def journal(database: Database) -> OrderJournal:
    return database.orders


INTENT = OrderIntent("c1", "NEARUSDT", Side.SELL, Purpose.OPEN, Decimal("12.500"), 60_000, 0, price=Decimal("1.20"))
FILL = OrderFill(9, Decimal("0.1"), Decimal("1.234"), 1_500, commission=Decimal("0.00000001"), asset="BNB")
STORY = [
    TargetSet(Target("NEARUSDT", Decimal("-12.5"), 60_000, stop=Decimal("1.5")), 1_000),
    Intended(INTENT, 1_000),
    Sent("c1", 1_001),
    Filled("c1", FILL, 5),
    Reported("c1", OrderState.PARTIALLY_FILLED, Decimal("0.1"), 1_500, 5),
    Adjusted("NEARUSDT", Decimal(-3), False, "outside", 2_000),
    Halted("", "daily loss", False, 3_000, 9_000),
]


def test_what_was_appended_comes_back_to_the_last_digit(journal: OrderJournal) -> None:
    journal.append("main", STORY[:3])
    journal.append("other", STORY[:1])
    journal.append("main", STORY[3:])
    assert journal.load("main") == STORY
    assert journal.load("nobody") == []
    assert journal.count("main") == len(STORY)
    assert journal.of_order("main", "c1") == STORY[1:5]


def test_a_start_reads_from_the_newest_checkpoint_on_and_knows_the_same(journal: OrderJournal) -> None:
    journal.append("main", STORY)
    whole = restored(journal.load("main"))
    assert whole.books["NEARUSDT"].own == Decimal("-3.1")
    journal.append("main", [Checkpoint(whole, 4_000)])
    journal.append("main", [Reported("c1", OrderState.CANCELED, Decimal("0.1"), 5_000, 5)])
    loaded = journal.load("main")
    assert len(loaded) == 2
    state = restored(loaded)
    assert state.orders["c1"].state is OrderState.CANCELED
    assert state.orders["c1"].fills == (FILL,)
    assert state.books == whole.books
    assert state.halts[""].until_ms == 9_000


def test_an_entry_that_cannot_be_read_stops_the_start(database: Database) -> None:
    database.orders.append("main", STORY)
    with database.engine.begin() as connection:
        connection.execute(update(OrderJournalRow).where(OrderJournalRow.number == 3).values(payload=b"{}"))
    with pytest.raises(Fatal, match="entry 3 of the order journal of main"):
        database.orders.load("main")


def test_an_account_of_a_removed_ones_name_begins_anew_and_the_old_journal_is_kept(database: Database) -> None:
    marked, outside = EquityMarked(0, 10.0, 10.0, 7, 0, 0), Adjusted("BTCUSDT", Decimal("1"), False, "outside", 8)
    for round_ in range(2):
        database.accounts.put(AccountSetup("a", AccountKind.ACTUAL, {"USDT": AssetSetup(0)}))
        assert database.orders.load("a") == []
        assert (database.orders.begun_ms("a"), database.orders.outside("a")) == (0, [])
        story = [*STORY[: 2 + round_], marked, outside]
        database.orders.append("a", story)
        assert database.orders.load("a") == story
        assert (database.orders.begun_ms("a"), database.orders.outside("a")) == (7, [outside])
        database.accounts.remove("a")
    assert database.orders.load("a") == []
    assert database.orders.count("a") == 4 + 1 + 5 + 1, "all of both, and their ends"


def test_a_journal_with_a_million_entries_does_not_hold_up_the_removal_of_its_account(database: Database) -> None:
    written: list[str] = []
    database.accounts.put(AccountSetup("a", AccountKind.ACTUAL, {"USDT": AssetSetup(0)}))
    database.orders.append("a", STORY)
    event.listen(database.engine, "before_cursor_execute", lambda *given: written.append(given[2]))
    database.accounts.remove("a")
    of_journal = [each for each in written if "order_journal" in each and not each.startswith("SELECT")]
    assert len(of_journal) == 1 and of_journal[0].startswith("INSERT"), "one entry, whatever stands before it"
