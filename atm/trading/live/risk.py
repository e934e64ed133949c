"""Risk limits: whether an order may add to a position now. Pure."""

from __future__ import annotations

import msgspec

from atm.model.journal import WHOLE_ACCOUNT
from atm.model.risk import RiskLimits


class RiskView(msgspec.Struct, frozen=True):
    """What the limits look at. Worths in quote asset, as they would be after the order; equity 0: not known, or nothing
    is left, and the limits that are shares of it cannot be judged.

    last, mark: prices, 0 = not known; price_age_ms: of the older of both; unpriced: symbols held without a price, because of which the
    equity is not known.
    """

    symbol: str
    position_worth: float
    account_worth: float
    equity: float
    day_equity: float
    peak_equity: float
    orders_last_minute: int
    last: float
    mark: float
    price_age_ms: int
    unpriced: tuple[str, ...] = ()


class Breach(msgspec.Struct, frozen=True):
    """A limit that is broken: its name, the value that breaks it and what is allowed. scope: a symbol or WHOLE_ACCOUNT; lasting:
    the scope is stopped; otherwise the order waits until the value is back within the limit."""

    limit: str
    value: float
    allowed: float
    scope: str
    lasting: bool

    @property
    def reason(self) -> str:
        return f"{self.limit}: {self.value:.6g}, allowed {self.allowed:.6g}"


def breach(limits: RiskLimits, view: RiskView) -> Breach | None:
    """The first limit that an order which opens or adds would break; those of the account first, passing ones last."""
    return _account_breach(limits, view) or _symbol_breach(limits, view) or _passing_breach(limits, view)


def _account_breach(limits: RiskLimits, view: RiskView) -> Breach | None:
    checks = (
        ("daily_loss", _lost(view.equity, view.day_equity), limits.daily_loss),
        ("drawdown", _lost(view.equity, view.peak_equity), limits.drawdown),
    )
    for name, value, most in checks:
        if most is not None and value >= most:
            return Breach(name, value, most, WHOLE_ACCOUNT, True)
    return None


def _symbol_breach(limits: RiskLimits, view: RiskView) -> Breach | None:
    leverage = view.account_worth / view.equity if view.equity > 0 else 0.0
    checks = (
        ("max_leverage", leverage, limits.max_leverage),
        ("max_notional", view.position_worth, limits.max_notional),
    )
    for name, value, most in checks:
        if most is not None and value > most:
            return Breach(name, value, most, view.symbol, True)
    return None


def _passing_breach(limits: RiskLimits, view: RiskView) -> Breach | None:
    needs_equity = any(each is not None for each in (limits.daily_loss, limits.drawdown, limits.max_leverage))
    if needs_equity and view.unpriced:
        return Breach(f"no price of {', '.join(view.unpriced)}", len(view.unpriced), 0.0, WHOLE_ACCOUNT, False)
    if needs_equity and view.equity <= 0:
        return Breach("equity", view.equity, 0.0, WHOLE_ACCOUNT, False)
    most = limits.orders_per_minute
    if most is not None and view.orders_last_minute >= most:
        return Breach("orders_per_minute", view.orders_last_minute, most, WHOLE_ACCOUNT, False)
    is_known = view.last > 0 and view.mark > 0
    if limits.stale_s is not None and (not is_known or view.price_age_ms > limits.stale_s * 1000):
        age_s = view.price_age_ms / 1000 if is_known else float("inf")
        return Breach("stale_s", age_s, limits.stale_s, view.symbol, False)
    deviation = abs(view.last - view.mark) / view.mark if is_known else 0.0
    if limits.price_deviation is not None and deviation > limits.price_deviation:
        return Breach("price_deviation", deviation, limits.price_deviation, view.symbol, False)
    return None


def _lost(equity: float, before: float) -> float:
    """Share of an earlier equity that is lost; 0 while either is not known."""
    return max(0.0, 1.0 - equity / before) if equity > 0 and before > 0 else 0.0
