"""Tables of the relational store. Values that belong together are kept as one JSON payload of their typed struct;
columns are what is searched, counted or joined. Times Unix ms UTC.

Whoever changes a table adds a revision to `migrations/versions` and sets `HEAD` to it; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

HEAD = "0007"


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger, float: Double, bytes: LargeBinary, str: Text}


class ConfigurationRow(Base):
    """kind: "analysis" or "trade"; version: counts the changes from 1 on."""

    __tablename__ = "configurations"
    kind: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[bytes]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    updated_ms: Mapped[int] = mapped_column(default=0, server_default="0")


class AccountRow(Base):
    """engine: dumped state of the account engine after market_ms; NULL before the first minute."""

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[bytes]
    market_ms: Mapped[int] = mapped_column(default=0)
    engine: Mapped[bytes | None] = mapped_column(default=None)


class AccountTradeRow(Base):
    """A `TradeRecord` in columns; number: its index. entry_price_after is NULL where it is undefined,
    targets, maker and what follows it where an earlier version has written the record."""

    __tablename__ = "account_trades"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    time_ms: Mapped[int]
    decision_ms: Mapped[int]
    symbol: Mapped[str]
    side: Mapped[str]
    reason: Mapped[str]
    quantity: Mapped[float]
    price: Mapped[float]
    profit: Mapped[float]
    fee: Mapped[float]
    quantity_after: Mapped[float]
    entry_price_after: Mapped[float | None]
    wallet_after: Mapped[float]
    target_before: Mapped[float | None] = mapped_column(default=None)
    target_after: Mapped[float | None] = mapped_column(default=None)
    maker: Mapped[bool | None] = mapped_column(default=None)
    trade_id: Mapped[int | None] = mapped_column(default=None)
    other_fee: Mapped[float | None] = mapped_column(default=None)
    other_fee_asset: Mapped[str | None] = mapped_column(default=None)
    __table_args__ = (Index("account_trades_time", "account", "time_ms"),)


class AccountEquityRow(Base):
    __tablename__ = "account_equity"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    time_ms: Mapped[int] = mapped_column(primary_key=True)
    equity: Mapped[float]


class AccountIncomeRow(Base):
    """An `IncomeRecord`; amount: as the exchange spells it, since a float would not be exact."""

    __tablename__ = "account_income"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    transaction_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str]
    amount: Mapped[str]
    time_ms: Mapped[int]
    trade_id: Mapped[int]
    __table_args__ = (Index("account_income_time", "account", "time_ms"),)


class AccountIncomeStateRow(Base):
    """payload: `IncomeState`."""

    __tablename__ = "account_income_state"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    payload: Mapped[bytes]


JOURNAL_END = "Removed"
"""Kind of the entry with which the journal of a removed account ends; one of an account of the same name begins after it."""


class OrderJournalRow(Base):
    """An entry of the write-ahead journal of a live account: kind: the name of its struct; client_id and symbol "" where it names
    none. It has no foreign key: it stays when the account is removed, before an entry `JOURNAL_END`, which has no payload."""

    __tablename__ = "order_journal"
    account: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stored_ms: Mapped[int]
    kind: Mapped[str]
    symbol: Mapped[str]
    client_id: Mapped[str]
    payload: Mapped[bytes]
    __table_args__ = (
        Index("order_journal_kind", "account", "kind", "number"),
        Index("order_journal_order", "account", "client_id"),
    )


class ParitySegmentRow(Base):
    """A `Segment` of what an account did, packed and compressed; begin_ms: open time of its first minute."""

    __tablename__ = "parity_segments"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    begin_ms: Mapped[int] = mapped_column(primary_key=True)
    payload: Mapped[bytes]


class ParityHourRow(Base):
    """An `HourRecord` of an account, packed and compressed."""

    __tablename__ = "parity_hours"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    hour_ms: Mapped[int] = mapped_column(primary_key=True)
    payload: Mapped[bytes]


class ParityDayRow(Base):
    """What was found of a day (`ParityDay`, packed and compressed). verdict: that of it, by which days are listed."""

    __tablename__ = "parity_days"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    day_ms: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    payload: Mapped[bytes]


class SimulationRow(Base):
    """state: SimulationState; spec: SimulationSpec; equity, trades and details: compressed, NULL until completed."""

    __tablename__ = "simulations"
    code: Mapped[str] = mapped_column(primary_key=True)
    created_ms: Mapped[int]
    spec: Mapped[bytes]
    state: Mapped[bytes]
    equity: Mapped[bytes | None] = mapped_column(default=None)
    trades: Mapped[bytes | None] = mapped_column(default=None)
    details: Mapped[bytes | None] = mapped_column(default=None)


class SettingRow(Base):
    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(primary_key=True)
    payload: Mapped[bytes]
