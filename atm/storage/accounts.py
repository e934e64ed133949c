"""Stored accounts: set-up, engine state, trades and equity."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from atm.model.account import AccountSetup, TradeReason, TradeRecord
from atm.model.errors import Refused
from atm.model.income import IncomeRecord
from atm.model.order import Side
from atm.model.parity_record import NOTHING_RECORDED, RecordProgress
from atm.storage.income import append_records
from atm.storage.parity import put_record, remove_record
from atm.storage.repository import Repository, from_payload, to_payload
from atm.storage.schema import (
    JOURNAL_END,
    AccountEquityRow,
    AccountIncomeRow,
    AccountIncomeStateRow,
    AccountRow,
    AccountTradeRow,
    OrderJournalRow,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """market_ms: the engine state is that after this moment (0 and None before the first minute)."""

    setup: AccountSetup
    market_ms: int
    engine: bytes | None


class AccountRepository(Repository):
    def load(self) -> list[StoredAccount]:
        """All accounts, by name; one that this version cannot read is logged, left out and kept."""
        found = []
        with self._reading() as session:
            for row in session.scalars(select(AccountRow).order_by(AccountRow.name)):
                try:
                    setup = from_payload(row.payload, AccountSetup)
                except ValueError as error:
                    log.error("the stored account %s cannot be read and is left out: %s", row.name, error)
                    continue
                found.append(StoredAccount(setup, row.market_ms, row.engine))
        return found

    def put(self, setup: AccountSetup) -> None:
        """Create, or change the set-up of a stored one."""
        payload = to_payload(setup)
        with self._writing() as session:
            row = session.get(AccountRow, setup.name)
            if row is None:
                session.add(AccountRow(name=setup.name, payload=payload, market_ms=0, engine=None))
            else:
                row.payload = payload

    def remove(self, name: str) -> None:
        """Delete with all its records. Its journal of orders stays and ends here, so that an account of the same name begins anew: to move
        millions of entries away would take minutes, in which nobody looks after the other accounts."""
        with self._writing() as session:
            end_journal(session, name)
            for records in (AccountTradeRow, AccountIncomeRow, AccountIncomeStateRow):
                session.execute(delete(records).where(records.account == name))
            session.execute(delete(AccountEquityRow).where(AccountEquityRow.account == name))
            remove_record(session, name)
            session.execute(delete(AccountRow).where(AccountRow.name == name))

    def save_progress(
        self,
        name: str,
        engine: bytes,
        market_ms: int,
        trades: list[TradeRecord],
        equity: list[tuple[int, float]],
        record: RecordProgress = NOTHING_RECORDED,
        transfers: Sequence[IncomeRecord] = (),
    ) -> None:
        """Engine state, new trades, transfers, equity points and what parity needs in one transaction; points from the first new one on are
        replaced.

        Raises `Refused` for an unknown account, `Unavailable` (and stores nothing) for a trade or transfer already stored.
        """
        with self._writing() as session:
            done = session.execute(
                update(AccountRow).where(AccountRow.name == name).values(engine=engine, market_ms=market_ms)
            )
            if done.rowcount != 1:  # type: ignore[attr-defined]
                raise Refused(f"there is no account {name}")
            if trades:
                session.execute(insert(AccountTradeRow), [{"account": name, **_columns(record)} for record in trades])
            if equity:
                points = dict(equity)
                since = AccountEquityRow.time_ms >= min(points)
                session.execute(delete(AccountEquityRow).where(AccountEquityRow.account == name, since))
                rows = [{"account": name, "time_ms": time_ms, "equity": value} for time_ms, value in points.items()]
                session.execute(insert(AccountEquityRow), rows)
            append_records(session, name, transfers)
            put_record(session, name, record)

    def trades(self, name: str, limit: int = 1_000, before: int | None = None) -> list[TradeRecord]:
        """The newest `limit` trades (with an index below `before`), newest first."""
        query = select(AccountTradeRow).where(AccountTradeRow.account == name)
        if before is not None:
            query = query.where(AccountTradeRow.number < before)
        query = query.order_by(AccountTradeRow.number.desc()).limit(limit)
        with self._reading() as session:
            return [_record(row) for row in session.scalars(query)]

    def last_trades(self, name: str) -> dict[str, TradeRecord]:
        """The newest trade of each symbol."""
        newest = select(func.max(AccountTradeRow.number)).where(AccountTradeRow.account == name)
        query = select(AccountTradeRow).where(
            AccountTradeRow.account == name, AccountTradeRow.number.in_(newest.group_by(AccountTradeRow.symbol))
        )
        with self._reading() as session:
            return {row.symbol: _record(row) for row in session.scalars(query)}

    def count_trades(self, name: str) -> int:
        """How many trades are stored."""
        query = select(func.count()).select_from(AccountTradeRow).where(AccountTradeRow.account == name)
        with self._reading() as session:
            return session.scalar(query) or 0

    def equity(self, name: str, since_ms: int = 0) -> list[tuple[int, float]]:
        """(time, equity) points, ascending."""
        query = select(AccountEquityRow.time_ms, AccountEquityRow.equity)
        query = query.where(AccountEquityRow.account == name, AccountEquityRow.time_ms >= since_ms)
        with self._reading() as session:
            return [(int(t), float(e)) for t, e in session.execute(query.order_by(AccountEquityRow.time_ms))]


def end_journal(session: Session, name: str) -> None:
    """Within a transaction, if there is one."""
    newest = select(OrderJournalRow).where(OrderJournalRow.account == name).order_by(OrderJournalRow.number.desc())
    last = session.scalar(newest.limit(1))
    if last is not None:
        end = {"account": name, "number": last.number + 1, "stored_ms": last.stored_ms, "kind": JOURNAL_END}
        session.execute(insert(OrderJournalRow), [{**end, "symbol": "", "client_id": "", "payload": b""}])


def append_trades(session: Session, name: str, trades: Sequence[TradeRecord]) -> list[TradeRecord]:
    """Within a transaction, trades of which the numbers are given here; those of an account that is not stored are not kept."""
    if not trades or session.get(AccountRow, name) is None:
        return []
    query = select(func.max(AccountTradeRow.number)).where(AccountTradeRow.account == name)
    newest = session.scalar(query)
    first = 0 if newest is None else newest + 1
    numbered = [msgspec.structs.replace(record, index=number) for number, record in enumerate(trades, first)]
    session.execute(insert(AccountTradeRow), [{"account": name, **_columns(record)} for record in numbered])
    return numbered


def _columns(record: TradeRecord) -> dict[str, Any]:
    columns = msgspec.structs.asdict(record)
    columns["number"] = columns.pop("index")
    columns["side"], columns["reason"] = record.side.value, record.reason.value
    if math.isnan(record.entry_price_after):
        columns["entry_price_after"] = None
    return columns


def _record(row: AccountTradeRow) -> TradeRecord:
    return TradeRecord(
        index=row.number,
        time_ms=row.time_ms,
        decision_ms=row.decision_ms,
        symbol=row.symbol,
        side=Side(row.side),
        reason=TradeReason(row.reason),
        quantity=row.quantity,
        price=row.price,
        profit=row.profit,
        fee=row.fee,
        quantity_after=row.quantity_after,
        entry_price_after=math.nan if row.entry_price_after is None else row.entry_price_after,
        wallet_after=row.wallet_after,
        target_before=row.target_before,
        target_after=row.target_after,
        maker=bool(row.maker),
        trade_id=row.trade_id or 0,
        other_fee=row.other_fee or 0.0,
        other_fee_asset=row.other_fee_asset or "",
    )
