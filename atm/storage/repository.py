"""What all repositories share: an engine, transactions, payloads, and errors that say what could not be stored."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from atm.model.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITES = "atm_writes"
"""Execution option of a transaction that changes something: SQLite then takes its lock at the beginning."""


class Repository:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        """One state of the database, nothing changed. Raises `Unavailable` when it cannot be used."""
        with _errors(), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        """All or nothing. Raises `Unavailable` when the database refuses (a full disk, a lost server)."""
        with _errors(), self._engine.connect() as connection:
            connection.execution_options(**{WRITES: True})
            with Session(connection) as session, session.begin():
                yield session


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable(f"the database could not be used: {reason(error)}") from error


def reason(error: SQLAlchemyError) -> str:
    """The database's own words in one line, without the statement."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def to_payload(value: msgspec.Struct) -> bytes:
    """JSON of a struct. NaN and infinities survive (as Python's json spells them)."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode()


def from_payload(data: bytes, kind: type[T], renew: Callable[[Any], Any] | None = None) -> T:
    """The struct that was stored. Raises `ValueError` (msgspec's included) where it is none.

    renew: brings plain data that an earlier version stored into the present shape.
    """
    raw = json.loads(data)
    return msgspec.convert(raw if renew is None else renew(raw), kind)


def readable(rows: Iterable[tuple[str, bytes]], kind: type[T], renew: Callable[[Any], Any] | None = None) -> list[T]:
    """Of (name, payload) rows those that this version can read; the others are logged and stay in the store."""
    found = []
    for name, data in rows:
        try:
            found.append(from_payload(data, kind, renew))
        except ValueError as error:
            log.error("the stored %s %s cannot be read and is left out: %s", kind.__name__, name, error)
    return found
