"""The fills of a day as orders, and which order of live is which of the backtest. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from atm.model.account import TradeReason, TradeRecord
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.parity import FillSide

STOPS = frozenset({TradeReason.STOP_IMMEDIATE, TradeReason.LIQUIDATION})
"""What happens at a price, whatever was decided."""
_SAME_STOP_MS = HOUR_MS
"""Stops of a position farther apart than this are two events."""


@dataclass(frozen=True)
class Order:
    """Fills of one side that one decision caused (decision_ms, 0 = at a price inside a minute). fills: by time."""

    symbol: str
    decision_ms: int
    reason: TradeReason
    fills: tuple[TradeRecord, ...]

    @property
    def time_ms(self) -> int:
        return self.fills[0].time_ms

    @property
    def quantity(self) -> float:
        """Signed."""
        return math.fsum(fill.quantity * fill.side.sign for fill in self.fills)

    @property
    def quantity_after(self) -> float:
        """Of the position, signed."""
        return self.fills[-1].quantity_after

    @property
    def price(self) -> float:
        """Mean by quantity; that of a single fill to its last bit."""
        if len({fill.price for fill in self.fills}) == 1:
            return self.fills[0].price
        return math.fsum(fill.quantity * fill.price for fill in self.fills) / abs(self.quantity)

    @property
    def fee(self) -> float:
        return math.fsum(fill.fee for fill in self.fills)

    @property
    def is_stop(self) -> bool:
        return self.reason in STOPS

    def side(self) -> FillSide:
        return FillSide(self.time_ms, self.quantity, self.price, self.fee)


Pair = tuple[Order | None, Order | None]


def orders(fills: Iterable[TradeRecord]) -> list[Order]:
    """By time of the first fill."""
    found: dict[tuple[str, int, TradeReason | None, int, int], list[TradeRecord]] = {}
    for fill in fills:
        decided = fill.decision_ms > 0 and fill.reason not in STOPS
        # what happens at a price is one order a minute; entry and exit of one decision and side are one
        key = (
            fill.symbol,
            fill.decision_ms if decided else 0,
            None if decided else fill.reason,
            fill.side.sign,
            0 if decided else fill.time_ms // MINUTE_MS,
        )
        found.setdefault(key, []).append(fill)
    made = [
        Order(key[0], key[1], parts[0].reason, tuple(sorted(parts, key=lambda fill: fill.time_ms)))
        for key, parts in found.items()
    ]
    return sorted(made, key=lambda order: (order.time_ms, order.symbol))


def pairs(live: Sequence[TradeRecord], backtest: Sequence[TradeRecord]) -> list[Pair]:
    """Each order once, with its other side where there is one, by time."""
    ours, theirs = orders(live), orders(backtest)
    found: list[Pair] = []
    for is_same in (_same_decision, _same_stop, _same_level):
        for order in list(ours):
            other = min((each for each in theirs if is_same(order, each)), key=_distance(order), default=None)
            if other is not None:
                found.append((order, other))
                ours.remove(order)
                theirs.remove(other)
    alone: list[Pair] = [(order, None) for order in ours] + [(None, order) for order in theirs]
    return sorted([*found, *alone], key=_first)


def _same_side(live: Order, backtest: Order) -> bool:
    return live.symbol == backtest.symbol and (live.quantity > 0) == (backtest.quantity > 0)


def _same_decision(live: Order, backtest: Order) -> bool:
    return _same_side(live, backtest) and live.decision_ms == backtest.decision_ms > 0


def _same_stop(live: Order, backtest: Order) -> bool:
    if live.decision_ms or backtest.decision_ms or not _same_side(live, backtest):
        return False
    same = live.reason is backtest.reason or (live.is_stop and backtest.is_stop)
    return same and abs(live.time_ms - backtest.time_ms) <= _SAME_STOP_MS


def _same_level(live: Order, backtest: Order) -> bool:
    """What the backtest fills at a level or stop inside a minute, an actual account wants at the minute's close."""
    if backtest.decision_ms or not live.decision_ms or not _same_side(live, backtest):
        return False
    return backtest.time_ms < live.decision_ms <= backtest.time_ms + MINUTE_MS


def _distance(order: Order) -> Callable[[Order], int]:
    return lambda other: abs(order.time_ms - other.time_ms)


def _first(pair: Pair) -> tuple[int, str]:
    return min((order.time_ms, order.symbol) for order in pair if order is not None)
