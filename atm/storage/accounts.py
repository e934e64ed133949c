"""Stored accounts: set-up, engine state, trades and equity."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, insert, select, update

from atm.model.account import AccountSetup, TradeRecord
from atm.model.errors import Refused
from atm.storage.repository import Repository
from atm.storage.schema import AccountEquityRow, AccountRow, AccountTradeRow


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """market_ms: the engine state is that after this moment (0 and None before the first minute)."""

    setup: AccountSetup
    market_ms: int
    engine: bytes | None


class AccountRepository(Repository):
    def load(self) -> list[StoredAccount]:
        """All accounts, by name."""
        with self._transaction() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name)).all()
            return [
                StoredAccount(msgspec.json.decode(row.payload, type=AccountSetup), row.market_ms, row.engine)
                for row in rows
            ]

    def put(self, setup: AccountSetup) -> None:
        """Create, or change the set-up of a stored one."""
        payload = msgspec.json.encode(setup)
        with self._transaction() as session:
            row = session.get(AccountRow, setup.name)
            if row is None:
                session.add(AccountRow(name=setup.name, payload=payload, market_ms=0, engine=None))
            else:
                row.payload = payload

    def remove(self, name: str) -> None:
        """Delete with all its records."""
        with self._transaction() as session:
            session.execute(delete(AccountTradeRow).where(AccountTradeRow.account == name))
            session.execute(delete(AccountEquityRow).where(AccountEquityRow.account == name))
            session.execute(delete(AccountRow).where(AccountRow.name == name))

    def save_progress(
        self, name: str, engine: bytes, market_ms: int, trades: list[TradeRecord], equity: list[tuple[int, float]]
    ) -> None:
        """Engine state, new trades and equity points in one transaction. Raises `Refused` for an unknown account."""
        with self._transaction() as session:
            done = session.execute(
                update(AccountRow).where(AccountRow.name == name).values(engine=engine, market_ms=market_ms)
            )
            if done.rowcount != 1:  # type: ignore[attr-defined]
                raise Refused(f"there is no account {name}")
            if trades:
                rows = [{"account": name, "number": t.index, "payload": msgspec.json.encode(t)} for t in trades]
                session.execute(insert(AccountTradeRow), rows)
            for time_ms, value in equity:
                session.merge(AccountEquityRow(account=name, time_ms=time_ms, equity=value))

    def trades(self, name: str, limit: int = 1_000, before: int | None = None) -> list[TradeRecord]:
        """The newest `limit` trades (with an index below `before`), newest first."""
        query = select(AccountTradeRow.payload).where(AccountTradeRow.account == name)
        if before is not None:
            query = query.where(AccountTradeRow.number < before)
        query = query.order_by(AccountTradeRow.number.desc()).limit(limit)
        with self._transaction() as session:
            return [msgspec.json.decode(data, type=TradeRecord) for data in session.scalars(query)]

    def equity(self, name: str, since_ms: int = 0) -> list[tuple[int, float]]:
        """(time, equity) points, ascending."""
        query = select(AccountEquityRow.time_ms, AccountEquityRow.equity)
        query = query.where(AccountEquityRow.account == name, AccountEquityRow.time_ms >= since_ms)
        with self._transaction() as session:
            return [(int(t), float(e)) for t, e in session.execute(query.order_by(AccountEquityRow.time_ms))]
