"""The states of orders and of conditional orders, and which may follow which (spec: exchange §2.5)."""

from __future__ import annotations

from collections.abc import Mapping

States = Mapping[str, frozenset[str]]

_ENDS = frozenset(("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"))
_LIVE = frozenset(("PARTIALLY_FILLED", "FILLED")) | _ENDS
_NONE: frozenset[str] = frozenset()

ORDER_STATES: States = {
    "NEW": _LIVE,
    "PARTIALLY_FILLED": _LIVE,
    "FILLED": _NONE,
    **dict.fromkeys(sorted(_ENDS), _NONE),
}
CONDITIONAL_STATES: States = {
    "NEW": frozenset(("CANCELED", "EXPIRED", "TRIGGERING")),
    "TRIGGERING": frozenset(("TRIGGERED", "REJECTED", "EXPIRED")),
    "TRIGGERED": frozenset(("FINISHED",)),
    **dict.fromkeys(("FINISHED", "CANCELED", "EXPIRED", "REJECTED"), _NONE),
}


def moved(states: States, before: str, after: str) -> str:
    """The state `after`. Raises RuntimeError if it may not follow `before`: a mistake in this program."""
    if after not in states[before]:
        raise RuntimeError(f"an order cannot go from {before} to {after}")
    return after
