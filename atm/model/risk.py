"""Risk limits of a live account. A limit that is None does not hold."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, le=1, extra={"unit": "%"})]
Countdown = Annotated[float, msgspec.Meta(ge=10, le=600)]
Amount = Annotated[float, msgspec.Meta(gt=0)]


class RiskLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Checked before every order that opens or adds to a position; what only reduces is always let through.

    max_leverage: worth of all positions per equity; max_notional: worth of one position, in quote asset; orders_per_minute: of
    the account, exits and stops counted; daily_loss: of the equity at 00:00 UTC; drawdown: of the highest equity; price_deviation:
    of the last price from the mark price; stale_s: age of the newest price.
    """

    max_leverage: Amount | None = 20.0
    max_notional: Amount | None = None
    orders_per_minute: Annotated[int, msgspec.Meta(ge=1, le=1_200)] | None = 120
    daily_loss: Share | None = None
    drawdown: Share | None = None
    price_deviation: Share | None = 0.05
    stale_s: Annotated[float, msgspec.Meta(gt=0)] | None = 30.0


class OutsidePolicy(Enum):
    """What is done about a change of a position that our orders do not explain. ADOPT: it becomes ours, and the target until the
    next decision; IGNORE: it is left alone, ours goes on beside it; STOP: it becomes ours, and the symbol is not touched any more."""

    ADOPT = "ADOPT"
    IGNORE = "IGNORE"
    STOP = "STOP_SYMBOL"


class SymbolSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a symbol that hold before its first order."""

    leverage: Annotated[int, msgspec.Meta(ge=1, le=150)] = 1
    isolated: bool = True


class LiveRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user sets of a live account.

    stop_distance: of the protective stop from the entry price where a target names none, None = no stop then; unprotected_s: how
    long a position may be without a resting stop before there is an alarm; dead_man_s: after which the exchange cancels limit orders of a
    symbol by itself when it has not heard of us, those of others as well, None = never.
    """

    limits: RiskLimits = RiskLimits()
    policy: OutsidePolicy = OutsidePolicy.ADOPT
    stop_distance: Share | None = 0.1
    unprotected_s: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 15.0
    dead_man_s: Countdown | None = None


class LiveSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a live account trades. symbols: those it trades; the others as in `LiveRules`."""

    symbols: dict[str, SymbolSetup]
    limits: RiskLimits = RiskLimits()
    policy: OutsidePolicy = OutsidePolicy.ADOPT
    stop_distance: Share | None = 0.1
    unprotected_s: Annotated[float, msgspec.Meta(gt=0)] = 15.0
    dead_man_s: Countdown | None = None

    @staticmethod
    def of(symbols: dict[str, SymbolSetup], rules: LiveRules) -> LiveSetup:
        return LiveSetup(symbols, **msgspec.structs.asdict(rules))
