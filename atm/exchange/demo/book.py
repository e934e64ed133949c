"""The order book around the last price: one tick between the best prices, quantities drawn from the time."""

from __future__ import annotations

import msgspec

from atm.exchange.demo.market import Market

MOST_LEVELS = 1_000
SHARE_OF_MINUTE = 0.1
"""Mean quantity of the best level: this share of what is traded in a minute."""
_GROWTH = 0.05

Level = tuple[int, int]
"""Price in ticks, quantity in units of the last decimal of a quantity."""


class Book(msgspec.Struct, frozen=True):
    """Levels of both sides, best first."""

    bids: list[Level]
    asks: list[Level]


def book_at(market: Market, now_ms: int, levels: int = MOST_LEVELS) -> Book:
    """The book at a moment. The last trade was at the best bid if its taker sold, else at the best ask."""
    minute = market.minute(now_ms)
    last = minute.traded(minute.bar.open_time - 1, now_ms)
    ticks = round(minute.price(now_ms) / market.tick)
    bid = ticks if last and last[-1].buyer_is_maker else ticks - 1
    step = round(float(market.instrument.step_size) * 10**market.quantity_decimals)
    typical = market.typical_units(now_ms) * SHARE_OF_MINUTE / step
    second = now_ms // 1000 * 2_654_435_761
    sides: tuple[list[Level], list[Level]] = ([], [])
    for level in range(levels):
        size = typical * (1 + _GROWTH * level)
        for side, price in enumerate((bid - level, bid + 1 + level)):
            drawn = (second + level * 40_503 + side * 97_561) % 1000 / 1000
            if price > 0:
                sides[side].append((price, max(1, round(size * (0.5 + drawn))) * step))
    return Book(*sides)


def price_of(market: Market, ticks: int) -> float:
    """The price of so many ticks."""
    return round(ticks * market.tick, market.price_decimals)


def level_texts(market: Market, levels: list[Level]) -> list[list[str]]:
    """Levels as price and quantity texts."""
    tick, scale = market.tick, 10**market.quantity_decimals
    price, quantity = f".{market.price_decimals}f", f".{market.quantity_decimals}f"
    return [[format(ticks * tick, price), format(units / scale, quantity)] for ticks, units in levels]
