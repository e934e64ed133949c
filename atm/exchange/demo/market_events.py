"""What the market streams say, stream by stream (spec: exchange §2.3). Nothing is computed of a stream that nobody hears."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from atm.exchange.demo.book import Book, book_at, changes, level_texts
from atm.exchange.demo.documents import Document, money
from atm.exchange.demo.market import INTERVALS, Market, number
from atm.exchange.demo.market_answers import aggregate_row, book_ticker, day_ticker
from atm.exchange.demo.marks import FUNDING_RATE, next_funding_ms
from atm.model.bars import Bar
from atm.model.instrument import Instrument
from atm.model.interval import MINUTE_MS, Interval

PUBLIC = re.compile(r"!bookTicker|[^@]+@(bookTicker|depth(5|10|20)?(@\d+ms)?)")
HALTED = "TRADING_HALT"
LONGEST_CHANGE_MS = 10 * MINUTE_MS
"""After a longer silence the differences of a book begin anew, with a gap that its followers notice."""
_DEPTH = re.compile(r"depth(5|10|20|)(?:@(100|250|500)ms)?")
_DEFAULT_DEPTH_MS = 250
_SECOND_MS = 1_000
_MARK_PERIOD_MS = 3_000
_MOST_MARKS = 5
"""A step of more seconds (beyond 20-fold speed) tells the mark prices of those alone that make the bars of its minutes."""
_TICKER_PERIOD_MS, _BOOK_TICKERS_PERIOD_MS = 2_000, 5_000
_MOST_LIQUIDATIONS = 1_000
_DAY_CODES = {
    "c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume",
}  # fmt: skip
_TICKER_CODES = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "Q": "lastQty", "O": "openTime",
    "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip

Events = list[Document] | list[list[Document]]
Told = Document | list[Document] | msgspec.Raw
"""A payload, made or as it was recorded."""


class MarketEvents:
    """Events of all market streams. A difference of a book links to the one before it on its stream, so what was said last is
    remembered as long as a stream is heard; so are liquidations until the second in which they are told is over."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = markets
        self._told_ms: dict[str, int] = {}
        self._halted: set[str] = set()
        self._liquidated: dict[tuple[str, int], Document] = {}

    def liquidated(self, event: Document) -> None:
        """A position was taken over (a forceOrder event): the largest of a symbol within a second is told when it is over."""
        order = event["o"]
        key = order["s"], order["T"] // _SECOND_MS
        before = self._liquidated.get(key)
        if before is None or float(order["q"]) > float(before["o"]["q"]):
            self._liquidated[key] = event
        if len(self._liquidated) > _MOST_LIQUIDATIONS:
            del self._liquidated[next(iter(self._liquidated))]

    def between(self, streams: Iterable[str], after_ms: int, ms: int) -> list[tuple[str, Told]]:
        """(stream, event) for each event of these streams: the market has gone from `after_ms` to `ms`. Trades and mark prices
        come before the bar that they close."""
        wanted = set(streams)
        self._told_ms = {stream: told for stream, told in self._told_ms.items() if stream in wanted}
        found: list[tuple[str, Told]] = []
        for stream in sorted(wanted, key=_rank):
            found += [(stream, event) for event in self._of(stream, after_ms, ms)]
        self._liquidated = {key: event for key, event in self._liquidated.items() if key[1] >= ms // _SECOND_MS}
        return found

    def _of(self, stream: str, after_ms: int, ms: int) -> Events:
        if stream.startswith("!"):
            return self._of_all(stream, after_ms, ms)
        name, _, kind = stream.partition("@")
        continuous = kind.startswith("continuousKline_")
        market = self._markets.get(name.removesuffix("_perpetual").upper() if continuous else name.upper())
        if market is None or not market.is_trading(ms):
            return []
        if kind.startswith("kline_") or continuous:
            return _klines(market, kind.partition("_")[2], after_ms, ms, continuous)
        if kind == "aggTrade":
            return [
                {"e": "aggTrade", "E": ms, "s": market.symbol, **aggregate_row(market, each), "st": 1}
                for each in market.aggregates(after_ms, ms)
            ]
        if kind == "bookTicker":
            return [_book_ticker(market, ms)]
        if kind == "forceOrder":
            return self._liquidations(after_ms, ms, market.symbol)
        if kind == "markPrice@1s":
            return [_mark(market, second) for second in market.marks.telling(after_ms, ms, _MOST_MARKS)]
        if kind == "markPrice":
            return [_mark(market, ms)] if _passes(after_ms, ms, _MARK_PERIOD_MS) else []
        if kind in ("ticker", "miniTicker"):
            return [_ticker(market, ms, kind)] if _passes(after_ms, ms, _TICKER_PERIOD_MS) else []
        depth = _DEPTH.fullmatch(kind)
        if depth is None or not _passes(after_ms, ms, int(depth[2] or _DEFAULT_DEPTH_MS)):
            return []
        return [self._depth(market, stream, after_ms, ms, int(depth[1] or 0))]

    def _of_all(self, stream: str, after_ms: int, ms: int) -> Events:
        kind = stream[1:].removesuffix("@arr")
        listed = [market for market in self._markets.values() if market.is_trading(ms)]
        if kind == "bookTicker":
            due = _passes(after_ms, ms, _BOOK_TICKERS_PERIOD_MS)
            return [_book_ticker(market, ms) for market in listed] if due else []
        if kind == "forceOrder":
            return self._liquidations(after_ms, ms)
        if kind == "contractInfo":
            new = [market for market in listed if not market.is_listed(after_ms)]
            found = [contract_info(market.instrument, ms, with_brackets=True) for market in new]
            return found + self._status_changes(ms)
        if kind == "markPrice@arr@1s":
            seconds = {each for market in listed for each in market.marks.telling(after_ms, ms, _MOST_MARKS)}
            return [[_mark(market, second) for market in listed] for second in sorted(seconds)]
        rows: list[Document] = []
        if kind == "markPrice" and _passes(after_ms, ms, _MARK_PERIOD_MS):
            rows = [_mark(market, ms) for market in listed]
        elif kind in ("ticker", "miniTicker") and _passes(after_ms, ms, _SECOND_MS):
            since_ms = after_ms - after_ms % _SECOND_MS
            rows = [_ticker(market, ms, kind) for market in listed if market.aggregates(since_ms, ms)]
        return [rows] if rows else []

    def _status_changes(self, ms: int) -> list[Document]:
        """Symbols that were suspended, or are traded again, since the last time that somebody heard of it."""
        halted = {market.symbol for market in self._markets.values() if market.halted_ms is not None}
        changed, self._halted = halted ^ self._halted, halted
        return [
            contract_info(self._markets[symbol].instrument, ms, False, HALTED if symbol in halted else "TRADING")
            for symbol in sorted(changed)
        ]

    def _liquidations(self, after_ms: int, ms: int, symbol: str = "") -> list[Document]:
        """Those of the seconds that have ended in (after_ms, ms]."""
        return [
            {**event, "E": ms}
            for (named, second), event in self._liquidated.items()
            if symbol in ("", named) and after_ms < (second + 1) * _SECOND_MS <= ms
        ]

    def _depth(self, market: Market, stream: str, after_ms: int, ms: int, levels: int) -> Document:
        told_ms = self._told_ms.get(stream, after_ms)
        if not after_ms - LONGEST_CHANGE_MS <= told_ms <= after_ms:
            told_ms = after_ms
        self._told_ms[stream] = ms
        if levels:
            return _depth_update(market, told_ms, ms, book_at(market, ms, levels))
        book = changes(market, told_ms, ms) if market.is_listed(told_ms) and ms - told_ms < LONGEST_CHANGE_MS else None
        if book is None:
            return _depth_update(market, ms - 1, ms, Book([], []))
        return _depth_update(market, told_ms, ms, book)


def contract_info(instrument: Instrument, ms: int, with_brackets: bool, status: str = "TRADING") -> Document:
    """A contractInfo event: a listing, another status, or (with brackets) other brackets."""
    event: Document = {
        "e": "contractInfo", "E": ms, "s": instrument.symbol, "ps": instrument.symbol, "ct": "PERPETUAL",
        "dt": 4_133_404_800_000, "ot": instrument.onboard_ms, "cs": status,
    }  # fmt: skip
    if with_brackets:
        event["bks"] = [
            {"bs": place, "bnf": row.notional_floor, "bnc": row.notional_cap, "mmr": row.maintenance_margin_rate,
             "cf": row.cumulative, "mi": below.max_leverage + 1 if below else 1, "ma": row.max_leverage}
            for place, (row, below) in enumerate(
                zip(instrument.brackets, (*instrument.brackets[1:], None), strict=True), 1
            )
        ]  # fmt: skip
    return {**event, "st": 1}


def force_order(symbol: str, side: str, quantity: str, price: str, ms: int) -> Document:
    """A forceOrder event: the liquidation order of a position, filled whole at one price."""
    order = {"s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": quantity, "p": price, "ap": price, "X": "FILLED",
             "l": quantity, "z": quantity, "T": ms}  # fmt: skip
    return {"e": "forceOrder", "E": ms, "o": order, "ps": symbol, "st": 1}


def _rank(stream: str) -> tuple[bool, str]:
    """Mark prices first; "aggTrade" before "kline"."""
    return ("markPrice" not in stream, stream)


def _passes(after_ms: int, ms: int, period_ms: int) -> bool:
    """Whether a multiple of the period lies in (after_ms, ms]."""
    return after_ms // period_ms < ms // period_ms


def _klines(market: Market, text: str, after_ms: int, ms: int, continuous: bool) -> list[Document]:
    interval = INTERVALS.get(text)
    if interval is None:
        return []
    bars, opened = [], interval.open_time(ms)
    if after_ms < opened and market.is_listed(opened - 1):
        bars.append((market.closed(interval.open_time(opened - 1), interval), True))
    bars.append((market.running(ms, interval), False))
    return [_kline(market, interval, bar, closed, ms, continuous) for bar, closed in bars]


def _kline(market: Market, interval: Interval, bar: Bar, closed: bool, ms: int, continuous: bool) -> Document:
    trades, first = int(bar.trades), market.first_trade_id(bar.open_time)
    body = {
        "t": bar.open_time, "T": interval.next_open(bar.open_time) - 1, "s": market.symbol, "i": interval.value,
        "f": first if trades else -1, "L": first + trades - 1 if trades else -1, "o": number(bar.open),
        "c": number(bar.close), "h": number(bar.high), "l": number(bar.low), "v": number(bar.volume), "n": trades,
        "x": closed, "q": number(bar.quote_volume), "V": number(bar.taker_buy_volume),
        "Q": number(bar.taker_buy_quote_volume), "B": "0",
    }  # fmt: skip
    if continuous:
        del body["s"]
        return {"e": "continuous_kline", "E": ms, "ps": market.symbol, "ct": "PERPETUAL", "k": body}
    return {"e": "kline", "E": ms, "s": market.symbol, "k": body}


def _mark(market: Market, ms: int) -> Document:
    mark, index = money(market.mark(ms)), money(market.index(ms))
    mean = money((market.mark(ms) + market.mark(max(market.start_ms, ms - MINUTE_MS))) / 2)
    return {"e": "markPriceUpdate", "E": ms, "s": market.symbol, "p": mark, "ap": mean, "i": index, "P": index,
            "r": money(FUNDING_RATE), "T": next_funding_ms(ms), "st": 1}  # fmt: skip


def _ticker(market: Market, ms: int, kind: str) -> Document:
    day = day_ticker(market, ms)
    event = {"e": "24hrTicker" if kind == "ticker" else "24hrMiniTicker", "E": ms, "s": market.symbol}
    codes = _DAY_CODES | (_TICKER_CODES if kind == "ticker" else {})
    return event | {code: day[name] for code, name in codes.items()} | {"ps": market.symbol, "st": 1}


def _book_ticker(market: Market, ms: int) -> Document:
    row = book_ticker(market, ms)
    return {"e": "bookTicker", "u": ms, "E": ms, "T": ms, "s": market.symbol, "b": row["bidPrice"], "B": row["bidQty"],
            "a": row["askPrice"], "A": row["askQty"], "ps": market.symbol, "st": 1}  # fmt: skip


def _depth_update(market: Market, told_ms: int, ms: int, book: Book) -> Document:
    return {"e": "depthUpdate", "E": ms, "T": ms, "s": market.symbol, "U": told_ms + 1, "u": ms, "pu": told_ms,
            "b": level_texts(market, book.bids), "a": level_texts(market, book.asks), "ps": market.symbol,
            "st": 1}  # fmt: skip
