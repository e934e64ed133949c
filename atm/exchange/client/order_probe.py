"""How order types are tried without trading, and what the exchange's answers say. Pure (spec: exchange §1.6, §1.8, §3.2, §3.3).

Plain orders go to the test end point, which checks all and places nothing. For conditional orders there is none: they are sent with a
trigger that the price has passed already, which the exchange must refuse (-2021) after it has understood the rest; and only for symbols
without a position, where one that was taken in spite of that could close nothing and is cancelled at once. Queries and cancels name an
order that never was.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from atm.exchange.client.live_calls import Call
from atm.model.order_probe import Probe, ProbeOutcome, ProbeResult, ProbeTarget

NAME = "atm-probe"
"""Client id of what is tried."""
NEEDED_TYPES, NEEDED_IN_FORCE = frozenset(("LIMIT", "MARKET", "STOP_MARKET")), frozenset(("GTC",))
PASSED = Decimal(2)
"""Trigger of a stop to sell, as a multiple of the price: it would fire at once. Whole, so that it lies on the tick as the price does."""
TAKEN = 0
"""Stands for an answer without an error."""
WOULD_TRIGGER, NOTHING_TO_REDUCE, NO_POSITION, UNKNOWN_ORDER, NO_ORDER = -2021, -2022, -4509, -2011, -2013
ONE_RESTS = -4130
TOO_LITTLE_MARGIN, ABOVE_BRACKET = -2019, -2027
_UNDERSTOOD = frozenset((TAKEN, TOO_LITTLE_MARGIN, ABOVE_BRACKET))
NOT_THERE = frozenset((UNKNOWN_ORDER, NO_ORDER))
_REFUSED_STOP = frozenset((WOULD_TRIGGER, NOTHING_TO_REDUCE, NO_POSITION, ONE_RESTS))
_EXPECTED: Mapping[Probe, frozenset[int]] = {
    Probe.MARKET: _UNDERSTOOD,
    Probe.LIMIT: _UNDERSTOOD,
    Probe.REDUCE: frozenset((TAKEN, NOTHING_TO_REDUCE)),
    Probe.STOP: _REFUSED_STOP,
    Probe.BRIDGE: _REFUSED_STOP,
    Probe.QUERY: frozenset((NO_ORDER,)),
    Probe.CANCEL: frozenset((UNKNOWN_ORDER,)),
    Probe.QUERY_STOP: NOT_THERE,
    Probe.CANCEL_STOP: NOT_THERE,
}
_PASSING = frozenset((-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1021, -1112, -4131, -4140, -4188))
"""Refusals that say nothing of the order type: the exchange is busy, the book empty, trading halted."""


def plan(target: ProbeTarget) -> tuple[tuple[Probe, Call], ...]:
    """What is sent for a symbol, one after the other."""
    symbol, quantity, price = target.symbol, _text(target.quantity), _text(target.price)
    order = {"symbol": symbol, "side": "BUY", "newClientOrderId": NAME}
    named, stop_named = {"symbol": symbol, "origClientOrderId": NAME}, {"clientAlgoId": NAME}
    found = [
        (Probe.MARKET, Call("POST", 1, "order/test", order | {"type": "MARKET", "quantity": quantity})),
        (
            Probe.LIMIT,
            Call("POST", 1, "order/test", order | {
                "type": "LIMIT", "quantity": quantity, "price": price, "timeInForce": "GTC"
            }),
        ),
        (
            Probe.REDUCE,
            Call("POST", 1, "order/test", order | {"type": "MARKET", "quantity": quantity, "reduceOnly": "true"}),
        ),
        (Probe.QUERY, Call("GET", 1, "order", named)),
        (Probe.CANCEL, Call("DELETE", 1, "order", named)),
        (Probe.QUERY_STOP, Call("GET", 1, "algoOrder", stop_named)),
        (Probe.CANCEL_STOP, Call("DELETE", 1, "algoOrder", stop_named)),
    ]  # fmt: skip
    if not target.is_held:
        stop = {
            "symbol": symbol, "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET",
            "triggerPrice": _text(target.price * PASSED), "workingType": "MARK_PRICE", "clientAlgoId": NAME,
        }  # fmt: skip
        found += [
            (Probe.STOP, Call("POST", 1, "algoOrder", stop | {"closePosition": "true"})),
            (Probe.BRIDGE, Call("POST", 1, "algoOrder", stop | {"quantity": quantity, "reduceOnly": "true"})),
        ]
    return tuple(found)


def judge(symbol: str, probe: Probe, code: int, text: str) -> ProbeResult:
    """What an answer says. code: `TAKEN`, or the exchange's."""
    if code in _EXPECTED[probe]:
        return ProbeResult(symbol, probe, ProbeOutcome.HOLDS)
    if code == TAKEN:
        return ProbeResult(symbol, probe, ProbeOutcome.BROKEN, "it was taken although it had to be refused")
    outcome = ProbeOutcome.UNKNOWN if code in _PASSING else ProbeOutcome.BROKEN
    return ProbeResult(symbol, probe, outcome, f"{text} ({code})")


def undo(probe: Probe) -> Call | None:
    """What has to follow an order that was taken although it should not have been, or may have been."""
    return Call("DELETE", 1, "algoOrder", {"clientAlgoId": NAME}) if probe in (Probe.STOP, Probe.BRIDGE) else None


def listed(document: Mapping[str, Any], symbol: str) -> ProbeResult:
    """What an exchangeInfo answer says of a symbol."""
    entry = next((each for each in document.get("symbols", ()) if each.get("symbol") == symbol), None)
    if entry is None:
        return ProbeResult(symbol, Probe.LISTED, ProbeOutcome.BROKEN, "the exchange does not list it")
    lacking = sorted(NEEDED_TYPES - set(entry.get("orderTypes", ()))) + sorted(
        NEEDED_IN_FORCE - set(entry.get("timeInForce", ()))
    )
    if lacking:
        return ProbeResult(symbol, Probe.LISTED, ProbeOutcome.BROKEN, f"not offered: {', '.join(lacking)}")
    return ProbeResult(symbol, Probe.LISTED, ProbeOutcome.HOLDS)


def _text(value: Decimal) -> str:
    return format(value.normalize(), "f")
