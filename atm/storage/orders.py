"""The write-ahead journal of live accounts in the relational store: appended to, never changed.

`append` returns when the entries are on the disk (SQLite: WAL with synchronous=FULL), all of them or none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Engine, Select, func, insert, select
from sqlalchemy.orm import Session

from atm.model.account import TradeRecord
from atm.model.errors import Fatal
from atm.model.journal import Adjusted, Checkpoint, EquityMarked, GivenUp, Halted, JournalEntry, Resumed, TargetSet
from atm.model.order_facts import Intended
from atm.storage.accounts import append_trades
from atm.storage.repository import Repository
from atm.storage.schema import JOURNAL_END, OrderJournalRow

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[JournalEntry] = msgspec.json.Decoder(JournalEntry)


def encoded(entry: JournalEntry) -> bytes:
    """An entry as it is stored."""
    return _encoder.encode(entry)


def decoded(payload: bytes) -> JournalEntry:
    """A stored entry. Raises `ValueError` (msgspec's included) where it is none."""
    return _decoder.decode(payload)


class OrderJournal(Repository):
    def __init__(self, engine: Engine, wall_ms: Callable[[], int]) -> None:
        super().__init__(engine)
        self._wall_ms = wall_ms

    def append(
        self, account: str, entries: Sequence[JournalEntry], trades: Sequence[TradeRecord] = ()
    ) -> list[TradeRecord]:
        """Commit entries, in their order, and with them the trade records that they make; returns these, numbered after those that
        are stored. Raises `Unavailable` when the database refuses: then nothing was stored, and nothing that follows from them
        may be sent."""
        if not entries:
            return []
        stored_ms = self._wall_ms()
        with self._writing() as session:
            first = self._last(session, account) + 1
            rows = [
                {
                    "account": account,
                    "number": number,
                    "stored_ms": stored_ms,
                    "kind": type(entry).__name__,
                    "symbol": _symbol(entry),
                    "client_id": "" if not hasattr(entry, "client_id") else entry.client_id,
                    "payload": encoded(entry),
                }
                for number, entry in enumerate(entries, first)
            ]
            session.execute(insert(OrderJournalRow), rows)
            return append_trades(session, account, trades)

    def load(self, account: str) -> list[JournalEntry]:
        """All entries from the newest checkpoint on. Raises `Fatal` for one that this version cannot read: to leave it out could
        double an order."""
        with self._reading() as session:
            since = max(_newest(session, account, Checkpoint.__name__), _begin(session, account))
            query = _entries(account).where(OrderJournalRow.number >= since)
            return [_read(account, number, payload) for number, payload in session.execute(query)]

    def of_order(self, account: str, client_id: str) -> list[JournalEntry]:
        """The story of one order."""
        query = _entries(account).where(OrderJournalRow.client_id == client_id)
        with self._reading() as session:
            return [_read(account, number, payload) for number, payload in session.execute(query)]

    def begun_ms(self, account: str) -> int:
        """When the equity of an account was marked first, before its first order; 0 = never. Raises `Fatal` as `load` does."""
        query = _entries(account).where(OrderJournalRow.kind == EquityMarked.__name__).limit(1)
        with self._reading() as session:
            row = session.execute(query.where(OrderJournalRow.number >= _begin(session, account))).first()
        entry = None if row is None else _read(account, row[0], row[1])
        return entry.time_ms if isinstance(entry, EquityMarked) else 0

    def outside(self, account: str) -> list[Adjusted]:
        """Changes of positions that nothing of ours explained, since the journal began. Raises `Fatal` as `load` does."""
        query = _entries(account).where(OrderJournalRow.kind == Adjusted.__name__)
        with self._reading() as session:
            rows = session.execute(query.where(OrderJournalRow.number >= _begin(session, account)))
            entries = [_read(account, number, payload) for number, payload in rows]
            return [entry for entry in entries if isinstance(entry, Adjusted)]

    def count(self, account: str) -> int:
        """How many entries there are."""
        with self._reading() as session:
            return self._last(session, account)

    @staticmethod
    def _last(session: Session, account: str) -> int:
        query = select(func.max(OrderJournalRow.number)).where(OrderJournalRow.account == account)
        return session.scalar(query) or 0


def _entries(account: str) -> Select[int, bytes]:
    """Numbers and payloads, ascending."""
    query = select(OrderJournalRow.number, OrderJournalRow.payload).where(OrderJournalRow.account == account)
    return query.order_by(OrderJournalRow.number)


def _begin(session: Session, account: str) -> int:
    """The number of the first entry that is not of a removed account of the same name."""
    return _newest(session, account, JOURNAL_END) + 1


def _newest(session: Session, account: str, kind: str) -> int:
    """The number of the newest entry of a kind, 0 = there is none."""
    query = select(func.max(OrderJournalRow.number)).where(
        OrderJournalRow.account == account, OrderJournalRow.kind == kind
    )
    return session.scalar(query) or 0


def _read(account: str, number: int, payload: bytes) -> JournalEntry:
    try:
        return decoded(payload)
    except ValueError as error:
        raise Fatal(
            f"entry {number} of the order journal of {account} cannot be read ({error}); "
            "use the version of the program that wrote it, or check the account by hand and remove its journal"
        ) from error


def _symbol(entry: JournalEntry) -> str:
    match entry:
        case Intended():
            return entry.intent.symbol
        case TargetSet():
            return entry.target.symbol
        case Adjusted() | GivenUp():
            return entry.symbol
        case Halted() | Resumed():
            return entry.scope
    return ""
