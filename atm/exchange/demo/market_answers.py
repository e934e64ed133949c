"""Answers to public requests: exchange information, bars, book, trades, tickers, mark price and funding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from atm.exchange.demo.book import book_at, level_texts
from atm.exchange.demo.documents import Document, money
from atm.exchange.demo.market import INTERVALS, Market
from atm.exchange.demo.marks import FUNDING_PERIOD_MS, FUNDING_RATE, SECOND_MS, Read, next_funding_ms
from atm.exchange.demo.minute import Aggregate
from atm.exchange.demo.recording import Floats
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked, Handler, integer, limit, listed, times
from atm.model.interval import DAY_MS, HOUR_MS, Interval

_DEPTHS = ("5", "10", "20", "50", "100", "500", "1000")
OPEN_INTEREST_MINUTES = 480
_TRADES_BACK_MS = 2 * DAY_MS


class MarketAnswers:
    """Handlers by method and path. `find(symbol)`: the market that a request names; `info`: the exchangeInfo answer."""

    def __init__(
        self, markets: Mapping[str, Market], find: Callable[[str | None], Market], info: dict[str, Any]
    ) -> None:
        self._markets, self._find, self._info = markets, find, info
        self.handlers: dict[tuple[str, str], Handler] = {
            ("GET", "v1/ping"): lambda _: {},
            ("GET", "v3/ping"): lambda _: {},
            ("GET", "v1/time"): lambda asked: {"serverTime": asked.now_ms},
            ("GET", "v3/time"): lambda asked: {"serverTime": asked.now_ms},
            ("GET", "v1/exchangeInfo"): self._exchange_info,
            ("GET", "v1/klines"): lambda asked: self._klines(asked, asked.given.get("symbol")),
            ("GET", "v1/continuousKlines"): self._continuous_klines,
            ("GET", "v1/markPriceKlines"): lambda asked: self._derived(asked, "symbol", lambda _, mark: mark),
            ("GET", "v1/indexPriceKlines"): lambda asked: self._derived(asked, "pair", lambda index, _: index),
            ("GET", "v1/premiumIndexKlines"): lambda asked: self._derived(asked, "symbol", _premium_index),
            ("GET", "v1/depth"): self._depth,
            ("GET", "v1/rpiDepth"): self._depth,
            ("GET", "v1/openInterest"): lambda asked: open_interest(self._market(asked), asked.now_ms),
            ("GET", "v1/trades"): self._trades,
            ("GET", "v1/aggTrades"): self._aggregate_trades,
            ("GET", "v1/premiumIndex"): lambda asked: self._each(asked, premium),
            ("GET", "v1/fundingRate"): self._funding_rates,
            ("GET", "v1/fundingInfo"): lambda _: [],
            ("GET", "v1/ticker/24hr"): lambda asked: self._each(asked, day_ticker),
            ("GET", "v1/ticker/price"): lambda asked: self._each(asked, price_ticker),
            ("GET", "v2/ticker/price"): lambda asked: self._each(asked, price_ticker),
            ("GET", "v1/ticker/bookTicker"): lambda asked: self._each(asked, book_ticker),
        }

    def _market(self, asked: Asked) -> Market:
        return listed(self._find(asked.given.get("symbol")), asked.now_ms)

    def _each(self, asked: Asked, row: Callable[[Market, int], Document]) -> Any:
        if asked.given.get("symbol"):
            return row(self._market(asked), asked.now_ms)
        return [row(market, asked.now_ms) for market in self._markets.values() if market.is_listed(asked.now_ms)]

    def _exchange_info(self, asked: Asked) -> Any:
        symbols = [
            entry if self._markets[entry["symbol"]].is_listed(asked.now_ms) else {**entry, "status": "PENDING_TRADING"}
            for entry in self._info["symbols"]
        ]
        return {**self._info, "serverTime": asked.now_ms, "symbols": symbols}

    def _klines(self, asked: Asked, symbol: str | None) -> Any:
        market, interval = self._find(symbol), _interval(asked)
        start_ms, end_ms = times(asked.given)
        if market.halted_ms is not None:  # bars that are not whole would be taken for whole ones
            last_ms = interval.open_time(market.halted_ms) - 1
            end_ms = last_ms if end_ms is None else min(end_ms, last_ms)
        bars = market.history(asked.now_ms, interval, start_ms, end_ms, limit(asked.given, 500, 1500))
        return [market.kline_row(bar, interval) for bar in bars]

    def _derived(self, asked: Asked, named: str, read: Read) -> Any:
        """Rows of bars of what `read` makes of index and mark price."""
        if not asked.given.get(named):
            raise ExchangeRefusal(-1102, named)
        market, interval = self._find(asked.given[named]), _interval(asked)
        edges = market.edges(asked.now_ms, interval, *times(asked.given), limit(asked.given, 500, 1500))
        bars = market.marks.bars(edges, asked.now_ms, read)
        return [
            [
                opened,
                *map(money, bar),
                "0",
                ended - 1,
                "0",
                (min(ended, asked.now_ms) - opened) // SECOND_MS,
                "0",
                "0",
                "0",
            ]
            for bar, opened, ended in zip(bars, edges[:-1], edges[1:], strict=True)
        ]

    def _continuous_klines(self, asked: Asked) -> Any:
        pair = asked.given.get("pair")
        if not pair:
            raise ExchangeRefusal(-1102, "pair")
        if pair not in self._markets:
            raise ExchangeRefusal(-4144)
        if asked.given.get("contractType") != "PERPETUAL":
            raise ExchangeRefusal(-4104)
        return self._klines(asked, pair)

    def _depth(self, asked: Asked) -> Any:
        market, wanted = self._market(asked), asked.given.get("limit", "500")
        if wanted not in _DEPTHS:
            raise ExchangeRefusal(-4021, wanted)
        book = book_at(market, asked.now_ms)
        levels = int(wanted)
        return {"lastUpdateId": book.update_id or asked.now_ms, "E": asked.now_ms, "T": asked.now_ms,
                "bids": level_texts(market, book.bids[:levels]),
                "asks": level_texts(market, book.asks[:levels])}  # fmt: skip

    def _trades(self, asked: Asked) -> Any:
        market = self._market(asked)
        return [
            {"id": each.last_id, "price": market.price_text(each.price), "qty": market.quantity_text(each.quantity),
             "quoteQty": money(each.price * each.quantity), "time": each.time_ms, "isBuyerMaker": each.buyer_is_maker,
             "isRPITrade": False}
            for each in market.newest_aggregates(asked.now_ms, limit(asked.given, 500, 1000))
        ]  # fmt: skip

    def _aggregate_trades(self, asked: Asked) -> Any:
        market, given, now_ms = self._market(asked), asked.given, asked.now_ms
        most, (start_ms, end_ms), from_id = limit(given, 500, 1000), times(given), integer(given, "fromId")
        if start_ms is not None and end_ms is not None and end_ms - start_ms > HOUR_MS:
            raise ExchangeRefusal(-1127, 1)
        earliest_ms = max(market.start_ms, now_ms - _TRADES_BACK_MS)
        if from_id is not None:
            found = self._from_time(market, max(earliest_ms, market.minute_of_aggregate(from_id)), now_ms, most)
            found = [each for each in found if each.id >= from_id]
        elif start_ms is not None:
            last_ms = min(now_ms, end_ms) if end_ms is not None else now_ms
            found = self._from_time(market, max(earliest_ms, start_ms), last_ms, most)
        else:
            found = market.newest_aggregates(min(now_ms, end_ms) if end_ms is not None else now_ms, most)
        return [aggregate_row(market, each) for each in found[:most]]

    def _from_time(self, market: Market, from_ms: int, to_ms: int, most: int) -> list[Aggregate]:
        """At least `most` aggregates, if there are so many, from a moment on."""
        found: list[Aggregate] = []
        while from_ms <= to_ms and len(found) <= 2 * most:
            part_ms = min(to_ms, from_ms + 10 * 60_000)
            found += market.aggregates(from_ms - 1, part_ms)
            from_ms = part_ms + 1
        return found

    def _funding_rates(self, asked: Asked) -> Any:
        markets = [self._market(asked)] if asked.given.get("symbol") else list(self._markets.values())
        (start_ms, end_ms), most = times(asked.given), limit(asked.given, 100, 1000)
        rows: list[Document] = []
        for market in markets:
            first_ms = next_funding_ms(max(market.start_ms, start_ms or 0) - 1)
            last_ms = min(asked.now_ms, asked.now_ms if end_ms is None else end_ms)
            stamps = range(first_ms, last_ms + 1, FUNDING_PERIOD_MS)
            rows += [
                {"symbol": market.symbol, "fundingTime": stamp, "fundingRate": money(FUNDING_RATE),
                 "markPrice": money(market.mark(stamp)), "rateType": "Regular"}
                for stamp in (stamps[:most] if start_ms is not None else stamps[-most:])
            ]  # fmt: skip
        rows.sort(key=lambda row: row["fundingTime"])
        return rows[:most] if start_ms is not None else rows[-most:]


def _interval(asked: Asked) -> Interval:
    if not asked.given.get("interval"):
        raise ExchangeRefusal(-1102, "interval")
    interval = INTERVALS.get(asked.given["interval"])
    if interval is None:
        raise ExchangeRefusal(-1120)
    return interval


def _premium_index(index: Floats, mark: Floats) -> Floats:
    return mark / index - 1.0


def aggregate_row(market: Market, each: Aggregate) -> Document:
    """An aggregate trade, as in aggTrades and in the aggTrade stream."""
    quantity = market.quantity_text(each.quantity)
    return {"a": each.id, "p": market.price_text(each.price), "q": quantity, "nq": quantity, "f": each.first_id,
            "l": each.last_id, "T": each.time_ms, "m": each.buyer_is_maker}  # fmt: skip


def premium(market: Market, now_ms: int) -> Document:
    """One row of premiumIndex. The funding rate of this market is constant."""
    rate, index = money(FUNDING_RATE), money(market.index(now_ms))
    return {"symbol": market.symbol, "markPrice": money(market.mark(now_ms)), "indexPrice": index,
            "estimatedSettlePrice": index, "lastFundingRate": rate, "interestRate": rate,
            "nextFundingTime": next_funding_ms(now_ms), "time": now_ms}  # fmt: skip


def price_ticker(market: Market, now_ms: int) -> Document:
    """One row of ticker/price."""
    return {"symbol": market.symbol, "price": market.price_text(market.price(now_ms)), "time": now_ms}


def open_interest(market: Market, now_ms: int) -> Document:
    """An openInterest answer: so many minutes of the last hour's volume are held open. The market has no traders to ask."""
    held = market.typical_units(now_ms) / 10**market.quantity_decimals * OPEN_INTEREST_MINUTES
    return {"openInterest": market.quantity_text(held), "symbol": market.symbol, "time": now_ms}


def book_ticker(market: Market, now_ms: int) -> Document:
    """One row of ticker/bookTicker."""
    book = book_at(market, now_ms, 1)
    (bid,), (ask,) = level_texts(market, book.bids), level_texts(market, book.asks)
    return {"symbol": market.symbol, "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1],
            "time": now_ms}  # fmt: skip


def day_ticker(market: Market, now_ms: int) -> Document:
    """One row of ticker/24hr."""
    day = market.day(now_ms)
    bar, change = day.bar, day.bar.close - day.bar.open
    mean = bar.quote_volume / bar.volume if bar.volume else bar.close
    price, quantity = market.price_text, market.quantity_text
    return {
        "symbol": market.symbol, "priceChange": price(round(change, 8)),
        "priceChangePercent": f"{change / bar.open * 100:.3f}", "weightedAvgPrice": price(round(mean, 8)),
        "lastPrice": price(bar.close), "lastQty": quantity(day.last_quantity), "openPrice": price(bar.open),
        "highPrice": price(bar.high), "lowPrice": price(bar.low), "volume": quantity(bar.volume),
        "quoteVolume": money(bar.quote_volume), "openTime": day.start_ms, "closeTime": now_ms, "firstId": day.first_id,
        "lastId": day.last_id, "count": int(bar.trades),
    }  # fmt: skip
