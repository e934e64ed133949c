"""A request as its handlers see it, and reading its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from atm.exchange.demo.account import Account
from atm.exchange.demo.market import Market
from atm.exchange.demo.refusal import ExchangeRefusal
from atm.model.interval import DAY_MS


class Asked(msgspec.Struct, frozen=True):
    """version "v1" … "v3"; given: query and body parameters; account: None for public requests."""

    version: str
    given: dict[str, str]
    now_ms: int
    account: Account | None = None

    @property
    def owner(self) -> Account:
        """The account of a signed request."""
        assert self.account is not None
        return self.account


Handler = Callable[[Asked], Any]


def integer(given: Mapping[str, str], name: str) -> int | None:
    """A non-negative integer parameter, None when it was not sent. Raises ExchangeRefusal."""
    text = given.get(name)
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise ExchangeRefusal(-1130, name)
    return int(text)


def amount_of(given: Mapping[str, str], name: str) -> float:
    """A decimal number that has to be sent. Raises ExchangeRefusal."""
    text = given.get(name)
    if not text:
        raise ExchangeRefusal(-1102, name)
    try:
        value = float(text)
    except ValueError:
        raise ExchangeRefusal(-1130, name) from None
    if not math.isfinite(value):
        raise ExchangeRefusal(-1130, name)
    return value


def limit(given: Mapping[str, str], default: int, most: int) -> int:
    """The parameter `limit`, 1 to `most`. Raises ExchangeRefusal."""
    value = integer(given, "limit")
    if value is None:
        return default
    if not 1 <= value <= most:
        raise ExchangeRefusal(-1130, "limit")
    return value


def times(given: Mapping[str, str], most_days: int = 0) -> tuple[int | None, int | None]:
    """startTime and endTime. Raises ExchangeRefusal for a range that is reversed or longer than `most_days` (0: any)."""
    start_ms, end_ms = integer(given, "startTime"), integer(given, "endTime")
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise ExchangeRefusal(-1023)
        if most_days and end_ms - start_ms > most_days * DAY_MS:
            raise ExchangeRefusal(-4165, most_days)
    return start_ms, end_ms


def inside(time_ms: int, start_ms: int | None, end_ms: int | None) -> bool:
    """Whether a time lies in a range, both ends included; None: open."""
    return (start_ms is None or time_ms >= start_ms) and (end_ms is None or time_ms <= end_ms)


def listed(market: Market, now_ms: int) -> Market:
    """The market, if it has begun. Raises ExchangeRefusal."""
    if not market.is_listed(now_ms):
        raise ExchangeRefusal(-1122)
    return market
