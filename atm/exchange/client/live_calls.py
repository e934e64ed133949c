"""From a request of the core of live trading to calls of the exchange's REST interface, and from their documents to an answer.
Pure, so that the simulation of orders runs through the same code as an account (spec: exchange §1.6, §1.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from atm.exchange.client import live_facts
from atm.exchange.client.failures import NO_CHANGE_NEEDED
from atm.model.account_facts import LiveFact, Snapshot
from atm.model.errors import ATMError, Banned, Refused, Throttled, Unknown
from atm.model.live_order import NOTHING, OrderIntent, Purpose
from atm.model.live_request import (
    Answer,
    CancelOrder,
    CountDown,
    Failure,
    FailureKind,
    FindOrder,
    LiveRequest,
    PlaceOrder,
    QueryOrder,
    QueryTrades,
    SetLeverage,
    SetMarginMode,
    TakeSnapshot,
)

NO_SUCH_ORDER = frozenset((-2011, -2013))
TRADES_AT_ONCE = 1_000
AFTER_BAN_MS = 60_000
QUERY_TRIES = 3
"""A query does no harm: each call of it is made so often before the whole request fails."""
QUERY_PATIENCE_MS, ORDER_PATIENCE_MS = 3_000, 10_000
"""How long an answer is waited for."""


class Call(msgspec.Struct, frozen=True):
    """A signed request: HTTP method, version and path below /fapi, parameters as texts."""

    method: str
    version: int
    path: str
    parameters: dict[str, str] = {}

    @property
    def places(self) -> bool:
        """Whether a lost answer leaves open if something was bought or sold."""
        return self.method == "POST" and self.path in ("order", "algoOrder")

    @property
    def tries(self) -> int:
        """How often it may be made before it has failed."""
        return QUERY_TRIES if self.method == "GET" else 1

    @property
    def patience_ms(self) -> int:
        """How long its answer is waited for."""
        return QUERY_PATIENCE_MS if self.method == "GET" else ORDER_PATIENCE_MS


def calls(request: LiveRequest) -> tuple[Call, ...]:
    """What has to be called, one after the other."""
    match request:
        case PlaceOrder():
            return (_placing(request.intent),)
        case CancelOrder(symbol, client_id, conditional):
            return (_of_order("DELETE", symbol, client_id, conditional),)
        case QueryOrder(symbol, client_id, conditional):
            return (_of_order("GET", symbol, client_id, conditional),)
        case FindOrder(symbol, order_id):
            return (Call("GET", 1, "order", {"symbol": symbol, "orderId": str(order_id)}),)
        case QueryTrades(symbol, order_id):
            wanted = {"symbol": symbol, "orderId": str(order_id), "limit": str(TRADES_AT_ONCE)}
            return (Call("GET", 1, "userTrades", wanted),)
        case SetLeverage(symbol, leverage):
            return (Call("POST", 1, "leverage", {"symbol": symbol, "leverage": str(leverage)}),)
        case SetMarginMode(symbol, isolated):
            kind = "ISOLATED" if isolated else "CROSSED"
            return (Call("POST", 1, "marginType", {"symbol": symbol, "marginType": kind}),)
        case CountDown(symbol, length_ms):
            return (Call("POST", 1, "countdownCancelAll", {"symbol": symbol, "countdownTime": str(length_ms)}),)
        case TakeSnapshot():
            return _snapshot_calls(request)


def _placing(intent: OrderIntent) -> Call:
    known = {"symbol": intent.symbol, "side": intent.side.value}
    if intent.is_conditional:
        known |= {
            "algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": _text(intent.trigger or NOTHING),
            "workingType": "MARK_PRICE", "clientAlgoId": intent.client_id,
        }  # fmt: skip
        if intent.purpose is Purpose.STOP:
            return Call("POST", 1, "algoOrder", known | {"closePosition": "true"})
        return Call("POST", 1, "algoOrder", known | {"quantity": _text(intent.quantity), "reduceOnly": "true"})
    known |= {
        "quantity": _text(intent.quantity), "newClientOrderId": intent.client_id, "newOrderRespType": "RESULT",
    }  # fmt: skip
    if intent.price is None:
        known["type"] = "MARKET"
    else:
        known |= {"type": "LIMIT", "price": _text(intent.price), "timeInForce": "GTC"}
    return Call("POST", 1, "order", known | ({"reduceOnly": "true"} if intent.reduce_only else {}))


def _text(value: Decimal) -> str:
    """As a request spells it: plain digits, no exponent, no zeros at the end."""
    return format(value.normalize(), "f")


def _of_order(method: str, symbol: str, client_id: str, conditional: bool) -> Call:
    if conditional:
        return Call(method, 1, "algoOrder", {"clientAlgoId": client_id})
    return Call(method, 1, "order", {"symbol": symbol, "origClientOrderId": client_id})


def _snapshot_calls(request: TakeSnapshot) -> tuple[Call, ...]:
    """Orders before fills before positions: what happens in between makes positions newer than orders, never the reverse."""
    since = str(max(0, request.since_ms))
    trades = [
        Call("GET", 1, "userTrades", {"symbol": symbol, "startTime": since, "limit": str(TRADES_AT_ONCE)})
        for symbol in request.trades_of
    ]
    return (
        Call("GET", 1, "openOrders"), Call("GET", 1, "openAlgoOrders"), *trades, Call("GET", 3, "positionRisk"),
        Call("GET", 3, "balance"), Call("GET", 1, "symbolConfig"),
    )  # fmt: skip


def answer(request: LiveRequest, number: int, asked_ms: int, done_ms: int, documents: Sequence[Any]) -> Answer:
    """The answer that the documents of all calls make."""
    match request:
        case PlaceOrder() | QueryOrder() | FindOrder() | CancelOrder():
            return Answer(number, asked_ms, facts=_facts(request, documents[0]))
        case QueryTrades():
            return Answer(number, asked_ms, trades=tuple(live_facts.trade(entry) for entry in documents[0]))
        case TakeSnapshot():
            return Answer(number, asked_ms, snapshot=_snapshot(request, asked_ms, done_ms, documents))
    return Answer(number, asked_ms)


def _facts(request: LiveRequest, document: Any) -> tuple[LiveFact, ...]:
    if "algoStatus" in document:
        return live_facts.conditional(document)
    # The answer to cancelling a conditional order has no state; the query or the stream says what became of it.
    return live_facts.order(document) if "status" in document else ()


def _snapshot(request: TakeSnapshot, asked_ms: int, done_ms: int, documents: Sequence[Any]) -> Snapshot:
    orders, conditionals, *histories = documents[: 2 + len(request.trades_of)]
    positions, balances, configurations = documents[2 + len(request.trades_of) :]
    found = [live_facts.open_order(entry) for entry in orders]
    found += [live_facts.open_conditional(entry) for entry in conditionals]
    cut = [name for name, rows in zip(request.trades_of, histories, strict=True) if len(rows) >= TRADES_AT_ONCE]
    return Snapshot(
        asked_ms, done_ms, tuple(order for order in found if order is not None),
        tuple(live_facts.position(entry) for entry in positions if entry.get("positionSide", "BOTH") == "BOTH"),
        live_facts.wallets(balances), tuple(live_facts.settings(entry) for entry in configurations),
        tuple(live_facts.trade(entry) for history in histories for entry in history), request.trades_of,
        request.since_ms, tuple(cut),
    )  # fmt: skip


def failed(request: LiveRequest, number: int, asked_ms: int, error: ATMError) -> Answer:
    """The answer that an error of the client makes; a setting that is what it should be already is none."""
    if isinstance(request, SetLeverage | SetMarginMode) and getattr(error, "code", 0) in NO_CHANGE_NEEDED:
        return Answer(number, asked_ms)
    return Answer(number, asked_ms, failure=_failure(request, error))


def _failure(request: LiveRequest, error: ATMError) -> Failure:
    if isinstance(error, Refused):
        asks = isinstance(request, QueryOrder | FindOrder | CancelOrder)
        kind = FailureKind.NOT_FOUND if asks and error.code in NO_SUCH_ORDER else FailureKind.REFUSED
        return Failure(kind, error.code, error.message)
    if isinstance(error, Unknown):
        return Failure(FailureKind.UNKNOWN, reason=str(error))
    wait_ms = int(error.retry_after * 1000) if isinstance(error, Throttled) else 0
    wait_ms = AFTER_BAN_MS if isinstance(error, Banned) else wait_ms
    return Failure(FailureKind.NOT_DONE, reason=str(error), retry_after_ms=wait_ms)
