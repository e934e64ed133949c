"""Brings a database to the newest schema when it is opened.

A database that is there already costs one query; Alembic is imported only where something has to be done. Processes
that open one at the same time wait for each other. A SQLite file with an older schema is copied to
`<file>.<revision>.bak` first.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from atm.model.errors import Fatal
from atm.storage.file_lock import locked
from atm.storage.repository import WRITES
from atm.storage.schema import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 4_183_001  # any number that no other program uses on the same PostgreSQL database


def revision_of(connection: Connection) -> str | None:
    """The schema revision that a database has; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine, scripts: Path = SCRIPTS, head: str = HEAD) -> None:
    """Upgrade to `head`. Raises `Fatal` for a schema that these scripts do not know."""
    with engine.connect() as connection:
        if revision_of(connection) == head:
            return
    with _alone(engine):
        with engine.connect() as connection:
            present = revision_of(connection)
        if present == head:
            return
        _must_know(engine, scripts, present)
        if present is not None:
            _back_up(engine, present)
        _run(engine, scripts, head, up=True)
        log.info("database schema: %s -> %s", present, head)


def downgrade(engine: Engine, revision: str, scripts: Path = SCRIPTS) -> None:
    """Back to an older revision ("base": no tables)."""
    with _alone(engine):
        _run(engine, scripts, revision, up=False)


def _run(engine: Engine, scripts: Path, revision: str, *, up: bool) -> None:
    from alembic import command  # noqa: PLC0415  (heavy, and nearly never needed)

    config = _config(scripts)
    with engine.connect() as connection:
        connection.execution_options(**{WRITES: True})
        config.attributes["connection"] = connection
        with connection.begin():
            (command.upgrade if up else command.downgrade)(config, revision)


def _config(scripts: Path) -> Config:
    from alembic.config import Config  # noqa: PLC0415  (heavy, and nearly never needed)

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _must_know(engine: Engine, scripts: Path, present: str | None) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (heavy, and nearly never needed)

    known = {script.revision for script in ScriptDirectory.from_config(_config(scripts)).walk_revisions()}
    if present is not None and present not in known:
        address = engine.url.render_as_string(hide_password=True)
        raise Fatal(
            f"the database {address} has the schema {present}, which this version does not know; "
            "it was written by a newer one: start that, or choose another --home"
        )


def _sqlite_file(engine: Engine) -> Path | None:
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name and name != ":memory:" else None


def _back_up(engine: Engine, revision: str) -> None:
    path = _sqlite_file(engine)
    if path is None:
        return
    copy = path.with_name(f"{path.name}.{revision}.bak")
    aside = copy.with_name(f"{copy.name}.writing")
    with sqlite3.connect(path) as source, sqlite3.connect(aside) as target:
        source.backup(target)
    source.close()
    target.close()
    aside.replace(copy)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    path = _sqlite_file(engine)
    if path is not None:
        with locked(path.with_name(f"{path.name}.lock")):
            yield
    elif engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
    else:
        yield
