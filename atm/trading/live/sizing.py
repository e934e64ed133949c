"""From a wanted change of a position to quantities and prices that the exchange takes. Exact, in decimals."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from atm.model.instrument import Instrument
from atm.model.live_order import NOTHING


def on_step(quantity: Decimal, instrument: Instrument) -> Decimal:
    """`quantity` (signed) towards zero to the coarser of the symbol's steps, which both kinds of orders accept."""
    step = max(Decimal(instrument.step_size), Decimal(instrument.market_step_size))
    units = abs(quantity) // step
    return (units * step).copy_sign(quantity) if units else NOTHING


def slices(quantity: Decimal, instrument: Instrument) -> tuple[Decimal, ...]:
    """`quantity` (> 0, on step) in pieces of at most the largest quantity of a market order. The pieces are as equal as the step
    allows, so that none is too small."""
    most = on_step(Decimal(instrument.max_market_quantity), instrument)
    if most <= NOTHING or quantity <= most:
        return (quantity,) if quantity > NOTHING else ()
    pieces = (quantity / most).to_integral_value(ROUND_CEILING)
    each = on_step(quantity / pieces, instrument)
    step = max(Decimal(instrument.step_size), Decimal(instrument.market_step_size))
    larger = int((quantity - each * pieces) / step)
    return tuple(each + step if index < larger else each for index in range(int(pieces)))


def is_large_enough(quantity: Decimal, price: Decimal, instrument: Instrument, reduce_only: bool) -> bool:
    """Whether an order meets the least quantity and, unless it only reduces, the least notional at `price`."""
    if quantity < Decimal(instrument.min_quantity) or quantity <= NOTHING:
        return False
    return reduce_only or quantity * price >= Decimal(instrument.min_notional)


def limit_price(price: Decimal, instrument: Instrument, buys: bool) -> Decimal:
    """A limit on the tick that is never worse than asked for: down to buy, up to sell."""
    return _on_tick(price, instrument, ROUND_FLOOR if buys else ROUND_CEILING)


def trigger_price(price: Decimal, instrument: Instrument) -> Decimal:
    """The nearest price on the tick."""
    return _on_tick(price, instrument, ROUND_HALF_EVEN)


def _on_tick(price: Decimal, instrument: Instrument, rounding: str) -> Decimal:
    tick = Decimal(instrument.tick_size)
    return (price / tick).quantize(Decimal(1), rounding) * tick
