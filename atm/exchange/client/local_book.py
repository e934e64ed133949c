"""A whole order book kept from a snapshot and the differences after it (spec: exchange §2.4). Pure.

Ids jump; only a difference's previous id links it to the one before. A difference covers (previous id, last id], so it may
follow a book of any id in that range: that of the difference before it, or of a snapshot in between. Whatever is lost,
doubled or out of order, the book is either the exchange's at `update_id` or `is_synchronised` is False.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest, nsmallest

import msgspec

from atm.exchange.client.frames import Level

MOST_WAITING = 1_000
"""Differences kept while the book waits for a snapshot: 250 s of the stream at 250 ms."""
MOST_OLD, SET_BACK_MS = 1_000, 60_000
"""After so many old differences in a row, or one that is so old, the exchange counts anew."""
MOST_LEVELS = 20_000
LEAST_LEVELS = 50
"""A side with fewer levels inside the range of its snapshot is worn: what lies behind them was never told. It needs a new one."""


class DepthEvent(
    msgspec.Struct,
    gc=False,
    tag_field="e",
    tag="depthUpdate",
    rename={"time_ms": "E", "symbol": "s", "first_id": "U", "last_id": "u", "previous_id": "pu", "bids": "b", "asks": "a"},
):  # fmt: skip
    """A difference: absolute quantities of the levels that have changed, 0 for those that are gone."""

    time_ms: int
    symbol: str
    first_id: int
    last_id: int
    previous_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class DepthSnapshot(msgspec.Struct, gc=False):
    """Best levels of both sides, best first. limit: so many were asked for; a side with fewer is whole."""

    update_id: int
    time_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    limit: int = 0


class LocalBook:
    """One symbol. `update_id`, `time_ms`: of the exchange's book that this one equals, inside the range of the snapshot."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self.is_synchronised = False
        self.update_id = -1
        self.time_ms = 0
        self.gaps = 0
        self._most_waiting = most_waiting
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._lowest, self._highest = 0.0, float("inf")
        self._waiting: dict[int, DepthEvent] = {}
        self._is_snapshot = self._is_worn = False
        self._is_cut = False
        self._old = 0

    def take(self, event: DepthEvent) -> None:
        """A difference has come."""
        self._is_cut = False
        if not self.is_synchronised:
            self._waiting[event.last_id] = event
            if len(self._waiting) > self._most_waiting:
                del self._waiting[next(iter(self._waiting))]
            self._catch_up()
        elif self._follows(event):
            self._apply(event)
        elif event.last_id <= self.update_id:
            self._old += 1
            if self._old > MOST_OLD or event.time_ms < self.time_ms - SET_BACK_MS:
                self.interrupt()
                self._is_cut = False
                self._waiting[event.last_id] = event
        else:
            self.gaps += 1
            self.is_synchronised = False
            self._waiting = {event.last_id: event}

    def set_snapshot(self, snapshot: DepthSnapshot) -> bool:
        """A snapshot has come. False: it is too old or a difference is missing after it, and another one is needed; or no difference has
        come since the book was interrupted, so that nobody knows how long it would be right."""
        if self._is_cut:
            return False
        if self.is_synchronised and snapshot.update_id < self.update_id:
            return True
        later = sorted((each for each in self._waiting.values() if each.last_id >= snapshot.update_id), key=_last_id)
        if later and later[0].previous_id > snapshot.update_id:
            return False
        self._bids, self._asks = dict(snapshot.bids), dict(snapshot.asks)
        self._lowest = min(self._bids) if 0 < snapshot.limit <= len(self._bids) else 0.0
        self._highest = max(self._asks) if 0 < snapshot.limit <= len(self._asks) else float("inf")
        self.update_id, self.time_ms = snapshot.update_id, snapshot.time_ms
        self._is_snapshot, self._is_worn, self._old = True, False, 0
        self._waiting = {each.last_id: each for each in later}
        self.is_synchronised = not later
        self._catch_up()
        return self.is_synchronised

    def interrupt(self) -> None:
        """The connection is a new one, or the exchange counts anew: what was waiting belongs to another time."""
        self.is_synchronised = False
        self._is_cut = True
        self._old = 0
        self._waiting.clear()

    def top(self, levels: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """(bids, asks), best first, at most so many of each."""
        bids, asks = nlargest(levels, self._bids), nsmallest(levels, self._asks)
        return tuple((price, self._bids[price]) for price in bids), tuple((price, self._asks[price]) for price in asks)

    def is_short(self, levels: int) -> bool:
        """Whether a side knows fewer levels than so many, although the exchange may have more behind them."""
        return (self._lowest > 0.0 and len(self._bids) < levels) or (
            self._highest < float("inf") and len(self._asks) < levels
        )

    def _follows(self, event: DepthEvent) -> bool:
        if self._is_snapshot:
            return event.previous_id <= self.update_id <= event.last_id
        return event.previous_id == self.update_id

    def _catch_up(self) -> None:
        """Apply what waits, as long as each follows the one before."""
        for last_id in sorted(self._waiting):
            if not self._is_worn and self._follows(self._waiting[last_id]):
                event = self._waiting[last_id]
                self._waiting = {each: later for each, later in self._waiting.items() if each > last_id}
                self.is_synchronised = not self._waiting
                self._apply(event)

    def _apply(self, event: DepthEvent) -> None:
        for price, quantity in event.bids:
            if not quantity:
                self._bids.pop(price, None)
            elif price >= self._lowest:
                self._bids[price] = quantity
        for price, quantity in event.asks:
            if not quantity:
                self._asks.pop(price, None)
            elif price <= self._highest:
                self._asks[price] = quantity
        self.update_id, self.time_ms = event.last_id, event.time_ms
        self._is_snapshot, self._old = False, 0
        if len(self._bids) > MOST_LEVELS:
            self._lowest = _cut(self._bids, sorted(self._bids, reverse=True))
        if len(self._asks) > MOST_LEVELS:
            self._highest = _cut(self._asks, sorted(self._asks))
        bids_end, asks_end = self._lowest > 0.0, self._highest < float("inf")
        if (bids_end and len(self._bids) < LEAST_LEVELS) or (asks_end and len(self._asks) < LEAST_LEVELS):
            self._is_worn, self.is_synchronised = True, False


def _last_id(event: DepthEvent) -> int:
    return event.last_id


def _cut(side: dict[float, float], prices: Iterable[float]) -> float:
    """Keep the better half of a side that has grown too long; the last price kept."""
    ordered = list(prices)
    for price in ordered[MOST_LEVELS // 2 :]:
        del side[price]
    return ordered[MOST_LEVELS // 2 - 1]
