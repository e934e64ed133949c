"""The relational store through migrations, damaged rows, killed writers and processes side by side."""

from __future__ import annotations

import json
import math
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from atm.model.account import AccountSetup, AssetSetup, PositionSetup, TradeReason, TradeRecord
from atm.model.analysis_configuration import AnalysisConfiguration
from atm.model.errors import Fatal, Invalid, Unavailable
from atm.model.order import Side
from atm.model.simulation import SimulationSpec, SimulationState, SimulationStatus, SimulationSummary
from atm.model.trade_configuration import TradeConfiguration
from atm.storage import migration
from atm.storage.database import Database
from atm.storage.schema import HEAD


def trade(index: int, entry: float = 100.5) -> TradeRecord:
    return TradeRecord(
        index, 60_000 * index, 60_000 * index - 1, "XUSDT", Side.SELL, TradeReason.STOP_IMMEDIATE, 0.1, 1 / 3, -2.5,
        0.05, 0.0, entry, 99.95,
    )  # fmt: skip


def equal(one: TradeRecord, other: TradeRecord) -> bool:
    """As records, where NaN is NaN."""
    return repr(one) == repr(other)


SPEC = SimulationSpec(
    "s", "2023-08-01", "2023-08-02", {"USDT": AssetSetup(100)}, (PositionSetup("X", "a", "t"),),
    (AnalysisConfiguration.of_one("a"),), (TradeConfiguration("t"),),
)  # fmt: skip
SUMMARY = SimulationSummary(
    "s", ("X",), "a", "b", 1, 0, 2, 1, 1.0, 3.0, 0.03, 0.1, 0.0, math.inf, 0.01, math.nan, 0.5, 103.0, 0, 0.1, "hash"
)


@pytest.fixture
def path(home: Path) -> Path:
    return home / "demo.sqlite3"


def open_database(path: Path) -> Database:
    return Database(f"sqlite:///{path}", lambda: 1_700_000_000_000)


def test_the_newest_revision_is_the_one_that_the_program_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(migration.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_database_of_the_first_schema_is_backed_up_migrated_and_can_go_back(path: Path) -> None:
    database = open_database(path)
    setup = AccountSetup("demo", assets={"USDT": AssetSetup(100)})
    database.accounts.put(setup)
    database.configurations.put_analysis(AnalysisConfiguration.of_one("a"))
    database.migrate("0001")
    database.close()
    records = [trade(n) for n in range(3)]
    with sqlite3.connect(path) as old:  # as version 0001 wrote them
        rows = [("demo", record.index, msgspec.json.encode(record)) for record in records]
        old.executemany("INSERT INTO account_trades VALUES (?, ?, ?)", rows)
    old.close()

    database = open_database(path)
    assert database.accounts.trades("demo") == records[::-1]
    assert [c.code for c in database.configurations.analyses()] == ["a"]
    explained = msgspec.structs.replace(trade(3), target_before=0.25, target_after=-1.0)
    database.accounts.save_progress("demo", b"engine", 1, [explained], [])
    assert database.accounts.count_trades("demo") == 4
    assert database.accounts.trades("demo", 1) == [explained]
    with sqlite3.connect(f"{path}.0001.bak") as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert backup.execute("SELECT number, payload FROM account_trades").fetchall() == [r[1:] for r in rows]
    backup.close()

    database.migrate("0001")
    database.close()
    with sqlite3.connect(path) as old:
        found = old.execute("SELECT number, payload FROM account_trades ORDER BY number").fetchall()
        assert [json.loads(payload) for _, payload in found] == [msgspec.to_builtins(trade(n)) for n in range(4)]
        assert [column[1] for column in old.execute("PRAGMA table_info(configurations)")] == ["kind", "code", "payload"]
        assert old.execute("PRAGMA foreign_key_check").fetchall() == []
    old.close()


def test_a_new_database_is_not_backed_up(path: Path) -> None:
    open_database(path).close()
    open_database(path).close()
    assert list(path.parent.glob("*.bak")) == []


def test_a_database_of_a_newer_version_is_left_alone(path: Path) -> None:
    open_database(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(Fatal, match="has the schema 9999, which this version does not know"):
        open_database(path)
    assert path.read_bytes() == before


def test_wrong_addresses_are_said_in_one_sentence(home: Path) -> None:
    for url in ("nonsense", "nosuchdatabase://x"):
        with pytest.raises(Invalid, match=r"database_url: .* an SQLAlchemy database address"):
            Database(url)
    (home / "file").write_text("")
    with pytest.raises(Fatal, match="cannot be made"):
        Database(f"sqlite:///{home / 'file' / 'below' / 'x.sqlite3'}")
    (home / "broken.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(Unavailable, match="cannot be opened: file is not a database"):
        Database(f"sqlite:///{home / 'broken.sqlite3'}")


def test_undefined_and_infinite_figures_survive(path: Path) -> None:
    database = open_database(path)
    database.simulations.add(SPEC, 5)
    database.simulations.set_state(SimulationState("s", SimulationStatus.COMPLETED, 1.0, 5, "", SUMMARY))
    (state,) = database.simulations.states()
    assert repr(state.summary) == repr(SUMMARY)
    database.accounts.put(AccountSetup("demo"))
    database.accounts.save_progress("demo", b"", 1, [trade(0, math.nan)], [])
    assert equal(database.accounts.trades("demo")[0], trade(0, math.nan))


def test_a_configuration_counts_its_changes(path: Path) -> None:
    database = open_database(path)
    for swing_range in (0.01, 0.02, 0.02):
        database.configurations.put_analysis(AnalysisConfiguration.of_one("a", swing_range=swing_range))
    with sqlite3.connect(path) as direct:
        assert direct.execute("SELECT version, updated_ms FROM configurations").fetchall() == [(2, 1_700_000_000_000)]
    direct.close()


def test_a_row_that_cannot_be_read_is_left_out_and_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = open_database(path)
    database.configurations.put_analysis(AnalysisConfiguration.of_one("good"))
    database.configurations.put_analysis(AnalysisConfiguration.of_one("later"))
    database.accounts.put(AccountSetup("demo"))
    with sqlite3.connect(path) as direct:
        direct.execute(
            """UPDATE configurations SET payload = '{"code": "later", "new_field": 1}' WHERE code = 'later'"""
        )
        direct.execute("UPDATE accounts SET payload = 'nonsense'")
    direct.close()
    assert [c.code for c in database.configurations.analyses()] == ["good"]
    assert database.accounts.load() == []
    assert "later cannot be read" in caplog.text
    assert "demo cannot be read" in caplog.text
    with sqlite3.connect(path) as direct:
        assert direct.execute("SELECT count(*) FROM configurations").fetchone() == (2,)
    direct.close()


def test_trades_come_in_pages_newest_first(path: Path) -> None:
    database = open_database(path)
    database.accounts.put(AccountSetup("demo"))
    database.accounts.save_progress("demo", b"", 1, [trade(n) for n in range(25)], [(n, float(n)) for n in range(9)])
    first = database.accounts.trades("demo", 10)
    assert [t.index for t in first] == list(range(24, 14, -1))
    assert [t.index for t in database.accounts.trades("demo", 10, before=first[-1].index)] == list(range(14, 4, -1))
    assert database.accounts.equity("demo", since_ms=7) == [(7, 7.0), (8, 8.0)]


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_database_faults import trade
from atm.storage.database import Database
database = Database({url!r})
number = {first}
while True:
    database.accounts.save_progress({name!r}, str(number).encode(), number, [trade(number)], [(number, float(number))])
    print(number, flush=True)
    number += 1
"""


def _writer(path: Path, name: str, first: int = 0) -> subprocess.Popen[str]:
    program = WRITER.format(tests=str(Path(__file__).parent), url=f"sqlite:///{path}", name=name, first=first)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_killed_writers_leave_state_trades_and_equity_of_the_same_moment(path: Path) -> None:
    """Two processes write side by side, a third reads; both are killed at a random moment of a transaction."""
    database = open_database(path)
    for name in ("one", "two"):
        database.accounts.put(AccountSetup(name))
    writers = [_writer(path, "one"), _writer(path, "two")]
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        assert len(database.accounts.load()) == 2
    acknowledged = []
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        acknowledged.append(max([19, *(int(line) for line in writer.stdout if line.endswith("\n"))]))
        writer.wait()
    for stored, last in zip(database.accounts.load(), acknowledged, strict=True):
        assert stored.engine is not None
        newest = int(stored.engine)
        assert newest in (last, last + 1)
        assert stored.market_ms == newest
        name = stored.setup.name
        assert [t.index for t in database.accounts.trades(name, 10_000)] == list(range(newest, -1, -1))
        assert database.accounts.equity(name)[-1] == (newest, float(newest))
