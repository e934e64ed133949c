"""The relational store: opened by URL, migrated to the newest schema, one repository per aggregate.

SQLite in WAL mode by default. Any number of processes may have it open; writers wait for each other. Every public
method of a repository is one transaction: it is stored when it returns, or nothing is.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from atm.model.errors import Fatal, Invalid, Unavailable
from atm.storage import migration
from atm.storage.accounts import AccountRepository
from atm.storage.configurations import ConfigurationRepository
from atm.storage.income import IncomeRepository
from atm.storage.orders import OrderJournal
from atm.storage.parity import ParityRepository
from atm.storage.repository import WRITES, reason
from atm.storage.settings import SettingRepository
from atm.storage.simulations import SimulationRepository

_BUSY_MS = 15_000


class Database:
    """Repositories over one SQLAlchemy URL. wall_ms: Unix ms, for columns that say when something was changed.

    Raises `Invalid` for an address that is none, `Unavailable` when the database cannot be opened, `Fatal` when a newer
    version of the program has written it.
    """

    def __init__(self, url: str, wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.engine = _engine(url)
        try:
            migration.upgrade(self.engine)
        except SQLAlchemyError as error:
            address = self.engine.url.render_as_string(hide_password=True)
            raise Unavailable(f"the database {address} cannot be opened: {reason(error)}") from error
        self.configurations = ConfigurationRepository(self.engine, wall_ms)
        self.accounts = AccountRepository(self.engine)
        self.simulations = SimulationRepository(self.engine)
        self.settings = SettingRepository(self.engine)
        self.orders = OrderJournal(self.engine, wall_ms)
        self.income = IncomeRepository(self.engine)
        self.parity = ParityRepository(self.engine)

    def migrate(self, revision: str) -> None:
        """Bring the schema to a revision ("head", "base" or an identifier)."""
        if revision == "head":
            migration.upgrade(self.engine)
        else:
            migration.downgrade(self.engine, revision)

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() != "sqlite":
            return create_engine(address, pool_pre_ping=True)
        if address.database and address.database != ":memory:":
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise Invalid("database_url", url, f"an SQLAlchemy database address ({error})") from error
    except OSError as error:
        raise Fatal(f"the folder of the database {url} cannot be made: {error.strerror}") from error
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not where Python guesses
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: one that began by reading could not wait for another, it would fail.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
