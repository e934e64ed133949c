"""The trades of one recorded minute: a path of prices, and quantities that add up to the bar.

The price runs open → nearer extreme → other extreme → close and reaches the extremes after a quarter and three quarters.
At each point of the path a buyer and a seller may trade. Quantities are whole steps and prices whole ticks, so the sums
are exact: volume, taker buy volume and number of trades always, quote volumes whenever such quantities exist (a recorded
minute of the exchange nearly always has them). The draw is seeded: the same minute always has the same trades.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

import msgspec

from atm.model.bars import Bar
from atm.model.interval import MINUTE_MS

FIRST_EXTREME_MS, SECOND_EXTREME_MS, CLOSE_MS = 15_000, 45_000, MINUTE_MS - 1
BETWEEN = (3, 4, 3)
"""Points of the path between its corners."""
AGGREGATES = 100
"""Numbers set aside for the aggregate trades of a minute; there are at most 28."""


class Grid(msgspec.Struct, frozen=True):
    """Decimals of prices and quantities, and the tick in units of the last decimal of a price."""

    price_decimals: int
    quantity_decimals: int
    tick_points: int


class Aggregate(msgspec.Struct, frozen=True, gc=False):
    """Trades at one price, by takers of one side, at one moment."""

    id: int
    price: float
    quantity: float
    first_id: int
    last_id: int
    time_ms: int
    buyer_is_maker: bool


class _Entry(msgspec.Struct, gc=False):
    ms: int
    points: int
    bought: bool
    units: int
    trades: int = 1


class Minute:
    """One minute as it is traded. `times`, `prices`: the path, ascending; the first is the open."""

    def __init__(self, bar: Bar, ordinal: int, first_trade_id: int, grid: Grid, seed: int) -> None:
        self.bar = bar
        draw = random.Random(seed * 1_000_003 + ordinal)  # a market to look at, no secret
        scale, unit = float(10**grid.price_decimals), float(10**grid.quantity_decimals)
        path = _path(bar, grid, draw)
        entries = _entries(bar, path, grid, draw)
        # A point at which nobody trades in the end is none, but for the prices of a bar with fewer trades than prices.
        kept = {entry.ms for entry in entries} | {path[place][0] for place in _corners(path)}
        path = [point for point in path if point[0] in kept]
        self.times = [bar.open_time + ms for ms, _ in path]
        self.prices = [points / scale for _, points in path]
        self.aggregates: list[Aggregate] = []
        for place, entry in enumerate(entries):
            last_id = first_trade_id + entry.trades - 1
            self.aggregates.append(
                Aggregate(
                    ordinal * AGGREGATES + place, entry.points / scale, entry.units / unit, first_trade_id, last_id,
                    bar.open_time + entry.ms, not entry.bought,
                )
            )  # fmt: skip
            first_trade_id = last_id + 1
        self._add_up(grid)

    def _add_up(self, grid: Grid) -> None:
        """Sums of the first 0, 1, 2 … aggregates."""
        scale, unit = float(10**grid.price_decimals), float(10**grid.quantity_decimals)
        traded = [
            (
                round(each.quantity * unit),
                round(each.price * scale),
                each.last_id - each.first_id + 1,
                not each.buyer_is_maker,
            )
            for each in self.aggregates
        ]
        self._traded = [aggregate.time_ms for aggregate in self.aggregates]
        self._sums = list(
            zip(
                _sums(units for units, _, _, _ in traded),
                _sums(units * points for units, points, _, _ in traded),
                _sums(trades for _, _, trades, _ in traded),
                _sums(units * bought for units, _, _, bought in traded),
                _sums(units * points * bought for units, points, _, bought in traded),
                strict=True,
            )
        )
        self._unit, self._both = unit, scale * unit

    def price(self, ms: int) -> float:
        """Last price at a moment of this minute."""
        return self.prices[max(0, bisect_right(self.times, ms) - 1)]

    def moves(self, after_ms: int, to_ms: int) -> list[tuple[int, float]]:
        """(time, price) of the path with after_ms < time <= to_ms."""
        first, stop = bisect_right(self.times, after_ms), bisect_right(self.times, to_ms)
        return list(zip(self.times[first:stop], self.prices[first:stop], strict=True))

    def traded(self, after_ms: int, to_ms: int) -> list[Aggregate]:
        """Aggregate trades with after_ms < time <= to_ms."""
        return self.aggregates[bisect_right(self._traded, after_ms) : bisect_right(self._traded, to_ms)]

    def running(self, ms: int) -> Bar:
        """The bar as it stands at a moment of this minute."""
        prices = self.prices[: max(1, bisect_right(self.times, ms))]
        volume, quote, trades, bought, bought_quote = self._sums[bisect_right(self._traded, ms)]
        return Bar(
            self.bar.open_time, prices[0], max(prices), min(prices), prices[-1], volume / self._unit, quote / self._both,
            float(trades), bought / self._unit, bought_quote / self._both,
        )  # fmt: skip


class RecordedMinute(Minute):
    """One minute as it was traded: its trades, and between them the price of the last one."""

    def __init__(self, bar: Bar, aggregates: list[Aggregate], grid: Grid) -> None:
        self.bar, self.aggregates = bar, aggregates
        self.times = [bar.open_time, *(each.time_ms for each in aggregates)]
        self.prices = [bar.open, *(each.price for each in aggregates)]
        self._add_up(grid)


def _sums(values: Iterable[int]) -> list[int]:
    """Sums of the first 0, 1, 2 … values."""
    return list(accumulate(values, initial=0))


def _path(bar: Bar, grid: Grid, draw: random.Random) -> list[tuple[int, int]]:
    """(ms within the minute, price in points) ascending. As few points between the corners as there are trades."""
    scale = 10**grid.price_decimals
    opened, high, low, close = (round(price * scale) for price in (bar.open, bar.high, bar.low, bar.close))
    nearer, other = (high, low) if high - opened <= opened - low else (low, high)
    corners = ((0, opened), (FIRST_EXTREME_MS, nearer), (SECOND_EXTREME_MS, other), (CLOSE_MS, close))
    if bar.trades < 1:
        return [corner for place, corner in enumerate(corners) if place == 0 or corner[1] != corners[place - 1][1]]
    path = [corners[0]]
    room = int(bar.trades) // 2 - len(corners)
    for count, (from_ms, start), (to_ms, end) in zip(BETWEEN, corners[:-1], corners[1:], strict=True):
        times = sorted({draw.randrange(from_ms + 500, to_ms - 500) for _ in range(max(0, min(count, room)))})
        room -= len(times)
        for ms in times:
            straight = start + (end - start) * (ms - from_ms) / (to_ms - from_ms)
            strayed = straight + (draw.random() - 0.5) * 0.3 * (high - low)
            points = opened + round((strayed - opened) / grid.tick_points) * grid.tick_points
            path.append((ms, min(high, max(low, points))))
        path.append((to_ms, end))
    return path


def _entries(bar: Bar, path: list[tuple[int, int]], grid: Grid, draw: random.Random) -> list[_Entry]:
    """Who trades how much at which point of the path."""
    unit, both = 10**grid.quantity_decimals, 10 ** (grid.price_decimals + grid.quantity_decimals)
    volume, quote = round(bar.volume * unit), round(bar.quote_volume * both)
    bought, bought_quote = min(round(bar.taker_buy_volume * unit), volume), round(bar.taker_buy_quote_volume * both)
    most = min(int(bar.trades), volume, 2 * len(path))
    if most < 1:
        return []
    sold, sold_quote = volume - bought, quote - bought_quote
    buys = 0 if bought == 0 else max(1, min(round(most * bought / volume), bought, len(path), most - (sold > 0)))
    sells = min(most - buys, sold, len(path))
    means = (bought_quote / bought if buys else 0.0, sold_quote / sold if sells else 0.0)
    entries: list[_Entry] = []
    sides = ((True, bought, bought_quote), (False, sold, sold_quote))
    for (is_buy, units, amount), places in zip(sides, _dealt(path, (buys, sells), means), strict=True):
        offers = [_Offer(path[place][1], int(must), 0.3 + draw.random()) for place, must in places]
        shares = _allotted(offers, units, amount)
        entries += [
            _Entry(*path[place], is_buy, share) for (place, _), share in zip(places, shares, strict=True) if share
        ]
    before = {ms: price for (ms, _), (_, price) in zip(path[1:], path, strict=False)}
    entries.sort(key=lambda entry: (entry.ms, entry.bought == (entry.points >= before.get(entry.ms, entry.points))))
    _count_trades(entries, int(bar.trades), volume)
    return entries


def _count_trades(entries: list[_Entry], trades: int, volume: int) -> None:
    """Share the trades of the minute among its aggregates: at least one each, at most one a step."""
    extra, spare = trades - len(entries), volume - len(entries)
    if spare > 0:
        for entry in entries:
            entry.trades += extra * (entry.units - 1) // spare
    missing = trades - sum(entry.trades for entry in entries)
    max(entries, key=lambda entry: entry.units - entry.trades).trades += missing


def _corners(path: list[tuple[int, int]]) -> list[int]:
    """Points of the path that stand for the four prices of the bar. Extremes that are not open or close come first: with too
    few trades for all, a bar's range is missed last."""
    places, ends = range(len(path)), (len(path) - 1, 0)
    extremes = [choose(places, key=lambda at: path[at][1]) for choose in (max, min)]
    at_ends = {path[end][1] for end in ends}
    return list(dict.fromkeys([*(place for place in extremes if path[place][1] not in at_ends), *ends]))


def _dealt(
    path: list[tuple[int, int]], room: tuple[int, int], means: tuple[float, float]
) -> tuple[list[tuple[int, bool]], list[tuple[int, bool]]]:
    """(point of the path, whether something must be traded there) for so many buying and selling aggregates. Each of the
    four prices of the bar is traded by the side whose mean price is nearer."""
    places, corners = range(len(path)), _corners(path)
    sides: tuple[dict[int, bool], dict[int, bool]] = ({}, {})
    for place in corners:
        price = path[place][1]
        side = 0 if abs(price - means[0]) <= abs(price - means[1]) else 1
        side = side if len(sides[side]) < room[side] else 1 - side
        if len(sides[side]) < room[side]:
            sides[side][place] = True
    for side, taken in enumerate(sides):
        for place in [*corners, *places]:
            if len(taken) < room[side]:
                taken.setdefault(place, False)
    return sorted(sides[0].items()), sorted(sides[1].items())


class _Offer(msgspec.Struct, gc=False):
    price: int
    least: int
    weight: float


def _allotted(offers: list[_Offer], units: int, amount: int) -> list[int]:
    """Whole quantities, at least those that must be, whose sum is `units` and whose worth is as near to `amount` as it can
    be: drawn by weight, pulled towards the prices beyond the mean that is wanted, then settled unit by unit."""
    if not offers:
        return []
    free = units - sum(offer.least for offer in offers)
    total = sum(offer.weight for offer in offers)
    shares = [offer.weight / total for offer in offers]
    if free > 0:
        wanted = (amount - sum(offer.least * offer.price for offer in offers)) / free
        mean = sum(share * offer.price for share, offer in zip(shares, offers, strict=True))
        beyond = [offer.price >= wanted if wanted > mean else offer.price <= wanted for offer in offers]
        if not any(beyond):
            edge = (max if wanted > mean else min)(offer.price for offer in offers)
            beyond = [offer.price == edge for offer in offers]
        count = sum(beyond)
        target = sum(offer.price for offer, inside in zip(offers, beyond, strict=True) if inside) / count
        pull = min(1.0, max(0.0, (wanted - mean) / (target - mean))) if target != mean else 0.0
        shares = [(1 - pull) * share + pull * inside / count for share, inside in zip(shares, beyond, strict=True)]
    exact = [free * share for share in shares]
    found = [offer.least + int(value) for offer, value in zip(offers, exact, strict=True)]
    by_rest = sorted(range(len(offers)), key=lambda at: int(exact[at]) - exact[at])
    for place in range(units - sum(found)):
        found[by_rest[place % len(by_rest)]] += 1
    _settle(offers, found, amount)
    return found


def _settle(offers: list[_Offer], units: list[int], amount: int) -> None:
    """Move whole units between prices until their worth is `amount`, or no move brings it nearer."""
    missing = amount - sum(offer.price * count for offer, count in zip(offers, units, strict=True))
    if missing == 0:
        return
    places = range(len(offers))
    steps = ((offers[to].price - offers[at].price, at, to) for at in places for to in places)
    for step, at, to in sorted((each for each in steps if each[0] > 0), reverse=True):
        source, target = (at, to) if missing > 0 else (to, at)
        moved = min(abs(missing) // step, units[source] - offers[source].least)
        units[source] -= moved
        units[target] += moved
        missing -= moved * step if missing > 0 else -moved * step
        if missing == 0:
            return
