"""The REST side of the demo exchange."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from atm.exchange.demo import access, documents
from atm.exchange.demo.account import MAKER_FEE, TAKER_FEE
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.market import FUNDING_RATE, INTERVALS, Market, kline_row, next_funding_ms
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.ledger.margin import max_notional

KEY_LIFE_MS = 3_600_000.0
Given = dict[str, str]
Handler = Callable[[Given, int], Any]
_DONE = {"code": 200, "msg": "success"}
_DEPTHS = ("5", "10", "20", "50", "100", "500", "1000")


class Rest:
    """Answers requests. `market_ms()`, `wall_ms()`: the two clocks; `exact()`: whether the market runs at real speed;
    `changed()`: called after a request that changed the account."""

    def __init__(
        self,
        engine: Engine,
        info: dict[str, Any],
        market_ms: Callable[[], int],
        wall_ms: Callable[[], float],
        exact: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._engine, self._account, self._markets = engine, engine.account, engine.markets
        self._info = info
        self._market_ms, self._wall_ms, self._exact, self._changed = market_ms, wall_ms, exact, changed
        self._counters = access.Counters()
        self._open: dict[tuple[str, str], Handler] = {
            ("GET", "ping"): lambda _, __: {},
            ("GET", "time"): lambda _, now: {"serverTime": now},
            ("GET", "exchangeInfo"): lambda _, now: {**self._info, "serverTime": now},
            ("GET", "klines"): self._klines,
            ("GET", "continuousKlines"): lambda given, now: self._klines(
                {**given, "symbol": given.get("pair", "")}, now
            ),
            ("GET", "depth"): self._depth,
            ("GET", "premiumIndex"): lambda given, now: self._each(given, now, _premium),
            ("GET", "ticker/price"): lambda given, now: self._each(given, now, _ticker),
            ("GET", "ticker/bookTicker"): lambda given, now: self._each(given, now, _book_ticker),
        }
        self._signed: dict[tuple[str, str], Handler] = {
            ("GET", "leverageBracket"): self._leverage_brackets,
            ("GET", "account"): self._account_state,
            ("GET", "balance"): self._balance,
            ("GET", "positionRisk"): self._position_risk,
            ("GET", "symbolConfig"): self._symbol_config,
            ("GET", "commissionRate"): self._commission,
            ("GET", "positionSide/dual"): lambda _, __: {"dualSidePosition": False},
            ("POST", "positionSide/dual"): self._set_dual,
            ("POST", "leverage"): self._set_leverage,
            ("POST", "marginType"): self._set_margin_type,
            ("POST", "order"): self._place,
            ("GET", "order"): lambda given, _: self._queried(self._engine.find(given)),
            ("GET", "openOrder"): lambda given, _: self._queried(self._engine.find(given, open_only=True)),
            ("DELETE", "order"): self._cancel,
            ("GET", "openOrders"): self._open_orders,
            ("GET", "allOrders"): self._all_orders,
            ("DELETE", "allOpenOrders"): self._cancel_all,
            ("GET", "userTrades"): self._user_trades,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        query, body = request.rel_url.raw_query_string, (await request.read()).decode(errors="replace")
        given = dict(parse_qsl(body)) | dict(parse_qsl(query))
        headers: dict[str, str] = {}
        try:
            answer = self._answer(request, given, query, body, headers)
        except ExchangeRefusal as refusal:
            return web.json_response(
                {"code": refusal.code, "msg": refusal.text}, status=refusal.status, headers=headers
            )
        if answer is None:
            return web.Response(
                text="<html>404 Not Found</html>", status=404, content_type="text/html", headers=headers
            )
        return web.json_response(answer, headers=headers)

    def _answer(self, request: web.Request, given: Given, query: str, body: str, headers: dict[str, str]) -> Any:
        method, name = request.method, request.match_info["path"]
        wall_ms, now_ms = self._wall_ms(), self._market_ms()
        used = self._counters.add("weight", 60, access.weight(method, name.rsplit("/", 1)[-1], given), wall_ms)
        headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if used > access.WEIGHT_LIMIT:
            headers["Retry-After"] = str(int(60 - wall_ms / 1000 % 60) + 1)
            raise ExchangeRefusal(-1003)
        handler = self._open.get((method, name))
        if handler is not None:
            return handler(given, now_ms)
        key = request.headers.get("X-MBX-APIKEY", "")
        if name == "listenKey":
            access.check_key(key)
            return self._listen_key(method, wall_ms)
        handler = self._signed.get((method, name))
        if handler is None:
            return None
        access.check(key, given, query, body, now_ms, self._exact())
        if (method, name) == ("POST", "order"):
            self._count_order(wall_ms, headers)
        answer = handler(given, now_ms)
        if method != "GET":
            self._changed()
        return answer

    def _count_order(self, wall_ms: float, headers: dict[str, str]) -> None:
        ten = self._counters.add("orders 10 s", 10, 1, wall_ms)
        minute = self._counters.add("orders 1 min", 60, 1, wall_ms)
        headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"] = str(ten), str(minute)
        if ten > access.ORDERS_10S:
            raise ExchangeRefusal(-1015, access.ORDERS_10S, "TEN_SECONDS")
        if minute > access.ORDERS_1M:
            raise ExchangeRefusal(-1015, access.ORDERS_1M, "MINUTE")

    def listen_key(self) -> str:
        """The listen key in force, "" when none is."""
        return self._account.listen_key if self._wall_ms() < self._account.listen_until_ms else ""

    # --- market -----------------------------------------------------------------------------------------------

    def _klines(self, given: Given, now_ms: int) -> Any:
        market = self._engine.market(given.get("symbol"))
        minutes = INTERVALS.get(given.get("interval", ""))
        if minutes is None:
            raise ExchangeRefusal(-1120)
        limit = _integer(given, "limit", 500) or 500
        if not 1 <= limit <= 1500:
            raise ExchangeRefusal(-1130, "limit")
        start_ms, end_ms = _integer(given, "startTime"), _integer(given, "endTime")
        return [kline_row(bar, minutes) for bar in market.history(now_ms, minutes, start_ms, end_ms, limit)]

    def _depth(self, given: Given, now_ms: int) -> Any:
        market, limit = self._engine.market(given.get("symbol")), given.get("limit", "500")
        if limit not in _DEPTHS:
            raise ExchangeRefusal(-4021, limit)
        bids, asks = market.book(now_ms, min(20, int(limit)))
        return {"lastUpdateId": now_ms, "E": now_ms, "T": now_ms, "bids": bids, "asks": asks}

    def _each(self, given: Given, now_ms: int, row: Callable[[Market, int], Any]) -> Any:
        if given.get("symbol"):
            return row(self._engine.market(given["symbol"]), now_ms)
        return [row(market, now_ms) for market in self._markets.values()]

    def _leverage_brackets(self, given: Given, _: int) -> Any:
        symbols = [self._engine.market(given["symbol"]).symbol] if given.get("symbol") else list(self._markets)
        return [documents.bracket_rows(symbol, self._engine.brackets[symbol]) for symbol in symbols]

    # --- account ----------------------------------------------------------------------------------------------

    def _rows(self, symbols: list[str], now_ms: int) -> list[documents.Document]:
        return documents.positions(
            self._account, symbols, lambda symbol: self._markets[symbol].price(now_ms), self._engine.brackets,
            self._engine.margins(now_ms), self._markets,
        )  # fmt: skip

    def _active(self) -> list[str]:
        """Symbols with a position or an open order."""
        ordered = {order.symbol for order in self._account.open_orders.values()}
        return [symbol for symbol in self._markets if symbol in ordered or self._account.position(symbol).amount]

    def _account_state(self, _: Given, now_ms: int) -> Any:
        rows = self._rows(self._active(), now_ms)
        return documents.account_state(self._account, self._engine.margins(now_ms), rows)

    def _balance(self, _: Given, now_ms: int) -> Any:
        own = documents.asset(self._account, self._engine.margins(now_ms))
        kept = ("asset", "crossWalletBalance", "availableBalance", "maxWithdrawAmount", "marginAvailable", "updateTime")
        return [{name: own[name] for name in kept} | {
            "accountAlias": "demo", "balance": own["walletBalance"], "crossUnPnl": own["crossUnPnl"],
        }]  # fmt: skip

    def _position_risk(self, given: Given, now_ms: int) -> Any:
        wanted = self._engine.market(given["symbol"]).symbol if given.get("symbol") else None
        return self._rows([symbol for symbol in self._active() if wanted in (None, symbol)], now_ms)

    def _symbol_config(self, given: Given, _: int) -> Any:
        symbols = [self._engine.market(given["symbol"]).symbol] if given.get("symbol") else list(self._markets)
        return [self._configuration(symbol) for symbol in symbols]

    def _configuration(self, symbol: str) -> Any:
        position = self._account.position(symbol)
        most = max_notional(self._engine.brackets[symbol], float(position.leverage))
        return {"symbol": symbol, "marginType": "ISOLATED" if position.isolated else "CROSSED", "isAutoAddMargin": False,
                "leverage": position.leverage, "maxNotionalValue": str(int(most))}  # fmt: skip

    def _commission(self, given: Given, _: int) -> Any:
        return {"symbol": self._engine.market(given.get("symbol")).symbol, "makerCommissionRate": f"{MAKER_FEE:.6f}",
                "takerCommissionRate": f"{TAKER_FEE:.6f}"}  # fmt: skip

    def _set_dual(self, given: Given, _: int) -> Any:
        raise (
            ExchangeRefusal(-4059)
            if given.get("dualSidePosition") == "false"
            else ExchangeRefusal(-1130, "dualSidePosition")
        )

    def _set_leverage(self, given: Given, now_ms: int) -> Any:
        symbol, leverage = self._engine.market(given.get("symbol")).symbol, _integer(given, "leverage")
        if leverage is None:
            raise ExchangeRefusal(-1102, "leverage")
        self._engine.set_leverage(symbol, leverage, now_ms)
        own = self._configuration(symbol)
        return {name: own[name] for name in ("symbol", "leverage", "maxNotionalValue")}

    def _set_margin_type(self, given: Given, _: int) -> Any:
        symbol = self._engine.market(given.get("symbol")).symbol
        if given.get("marginType") not in ("ISOLATED", "CROSSED"):
            raise ExchangeRefusal(-1130, "marginType")
        self._engine.set_margin_type(symbol, given["marginType"] == "ISOLATED")
        return _DONE

    def _listen_key(self, method: str, wall_ms: float) -> Any:
        known = self.listen_key()
        if method == "PUT" and not known:
            raise ExchangeRefusal(-1125)
        self._account.listen_key = known or secrets.token_hex(32)
        self._account.listen_until_ms = 0.0 if method == "DELETE" else wall_ms + KEY_LIFE_MS
        self._engine.changed = True
        self._changed()
        return {} if method == "DELETE" else {"listenKey": self._account.listen_key}

    # --- orders -----------------------------------------------------------------------------------------------

    def _queried(self, order: Any) -> Any:
        return documents.queried(order, self._markets[order.symbol])

    def _place(self, given: Given, now_ms: int) -> Any:
        order = self._engine.place(given, now_ms)
        answer = documents.placed(order, self._markets[order.symbol])
        if given.get("newOrderRespType", "ACK") != "RESULT":
            nothing = self._markets[order.symbol].quantity_text(0.0)
            answer |= {"status": "NEW", "executedQty": nothing, "cumQty": nothing}
        return answer

    def _cancel(self, given: Given, now_ms: int) -> Any:
        order = self._engine.cancel(given, now_ms)
        return documents.placed(order, self._markets[order.symbol])

    def _open_orders(self, given: Given, _: int) -> Any:
        wanted = self._engine.market(given["symbol"]).symbol if given.get("symbol") else None
        orders = self._account.open_orders.values()
        return [self._queried(order) for order in orders if wanted in (None, order.symbol)]

    def _all_orders(self, given: Given, _: int) -> Any:
        wanted = self._engine.market(given["symbol"]).symbol if given.get("symbol") else None
        start, limit = _integer(given, "orderId") or 0, _integer(given, "limit", 500) or 500
        orders = sorted([*self._account.old_orders, *self._account.open_orders.values()], key=lambda o: o.order_id)
        found = [order for order in orders if wanted in (None, order.symbol) and order.order_id >= start]
        return [self._queried(order) for order in (found[:limit] if start else found[-limit:])]

    def _cancel_all(self, given: Given, now_ms: int) -> Any:
        self._engine.cancel_all(self._engine.market(given.get("symbol")).symbol, now_ms)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _user_trades(self, given: Given, _: int) -> Any:
        wanted = self._engine.market(given["symbol"]).symbol if given.get("symbol") else None
        order_id, limit = _integer(given, "orderId"), _integer(given, "limit", 500) or 500
        found = [entry for entry in self._account.trades if wanted in (None, entry.symbol)]
        found = [entry for entry in found if order_id in (None, entry.order_id)]
        return [documents.trade(entry, self._markets[entry.symbol]) for entry in found[-limit:]]


def _premium(market: Market, now_ms: int) -> Any:
    mark = documents.money(market.price(now_ms))
    rate = documents.money(FUNDING_RATE)
    return {"symbol": market.symbol, "markPrice": mark, "indexPrice": mark, "estimatedSettlePrice": mark,
            "lastFundingRate": rate, "interestRate": rate, "nextFundingTime": next_funding_ms(now_ms),
            "time": now_ms}  # fmt: skip


def _ticker(market: Market, now_ms: int) -> Any:
    return {"symbol": market.symbol, "price": market.price_text(market.price(now_ms)), "time": now_ms}


def _book_ticker(market: Market, now_ms: int) -> Any:
    (bid,), (ask,) = market.book(now_ms, 1)
    return {"symbol": market.symbol, "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1],
            "time": now_ms}  # fmt: skip


def _integer(given: Given, name: str, default: int | None = None) -> int | None:
    text = given.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise ExchangeRefusal(-1130, name)
    return int(text)
