"""Orders, positions, balances and user events as the exchange writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from atm.exchange.demo.account import Account, Margins, Order, Position, Trade
from atm.exchange.demo.market import Market, number
from atm.ledger.margin import Floats, bracket_of, liquidation_price, maintenance_margin, max_notional

Document = dict[str, Any]


def money(value: float) -> str:
    """An amount with eight decimals."""
    return f"{value:.8f}"


def placed(order: Order, market: Market) -> Document:
    """The answer to placing or cancelling: without average price and quote quantity (since 2026-07-15)."""
    return {
        "orderId": order.order_id, "symbol": order.symbol, "status": order.status, "clientOrderId": order.client_order_id,
        "price": order.price, "origQty": order.quantity, "executedQty": market.quantity_text(order.executed),
        "cumQty": market.quantity_text(order.executed), "timeInForce": order.time_in_force, "type": order.type,
        "reduceOnly": order.reduce_only, "closePosition": False, "side": order.side, "positionSide": "BOTH",
        "stopPrice": "0", "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": order.type,
        "priceMatch": "NONE", "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0, "updateTime": order.update_ms,
    }  # fmt: skip


def queried(order: Order, market: Market) -> Document:
    """The answer to a query of an order."""
    return placed(order, market) | {
        "pair": order.symbol, "avgPrice": number(round(order.average, 8)), "cumQuote": number(round(order.quote, 8)),
        "cumBase": market.quantity_text(order.executed), "time": order.time_ms,
    }  # fmt: skip


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


def liquidation_at(
    account: Account, symbol: str, position: Position, mark: float, sums: Margins, brackets: Floats
) -> float:
    """Liquidation price; for a crossed position the other positions' profit and maintenance margin count (0: none)."""
    if position.isolated:
        wallet = position.isolated_wallet
    else:
        own = float(maintenance_margin(brackets, abs(position.amount) * mark))
        wallet = account.wallet - (sums.cross_maintenance - own) + sums.cross_profit - position.profit(mark)
    return float(liquidation_price(brackets, position.amount, position.entry, wallet))


def positions(
    account: Account,
    symbols: list[str],
    mark: Callable[[str], float],
    brackets: Mapping[str, Floats],
    sums: Margins,
    markets: Mapping[str, Market],
) -> list[Document]:
    """Rows of positionRisk; v2's further fields are always there, v3's readers ignore them."""
    rows = []
    for symbol in symbols:
        position, price, table = account.position(symbol), mark(symbol), brackets[symbol]
        notional = position.amount * price
        initial = money(abs(notional) / position.leverage)
        rows.append({
            "symbol": symbol, "positionSide": "BOTH", "positionAmt": markets[symbol].quantity_text(position.amount),
            "entryPrice": number(round(position.entry, 8)), "breakEvenPrice": number(round(position.entry, 8)),
            "markPrice": money(price), "unRealizedProfit": money(position.profit(price)),
            "unrealizedProfit": money(position.profit(price)),
            "liquidationPrice": money(liquidation_at(account, symbol, position, price, sums, table)),
            "isolatedMargin": money(position.isolated_wallet + position.profit(price) if position.isolated else 0.0),
            "isolatedWallet": money(position.isolated_wallet), "isolated": position.isolated, "notional": money(notional),
            "marginAsset": "USDT", "initialMargin": initial, "positionInitialMargin": initial,
            "maintMargin": money(float(maintenance_margin(table, abs(notional)))), "openOrderInitialMargin": "0",
            "adl": 0, "bidNotional": "0", "askNotional": "0", "leverage": str(position.leverage),
            "marginType": "isolated" if position.isolated else "cross", "isAutoAddMargin": "false",
            "maxNotionalValue": number(float(max_notional(table, float(position.leverage)))),
            "updateTime": position.update_ms,
        })  # fmt: skip
    return rows


def asset(account: Account, sums: Margins) -> Document:
    """The USDT balance as the account answers have it."""
    wallet = account.balance()
    return {
        "asset": "USDT", "walletBalance": money(wallet), "unrealizedProfit": money(sums.profit),
        "marginBalance": money(wallet + sums.profit), "maintMargin": money(sums.maintenance),
        "initialMargin": money(sums.initial + sums.order_initial), "positionInitialMargin": money(sums.initial),
        "openOrderInitialMargin": money(sums.order_initial), "crossWalletBalance": money(account.wallet),
        "crossUnPnl": money(sums.cross_profit), "availableBalance": money(sums.available),
        "maxWithdrawAmount": money(max(0.0, min(sums.available, account.wallet))), "marginAvailable": True,
        "updateTime": account.update_ms,
    }  # fmt: skip


def account_state(account: Account, sums: Margins, rows: list[Document]) -> Document:
    """The account answer (v2 and v3)."""
    own = asset(account, sums)
    totals = {
        "totalInitialMargin": own["initialMargin"], "totalMaintMargin": own["maintMargin"],
        "totalWalletBalance": own["walletBalance"], "totalUnrealizedProfit": own["unrealizedProfit"],
        "totalMarginBalance": own["marginBalance"], "totalPositionInitialMargin": own["positionInitialMargin"],
        "totalOpenOrderInitialMargin": own["openOrderInitialMargin"], "totalCrossWalletBalance": own["crossWalletBalance"],
        "totalCrossUnPnl": own["crossUnPnl"], "availableBalance": own["availableBalance"],
        "maxWithdrawAmount": own["maxWithdrawAmount"],
    }  # fmt: skip
    flags = {"feeTier": 0, "feeBurn": False, "canTrade": True, "canDeposit": True, "canWithdraw": True,
             "multiAssetsMargin": False, "tradeGroupId": -1, "updateTime": account.update_ms}  # fmt: skip
    return totals | flags | {"assets": [own], "positions": rows}


def bracket_rows(symbol: str, table: Floats) -> Document:
    """One entry of leverageBracket."""
    return {
        "symbol": symbol,
        "brackets": [
            {
                "bracket": bracket_of(table, float(cap)) + 1,
                "initialLeverage": int(leverage),
                "notionalCap": float(cap),
                "notionalFloor": float(floor),
                "maintMarginRatio": float(rate),
                "cum": float(cum),
            }
            for floor, cap, rate, cum, leverage in table
        ],
    }


def order_event(order: Order, kind: str, fill: Trade | None, now_ms: int, market: Market) -> Document:
    """ORDER_TRADE_UPDATE. `kind`: NEW, TRADE, CANCELED or EXPIRED."""
    body: Document = {
        "s": order.symbol, "c": order.client_order_id, "S": order.side, "o": order.type, "f": order.time_in_force,
        "q": order.quantity, "p": order.price, "ap": number(round(order.average, 8)), "sp": "0", "x": kind,
        "X": order.status, "i": order.order_id, "l": "0", "z": market.quantity_text(order.executed), "L": "0",
        "T": now_ms, "t": 0, "b": "0", "a": "0", "m": False, "R": order.reduce_only, "wt": "CONTRACT_PRICE",
        "ot": order.type, "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER",
        "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    if fill is not None:
        body |= {"l": market.quantity_text(fill.quantity), "L": market.price_text(fill.price), "n": money(fill.commission),
                 "N": "USDT", "t": fill.trade_id, "m": fill.maker, "rp": money(fill.profit)}  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": now_ms, "o": body}


def account_event(account: Account, symbol: str, reason: str, change: float, mark: float, now_ms: int) -> Document:
    """ACCOUNT_UPDATE with the balance and one position. `change`: of the balance, without profit and commission."""
    position = account.position(symbol)
    balance = {"a": "USDT", "wb": money(account.balance()), "cw": money(account.wallet), "bc": money(change)}
    held = {
        "s": symbol, "pa": number(position.amount), "ep": number(round(position.entry, 8)),
        "bep": number(round(position.entry, 8)), "cr": "0", "up": money(position.profit(mark)),
        "mt": "isolated" if position.isolated else "cross", "iw": money(position.isolated_wallet), "ps": "BOTH",
        "ma": "USDT",
    }  # fmt: skip
    update = {"m": reason, "B": [balance], "P": [held]}
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": update}
