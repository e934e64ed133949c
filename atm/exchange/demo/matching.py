"""What an order takes from the book at once, and what it does to own orders on the other side. Pure."""

from __future__ import annotations

import msgspec

from atm.exchange.demo.account import Account, Order
from atm.exchange.demo.book import Book, price_of
from atm.exchange.demo.market import Market
from atm.exchange.demo.order_form import PRICE_MATCHES
from atm.exchange.demo.refusal import ExchangeRefusal

_PREVENTING = ("GTC", "IOC", "GTD")


class Matching(msgspec.Struct, frozen=True):
    """(price, quantity) of each level that is taken; own resting orders that expire for it; whether the taker expires."""

    fills: list[tuple[float, float]]
    makers: list[Order] = []
    taker_expires: bool = False

    @property
    def quantity(self) -> float:
        return sum(quantity for _, quantity in self.fills)

    @property
    def average(self) -> float:
        """Mean price of what is taken, 0 for nothing."""
        return sum(price * quantity for price, quantity in self.fills) / self.quantity if self.fills else 0.0


def matched(account: Account, order: Order, market: Market, book: Book, limit: float) -> Matching:
    """What the open quantity of an order takes at prices up to `limit`, own orders on the other side considered."""
    scale = 10**market.quantity_decimals
    rest, fills = round(order.rest * scale), []
    for ticks, units in book.asks if order.sign > 0 else book.bids:
        price = price_of(market, ticks)
        if rest <= 0 or (price - limit) * order.sign > market.tick * 1e-6:
            break
        fills.append((price, min(rest, units) / scale))
        rest -= units
    return _prevented(account, order, fills)


def _prevented(account: Account, order: Order, fills: list[tuple[float, float]]) -> Matching:
    """Self-trade prevention by the taker's mode. Own orders do not stand in the replayed book: they are met where their
    price is reached."""
    if not fills or order.prevention == "NONE" or order.time_in_force not in _PREVENTING:
        return Matching(fills)
    worst = fills[-1][0]
    met = [
        held
        for held in account.open_orders.values()
        if held.symbol == order.symbol and held.sign == -order.sign and (float(held.price) - worst) * order.sign <= 0
    ]
    if not met:
        return Matching(fills)
    if order.prevention == "EXPIRE_MAKER":
        return Matching(fills, met)
    best = min(met, key=lambda held: float(held.price) * order.sign)
    before = [fill for fill in fills if (fill[0] - float(best.price)) * order.sign < 0]
    return Matching(before, [best] if order.prevention == "EXPIRE_BOTH" else [], taker_expires=True)


def price_from_book(match: str, sign: int, market: Market, book: Book) -> str:
    """The price that a price match names, for an order to buy (sign 1) or to sell (−1). Raises ExchangeRefusal(-5041)."""
    opposite, level = PRICE_MATCHES[match]
    levels = book.asks if (sign > 0) == opposite else book.bids
    if len(levels) < level:
        raise ExchangeRefusal(-5041)
    return market.price_text(price_of(market, levels[level - 1][0]))


def by_priority(orders: list[Order]) -> list[Order]:
    """Resting orders of one side: the best price first, then the one that waits longest."""
    return sorted(orders, key=lambda order: -float(order.price) * order.sign)


def is_passed(order: Order, low: float, high: float) -> bool:
    """Whether the price goes through that of a resting order: at its price alone the orders before it are filled."""
    price = float(order.price)
    return low < price if order.sign > 0 else high > price
