"""Puts the mark prices of their minutes on closed bars that leave the feed, and asks the exchange for those that the stream did not
tell whole.

A bar whose minute is whole leaves at once. Another one waits, and with it those of its symbol that come after it, until the exchange has
answered for all that wait, in one request. Nothing is made up: a minute that the exchange lacks, or cannot be asked for within
some seconds, leaves without marks.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence

import msgspec

from atm.exchange.client.answers import MarkPrices
from atm.exchange.client.funding_history import FundingHistory
from atm.exchange.client.mark_minutes import UNSEEN, ClosedMinute, MarkMinutes
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.ipc.messages import ClosedBar
from atm.model.bars import Bar
from atm.model.errors import ATMError, Refused
from atm.model.interval import HOUR_MS, MINUTE_MS
from atm.model.mark import Mark

logger = logging.getLogger(__name__)

RETRIES_S = (0.5, 1.0, 2.0)
RECENT_MINUTES = 60
PATIENCE_S = 5.0
"""So long the bars of recent minutes wait at most: while the exchange throttles, a request would wait for minutes."""

_NO_PRICES: MarkPrices = (math.nan, math.nan, math.nan, math.nan)
_Waiting = deque[tuple[ClosedBar, ClosedMinute]]


class MarkOutlet:
    """emit(event): sends a bar out; spawn: runs a coroutine beside. On one loop."""

    def __init__(
        self,
        rest: FuturesClient,
        emit: Callable[[ClosedBar], None],
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._rest = rest
        self._emit = emit
        self._spawn = spawn
        self._funding = FundingHistory(rest)
        self._waiting: dict[str, _Waiting] = {}

    def publish(self, event: ClosedBar, minutes: MarkMinutes | None) -> None:
        """Send a bar out with its marks, which are final from now on; in order, if not at once."""
        closed = UNSEEN if minutes is None else minutes.close(event.bar.open_time)
        queue = self._waiting.get(event.symbol)
        if queue is not None:
            queue.append((event, closed))
        elif closed.whole:
            self._emit(_marked(event, closed.mark))
        else:
            queue = self._waiting[event.symbol] = deque([(event, closed)])
            self._spawn(self._complete(event.symbol, queue, minutes))

    def keep(self, symbols: Iterable[str]) -> None:
        """Drop what waits of all other symbols."""
        wanted = set(symbols)
        self._waiting = {symbol: queue for symbol, queue in self._waiting.items() if symbol in wanted}

    async def _complete(self, symbol: str, queue: _Waiting, minutes: MarkMinutes | None) -> None:
        """Until none of a symbol's bars waits."""
        while queue and self._waiting.get(symbol) is queue:
            batch = list(queue)
            lacking = [event.bar.open_time for event, closed in batch if not closed.whole]
            found = await self._patiently_asked(symbol, lacking, queue, len(batch)) if lacking else None
            if self._waiting.get(symbol) is not queue:
                return
            for event, closed in batch:
                queue.popleft()
                mark = closed.mark
                if not closed.whole:
                    mark = _with_rate(None if found is None else found.get(event.bar.open_time), closed.mark)
                    if minutes is not None and found is not None:
                        minutes.settle(event.bar.open_time, mark)
                self._emit(_marked(event, mark))
        if self._waiting.get(symbol) is queue:
            del self._waiting[symbol]

    async def _patiently_asked(
        self, symbol: str, lacking: Sequence[int], queue: _Waiting, asked_for: int
    ) -> dict[int, Mark] | None:
        """What the exchange has of minutes; None when it cannot be asked, or not now. Minutes of long ago may take their time as long as
        no other bar waits behind the `asked_for` first ones of the queue."""
        asking = asyncio.create_task(self._asked(symbol, lacking))
        try:
            waits = len(lacking) <= RECENT_MINUTES
            while not (await asyncio.wait((asking,), timeout=PATIENCE_S))[0]:
                if waits:
                    logger.warning(
                        "%s: %d minutes have no mark price: the exchange does not answer", symbol, len(lacking)
                    )
                    return None
                waits = len(queue) > asked_for
            return await asking
        finally:
            asking.cancel()

    async def _asked(self, symbol: str, lacking: Sequence[int]) -> dict[int, Mark] | None:
        """What the exchange has of minutes; None when it cannot be asked."""
        kind = RequestClass.REPAIR if len(lacking) <= RECENT_MINUTES else RequestClass.HISTORY
        for wait_s in (*RETRIES_S, None):
            try:
                return await self.fetched(symbol, lacking[0], lacking[-1] + MINUTE_MS, kind)
            except ATMError as error:
                if isinstance(error, Refused) or wait_s is None:
                    logger.warning("%s: %d minutes have no mark price: %s", symbol, len(lacking), error)
                    return {} if isinstance(error, Refused) else None
                await asyncio.sleep(wait_s)
        return None

    async def fetched(self, symbol: str, start_ms: int, end_ms: int, kind: RequestClass) -> dict[int, Mark]:
        """What the exchange has of minutes that are over: mark prices, and rates at the stamps. Raises as every request."""
        prices = await self._rest.mark_klines(symbol, start_ms, end_ms, kind)
        rates: dict[int, float] = {}
        first_stamp = -(-start_ms // HOUR_MS) * HOUR_MS
        if first_stamp < end_ms:
            rates = await self._funding.rates(symbol, first_stamp, end_ms, kind)
        return {
            minute: Mark(*prices.get(minute, _NO_PRICES), rates.get(minute, math.nan))
            for minute in sorted(prices.keys() | rates.keys())
        }

    async def rates(self, symbol: str, start_ms: int, end_ms: int) -> dict[int, Mark]:
        """The funding rates of any stretch of history, by stamp. Raises as every request."""
        found = await self._funding.rates(symbol, start_ms, end_ms, RequestClass.HISTORY)
        return {stamp: Mark(*_NO_PRICES, rate) for stamp, rate in sorted(found.items())}

    async def completed(
        self, symbol: str, bars: Sequence[Bar], minutes: MarkMinutes | None, kind: RequestClass
    ) -> tuple[Bar, ...]:
        """Bars of REST with the marks that were published with their minutes as far as they are kept, else those of the exchange.

        Raises as every request, but for marks that the exchange refuses.
        """
        known = {bar.open_time: UNSEEN if minutes is None else minutes.closed(bar.open_time) for bar in bars}
        lacking = [minute for minute, closed in known.items() if not closed.whole]
        found: dict[int, Mark] = {}
        if lacking:
            try:
                found = await self.fetched(symbol, lacking[0], lacking[-1] + MINUTE_MS, kind)
            except Refused as refusal:
                logger.warning("%s: mark prices from %d are refused: %s", symbol, lacking[0], refusal)
        found |= {minute: closed.mark for minute, closed in known.items() if closed.whole and closed.mark is not None}
        return tuple(msgspec.structs.replace(bar, mark=found.get(bar.open_time)) for bar in bars)


def _with_rate(found: Mark | None, streamed: Mark | None) -> Mark | None:
    """What the exchange answered, with the rate of the stream where the answer has none: it comes minutes after the stamp."""
    if streamed is None or math.isnan(streamed.funding_rate):
        return found
    if found is None:
        return Mark(*_NO_PRICES, streamed.funding_rate)
    return (
        msgspec.structs.replace(found, funding_rate=streamed.funding_rate) if math.isnan(found.funding_rate) else found
    )


def _marked(event: ClosedBar, mark: Mark | None) -> ClosedBar:
    if mark is None:
        return event
    return msgspec.structs.replace(event, bar=msgspec.structs.replace(event.bar, mark=mark))
