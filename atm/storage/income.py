"""Income records of accounts: of actual ones each once, whatever is told again, stored together with how far they are known; of
virtual ones the transfers, stored with the state of the account that they have changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from atm.model.errors import Fatal
from atm.model.income import IncomeRecord, IncomeState
from atm.storage.repository import Repository
from atm.storage.schema import AccountIncomeRow, AccountIncomeStateRow, AccountRow

AT_ONCE = 500
"""Values in one query: databases bound their number."""


class IncomeRepository(Repository):
    def take(
        self, account: str, records: Sequence[IncomeRecord], state: IncomeState
    ) -> tuple[list[IncomeRecord], IncomeState]:
        """Store what is not stored yet, and the state with it, in one transaction; returns what was new, and the state as it is stored.
        Nothing is kept of an account that is not stored. Raises `Unavailable`: then nothing was stored."""
        with self._writing() as session:
            if session.get(AccountRow, account) is None:
                return [], state
            known = set(_known(session, account, records))
            fresh = list({record.key: record for record in records if record.key not in known}.values())
            if fresh:
                session.execute(insert(AccountIncomeRow), [_columns(account, each) for each in fresh])
            state = state.with_records(fresh)
            payload, row = msgspec.json.encode(state), session.get(AccountIncomeStateRow, account)
            if row is None:
                session.add(AccountIncomeStateRow(account=account, payload=payload))
            else:
                row.payload = payload
            return fresh, state

    def records(self, account: str, since_ms: int = 0) -> list[IncomeRecord]:
        """Those from a moment on, by time."""
        query = select(AccountIncomeRow).where(
            AccountIncomeRow.account == account, AccountIncomeRow.time_ms >= since_ms
        )
        order = (AccountIncomeRow.time_ms, AccountIncomeRow.transaction_id, AccountIncomeRow.kind)
        with self._reading() as session:
            return [_record(row) for row in session.scalars(query.order_by(*order))]

    def find(self, account: str, transaction_id: int, kind: str) -> IncomeRecord | None:
        """The record of no symbol with this number."""
        with self._reading() as session:
            row = session.get(AccountIncomeRow, (account, transaction_id, kind, ""))
            return None if row is None else _record(row)

    def count(self, account: str) -> int:
        """How many there are."""
        query = select(func.count()).select_from(AccountIncomeRow).where(AccountIncomeRow.account == account)
        with self._reading() as session:
            return session.scalar(query) or 0

    def state(self, account: str) -> IncomeState:
        """How far they are known; raises `Fatal` for a state that this version cannot
        read."""
        with self._reading() as session:
            row = session.get(AccountIncomeStateRow, account)
            try:
                return IncomeState() if row is None else msgspec.json.decode(row.payload, type=IncomeState)
            except msgspec.DecodeError as error:
                raise Fatal(f"how far the income of {account} is known cannot be read: {error}") from error


def append_records(session: Session, account: str, records: Sequence[IncomeRecord]) -> None:
    """Within a transaction, records that are not stored yet; one that is makes it fail."""
    if records:
        session.execute(insert(AccountIncomeRow), [_columns(account, each) for each in records])


def _known(session: Session, account: str, records: Sequence[IncomeRecord]) -> Iterator[tuple[int, str, str]]:
    numbers = sorted({record.transaction_id for record in records})
    for first in range(0, len(numbers), AT_ONCE):
        query = select(AccountIncomeRow.transaction_id, AccountIncomeRow.kind, AccountIncomeRow.symbol).where(
            AccountIncomeRow.account == account,
            AccountIncomeRow.transaction_id.in_(numbers[first : first + AT_ONCE]),
        )
        yield from ((number, kind, symbol) for number, kind, symbol in session.execute(query))


def _columns(account: str, record: IncomeRecord) -> dict[str, object]:
    return {"account": account, **msgspec.structs.asdict(record), "amount": str(record.amount)}


def _record(row: AccountIncomeRow) -> IncomeRecord:
    return IncomeRecord(
        row.transaction_id, row.kind, row.symbol, row.asset, Decimal(row.amount), row.time_ms, row.trade_id
    )
