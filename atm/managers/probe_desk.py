"""Has the order types of actual accounts tried at activation and once a day, so that the user hears of one that the exchange does not take
any more before a trade needs it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from atm.ipc.assistant import IPCAssistant
from atm.ipc.messages import (
    BINANCE_API,
    ActivationState,
    Failed,
    OrdersProbed,
    OrderTypesShown,
    ProbeOrders,
    Reply,
)
from atm.model.activation import ActivationStatus
from atm.model.notice import Severity
from atm.model.order_probe import ProbeOutcome, ProbeResult, ProbeTarget
from atm.trading.live.probe import ProbeClock

log = logging.getLogger(__name__)

TICK_S = 2.0
ANSWER_S = 300.0
MOST_SAID = 3
"""Broken order types that are named in a notice; the Accounts page has all."""
Notify = Callable[..., None]


class ProbedAccounts(Protocol):
    """Who trades actual accounts."""

    @property
    def now_ms(self) -> int:
        """The exchange's clock, 0 while it is not known."""

    def names(self) -> tuple[str, ...]:
        """Accounts that have been compared with the exchange."""

    def probe_targets(self, name: str) -> tuple[ProbeTarget, ...]:
        """Symbols of which the order types can be tried."""


class ProbeDesk:
    """notify(severity, text, subject, **parameters): tells the user."""

    def __init__(self, assistant: IPCAssistant, live: ProbedAccounts, notify: Notify) -> None:
        self._assistant, self._live, self._notify = assistant, live, notify
        self._clocks: dict[str, ProbeClock] = {}
        self._asking: set[str] = set()
        self._tried: dict[str, frozenset[str]] = {}
        assistant.subscribe(ActivationState, self._on_activation)
        assistant.every(TICK_S, self._tick)

    def _on_activation(self, event: ActivationState) -> None:
        if event.status is ActivationStatus.ACTIVE and event.account in self._clocks:
            self._clocks[event.account].wanted()

    def _tick(self) -> None:
        now_ms, names = self._live.now_ms, self._live.names()
        for name in names if now_ms else ():
            clock, targets = self._clocks.setdefault(name, ProbeClock()), self._live.probe_targets(name)
            symbols = frozenset(target.symbol for target in targets)
            is_new = not symbols <= self._tried.get(name, frozenset())
            if targets and name not in self._asking and (clock.is_due(now_ms) or is_new):
                clock.begun(now_ms)
                self._tried[name] = symbols
                self._ask(name, targets)
        for name in self._clocks.keys() - set(names) - self._asking:
            del self._clocks[name]
            self._tried.pop(name, None)

    def _ask(self, name: str, targets: tuple[ProbeTarget, ...]) -> None:
        self._asking.add(name)

        def answered(reply: Reply) -> None:
            self._asking.discard(name)
            if isinstance(reply, OrdersProbed):
                self._take(name, reply.results)
            else:
                said = reply.message if isinstance(reply, Failed) else "an unexpected reply"
                log.warning("the order types of %s could not be tried: %s", name, said)

        self._assistant.request_async(BINANCE_API, ProbeOrders(name, targets), answered, timeout=ANSWER_S)

    def _take(self, name: str, results: tuple[ProbeResult, ...]) -> None:
        now_ms = self._live.now_ms
        if name in self._clocks:
            self._clocks[name].ended(results, now_ms)
        self._assistant.publish(OrderTypesShown(name, now_ms, results), key=name)
        broken = [each for each in results if each.outcome is ProbeOutcome.BROKEN]
        if broken:
            said = "; ".join(f"{each.symbol} {each.probe.value}: {each.details}" for each in broken[:MOST_SAID])
            self._notify(
                Severity.CRITICAL, "notice.order_types_broken", name, account=name, count=str(len(broken)), details=said
            )
