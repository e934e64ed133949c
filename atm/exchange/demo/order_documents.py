"""Orders, amendments and fills as the exchange writes them in answers and user events (spec: exchange §1.7, §2.5)."""

from __future__ import annotations

from typing import Any

from atm.exchange.demo.account import Account, Amendment, Order, Trade, open_notional
from atm.exchange.demo.documents import Document, money
from atm.exchange.demo.market import Market, number


def placed(order: Order, market: Market) -> Document:
    """The answer to placing or cancelling: without average price and quote quantity (since 2026-07-15)."""
    return {
        "orderId": order.order_id, "symbol": order.symbol, "status": order.status, "clientOrderId": order.client_order_id,
        "price": order.price, "origQty": order.quantity, "executedQty": market.quantity_text(order.executed),
        "cumQty": market.quantity_text(order.executed), "timeInForce": order.time_in_force, "type": order.type,
        "reduceOnly": order.reduce_only, "closePosition": order.close_position, "side": order.side, "positionSide": "BOTH",
        "stopPrice": "0", "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": order.type,
        "priceMatch": order.price_match, "selfTradePreventionMode": order.prevention, "goodTillDate": order.good_till_ms,
        "updateTime": order.update_ms,
    }  # fmt: skip


def amended(order: Order, market: Market) -> Document:
    """The answer to an amendment."""
    return placed(order, market) | {"pair": order.symbol, "modifyId": order.modify_id}


def queried(order: Order, market: Market) -> Document:
    """The answer to a query of an order."""
    known = placed(order, market)
    del known["cumQty"]
    return known | {
        "pair": order.symbol, "avgPrice": number(round(order.average, 8)), "cumQuote": number(round(order.quote, 8)),
        "cumBase": market.quantity_text(order.executed), "time": order.time_ms,
    }  # fmt: skip


def amendment(entry: Amendment) -> Document:
    """One row of orderAmendment."""
    changes = {
        "price": dict(zip(("before", "after"), entry.price, strict=True)),
        "origQty": dict(zip(("before", "after"), entry.quantity, strict=True)),
        "count": entry.count, "modifyId": entry.modify_id,
    }  # fmt: skip
    return {"amendmentId": entry.amendment_id, "symbol": entry.symbol, "pair": entry.symbol, "orderId": entry.order_id,
            "clientOrderId": entry.client_order_id, "time": entry.time_ms, "amendment": changes}  # fmt: skip


def trade(entry: Trade, market: Market) -> Document:
    """One row of userTrades."""
    quantity = market.quantity_text(entry.quantity)
    return {
        "symbol": entry.symbol, "pair": entry.symbol, "id": entry.trade_id, "orderId": entry.order_id, "side": entry.side,
        "positionSide": "BOTH", "price": market.price_text(entry.price), "qty": quantity, "baseQty": quantity,
        "quoteQty": number(round(entry.price * entry.quantity, 8)), "marginAsset": "USDT",
        "realizedPnl": money(entry.profit), "commission": money(entry.commission), "commissionAsset": "USDT",
        "buyer": entry.side == "BUY", "maker": entry.maker, "time": entry.time_ms,
    }  # fmt: skip


def order_event(account: Account, order: Order, kind: str, fill: Trade | None, now_ms: int, market: Market) -> Document:
    """ORDER_TRADE_UPDATE. `kind`: NEW, TRADE, AMENDMENT, CANCELED or EXPIRED."""
    bids, asks = (open_notional(account, order.symbol, side) for side in ("BUY", "SELL"))
    body: dict[str, Any] = {
        "s": order.symbol, "c": order.client_order_id, "S": order.side, "o": order.type, "f": order.time_in_force,
        "q": order.quantity, "p": order.price, "ap": number(round(order.average, 8)), "sp": "0", "x": kind,
        "X": order.status, "i": order.order_id, "l": "0", "z": market.quantity_text(order.executed), "L": "0",
        "T": now_ms, "t": 0, "b": number(round(bids, 8)) if bids else "0", "a": number(round(asks, 8)) if asks else "0",
        "m": False, "R": order.reduce_only, "wt": "CONTRACT_PRICE", "ot": order.type, "ps": "BOTH",
        "cp": order.close_position, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": order.prevention,
        "pm": order.price_match, "gtd": order.good_till_ms, "er": str(order.expiry),
    }  # fmt: skip
    if order.amended:
        body["M"] = order.modify_id
    if fill is not None:
        body |= {"l": market.quantity_text(fill.quantity), "L": market.price_text(fill.price), "n": money(fill.commission),
                 "N": "USDT", "t": fill.trade_id, "m": fill.maker, "rp": money(fill.profit)}  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": body}


def trade_lite(order: Order, fill: Trade, market: Market) -> Document:
    """TRADE_LITE: the early and short message of a fill."""
    return {"e": "TRADE_LITE", "E": fill.time_ms, "T": fill.time_ms, "s": order.symbol, "q": order.quantity,
            "p": order.price, "m": fill.maker, "c": order.client_order_id, "S": order.side,
            "L": market.price_text(fill.price), "l": market.quantity_text(fill.quantity), "t": fill.trade_id,
            "i": order.order_id}  # fmt: skip
