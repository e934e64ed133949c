"""The dead-man's switch: the exchange cancels limit orders that rest when it has not heard of us for a while. Pure.

While a limit order may rest, the countdown of its symbol is started anew after each third of its length; when none does any more it is
stopped. It cancels every plain order of the symbol, whoever made it. Conditional orders, and so protective stops, are another service of
the exchange, which the countdown is not documented to reach (spec: exchange §5): that is why it is off unless the user wants it.
"""

from __future__ import annotations

from atm.model.live_request import CountDown, Failure
from atm.trading.live.desk import Desk

RENEWALS = 3
"""In the length of a countdown: two may get lost."""
RETRY_MS = 1_000


class DeadManDesk:
    """`_due`: when the running countdown of a symbol is to be started anew, or stopped at the earliest."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._due: dict[str, int] = {}

    def work(self, symbol: str, now_ms: int) -> None:
        """Keep the countdown of a symbol running or stopped, as its orders want it."""
        length_s = self._desk.setup.dead_man_s
        if length_s is None:
            return
        due_ms = self._due.get(symbol)
        rests = any(order.intent.price is not None for order in self._desk.orders(symbol))
        if rests and (due_ms is None or now_ms >= due_ms):
            length_ms = int(length_s * 1000)
            self._due[symbol] = now_ms + length_ms // RENEWALS
            self._desk.ask(CountDown(symbol, length_ms), ("countdown", symbol), now_ms)
        elif not rests and due_ms is not None and self._desk.ask(CountDown(symbol, 0), ("countdown", symbol), now_ms):
            del self._due[symbol]

    def answered(self, request: CountDown, failure: Failure | None, now_ms: int) -> None:
        """Whether it runs, or has stopped, is not known: it is asked for again."""
        if failure is not None:
            self._due[request.symbol] = now_ms + max(RETRY_MS, failure.retry_after_ms)
