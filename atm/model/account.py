"""Accounts, positions and trade records as values (spec: trading §1.1, §10.1)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

from atm.model.journal import Halted
from atm.model.mark import Assumptions
from atm.model.order import Side
from atm.model.risk import LiveRules


class AccountKind(Enum):
    VIRTUAL = "VIRTUAL"
    ACTUAL = "ACTUAL"


class PositionSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One position of an account or a simulation: symbol, configurations, share of the balance.

    assumed_ratio: share of the allocatable balance; priority: funding order, 1 first;
    max_allocated: cap in quote asset, None = no cap.
    """

    symbol: str
    analysis: str
    trade: str
    assumed_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    priority: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_allocated: Annotated[float, msgspec.Meta(gt=0)] | None = None


ALLOCATABLE_SHARE = 0.95
"""Share of a wallet that may be allocated at all; the rest is a cushion for fees."""


class AssetSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Balance of one asset at the start, and the share of it that may be used."""

    initial_balance: Annotated[float, msgspec.Meta(ge=0)]
    allocation_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5


class SlippageModel(Enum):
    """What a market order pays beyond half the spread (docs/execution.md)."""

    FIXED = "FIXED"
    VOLATILITY = "VOLATILITY"
    BOOK = "BOOK"


class CostModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What trading costs and how orders reach the market. Fractions of notional or price.

    funding_rate: charged every `funding_hours` when no recorded rate is known (stated in the result); fee_discount: of both
    fees, when they are paid in BNB; range_share: of a minute's range, that VOLATILITY adds; latency_ms: from a decision to the
    market; participation: largest share of a minute's volume that one order may take, the rest waits, None = no limit.
    """

    maker_fee: Annotated[float, msgspec.Meta(ge=0, le=0.01, extra={"unit": "%"})] = 0.0002
    taker_fee: Annotated[float, msgspec.Meta(ge=0, le=0.01, extra={"unit": "%"})] = 0.0005
    half_spread: Annotated[float, msgspec.Meta(ge=0, le=0.01, extra={"unit": "%"})] = 0.0
    slippage: Annotated[float, msgspec.Meta(ge=0, le=0.05, extra={"unit": "%"})] = 0.0001
    funding_rate: Annotated[float, msgspec.Meta(ge=-0.03, le=0.03, extra={"unit": "%"})] = 0.0001
    funding_hours: Annotated[int, msgspec.Meta(ge=1, le=24)] = 8
    fee_discount: Annotated[float, msgspec.Meta(ge=0, le=1, extra={"unit": "%"})] = 0.0
    slippage_model: SlippageModel = SlippageModel.FIXED
    range_share: Annotated[float, msgspec.Meta(ge=0, le=1, extra={"unit": "%"})] = 0.1
    latency_ms: Annotated[int, msgspec.Meta(ge=0, lt=60_000)] = 0
    participation: Annotated[float, msgspec.Meta(gt=0, le=1, extra={"unit": "%"})] | None = None


class AccountSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored account: what it is and what it trades with. uid: the exchange's number of its user, to which keys must belong; 0 = not
    stated."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    kind: AccountKind = AccountKind.VIRTUAL
    assets: dict[str, AssetSetup] = {}
    positions: tuple[PositionSetup, ...] = ()
    costs: CostModel = CostModel()
    trading: bool = False
    uid: Annotated[int, msgspec.Meta(ge=0)] = 0
    live: LiveRules = LiveRules()


class TradeReason(Enum):
    """Why a fill happened; one closed enumeration for backtest, paper and live."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    CLEAR = "CLEAR"
    STOP_IMMEDIATE = "STOP_IMMEDIATE"
    STOP_CLOSE = "STOP_CLOSE"
    LIQUIDATION = "LIQUIDATION"
    FORCE_CLEAR = "FORCE_CLEAR"
    PARTIAL_STOP = "PARTIAL_STOP"
    WEIGHT_REDUCE = "WEIGHT_REDUCE"
    REACH_AND_FALL = "REACH_AND_FALL"


class TradeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fill. Times Unix ms UTC; quantity in base asset (> 0); prices in quote; profit before fee.

    `time_ms` is the time of the fill (open of the minute it happened in); `decision_ms` the close time of the decision
    bar that wanted it (0 for what happens at a price inside a minute); quantity_after is signed. The signal that caused it, as target
    exposures −1 … 1: `target_before` is the one that the position's previous fill was for (0 when flat), `target_after` the
    one that this fill is for (0 for full stops, falls, liquidations and forced closes); None in records of earlier versions.
    `maker`: filled while it rested in the book. Of a fill on an exchange: `trade_id`, its number there, 0 = none; `other_fee`: what
    was paid in `other_fee_asset`, which is not the quote asset; `fee` is then 0.
    """

    index: int
    time_ms: int
    decision_ms: int
    symbol: str
    side: Side
    reason: TradeReason
    quantity: float
    price: float
    profit: float
    fee: float
    quantity_after: float
    entry_price_after: float
    wallet_after: float
    target_before: float | None = None
    target_after: float | None = None
    maker: bool = False
    trade_id: int = 0
    other_fee: float = 0.0
    other_fee_asset: str = ""


class PositionState(msgspec.Struct, frozen=True):
    """A position as it is now. quantity signed; entry_price, mark_price and liquidation_price None when undefined.

    commitment_rate: margin at the entry price as a share of the allocated balance; risk_level: share of the way from the entry to the
    liquidation price that has been gone, times the former; margin_ratio: maintenance margin / margin balance of an isolated
    position, 1 = liquidation. None when flat or not defined (docs/ledger.md).
    """

    symbol: str
    quantity: float = 0.0
    entry_price: float | None = None
    mark_price: float | None = None
    leverage: int = 1
    isolated: bool = True
    isolated_wallet: float = 0.0
    initial_margin: float = 0.0
    maintenance_margin: float = 0.0
    unrealized_profit: float = 0.0
    liquidation_price: float | None = None
    allocated_balance: float = 0.0
    target_exposure: float = 0.0
    stop_price: float | None = None
    trading: bool = False
    reason: str = ""
    commitment_rate: float | None = None
    risk_level: float | None = None
    margin_ratio: float | None = None


class AssetState(msgspec.Struct, frozen=True):
    """Balances of one asset, in that asset. commitment_rate, risk_level: means over its positions, None when there are none;
    margin_ratio: of its cross margin, 0 without a cross position; withdrawable: the most that can be paid out of a virtual account;
    transferred: paid in less paid out since it began; reference: see `atm.model.transfer.Capital`, None = not known."""

    asset: str
    wallet_balance: float
    cross_wallet_balance: float
    margin_balance: float
    available_balance: float
    unrealized_profit: float
    initial_margin: float
    maintenance_margin: float
    fees_paid: float = 0.0
    funding_paid: float = 0.0
    realized_profit: float = 0.0
    commitment_rate: float | None = None
    risk_level: float | None = None
    margin_ratio: float | None = None
    withdrawable: float = 0.0
    transferred: float = 0.0
    reference: float | None = None


class AccountSnapshot(msgspec.Struct, frozen=True):
    """All of an account at one moment. `market_ms`: close of the last minute it has processed; assumed: what stood in for mark prices
    and funding rates that were not recorded, since it began; halts: of an actual account, what opens no positions and why; reference: that
    of all assets as in `AssetState`; transfer_ms: market time of the last transfer of a virtual account, 0 = none."""

    name: str
    kind: AccountKind
    trading: bool
    market_ms: int
    assets: tuple[AssetState, ...] = ()
    positions: tuple[PositionState, ...] = ()
    state: str = "ACTIVE"
    reason: str = ""
    assumed: Assumptions = Assumptions()
    halts: tuple[Halted, ...] = ()
    reference: float | None = None
    transfer_ms: int = 0
