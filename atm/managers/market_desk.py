"""What the Binance API manager does for whoever looks at the market: 24-hour statistics and open interest, asked for on demand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine

from atm.exchange.client.rest import FuturesClient
from atm.ipc.assistant import Deferred, IPCAssistant
from atm.ipc.messages import DayTicker, DayTickers, Done, LookAtMarket, OpenInterest
from atm.model.errors import ATMError, Refused, Unavailable

logger = logging.getLogger(__name__)

FRESH_S = 10.0
ALL_FRESH_S = 120.0
"""All symbols cost 40 of the weight, the one in sight 1."""
MOST_REMEMBERED = 100


class MarketDesk:
    """spawn: runs a coroutine on the manager's loop; clock: monotonic seconds."""

    def __init__(
        self,
        assistant: IPCAssistant,
        rest: FuturesClient,
        spawn: Callable[[Coroutine[None, None, None]], None],
        clock: Callable[[], float],
    ) -> None:
        self._assistant, self._rest, self._spawn, self._clock = assistant, rest, spawn, clock
        self._tickers: dict[str, DayTicker] = {}
        self._all_s = self._one_s = float("-inf")
        self._one = ""
        self._interest_s: dict[str, float] = {}
        self._has_interest = True
        assistant.answer(LookAtMarket, self._on_look)

    def _on_look(self, request: LookAtMarket) -> Deferred:
        answer = Deferred()
        self._spawn(self._look(request.symbol, answer))
        return answer

    async def _look(self, symbol: str, answer: Deferred) -> None:
        try:
            await self._tell_tickers(symbol)
            if symbol and self._has_interest:
                await self._tell_interest(symbol)
        except ATMError as error:
            answer.fail(error)
        else:
            answer.reply(Done())

    async def _tell_tickers(self, symbol: str) -> None:
        """All symbols, newer ones where they are old, else with the one in sight anew."""
        now_s = self._clock()
        if now_s - self._all_s >= ALL_FRESH_S:
            self._all_s = self._one_s = now_s
            self._tickers = {each.symbol: each for each in await self._rest.day_tickers()}
        elif symbol in self._tickers and (now_s - self._one_s >= FRESH_S or symbol != self._one):
            self._one_s = now_s
            self._tickers |= {each.symbol: each for each in await self._rest.day_ticker(symbol)}
        else:
            return
        self._one = symbol
        self._assistant.publish(DayTickers(tuple(self._tickers.values())))

    async def _tell_interest(self, symbol: str) -> None:
        now_s = self._clock()
        if now_s - self._interest_s.get(symbol, float("-inf")) < FRESH_S:
            return
        self._interest_s.pop(symbol, None)
        self._interest_s[symbol] = now_s
        if len(self._interest_s) > MOST_REMEMBERED:
            del self._interest_s[next(iter(self._interest_s))]
        try:
            quantity, time_ms = await self._rest.open_interest(symbol)
        except (Refused, Unavailable) as error:
            self._has_interest = not (isinstance(error, Refused) and error.code == 0)  # it knows no such question
            logger.info("the exchange tells no open interest: %s", error)
        else:
            self._assistant.publish(OpenInterest(symbol, quantity, time_ms), key=symbol)
