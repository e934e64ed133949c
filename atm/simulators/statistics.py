"""Figures of a simulation (formulas: trading spec §11.8). Equity is the margin balance at each minute's close."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atm.model.account import TradeReason, TradeRecord

Floats = NDArray[np.float64]
MINUTES_PER_DAY = 1_440
DAYS_PER_YEAR = 365
_PACK = struct.Struct("<qqdddd")


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From flat to flat of one symbol; a flip ends one and begins the next. profit is net of fees, before funding."""

    symbol: str
    start_ms: int
    end_ms: int
    profit: float


def trade_hash(trades: list[TradeRecord]) -> str:
    """SHA-256 over a canonical encoding of the fills: equal for equal trades, on every machine."""
    digest = hashlib.sha256()
    for t in trades:
        digest.update(f"{t.symbol}|{t.side.value}|{t.reason.value}|".encode())
        digest.update(_PACK.pack(t.time_ms, t.decision_ms, t.quantity, t.price, t.profit, t.fee))
    return digest.hexdigest()


def round_trips(trades: list[TradeRecord]) -> list[RoundTrip]:
    """Closed round trips in the order they ended."""
    running: dict[str, tuple[int, float]] = {}
    done = []
    for t in trades:
        start, profit = running.pop(t.symbol, (t.time_ms, 0.0))
        profit += t.profit - t.fee
        if t.quantity_after == 0.0:
            done.append(RoundTrip(t.symbol, start, t.time_ms, profit))
        else:
            running[t.symbol] = (start, profit)
    return done


def max_drawdown(equity: Floats, initial: float) -> float:
    """Largest fall from a peak, as a fraction of that peak (the initial equity is the first peak)."""
    if not len(equity):
        return 0.0
    peak = np.maximum(np.maximum.accumulate(equity), initial)
    return float(np.max(1.0 - equity / peak)) if initial > 0 else 0.0


def sharpe_ratio(equity: Floats, initial: float) -> float:
    """mean / sd of the daily returns, · √365 (risk-free 0; sample standard deviation); 0 with less than two days."""
    ends = equity[MINUTES_PER_DAY - 1 :: MINUTES_PER_DAY]
    if len(ends) < 2 or initial <= 0 or np.any(ends <= 0):
        return 0.0
    values = np.concatenate(([initial], ends))
    returns = values[1:] / values[:-1] - 1.0
    deviation = float(np.std(returns, ddof=1))
    return float(np.mean(returns)) / deviation * float(np.sqrt(DAYS_PER_YEAR)) if deviation > 0 else 0.0


def win_rate(trips: list[RoundTrip]) -> float:
    return sum(trip.profit > 0 for trip in trips) / len(trips) if trips else 0.0


def profit_factor(trips: list[RoundTrip]) -> float:
    """Gains / losses over round trips; 0 without losses or without trips."""
    losses = -sum(trip.profit for trip in trips if trip.profit < 0)
    return sum(trip.profit for trip in trips if trip.profit > 0) / losses if losses > 0 else 0.0


def exposure(trades: list[TradeRecord], start_ms: int, end_ms: int) -> float:
    """Share of the time in which any position was open."""
    held: dict[str, float] = {}
    open_since, total = None, 0
    for t in trades:
        held[t.symbol] = t.quantity_after
        is_open = any(held.values())
        if is_open and open_since is None:
            open_since = t.time_ms
        elif not is_open and open_since is not None:
            total += t.time_ms - open_since
            open_since = None
    if open_since is not None:
        total += end_ms - open_since
    return total / (end_ms - start_ms)


def thin(time_ms: NDArray[np.int64], equity: Floats, most: int = 20_000) -> tuple[NDArray[np.int64], Floats]:
    """At most about `most` points that keep every block's lowest, highest and last value, for storing and drawing."""
    if len(equity) <= most:
        return time_ms, equity
    block = -(-len(equity) // (most // 3))
    starts = np.arange(0, len(equity), block)
    chosen = []
    for start in starts:
        part = equity[start : start + block]
        chosen += [start + int(np.argmin(part)), start + int(np.argmax(part)), start + len(part) - 1]
    kept = np.unique(np.array(chosen, np.int64))
    return time_ms[kept], equity[kept]


def liquidations(trades: list[TradeRecord]) -> int:
    return sum(t.reason is TradeReason.LIQUIDATION for t in trades)
