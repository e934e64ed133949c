"""Who may ask, and how often: keys, signatures, clock and rate limits of the demo exchange."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from atm.exchange.demo.refusal import ExchangeRefusal

DEMO_KEY = DEMO_SECRET = "demo"
WEIGHT_LIMIT, ORDERS_10S, ORDERS_1M = 2_400, 300, 1_200
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")
_WEIGHTS = {"account": 5, "balance": 5, "positionRisk": 5, "userTrades": 5, "allOrders": 5, "symbolConfig": 5,
            "accountConfig": 5, "commissionRate": 20, "trades": 5, "dual": 30}  # fmt: skip


def signed(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the bytes that are sent, as hex."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def signature_is_right(secret: str, query: str, body: str) -> bool:
    """Whether query + body (raw) carry their signature. The percent-decoded form is accepted too: python-binance signs it."""
    given = _SIGNATURE.findall(query) + _SIGNATURE.findall(body)
    payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    right = {signed(secret, payload), signed(secret, unquote_plus(payload))}
    return len(given) == 1 and any(hmac.compare_digest(given[0].lower(), each) for each in right)


def check(key: str, given: Mapping[str, str], query: str, body: str, now_ms: int, exact: bool) -> None:
    """Key, signature and time of a signed request. `exact`: check the time too (only a market at real speed can)."""
    check_key(key)
    stamp, window = given.get("timestamp", ""), given.get("recvWindow", "5000")
    if not stamp.isdecimal():
        raise ExchangeRefusal(-1102, "timestamp")
    if not given.get("signature"):
        raise ExchangeRefusal(-1102, "signature")
    if not signature_is_right(DEMO_SECRET, query, body):
        raise ExchangeRefusal(-1022)
    if not window.isdecimal() or int(window) > 60_000:
        raise ExchangeRefusal(-1130, "recvWindow")
    if exact and not (int(stamp) < now_ms + 1000 and now_ms - int(stamp) <= int(window)):
        raise ExchangeRefusal(-1021)


def check_key(key: str) -> None:
    """The one key pair there is."""
    if not key:
        raise ExchangeRefusal(-2014)
    if key != DEMO_KEY:
        raise ExchangeRefusal(-2015)


def weight(method: str, name: str, given: Mapping[str, str]) -> int:
    """Weight of a request by the last part of its path."""
    if name == "order" and method != "GET":
        return 0 if method == "POST" else 1
    limit = int(given["limit"]) if given.get("limit", "").isdecimal() else 500
    if name in ("klines", "continuousKlines"):
        return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
    if name == "depth":
        return 2 if limit <= 50 else {100: 5, 500: 10}.get(limit, 20)
    if name == "openOrders":
        return 1 if given.get("symbol") else 40
    return _WEIGHTS.get(name, 1)


class Counters:
    """Weight and order counts in fixed windows of the wall clock."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[int, int]] = {}

    def add(self, name: str, seconds: int, amount: int, wall_ms: float) -> int:
        """Count and return the sum of the current window."""
        window = int(wall_ms // (seconds * 1000))
        known, used = self._windows.get(name, (window, 0))
        total = amount + (used if known == window else 0)
        self._windows[name] = (window, total)
        return total
