"""Conditional orders as values, and when they fire. Pure (spec: exchange §3.3)."""

from __future__ import annotations

import msgspec

CONDITIONAL_TYPES = frozenset(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"))
TRAILING = "TRAILING_STOP_MARKET"


class Conditional(msgspec.Struct):
    """A conditional order. Prices and quantities are the decimal strings that came in ("" or "0": none). `callback_rate`:
    percent, "" for other types. `extreme`: the lowest (BUY) or highest (SELL) price since a trailing stop was activated.
    `order_id`: the order it became (0: none yet), whose fills are `average` and `executed`. `reason`: why it was refused at
    the trigger."""

    algo_id: int
    client_algo_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    quantity: str
    price: str
    trigger_price: str
    activate_price: str
    callback_rate: str
    working_type: str
    price_match: str
    prevention: str
    reduce_only: bool
    close_position: bool
    price_protect: bool
    good_till_ms: int
    time_ms: int
    update_ms: int
    status: str = "NEW"
    trigger_ms: int = 0
    activated: bool = False
    extreme: float = 0.0
    order_id: int = 0
    average: float = 0.0
    executed: float = 0.0
    reason: str = ""

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def is_trailing(self) -> bool:
        return self.type == TRAILING

    @property
    def by_mark(self) -> bool:
        """Whether the mark price is watched, else the last price."""
        return self.working_type == "MARK_PRICE"

    @property
    def order_type(self) -> str:
        """Type of the order that it becomes."""
        return "LIMIT" if self.type in ("STOP", "TAKE_PROFIT") else "MARKET"


def may_fire(conditional: Conditional, low: float, high: float) -> bool:
    """Whether prices between `low` and `high` can make it fire; trailing stops have to see every price."""
    if conditional.is_trailing:
        return True
    trigger = float(conditional.trigger_price)
    return high >= trigger if _fires_above(conditional) else low <= trigger


def fires(conditional: Conditional, price: float) -> bool:
    """Take in a price; whether the order fires at it. Only a trailing stop is changed by what it sees."""
    if not conditional.is_trailing:
        return may_fire(conditional, price, price)
    sign = conditional.sign
    if not conditional.activated:
        if conditional.activate_price and (price - float(conditional.activate_price)) * sign > 0:
            return False
        conditional.activated, conditional.extreme = True, price
    conditional.extreme = min(conditional.extreme, price) if sign > 0 else max(conditional.extreme, price)
    turn = conditional.extreme * (1 + sign * float(conditional.callback_rate) / 100)
    return (price - turn) * sign >= 0


def _fires_above(conditional: Conditional) -> bool:
    """Stops to buy and profits to take by selling fire at or above their trigger, the others at or below."""
    return (conditional.sign > 0) == conditional.type.startswith("STOP")
