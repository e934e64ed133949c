"""Positions, balances and the user events of accounts as the exchange writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atm.exchange.demo.account import (
    TAKER_FEE,
    Account,
    Income,
    MarginMove,
    Margins,
    Position,
    margins,
    open_notional,
    order_margin,
)
from atm.exchange.demo.market import Market, number
from atm.ledger.balance import max_withdrawal
from atm.ledger.margin import Floats, liquidation_price, maintenance_margin, max_notional

Document = dict[str, Any]

_ONLY_V3_RISK = frozenset((
    "initialMargin", "maintMargin", "positionInitialMargin", "openOrderInitialMargin", "bidNotional", "askNotional", "marginAsset", "adl",
))  # fmt: skip


def money(value: float) -> str:
    """An amount with eight decimals, cut as the exchange does (after the noise of binary floats has been rounded away)."""
    units = abs(round(value * 10**10)) // 100
    return f"{'-' if value < 0 and units else ''}{units // 10**8}.{units % 10**8:08d}"


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


class AccountView:
    """An account at one moment, as the signed answers show it."""

    def __init__(
        self,
        account: Account,
        markets: Mapping[str, Market],
        brackets: Mapping[str, Floats],
        now_ms: int,
    ) -> None:
        self._account, self._markets, self._brackets = account, markets, brackets
        self._now_ms = now_ms
        self._marks = {symbol: markets[symbol].mark(now_ms) for symbol in account.busy_symbols}
        self.sums = margins(account, self._marks.__getitem__, brackets)

    def risk_row(self, symbol: str, version: str) -> Document:
        """One row of positionRisk. v2 has the settings that v3 leaves to symbolConfig, but no margins."""
        account, market, table = self._account, self._markets[symbol], self._brackets[symbol]
        position, mark = account.position(symbol), self._mark(symbol)
        row = self.position_row(symbol) | {
            "entryPrice": number(round(position.entry, 8)), "breakEvenPrice": number(break_even(position)),
            "markPrice": money(mark), "unRealizedProfit": money(position.profit(mark)),
            "liquidationPrice": money(liquidation_at(account, symbol, position, mark, self.sums, table)),
            "marginAsset": market.instrument.quote_asset, "adl": int(position.amount != 0),
        } | self._open_notionals(symbol)  # fmt: skip
        if row["liquidationPrice"] == money(0.0):
            row["liquidationPrice"] = "0"
        del row["unrealizedProfit"]
        if version == "v3":
            return row
        return {name: value for name, value in row.items() if name not in _ONLY_V3_RISK} | {
            "leverage": str(position.leverage), "marginType": "isolated" if position.isolated else "cross",
            "isAutoAddMargin": "false", "maxNotionalValue": str(int(max_notional(table, float(position.leverage)))),
        }  # fmt: skip

    def _mark(self, symbol: str) -> float:
        """Mark price, 0 for a symbol that is not listed yet."""
        if symbol not in self._marks and not self._markets[symbol].is_listed(self._now_ms):
            return 0.0
        return self._marks.get(symbol) or self._markets[symbol].mark(self._now_ms)

    def position_row(self, symbol: str) -> Document:
        """One position of the v3 account."""
        account, position, mark = self._account, self._account.position(symbol), self._marks.get(symbol, 0.0)
        notional = position.amount * mark
        orders = order_margin(account, symbol, mark) if symbol in self._marks else 0.0
        initial = position.initial(mark)
        maintenance = float(maintenance_margin(self._brackets[symbol], abs(notional)))
        gain = position.profit(mark)
        isolated = position.isolated and position.amount
        return {
            "symbol": symbol, "positionSide": "BOTH", "positionAmt": self._markets[symbol].quantity_text(position.amount),
            "unrealizedProfit": money(gain), "notional": money(notional),
            "isolatedMargin": money(position.isolated_wallet + gain) if isolated else "0",
            "isolatedWallet": money(position.isolated_wallet) if isolated else "0",
            "initialMargin": money(initial + orders), "positionInitialMargin": money(initial),
            "openOrderInitialMargin": money(orders), "maintMargin": money(maintenance), "updateTime": position.update_ms,
        }  # fmt: skip

    def _full_row(self, symbol: str) -> Document:
        """One position of the v2 account."""
        position = self._account.position(symbol)
        most = max_notional(self._brackets[symbol], float(position.leverage))
        row = self.position_row(symbol)
        del row["isolatedMargin"]
        return row | {
            "leverage": str(position.leverage), "isolated": position.isolated,
            "entryPrice": number(round(position.entry, 8)), "breakEvenPrice": number(break_even(position)),
            "maxNotional": str(int(most)),
        } | self._open_notionals(symbol)  # fmt: skip

    def _open_notionals(self, symbol: str) -> Document:
        bids, asks = (open_notional(self._account, symbol, side) for side in ("BUY", "SELL"))
        return {
            "bidNotional": number(round(bids, 8)) if bids else "0",
            "askNotional": number(round(asks, 8)) if asks else "0",
        }

    def asset(self) -> Document:
        """The USDT balance as the account answers have it."""
        account, sums = self._account, self.sums
        wallet = account.balance()
        withdrawable = float(max_withdrawal(account.wallet, sums.cross_profit, sums.cross_initial, sums.order_initial))
        return {
            "asset": "USDT", "walletBalance": money(wallet), "unrealizedProfit": money(sums.profit),
            "marginBalance": money(wallet + sums.profit), "maintMargin": money(sums.maintenance),
            "initialMargin": money(sums.initial + sums.order_initial), "positionInitialMargin": money(sums.initial),
            "openOrderInitialMargin": money(sums.order_initial), "crossWalletBalance": money(account.wallet),
            "crossUnPnl": money(sums.cross_profit), "availableBalance": money(sums.available),
            "maxWithdrawAmount": money(withdrawable), "updateTime": account.update_ms,
        }  # fmt: skip

    def balance_row(self) -> Document:
        """One row of balance (v2 and v3)."""
        own = self.asset()
        names = ("asset", "crossWalletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount", "updateTime")
        alias = {"accountAlias": self._account.name[:8], "balance": own["walletBalance"], "marginAvailable": True}
        return alias | {name: own[name] for name in names}

    def state(self, version: str) -> Document:
        """The account answer. v3 lists positions and symbols with orders, v2 every symbol and the account's flags."""
        own, account = self.asset(), self._account
        totals = {
            "totalInitialMargin": own["initialMargin"], "totalMaintMargin": own["maintMargin"],
            "totalWalletBalance": own["walletBalance"], "totalUnrealizedProfit": own["unrealizedProfit"],
            "totalMarginBalance": own["marginBalance"], "totalPositionInitialMargin": own["positionInitialMargin"],
            "totalOpenOrderInitialMargin": own["openOrderInitialMargin"], "totalCrossWalletBalance": own["crossWalletBalance"],
            "totalCrossUnPnl": own["crossUnPnl"], "availableBalance": own["availableBalance"],
            "maxWithdrawAmount": own["maxWithdrawAmount"],
        }  # fmt: skip
        if version == "v3":
            rows = [self.position_row(symbol) for symbol in sorted(self._marks)]
            for row in rows:
                del row["positionInitialMargin"], row["openOrderInitialMargin"]
            return totals | {"assets": [own], "positions": rows}
        flags = {"feeTier": 0, "feeBurn": False, "canTrade": True, "canDeposit": True, "canWithdraw": True,
                 "multiAssetsMargin": False, "tradeGroupId": -1, "updateTime": account.update_ms}  # fmt: skip
        rows = [self._full_row(symbol) for symbol in self._markets]
        return flags | totals | {"assets": [own | {"marginAvailable": True}], "positions": rows}


def break_even(position: Position) -> float:
    """Entry price with the taker fee that opening it cost: entry · (1 ± fee)."""
    side = 1.0 if position.amount > 0 else -1.0
    return round(position.entry * (1 + side * TAKER_FEE), 8)


def configuration(account: Account, symbol: str, brackets: Floats) -> Document:
    """One row of symbolConfig."""
    position = account.position(symbol)
    most = max_notional(brackets, float(position.leverage))
    return {"symbol": symbol, "marginType": "ISOLATED" if position.isolated else "CROSSED", "isAutoAddMargin": False,
            "leverage": position.leverage, "maxNotionalValue": str(int(most))}  # fmt: skip


def income_row(income: Income) -> Document:
    """One row of income."""
    return {"symbol": income.symbol, "incomeType": income.kind, "income": money(income.amount), "asset": "USDT",
            "info": income.info, "time": income.time_ms, "tranId": income.transaction_id,
            "tradeId": income.info}  # fmt: skip


def margin_move(move: MarginMove) -> Document:
    """One row of positionMargin/history."""
    return {"symbol": move.symbol, "type": 1 if move.amount > 0 else 2, "deltaType": "USER_ADJUST",
            "amount": money(abs(move.amount)), "asset": "USDT", "time": move.time_ms, "positionSide": "BOTH"}  # fmt: skip


def bracket_rows(symbol: str, table: Floats) -> Document:
    """One entry of leverageBracket."""
    return {
        "symbol": symbol,
        "brackets": [
            {
                "bracket": place,
                "initialLeverage": int(leverage),
                "notionalCap": int(cap),
                "notionalFloor": int(floor),
                "maintMarginRatio": float(rate),
                "cum": float(cum),
            }
            for place, (floor, cap, rate, cum, leverage) in enumerate(table.tolist(), 1)
        ],
    }


def account_event(account: Account, reason: str, change: float, now_ms: int, symbol: str, mark: float) -> Document:
    """ACCOUNT_UPDATE with the balance and the position of `symbol` ("": none). `change`: of the balance, without profit and
    commission."""
    balance = {"a": "USDT", "wb": money(account.balance()), "cw": money(account.wallet), "bc": money(change)}
    update: Document = {"m": reason, "B": [balance], "P": []}
    if symbol:
        position = account.position(symbol)
        entry = number(round(position.entry, 8))
        update["P"] = [{
            "s": symbol, "pa": number(position.amount), "ep": entry, "bep": number(break_even(position)),
            "cr": money(position.realized), "up": money(position.profit(mark)),
            "mt": "isolated" if position.isolated else "cross", "iw": money(position.isolated_wallet), "ps": "BOTH",
        }]  # fmt: skip
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms, "a": update}


def leverage_event(symbol: str, leverage: int, now_ms: int) -> Document:
    """ACCOUNT_CONFIG_UPDATE of a changed leverage."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": symbol, "l": leverage}}


def margin_call(account: Account, rows: list[tuple[str, float, float]], crossed: bool, now_ms: int) -> Document:
    """MARGIN_CALL of positions given as (symbol, mark price, maintenance margin)."""
    positions = []
    for symbol, mark, maintenance in rows:
        held = account.position(symbol)
        positions.append({
            "s": symbol, "ps": "BOTH", "pa": number(held.amount), "mt": "CROSSED" if crossed else "ISOLATED",
            "iw": money(held.isolated_wallet), "mp": money(mark), "up": money(held.profit(mark)),
            "mm": money(maintenance),
        })  # fmt: skip
    wallet = {"cw": money(account.wallet)} if crossed else {}
    return {"e": "MARGIN_CALL", "E": now_ms, **wallet, "p": positions}


def key_expired_event(listen_key: str, now_ms: int) -> Document:
    """listenKeyExpired: the last message of a user stream."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": listen_key}
