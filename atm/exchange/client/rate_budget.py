"""The rate budget: what may be sent now, given what the exchange has counted so far (spec: runtime §8.4, exchange §1.5).

Pure: time is an argument (Unix ms on the exchange's clock, by which the windows are aligned). Request weight counts per
IP in a window of one minute, orders count per account in windows of 10 s and one minute. The exchange's own counts
come back with every answer and only ever raise ours, so other programs behind the same IP are included.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

WEIGHT_WINDOW_MS = 60_000
ORDER_WINDOWS_MS = (10_000, 60_000)
FUNDING_WINDOW_MS, FUNDING_LIMIT = 300_000, 500
"""The history of funding rates has a limit per IP of its own, which no header tells of."""
MAX_BAN_MS = 3 * 86_400_000
DEFAULT_BAN_MS = 120_000


class RequestClass(IntEnum):
    """What a request is for; smaller goes first. Order counts are not reserved: only orders use them."""

    ORDERS = 1
    ACCOUNT = 2
    REPAIR = 3
    HISTORY = 4
    HOUSEKEEPING = 5


# Share of the weight that a class leaves untouched. Housekeeping (clock, exchange info: weight 1 each) waits behind history,
# but has a strip that history cannot take: a long download must not starve the clock by which orders are stamped.
FLOORS: dict[RequestClass, float] = {
    RequestClass.ORDERS: 0.0,
    RequestClass.ACCOUNT: 0.15,
    RequestClass.REPAIR: 0.30,
    RequestClass.HISTORY: 0.50,
    RequestClass.HOUSEKEEPING: 0.45,
}


class Cost(msgspec.Struct, frozen=True):
    """Price of one request: weight per IP, how much it counts as an order, and as a request about funding rates."""

    weight: int = 1
    orders: int = 0
    funding: int = 0


class _Window:
    """A counter that starts anew at each multiple of its length."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self.length_ms = length_ms
        self.limit = limit
        self._index = -1
        self._used = 0

    def used(self, now_ms: float) -> int:
        return self._used if self.index(now_ms) == self._index else 0

    def index(self, now_ms: float) -> int:
        return int(now_ms // self.length_ms)

    def add(self, amount: int, now_ms: float) -> None:
        self._used = self.used(now_ms) + amount
        self._index = self.index(now_ms)

    def raise_to(self, used: int, now_ms: float) -> None:
        self.add(max(0, used - self.used(now_ms)), now_ms)

    def rest_ms(self, now_ms: float) -> float:
        return self.length_ms - now_ms % self.length_ms


class RateBudget:
    """One budget per IP and account. `take` either books a request or says how long to wait."""

    def __init__(self, weight_limit: int = 2_400, orders_10s: int = 300, orders_1m: int = 1_200) -> None:
        self._weight = _Window(WEIGHT_WINDOW_MS, weight_limit)
        self._orders = tuple(
            _Window(length, limit) for length, limit in zip(ORDER_WINDOWS_MS, (orders_10s, orders_1m), strict=True)
        )
        self._funding = _Window(FUNDING_WINDOW_MS, FUNDING_LIMIT)
        self._throttled_until_ms = 0.0
        self.banned_until_ms = 0.0

    @property
    def weight_limit(self) -> int:
        return self._weight.limit

    @property
    def order_limit(self) -> int:
        """Orders allowed per minute."""
        return self._orders[1].limit

    def set_limits(self, *, weight: int = 0, orders_10s: int = 0, orders_1m: int = 0) -> None:
        """Limits as the exchange states them; 0 keeps the present one."""
        self._weight.limit = weight or self._weight.limit
        for window, limit in zip(self._orders, (orders_10s, orders_1m), strict=True):
            window.limit = limit or window.limit

    def used_weight(self, now_ms: float) -> int:
        return self._weight.used(now_ms)

    def used_orders(self, now_ms: float) -> int:
        """Orders of the running minute."""
        return self._orders[1].used(now_ms)

    def used_orders_10s(self, now_ms: float) -> int:
        """Orders of the running ten seconds."""
        return self._orders[0].used(now_ms)

    @property
    def order_limit_10s(self) -> int:
        """Orders allowed per ten seconds."""
        return self._orders[0].limit

    def restraint(self, now_ms: float) -> tuple[str, float]:
        """What the exchange has imposed: "banned", "throttled" or "", and for how many seconds more."""
        if self.banned(now_ms):
            return "banned", (self.banned_until_ms - now_ms) / 1_000
        left_ms = self._throttled_until_ms - now_ms
        return ("throttled", left_ms / 1_000) if left_ms > 0 else ("", 0.0)

    def banned(self, now_ms: float) -> bool:
        return now_ms < self.banned_until_ms

    def wait_ms(self, kind: RequestClass, cost: Cost, now_ms: float) -> float:
        """0 when the request may go now, else the time after which asking again makes sense."""
        wait = max(0.0, self.banned_until_ms - now_ms)
        if kind is not RequestClass.ORDERS:
            wait = max(wait, self._throttled_until_ms - now_ms)
        for window, amount in ((self._weight, cost.weight), (self._funding, cost.funding)):
            if amount and window.used(now_ms) + amount > window.limit * (1 - FLOORS[kind]):
                wait = max(wait, window.rest_ms(now_ms))
        for window in self._orders:
            if cost.orders and window.used(now_ms) + cost.orders > window.limit:
                wait = max(wait, window.rest_ms(now_ms))
        return wait

    def take(self, kind: RequestClass, cost: Cost, now_ms: float) -> float:
        """Book the request and return 0, or book nothing and return the time to wait in ms."""
        wait = self.wait_ms(kind, cost, now_ms)
        if wait <= 0:
            self._weight.add(cost.weight, now_ms)
            self._funding.add(cost.funding, now_ms)
            for window in self._orders:
                window.add(cost.orders, now_ms)
        return wait

    def feed(
        self, sent_ms: float, now_ms: float, weight: int | None, orders_10s: int | None, orders_1m: int | None
    ) -> None:
        """Counts of a response's headers. One that was on its way across a window's end tells nothing and is ignored."""
        counted = ((self._weight, weight), (self._orders[0], orders_10s), (self._orders[1], orders_1m))
        for window, used in counted:
            if used is not None and window.index(sent_ms) == window.index(now_ms):
                window.raise_to(used, now_ms)

    def throttle(self, now_ms: float, retry_after_ms: float | None) -> float:
        """HTTP 429: stops everything but orders until Retry-After, at least to the next minute. Returns the wait in ms."""
        wait = max(retry_after_ms or 0.0, self._weight.rest_ms(now_ms))
        self._throttled_until_ms = max(self._throttled_until_ms, now_ms + wait)
        return wait

    def exhaust_orders(self, now_ms: float) -> float:
        """Code -1015: no order until the 10 s window ends, whatever our own count says. Returns the wait in ms."""
        window = self._orders[0]
        window.raise_to(window.limit, now_ms)
        return window.rest_ms(now_ms)

    def ban(self, now_ms: float, retry_after_ms: float | None, until_ms: float | None) -> float:
        """HTTP 418: stops everything. Returns when the ban ends; an end that is absent or absurd becomes two minutes."""
        wait = retry_after_ms if retry_after_ms is not None else (until_ms or 0.0) - now_ms
        if not 0 < wait <= MAX_BAN_MS:
            wait = DEFAULT_BAN_MS
        self.banned_until_ms = max(self.banned_until_ms, now_ms + wait)
        return self.banned_until_ms
