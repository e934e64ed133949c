"""Which symbols of a live account have their order types tried, with which smallest orders, and when. Pure."""

from __future__ import annotations

from decimal import Decimal

from atm.model.instrument import Instrument
from atm.model.interval import DAY_MS, MINUTE_MS
from atm.model.order_probe import ProbeOutcome, ProbeResult, ProbeTarget
from atm.trading.live.desk import Desk
from atm.trading.live.sizing import trigger_price

ROOM = Decimal("1.1")
"""How much above the least notional an order is tried: the price moves meanwhile."""
AT_MS = 10 * MINUTE_MS
"""After 00:00 UTC."""
RETRY_MS = 10 * MINUTE_MS


def targets(desk: Desk) -> tuple[ProbeTarget, ...]:
    """Traded symbols that have a price."""
    found = []
    for symbol in sorted(desk.setup.symbols):
        instrument, price = desk.instruments.get(symbol), desk.price(symbol)
        if instrument is None or not price:
            continue
        seen = desk.positions.get(symbol)
        is_held = bool(desk.book(symbol).amount or desk.orders(symbol) or (seen is not None and seen.amount))
        price = trigger_price(price, instrument)
        found.append(ProbeTarget(symbol, price, smallest(instrument, price), is_held))
    return tuple(found)


def smallest(instrument: Instrument, price: Decimal) -> Decimal:
    """The smallest quantity that may open a position at a price."""
    step = max(Decimal(instrument.step_size), Decimal(instrument.market_step_size))
    least = max(Decimal(instrument.min_quantity), Decimal(instrument.min_notional) * ROOM / price)
    units = least // step
    return units * step if units * step >= least else (units + 1) * step


class ProbeClock:
    """At activation, then once a day; sooner where something could not be learnt."""

    def __init__(self) -> None:
        self.next_ms = 0

    def is_due(self, now_ms: int) -> bool:
        return now_ms >= self.next_ms

    def wanted(self) -> None:
        """The account was activated."""
        self.next_ms = 0

    def begun(self, now_ms: int) -> None:
        """One is under way; where nothing comes of it, it is tried again."""
        self.next_ms = now_ms + RETRY_MS

    def ended(self, results: tuple[ProbeResult, ...], now_ms: int) -> None:
        if any(each.outcome is ProbeOutcome.UNKNOWN for each in results):
            self.next_ms = now_ms + RETRY_MS
        else:
            self.next_ms = (now_ms - AT_MS) // DAY_MS * DAY_MS + DAY_MS + AT_MS
