"""Fills for the tests of statistics."""

from atm.model.account import TradeReason, TradeRecord
from atm.model.order import Side


def fill(
    minute: float,
    quantity: float,
    price: float,
    after: float,
    entry: float = 0.0,
    profit: float = 0.0,
    fee: float = 0.0,
    symbol: str = "A",
    reason: TradeReason = TradeReason.ENTRY,
) -> TradeRecord:
    """quantity signed: > 0 bought."""
    side = Side.BUY if quantity > 0 else Side.SELL
    time_ms = int(minute * 60_000)
    return TradeRecord(0, time_ms, 0, symbol, side, reason, abs(quantity), price, profit, fee, after, entry, 1_000)
