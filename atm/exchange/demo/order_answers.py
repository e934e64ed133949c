"""Answers to signed requests about orders and fills (spec: exchange §1.6, §1.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from atm.exchange.demo import amending, order_documents
from atm.exchange.demo.account import Order
from atm.exchange.demo.documents import Document
from atm.exchange.demo.engine import Engine, is_remembered
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked, Handler, inside, integer, limit, times
from atm.model.interval import DAY_MS

MOST_IN_BATCH, MOST_CANCELLED = 5, 10
_MOST_DAYS = 7
_LIQUIDATIONS = "autoclose-"


class OrderAnswers:
    """Handlers by method and path."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._markets = engine, engine.markets
        self.handlers: dict[tuple[str, str], Handler] = {
            ("POST", "v1/order"): lambda asked: self._place(asked, asked.given),
            ("POST", "v1/order/test"): self._test,
            ("PUT", "v1/order"): lambda asked: self._amend(asked, asked.given),
            ("DELETE", "v1/order"): lambda asked: self._cancel(asked, asked.given),
            ("GET", "v1/order"): lambda asked: self._find(asked, open_only=False),
            ("GET", "v1/openOrder"): lambda asked: self._find(asked, open_only=True),
            ("GET", "v1/openOrders"): self._open_orders,
            ("GET", "v1/allOrders"): self._all_orders,
            ("DELETE", "v1/allOpenOrders"): self._cancel_all,
            ("POST", "v1/batchOrders"): lambda asked: self._batch(asked, self._place),
            ("PUT", "v1/batchOrders"): lambda asked: self._batch(asked, self._amend),
            ("DELETE", "v1/batchOrders"): self._cancel_batch,
            ("GET", "v1/orderAmendment"): self._amendments,
            ("POST", "v1/countdownCancelAll"): self._count_down,
            ("GET", "v1/userTrades"): self._user_trades,
            ("GET", "v1/forceOrders"): self._force_orders,
        }

    def _wanted(self, given: Mapping[str, str]) -> set[str]:
        """The symbol that is named, else all."""
        return {self._engine.market(given["symbol"]).symbol} if given.get("symbol") else set(self._markets)

    # --- one order --------------------------------------------------------------------------------------------

    def _place(self, asked: Asked, given: Mapping[str, str]) -> Document:
        order = self._engine.place(asked.owner, given, asked.now_ms)
        market = self._markets[order.symbol]
        answer = order_documents.placed(order, market)
        is_final = order.type == "MARKET" or order.time_in_force in ("IOC", "FOK", "GTX")
        if given.get("newOrderRespType", "ACK") == "ACK" or not is_final:
            nothing = market.quantity_text(0.0)
            answer |= {"status": "NEW", "executedQty": nothing, "cumQty": nothing}
        return answer

    def _test(self, asked: Asked) -> Any:
        self._engine.check(asked.owner, asked.given, asked.now_ms)
        return {}

    def _amend(self, asked: Asked, given: Mapping[str, str]) -> Document:
        order = amending.amend(self._engine, asked.owner, given, asked.now_ms)
        return order_documents.amended(order, self._markets[order.symbol])

    def _cancel(self, asked: Asked, given: Mapping[str, str]) -> Document:
        order = self._engine.cancel(asked.owner, given, asked.now_ms)
        return order_documents.placed(order, self._markets[order.symbol])

    def _find(self, asked: Asked, open_only: bool) -> Document:
        return self._queried(self._engine.find(asked.owner, asked.given, asked.now_ms, open_only))

    def _queried(self, order: Order) -> Document:
        return order_documents.queried(order, self._markets[order.symbol])

    # --- several ----------------------------------------------------------------------------------------------

    def _batch(self, asked: Asked, carry_out: Callable[[Asked, Mapping[str, str]], Document]) -> Any:
        wanted = _batch_of(asked.given)
        if not 1 <= len(wanted) <= MOST_IN_BATCH:
            raise ExchangeRefusal(-4082, len(wanted))
        return [_each(lambda given=given: carry_out(asked, given)) for given in wanted]  # type: ignore[misc]

    def _cancel_batch(self, asked: Asked) -> Any:
        symbol = self._engine.market(asked.given.get("symbol")).symbol
        for listed, name in (("orderIdList", "orderId"), ("origClientOrderIdList", "origClientOrderId")):
            if not asked.given.get(listed):
                continue
            wanted = [
                {"symbol": symbol, name: str(each)} for each in _decoded(asked.given[listed], listed, list[int | str])
            ]
            if len(wanted) > MOST_CANCELLED:
                raise ExchangeRefusal(-4032)
            return [_each(lambda given=given: self._cancel(asked, given)) for given in wanted]  # type: ignore[misc]
        text = "Param 'orderIdList' or 'origClientOrderIdList' must be sent, but both were empty/null!"
        raise ExchangeRefusal(-1102, text=text)

    def _cancel_all(self, asked: Asked) -> Any:
        self._engine.cancel_all(asked.owner, self._engine.market(asked.given.get("symbol")).symbol, asked.now_ms)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _count_down(self, asked: Asked) -> Any:
        symbol, left_ms = self._engine.market(asked.given.get("symbol")).symbol, integer(asked.given, "countdownTime")
        if left_ms is None:
            raise ExchangeRefusal(-1102, "countdownTime")
        asked.owner.countdowns.pop(symbol, None)
        if left_ms:
            asked.owner.countdowns[symbol] = asked.now_ms + left_ms
        self._engine.changed = True
        return {"symbol": symbol, "countdownTime": str(left_ms)}

    # --- lists ------------------------------------------------------------------------------------------------

    def _open_orders(self, asked: Asked) -> Any:
        wanted = self._wanted(asked.given)
        return [self._queried(order) for order in asked.owner.open_orders.values() if order.symbol in wanted]

    def _all_orders(self, asked: Asked) -> Any:
        wanted, first = self._wanted(asked.given), integer(asked.given, "orderId")
        (start_ms, end_ms), most = times(asked.given, _MOST_DAYS), limit(asked.given, 500, 1000)
        known = sorted([*asked.owner.old_orders, *asked.owner.open_orders.values()], key=lambda each: each.order_id)
        found = [
            order
            for order in known
            if order.symbol in wanted and order.order_id >= (first or 0) and is_remembered(order, asked.now_ms)
            if inside(order.time_ms, start_ms, end_ms)
        ]
        is_newest = first is None and start_ms is None
        return [self._queried(order) for order in (found[-most:] if is_newest else found[:most])]

    def _amendments(self, asked: Asked) -> Any:
        given, symbol = asked.given, self._engine.market(asked.given.get("symbol")).symbol
        (start_ms, end_ms), most = times(given), limit(given, 50, 100)
        number, name = integer(given, "orderId"), given.get("origClientOrderId")
        found = [
            entry
            for entry in asked.owner.amendments
            if entry.symbol == symbol
            and number in (None, entry.order_id)
            and (name or entry.client_order_id) == entry.client_order_id
            if inside(entry.time_ms, start_ms, end_ms)
        ]
        return [order_documents.amendment(entry) for entry in found[-most:]]

    def _user_trades(self, asked: Asked) -> Any:
        given, wanted = asked.given, self._wanted(asked.given)
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
            if inside(entry.time_ms, start_ms, end_ms)
        ]
        chosen = found[:most] if "startTime" in given or from_id is not None else found[-most:]
        return [order_documents.trade(entry, self._markets[entry.symbol]) for entry in chosen]

    def _force_orders(self, asked: Asked) -> Any:
        given, wanted, kind = asked.given, self._wanted(asked.given), asked.given.get("autoCloseType")
        (start_ms, end_ms), most = times(given), limit(given, 50, 100)
        if kind not in (None, "LIQUIDATION", "ADL"):
            raise ExchangeRefusal(-1130, "autoCloseType")
        found = [
            order
            for order in asked.owner.old_orders
            if order.symbol in wanted and order.client_order_id.startswith(_LIQUIDATIONS) and kind != "ADL"
            if inside(order.time_ms, start_ms, end_ms)
        ]
        return [self._queried(order) for order in found[-most:]]


def _each(carry_out: Callable[[], Document]) -> Document:
    """One element of a batch: its answer, or why it was refused."""
    try:
        return carry_out()
    except ExchangeRefusal as refusal:
        return {"code": refusal.code, "msg": refusal.text}


def _batch_of(given: Mapping[str, str]) -> list[dict[str, str]]:
    """The orders of a batch with their parameters as texts, as a single order has them. Raises ExchangeRefusal."""
    if not given.get("batchOrders"):
        raise ExchangeRefusal(-1102, "batchOrders")
    rows: list[dict[str, Any]] = _decoded(
        given["batchOrders"], "batchOrders", list[dict[str, str | int | float | bool | None]]
    )
    return [{name: _text(value) for name, value in row.items() if value is not None} for row in rows]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decoded(text: str, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text.encode(), type=kind)
    except msgspec.DecodeError:
        raise ExchangeRefusal(-1130, name) from None
