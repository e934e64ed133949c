"""What the exchange's REST answers mean as values (spec: exchange §1.7).

Unknown fields are ignored, fields that may be absent have defaults, and an unknown value of an enumeration is mapped to
the nearest known one where that is safe. Numbers arrive as decimal strings; on accounts never funded as empty ones.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from atm.exchange.client.local_book import DepthSnapshot
from atm.ipc.messages import DayTicker
from atm.model.bars import Bar
from atm.model.errors import Unavailable, Unknown
from atm.model.instrument import Instrument, LeverageBracket
from atm.model.interval import MINUTE_MS
from atm.model.order import OrderReport, OrderStatus, OrderType, Side

T = TypeVar("T")
MarkPrices = tuple[float, float, float, float]
"""Open, high, low and close of the mark price of a minute."""

CONTRACT_TYPES = frozenset(("PERPETUAL", "TRADIFI_PERPETUAL"))
_STATUSES = {status.value: status for status in OrderStatus} | {
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "PENDING_CANCEL": OrderStatus.CANCELED,
    "NEW_INSURANCE": OrderStatus.NEW,
    "NEW_ADL": OrderStatus.NEW,
}


class AssetBalance(msgspec.Struct, frozen=True, rename="camel"):
    """One asset of the account, in that asset."""

    asset: str
    wallet_balance: float = 0.0
    cross_wallet_balance: float = 0.0
    available_balance: float = 0.0
    margin_balance: float = 0.0
    unrealized_profit: float = 0.0
    initial_margin: float = 0.0
    maint_margin: float = 0.0
    update_time: int = 0


class WalletBalance(msgspec.Struct, frozen=True, rename="camel"):
    """One asset as `GET /fapi/v3/balance` has it."""

    asset: str
    balance: float = 0.0
    cross_wallet_balance: float = 0.0
    cross_un_pnl: float = 0.0
    available_balance: float = 0.0


class AccountState(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /fapi/v3/account`, the part in use: assets with their balances."""

    assets: tuple[AssetBalance, ...] = ()
    total_wallet_balance: float = 0.0
    total_margin_balance: float = 0.0
    available_balance: float = 0.0


class PositionRisk(msgspec.Struct, frozen=True, rename="camel"):
    """A position or a symbol with open orders. Amounts signed; liquidation_price 0 = none."""

    symbol: str
    position_side: str = "BOTH"
    position_amt: float = 0.0
    entry_price: float = 0.0
    mark_price: float = 0.0
    un_realized_profit: float = 0.0
    liquidation_price: float = 0.0
    isolated_margin: float = 0.0
    isolated_wallet: float = 0.0
    notional: float = 0.0
    initial_margin: float = 0.0
    maint_margin: float = 0.0
    update_time: int = 0


class LeverageSet(msgspec.Struct, frozen=True, rename="camel"):
    """Leverage in force, and the largest notional that it allows."""

    symbol: str
    leverage: int
    max_notional_value: float = 0.0


class RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 0
    limit: int = 0


class _Depth(msgspec.Struct, frozen=True, rename={"update_id": "lastUpdateId", "time_ms": "E"}):
    update_id: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    time_ms: int = 0


class _Filter(msgspec.Struct, frozen=True, rename="camel"):
    filter_type: str = ""
    tick_size: str = "0"
    step_size: str = "0"
    min_qty: str = "0"
    max_qty: str = "0"
    notional: str = "0"
    min_price: str = "0"
    max_price: str = "0"
    multiplier_up: str = "0"
    multiplier_down: str = "0"


class _Symbol(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    contract_type: str = ""
    status: str = ""
    base_asset: str = ""
    quote_asset: str = ""
    price_precision: int = 8
    quantity_precision: int = 8
    liquidation_fee: str = "0"
    onboard_date: int = 0
    filters: tuple[_Filter, ...] = ()


class _Bracket(msgspec.Struct, frozen=True, rename="camel"):
    initial_leverage: int
    notional_cap: float
    notional_floor: float
    maint_margin_ratio: float
    cum: float = 0.0


class _Brackets(msgspec.Struct, frozen=True):
    symbol: str
    brackets: tuple[_Bracket, ...] = ()


class _FundingRate(msgspec.Struct, frozen=True, rename="camel"):
    funding_time: int
    funding_rate: float


class _Order(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    order_id: int
    client_order_id: str
    status: str
    side: Side
    type: str = "LIMIT"
    price: str = "0"
    orig_qty: str = "0"
    executed_qty: str = "0"
    avg_price: str = ""
    reduce_only: bool = False
    update_time: int = 0


def without_empty(value: Any) -> Any:
    """The answer with empty strings (accounts never funded) as "0" in objects, recursively."""
    if isinstance(value, dict):
        return {key: "0" if entry == "" else without_empty(entry) for key, entry in value.items()}
    return [without_empty(entry) for entry in value] if isinstance(value, list) else value


def convert(answer: Any, kind: type[T]) -> T:
    """The answer as `kind`. Raises Unavailable when the exchange sent something else."""
    try:
        return msgspec.convert(answer, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unavailable(f"the exchange's answer cannot be read: {error}") from None


def instruments(answer: Any) -> tuple[tuple[Instrument, ...], tuple[RateLimit, ...], int]:
    """Perpetual contracts and rate limits of an exchangeInfo answer, and how many symbols could not be read."""
    if not isinstance(answer, dict) or not answer.get("symbols"):
        raise Unavailable("the exchange's answer to exchangeInfo has no symbols")
    found, unreadable = [], 0
    for entry in answer.get("symbols", ()):
        try:
            symbol = msgspec.convert(entry, _Symbol, strict=False)
        except msgspec.ValidationError:
            unreadable += 1
            continue
        if symbol.contract_type in CONTRACT_TYPES:
            found.append(_instrument(symbol))
    return tuple(found), convert(answer.get("rateLimits", []), tuple[RateLimit, ...]), unreadable


def _instrument(symbol: _Symbol) -> Instrument:
    filters = {entry.filter_type: entry for entry in symbol.filters}
    price, lot = filters.get("PRICE_FILTER", _Filter()), filters.get("LOT_SIZE", _Filter())
    market, percent = filters.get("MARKET_LOT_SIZE", lot), filters.get("PERCENT_PRICE", _Filter())
    return Instrument(
        symbol=symbol.symbol,
        base_asset=symbol.base_asset,
        quote_asset=symbol.quote_asset,
        status=symbol.status,
        price_precision=symbol.price_precision,
        quantity_precision=symbol.quantity_precision,
        tick_size=price.tick_size,
        step_size=lot.step_size,
        market_step_size=market.step_size,
        min_quantity=market.min_qty,
        max_market_quantity=market.max_qty,
        min_notional=filters.get("MIN_NOTIONAL", _Filter()).notional,
        liquidation_fee=symbol.liquidation_fee,
        onboard_ms=symbol.onboard_date,
        min_price=price.min_price,
        max_price=price.max_price,
        multiplier_up=percent.multiplier_up,
        multiplier_down=percent.multiplier_down,
    )


def brackets(answer: Any) -> dict[str, tuple[LeverageBracket, ...]]:
    """Leverage brackets by symbol, lowest notional first. The exchange answers with an array or a bare object."""
    rows = convert(answer if isinstance(answer, list) else [answer], tuple[_Brackets, ...])
    return {
        row.symbol: tuple(
            LeverageBracket(b.notional_floor, b.notional_cap, b.maint_margin_ratio, b.cum, b.initial_leverage)
            for b in sorted(row.brackets, key=lambda b: b.notional_floor)
        )
        for row in rows
    }


def kline_rows(answer: Any) -> list[tuple[Bar, int]]:
    """(bar, close time in ms) of each row of a klines answer, ascending."""
    rows = convert(answer, list[tuple[int, float, float, float, float, float, int, float, float, float, float, Any]])
    return [(Bar(r[0], r[1], r[2], r[3], r[4], r[5], r[7], r[8], r[9], r[10]), r[6]) for r in rows]


def mark_rows(answer: Any) -> list[tuple[int, float, float, float, float]]:
    """(open time in ms, open, high, low, close) of each row of a markPriceKlines answer, ascending."""
    rows = convert(answer, list[tuple[int, float, float, float, float, Any, Any, Any, Any, Any, Any, Any]])
    return [row[:5] for row in rows]


def funding_rates(answer: Any) -> dict[int, float]:
    """Settled rates of a fundingRate answer by their stamps: full minutes, for the exchange's times are some milliseconds late."""
    rows = convert(answer, tuple[_FundingRate, ...])
    return {row.funding_time - row.funding_time % MINUTE_MS: row.funding_rate for row in rows}


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    last_price: float
    price_change_percent: float
    high_price: float
    low_price: float
    volume: float
    quote_volume: float


class _Interest(msgspec.Struct, rename="camel"):
    open_interest: float
    time: int = 0


def day_tickers(answer: Any) -> tuple[DayTicker, ...]:
    """The rows of a ticker/24hr answer."""
    rows = convert(answer, list[_Ticker])
    return tuple(
        DayTicker(
            row.symbol,
            row.last_price,
            row.price_change_percent / 100,
            row.high_price,
            row.low_price,
            row.volume,
            row.quote_volume,
        )
        for row in rows
    )


def open_interest(answer: Any) -> tuple[float, int]:
    """(quantity in the base asset, time) of an openInterest answer."""
    row = convert(answer, _Interest)
    return row.open_interest, row.time


def order_report(answer: Any) -> OrderReport:
    """An order as the exchange states it. average_price is "" where the answer has none (since 2026-07-15)."""
    order = convert(answer, _Order)
    status = _STATUSES.get(order.status)
    if status is None:
        raise Unknown(f"order {order.client_order_id} has the status {order.status}, which is not known")
    if order.type in (OrderType.MARKET.value, OrderType.LIMIT.value):
        kind = OrderType(order.type)
    else:  # a foreign order of a type that we never send
        kind = OrderType.LIMIT if float(order.price or 0) > 0 else OrderType.MARKET
    return OrderReport(
        symbol=order.symbol,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        status=status,
        side=order.side,
        type=kind,
        original_quantity=order.orig_qty,
        executed_quantity=order.executed_qty,
        average_price=order.avg_price,
        reduce_only=order.reduce_only,
        update_ms=order.update_time,
    )


def depth_snapshot(answer: Any, limit: int) -> DepthSnapshot:
    """`GET /fapi/v1/depth` that was asked for so many levels. Raises Unavailable for one that cannot be read."""
    found = convert(answer, _Depth)
    return DepthSnapshot(found.update_id, found.time_ms, found.bids, found.asks, limit)
