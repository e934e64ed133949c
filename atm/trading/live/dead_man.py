"""The dead-man's switch: the exchange cancels limit orders that rest when it has not heard of us for a while. Pure.

While a limit order may rest, the countdown of its symbol is started anew after each third of its length; when none does any more it is
stopped. It cancels every plain order of the symbol, whoever made it. Conditional orders, and so protective stops, are another service of
the exchange, which the countdown is not documented to reach (spec: exchange §5): that is why it is off unless the user wants it.
"""

from __future__ import annotations

from atm.model.live_request import CountDown, Failure, FailureKind
from atm.trading.live.desk import Desk

RENEWALS = 3
"""In the length of a countdown: two may get lost."""
RETRY_MS, REFUSED_RETRY_MS = 1_000, 30_000
"""After no answer, and after a refusal, which will hardly be another one a second later."""


class DeadManDesk:
    """`_due`: when the countdown of a symbol, which may be running, is to be started anew; `_paused`: until when it is left alone after a
    failure."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._due: dict[str, int] = {}
        self._paused: dict[str, int] = {}

    def work(self, symbol: str, now_ms: int) -> None:
        """Keep the countdown of a symbol running or stopped, as its orders want it."""
        length_s = self._desk.setup.dead_man_s
        if length_s is None or now_ms < self._paused.get(symbol, 0):
            return
        due_ms = self._due.get(symbol)
        rests = any(order.intent.price is not None for order in self._desk.orders(symbol))
        if rests and (due_ms is None or now_ms >= due_ms):
            length_ms = int(length_s * 1000)
            if self._desk.ask(CountDown(symbol, length_ms), ("countdown", symbol), now_ms):
                self._due[symbol] = now_ms + length_ms // RENEWALS
        elif not rests and due_ms is not None and self._desk.ask(CountDown(symbol, 0), ("countdown", symbol), now_ms):
            del self._due[symbol]

    def answered(self, request: CountDown, failure: Failure | None, now_ms: int) -> None:
        """Whether it runs, or has stopped, is not known: it is asked for again."""
        if failure is None:
            self._paused.pop(request.symbol, None)
            return
        pause_ms = REFUSED_RETRY_MS if failure.kind is FailureKind.REFUSED else RETRY_MS
        due_ms = now_ms + max(pause_ms, failure.retry_after_ms)
        self._due[request.symbol] = self._paused[request.symbol] = due_ms
