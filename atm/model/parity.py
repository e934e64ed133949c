"""What was found of a day of a live account that was worked again (docs/parity.md)."""

from __future__ import annotations

from enum import Enum

import msgspec

from atm.model.account import AccountKind

TOLERANCE = 1e-8
"""Amounts up to this are rounding, in the asset."""
MOST_DIFFERENCES = 1_000
"""Differing decisions and fills that are kept one by one; all are counted."""


class Verdict(Enum):
    """EQUAL: nothing differs; EXPLAINED: every difference has a cause; UNEXPLAINED: one has none; INCOMPLETE: the record of the day
    has holes."""

    EQUAL = "EQUAL"
    EXPLAINED = "EXPLAINED"
    UNEXPLAINED = "UNEXPLAINED"
    INCOMPLETE = "INCOMPLETE"


class DecisionCause(Enum):
    """LATE_BAR: the account went on without a bar that came later; LATE_ROW: without a row of analysis; CORRECTED: a bar was another
    when it was decided on; LOST_BAR: the market store has lost one; VERSION: another core decided; CONFIGURATION: another set-up was worked
    again."""

    LATE_BAR = "LATE_BAR"
    LATE_ROW = "LATE_ROW"
    CORRECTED = "CORRECTED"
    LOST_BAR = "LOST_BAR"
    VERSION = "VERSION"
    CONFIGURATION = "CONFIGURATION"
    UNKNOWN = "UNKNOWN"


class MoneyCause(Enum):
    """Why live and backtest do not have the same equity. DECISION: a decision differs; FILL_PRICE: spread and slippage; LATENCY: the
    market between the two fills; STOP_LEVEL: a stop at another price, or on one side only; ROUNDING: to tick and step; SIZE: the
    quantity follows from earlier differences; PARTIAL: an order was not filled whole; MINIMUM: too small for the exchange;
    OUTSIDE: changes and transfers that are no fill of ours."""

    DECISION = "DECISION"
    FILL_PRICE = "FILL_PRICE"
    LATENCY = "LATENCY"
    STOP_LEVEL = "STOP_LEVEL"
    ROUNDING = "ROUNDING"
    SIZE = "SIZE"
    PARTIAL = "PARTIAL"
    MINIMUM = "MINIMUM"
    FEE = "FEE"
    FUNDING = "FUNDING"
    OUTSIDE = "OUTSIDE"
    UNEXPLAINED = "UNEXPLAINED"


class DecisionDifference(msgspec.Struct, frozen=True, array_like=True):
    """A decision that is another when it is worked again. time_ms: close of its minute; since_ms: open time of the minute that
    explains it, 0 = none; live and again: target exposure, signed quantity wanted, stop (0 = none)."""

    time_ms: int
    symbol: str
    cause: DecisionCause
    since_ms: int
    live: tuple[float, float, float]
    again: tuple[float, float, float]


class FillSide(msgspec.Struct, frozen=True, array_like=True):
    """All fills of one order: time of the first (Unix ms), signed quantity, mean price, fee."""

    time_ms: int
    quantity: float
    price: float
    fee: float


class FillDifference(msgspec.Struct, frozen=True, array_like=True):
    """An order live and in the backtest of the day (None: there only on the other side), with what its differences are worth:
    amounts of the account's asset, positive where live is better off. decision_ms: 0 = at a price inside a minute."""

    symbol: str
    decision_ms: int
    reason: str
    live: FillSide | None
    backtest: FillSide | None
    causes: dict[str, float]

    @property
    def time_ms(self) -> int:
        side = self.live or self.backtest
        return 0 if side is None else side.time_ms


class MoneyReport(msgspec.Struct, frozen=True):
    """equity_begin, equity_live, equity_backtest: at the beginning and the end of the day; causes: by `MoneyCause`, their sum is
    equity_live − equity_backtest; fills: orders that differ, `pairs` of them all were made on both sides; gross: of the amounts without
    a cause, their signs left out, so that two of them do not make none."""

    equity_begin: float
    equity_live: float
    equity_backtest: float
    causes: dict[str, float]
    fills: tuple[FillDifference, ...]
    fills_live: int
    fills_backtest: int
    pairs: int
    gross: float = 0.0

    @property
    def unexplained(self) -> float:
        return self.causes.get(MoneyCause.UNEXPLAINED.value, 0.0)

    @property
    def difference(self) -> float:
        return self.equity_live - self.equity_backtest


class Observations(msgspec.Struct, frozen=True):
    """What the drift alarm looks at. slippages: of each order that both sides have filled, by which share of its price live was
    dearer than the backtest; wanted, filled: orders of the backtest's decisions, and those of them that live has filled too;
    trips: returns of round trips that ended live (profit after fees / notional at entry), expected: of those of the backtest that
    began on this day as well."""

    slippages: tuple[float, ...] = ()
    wanted: int = 0
    filled: int = 0
    trips: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()


class ParityDay(msgspec.Struct, frozen=True):
    """A day of an account (day_ms: 00:00 UTC of the market), worked again from begin_ms to end_ms.

    decisions: how many were compared, differing: how many of them are not the same bit for bit, differences: the first of those;
    causes: how many by `DecisionCause`; missing, late: minutes of a symbol that it went on without, minutes worked late; money: None
    where the end of the day is not known; curve: (close times Unix ms, live equity, backtest's).
    """

    account: str
    kind: AccountKind
    day_ms: int
    begin_ms: int
    end_ms: int
    verdict: Verdict
    version_live: str
    version: str
    decisions: int = 0
    differing: int = 0
    differences: tuple[DecisionDifference, ...] = ()
    causes: dict[str, int] = {}
    missing: int = 0
    late: int = 0
    money: MoneyReport | None = None
    curve: tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]] = ((), (), ())
    observations: Observations = Observations()

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def unpack(data: bytes) -> ParityDay:
        """Raises `msgspec.MsgspecError` for bytes that are none."""
        return msgspec.msgpack.decode(data, type=ParityDay)
