"""Answers to signed requests: settings, balances, positions, orders, fills and income."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atm.exchange.demo import access, documents
from atm.exchange.demo.account import MAKER_FEE, TAKER_FEE, Order
from atm.exchange.demo.documents import AccountView, Document
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked, Handler, amount_of, integer, limit, times
from atm.model.interval import DAY_MS

_DONE = {"code": 200, "msg": "success"}
_MOST_DAYS = 7


class AccountAnswers:
    """Handlers by method and path."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._markets = engine, engine.markets
        self.handlers: dict[tuple[str, str], Handler] = {
            ("GET", "v1/leverageBracket"): self._leverage_brackets,
            ("GET", "v2/account"): lambda asked: self._view(asked).state("v2"),
            ("GET", "v3/account"): lambda asked: self._view(asked).state("v3"),
            ("GET", "v2/balance"): lambda asked: [self._view(asked).balance_row()],
            ("GET", "v3/balance"): lambda asked: [self._view(asked).balance_row()],
            ("GET", "v2/positionRisk"): self._position_risk,
            ("GET", "v3/positionRisk"): self._position_risk,
            ("GET", "v1/symbolConfig"): self._symbol_configurations,
            ("GET", "v1/accountConfig"): self._account_configuration,
            ("GET", "v1/commissionRate"): self._commission,
            ("GET", "v1/rateLimit/order"): lambda _: _ORDER_LIMITS,
            ("GET", "v1/positionSide/dual"): lambda _: {"dualSidePosition": False},
            ("POST", "v1/positionSide/dual"): self._set_dual,
            ("GET", "v1/multiAssetsMargin"): lambda _: {"multiAssetsMargin": False},
            ("POST", "v1/leverage"): self._set_leverage,
            ("POST", "v1/marginType"): self._set_margin_type,
            ("POST", "v1/positionMargin"): self._move_margin,
            ("POST", "v1/order"): self._place,
            ("POST", "v1/order/test"): self._test,
            ("GET", "v1/order"): lambda asked: self._queried(self._engine.find(asked.owner, asked.given)),
            ("GET", "v1/openOrder"): lambda asked: self._queried(self._engine.find(asked.owner, asked.given, True)),
            ("DELETE", "v1/order"): self._cancel,
            ("GET", "v1/openOrders"): self._open_orders,
            ("GET", "v1/allOrders"): self._all_orders,
            ("DELETE", "v1/allOpenOrders"): self._cancel_all,
            ("GET", "v1/userTrades"): self._user_trades,
            ("GET", "v1/income"): self._income,
        }

    def _view(self, asked: Asked) -> AccountView:
        return AccountView(asked.owner, self._markets, self._engine.brackets, asked.now_ms)

    def _wanted(self, given: Mapping[str, str]) -> list[str]:
        """The symbol that is named, else all."""
        return [self._engine.market(given["symbol"]).symbol] if given.get("symbol") else list(self._markets)

    def _leverage_brackets(self, asked: Asked) -> Any:
        wanted = self._wanted(asked.given)
        return [documents.bracket_rows(symbol, self._engine.brackets[symbol]) for symbol in wanted]

    def _position_risk(self, asked: Asked) -> Any:
        view, wanted = self._view(asked), self._wanted(asked.given)
        if asked.version == "v3":
            busy = asked.owner.busy_symbols
            wanted = [symbol for symbol in wanted if symbol in busy]
        return [view.risk_row(symbol, asked.version) for symbol in wanted]

    def _symbol_configurations(self, asked: Asked) -> Any:
        return [self._configuration(asked, symbol) for symbol in self._wanted(asked.given)]

    def _configuration(self, asked: Asked, symbol: str) -> Document:
        return documents.configuration(asked.owner, symbol, self._engine.brackets[symbol])

    def _account_configuration(self, _: Asked) -> Any:
        return {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "dualSidePosition": False,
                "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1}  # fmt: skip

    def _commission(self, asked: Asked) -> Any:
        symbol = self._engine.market(asked.given.get("symbol")).symbol
        return {"symbol": symbol, "makerCommissionRate": f"{MAKER_FEE:.6f}", "takerCommissionRate": f"{TAKER_FEE:.6f}",
                "rpiCommissionRate": "0.000050"}  # fmt: skip

    # --- settings ---------------------------------------------------------------------------------------------

    def _set_dual(self, asked: Asked) -> Any:
        wanted = asked.given.get("dualSidePosition", "").lower()
        if not wanted:
            raise ExchangeRefusal(-1102, "dualSidePosition")
        raise (
            ExchangeRefusal({"false": -4059, "true": -4084}[wanted])
            if wanted in ("true", "false")
            else ExchangeRefusal(-1130, "dualSidePosition")
        )

    def _set_leverage(self, asked: Asked) -> Any:
        symbol, leverage = self._engine.market(asked.given.get("symbol")).symbol, integer(asked.given, "leverage")
        if leverage is None:
            raise ExchangeRefusal(-1102, "leverage")
        self._engine.set_leverage(asked.owner, symbol, leverage, asked.now_ms)
        own = self._configuration(asked, symbol)
        return {name: own[name] for name in ("symbol", "leverage", "maxNotionalValue")}

    def _set_margin_type(self, asked: Asked) -> Any:
        symbol, kind = self._engine.market(asked.given.get("symbol")).symbol, asked.given.get("marginType")
        if not kind:
            raise ExchangeRefusal(-1102, "marginType")
        if kind not in ("ISOLATED", "CROSSED"):
            raise ExchangeRefusal(-1130, "marginType")
        self._engine.set_margin_type(asked.owner, symbol, kind == "ISOLATED", asked.now_ms)
        return _DONE

    def _move_margin(self, asked: Asked) -> Any:
        symbol, kind = self._engine.market(asked.given.get("symbol")).symbol, integer(asked.given, "type")
        amount = amount_of(asked.given, "amount")
        if kind not in (1, 2):
            raise ExchangeRefusal(-1130, "type")
        self._engine.move_margin(asked.owner, symbol, amount, kind == 1, asked.now_ms)
        return {"amount": amount, "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    # --- orders -----------------------------------------------------------------------------------------------

    def _queried(self, order: Order) -> Document:
        return documents.queried(order, self._markets[order.symbol])

    def _place(self, asked: Asked) -> Any:
        order = self._engine.place(asked.owner, asked.given, asked.now_ms)
        market = self._markets[order.symbol]
        answer = documents.placed(order, market)
        is_final = order.type == "MARKET" or order.time_in_force != "GTC"
        if asked.given.get("newOrderRespType", "ACK") == "ACK" or not is_final:
            nothing = market.quantity_text(0.0)
            answer |= {"status": "NEW", "executedQty": nothing, "cumQty": nothing}
        return answer

    def _test(self, asked: Asked) -> Any:
        self._engine.check(asked.owner, asked.given, asked.now_ms)
        return {}

    def _cancel(self, asked: Asked) -> Any:
        order = self._engine.cancel(asked.owner, asked.given, asked.now_ms)
        return documents.placed(order, self._markets[order.symbol])

    def _open_orders(self, asked: Asked) -> Any:
        wanted = set(self._wanted(asked.given))
        return [self._queried(order) for order in asked.owner.open_orders.values() if order.symbol in wanted]

    def _all_orders(self, asked: Asked) -> Any:
        wanted, first = set(self._wanted(asked.given)), integer(asked.given, "orderId")
        (start_ms, end_ms), most = times(asked.given, _MOST_DAYS), limit(asked.given, 500, 1000)
        known = sorted([*asked.owner.old_orders, *asked.owner.open_orders.values()], key=lambda each: each.order_id)
        found = [
            order
            for order in known
            if order.symbol in wanted and order.order_id >= (first or 0)
            if _inside(order.time_ms, start_ms, end_ms)
        ]
        return [
            self._queried(order) for order in (found[-most:] if first is None and start_ms is None else found[:most])
        ]

    def _cancel_all(self, asked: Asked) -> Any:
        self._engine.cancel_all(asked.owner, self._engine.market(asked.given.get("symbol")).symbol, asked.now_ms)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _user_trades(self, asked: Asked) -> Any:
        given, wanted = asked.given, set(self._wanted(asked.given))
        (start_ms, end_ms), most = times(given, _MOST_DAYS), limit(given, 500, 1000)
        order_id, from_id = integer(given, "orderId"), integer(given, "fromId")
        if from_id is not None and (start_ms, end_ms) != (None, None):
            raise ExchangeRefusal(-1128)
        if (start_ms, end_ms, from_id, order_id) == (None, None, None, None):
            start_ms = asked.now_ms - _MOST_DAYS * DAY_MS
        found = [
            entry
            for entry in asked.owner.trades
            if entry.symbol in wanted and order_id in (None, entry.order_id) and entry.trade_id >= (from_id or 0)
            if _inside(entry.time_ms, start_ms, end_ms)
        ]
        chosen = found[:most] if "startTime" in given or from_id is not None else found[-most:]
        return [documents.trade(entry, self._markets[entry.symbol]) for entry in chosen]

    def _income(self, asked: Asked) -> Any:
        given, wanted = asked.given, set(self._wanted(asked.given))
        (start_ms, end_ms), most = times(given), limit(given, 100, 1000)
        if (start_ms, end_ms) == (None, None):
            start_ms = asked.now_ms - _MOST_DAYS * DAY_MS
        page = max(1, integer(given, "page") or 1)
        found = [
            entry
            for entry in asked.owner.incomes
            if entry.symbol in wanted and given.get("incomeType", entry.kind) == entry.kind
            if _inside(entry.time_ms, start_ms, end_ms)
        ]
        return [documents.income_row(entry) for entry in found[(page - 1) * most : page * most]]


_ORDER_LIMITS = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": access.ORDERS_10S},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": access.ORDERS_1M},
]


def _inside(time_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    return (start_ms is None or time_ms >= start_ms) and (end_ms is None or time_ms <= end_ms)
