"""Levels of an order book put together by price, with what lies up to each of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MULTIPLES = (1, 10, 100, 1_000)
"""How many ticks one row may cover."""
_ROUNDING = 1e-6
"""Part of a row's height by which a price may miss its edge and still lie on it."""

Level = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """price: the edge of the row that lies farthest from the spread; total: of this row and all nearer ones."""

    price: float
    quantity: float
    total: float


def rows_of(levels: Iterable[Level], step: float, is_bid: bool, most: int) -> list[Row]:
    """The nearest `most` rows of a side, nearest first, each `step` high: bids are rounded down, asks up, so that a row holds what
    can be had at its price or better. levels: (price, quantity), best first; step > 0."""
    rows: list[Row] = []
    place, quantity, total = 0, 0.0, 0.0
    for price, amount in levels:
        at = price / step
        now = math.floor(at + _ROUNDING) if is_bid else math.ceil(at - _ROUNDING)
        if quantity and now != place:
            rows.append(Row(place * step, quantity, total))
            if len(rows) == most:
                return rows
            quantity = 0.0
        place = now
        quantity += amount
        total += amount
    if quantity and len(rows) < most:
        rows.append(Row(place * step, quantity, total))
    return rows
