"""The order book around the last price: one tick between the best prices, quantities drawn from the time.

The near levels are drawn anew every second. Those behind them keep their quantity for two minutes, each from a moment of its
own, so that few levels change at a time. Everything is a function of time: what has changed between two moments
(`changes`) needs no book of before.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from atm.exchange.demo.market import Market
from atm.model.interval import MINUTE_MS

MOST_LEVELS = 1_000
SHARE_OF_MINUTE = 0.1
"""Mean quantity of the best level: this share of what is traded in a minute."""
NEAR_LEVELS = 20
FAR_PERIOD_MS = 120_000
WIDEST = 20_000
"""A change of the book over a wider range of prices than this is not told."""
_GROWTH = 0.05
_MIX, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)

Level = tuple[int, int]
"""Price in ticks, quantity in units of the last decimal of a quantity."""
Integers = NDArray[np.int64]


class Book(msgspec.Struct, frozen=True):
    """Levels of both sides, best first. update_id: what it has of an exchange that told it, else 0."""

    bids: list[Level]
    asks: list[Level]
    update_id: int = 0


def book_at(market: Market, now_ms: int, levels: int = MOST_LEVELS) -> Book:
    """The book at a moment."""
    if (told := market.told_book(now_ms)) is not None:
        return Book(_in_units(market, told.bids[:levels]), _in_units(market, told.asks[:levels]), told.update_id)
    bid = best_bid(market, now_ms)
    near = min(levels, NEAR_LEVELS)
    bids = list(zip(range(bid, max(0, bid - near), -1), _near_units(market, now_ms, 0, near), strict=False))
    asks = list(zip(range(bid + 1, bid + 1 + near), _near_units(market, now_ms, 1, near), strict=True))
    if levels > near:
        below = np.arange(bid - near, max(0, bid - levels), -1)
        above = np.arange(bid + 1 + near, bid + 1 + levels)
        bids += _levels(below, _far_units(market, now_ms, below))
        asks += _levels(above, _far_units(market, now_ms, above))
    return Book(bids, asks)


def changes(market: Market, after_ms: int, to_ms: int) -> Book | None:
    """Every level that was another at any moment in (after_ms, to_ms], with its quantity at to_ms (0: gone); None if prices
    went over more than `WIDEST` ticks. Applied to the book of any moment in [after_ms, to_ms] it gives that at to_ms."""
    bid, low, high = _bids_between(market, after_ms, to_ms)
    if high - low > WIDEST:
        return None
    prices = np.arange(max(1, low - MOST_LEVELS + 1), high + MOST_LEVELS + 1)
    moved = low != high
    phases = _drawn(market, prices, 0, FAR_PERIOD_MS)
    touched = (after_ms + phases) // FAR_PERIOD_MS != (to_ms + phases) // FAR_PERIOD_MS
    if moved or after_ms // 1000 != to_ms // 1000:
        touched |= (prices > low - NEAR_LEVELS) & (prices <= high + NEAR_LEVELS)
    if moved:
        touched |= (prices <= high - MOST_LEVELS + 1) | (prices >= low + MOST_LEVELS)
    prices = prices[touched]
    sides = []
    for side, found in enumerate((prices[prices <= high][::-1], prices[prices > low])):
        level = bid - found if side == 0 else found - bid - 1
        inside = (level >= 0) & (level < MOST_LEVELS)
        units = np.zeros(len(found), dtype=np.int64)
        is_near, is_far = inside & (level < NEAR_LEVELS), inside & (level >= NEAR_LEVELS)
        units[is_near] = np.array(_near_units(market, to_ms, side, NEAR_LEVELS))[level[is_near]]
        units[is_far] = _far_units(market, to_ms, found[is_far])
        sides.append(_levels(found, units))
    bids, asks = sides
    return Book(bids, asks)


def best_bid(market: Market, now_ms: int) -> int:
    """Best bid in ticks. The last trade was at the best bid if its taker sold, else at the best ask."""
    minute = market.minute(now_ms)
    last = minute.traded(minute.bar.open_time - 1, now_ms)
    ticks = round(minute.price(now_ms) / market.tick)
    return ticks if last and last[-1].buyer_is_maker else ticks - 1


def _bids_between(market: Market, after_ms: int, to_ms: int) -> tuple[int, int, int]:
    """Best bid at `to_ms`, and a lowest and highest one that it did not leave in [after_ms, to_ms]; these differ if it moved."""
    bid, before = best_bid(market, to_ms), best_bid(market, after_ms)
    moves = [round(price / market.tick) for _, price in market.moves(after_ms, to_ms)]
    if not moves and bid == before and len(market.aggregates(after_ms, to_ms)) < 2:
        return bid, bid, bid
    moves.append(round(market.price(after_ms) / market.tick))
    return bid, min(moves) - 1, max(moves)


def _levels(prices: Integers, units: Integers) -> list[Level]:
    return list(zip(prices.tolist(), units.tolist(), strict=True))


def _step(market: Market) -> int:
    """The step of quantities in units."""
    return round(float(market.instrument.step_size) * 10.0**market.quantity_decimals)


def _near_units(market: Market, now_ms: int, side: int, levels: int) -> list[int]:
    """Units of the first levels of one side (0 bids, 1 asks)."""
    step, second = _step(market), now_ms // 1000 * 2_654_435_761
    typical = market.typical_units(now_ms) * SHARE_OF_MINUTE / step
    units = []
    for level in range(levels):
        drawn = (second + level * 40_503 + side * 97_561) % 1000 / 1000
        units.append(max(1, round(typical * (1 + _GROWTH * level) * (0.5 + drawn))) * step)
    return units


def _far_units(market: Market, now_ms: int, prices: Integers) -> Integers:
    """Units at far prices, as of the minute in which each was drawn: they grow with the distance from its opening price."""
    if not len(prices):
        return prices
    phases = _drawn(market, prices, 0, FAR_PERIOD_MS)
    epochs = (now_ms + phases) // FAR_PERIOD_MS
    ordinals = np.maximum(0, (epochs * FAR_PERIOD_MS - phases - market.start_ms) // MINUTE_MS)
    first = int(ordinals.min())
    begun = [market.start_ms + ordinal * MINUTE_MS for ordinal in range(first, int(ordinals.max()) + 1)]
    opened = np.array([round(market.minute(ms).prices[0] / market.tick) for ms in begun])
    typical = np.array([market.typical_units(ms) for ms in begun])
    away = np.clip(np.abs(prices - opened[ordinals - first]), NEAR_LEVELS, MOST_LEVELS)
    step = _step(market)
    sizes = typical[ordinals - first] * (SHARE_OF_MINUTE / step) * (1 + _GROWTH * away)
    drawn = _drawn(market, prices, epochs, 1000) / 1000
    units: Integers = np.maximum(1, np.rint(sizes * (0.5 + drawn))).astype(np.int64) * step
    return units


def _drawn(market: Market, prices: Integers, epochs: Integers | int, range_: int) -> Integers:
    """A number in 0 … range_ − 1 for each price and epoch, always the same one."""
    mixed = (prices + (np.asarray(epochs) << 24) + market.seed).astype(np.uint64) * _MIX
    mixed = (mixed ^ (mixed >> _SHIFT)) * _STIR
    drawn: Integers = ((mixed ^ (mixed >> _SHIFT)) % np.uint64(range_)).astype(np.int64)
    return drawn


def _in_units(market: Market, levels: tuple[tuple[float, float], ...]) -> list[Level]:
    scale = 10**market.quantity_decimals
    return [(round(price / market.tick), round(quantity * scale)) for price, quantity in levels]


def price_of(market: Market, ticks: int) -> float:
    """The price of so many ticks."""
    return round(ticks * market.tick, market.price_decimals)


def level_texts(market: Market, levels: list[Level]) -> list[list[str]]:
    """Levels as price and quantity texts."""
    tick, scale = market.tick, 10**market.quantity_decimals
    price, quantity = f".{market.price_decimals}f", f".{market.quantity_decimals}f"
    return [[format(ticks * tick, price), format(units / scale, quantity)] for ticks, units in levels]
