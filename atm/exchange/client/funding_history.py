"""Settled funding rates as the exchange's history has them, asked for in long stretches.

The history has a limit of its own (500 requests in five minutes, spec: exchange §1.6), so an answer, up to 1,000 stamps, is kept: of a
download of years most pieces find their rates in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from atm.exchange.client.costs import FUNDING_LIMIT
from atm.exchange.client.rate_budget import RequestClass
from atm.exchange.client.rest import FuturesClient
from atm.model.interval import MINUTE_MS

MOST_KEPT = 64
"""Symbols of which an answer is kept."""
SETTLES_WITHIN_MS = 2 * MINUTE_MS
"""A rate may come into the history this long after its stamp."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """All rates by stamp with start_ms <= stamp < end_ms."""

    start_ms: int
    end_ms: int
    rates: dict[int, float]


class FundingHistory:
    """See the module."""

    def __init__(self, rest: FuturesClient) -> None:
        self._rest = rest
        self._answers: dict[str, _Answer] = {}

    async def rates(self, symbol: str, start_ms: int, end_ms: int, kind: RequestClass) -> dict[int, float]:
        """Rates by stamp (a full minute) with start_ms <= stamp < end_ms. Raises as every request."""
        found: dict[int, float] = {}
        at_ms, complete = start_ms, False
        while at_ms < end_ms and not complete:
            answer = self._answers.get(symbol)
            if answer is None or not answer.start_ms <= at_ms < answer.end_ms:
                answer = await self._ask(symbol, at_ms, kind)
                complete = len(answer.rates) < FUNDING_LIMIT
            found |= {stamp: rate for stamp, rate in answer.rates.items() if at_ms <= stamp < end_ms}
            at_ms = answer.end_ms
        return found

    async def _ask(self, symbol: str, start_ms: int, kind: RequestClass) -> _Answer:
        asked_ms = int(self._rest.clock.surely_past_ms(self._rest.wall_ms()))
        rates = await self._rest.funding_rates(symbol, start_ms, kind)
        stamps = sorted(rates)
        end_ms = stamps[-1] + 1 if len(stamps) >= FUNDING_LIMIT else asked_ms - SETTLES_WITHIN_MS
        answer = _Answer(start_ms, end_ms, rates)
        self._answers.pop(symbol, None)
        self._answers[symbol] = answer
        if len(self._answers) > MOST_KEPT:
            del self._answers[next(iter(self._answers))]
        return answer
