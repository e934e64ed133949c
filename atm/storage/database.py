"""The relational store: opened by URL, migrated to the newest schema, one repository per aggregate."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from atm.model.errors import Unavailable
from atm.storage.accounts import AccountRepository
from atm.storage.configurations import ConfigurationRepository
from atm.storage.settings import SettingRepository
from atm.storage.simulations import SimulationRepository

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 15


class Database:
    """Repositories over one SQLAlchemy URL. Any number of processes may have it open.

    SQLite runs in WAL mode with foreign keys. Raises `Unavailable` when it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        try:
            with _one_at_a_time(url):
                self.migrate("head")
        except SQLAlchemyError as error:
            raise Unavailable(f"the database {make_url(url)!r} cannot be opened: {error}") from error
        self.configurations = ConfigurationRepository(self.engine)
        self.accounts = AccountRepository(self.engine)
        self.simulations = SimulationRepository(self.engine)
        self.settings = SettingRepository(self.engine)

    def migrate(self, revision: str) -> None:
        """Bring the schema to a revision ("head", "base" or an identifier)."""
        with self.engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            if revision == "head":
                command.upgrade(config, revision)
            else:
                command.downgrade(config, revision)

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


@contextlib.contextmanager
def _one_at_a_time(url: str) -> Iterator[None]:
    """Processes that start together must not migrate the same SQLite file at once."""
    path = make_url(url).database
    if make_url(url).get_backend_name() != "sqlite" or not path or path == ":memory:":
        yield
        return
    with Path(f"{path}.migration-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
