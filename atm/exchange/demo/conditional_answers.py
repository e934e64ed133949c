"""Answers to signed requests about conditional orders (spec: exchange §3.3)."""

from __future__ import annotations

from typing import Any

from atm.exchange.demo import algo, conditional_documents
from atm.exchange.demo.engine import Engine
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.exchange.demo.request import Asked, Handler, inside, integer, limit, times

_MOST_DAYS = 7


class ConditionalAnswers:
    """Handlers by method and path."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.handlers: dict[tuple[str, str], Handler] = {
            ("POST", "v1/algoOrder"): self._place,
            ("GET", "v1/algoOrder"): self._find,
            ("DELETE", "v1/algoOrder"): self._cancel,
            ("GET", "v1/openAlgoOrders"): self._open,
            ("GET", "v1/allAlgoOrders"): self._all,
            ("DELETE", "v1/algoOpenOrders"): self._cancel_all,
        }

    def _place(self, asked: Asked) -> Any:
        return conditional_documents.placed(algo.place(self._engine, asked.owner, asked.given, asked.now_ms))

    def _find(self, asked: Asked) -> Any:
        return conditional_documents.queried(algo.find(asked.owner, asked.given))

    def _cancel(self, asked: Asked) -> Any:
        ended = algo.cancel(self._engine, asked.owner, asked.given, asked.now_ms)
        return {"algoId": ended.algo_id, "clientAlgoId": ended.client_algo_id, "code": "200", "msg": "success"}

    def _open(self, asked: Asked) -> Any:
        given, number = asked.given, integer(asked.given, "algoId")
        symbol = self._engine.market(given["symbol"]).symbol if given.get("symbol") else ""
        if given.get("algoType", "CONDITIONAL") != "CONDITIONAL":
            raise ExchangeRefusal(-1130, "algoType")
        return [
            conditional_documents.queried(each)
            for each in asked.owner.waiting()
            if symbol in ("", each.symbol) and number in (None, each.algo_id)
        ]

    def _all(self, asked: Asked) -> Any:
        given, symbol = asked.given, self._engine.market(asked.given.get("symbol")).symbol
        (start_ms, end_ms), most, first = times(given, _MOST_DAYS), limit(given, 500, 1000), integer(given, "algoId")
        known = sorted(
            [*asked.owner.old_conditionals, *asked.owner.conditionals.values()], key=lambda each: each.algo_id
        )
        found = [
            each
            for each in known
            if each.symbol == symbol and each.algo_id >= (first or 0) and inside(each.time_ms, start_ms, end_ms)
        ]
        is_newest = first is None and start_ms is None
        return [conditional_documents.queried(each) for each in (found[-most:] if is_newest else found[:most])]

    def _cancel_all(self, asked: Asked) -> Any:
        algo.cancel_all(self._engine, asked.owner, self._engine.market(asked.given.get("symbol")).symbol, asked.now_ms)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}
