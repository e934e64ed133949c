"""Who may ask, and how often: keys, signatures, clock, rate limits and bans of the demo exchange (spec: exchange §1.2–1.5)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from atm.exchange.demo.account import KeyPair
from atm.exchange.demo.refusal import AHEAD, BANNED, ExchangeRefusal
from atm.model.errors import Invalid

DEMO_ACCOUNT = DEMO_KEY = DEMO_SECRET = "demo"
WEIGHT_LIMIT, ORDERS_10S, ORDERS_1M = 2_400, 300, 1_200
LONGEST_WINDOW_MS = 60_000
REFUSALS_BEFORE_BAN = 20
FIRST_BAN_MS, LONGEST_BAN_MS = 120_000.0, 3 * 86_400_000.0
KEPT_ADDRESSES = 1_000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")
_FREE_OF_WEIGHT = frozenset(("v1/fundingRate", "v1/fundingInfo"))
_ORDERS_WITHOUT_WEIGHT = frozenset(
    (("POST", "v1/order"), ("POST", "v1/order/test"), ("PUT", "v1/order"), ("POST", "v1/algoOrder"))
)
_MODES = frozenset(("v1/positionSide/dual", "v1/multiAssetsMargin", "v1/feeBurn"))
_WEIGHTS = {
    "v1/rpiDepth": 20,
    "v1/trades": 5, "v1/aggTrades": 20, "v2/account": 5, "v3/account": 5, "v2/balance": 5, "v3/balance": 5,
    "v2/positionRisk": 5, "v3/positionRisk": 5, "v1/userTrades": 5, "v1/allOrders": 5, "v1/symbolConfig": 5,
    "v1/accountConfig": 5, "v1/commissionRate": 20, "v1/income": 30, "v1/countdownCancelAll": 10, "v1/allAlgoOrders": 5,
    "v1/adlQuantile": 5,
}  # fmt: skip
_WITHOUT_SYMBOL = {
    "v1/premiumIndex": (1, 10), "v1/ticker/24hr": (1, 40), "v2/ticker/price": (1, 2), "v1/ticker/price": (1, 2),
    "v1/ticker/bookTicker": (2, 5), "v1/openOrders": (1, 40), "v1/openAlgoOrders": (1, 40),
    "v1/forceOrders": (20, 50), "v1/apiTradingStatus": (1, 10),
}  # fmt: skip


def signed(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the bytes that are sent, as hex."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def signature_is_right(secret: str, query: str, body: str) -> bool:
    """Whether query + body (raw) carry their signature. The percent-decoded form is accepted too: python-binance signs it."""
    given = _SIGNATURE.findall(query) + _SIGNATURE.findall(body)
    payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    right = {signed(secret, payload), signed(secret, unquote_plus(payload))}
    return len(given) == 1 and any(hmac.compare_digest(given[0].lower().encode(), each.encode()) for each in right)


def check_public(pem: str) -> None:
    """Raises Invalid for what is no Ed25519 public key ("" = none wanted)."""
    if pem:
        _public_key(pem)


def _public_key(pem: str) -> Ed25519PublicKey:
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise Invalid("public_key", f"{len(pem)} characters", "an Ed25519 public key in PEM")
    return found


def ed25519_is_right(public: str, query: str, body: str) -> bool:
    """As `signature_is_right`, the signature being Ed25519 in base64, percent-encoded as it is sent."""
    given = _SIGNATURE.findall(query) + _SIGNATURE.findall(body)
    payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
    if len(given) != 1:
        return False
    try:
        signature = base64.b64decode(unquote_plus(given[0]), validate=True)
    except ValueError:
        return False
    return any(_verifies(_public_key(public), signature, each) for each in (payload, unquote_plus(payload)))


def _verifies(key: Ed25519PublicKey, signature: bytes, payload: str) -> bool:
    try:
        key.verify(signature, payload.encode())
    except InvalidSignature:
        return False
    return True


def key_pair(keys: Mapping[str, KeyPair], key: str) -> KeyPair:
    """The key pair of an API key. Raises ExchangeRefusal."""
    if not key:
        raise ExchangeRefusal(-2014)
    if key not in keys:
        raise ExchangeRefusal(-2015)
    return keys[key]


def check_signature(pair: KeyPair, given: Mapping[str, str], query: str, body: str) -> None:
    """Whether a signed request is well-formed and its signature right. Raises ExchangeRefusal."""
    if not given.get("timestamp", "").isdecimal():
        raise ExchangeRefusal(-1102, "timestamp")
    if not given.get("signature"):
        raise ExchangeRefusal(-1102, "signature")
    window = given.get("recvWindow", "5000")
    if not window.isdecimal() or int(window) > LONGEST_WINDOW_MS:
        raise ExchangeRefusal(-1130, "recvWindow")
    is_right = (
        ed25519_is_right(pair.public, query, body) if pair.public else signature_is_right(pair.secret, query, body)
    )
    if not is_right:
        raise ExchangeRefusal(-1022)


def check_time(given: Mapping[str, str], now_ms: int) -> None:
    """The clock rule. Only for a market in real time: at another speed a client that has asked for the time cannot know what
    it has become since, so there the lateness of a request is not checked. Raises ExchangeRefusal."""
    stamp, window = int(given["timestamp"]), int(given.get("recvWindow", "5000"))
    if stamp >= now_ms + 1000:
        raise ExchangeRefusal(-1021, text=AHEAD)
    if now_ms - stamp > window:
        raise ExchangeRefusal(-1021)


def weight(method: str, path: str, given: Mapping[str, str]) -> int:
    """Weight of a request; `path` with its version, as "v1/klines"."""
    if path in _FREE_OF_WEIGHT or (method, path) in _ORDERS_WITHOUT_WEIGHT:
        return 0
    if path == "v1/batchOrders":
        return 1 if method == "DELETE" else 5
    limit = int(given["limit"]) if given.get("limit", "").isdecimal() else 500
    if path.lower().endswith("klines"):
        return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
    if path == "v1/depth":
        return 2 if limit <= 50 else {100: 5, 500: 10}.get(limit, 20)
    if path in _WITHOUT_SYMBOL:
        return _WITHOUT_SYMBOL[path][0 if given.get("symbol") else 1]
    if method == "GET" and path in _MODES:
        return 30
    return _WEIGHTS.get(path, 1)


def weight_limit(info: Mapping[str, Any]) -> int:
    """Weight a minute that an answer of exchangeInfo states."""
    stated = (each for each in info.get("rateLimits", ()) if each["rateLimitType"] == "REQUEST_WEIGHT")
    return next((int(each["limit"]) for each in stated), WEIGHT_LIMIT)


class Counters:
    """Sums in fixed windows of the wall clock. Bounded: at most `KEPT_ADDRESSES` names are remembered."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, name: str, seconds: int, amount: int, wall_ms: float) -> int:
        """Count and return the sum of the current window."""
        window = int(wall_ms // (seconds * 1000))
        known, used = self._windows.pop((name, seconds), (window, 0))
        total = amount + (used if known == window else 0)
        self._windows[name, seconds] = (window, total)
        if len(self._windows) > KEPT_ADDRESSES:
            del self._windows[next(iter(self._windows))]
        return total


class RateLimits:
    """Weight per address, orders per account, and bans of addresses that go on asking."""

    def __init__(self, weight_limit: int = WEIGHT_LIMIT) -> None:
        self._weight_limit = weight_limit
        self._counters = Counters()
        self._bans: dict[str, tuple[float, float]] = {}  # address: (until, length of the last ban), wall ms

    def check_ban(self, address: str, wall_ms: float, headers: dict[str, str]) -> None:
        """Raises ExchangeRefusal (418) while the address is banned."""
        until = self._bans.get(address, (0.0, 0.0))[0]
        if wall_ms < until:
            headers["Retry-After"] = str(int((until - wall_ms) / 1000) + 1)
            raise ExchangeRefusal(-1003, text=BANNED.format(address, int(until)), status=418)

    def spend(self, address: str, amount: int, wall_ms: float, headers: dict[str, str]) -> None:
        """Count a request. Raises ExchangeRefusal (429) above the limit; whoever goes on is banned, each time for longer."""
        used = self._counters.add(f"weight {address}", 60, amount, wall_ms)
        headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if used <= self._weight_limit:
            return
        if self._counters.add(f"refused {address}", 60, 1, wall_ms) >= REFUSALS_BEFORE_BAN:
            length = min(self._bans.get(address, (0.0, FIRST_BAN_MS / 2))[1] * 2, LONGEST_BAN_MS)
            self._bans[address] = (wall_ms + length, length)
            self.check_ban(address, wall_ms, headers)
        headers["Retry-After"] = str(int(60 - wall_ms / 1000 % 60) + 1)
        raise ExchangeRefusal(-1003, address, self._weight_limit)

    def count_order(self, account: str, wall_ms: float, headers: dict[str, str], in_ten_seconds: int = 1) -> None:
        """Count a request with new orders: so many in the limit of ten seconds, one in that of a minute. Raises
        ExchangeRefusal (429) above a limit."""
        ten = self._counters.add(f"orders {account}", 10, in_ten_seconds, wall_ms)
        minute = self._counters.add(f"orders {account}", 60, 1, wall_ms)
        headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"] = str(ten), str(minute)
        if ten > ORDERS_10S:
            raise ExchangeRefusal(-1015, ORDERS_10S, "TEN_SECONDS")
        if minute > ORDERS_1M:
            raise ExchangeRefusal(-1015, ORDERS_1M, "MINUTE")
