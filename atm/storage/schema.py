"""Tables of the relational store. Values that belong together are kept as one JSON payload of their typed struct;
columns are what is searched or joined. Times Unix ms UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class ConfigurationRow(Base):
    """kind: "analysis" or "trade"."""

    __tablename__ = "configurations"
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class AccountRow(Base):
    """engine: dumped state of the account engine after market_ms; NULL before the first minute."""

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    market_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    engine: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)


class AccountTradeRow(Base):
    __tablename__ = "account_trades"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class AccountEquityRow(Base):
    __tablename__ = "account_equity"
    account: Mapped[str] = mapped_column(ForeignKey("accounts.name", ondelete="CASCADE"), primary_key=True)
    time_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    equity: Mapped[float]


class SimulationRow(Base):
    """state: SimulationState; spec: SimulationSpec; equity and trades: compressed, NULL until completed."""

    __tablename__ = "simulations"
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    spec: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[bytes] = mapped_column(LargeBinary)
    equity: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    trades: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)


class SettingRow(Base):
    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
