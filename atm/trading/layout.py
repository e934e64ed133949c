"""Where each number of an account lives in the flat arrays that kernels share, and that are stored as they are.

One float64 row per position (`Position`), one per asset (`Asset`), one int64 row for the account (`Meta`), and the constant
tables made from the configurations: one row per position (`Setup`). Named tuples, because kernels can read those.
"""

from __future__ import annotations

from typing import NamedTuple

from atm.model.interval import Interval


class PositionLayout(NamedTuple):
    """State of a position. Pending orders are signed quantities for the next open; kinds are `Reason` numbers.

    TARGET: exposure that the last decision wanted; TRADED: the one that the last fill was for, 0 when flat."""

    QUANTITY: int = 0
    ENTRY: int = 1
    ISOLATED: int = 2
    ALLOCATED: int = 3
    CYCLE_SIDE: int = 4
    REMAINING: int = 5
    TARGET: int = 6
    STOP_MARK: int = 7
    MARK: int = 8
    PENDING_CLOSE: int = 9
    PENDING_CLOSE_REASON: int = 10
    PENDING_OPEN: int = 11
    PENDING_MS: int = 12
    FORCE: int = 13
    LIQUIDATION: int = 14
    STOP: int = 15
    PENDING_ALLOCATED: int = 16
    TRADED: int = 17


class AssetLayout(NamedTuple):
    CROSS: int = 0
    FEES: int = 1
    FUNDING: int = 2
    REALIZED: int = 3
    RESERVED: int = 4


class MetaLayout(NamedTuple):
    """TRADES: fills so far, ever; BUFFERED: rows in the trade buffer; TRADING: 1 = new exposure allowed; MARKET_MS: close
    of the last processed minute."""

    TRADES: int = 0
    BUFFERED: int = 1
    TRADING: int = 2
    MARKET_MS: int = 3
    LIQUIDATIONS: int = 4


class SetupLayout(NamedTuple):
    ASSET: int = 0
    LEVERAGE: int = 1
    LONG: int = 2
    SHORT: int = 3
    SENSE: int = 4
    STOP_IMMEDIATE: int = 5
    STOP_CLOSE: int = 6
    REENTRY: int = 7
    REGROW: int = 8
    EXIT_IMPULSE: int = 9
    EXIT_ALIGNED: int = 10
    EXIT_PROFITABLE: int = 11
    BAND: int = 12
    THETA_LONG: int = 13
    ALPHA_LONG: int = 14
    BETA0_LONG: int = 15
    BETA1_LONG: int = 16
    GAMMA_LONG: int = 17
    THETA_SHORT: int = 18
    ALPHA_SHORT: int = 19
    BETA0_SHORT: int = 20
    BETA1_SHORT: int = 21
    GAMMA_SHORT: int = 22
    ASSUMED: int = 23
    MAX_ALLOCATED: int = 24
    UNITS: int = 25
    MIN_QUANTITY: int = 26
    MAX_QUANTITY: int = 27
    MIN_NOTIONAL: int = 28
    TICK_UNITS: int = 29
    LIQUIDATION_FEE: int = 30
    TAKER_FEE: int = 31
    SLIPPAGE: int = 32
    MAX_NOTIONAL: int = 33
    FUNDING_RATE: int = 34
    FUNDING_MS: int = 35


class InputLayout(NamedTuple):
    """Columns of a decision row, see `INPUT_COLUMNS`."""

    OPEN: int = 0
    CLOSE: int = 1
    CYCLE: int = 2
    CYCLE_UPDATED: int = 3
    CYCLE_INDEX: int = 4
    CYCLE_BEGIN: int = 5
    FILTERED_DELTA: int = 6


INPUT_COLUMNS = (
    "KLINE.0.open",
    "KLINE.0.close",
    "PIP.0.cycle",
    "PIP.0.cycle_updated",
    "PIP.0.cycle_index",
    "PIP.0.cycle_begin_price",
    "PIP.0.filtered_delta",
)


def input_columns(interval: Interval) -> tuple[str, ...]:
    """Full names of the columns of a decision row, which are those of the decision interval."""
    return tuple(f"{interval.value}.{name}" for name in INPUT_COLUMNS)


class TradeLayout(NamedTuple):
    """Columns of the trade buffer."""

    TIME: int = 0
    DECISION: int = 1
    POSITION: int = 2
    REASON: int = 3
    QUANTITY: int = 4
    PRICE: int = 5
    PROFIT: int = 6
    FEE: int = 7
    QUANTITY_AFTER: int = 8
    ENTRY_AFTER: int = 9
    WALLET_AFTER: int = 10
    INDEX: int = 11
    TARGET_BEFORE: int = 12
    TARGET_AFTER: int = 13


class ReasonLayout(NamedTuple):
    """Numbers of `atm.model.account.TradeReason`, in its order."""

    ENTRY: int = 0
    EXIT: int = 1
    CLEAR: int = 2
    STOP_IMMEDIATE: int = 3
    STOP_CLOSE: int = 4
    LIQUIDATION: int = 5
    FORCE_CLEAR: int = 6


Position = PositionLayout()
Asset = AssetLayout()
Meta = MetaLayout()
Setup = SetupLayout()
Input = InputLayout()
Trade = TradeLayout()
Reason = ReasonLayout()
