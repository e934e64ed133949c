"""What an exchange says of an account: positions, balances, settings, open orders, fills.

Amounts are `Decimal`, signed where it says so. Times Unix ms UTC on the exchange's clock.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from atm.model.live_order import NOTHING, OrderFill, OrderState
from atm.model.order import Side
from atm.model.order_facts import OrderFact


class PositionSeen(msgspec.Struct, frozen=True, tag=True):
    """A position: amount signed, entry price 0 when flat. isolated: None, mark: 0 where the source does not say."""

    symbol: str
    amount: Decimal
    entry: Decimal
    time_ms: int
    isolated: bool | None = None
    mark: Decimal = NOTHING


class WalletSeen(msgspec.Struct, frozen=True, tag=True):
    """Wallet balance of an asset; why: the exchange's word for what changed it ("" of a query), change: by how much, without profits and
    commissions."""

    asset: str
    wallet: Decimal
    time_ms: int
    why: str = ""
    change: Decimal = NOTHING


class SettingsSeen(msgspec.Struct, frozen=True, tag=True):
    """Settings of a symbol, None where the source does not say."""

    symbol: str
    leverage: int | None = None
    isolated: bool | None = None


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that is open on the exchange, whoever made it. trigger: of a conditional order."""

    client_id: str
    symbol: str
    side: Side
    state: OrderState
    quantity: Decimal
    executed: Decimal
    time_ms: int
    order_id: int = 0
    algo_id: int = 0
    price: Decimal = NOTHING
    trigger: Decimal | None = None


class TradeSeen(msgspec.Struct, frozen=True):
    """A fill in the account's history; the history names no client id."""

    symbol: str
    order_id: int
    side: Side
    fill: OrderFill


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """An account as REST shows it, its parts asked for one after the other between asked_ms and done_ms. trades: those of
    `trades_of` symbols since `since_ms`, a week long at most; cut_of: symbols that have more of them than an answer holds."""

    asked_ms: int
    done_ms: int
    orders: tuple[OpenOrder, ...]
    positions: tuple[PositionSeen, ...]
    wallets: tuple[WalletSeen, ...] = ()
    settings: tuple[SettingsSeen, ...] = ()
    trades: tuple[TradeSeen, ...] = ()
    trades_of: tuple[str, ...] = ()
    since_ms: int = 0
    cut_of: tuple[str, ...] = ()


AccountFact = PositionSeen | WalletSeen | SettingsSeen
LiveFact = OrderFact | AccountFact
