"""From what the exchange writes about orders and accounts, in answers and in the user stream, to facts (spec: exchange §1.7,
§2.5). A tolerant reader: what it does not know it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from atm.model.account_facts import (
    LiveFact,
    OpenOrder,
    PositionSeen,
    SettingsSeen,
    TradeSeen,
    WalletSeen,
)
from atm.model.live_order import NOTHING, OrderFill, OrderState
from atm.model.order import Side
from atm.model.order_facts import Filled, Reported

Document = Mapping[str, Any]

ORDER_STATES = {
    "NEW": OrderState.ACKNOWLEDGED, "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED, "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED, "EXPIRED": OrderState.EXPIRED, "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
}  # fmt: skip
_WAITING = frozenset(("NEW", "TRIGGERING", "TRIGGERED"))


def decimal(value: object) -> Decimal:
    """A number as the exchange spells it; 0 for an empty or absent one."""
    try:
        return Decimal(str(value)) if value not in ("", None) else NOTHING
    except InvalidOperation:
        return NOTHING


def order(entry: Document) -> tuple[LiveFact, ...]:
    """An order in the answer to placing, cancelling or a query."""
    state = ORDER_STATES.get(entry.get("status", ""))
    if state is None:
        return ()
    time_ms, number = int(entry.get("updateTime", 0)), int(entry["orderId"])
    return (Reported(entry["clientOrderId"], state, decimal(entry.get("executedQty")), time_ms, number),)


def conditional(entry: Document) -> tuple[LiveFact, ...]:
    """A conditional order in the answer to placing or a query."""
    executed, status = decimal(entry.get("actualQty")), entry.get("algoStatus", "")
    state = conditional_state(status, executed)
    if state is None:
        return ()
    time_ms, order_id = int(entry.get("updateTime", 0)), int(entry.get("actualOrderId") or 0)
    return (Reported(entry["clientAlgoId"], state, executed, time_ms, order_id, int(entry["algoId"]), status),)


def conditional_state(status: str, executed: Decimal) -> OrderState | None:
    """Where a conditional order is in its life. FINISHED only says that the order it became is done, filled or not."""
    if status in _WAITING:
        return OrderState.PARTIALLY_FILLED if executed else OrderState.ACKNOWLEDGED
    if status == "FINISHED":
        return OrderState.FILLED if executed else OrderState.EXPIRED
    if status in ("EXPIRED", "REJECTED"):
        return OrderState.EXPIRED
    return OrderState.CANCELED if status == "CANCELED" else None


def open_order(entry: Document) -> OpenOrder | None:
    """A row of openOrders; None where its state is not known."""
    state = ORDER_STATES.get(entry.get("status", ""))
    if state is None:
        return None
    return OpenOrder(
        entry["clientOrderId"], entry["symbol"], Side(entry["side"]), state, decimal(entry.get("origQty")),
        decimal(entry.get("executedQty")), int(entry.get("updateTime", 0)), order_id=int(entry["orderId"]),
        price=decimal(entry.get("price")),
    )  # fmt: skip


def open_conditional(entry: Document) -> OpenOrder | None:
    """A row of openAlgoOrders; None where its state is not known."""
    executed = decimal(entry.get("actualQty"))
    state = conditional_state(entry.get("algoStatus", ""), executed)
    if state is None:
        return None
    return OpenOrder(
        entry["clientAlgoId"], entry["symbol"], Side(entry["side"]), state, decimal(entry.get("quantity")), executed,
        int(entry.get("updateTime", 0)), algo_id=int(entry["algoId"]), price=decimal(entry.get("price")),
        trigger=decimal(entry.get("triggerPrice")),
    )  # fmt: skip


def trade(entry: Document) -> TradeSeen:
    """A row of userTrades."""
    fill = OrderFill(
        int(entry["id"]), decimal(entry["qty"]), decimal(entry["price"]), int(entry["time"]), bool(entry.get("maker")),
        decimal(entry.get("commission")), entry.get("commissionAsset", ""), decimal(entry.get("realizedPnl")),
    )  # fmt: skip
    return TradeSeen(entry["symbol"], int(entry["orderId"]), Side(entry["side"]), fill)


def position(entry: Document) -> PositionSeen:
    """A row of positionRisk (v3)."""
    amount, time_ms = decimal(entry["positionAmt"]), int(entry.get("updateTime", 0))
    mark = decimal(entry.get("markPrice"))
    return PositionSeen(entry["symbol"], amount, decimal(entry.get("entryPrice")), time_ms, mark=mark)


def settings(entry: Document) -> SettingsSeen:
    """A row of symbolConfig."""
    return SettingsSeen(entry["symbol"], int(entry["leverage"]), entry["marginType"] == "ISOLATED")


def wallets(rows: Iterable[Document]) -> tuple[WalletSeen, ...]:
    """The rows of balance that are not empty."""
    found = (WalletSeen(row["asset"], decimal(row["balance"]), int(row.get("updateTime", 0))) for row in rows)
    return tuple(each for each in found if each.wallet)


def user_event(event: Document) -> tuple[LiveFact, ...]:
    """What an event of the user stream says; nothing for kinds that say nothing of orders, positions and balances."""
    match event.get("e"):
        case "ORDER_TRADE_UPDATE":
            return _order_update(event["o"])
        case "TRADE_LITE":
            fill = OrderFill(
                int(event["t"]), decimal(event["l"]), decimal(event["L"]), int(event["T"]), bool(event.get("m"))
            )
            return (Filled(event["c"], fill, int(event["i"])),)
        case "ALGO_UPDATE":
            return _conditional_update(event["o"], int(event["T"]))
        case "ACCOUNT_UPDATE":
            return _account_update(event["a"], int(event["T"]))
        case "ACCOUNT_CONFIG_UPDATE" if "ac" in event:
            return (SettingsSeen(event["ac"]["s"], leverage=int(event["ac"]["l"])),)
    return ()


def read_event(event: Document) -> tuple[LiveFact, ...] | None:
    """The same; None for an event that cannot be read, which may hide anything."""
    try:
        return user_event(event)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _order_update(body: Document) -> tuple[LiveFact, ...]:
    facts: list[LiveFact] = []
    state, number, time_ms = ORDER_STATES.get(body["X"]), int(body["i"]), int(body["T"])
    if state is not None:
        why = f"expiry {body['er']}" if state is OrderState.EXPIRED and body.get("er", "0") != "0" else ""
        facts.append(Reported(body["c"], state, decimal(body["z"]), time_ms, number, reason=why))
    if body["x"] == "TRADE" and int(body.get("t") or 0):
        fill = OrderFill(
            int(body["t"]), decimal(body["l"]), decimal(body["L"]), time_ms, bool(body.get("m")), decimal(body.get("n")),
            body.get("N") or "", decimal(body.get("rp")),
        )  # fmt: skip
        facts.append(Filled(body["c"], fill, number))
    return tuple(facts)


def _conditional_update(body: Document, time_ms: int) -> tuple[LiveFact, ...]:
    executed = decimal(body.get("aq"))
    state = conditional_state(body["X"], executed)
    if state is None:
        return ()
    why = str(body.get("rm") or body["X"])
    return (Reported(body["caid"], state, executed, time_ms, int(body.get("ai") or 0), int(body["aid"]), why),)


def _account_update(body: Document, time_ms: int) -> tuple[LiveFact, ...]:
    why = str(body.get("m", ""))
    facts: list[LiveFact] = [
        WalletSeen(each["a"], decimal(each["wb"]), time_ms, why, decimal(each.get("bc"))) for each in body.get("B", ())
    ]
    for each in body.get("P") or ():
        if each.get("ps", "BOTH") == "BOTH":
            isolated = each.get("mt") == "isolated"
            facts.append(PositionSeen(each["s"], decimal(each["pa"]), decimal(each["ep"]), time_ms, isolated))
    return tuple(facts)
