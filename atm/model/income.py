"""What an exchange has booked on an account's wallets, and how the program's own records agree with it.

Amounts are `Decimal`, signed as the wallet changed, in their asset. Times Unix ms UTC on the exchange's clock; of some types it tells
full seconds (spec: exchange §1.7).
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

TOLERANCE = Decimal("1e-8")
"""Differences up to this are rounding, in the asset."""
COMMISSION, REALIZED_PNL, FUNDING_FEE = "COMMISSION", "REALIZED_PNL", "FUNDING_FEE"
INSURANCE_CLEAR, TRANSFER = "INSURANCE_CLEAR", "TRANSFER"
FUNDING_KINDS = frozenset((FUNDING_FEE, "SPECIAL_FUNDING_FEE"))
TRANSFERS = frozenset((
    TRANSFER, "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW",
    "STRATEGY_UMFUTURES_TRANSFER", "AUTO_EXCHANGE", "WELCOME_BONUS",
))  # fmt: skip
"""Types of money that came in or went out without having been earned or lost by trading."""


class IncomeRecord(msgspec.Struct, frozen=True):
    """One change of a wallet. transaction_id: unique within kind and account; kind: the exchange's type; symbol: "" where it is of
    none; trade_id: 0 = of no trade."""

    transaction_id: int
    kind: str
    symbol: str
    asset: str
    amount: Decimal
    time_ms: int
    trade_id: int = 0

    @property
    def key(self) -> tuple[int, str, str]:
        """What makes it the same record when it is told again."""
        return self.transaction_id, self.kind, self.symbol


class IncomeState(msgspec.Struct, frozen=True):
    """How far an account's income is known.

    since_ms, until_ms: everything in between has been asked for; opening: by asset, the wallet less all income that is stored, as it
    was when both were first known together; wallets: by asset, at the newest moment `checked_ms` when they stood still while all income
    was read; doubts: how often in a row wallets and income did not agree then; told: differences that the user was told of.
    """

    since_ms: int = 0
    until_ms: int = 0
    opening: dict[str, Decimal] = {}
    wallets: dict[str, Decimal] = {}
    checked_ms: int = 0
    doubts: int = 0
    told: int = 0


class IncomeCause(Enum):
    """Why a record of one side has no equal on the other. The first five are explained: nothing is wrong. UNKNOWN_FILL: a fill of which
    our log knows nothing; MISSING_RECORD: the exchange has no income for a fill of ours, or income and wallet differ; AMOUNT: both have
    it, with other amounts; FUNDING: not what position, mark price and rate make."""

    TRANSFER = "TRANSFER"
    FEE_ASSET = "FEE_ASSET"
    MANUAL_TRADE = "MANUAL_TRADE"
    LIQUIDATION = "LIQUIDATION"
    OTHER_INCOME = "OTHER_INCOME"
    UNKNOWN_FILL = "UNKNOWN_FILL"
    MISSING_RECORD = "MISSING_RECORD"
    AMOUNT = "AMOUNT"
    FUNDING = "FUNDING"

    @property
    def is_explained(self) -> bool:
        return self in _EXPLAINED


_EXPLAINED = frozenset((
    IncomeCause.TRANSFER, IncomeCause.FEE_ASSET, IncomeCause.MANUAL_TRADE, IncomeCause.LIQUIDATION,
    IncomeCause.OTHER_INCOME,
))  # fmt: skip


class IncomeLine(msgspec.Struct, frozen=True):
    """One difference. exchange, own: what each side says, None = nothing; kind: type of income, "WALLET" = the balance itself."""

    time_ms: int
    kind: str
    symbol: str
    asset: str
    exchange: Decimal | None
    own: Decimal | None
    cause: IncomeCause
    trade_id: int = 0

    @property
    def difference(self) -> Decimal:
        """What the exchange has beyond our records."""
        return (self.exchange or Decimal(0)) - (self.own or Decimal(0))


class IncomeSum(msgspec.Struct, frozen=True):
    """Income of one type and asset on one UTC day (day_ms: its begin)."""

    day_ms: int
    kind: str
    asset: str
    amount: Decimal
    records: int


class IncomeCheck(msgspec.Struct, frozen=True):
    """The whole comparison. agreeing: how many fills are the same on both sides; wallets: by asset (exchange's, ours)."""

    sums: tuple[IncomeSum, ...]
    lines: tuple[IncomeLine, ...]
    wallets: dict[str, tuple[Decimal, Decimal]]
    agreeing: int
    state: IncomeState

    @property
    def open(self) -> tuple[IncomeLine, ...]:
        """Differences without an explanation."""
        return tuple(line for line in self.lines if not line.cause.is_explained)
