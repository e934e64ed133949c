"""Keeps the exchange's instruments up to date and tells what has changed of them.

They are read every ten minutes, and soon after a hint that they have changed: a `!contractInfo` message of the stream, or an
order refused for a filter that our own arithmetic had kept (spec: exchange §3.1: filters change without notice).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from atm.exchange.client.instrument_changes import ChangeKind, InstrumentChange, changes
from atm.exchange.client.rest import FuturesClient, with_brackets
from atm.exchange.client.transport import wall_ms
from atm.model.errors import ATMError, Refused, Unavailable
from atm.model.instrument import Instrument
from atm.model.notice import Notice, Severity

logger = logging.getLogger(__name__)

PERIOD_S = 600.0
RETRY_S = (0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""Growing, and short at first: the demo exchange starts together with this process."""
EXPECTED_TRIES = 4
HINT_WAIT_S = 1.0
HINT_REST_S = 30.0
"""Least time between two readings that hints ask for: an order that is refused again and again is no reason to read again and
again."""
MOST_NOTICES = 10


class InstrumentKeeper:
    """Reads until it is cancelled. Build inside a running loop.

    publish: called with all instruments when they are new or have changed; tell: takes notices; used: symbols whose filters
    concern the user, changes of all others stand in the log; beside: done with every reading.
    """

    def __init__(
        self,
        rest: FuturesClient,
        publish: Callable[[tuple[Instrument, ...]], None],
        tell: Callable[[Notice], None],
        used: Callable[[], Collection[str]],
        sender: str,
        beside: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.instruments: tuple[Instrument, ...] = ()
        self.listed = asyncio.Event()
        self._rest, self._publish, self._tell, self._used = rest, publish, tell, used
        self._sender, self._beside = sender, beside
        self._hinted = asyncio.Event()
        rest.on_filter_doubt(self.hint)

    def symbols(self) -> set[str]:
        """What the exchange lists."""
        return {instrument.symbol for instrument in self.instruments}

    def hint(self, symbol: str = "") -> None:
        """Something may have changed: read again soon."""
        if not self._hinted.is_set():
            logger.info("the exchange's instruments are read again%s", f": {symbol} may have changed" if symbol else "")
            self._hinted.set()

    async def run(self) -> None:
        """Read now and then, and when there is a hint."""
        loop, failed = asyncio.get_running_loop(), 0
        while True:
            try:
                instruments = await self._read()
            except ATMError as error:
                level = logging.INFO if failed < EXPECTED_TRIES else logging.WARNING
                logger.log(level, "the exchange's instruments cannot be read: %s", error)
                await asyncio.sleep(RETRY_S[min(failed, len(RETRY_S) - 1)])
                failed += 1
                continue
            failed = 0
            self._take(instruments)
            read_s = loop.time()
            if await self._hint_within(PERIOD_S):
                await asyncio.sleep(max(HINT_WAIT_S, read_s + HINT_REST_S - loop.time()))
                self._hinted.clear()

    async def _hint_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._hinted.wait()
        except TimeoutError:
            return False
        return True

    async def _read(self) -> tuple[Instrument, ...]:
        instruments = await self._rest.exchange_info()
        if self.instruments and not instruments:
            raise Unavailable("the exchange's answer to exchangeInfo has no contract that can be read")
        if self._rest.signs:
            try:
                instruments = with_brackets(instruments, await self._rest.leverage_brackets())
            except Refused as refusal:
                logger.warning("leverage brackets are refused: %s", refusal)
        if self._beside is not None:
            await self._beside()
        return instruments

    def _take(self, instruments: tuple[Instrument, ...]) -> None:
        if instruments == self.instruments:
            return
        found = changes(self.instruments, instruments) if self.instruments else ()
        self.instruments = instruments
        self._publish(instruments)
        self.listed.set()
        self._report(found)

    def _report(self, found: tuple[InstrumentChange, ...]) -> None:
        used, shown = set(self._used()), []
        for change in found:
            logger.info(
                "%s %s: %s %s → %s",
                change.symbol,
                change.kind.value,
                change.field,
                change.old or "-",
                change.new or "-",
            )
            if change.symbol in used or change.kind in (ChangeKind.LISTED, ChangeKind.DELISTED):
                shown.append((change, change.symbol in used))
        for change, concerns in shown[:MOST_NOTICES]:
            self._tell(self._notice(f"notice.instrument_{change.kind.value}", change, concerns))
        if len(shown) > MOST_NOTICES:
            parameters = {"count": str(len(shown) - MOST_NOTICES)}
            self._tell(Notice(int(wall_ms()), self._sender, Severity.INFO, "notice.instrument_more", parameters))

    def _notice(self, text: str, change: InstrumentChange, concerns: bool) -> Notice:
        parameters = {"symbol": change.symbol, "field": change.field, "old": change.old, "new": change.new}
        wanted = {name: value for name, value in parameters.items() if value}
        serious = concerns and change.kind in (ChangeKind.DELISTED, ChangeKind.STATUS)
        severity = Severity.WARNING if serious else Severity.INFO
        return Notice(int(wall_ms()), self._sender, severity, text, wanted, change.symbol)
