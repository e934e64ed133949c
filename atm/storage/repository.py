"""What all repositories share: an engine, and errors that say what could not be stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from atm.model.errors import Unavailable


class Repository:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Session]:
        """All or nothing. Raises `Unavailable` when the database refuses (a full disk, a lost server)."""
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise Unavailable(f"the database could not be used: {error}") from error
