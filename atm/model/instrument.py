"""Instruments, their filters and leverage brackets, and exact rounding to tick and step.

Quantities and prices that go to an exchange are decimal strings on the grid of the symbol's filters; `Decimal` is
used for that and only for that.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal

import msgspec


class LeverageBracket(msgspec.Struct, frozen=True):
    """One row of an instrument's leverage brackets (`GET /fapi/v1/leverageBracket`).

    notional_floor and notional_cap in quote asset; maintenance_margin_rate a fraction; cumulative ("cum") the amount
    subtracted so that maintenance margin is continuous; max_leverage the highest leverage allowed in the bracket.
    """

    notional_floor: float
    notional_cap: float
    maintenance_margin_rate: float
    cumulative: float
    max_leverage: int


class Instrument(msgspec.Struct, frozen=True):
    """A perpetual contract. Filter values are decimal strings exactly as the exchange gave them.

    min_price, max_price: of an order, "0" = no limit; multiplier_up, multiplier_down: a buy may be priced at most so many times
    the mark price, a sale at least so many times, "0" = no limit.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    price_precision: int
    quantity_precision: int
    tick_size: str
    step_size: str
    market_step_size: str
    min_quantity: str
    max_market_quantity: str
    min_notional: str
    liquidation_fee: str
    onboard_ms: int = 0
    brackets: tuple[LeverageBracket, ...] = ()
    min_price: str = "0"
    max_price: str = "0"
    multiplier_up: str = "0"
    multiplier_down: str = "0"

    def round_price(self, price: float) -> str:
        """Nearest price on the tick grid, as the exchange wants it."""
        return on_grid(price, self.tick_size, ROUND_HALF_EVEN)

    def floor_quantity(self, quantity: float) -> str:
        """Largest quantity on the market step grid that is not above `quantity`."""
        return on_grid(quantity, self.market_step_size, ROUND_DOWN)

    def ceil_quantity(self, quantity: float) -> str:
        """Smallest quantity on the market step grid that is not below `quantity`."""
        return on_grid(quantity, self.market_step_size, ROUND_UP)


def on_grid(value: float | str, step: str, rounding: str) -> str:
    """`value` rounded to a multiple of `step`, as a plain decimal string with the decimals of `step`.

    A float enters by its shortest decimal form, so 0.1 means one tenth.
    """
    size = Decimal(step)
    units = (Decimal(str(value)) / size).quantize(Decimal(1), rounding=rounding)
    return format((units * size).quantize(size.normalize() if size < 1 else Decimal(1)), "f")
