"""When leverage and margin mode of a symbol may be changed, in one-way mode (numba kernels).

Source: the API documents of `POST /fapi/v1/leverage` and `POST /fapi/v1/marginType` with their error codes, and the Binance
support page "Leverage and Margin of USDⓈ-M Futures".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atm.ledger.margin import MAX_LEVERAGE, max_notional
from atm.model.kernel import kernel

Floats = NDArray[np.float64]

ALLOWED = 0
NOT_OFFERED, TOO_LARGE, TOO_LITTLE_MARGIN, ISOLATED_LOWERING = -4028, -2027, -2028, -4161
SAME_MODE, OPEN_ORDERS, OPEN_POSITION = -4046, -4047, -4048
"""Why a change is refused, by the exchange's own codes."""


@kernel
def leverage_change(
    brackets: Floats, held: float, exposed: float, isolated: bool, before: float, leverage: float, available: float
) -> int:
    """ALLOWED or why the leverage may not become `leverage` (a whole number).

    `held`: notional of the open position (>= 0); `exposed`: the same with its open orders, whose initial margin the change
    alters; `available`: balance available for orders now. Raising is refused when the notional exceeds what the new
    leverage allows; lowering when the additional initial margin of a cross position or of orders is not available, and
    always for an open isolated position. An isolated wallet stays as it is; raising lets more be removed from it.
    """
    if not 1.0 <= leverage <= brackets[:, MAX_LEVERAGE].max():
        return NOT_OFFERED
    if held > 0.0 and isolated and leverage < before:
        return ISOLATED_LOWERING
    if held > max_notional(brackets, leverage):
        return TOO_LARGE
    backed = exposed - held if isolated else exposed
    if leverage < before and backed > 0.0 and backed / leverage - backed / before >= available:
        return TOO_LITTLE_MARGIN
    return ALLOWED


@kernel
def mode_change(isolated: bool, wanted: bool, has_orders: bool, has_position: bool) -> int:
    """ALLOWED or why the margin mode may not become isolated (`wanted` true) or cross: neither with a position nor orders."""
    if isolated == wanted:
        return SAME_MODE
    if has_orders:
        return OPEN_ORDERS
    return OPEN_POSITION if has_position else ALLOWED
