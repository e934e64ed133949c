"""Where each number of an account lives in the flat arrays that kernels share, and that are stored as they are.

One float64 row per position (`Position`, followed by the memory of its trade-control method), one per asset (`Asset`), one
int64 row for the account (`Meta`), and the constant tables made from the configurations: one row per position (`Setup`,
followed by the parameters of its method). Named tuples, because kernels can read those.
"""

from __future__ import annotations

from typing import NamedTuple

from atm.model.interval import Interval
from atm.model.trade_configuration import MOST_ROWS
from atm.model.trade_method import ELAPSED, MOST_MEMORY, MOST_PARAMETERS


class PositionLayout(NamedTuple):
    """State of a position. Pending orders are signed quantities for the next open; kinds are `Reason` numbers.

    TARGET: exposure that the last decision wanted; TRADED: the one that the last fill was for, 0 when flat;
    BELOW, ABOVE: prices at which, besides stop and liquidation, something happens inside a minute, 0 = none.
    OPEN_LIMIT, OPEN_TRIGGER: limit and trigger price of the pending opening order, 0 = none; OPEN_FROM, OPEN_UNTIL: open times
    (Unix ms) of the first minute in which it can be filled and of the first in which it no longer can, 0 = at once, never;
    CLOSE_LIMIT, CLOSE_FROM, CLOSE_UNTIL: the same of the pending closing order, which is a market order after its end;
    RANGE, VOLUME, SPREAD, BID_DEPTH, ASK_DEPTH: of the minute that is being worked (see `atm.trading.execution`);
    UNRECORDED: market orders that should have been priced by a book that was not recorded.
    Of a user's method: PROTECTIVE: price of its stop, NEXT_PROTECTIVE: that of the position which is to be opened, 0 = none;
    BARS_HELD: closes of a decision bar since the entry; LIMIT: price that it wants for the order of its last decision, 0 = none.
    LIQUIDATION: the level of an isolated position; of a cross position see `atm.trading.cross_margin`. WORST: price of this
    minute that the liquidation of other positions in cross margin assumes for this one; it and the POOL columns around it
    are the row of the ledger's `Pool`.
    MARK: the newest mark price, of a minute without a recorded one its last trade price; LIQUIDATION and WORST are mark prices.
    PATH_…, MARK_OPEN, MARK_HIGH, MARK_LOW: trade and mark prices of the minute that is being worked (`atm.trading.mark_path`).
    HELD: minutes with an open position at their close, UNMARKED: those of them without a recorded mark price; STAMPS: funding
    stamps charged, DEFAULTED: those of them charged with the constant rate.
    """

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
    BELOW: int = 18
    ABOVE: int = 19
    OPEN_LIMIT: int = 20
    OPEN_TRIGGER: int = 21
    OPEN_FROM: int = 22
    OPEN_UNTIL: int = 23
    CLOSE_LIMIT: int = 24
    CLOSE_FROM: int = 25
    CLOSE_UNTIL: int = 26
    RANGE: int = 27
    VOLUME: int = 28
    SPREAD: int = 29
    BID_DEPTH: int = 30
    ASK_DEPTH: int = 31
    UNRECORDED: int = 32
    PROTECTIVE: int = 33
    NEXT_PROTECTIVE: int = 34
    BARS_HELD: int = 35
    LIMIT: int = 36
    POOL_QUANTITY: int = 37
    POOL_ENTRY: int = 38
    WORST: int = 39
    POOL_TEST: int = 40
    POOL_FEE: int = 41
    POOL_UNITS: int = 42
    POOL_TAKEN: int = 43
    PATH_OPEN: int = 44
    PATH_HIGH: int = 45
    PATH_LOW: int = 46
    MARK_OPEN: int = 47
    MARK_HIGH: int = 48
    MARK_LOW: int = 49
    HELD: int = 50
    UNMARKED: int = 51
    STAMPS: int = 52
    DEFAULTED: int = 53


MEMORY = len(PositionLayout())
"""Where the memory of the trade-control method begins in a position's row."""


class RemainingMemoryLayout(NamedTuple):
    """RQPM with rounds: price at which the round began, decision bars since, side of the last regime."""

    PIVOT: int = MEMORY
    BARS: int = MEMORY + 1
    REGIME: int = MEMORY + 2


class ScenarioMemoryLayout(NamedTuple):
    """TS: a `Stage`; pivot price; rows of each table used so far; whether the weight was reduced, whether reached."""

    STAGE: int = MEMORY
    PIVOT: int = MEMORY + 1
    ENTRIES: int = MEMORY + 2
    EXITS: int = MEMORY + 3
    STOPS: int = MEMORY + 4
    REDUCED: int = MEMORY + 5
    REACHED: int = MEMORY + 6


class ExposureMemoryLayout(NamedTuple):
    """TEF: peak of the exposure on this side, whether it has fallen below its share of the peak."""

    PEAK: int = MEMORY
    DOWNHILL: int = MEMORY + 1


POSITION_WIDTH = MEMORY + MOST_MEMORY


class StageLayout(NamedTuple):
    """States of a trade scenario (trading §4.3). IDLE must be 0: it is how a position begins."""

    IDLE: int = 0
    ARMED: int = 1
    BUILDING: int = 2
    REDUCING: int = 3
    SPENT: int = 4


class MethodLayout(NamedTuple):
    """Trade-control methods, one number for each function that they decide by."""

    GAUSSIAN_1: int = 0
    GAUSSIAN_1D: int = 1
    GAUSSIAN_2: int = 2
    SCENARIO: int = 3
    MMACD: int = 4
    MMACD_LONG: int = 5
    SWING: int = 6
    USER: int = 7


class AssetLayout(NamedTuple):
    """INSURANCE: losses beyond the cross wallet that the insurance fund has paid; REALIZED is without them."""

    CROSS: int = 0
    FEES: int = 1
    FUNDING: int = 2
    REALIZED: int = 3
    RESERVED: int = 4
    INSURANCE: int = 5


class MetaLayout(NamedTuple):
    """TRADES: fills so far, ever; BUFFERED: rows in the trade buffer; TRADING: 1 = new exposure allowed; MARKET_MS: close
    of the last processed minute; FAILED: 1 + number of the position whose method has failed since `run_minutes` was called."""

    TRADES: int = 0
    BUFFERED: int = 1
    TRADING: int = 2
    MARKET_MS: int = 3
    LIQUIDATIONS: int = 4
    FAILED: int = 5


class SlippageLayout(NamedTuple):
    """Numbers of `atm.model.account.SlippageModel`."""

    FIXED: int = 0
    VOLATILITY: int = 1
    BOOK: int = 2


class OrderKindLayout(NamedTuple):
    """How an order of a decision goes to the market."""

    MARKET: int = 0
    LIMIT: int = 1
    STOP: int = 2


class SetupLayout(NamedTuple):
    """FUNCTION_LONG, FUNCTION_SHORT: `Method` numbers of the two sides, which differ in RQPM only; TICK_UNITS: ticks per one;
    SLIPPAGE: half spread + slippage; SLIPPAGE_MODEL: a `Slippage`; PARTICIPATION: inf = no limit; ENTRY_ORDER, EXIT_ORDER: an
    `OrderKind` each, with offset and lifetime (ms); ENTRY_MARKET: whether a lapsed entry becomes a market order."""

    ASSET: int = 0
    LEVERAGE: int = 1
    LONG: int = 2
    SHORT: int = 3
    SENSE: int = 4
    STOP_IMMEDIATE: int = 5
    STOP_CLOSE: int = 6
    REENTRY: int = 7
    EXIT_IMPULSE: int = 8
    EXIT_ALIGNED: int = 9
    EXIT_PROFITABLE: int = 10
    PROFIT_FROM_ENTRY: int = 11
    BAND: int = 12
    ASSUMED: int = 13
    MAX_ALLOCATED: int = 14
    UNITS: int = 15
    MIN_QUANTITY: int = 16
    MAX_QUANTITY: int = 17
    MIN_NOTIONAL: int = 18
    TICK_UNITS: int = 19
    LIQUIDATION_FEE: int = 20
    TAKER_FEE: int = 21
    SLIPPAGE: int = 22
    MAX_NOTIONAL: int = 23
    FUNDING_RATE: int = 24
    FUNDING_MS: int = 25
    FUNCTION_LONG: int = 26
    FUNCTION_SHORT: int = 27
    MAKER_FEE: int = 28
    SLIPPAGE_MODEL: int = 29
    RANGE_SHARE: int = 30
    LATENCY_MS: int = 31
    PARTICIPATION: int = 32
    ENTRY_ORDER: int = 33
    ENTRY_OFFSET: int = 34
    ENTRY_MS: int = 35
    ENTRY_MARKET: int = 36
    EXIT_ORDER: int = 37
    EXIT_OFFSET: int = 38
    EXIT_MS: int = 39
    ISOLATED: int = 40


PARAMETERS = len(SetupLayout())
"""Where the parameters of the trade-control method begin in a row of set-ups."""


class RemainingParametersLayout(NamedTuple):
    """RQPM: REGROW, ROUND flags, then the parameters of the maps, in the order of their fields."""

    REGROW: int = PARAMETERS
    ROUND: int = PARAMETERS + 1
    MAP_LONG: int = PARAMETERS + 2
    MAP_SHORT: int = PARAMETERS + 13


class ScenarioParametersLayout(NamedTuple):
    """TS: flags, auxiliaries (NaN = off), how many rows each table has, and where it begins: (deviation, target) pairs."""

    REENTER: int = PARAMETERS
    JOIN: int = PARAMETERS + 1
    REDUCE_AT: int = PARAMETERS + 2
    REDUCE_TO: int = PARAMETERS + 3
    REACH: int = PARAMETERS + 4
    FALL: int = PARAMETERS + 5
    ENTRY_ROWS: int = PARAMETERS + 6
    EXIT_ROWS: int = PARAMETERS + 7
    STOP_ROWS: int = PARAMETERS + 8
    ENTRY: int = PARAMETERS + 9
    EXIT: int = PARAMETERS + 9 + 2 * MOST_ROWS
    STOP: int = PARAMETERS + 9 + 4 * MOST_ROWS


class ExposureParametersLayout(NamedTuple):
    """TEF: the parameters of its function. Those of the MMACD functions, then those of the swing function."""

    SHORT_LINE: int = PARAMETERS
    ALPHA: int = PARAMETERS + 1
    BETA: int = PARAMETERS + 2
    DELTA: int = PARAMETERS + 3
    STRENGTH_SHORT: int = PARAMETERS + 4
    STRENGTH_LONG: int = PARAMETERS + 5
    DOWNHILL: int = PARAMETERS + 6
    SWING_LONG: int = PARAMETERS + 7
    SWING_SHORT: int = PARAMETERS + 10


class UserParametersLayout(NamedTuple):
    """A user's method: address of its compiled function in this process; numbers that it remembers, columns that it reads
    (in a decision row they follow `Input`), parameters; then those."""

    ADDRESS: int = PARAMETERS
    MEMORY: int = PARAMETERS + 1
    COLUMNS: int = PARAMETERS + 2
    COUNT: int = PARAMETERS + 3
    FIRST: int = PARAMETERS + 4


SETUP_WIDTH = PARAMETERS + max(9 + 6 * MOST_ROWS, 4 + MOST_PARAMETERS)
MOST_FILLS = 4 * MOST_ROWS + 26
"""Fills of one position in one minute, at most: every row of three tables, a stop after each entry, auxiliaries, orders, and a
liquidation in each bracket."""


class InputLayout(NamedTuple):
    """Columns of a decision row, see `INPUT_COLUMNS`. ELAPSED: between 0 and 1, exclusive, in the provisional row of an open bar."""

    OPEN: int = 0
    CLOSE: int = 1
    CYCLE: int = 2
    CYCLE_UPDATED: int = 3
    CYCLE_INDEX: int = 4
    CYCLE_BEGIN: int = 5
    FILTERED_DELTA: int = 6
    FILTERED: int = 7
    SWING_PRICE: int = 8
    SWING_TYPE: int = 9
    MMACD_SHORT: int = 10
    MMACD_LONG: int = 11
    ELAPSED: int = 12


INPUT_COLUMNS = (
    "KLINE.0.open",
    "KLINE.0.close",
    "PIP.0.cycle",
    "PIP.0.cycle_updated",
    "PIP.0.cycle_index",
    "PIP.0.cycle_begin_price",
    "PIP.0.filtered_delta",
    "PIP.0.filtered",
    "SWING.0.price",
    "SWING.0.type",
    "MMACDSHORT.0.abs_mean_relative",
    "MMACDLONG.0.abs_mean_relative",
    ELAPSED,
)


def input_columns(interval: Interval) -> tuple[str, ...]:
    """Full names of all columns of a decision row, which are those of the decision interval."""
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
    MAKER: int = 14


class ReasonLayout(NamedTuple):
    """Numbers of `atm.model.account.TradeReason`, in its order."""

    ENTRY: int = 0
    EXIT: int = 1
    CLEAR: int = 2
    STOP_IMMEDIATE: int = 3
    STOP_CLOSE: int = 4
    LIQUIDATION: int = 5
    FORCE_CLEAR: int = 6
    PARTIAL_STOP: int = 7
    WEIGHT_REDUCE: int = 8
    REACH_AND_FALL: int = 9


Position = PositionLayout()
Asset = AssetLayout()
Meta = MetaLayout()
Setup = SetupLayout()
Input = InputLayout()
Trade = TradeLayout()
Reason = ReasonLayout()
Method = MethodLayout()
Stage = StageLayout()
Slippage = SlippageLayout()
OrderKind = OrderKindLayout()
RemainingMemory = RemainingMemoryLayout()
ScenarioMemory = ScenarioMemoryLayout()
ExposureMemory = ExposureMemoryLayout()
RemainingParameters = RemainingParametersLayout()
ScenarioParameters = ScenarioParametersLayout()
ExposureParameters = ExposureParametersLayout()
UserParameters = UserParametersLayout()
