"""Every stream message is reduced where it arrives (spec: runtime §8.3). Pure: the time of arrival is an argument.

Per symbol there is one slot: the open bar, the book, the mark price and the last trade overwrite, a closed bar is queued
until the caller takes it, which it does in the same turn of its loop. Each book adds to the order flow of its minute
(`book_flow`), each mark price to its mark price bar (`mark_minutes`). Nothing here can overflow: a queue of closed bars
that nobody takes loses its oldest bars, and the bar sequence behind it gets those by REST.

Around a renewal two connections deliver the same streams: an event older than the slot's is dropped.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from atm.exchange.client.book_flow import BookFlow
from atm.exchange.client.frames import (
    FRAMES,
    LOOSE_FRAMES,
    UNREADABLE,
    BookEvent,
    ContractEvent,
    ForceOrder,
    ForceOrderEvent,
    KlineEvent,
    MarkEvent,
    TradeEvent,
)
from atm.exchange.client.mark_minutes import MarkMinutes, Told
from atm.ipc.messages import BookTop, LastTrade, Liquidation, MarkPrice, OpenBar
from atm.model.bars import Bar
from atm.model.flow import measured

MAX_CLOSED_WAITING = 4_096
MAX_LIQUIDATIONS_WAITING = 256


class SymbolSlot:
    """Newest state of one symbol. `bar_time`, `mark_time`: event times; `book_id`, `trade_id`: the exchange's sequences."""

    __slots__ = ("bar", "bar_time", "book", "book_id", "changed", "flow", "mark", "marks", "trade", "trade_id")

    def __init__(self) -> None:
        self.bar: KlineEvent | None = None
        self.book: BookEvent | None = None
        self.mark: MarkEvent | None = None
        self.trade: TradeEvent | None = None
        self.changed = 0
        self.flow = BookFlow()
        self.marks = MarkMinutes()
        self.forget()

    def forget(self) -> None:
        """Take whatever comes next, be it older: the exchange may have been restarted."""
        self.bar_time = 0
        self.book_id = -1
        self.trade_id = -1
        self.mark = None


BAR, BOOK, MARK, TRADE = 1, 2, 4, 8


@dataclass
class StreamCounters:
    """What has come in since the start."""

    messages: int = 0
    controls: int = 0
    unknown: int = 0
    unreadable: int = 0
    stale: int = 0


@dataclass
class StreamReduction:
    """Slots of the collected symbols. Frames of other symbols are counted and dropped; on_contract is called with the symbol
    of every contract, collected or not, of which the exchange says that something has changed."""

    slots: dict[str, SymbolSlot] = field(default_factory=dict)
    counters: StreamCounters = field(default_factory=StreamCounters)
    newest_s: float = float("-inf")
    on_contract: Callable[[str], None] = lambda symbol: None

    def __post_init__(self) -> None:
        self.closed: deque[tuple[str, Bar]] = deque(maxlen=MAX_CLOSED_WAITING)
        self.later: dict[str, int] = {}
        self.liquidated: deque[ForceOrder] = deque(maxlen=MAX_LIQUIDATIONS_WAITING)
        self.touched: set[str] = set()

    def collect(self, symbols: set[str]) -> None:
        """Have slots for exactly these symbols."""
        for symbol in self.slots.keys() - symbols:
            del self.slots[symbol]
            self.touched.discard(symbol)
            self.later.pop(symbol, None)
        for symbol in symbols - self.slots.keys():
            self.slots[symbol] = SymbolSlot()

    def feed(self, frame: bytes, now_s: float) -> str:
        """Reduce one frame that arrived at the monotonic time `now_s`; returns its stream name, "" if it has none."""
        counters = self.counters
        counters.messages += 1
        self.newest_s = now_s
        try:
            message = FRAMES.decode(frame)
        except UNREADABLE:
            return self._strange(frame)
        event = message.data
        if event is None:
            counters.controls += 1
            return ""
        if isinstance(event, ForceOrderEvent):
            self.liquidated.append(event.order)
            return message.stream
        slot = self.slots.get(event.symbol)
        if slot is None:
            if isinstance(event, ContractEvent):
                self.on_contract(event.symbol)
            else:
                counters.unknown += 1
            return message.stream
        if isinstance(event, TradeEvent):
            self._trade(slot, event)
        elif isinstance(event, KlineEvent):
            self._bar(slot, event)
        elif isinstance(event, BookEvent):
            self._book(slot, event)
        elif isinstance(event, MarkEvent):
            self._mark(slot, event, now_s)
        else:
            self.on_contract(event.symbol)
        return message.stream

    def _strange(self, frame: bytes) -> str:
        """Not one of ours: a new event type is counted apart from a broken frame."""
        try:
            message = LOOSE_FRAMES.decode(frame)
        except UNREADABLE:
            self.counters.unreadable += 1
            return ""
        self.counters.unknown += 1
        return message.stream

    def _bar(self, slot: SymbolSlot, event: KlineEvent) -> None:
        symbol, kline = event.symbol, event.kline
        if kline.closed:
            self.closed.append((symbol, bar_of(event)))
            if slot.bar is not None and slot.bar.kline.open_time > kline.open_time:
                return
        elif event.time_ms < slot.bar_time:
            self.counters.stale += 1
            return
        if slot.bar is None or kline.open_time > slot.bar.kline.open_time:
            self.later[symbol] = kline.open_time
        slot.bar = event
        slot.bar_time = event.time_ms
        self._touch(symbol, slot, BAR)

    def _trade(self, slot: SymbolSlot, event: TradeEvent) -> None:
        if event.trade_id <= slot.trade_id:
            self.counters.stale += 1
            return
        slot.trade, slot.trade_id = event, event.trade_id
        self._touch(event.symbol, slot, TRADE)

    def _book(self, slot: SymbolSlot, event: BookEvent) -> None:
        if event.update_id < slot.book_id:
            self.counters.stale += 1
            return
        slot.book, slot.book_id = event, event.update_id
        slot.flow.book(event.time_ms, measured(event.bids, event.asks))
        self._touch(event.symbol, slot, BOOK)

    def _mark(self, slot: SymbolSlot, event: MarkEvent, now_s: float) -> None:
        if slot.mark is not None and event.time_ms < slot.mark.time_ms:
            self.counters.stale += 1
            return
        slot.mark = event
        rate = float(event.funding_rate) if event.funding_rate else math.nan
        slot.marks.told(Told(event.time_ms, event.mark_price, rate, event.next_funding_ms, now_s))
        self._touch(event.symbol, slot, MARK)

    def _touch(self, symbol: str, slot: SymbolSlot, kind: int) -> None:
        if not slot.changed:
            self.touched.add(symbol)
        slot.changed |= kind

    def take_closed(self) -> list[tuple[str, Bar]]:
        """Closed bars since the last call, in order of arrival."""
        taken = list(self.closed)
        self.closed.clear()
        return taken

    def take_later(self) -> dict[str, int]:
        """Symbols whose running minute is a new one, with its open time: all minutes before it are over."""
        taken, self.later = self.later, {}
        return taken

    def take_liquidated(self) -> list[Liquidation]:
        """Liquidations since the last call; of more than 256 the newest."""
        taken = [
            Liquidation(each.symbol, each.time_ms, each.side, each.price, each.quantity) for each in self.liquidated
        ]
        self.liquidated.clear()
        return taken

    def take_touched(self) -> list[str]:
        """Symbols of which something has changed since the last call; what has is told by `changes`."""
        taken, self.touched = list(self.touched), set()
        return taken

    def changes(self, symbols: Iterable[str]) -> list[OpenBar | BookTop | MarkPrice | LastTrade]:
        """The newest state of everything of these symbols that has changed since it was last told, as messages."""
        messages: list[OpenBar | BookTop | MarkPrice | LastTrade] = []
        for symbol in symbols:
            slot = self.slots.get(symbol)
            if slot is None:
                continue
            changed, slot.changed = slot.changed, 0
            if changed & BAR and slot.bar is not None and not slot.bar.kline.closed:
                messages.append(OpenBar(symbol, bar_of(slot.bar)))
            if changed & TRADE and slot.trade is not None:
                trade = slot.trade
                messages.append(LastTrade(symbol, trade.time_ms, trade.price, trade.quantity, trade.buyer_is_maker))
            if changed & MARK and slot.mark is not None:
                messages.append(mark_of(slot.mark))
            if changed & BOOK and slot.book is not None:
                messages.append(BookTop(symbol, slot.book.time_ms, slot.book.bids, slot.book.asks))
        return messages


def bar_of(event: KlineEvent) -> Bar:
    """The bar of a kline event as a value."""
    k = event.kline
    return Bar(
        k.open_time, k.open, k.high, k.low, k.close, k.volume,
        k.quote_volume, k.trades, k.taker_buy_volume, k.taker_buy_quote_volume,
    )  # fmt: skip


def mark_of(event: MarkEvent) -> MarkPrice:
    """The mark price of an event as a message."""
    rate = float(event.funding_rate) if event.funding_rate else 0.0
    return MarkPrice(event.symbol, event.time_ms, event.mark_price, event.index_price, rate, event.next_funding_ms)
