"""Weights and order counts of the endpoints in use (spec: exchange §1.6, as of 2026-08)."""

from __future__ import annotations

from collections.abc import Mapping

from atm.exchange.client.rate_budget import Cost

_WEIGHTS: dict[str, int] = {
    # Announced to cost 10, documented with 5: the dearer one is budgeted (exchange §0.3).
    "account": 10,
    "balance": 10,
    "positionRisk": 10,
    "commissionRate": 20,
    "income": 30,
    "userTrades": 5,
    "allOrders": 5,
    "symbolConfig": 5,
    "accountConfig": 5,
    "countdownCancelAll": 10,
}
_ORDER_ENTRY = frozenset((("POST", "order"), ("PUT", "order"), ("POST", "algoOrder")))
KLINES_LIMIT = 1_500
BOOK_LIMIT = 1_000
FUNDING_LIMIT = 1_000
_FUNDING = frozenset(("fundingRate", "fundingInfo"))


def klines_weight(limit: int) -> int:
    """Weight of one page of klines."""
    if limit < 100:
        return 1
    if limit < 500:
        return 2
    return 5 if limit <= 1_000 else 10


def cost(method: str, path: str, parameters: Mapping[str, object]) -> Cost:
    """Price of a request by its path (last component decides)."""
    name = path.rsplit("/", 1)[-1]
    if (method.upper(), name) in _ORDER_ENTRY:
        return Cost(weight=0, orders=1)
    if name in _FUNDING:
        return Cost(weight=0, funding=1)
    if name in ("klines", "markPriceKlines"):
        return Cost(klines_weight(int(str(parameters.get("limit", 500)))))
    if name in ("openOrders", "openAlgoOrders"):
        return Cost(1 if parameters.get("symbol") else 40)
    if name == "24hr":
        return Cost(1 if parameters.get("symbol") else 40)
    if name == "depth":
        limit = int(str(parameters.get("limit", 500)))
        return Cost(2 if limit <= 50 else {100: 5, 500: 10}.get(limit, 20))
    return Cost(_WEIGHTS.get(name, 1))
