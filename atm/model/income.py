"""What an exchange has booked on an account's wallets, and how the program's own records agree with it.

Amounts are `Decimal`, signed as the wallet changed, in their asset. Times Unix ms UTC on the exchange's clock; of some types it tells
full seconds (spec: exchange §1.7).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum

import msgspec

from atm.model.live_order import NOTHING

TOLERANCE = Decimal("1e-8")
"""Differences up to this are rounding, in the asset."""
PAGE_RECORDS = 1_000
"""The most that the exchange tells at once."""
COMMISSION, REALIZED_PNL, FUNDING_FEE = "COMMISSION", "REALIZED_PNL", "FUNDING_FEE"
INSURANCE_CLEAR, TRANSFER = "INSURANCE_CLEAR", "TRANSFER"
WALLET = "WALLET"
"""Stands for the balance itself among the types of income."""
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

    since_ms, until_ms: everything in between has been asked for; totals: of all that is stored, by asset; opening: wallet less total, by
    asset, when both were first known together; wallets, expected: by asset, the exchange's balances and what opening and totals made at
    the newest moment `checked_ms` that proves something: when they agreed, or had disagreed often enough; doubts: how often in a row
    they have disagreed while the wallets stood still; opened_ms: up to when the first reading asked, late: what was told after it of the
    time before it, by asset: the first wallet may have had that already.
    """

    since_ms: int = 0
    until_ms: int = 0
    totals: dict[str, Decimal] = {}
    opening: dict[str, Decimal] = {}
    wallets: dict[str, Decimal] = {}
    expected: dict[str, Decimal] = {}
    checked_ms: int = 0
    doubts: int = 0
    opened_ms: int = 0
    late: dict[str, Decimal] = {}

    def with_records(self, fresh: Iterable[IncomeRecord]) -> IncomeState:
        """The state with records that were not stored before."""
        totals, late = dict(self.totals), dict(self.late)
        for record in fresh:
            totals[record.asset] = totals.get(record.asset, NOTHING) + record.amount
            if record.time_ms <= self.opened_ms:
                late[record.asset] = late.get(record.asset, NOTHING) + record.amount
        return msgspec.structs.replace(self, totals=totals, late=late)

    def anew(self) -> IncomeState:
        """The same records, and an opening balance that is still to be found."""
        return msgspec.structs.replace(self, opening={}, late={}, checked_ms=0, doubts=0)

    def reckoned(self) -> dict[str, Decimal]:
        """By asset, the wallets that the records make: what there was at the beginning and all income since."""
        assets = sorted(self.opening.keys() | self.totals.keys())
        return {asset: self.opening.get(asset, NOTHING) + self.totals.get(asset, NOTHING) for asset in assets}


class ReadWallets(msgspec.Struct, frozen=True, tag=True):
    """Ask for the wallet balances of all assets."""


class ReadPage(msgspec.Struct, frozen=True, tag=True):
    """Ask for a page of income, start_ms <= time <= end_ms, oldest first; pages count from 1."""

    start_ms: int
    end_ms: int
    page: int


IncomeQuestion = ReadWallets | ReadPage


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
        return (self.exchange or NOTHING) - (self.own or NOTHING)


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
