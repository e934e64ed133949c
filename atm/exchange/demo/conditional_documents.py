"""Conditional orders as the exchange writes them in answers and user events (spec: exchange §1.7, §2.5)."""

from __future__ import annotations

from typing import Any

from atm.exchange.demo.conditional import Conditional
from atm.exchange.demo.documents import Document
from atm.exchange.demo.market import number


def placed(conditional: Conditional) -> Document:
    """The answer to placing."""
    return {
        "algoId": conditional.algo_id, "clientAlgoId": conditional.client_algo_id, "algoType": "CONDITIONAL",
        "orderType": conditional.type, "symbol": conditional.symbol, "side": conditional.side, "positionSide": "BOTH",
        "timeInForce": conditional.time_in_force, "quantity": conditional.quantity, "algoStatus": conditional.status,
        "triggerPrice": conditional.trigger_price, "price": conditional.price, "icebergQuantity": None,
        "selfTradePreventionMode": conditional.prevention, "workingType": conditional.working_type,
        "priceMatch": conditional.price_match, "closePosition": conditional.close_position,
        "priceProtect": conditional.price_protect, "reduceOnly": conditional.reduce_only,
        "activatePrice": conditional.activate_price, "callbackRate": conditional.callback_rate,
        "createTime": conditional.time_ms, "updateTime": conditional.update_ms, "triggerTime": conditional.trigger_ms,
        "goodTillDate": conditional.good_till_ms,
    }  # fmt: skip


def queried(conditional: Conditional) -> Document:
    """The answer to a query; what it became is there once it has fired."""
    fired = conditional.order_id != 0
    return placed(conditional) | {
        "actualOrderId": str(conditional.order_id) if fired else "",
        "actualPrice": number(round(conditional.average, 8)) if fired else "0.00000",
        "actualType": conditional.order_type if fired else "", "actualQty": number(conditional.executed) if fired else "",
        "tpTriggerPrice": "0.000", "tpPrice": "0.000", "slTriggerPrice": "0.000", "slPrice": "0.000", "tpOrderType": "",
    }  # fmt: skip


def event(conditional: Conditional, now_ms: int) -> Document:
    """ALGO_UPDATE."""
    body: dict[str, Any] = {
        "caid": conditional.client_algo_id, "aid": conditional.algo_id, "at": "CONDITIONAL", "o": conditional.type,
        "s": conditional.symbol, "S": conditional.side, "ps": "BOTH", "f": conditional.time_in_force,
        "q": conditional.quantity, "X": conditional.status, "ai": str(conditional.order_id or ""),
        "tp": conditional.trigger_price, "p": conditional.price, "V": conditional.prevention,
        "wt": conditional.working_type, "pm": conditional.price_match, "cp": conditional.close_position,
        "pP": conditional.price_protect, "R": conditional.reduce_only, "tt": conditional.trigger_ms,
        "gtd": conditional.good_till_ms,
    }  # fmt: skip
    if conditional.order_id:
        body |= {"ap": number(round(conditional.average, 8)), "aq": number(conditional.executed),
                 "act": conditional.order_type}  # fmt: skip
    if conditional.is_trailing:
        body |= {"AP": conditional.activate_price, "cr": conditional.callback_rate, "ia": conditional.activated}
    if conditional.reason:
        body["rm"] = conditional.reason
    return {"e": "ALGO_UPDATE", "T": now_ms, "E": now_ms, "o": body}
