"""What the log says of the rate budget: each change of what the exchange imposes, and once a minute when more than half of a
limit is used. Pure: time is an argument."""

from __future__ import annotations

import logging

from atm.ipc.messages import ConnectionState

NOTABLE_SHARE = 0.5
PERIOD_MS = 60_000


class RateLog:
    """Of one connection."""

    def __init__(self) -> None:
        self._restraint = ""
        self._told_ms = float("-inf")

    def lines(self, state: ConnectionState, now_ms: float) -> list[tuple[int, str]]:
        """Level and text of the lines to be written now."""
        found = []
        if state.restraint != self._restraint:
            self._restraint = state.restraint
            if state.restraint:
                text = (
                    f"the exchange has {state.restraint} this address for {state.restraint_s:.0f} s more: {used(state)}"
                )
                found.append((logging.WARNING, text))
            else:
                found.append((logging.INFO, f"the exchange takes requests again: {used(state)}"))
        if self._notable(state) and now_ms - self._told_ms >= PERIOD_MS:
            self._told_ms = now_ms
            found.append((logging.INFO, f"rate budget: {used(state)}"))
        return found

    def _notable(self, state: ConnectionState) -> bool:
        pairs = (
            (state.used_weight, state.weight_limit),
            (state.used_orders_10s, state.order_limit_10s),
            (state.used_orders, state.order_limit),
        )
        return any(amount > NOTABLE_SHARE * limit for amount, limit in pairs if limit)


def used(state: ConnectionState) -> str:
    """Used and allowed, and what waits, in words."""
    waiting = ", ".join(f"{count} {kind}" for kind, count in state.waiting.items()) or "nothing"
    return (
        f"weight {state.used_weight} of {state.weight_limit} a minute, orders {state.used_orders_10s} of "
        f"{state.order_limit_10s} in 10 s and {state.used_orders} of {state.order_limit} a minute; waiting: {waiting}"
    )
